"""Lineage as the template draws it: places of boxes, one stroke for each truth, words, addresses.

What lives here: from the graph to what stands on the page. What does not: the graph (``world``), geometry
(``flows.layout``), looks (the style sheet).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from platform_ui.flows.layout import Band, Item, Path, Place, fitted, lay_out
from platform_ui.lineage.asking import Lineage, Question
from platform_ui.lineage.world.columns import DECIDES
from platform_ui.lineage.world.graph import Box, Evidence, Graph, Kind, Level, Line, Truth, kind_of

SIZES: Final = {
    Kind.COMPANY: (200.0, 52.0),
    Kind.SYSTEM: (196.0, 52.0),
    Kind.APP: (172.0, 52.0),
    Kind.DATASTREAM: (216.0, 52.0),
}
LABEL_SIZE: Final = 14.7
"""Size of letters that are as wide as the bold ones of 13 px of a label [px]."""
DETAIL_SIZE: Final = 11.5
MAX_FITTED: Final = 1500.0
"""Up to which width a map is made smaller rather than scrolled [px]."""
GAP: Final = 4.0
"""Distance between the strokes of one line [px]."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its place and the words on it."""

    box: Box
    place: Place
    label: str
    detail: str
    url: str
    is_picked: bool


@dataclass(frozen=True, slots=True)
class Stroke:
    """One truth of a line, and how far it is moved aside [px]."""

    truth: Truth
    shift: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line with its path and the words on it."""

    line: Line
    path: Path
    strokes: Sequence[Stroke]
    words: str
    url: str
    start: Box
    end: Box
    is_picked: bool


@dataclass(frozen=True, slots=True)
class LineageMap:
    """The map, ready to be drawn; lengths in px."""

    width: float
    height: float
    bands: Sequence[Band]
    boxes: Sequence[Placed]
    lines: Sequence[Drawn]
    hidden: int

    @property
    def is_fitted(self) -> bool:
        """Whether the map is shown as a whole; a wider one is scrolled."""
        return self.width <= MAX_FITTED


@dataclass(frozen=True, slots=True)
class Details:
    """What is told of one box or line.

    Attributes:
        title: What it is.
        box: The box, if it is one.
        line: The line, if it is one.
        coming: Lines that lead to the box.
        going: Lines that lead away from it.
        zooms: Addresses of the same thing nearer or farther, with what they are called.
    """

    title: str
    box: Box | None = None
    line: Line | None = None
    coming: Sequence[Line] = ()
    going: Sequence[Line] = ()
    zooms: Sequence[tuple[str, str]] = ()

    def evidence(self, truth: Truth) -> list[Evidence]:
        """Return why the line is there in one sense."""
        return [one for one in self.line.evidence if one.truth is truth] if self.line else []


@dataclass(frozen=True, slots=True)
class Aspect:
    """What a page shows besides the answer: how, and what was picked."""

    question: Question
    view: str = "map"
    pick: str = ""

    def address(self, **changes: object) -> str:
        """Return the address of the same page with something else of `Question`, `view` or `pick`."""
        own = {name: changes.pop(name) for name in ("view", "pick") if name in changes}
        question = replace(self.question, **changes)  # type: ignore[arg-type]  # names and kinds are those of it
        view, pick = str(own.get("view", self.view)), str(own.get("pick", ""))
        return f"/lineage{query_of(question, view=view, pick=pick)}"


def query_of(question: Question, *, view: str = "map", pick: str = "") -> str:
    """Return the query of the address that asks a question; what is usual is left out."""
    plain = Question()
    parts = {
        "focus": question.focus,
        "show": "" if set(question.truths) == set(Truth) else ",".join(question.truths),
        "depth": "" if question.depth == plain.depth else str(question.depth),
        "direction": "" if question.direction is plain.direction else question.direction.value,
        "level": question.level.value if question.level else "",
        "at": question.at.isoformat().replace("+00:00", "Z") if question.at else "",
        "records": "yes" if question.with_records else "",
        "view": "" if view == "map" else view,
        "pick": pick,
    }
    text = urlencode({name: value for name, value in parts.items() if value})
    return f"?{text}" if text else ""


def map_of(lineage: Lineage, aspect: Aspect) -> LineageMap:
    """Return the answer to a question as it is drawn."""
    graph = lineage.graph
    items = [Item(box.id, box.lane, *SIZES[Kind(box.kind)]) for box in graph.boxes]
    drawing = lay_out(items, [(line.start, line.end) for line in graph.lines])
    boxes = {box.id: box for box in graph.boxes}
    placed = [
        Placed(
            box,
            drawing.places[box.id],
            fitted(box.label, _room(box), LABEL_SIZE),
            fitted(box.state.replace("_", " ") or box.detail, _room(box), DETAIL_SIZE),
            aspect.address(pick=box.id),
            aspect.pick == box.id,
        )
        for box in graph.boxes
    ]
    drawn = [
        Drawn(
            line,
            drawing.paths[line.start, line.end],
            _strokes(line.truths),
            words_of(line, lineage.question.truths),
            aspect.address(pick=line.id),
            boxes[line.start],
            boxes[line.end],
            aspect.pick == line.id,
        )
        for line in graph.lines
        if (line.start, line.end) in drawing.paths
    ]
    return LineageMap(drawing.width, drawing.height, drawing.bands, placed, drawn, graph.hidden)


def words_of(line: Line, asked: Iterable[Truth]) -> str:
    """Return in which senses a line is there, in words that are short enough to stand on it."""
    wanted = [truth for truth in Truth if truth in set(asked)]
    missing = [truth for truth in wanted if truth not in line.truths]
    held = line.truths
    if len(wanted) == 1:
        text = held[0].value
    elif not missing:
        text = "all three" if len(wanted) == len(Truth) else "both"
    elif len(held) == 1:
        text = f"only {held[0]}"
    else:
        text = f"not {missing[0]}"
    return f"decides · {text}" if line.how == DECIDES else text


def details_of(graph: Graph, aspect: Aspect) -> Details | None:
    """Return what is told of what was picked; nothing when it is not on the map."""
    box = next((box for box in graph.boxes if box.id == aspect.pick), None)
    if box is not None:
        coming = [line for line in graph.lines if line.end == box.id]
        going = [line for line in graph.lines if line.start == box.id]
        return Details(box.id.replace("@", " at "), box, None, coming, going, _zooms(box, aspect))
    line = next((line for line in graph.lines if line.id == aspect.pick), None)
    return Details("From here to there", None, line) if line is not None else None


def _zooms(box: Box, aspect: Aspect) -> list[tuple[str, str]]:
    name = box.id.rpartition("@")[0] or box.id
    kind = kind_of(name)
    if "*" in name or "<" in name:
        return []
    found = [(aspect.address(focus=name, level=None, view=aspect.view), "Look from here")]
    if kind in (Kind.SYSTEM, Kind.APP):
        nearer = Question(
            name, aspect.question.truths, level=Level.DATASTREAM, with_records=aspect.question.with_records
        )
        found.append((f"/lineage{query_of(nearer)}", "Its Datastreams"))
    return found


def _strokes(truths: Sequence[Truth]) -> list[Stroke]:
    middle = (len(truths) - 1) / 2
    return [Stroke(truth, (number - middle) * GAP) for number, truth in enumerate(truths)]


def _room(box: Box) -> float:
    """Return how wide words on a box may be: it has a margin left and right [px]."""
    return SIZES[Kind(box.kind)][0] - (28.0 if box.kind == Kind.APP else 22.0)
