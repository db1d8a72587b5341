"""Where the boxes and lines of a map stand: a layered drawing in lanes.

What lives here: geometry. What does not: what the boxes mean (``graph``) and how they look (the template).
Pure, and the same input always gives the same drawing, so that a map does not jump when it is drawn again.

How it works, after K. Sugiyama, S. Tagawa and M. Toda, "Methods for Visual Understanding of Hierarchical
System Structures", IEEE Transactions on Systems, Man, and Cybernetics 11 (1981): lines that would close a
circle are turned around; each box stands one column right of the rightmost box before it; a line that passes
a column gets a place of its own there, so that it runs through no box; inside a lane, the boxes of a column
are ordered by where their neighbours stand. Boxes without lines stand in rows below.

>>> drawing = lay_out([Item("a", "x", 100, 40), Item("b", "x", 100, 40)], [("a", "b")])
>>> drawing.places["a"].x < drawing.places["b"].x
True
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MARGIN: Final = 16.0
LANE_HEAD: Final = 30.0
"""Height of the line in which the name of a lane stands [px]."""
COLUMN_GAP: Final = 60.0
ROW_GAP: Final = 16.0
LANE_GAP: Final = 14.0
LEAST_WIDTH: Final = 1180.0
PASSAGE: Final = 12.0
"""Height of the place of a line that passes a column [px]."""
SWEEPS: Final = 4
_BEND: Final = 40.0
_WIDTHS: Final = dict.fromkeys("WMmw@%&", 1.0) | dict.fromkeys("iljtfIJr.,:;-|'()[] ", 0.4)
"""Widths of letters that are much wider or narrower than others, in the face of any system [em]."""
_HIDDEN: Final = "\0"
"""Begins the names of places of lines: no box is named so."""

Line = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """A box to be placed; lengths in px."""

    id: str
    lane: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Place:
    """A box with its upper left corner; lengths in px."""

    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """The lower edge [px]."""
        return self.y + self.height

    @property
    def right(self) -> float:
        """The right edge [px]."""
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Band:
    """A lane, over the whole width; lengths in px."""

    name: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Path:
    """A line: its path in SVG's words, and where its label stands [px]."""

    d: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything with its place; lengths in px."""

    width: float
    height: float
    bands: Sequence[Band]
    places: Mapping[str, Place]
    paths: Mapping[Line, Path]


def fitted(text: str, room: float, size: float) -> str:
    """Return a text, or as much of its beginning as surely fits, with an ellipsis.

    Args:
        text: In whatever face the reader has: widths are estimated, rather too wide than too narrow.
        room: What there is [px].
        size: Of the letters [px].
    """
    if _width(text) * size <= room:
        return text
    least = 1
    while least < len(text) and (_width(text[: least + 1]) + 1.0) * size <= room:
        least += 1
    return f"{text[:least].rstrip()}…"


def _width(text: str) -> float:
    return sum(
        _WIDTHS.get(letter, 0.75 if letter.isupper() else 0.6 if letter.isascii() else 1.0) for letter in text
    )


def lay_out(items: Sequence[Item], lines: Sequence[Line], lanes: Sequence[str] = ()) -> Drawing:
    """Place boxes and lines.

    Args:
        items: The boxes.
        lines: From which box to which; lines to boxes that are not there are left out.
        lanes: The order of the lanes; those that are not named follow by name.
    """
    known = {item.id: item for item in items}
    drawn = sorted({line for line in lines if line[0] in known and line[1] in known and line[0] != line[1]})
    layers = _layers(sorted({end for line in drawn for end in line}), drawn)
    lefts, widths = _lefts(known, layers)
    width = max(LEAST_WIDTH, lefts[-1] + widths[-1] + 2 * MARGIN if lefts else 0.0)
    order = [*lanes, *sorted({item.lane for item in items}.difference(lanes))]
    ways = {line: _passages(line, known, layers, widths) for line in drawn}
    steps = [step for line in drawn for step in pairwise((line[0], *ways[line], line[1]))]
    columns = _columns(known, layers, steps, order)
    bands: list[Band] = []
    places: dict[str, Place] = {}
    top = MARGIN
    for lane in order:
        rest = sorted(item.id for item in items if item.lane == lane and item.id not in layers)
        stacks = {layer: ids for (name, layer), ids in columns.items() if name == lane}
        if not rest and not stacks:
            continue
        height = _fill(known, stacks, rest, lefts, top + LANE_HEAD, width, places)
        bands.append(Band(lane, top, LANE_HEAD + height + ROW_GAP))
        top += LANE_HEAD + height + ROW_GAP + LANE_GAP
    paths = _paths(places, layers, ways)
    shown = {name: place for name, place in places.items() if not name.startswith(_HIDDEN)}
    return Drawing(width, top - LANE_GAP + MARGIN, bands, shown, paths)


def _passages(
    line: Line, known: dict[str, Item], layers: dict[str, int], widths: Sequence[float]
) -> tuple[str, ...]:
    """Give a line a place in each column that it passes, and return the names of these places."""
    start, end = line
    names = []
    for layer in range(layers[start] + 1, layers[end]):
        name = f"{_HIDDEN}{start}|{end}|{layer:04}"
        known[name] = Item(name, known[end].lane, widths[layer], PASSAGE)
        layers[name] = layer
        names.append(name)
    return tuple(names)


def _layers(ids: Sequence[str], lines: Sequence[Line]) -> dict[str, int]:
    """Return the column of each box that has a line: one right of the rightmost before it."""
    after: dict[str, list[str]] = defaultdict(list)
    entered = {end for _, end in lines}
    for start, end in lines:
        after[start].append(end)
    finished: list[str] = []
    state: dict[str, bool] = {}  # True while the box is on the way of the walk, False when it is done
    forward: set[Line] = set()
    for root in sorted(ids, key=lambda name: (name in entered, name)):
        if root not in state:
            _walk(root, after, state, forward, finished)
    layers = dict.fromkeys(ids, 0)
    for name in reversed(finished):
        for end in after[name]:
            if (name, end) in forward:
                layers[end] = max(layers[end], layers[name] + 1)
    return layers


def _walk(
    root: str,
    after: Mapping[str, Sequence[str]],
    state: dict[str, bool],
    forward: set[Line],
    finished: list[str],
) -> None:
    """Walk in depth, without recursion; a line back to a box on the way would close a circle."""
    state[root] = True
    way = [(root, iter(after[root]))]
    while way:
        name, rest = way[-1]
        end = next(rest, None)
        if end is None:
            state[name] = False
            finished.append(name)
            way.pop()
            continue
        if state.get(end):
            continue
        forward.add((name, end))
        if end not in state:
            state[end] = True
            way.append((end, iter(after[end])))


def _columns(
    known: Mapping[str, Item], layers: Mapping[str, int], lines: Sequence[Line], lanes: Sequence[str]
) -> dict[tuple[str, int], list[str]]:
    """Return the boxes of each lane and column from top to bottom, ordered by where their neighbours are."""
    columns: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name in sorted(layers):
        columns[known[name].lane, layers[name]].append(name)
    neighbours: dict[str, list[str]] = defaultdict(list)
    for start, end in lines:
        neighbours[start].append(end)
        neighbours[end].append(start)
    rank = {lane: float(number) for number, lane in enumerate(lanes)}
    heights: dict[str, float] = {}
    for ids in columns.values():
        _number(ids, known, rank, heights)
    for sweep in range(SWEEPS):
        for key in sorted(columns, key=lambda key: key[1], reverse=sweep % 2 == 1):
            ids = columns[key]
            means = {name: _mean([heights[other] for other in neighbours[name]]) for name in ids}
            ids.sort(key=lambda name: (means[name], name))
            _number(ids, known, rank, heights)
    return columns


def _number(
    ids: Sequence[str], known: Mapping[str, Item], rank: Mapping[str, float], heights: dict[str, float]
) -> None:
    for number, name in enumerate(ids, start=1):
        heights[name] = rank[known[name].lane] + number / (len(ids) + 1)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _lefts(known: Mapping[str, Item], layers: Mapping[str, int]) -> tuple[list[float], list[float]]:
    """Return the left edge and the width of each column [px]."""
    widths = [0.0] * (max(layers.values(), default=-1) + 1)
    for name, layer in layers.items():
        widths[layer] = max(widths[layer], known[name].width)
    gaps = len(widths) - 1
    slack = LEAST_WIDTH - 4 * MARGIN - sum(widths) - COLUMN_GAP * gaps
    gap = COLUMN_GAP
    if slack > 0 and gaps > 0:  # few columns: use the room between them
        gap += min(slack / gaps, 2 * COLUMN_GAP)
    lefts = [2 * MARGIN + sum(widths[:layer]) + gap * layer for layer in range(len(widths))]
    return lefts, widths


def _fill(  # noqa: PLR0917 - geometry needs its lengths
    known: Mapping[str, Item],
    stacks: Mapping[int, Sequence[str]],
    rest: Sequence[str],
    lefts: Sequence[float],
    top: float,
    width: float,
    places: dict[str, Place],
) -> float:
    """Place the boxes of a lane and return the height that they take [px]."""
    heights = {layer: _stacked([known[name].height for name in ids]) for layer, ids in stacks.items()}
    tallest = max(heights.values(), default=0.0)
    for layer, ids in stacks.items():
        y = top + (tallest - heights[layer]) / 2
        for name in ids:
            item = known[name]
            places[name] = Place(lefts[layer], y, item.width, item.height)
            y += item.height + ROW_GAP
    x, y = 2 * MARGIN, top + tallest + (ROW_GAP if stacks and rest else 0.0)
    row = 0.0
    for name in rest:
        item = known[name]
        if x > 2 * MARGIN and x + item.width > width - MARGIN:
            x, y, row = 2 * MARGIN, y + row + ROW_GAP, 0.0
        places[name] = Place(x, y, item.width, item.height)
        x, row = x + item.width + ROW_GAP, max(row, item.height)
    return y + row - top if rest else tallest


def _stacked(heights: Sequence[float]) -> float:
    return sum(heights) + ROW_GAP * (len(heights) - 1)


def _paths(
    places: Mapping[str, Place], layers: Mapping[str, int], ways: Mapping[Line, Sequence[str]]
) -> dict[Line, Path]:
    """Return the lines; those that begin or end at one box are spread along its side."""
    outward = _ports(places, {line: way[0] if way else line[1] for line, way in ways.items()}, 0)
    inward = _ports(places, {line: way[-1] if way else line[0] for line, way in ways.items()}, 1)
    return {
        line: _path(
            [places[name] for name in (line[0], *way, line[1])],
            [outward[line], *(_middle(places[name]) for name in way), inward[line]],
        )
        if layers[line[0]] < layers[line[1]]
        else _path_back(places[line[0]], places[line[1]], outward[line], inward[line])
        for line, way in ways.items()
    }


def _middle(place: Place) -> float:
    return place.y + place.height / 2


def _ports(places: Mapping[str, Place], nexts: Mapping[Line, str], side: int) -> dict[Line, float]:
    """Return at which height each line leaves (side 0) or enters (side 1) its box [px].

    Args:
        places: Where everything stands.
        nexts: For each line, what comes next on its way from that box.
        side: 0 for the begin of the lines, 1 for their end.
    """
    at: dict[str, list[Line]] = defaultdict(list)
    for line in nexts:
        at[line[side]].append(line)
    ports: dict[Line, float] = {}
    for name, meeting in at.items():
        place = places[name]
        meeting.sort(key=lambda line: (_middle(places[nexts[line]]), line))
        for number, line in enumerate(meeting, start=1):
            ports[line] = place.y + place.height * number / (len(meeting) + 1)
    return ports


def _path(stops: Sequence[Place], heights: Sequence[float]) -> Path:
    """Return a line over places from left to right; its label stands in the first gap."""
    pieces = [f"M{stops[0].right:.0f} {heights[0]:.1f}"]
    for (start, end), (y1, y2) in zip(pairwise(stops), pairwise(heights), strict=True):
        x1, x2 = start.right, end.x
        bend = max(_BEND, (x2 - x1) / 2)
        pieces.append(f"C{x1 + bend:.0f} {y1:.1f} {x2 - bend:.0f} {y2:.1f} {x2:.0f} {y2:.1f}")
        if end is not stops[-1]:
            pieces.append(f"H{end.right:.0f}")
    return Path("".join(pieces), (stops[0].right + stops[1].x) / 2, (heights[0] + heights[1]) / 2)


def _path_back(start: Place, end: Place, y1: float, y2: float) -> Path:
    """Return a line that goes back: out to the right, below both boxes, and in from the left."""
    x1, x2 = start.right, end.x
    low = max(start.bottom, end.bottom) + ROW_GAP / 2
    middle = (x1 + x2) / 2
    d = (
        f"M{x1:.0f} {y1:.1f}C{x1 + _BEND:.0f} {y1:.1f} {x1 + _BEND:.0f} {low:.1f} {middle:.0f} {low:.1f}"
        f"S{x2 - _BEND:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"
    )
    return Path(d, middle, low)
