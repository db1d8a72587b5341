"""Which Datastreams a pattern means."""

import pytest

from adapters.frames.errors import AmbiguousNameError, FrameError, NoMatchError
from adapters.frames.streams import Names, choose, fixed_part, patterns_of, short_names, stream_of

CARS = "cz.icecars.Fleet"
KNOWN = [
    stream_of(name)
    for name in (
        f"{CARS}.Car1.Main.Air Temperature",
        f"{CARS}.Car1.Main.Speed.Smooth",
        f"{CARS}.Car2.Main.Air Temperature",
        "at.mill.Hall.Press.Main.Force [N]",
        "not ours",
    )
]


def chosen(*patterns: str) -> list[str]:
    return [stream.name.removeprefix(f"{CARS}.") for stream in choose(patterns, KNOWN, "the test")]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (f"{CARS}.Car1.Main.Air Temperature", ["Car1.Main.Air Temperature"]),
        (f"{CARS}.*.Air Temperature", ["Car1.Main.Air Temperature", "Car2.Main.Air Temperature"]),
        ("*.Air Temperature", ["Car1.Main.Air Temperature", "Car2.Main.Air Temperature"]),
        ("Car1.*", ["Car1.Main.Air Temperature", "Car1.Main.Speed.Smooth"]),
        ("Car?.Main.Air*", ["Car1.Main.Air Temperature", "Car2.Main.Air Temperature"]),
        ("Main.Speed.Smooth", ["Car1.Main.Speed.Smooth"]),
        ("Fleet.Car2.*", ["Car2.Main.Air Temperature"]),
        ("Press.Main.Force*", ["at.mill.Hall.Press.Main.Force [N]"]),
        ("not ours", ["not ours"]),
        ("at.mill.Hall.Press.Main.Force [N]", ["at.mill.Hall.Press.Main.Force [N]"]),
        ("Main.Force [N]", ["at.mill.Hall.Press.Main.Force [N]"]),
    ],
)
def test_a_pattern_fits_full_names_or_their_ends(pattern: str, expected: list[str]) -> None:
    assert chosen(pattern) == expected


def test_several_patterns_give_each_datastream_once_in_the_order_of_names() -> None:
    assert chosen("Car2.*", "*.Air Temperature", "Car1.Main.Air*") == [
        "Car1.Main.Air Temperature",
        "Car2.Main.Air Temperature",
    ]


def test_a_short_pattern_of_two_systems_is_refused_and_both_are_named() -> None:
    with pytest.raises(AmbiguousNameError) as caught:
        chosen("Main.Air*")
    assert f"{CARS}.Car1.Main.Air*, {CARS}.Car2.Main.Air*" in str(caught.value)


def test_a_pattern_that_fits_nothing_names_the_nearest() -> None:
    with pytest.raises(NoMatchError) as caught:
        chosen("Car2.Main.Air Temprature")
    assert caught.value.nearest[0] == f"{CARS}.Car2.Main.Air Temperature"
    with pytest.raises(NoMatchError, match="shows none at all"):
        choose(["x"], [], "the test")


def test_capitals_count() -> None:
    with pytest.raises(NoMatchError):
        chosen("car1.*")


@pytest.mark.parametrize("names", ["", [], {}, ["Car1.*", " "]])
def test_no_name_is_no_question(names: Names) -> None:
    with pytest.raises(FrameError, match="names no Datastreams"):
        patterns_of(names)


def test_a_name_of_ones_own_means_one_datastream() -> None:
    own = short_names({"t": "Car1.Main.Air*"}, [KNOWN[0]], "the test")
    assert own == {KNOWN[0].name: "t"}
    with pytest.raises(FrameError, match="'t' can be one Datastream only"):
        short_names({"t": "*.Air*"}, KNOWN, "the test")


@pytest.mark.parametrize(
    ("pattern", "part"),
    [("a.b*", "a.b"), ("*", ""), ("[ab]c?defg", "defg"), ("Force [N]", "Force "), ("x[", "x")],
)
def test_the_part_without_wildcards_is_what_a_source_may_look_for(pattern: str, part: str) -> None:
    assert fixed_part(pattern) == part


def test_a_full_name_tells_company_system_and_thing() -> None:
    stream = stream_of(f"{CARS}.Car1.Main.Speed.Smooth")
    assert (stream.company, stream.system, stream.thing, stream.datastream) == (
        "cz.icecars",
        f"{CARS}.Car1",
        "Main",
        "Speed.Smooth",
    )
    assert (stream_of("not ours").company, stream_of("not ours").datastream) == ("", "not ours")
