"""The service without a wire: from a request to an answer, inside a batch as outside.

What lives here: which part answers which method and address. What does not: reading and writing themselves.

Source: OGC 18-088, clauses 9 to 12.
"""

from dataclasses import dataclass

from sensorthings.database import Database, Session
from sensorthings.errors import EntityMissingError, MethodError
from sensorthings.http import aggregates, batch, changes, data_arrays, landing, openapi, reads
from sensorthings.http.messages import Answer, Request
from sensorthings.queries.plans import Planner
from sensorthings.settings import Settings
from sensorthings.spatial.engine import SpatialEngine
from sensorthings.writes.bodies import Mode


@dataclass(frozen=True, slots=True)
class StandardService:
    """The service of SensorThings (`sensorthings.http.ports.Service`).

    Attributes:
        database: Where everything is kept.
        settings: Settings.
        planner: Plans of reads.
        spatial: Resolves spatial calls.
    """

    database: Database
    settings: Settings
    planner: Planner
    spatial: SpatialEngine

    async def answer(self, request: Request, session: Session | None = None) -> Answer:
        """Answer a request.

        Args:
            request: What is asked for.
            session: A transaction that it belongs to; None for one of its own.

        Raises:
            RequestError: The request cannot be served.
            psycopg.Error: What the database says.
        """
        path = request.path.strip("/")
        special = await self._special(path, request, session)
        if special is not None:
            return special
        if request.method in ("GET", "HEAD"):
            is_bucketed = aggregates.wants_buckets(request.query)
            read = aggregates.answer_buckets if is_bucketed else reads.read
            return await read(self, request, session)
        if request.method == "POST":
            return await changes.create(self, request, session)
        if request.method == "PATCH":
            return await changes.change(self, request, session, Mode.PATCH)
        if request.method == "PUT":
            return await changes.change(self, request, session, Mode.REPLACE)
        if request.method == "DELETE":
            return await changes.delete(self, request, session)
        raise MethodError(request.method, "GET, POST, PATCH, PUT, DELETE", "Use one of these.")

    async def _special(self, path: str, request: Request, session: Session | None) -> Answer | None:
        """Answer at an address that is no resource path; None for all others."""
        if path == "":
            _check_method(request, "GET", "HEAD")
            return landing.landing_page(request, self.settings)
        if path in ("api", "openapi.json"):
            _check_method(request, "GET", "HEAD")
            return openapi.document(request, self.settings)
        if path == "CreateObservations":
            _check_method(request, "POST")
            return await data_arrays.create_observations(self, request, session)
        if path == "$batch":
            _check_method(request, "POST")
            if session is not None:
                raise EntityMissingError("A batch cannot hold a batch.", "Send its requests themselves.")
            return await batch.answer_batch(self, request)
        return None


def _check_method(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise MethodError(request.method, ", ".join(methods), f"Use {methods[0]}.")
