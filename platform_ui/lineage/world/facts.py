"""What lineage is made of: the systems, stream apps and contracts of one person's world, at one time.

What lives here: plain facts, and what they say about visibility. What does not: reading them (``reading``),
what follows from them (``truths``, ``columns``, ``differences``). Pure.

Nobody is given anything of a system that they do not see but its name, where a flow or a contract joins it to
one of theirs, and the Datastreams that a contract shares with one of theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from platform_ui.contracts.titles import ContractTitle
from platform_ui.flows.graph import SystemFact, company_of


@dataclass(frozen=True, slots=True)
class Use:
    """The contract by which an app has the records of one source.

    Attributes:
        contract: Its id.
        is_in_force: Whether it holds, between that source and the app's target.
    """

    contract: str
    is_in_force: bool


@dataclass(frozen=True, slots=True)
class AppFact:
    """A stream app, at one time.

    Attributes:
        name: Its name in its system.
        sources: All systems that it reads, its own first.
        target: The system that it writes to.
        statement: What it does; empty when the person may not know.
        version: Number of the statement.
        uses: Its contracts, by source.
        stopped_by: Who stopped it, if it was stopped.
        is_inside: Whether the person sees its own system.
        created_at: Since when it is there.
    """

    name: str
    sources: tuple[str, ...]
    target: str
    statement: str = ""
    version: int = 1
    uses: Mapping[str, Use] = field(default_factory=dict)
    stopped_by: str | None = None
    is_inside: bool = True
    created_at: datetime | None = None

    @property
    def app_id(self) -> str:
        """The name of the app to the runner, and in the headers of its records."""
        return f"{self.sources[0]}.{self.name}"

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"/systems/{self.sources[0]}/apps/{self.name}"

    @property
    def lacking(self) -> tuple[str, ...]:
        """Sources of another company than the target's without a contract in force."""
        return tuple(source for source in self.sources if self._lacks(source))

    @property
    def is_permitted(self) -> bool:
        """Whether its contracts let it run."""
        return not self.lacking

    def _lacks(self, source: str) -> bool:
        if company_of(source) == company_of(self.target):
            return False
        use = self.uses.get(source)
        return use is None or not use.is_in_force


@dataclass(frozen=True, slots=True)
class ContractFact:
    """A contract that a person sees, at one time.

    Attributes:
        id: Which one.
        provider: The system that gives.
        consumer: The system that receives.
        version: Number of the version that holds, or held last.
        datastreams: Full names of what is shared; empty for all of the provider.
        fields: Members of a value that may leave besides the usual ones; empty for all.
        is_whole: Whether all records of these Datastreams leave, as they are.
        since: From when on the contract has been in force; nothing when it never was.
        ended_at: When it ended; nothing while it holds.
        is_in_force: Whether it holds.
        purpose: What it is, or was, for.
    """

    id: str
    provider: str
    consumer: str
    version: int = 1
    datastreams: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    is_whole: bool = True
    since: datetime | None = None
    ended_at: datetime | None = None
    is_in_force: bool = True
    purpose: str = ""

    @property
    def title(self) -> ContractTitle:
        """What people call it."""
        return ContractTitle(self.id, self.provider, self.consumer, self.purpose)

    @property
    def url(self) -> str:
        """The address of its page."""
        return self.title.url

    def shares(self, datastream: str) -> bool:
        """Return whether a Datastream is among what it shares."""
        if self.datastreams:
            return datastream in self.datastreams
        return datastream.startswith(f"{self.provider}.")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time at which something was changed, for who looks back."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a person sees of what is declared and permitted, at one time."""

    systems: Sequence[SystemFact] = ()
    apps: Sequence[AppFact] = ()
    contracts: Sequence[ContractFact] = ()
    moments: Sequence[Moment] = ()

    def seen(self) -> frozenset[str]:
        """Return the systems that the person sees, by name."""
        return frozenset(system.name for system in self.systems)

    def named(self) -> frozenset[str]:
        """Return the systems whose name the person may know from here."""
        ends = {name for app in self.apps for name in (*app.sources, app.target)}
        ends |= {name for one in self.contracts for name in (one.provider, one.consumer)}
        return self.seen() | ends

    def may_name(self, datastream: str) -> bool:
        """Return whether the person may know of a Datastream: it is of a system of theirs, or shared."""
        seen = self.seen()
        if any(datastream.startswith(f"{name}.") for name in seen):
            return True
        return any(
            one.is_in_force and one.consumer in seen and one.shares(datastream) for one in self.contracts
        )
