"""The graph of lineage: boxes, lines with the truths that hold of them, and the part around a focus.

What lives here: the graph, its walk, and its coarser form by company. What does not: which lines there are
(``truths``, ``columns``), where they are drawn (``drawing``). Pure.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from platform_ui.flows.graph import company_of

MAX_BOXES: Final = 60
_COMPANY_LEVELS: Final = 2
_SYSTEM_LEVELS: Final = 4
_APP_LEVELS: Final = 5


class Truth(StrEnum):
    """In which sense something flows."""

    DECLARED = "declared"
    PERMITTED = "permitted"
    OBSERVED = "observed"


class Level(StrEnum):
    """What a box stands for."""

    COMPANY = "company"
    SYSTEM = "system"
    DATASTREAM = "datastream"


class Direction(StrEnum):
    """Which way is followed from the focus."""

    BOTH = "both"
    UP = "up"
    DOWN = "down"


class Kind(StrEnum):
    """What somebody looks at, by how many levels its name has."""

    EVERYTHING = "everything"
    COMPANY = "company"
    SYSTEM = "system"
    APP = "app"
    DATASTREAM = "datastream"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a truth holds of a line.

    Attributes:
        truth: Which one.
        text: Why, in one sentence.
        url: Where to see it; empty when there is no such page.
    """

    truth: Truth
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the graph.

    Attributes:
        start: Id of the box from which data comes.
        end: Id of the box to which it goes.
        how: ``moves``, ``may be shared``, or between Datastreams ``feeds`` or ``decides``.
        evidence: Why it is there; never empty.
        via: Ids of the stream apps that it stands for, where they are no boxes.
        attributes: Which attributes of a record are looked at.
        expression: What is computed of them; empty when records are passed on as they are.
        rate_per_s: Records that go over it [records/s]; nothing when it is not known.
    """

    start: str
    end: str
    how: str = "moves"
    evidence: tuple[Evidence, ...] = ()
    via: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    expression: str = ""
    rate_per_s: float | None = None

    @property
    def id(self) -> str:
        """What names it in an address."""
        return f"{self.start}>{self.end}"

    @property
    def truths(self) -> tuple[Truth, ...]:
        """In which senses it is there, in a fixed order."""
        held = {one.truth for one in self.evidence}
        return tuple(truth for truth in Truth if truth in held)


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the graph.

    Attributes:
        id: Its full name; of records that another system received, ``<Datastream>@<system>``.
        kind: ``company``, ``system``, ``app`` or ``datastream``.
        lane: Where it belongs: a company, or between Datastreams a system.
        label: Its own name.
        detail: What stands under it.
        url: Its page; empty when the person may not go there.
        state: What an app does now.
        is_foreign: Whether the person sees of it no more than its name.
        is_focus: Whether it is what somebody looks at.
    """

    id: str
    kind: str
    lane: str
    label: str
    detail: str = ""
    url: str = ""
    state: str = ""
    is_foreign: bool = False
    is_focus: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Boxes and lines, and how many boxes were left out because there are too many."""

    boxes: Sequence[Box] = ()
    lines: Sequence[Line] = ()
    hidden: int = 0


def kind_of(name: str) -> Kind:
    """Return what a name names, by its levels."""
    levels = name.count(".") + 1 if name else 0
    if levels > _APP_LEVELS:
        return Kind.DATASTREAM
    known = {
        0: Kind.EVERYTHING,
        _COMPANY_LEVELS: Kind.COMPANY,
        _SYSTEM_LEVELS: Kind.SYSTEM,
        _APP_LEVELS: Kind.APP,
    }
    return known.get(levels, Kind.EVERYTHING)


def system_of(name: str) -> str:
    """Return the system of an app or a Datastream; of what a system has received, that system."""
    if "@" in name:
        return name.rpartition("@")[2]
    return ".".join(name.split(".")[:_SYSTEM_LEVELS])


def around(lines: Iterable[Line], begin: Iterable[str], depth: int, direction: Direction) -> dict[str, int]:
    """Return the boxes around some boxes, each with how many steps it is away.

    A step leads from one system to the next; a stream app between them makes it no longer. Downstream, only
    lines that lead away from the beginning are followed, upstream only those that lead to it.

    Args:
        lines: All lines.
        begin: Ids from which to walk.
        depth: How many steps.
        direction: Which way.
    """
    onward: dict[str, list[str]] = defaultdict(list)
    back: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        onward[line.start].append(line.end)
        back[line.end].append(line.start)
    started = list(begin)
    found = dict.fromkeys(started, 0)
    if direction is not Direction.UP:
        _walk(started, onward, depth, found)
    if direction is not Direction.DOWN:
        _walk(started, back, depth, found)
    return found


def _walk(begin: Sequence[str], ways: Mapping[str, Sequence[str]], depth: int, found: dict[str, int]) -> None:
    steps = dict.fromkeys(begin, 0)
    waiting = deque(begin)
    while waiting:
        name = waiting.popleft()
        length = 0 if kind_of(name) is Kind.APP else 1
        for following in ways.get(name, ()):
            away = steps[name] + length
            if away <= depth and away < steps.get(following, depth + 1):
                steps[following] = away
                waiting.append(following)
    for name, away in steps.items():
        found[name] = min(away, found.get(name, away))


def chosen(lines: Iterable[Line], truths: Iterable[Truth]) -> list[Line]:
    """Return lines with only the evidence of some truths; those for which none is left are left out."""
    wanted = frozenset(truths)
    kept = [
        replace(line, evidence=tuple(one for one in line.evidence if one.truth in wanted)) for line in lines
    ]
    return [line for line in kept if line.evidence]


def by_company(lines: Iterable[Line]) -> list[Line]:
    """Return the lines between companies: from each whose systems give to each whose systems receive.

    A truth holds between two companies as soon as it holds on all of the way of one flow between them.
    """
    inward: dict[str, list[Line]] = defaultdict(list)
    outward: dict[str, list[Line]] = defaultdict(list)
    merged: dict[tuple[str, str], list[tuple[tuple[Evidence, ...], str]]] = defaultdict(list)
    for line in lines:
        if kind_of(line.end) is Kind.APP:
            inward[line.end].append(line)
        elif kind_of(line.start) is Kind.APP:
            outward[line.start].append(line)
        else:
            merged[company_of(line.start), company_of(line.end)].append((line.evidence, ""))
    for app, writing in outward.items():
        for last in writing:
            for first in inward.get(app, ()):
                whole = tuple(
                    one for one in (*first.evidence, *last.evidence) if one.truth in _on_both(first, last)
                )
                merged[company_of(first.start), company_of(last.end)].append((whole, app))
    return [_merged(ends, parts) for ends, parts in sorted(merged.items()) if any(part[0] for part in parts)]


def _on_both(first: Line, last: Line) -> frozenset[Truth]:
    return frozenset(first.truths) & frozenset(last.truths)


def _merged(ends: tuple[str, str], parts: Sequence[tuple[tuple[Evidence, ...], str]]) -> Line:
    evidence = tuple(dict.fromkeys(one for part, _ in parts for one in part))
    via = tuple(sorted({app for part, app in parts if app and part}))
    return Line(*ends, how="moves" if via else "may be shared", evidence=evidence, via=via)
