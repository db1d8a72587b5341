"""Where boxes and lines of a map stand."""

import itertools
import random

import pytest

from platform_ui.flows.layout import MARGIN, Drawing, Item, Place, fitted, lay_out


def boxes(*names: str, lane: str = "x") -> list[Item]:
    return [Item(name, lane, 100, 40) for name in names]


def overlaps(one: Place, other: Place) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def assert_readable(drawing: Drawing) -> None:
    for (name, one), (other, two) in itertools.combinations(drawing.places.items(), 2):
        assert not overlaps(one, two), f"{name} covers {other}"
    for name, place in drawing.places.items():
        assert place.x >= MARGIN, name
        assert place.right <= drawing.width, name
        assert place.bottom <= drawing.height, name


def test_a_chain_stands_from_left_to_right() -> None:
    drawing = lay_out(boxes("c", "a", "b"), [("a", "b"), ("b", "c")])
    assert drawing.places["a"].right < drawing.places["b"].x
    assert drawing.places["b"].right < drawing.places["c"].x
    assert_readable(drawing)


def test_a_box_stands_right_of_the_rightmost_before_it() -> None:
    drawing = lay_out(boxes("a", "b", "c"), [("a", "c"), ("a", "b"), ("b", "c")])
    assert drawing.places["c"].x > drawing.places["b"].x > drawing.places["a"].x


def test_a_circle_is_drawn_with_one_line_back() -> None:
    drawing = lay_out(boxes("a", "b"), [("a", "b"), ("b", "a")])
    assert drawing.places["a"].x < drawing.places["b"].x
    assert drawing.paths["b", "a"].y > drawing.places["b"].bottom
    assert_readable(drawing)


def test_a_line_from_a_box_to_itself_or_to_nowhere_is_left_out() -> None:
    drawing = lay_out(boxes("a"), [("a", "a"), ("a", "elsewhere")])
    assert drawing.paths == {}
    assert set(drawing.places) == {"a"}


def test_each_company_has_a_lane_of_its_own() -> None:
    items = boxes("a", "b") + boxes("c", lane="y")
    drawing = lay_out(items, [("a", "c")], ["y", "x"])
    assert [band.name for band in drawing.bands] == ["y", "x"]
    upper, lower = drawing.bands
    assert upper.y + upper.height < lower.y
    assert upper.y < drawing.places["c"].y < drawing.places["c"].bottom < upper.y + upper.height
    assert lower.y < drawing.places["a"].y < drawing.places["b"].bottom < lower.y + lower.height


def test_a_lane_without_a_box_takes_no_room() -> None:
    assert [band.name for band in lay_out(boxes("a"), [], ["empty", "x"]).bands] == ["x"]


def test_boxes_without_lines_stand_in_rows_that_wrap() -> None:
    drawing = lay_out(boxes(*(f"b{number:02}" for number in range(30))), [])
    assert len({place.y for place in drawing.places.values()}) > 1
    assert_readable(drawing)


def test_neighbours_stand_at_the_height_of_their_neighbours() -> None:
    items = boxes("a1", "a2", "a3", "b1", "b2", "b3")
    drawing = lay_out(items, [("a1", "b3"), ("a2", "b2"), ("a3", "b1")])
    for left, right in (("a1", "b3"), ("a2", "b2"), ("a3", "b1")):
        assert drawing.places[left].y == drawing.places[right].y


def test_lines_at_one_box_are_spread_along_its_side() -> None:
    drawing = lay_out(boxes("a", "b", "c"), [("a", "c"), ("b", "c")])
    entries = {path.d.rsplit(" ", 1)[1] for path in drawing.paths.values()}
    assert len(entries) == 2


def test_nothing_is_drawn_of_nothing() -> None:
    drawing = lay_out([], [])
    assert drawing.places == {}
    assert drawing.bands == []


def test_any_map_is_readable_and_always_the_same() -> None:
    random_ = random.Random(7)
    for _ in range(20):
        items = [
            Item(f"n{number}", random_.choice("xyz"), random_.choice((90, 140)), random_.choice((30, 50)))
            for number in range(random_.randrange(2, 40))
        ]
        names = [item.id for item in items]
        lines = [
            (random_.choice(names), random_.choice(names)) for _ in range(random_.randrange(len(names) * 2))
        ]
        drawing = lay_out(items, lines)
        assert_readable(drawing)
        assert set(drawing.places) == set(names)
        random_.shuffle(items)
        random_.shuffle(lines)
        assert lay_out(items, lines) == drawing


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Car1", "Car1"),
        ("iot4cps-wp5-CarFleet", "iot4cps-wp5-CarFleet"),
        ("W" * 20, f"{'W' * 11}…"),
        ("W" * 30, f"{'W' * 11}…"),
        ("i" * 30, "i" * 30),
        ("", ""),
    ],
)
def test_a_name_is_shortened_as_far_as_its_letters_need(text: str, shown: str) -> None:
    assert fitted(text, 168.0, 13.0) == shown


def test_a_name_has_a_letter_even_where_there_is_no_room() -> None:
    assert fitted("Car1", 1.0, 13.0) == "C…"
