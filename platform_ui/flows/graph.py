"""The map of flows: systems, the stream apps between them and what goes over each, gathered so far as needed.

What lives here: what belongs on the map and at which grain. What does not: where it is drawn (``layout``),
what a person may see (``reading`` gives no more than that). Pure.

A map of more than `MAX_BOXES` boxes cannot be read. So systems are gathered by workcenter, and workcenters by
company, until it can; a box of several systems leads to the map of what is in it. Systems on the far side of
a flow that are outside of the part that is looked at are gathered by company first.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import starmap
from typing import Final
from urllib.parse import urlencode

from platform_ui.contracts.titles import ContractTitle
from platform_ui.flows.figures import AppRate, FlowSnapshot, TopicRate

MAX_BOXES: Final = 40
MAX_APPS: Final = 40
"""From how many stream apps on the lines between systems stand for them."""
NOT_DEPLOYED: Final = "not deployed"
FAILING: Final = frozenset({"failed", "backing_off"})
_STILL: Final = frozenset({"stopped", NOT_DEPLOYED})


class Grain(StrEnum):
    """What one box stands for."""

    SYSTEM = "system"
    WORKCENTER = "workcenter"
    COMPANY = "company"


@dataclass(frozen=True, slots=True)
class SystemFact:
    """A system that a person sees.

    Attributes:
        name: Its full name.
        is_operated: Whether the person is one of its agents.
        state: ``active``, or ``creating`` while its topics are not verified.
        clients: How many client apps it has.
    """

    name: str
    is_operated: bool = True
    state: str = "active"
    clients: int = 0


@dataclass(frozen=True, slots=True)
class AppFact:
    """A stream app that a person sees: one of its ends is a system that they see.

    Attributes:
        name: Its name in its system.
        sources: All systems that it reads, its own first.
        target: The system that it writes to.
        stopped_by: What stopped it, if it was stopped.
        is_operated: Whether the person may change it.
    """

    name: str
    sources: tuple[str, ...]
    target: str
    stopped_by: str | None = None
    is_operated: bool = True

    @property
    def app_id(self) -> str:
        """The name of the app to the runner."""
        return f"{self.sources[0]}.{self.name}"

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"/systems/{self.sources[0]}/apps/{self.name}"


@dataclass(frozen=True, slots=True)
class ShareFact:
    """A contract in force that a person sees."""

    id: str
    provider: str
    consumer: str
    purpose: str = ""

    @property
    def title(self) -> ContractTitle:
        """What people call it."""
        return ContractTitle(self.id, self.provider, self.consumer, self.purpose)


@dataclass(frozen=True, slots=True)
class Scope:
    """The part that is looked at; everything when both are empty."""

    company: str = ""
    workcenter: str = ""

    def holds(self, system: str) -> bool:
        """Return whether a system is in it."""
        if not self.company:
            return True
        if company_of(system) != self.company:
            return False
        return not self.workcenter or system.split(".")[2] == self.workcenter

    @property
    def query(self) -> str:
        """The address's query that leads to it, with its question mark; empty for everything."""
        chosen = {"company": self.company, "workcenter": self.workcenter}
        text = urlencode({name: value for name, value in chosen.items() if value})
        return f"?{text}" if text else ""


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the map.

    Attributes:
        id: Unique on the map.
        kind: ``system``, ``group`` or ``app``.
        lane: The company that it belongs to.
        label: Its own name.
        detail: What stands under it: the workcenter, or how many systems it stands for.
        url: Where it leads; empty when the person may not go there.
        state: That of an app; of a system, when it is not active.
        own_per_s: Records of its own devices [records/s]; nothing when unknown or not to be seen.
        received_per_s: Records that others share with it, likewise.
        is_foreign: Whether the person sees of it no more than its name.
    """

    id: str
    kind: str
    lane: str
    label: str
    detail: str = ""
    url: str = ""
    state: str = ""
    own_per_s: float | None = None
    received_per_s: float | None = None
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """A line of the map.

    Attributes:
        start: The node from which records come.
        end: The node to which they go.
        kind: ``flow``; ``share`` for a contract of which nobody makes use yet.
        rate_per_s: Records that go over it [records/s]; nothing when unknown or not to be seen.
        apps: How many stream apps it stands for; 0 when they are nodes of their own.
        url: Where it leads, if anywhere.
        state: ``failed``, ``still`` or nothing special.
        title: What it leads to is called, where that is no node of the map.
    """

    start: str
    end: str
    kind: str = "flow"
    rate_per_s: float | None = None
    apps: int = 0
    url: str = ""
    state: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class FlowGraph:
    """The map.

    Attributes:
        grain: What its boxes stand for.
        nodes: By lane and name.
        edges: By their ends.
        lanes: The companies; those of the person's own systems first, each by name.
        hidden: How many boxes were left out because there are too many.
        systems: How many systems of the person are in the part that is looked at.
    """

    grain: Grain = Grain.SYSTEM
    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()
    lanes: Sequence[str] = ()
    hidden: int = 0
    systems: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a person sees of what flows."""

    systems: Sequence[SystemFact] = ()
    apps: Sequence[AppFact] = ()
    shares: Sequence[ShareFact] = ()

    def seen(self) -> dict[str, SystemFact]:
        """Return the systems that the person sees, by name."""
        return {system.name: system for system in self.systems}


def company_of(system: str) -> str:
    """Return the company of a system."""
    return ".".join(system.split(".")[:2])


def workcenter_of(system: str) -> str:
    """Return company and workcenter of a system."""
    return ".".join(system.split(".")[:3])


def draw(facts: Facts, snapshot: FlowSnapshot, scope: Scope) -> FlowGraph:
    """Return the map of a part of what a person sees, at the finest grain that can be read.

    Args:
        facts: What the person sees.
        snapshot: What was last measured.
        scope: The part.
    """
    return _Drawing(facts, snapshot, scope).graph()


@dataclass(slots=True)
class _Drawing:
    facts: Facts
    snapshot: FlowSnapshot
    scope: Scope
    seen: dict[str, SystemFact] = field(init=False)
    apps: list[AppFact] = field(init=False)
    shares: list[ShareFact] = field(init=False)
    names: list[str] = field(init=False)
    writers: dict[str, list[AppFact]] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = self.facts.seen()
        holds = self.scope.holds
        self.apps = [app for app in self.facts.apps if any(map(holds, (*app.sources, app.target)))]
        self.writers = defaultdict(list)
        for app in self.facts.apps:
            self.writers[app.target].append(app)
        used = {(source, app.target) for app in self.apps for source in app.sources}
        self.shares = [
            share
            for share in self.facts.shares
            if (share.provider, share.consumer) not in used
            and (holds(share.provider) or holds(share.consumer))
        ]
        ends = {name for app in self.apps for name in (*app.sources, app.target)}
        ends |= {name for share in self.shares for name in (share.provider, share.consumer)}
        self.names = sorted(ends | {name for name in self.seen if holds(name)})

    def graph(self) -> FlowGraph:
        grain, box_of = self._grain()
        members: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            members[box_of(name)].append(name)
        shown = self._busiest(members)
        with_apps = grain is Grain.SYSTEM and len(self.apps) <= MAX_APPS
        edges = self._edges(box_of, with_apps=with_apps)
        nodes = list(starmap(self._box, ((name, members[name]) for name in shown)))
        if with_apps:
            nodes += [self._app(app) for app in self.apps]
        ids = {node.id for node in nodes}
        inside = {node.lane for node in nodes if node.kind != "app" and not node.is_foreign}
        return FlowGraph(
            grain,
            sorted(nodes, key=lambda node: (node.lane, node.label, node.id)),
            [edge for edge in edges if edge.start in ids and edge.end in ids],
            sorted({node.lane for node in nodes}, key=lambda lane: (lane not in inside, lane)),
            len(members) - len(shown),
            sum(self.scope.holds(name) for name in self.seen),
        )

    def _grain(self) -> tuple[Grain, Callable[[str], str]]:
        """Return the finest grain that can be read, and the box of each system at that grain."""
        holds = self.scope.holds
        choices: list[tuple[Grain, Callable[[str], str]]] = [
            (Grain.SYSTEM, lambda name: name),
            (Grain.SYSTEM, lambda name: name if holds(name) else company_of(name)),
        ]
        if not self.scope.workcenter:
            choices.append(
                (Grain.WORKCENTER, lambda name: (workcenter_of if holds(name) else company_of)(name))
            )
        if not self.scope.company:
            choices.append((Grain.COMPANY, company_of))
        for choice in choices:
            if len(set(map(choice[1], self.names))) <= MAX_BOXES:
                return choice
        return choices[-1]

    def _busiest(self, members: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the boxes that are shown: all, or those where the most flows, those with trouble first."""
        if len(members) <= MAX_BOXES:
            return list(members)
        troubled = {
            name
            for app in self.apps
            if self._rate(app).state in FAILING
            for name in (*app.sources, app.target)
        }

        def weight(box: str) -> tuple[bool, float, str]:
            systems = members[box]
            moved = sum(self._topic(f"{name}.int").rate_per_s or 0.0 for name in systems)
            return (not troubled.intersection(systems), -moved, box)

        return sorted(members, key=weight)[:MAX_BOXES]

    def _box(self, box: str, systems: Sequence[str]) -> Node:
        if systems == [box]:
            return self._system(box)
        seen = [name for name in systems if name in self.seen]
        levels = box.split(".")
        company = ".".join(levels[:2])
        workcenter = levels[2] if len(levels) > 2 else ""  # noqa: PLR2004 - domain, enterprise, workcenter
        return Node(
            box,
            "group",
            company,
            workcenter or company,
            f"{len(systems)} {'system' if len(systems) == 1 else 'systems'}",
            f"/dashboard{Scope(company, workcenter).query}" if seen else "",
            "",
            _sum(self._topic(f"{name}.int").rate_per_s for name in seen),
            _sum(self._received(name) for name in seen),
            not seen,
        )

    def _system(self, name: str) -> Node:
        levels = name.split(".")
        fact = self.seen.get(name)
        if fact is None:
            return Node(name, "system", company_of(name), levels[3], levels[2], is_foreign=True)
        return Node(
            name,
            "system",
            company_of(name),
            levels[3],
            levels[2],
            f"/systems/{name}",
            "" if fact.state == "active" else fact.state,
            self._topic(f"{name}.int").rate_per_s,
            self._received(name),
        )

    def _app(self, app: AppFact) -> Node:
        return Node(
            app.app_id, "app", company_of(app.sources[0]), app.name, "", app.url, self._rate(app).state
        )

    def _received(self, system: str) -> float | None:
        """Return what a system receives: as its apps say, else as the topic says."""
        rates = [self._rate(app).forwarded_per_s for app in self.writers.get(system, ())]
        if rates and None not in rates:
            return _sum(rates)
        return self._topic(f"{system}.ext").rate_per_s

    def _edges(self, box_of: Callable[[str], str], *, with_apps: bool) -> list[Edge]:
        edges = self._with_apps() if with_apps else self._gathered(box_of)
        between = Counter((box_of(share.provider), box_of(share.consumer)) for share in self.shares)
        titles = {(share.provider, share.consumer): share.title for share in self.shares}
        taken = {(edge.start, edge.end) for edge in edges}
        edges += [
            Edge(start, end, "share", url=title.url if title else "", title=title.text if title else "")
            for start, end in between
            for title in (titles.get((start, end)),)
            if start != end and (start, end) not in taken
        ]
        return sorted(edges, key=lambda edge: (edge.start, edge.end))

    def _with_apps(self) -> list[Edge]:
        edges = []
        for app in self.apps:
            rate = self._rate(app)
            state = _line_state(rate.state)
            for number, source in enumerate(app.sources):
                # What an app reads of several systems together is no figure of one of them.
                known = number == 0 and len(app.sources) == 1 and source in self.seen
                read = rate.consumed_per_s if known else None
                edges.append(Edge(source, app.app_id, rate_per_s=read, state=state))
            edges.append(Edge(app.app_id, app.target, rate_per_s=rate.forwarded_per_s, state=state))
        return edges

    def _gathered(self, box_of: Callable[[str], str]) -> list[Edge]:
        between: dict[tuple[str, str], list[AppFact]] = defaultdict(list)
        for app in self.apps:
            target = box_of(app.target)
            for source in dict.fromkeys(map(box_of, app.sources)):
                if source != target:
                    between[source, target].append(app)
        return [
            Edge(
                start,
                end,
                rate_per_s=_sum(self._rate(app).forwarded_per_s for app in apps),
                apps=len(apps),
                url=apps[0].url if len(apps) == 1 else "",
                state=_line_state(*(self._rate(app).state for app in apps)),
            )
            for (start, end), apps in between.items()
        ]

    def _rate(self, app: AppFact) -> AppRate:
        return self.snapshot.apps.get(app.app_id) or _NOWHERE

    def _topic(self, name: str) -> TopicRate:
        return self.snapshot.topic(name)


_NOWHERE: Final = AppRate(NOT_DEPLOYED, "stopped", forwarded_per_s=0.0, consumed_per_s=0.0)


def _line_state(*states: str) -> str:
    if FAILING.intersection(states):
        return "failed"
    return "still" if _STILL.issuperset(states) else ""


def _sum(rates: Iterable[float | None]) -> float | None:
    """Return the sum of what is known; nothing when nothing is."""
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None
