"""What the table of flows says of a line that has no figures."""

import pytest

from platform_ui.flows.graph import Edge, Node
from platform_ui.flows.layout import Path, Place
from platform_ui.overview.home_view import APP_SIZE, DETAIL_SIZE, HIDDEN, NAME_SIZE, SYSTEM_SIZE, Box, Line


def box(kind: str, *, is_foreign: bool = False) -> Box:
    node = Node("x", kind, "cz.cars", "X", is_foreign=is_foreign)
    return Box(node, Place(0, 0, 1, 1), "box:x", "", "")


@pytest.mark.parametrize(
    ("figures", "is_foreign", "is_joined", "said"),
    [
        ("2/s", True, True, "2/s"),
        ("", True, True, HIDDEN),
        ("", False, True, "read with others"),
        ("", False, False, "not measured"),
    ],
)
def test_a_line_without_figures_says_why(figures: str, is_foreign: bool, is_joined: bool, said: str) -> None:
    start, end = box("system", is_foreign=is_foreign), box("app")
    line = Line(Edge("a", "b"), Path("", 0, 0), "line", figures, 0, start, end, is_joined)
    assert line.said == said


@pytest.mark.parametrize("kind", ["app", "system"])
def test_words_on_a_box_stay_inside_of_it(kind: str) -> None:
    """A capital W is as wide as the letters are high, in any face."""
    node = Node("x", kind, "cz.cars", "W" * 20, detail="W" * 30)
    width = (APP_SIZE if kind == "app" else SYSTEM_SIZE)[0]
    drawn = Box(node, Place(0, 0, width, 1), "box:x", "", "")
    for text, size in ((drawn.label, NAME_SIZE), (drawn.detail, DETAIL_SIZE)):
        assert text.endswith("W…")
        assert drawn.inset + len(text) * size <= width
