"""The map of flows as the template draws it: sizes of boxes, words for figures, what has changed.

What lives here: from graph and drawing to what stands on the page. What does not: the graph
(``flows.graph``), its geometry (``flows.layout``).
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from platform_ui.flows.figures import AppRate, FlowSnapshot
from platform_ui.flows.graph import Edge, FlowGraph, Node
from platform_ui.flows.layout import Band, Item, Path, Place, fitted, lay_out
from platform_ui.web import format_number

SYSTEM_SIZE: Final = (196.0, 64.0)
APP_SIZE: Final = (172.0, 48.0)
NAME_SIZE: Final = 14.7
"""Size of letters that are as wide as the bold ones of 13 px of a name [px]."""
DETAIL_SIZE: Final = 11.5
MAX_FITTED: Final = 1500.0
"""Up to which width a map is made smaller rather than scrolled [px]."""
HIDDEN: Final = "figures hidden: not yours"
"""What is said instead of the figures of a system that the person has no part in."""
SPEEDS: Final = 4
"""Steps in which the dashes of a line move: from less than one record a second to a hundred and more."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place and the words on it."""

    node: Node
    place: Place
    key: str
    figures: str
    state: str

    @property
    def label(self) -> str:
        """The name, as far as there is room; the whole one is the title of the box."""
        return fitted(self.node.label, self._room, NAME_SIZE)

    @property
    def detail(self) -> str:
        """What stands under the name, as far as there is room."""
        return fitted(self.node.detail, self._room, DETAIL_SIZE)

    @property
    def inset(self) -> float:
        """How far from the left edge the words begin [px]."""
        return 20.0 if self.node.kind == "app" else 14.0

    @property
    def _room(self) -> float:
        return self.place.width - self.inset - 8.0


@dataclass(frozen=True, slots=True)
class Line:
    """An edge with its path and the words on it; its ends are boxes of the same map."""

    edge: Edge
    path: Path
    key: str
    figures: str
    speed: int
    start: Box
    end: Box
    is_joined: bool = False

    @property
    def said(self) -> str:
        """What a table says of it: the figures, or why there are none."""
        if self.figures:
            return self.figures
        if self.end.node.kind == "app":
            if self.start.node.is_foreign:
                return HIDDEN
            if self.is_joined:
                return "read with others"
        return "not measured"


@dataclass(frozen=True, slots=True)
class FlowMap:
    """The map, ready to be drawn; lengths in px.

    Attributes:
        shape: Changes when anything but a figure does.
    """

    graph: FlowGraph
    width: float
    height: float
    bands: Sequence[Band]
    boxes: Sequence[Box]
    lines: Sequence[Line]
    shape: str

    @property
    def is_fitted(self) -> bool:
        """Whether the map is shown as a whole; a wider one is scrolled."""
        return self.width <= MAX_FITTED


def map_of(graph: FlowGraph, snapshot: FlowSnapshot) -> FlowMap:
    """Return a graph as it is drawn."""
    items = [
        Item(node.id, node.lane, *(APP_SIZE if node.kind == "app" else SYSTEM_SIZE)) for node in graph.nodes
    ]
    drawing = lay_out(items, [(edge.start, edge.end) for edge in graph.edges], graph.lanes)
    boxes = [_box(node, drawing.places[node.id], snapshot) for node in graph.nodes]
    by_id = {box.node.id: box for box in boxes}
    ends = Counter(edge.end for edge in graph.edges)
    lines = [
        _line(edge, drawing.paths[edge.start, edge.end], by_id, is_joined=ends[edge.end] > 1)
        for edge in graph.edges
        if (edge.start, edge.end) in drawing.paths
    ]
    shape = [(box.node.id, box.node.url) for box in boxes], [(line.key, line.edge.url) for line in lines]
    return FlowMap(
        graph, drawing.width, drawing.height, drawing.bands, boxes, lines, shape_of(repr(shape), graph.hidden)
    )


def shape_of(*parts: object) -> str:
    """Return a short word that changes with what it is made of."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def rate_text(rate_per_s: float | None) -> str:
    """Return a rate for people: whole records from ten a second on, nothing too precise below."""
    if rate_per_s is None:
        return "not measured"
    if rate_per_s >= 10:  # noqa: PLR2004 - two digits say enough
        return f"{format_number(round(rate_per_s))}/s"
    if 0 < rate_per_s < 0.1:  # noqa: PLR2004 - one record in ten seconds
        return f"{max(1, round(rate_per_s * 60))}/min"
    return f"{rate_per_s:.1f}/s".replace(".0/s", "/s")


def speed_of(edge: Edge) -> int:
    """Return how fast the dashes of a line move: 0 stands still, each further step is ten times the rate."""
    if not edge.rate_per_s or edge.rate_per_s < 0:
        return 0
    return min(SPEEDS, max(1, 2 + math.floor(math.log10(edge.rate_per_s))))


def _box(node: Node, place: Place, snapshot: FlowSnapshot) -> Box:
    if node.kind == "app":
        figures = _app_text(node.state, snapshot.apps.get(node.id))
    elif node.is_foreign:
        figures = HIDDEN
    elif node.state:
        figures = node.state
    else:
        figures = _system_text(node)
    return Box(node, place, f"box:{node.id}", figures, node.state.replace("_", "-").replace(" ", "-"))


def _app_text(state: str, rate: AppRate | None) -> str:
    words = state.replace("_", " ")
    if rate is not None and rate.lag and state == "running":
        return f"{words} · {format_number(rate.lag)} waiting"
    return words


def _system_text(node: Node) -> str:
    if node.own_per_s is None and node.received_per_s is None:
        return "not measured"
    return f"{rate_text(node.own_per_s)} own · {rate_text(node.received_per_s)} in"


def _line(edge: Edge, path: Path, boxes: Mapping[str, Box], *, is_joined: bool) -> Line:
    if edge.kind == "share":
        figures = "may be shared"
    else:
        known = "" if edge.rate_per_s is None else rate_text(edge.rate_per_s)
        apps = f"{edge.apps} {'app' if edge.apps == 1 else 'apps'}" if edge.apps else ""
        figures = " · ".join(filter(None, (known, apps)))
    key = f"line:{edge.start}|{edge.end}"
    start, end = boxes[edge.start], boxes[edge.end]
    return Line(edge, path, key, figures, speed_of(edge), start, end, is_joined)
