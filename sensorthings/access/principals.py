"""Who asks: a client app, a user or a service, and which systems it reads and writes.

What lives here: the answer of authentication, as plain data for queries and writes. What does not: how a
request proves it (`sensorthings.access.authentication`), where it is kept (`sensorthings.access.registry`).
"""

from dataclasses import dataclass

from sensorthings.access.sight import SHARED, SYSTEMS, WRITES, Sight


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
        sees_all: Sees everything without being an admin (anonymous reading).
    """

    name: str
    is_admin: bool = False
    home: int | None = None
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    shared: tuple[int, ...] = ()
    sees_all: bool = False

    @property
    def sight(self) -> Sight:
        """What the principal sees when it reads."""
        if self.is_admin or self.sees_all:
            return Sight.ALL
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

    def parameters(self) -> dict[str, list[int]]:
        """Give the values of the bind parameters in every source of `Sight`."""
        return {SYSTEMS: list(self.reads), WRITES: list(self.writes), SHARED: list(self.shared)}


ANYONE = Principal("anonymous", is_admin=True)
"""A stranger where anonymous access is open for writing: everything, as an admin."""
ANY_READER = Principal("anonymous", sees_all=True)
"""A stranger where anonymous access is open for reading."""
