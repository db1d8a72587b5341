"""Who asks: a client app, a user or a service, and which systems it reads and writes.

What lives here: the answer of authentication, as plain data for queries and writes. What does not: how a
request proves it (`sensorthings.access.authentication`), how it is looked up (`sensorthings.access.lookup`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sensorthings.access.sight import (
    LIMITED,
    OBSERVED,
    SHARED,
    SINCE_IDS,
    SINCE_TIMES,
    SYSTEMS,
    WRITES,
    Sight,
)


@dataclass(frozen=True, slots=True)
class Principal:
    """One who sends requests.

    Attributes:
        name: Unique name, such as `is.iceland.weather.Stations.station_1`, an e-mail address or `platform`.
        is_admin: May see and change everything, and administer access.
        home: Id of the system that new entities belong to when nothing else tells; None for none.
        reads: Ids of the systems whose entities it sees.
        writes: Ids of the systems whose entities it may change.
        shared: Ids of the Datastreams that contracts share with systems that it reads.
        observed: Those of them of which it sees Observations.
        limited: Those of which it does not see all Observations.
        since: Those of which it sees Observations that begin at some time or after it, with that time.
        sees_all: Sees everything without being an admin (anonymous reading).
    """

    name: str
    is_admin: bool = False
    home: int | None = None
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    shared: tuple[int, ...] = ()
    observed: tuple[int, ...] = ()
    limited: tuple[int, ...] = ()
    since: tuple[tuple[int, datetime], ...] = ()
    sees_all: bool = False

    @property
    def sight(self) -> Sight:
        """What the principal sees when it reads."""
        if self.is_admin or self.sees_all:
            return Sight.ALL
        if self.limited:
            return Sight.LIMITED
        return Sight.SHARED if self.shared else Sight.OWN

    @property
    def write_sight(self) -> Sight:
        """What the principal may change."""
        return Sight.ALL if self.is_admin else Sight.WRITE

    @property
    def can_write(self) -> bool:
        """Whether there is anything that the principal may change."""
        return self.is_admin or bool(self.writes)

    def may_write(self, system: int | None) -> bool:
        """Tell whether the principal may change what belongs to a system (None: what is common)."""
        return self.is_admin or system in self.writes

    def parameters(self) -> dict[str, list[Any]]:
        """Give the values of the bind parameters in every source of `Sight`."""
        values = {SYSTEMS: list(self.reads), WRITES: list(self.writes), SHARED: list(self.shared)}
        if not self.limited:
            return values
        return values | {
            OBSERVED: list(self.observed),
            LIMITED: list(self.limited),
            SINCE_IDS: [identifier for identifier, _ in self.since],
            SINCE_TIMES: [since for _, since in self.since],
        }


ANYONE = Principal("anonymous", is_admin=True)
"""A stranger where anonymous access is open for writing: everything, as an admin."""
ANY_READER = Principal("anonymous", sees_all=True)
"""A stranger where anonymous access is open for reading."""
