"""What the parts of the service need of the whole.

What lives here: the port, so that parts know no composition. What does not: the service itself
(`sensorthings.http.service`).
"""

from typing import Protocol

from sensorthings.database import Database, Session
from sensorthings.http.messages import Answer, Request
from sensorthings.queries.plans import Planner
from sensorthings.settings import Settings
from sensorthings.spatial.engine import SpatialEngine


class Service(Protocol):
    """The service, as its parts see it."""

    @property
    def database(self) -> Database:
        """Where everything is kept."""
        ...

    @property
    def settings(self) -> Settings:
        """Settings."""
        ...

    @property
    def planner(self) -> Planner:
        """Plans of reads."""
        ...

    @property
    def spatial(self) -> SpatialEngine:
        """Resolves spatial calls."""
        ...

    async def answer(self, request: Request, session: Session | None = None) -> Answer:
        """Answer a request, in a transaction of its own or in the one given.

        Raises:
            RequestError: The request cannot be served.
            psycopg.Error: What the database says.
        """
        ...
