"""What operators see of the platform as a whole, and the part of it that everybody may see.

What lives here: the facts, and how they follow from what was read. What does not: reading (``reading``),
remembering (``watch``), how parts are (``findings``). Pure.

Who sees what: everybody who is logged in sees which parts are well, and figures of the systems that they see
themselves; addresses, versions, names of others and the sizes of things are for operators. Who runs the
platform decides what to mend and has the database anyway; who uses it needs to know whether it is them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from client.messaging.topics import SystemName
from platform_ui.flows.figures import FlowSnapshot
from platform_ui.health import Pulse
from platform_ui.operations.findings import Finding, Level, worst_first

TOP: Final = 10
SETTLING: Final = timedelta(minutes=1)
"""How long a system's topics may be missing after it was made: what flows is looked at that seldom."""
DEAD_LETTERS: Final = ".int.dlq"


@dataclass(frozen=True, slots=True)
class Drift:
    """How the broker's access rules differ from those that should be there.

    Attributes:
        lines: The steps that would mend it, ``+`` is made and ``-`` is removed; at most `MOST_LINES`.
        count: How many steps there are [1].
        foreign: Rules of others that concern what is ours; left alone [1].
        open_doors: Those of them that let everybody in.
        kept: Rules that should be there [1].
        since: Since when there are steps, as far as this process knows; nothing when there are none.
        trouble: Why it is not known; empty when it is.
    """

    lines: tuple[str, ...] = ()
    count: int = 0
    foreign: int = 0
    open_doors: tuple[str, ...] = ()
    kept: int = 0
    since: datetime | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Keeper:
    """How it goes for something that works in the background.

    Attributes:
        name: What it does.
        succeeded_at: When it last came through.
        failed_at: When it last failed.
        error: What it failed of.
        is_failing: Whether it has failed since it last came through.
    """

    name: str
    succeeded_at: datetime | None
    failed_at: datetime | None
    error: str
    is_failing: bool

    @classmethod
    def of(cls, name: str, pulse: Pulse) -> "Keeper":
        """Return how it goes by a pulse."""
        return cls(name, pulse.succeeded_at, pulse.failed_at, pulse.error, pulse.is_failing)


@dataclass(frozen=True, slots=True)
class Lag:
    """A stream app that has records before it: how many, and whether they grow more."""

    app_id: str
    records: int
    is_growing: bool

    @property
    def address(self) -> str:
        """Its page."""
        system, _, name = self.app_id.rpartition(".")
        return f"/systems/{system}/apps/{name}"


@dataclass(frozen=True, slots=True)
class Refused:
    """Records of the last hour that could not be used, by the system that they lie with."""

    system: str
    records: int


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics that are not as the registry says.

    Attributes:
        missing: Those of registered systems that the broker does not have.
        surplus: Those that look like a system's, of no registered system.
    """

    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate that is near its end, or over; of the newest that somebody has."""

    kind: str
    name: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Store:
    """How large the platform's database is, and who is there.

    Attributes:
        size_bytes: All of it [bytes].
        tables: The largest tables, with their indexes [bytes].
        people: Accounts that are not disabled [1].
        sessions: Log-ins that have not ended [1].
    """

    size_bytes: int = 0
    tables: tuple[tuple[str, int], ...] = ()
    people: int = 0
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class Inside:
    """What is for operators only.

    Attributes:
        drift: Of the broker's access rules.
        keepers: What works in the background.
        topics: That are not as the registry says.
        endings: Certificates near their end, the soonest first.
        store: The database.
        app_states: Stream apps by state [1].
    """

    drift: Drift = field(default_factory=Drift)
    keepers: tuple[Keeper, ...] = ()
    topics: Topics = field(default_factory=Topics)
    endings: tuple[Ending, ...] = ()
    store: Store = field(default_factory=Store)
    app_states: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """How the platform is, for one person.

    Attributes:
        at: When it was looked at.
        findings: Its parts, those in trouble first.
        lags: The stream apps with the most records before them.
        refused: The systems with the most records that could not be used.
        measured_at: When lags and refused records were measured; nothing when they are not.
        inside: What is for operators only; nothing for others.
    """

    at: datetime
    findings: tuple[Finding, ...]
    lags: tuple[Lag, ...] = ()
    refused: tuple[Refused, ...] = ()
    measured_at: datetime | None = None
    inside: Inside | None = None

    @property
    def troubles(self) -> int:
        """How many things somebody should look at [1]."""
        found = sum(finding.is_trouble for finding in self.findings)
        if self.inside is None:
            return found
        inside = self.inside
        more = (
            bool(inside.drift.count or inside.drift.open_doors or inside.drift.trouble),
            bool(inside.topics.missing or inside.topics.surplus),
            bool(inside.endings),
        )
        return found + sum(more) + sum(keeper.is_failing for keeper in inside.keepers)

    @property
    def worst(self) -> Level:
        """How the platform is altogether."""
        levels = {finding.level for finding in self.findings}
        if Level.FAILED in levels:
            return Level.FAILED
        return Level.WARNING if self.troubles else Level.OK


def for_member(health: Health, systems: Collection[str]) -> Health:
    """Return what somebody may see who is no operator.

    Args:
        health: All of it.
        systems: Names of the systems that they see.
    """
    return replace(
        health,
        findings=tuple(finding.public() for finding in health.findings),
        lags=tuple(lag for lag in health.lags if lag.app_id.rpartition(".")[0] in systems)[:TOP],
        refused=tuple(one for one in health.refused if one.system in systems)[:TOP],
        inside=None,
    )


def for_operator(health: Health) -> Health:
    """Return what an operator sees: everything, the longest of each list."""
    return replace(health, lags=health.lags[:TOP], refused=health.refused[:TOP])


def health_of(at: datetime, findings: Sequence[Finding], snapshot: FlowSnapshot, inside: Inside) -> Health:
    """Put together how the platform is; the lists are still whole.

    Args:
        at: The present time.
        findings: How its parts are.
        snapshot: What was last measured of what flows.
        inside: What is for operators only.
    """
    return Health(
        at,
        tuple(worst_first(list(findings))),
        tuple(_lags(snapshot)),
        tuple(_refused(snapshot)),
        snapshot.at,
        replace(inside, app_states=dict(Counter(app.state for app in snapshot.apps.values()).most_common())),
    )


def compare_topics(
    systems: Iterable[tuple[str, datetime]], snapshot: FlowSnapshot, present: datetime
) -> Topics:
    """Compare the topics that the broker has with those that it should have.

    Args:
        systems: Names of all systems, and when they were made.
        snapshot: What was last measured; nothing can be said when it is old.
        present: The present time.
    """
    if snapshot.is_stale or not snapshot.topics:
        return Topics()
    known: set[str] = set()
    missing: list[str] = []
    for name, created_at in systems:
        wanted = SystemName.parse(name).topics.all()
        known.update(wanted)
        if present - created_at > SETTLING:
            missing += [topic for topic in wanted if topic not in snapshot.topics]
    return Topics(tuple(sorted(missing)), tuple(sorted(set(snapshot.topics) - known)))


def _lags(snapshot: FlowSnapshot) -> list[Lag]:
    found = [Lag(app_id, app.lag, app.is_falling_behind) for app_id, app in snapshot.apps.items() if app.lag]
    return sorted(found, key=lambda lag: (-lag.records, lag.app_id))


def _refused(snapshot: FlowSnapshot) -> list[Refused]:
    found = [
        Refused(name.removesuffix(DEAD_LETTERS), rate.last_hour)
        for name, rate in snapshot.topics.items()
        if name.endswith(DEAD_LETTERS) and rate.last_hour
    ]
    return sorted(found, key=lambda one: (-one.records, one.system))
