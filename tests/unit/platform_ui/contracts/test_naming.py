"""Names of Datastreams in terms: completed, refused in sentences, offered for choice."""

import pytest

from platform_ui.contracts import naming
from platform_ui.contracts.choices import choices_of
from platform_ui.contracts.forms import MAX_DATASTREAMS
from platform_ui.contracts.registered import Registered

CAR = "cz.icecars.Fleet.Car1"
SPEED, AIR = f"{CAR}.Main.Speed", f"{CAR}.Air.Temperature"
DOTTED = f"{CAR}.Roof.left.front.upper.lower.edge"


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("Main.Speed", SPEED),
        (SPEED, SPEED),
        ("Main.Speed.of.Wheel", f"{CAR}.Main.Speed.of.Wheel"),
        ("cz.icecars.Fleet.Car2.Main.Speed", "cz.icecars.Fleet.Car2.Main.Speed"),
        ("at.house.Room.One.Main.Speed", "at.house.Room.One.Main.Speed"),
        ("cz.icecars.Fleet.Car1.Main", "cz.icecars.Fleet.Car1.Main"),
        ("Speed", "Speed"),
    ],
)
def test_a_short_name_is_completed_and_all_else_stays_as_it_is(written: str, full: str) -> None:
    assert naming.complete(CAR, written) == full


def test_a_short_name_that_looks_like_a_full_one_is_short_where_it_is_known() -> None:
    written = "Roof.left.front.upper.lower.edge"
    assert naming.complete(CAR, written) == written
    assert naming.complete(CAR, written, {DOTTED}) == DOTTED


def test_completed_names_stand_once_and_in_order() -> None:
    assert naming.completed(CAR, ["Main.Speed", "Air.Temperature", SPEED]) == (AIR, SPEED)


@pytest.mark.parametrize(
    ("name", "value", "step"),
    [
        ("Speed", "“Speed”", "such as Main.Speed"),
        (f"{CAR}.Main", f"“{CAR}.Main”", "write its Thing and its own name"),
        ("at.house.Room.One.Main.Speed", f"belongs to at.house.Room.One, not to {CAR}", "take it out"),
        (f"{CAR}.{'x' * 101}.Speed", "cannot be one", "1 to 100"),
    ],
)
def test_what_is_no_name_is_told_in_a_sentence_with_field_value_and_next_step(
    name: str, value: str, step: str
) -> None:
    told = naming.describe_faults(CAR, [SPEED, name])
    assert told.startswith("The Datastream “")
    assert value in told
    assert step in told


def test_well_formed_names_are_not_complained_about() -> None:
    assert not naming.describe_faults(CAR, [SPEED, AIR])


@pytest.mark.parametrize(
    ("written", "first"),
    [
        ("Air.Temprature", "Air.Temperature"),
        ("air.temperature", "Air.Temperature"),
        (f"{CAR}.Main.Sped", "Main.Speed"),
        ("Car1.Main.Speed", "Main.Speed"),
        ("Temperature", "Air.Temperature"),
        ("Engine.Speed", "Main.Speed"),
    ],
)
def test_the_nearest_names_are_told(written: str, first: str) -> None:
    known = {SPEED, AIR, f"{CAR}.Main.Doors"}
    assert naming.nearest(CAR, written, known)[0] == first
    assert f"Did you mean “{first}”" in naming.describe_unknown(CAR, [written], known)


def test_where_nothing_is_near_the_list_is_the_next_step() -> None:
    told = naming.describe_unknown(CAR, ["Zzz.Qqq"], {SPEED})
    assert told.startswith(f"The Datastream “Zzz.Qqq” is not registered in {CAR}. Choose one of the list")


def test_many_unknown_names_are_counted_instead_of_told() -> None:
    told = naming.describe_unknown(CAR, [f"Zzz.Q{number}" for number in range(7)], {SPEED})
    assert (told.count("is not registered"), told.endswith("And 4 more.")) == (3, True)


def _registered(*names: str, is_own: bool = True) -> Registered:
    return Registered({name: {"name": name, "unit": "m/s"} for name in names}, is_own=is_own)


def test_written_names_become_ticks_and_the_others_stay_written() -> None:
    choices = choices_of(CAR, _registered(SPEED, AIR), written=f"Main.Speed\nAir.Temprature\n{SPEED}")
    assert [(one.short, one.is_ticked) for one in choices.shown] == [
        ("Air.Temperature", False),
        ("Main.Speed", True),
    ]
    assert (choices.further, choices.told) == ("Air.Temprature", "")


def test_of_very_many_those_that_are_ticked_are_shown_and_the_rest_is_counted() -> None:
    names = [f"{CAR}.Main.S{number:04}" for number in range(MAX_DATASTREAMS + 20)]
    choices = choices_of(CAR, _registered(*names), written="Main.S0519")
    assert (len(choices.shown), choices.hidden) == (MAX_DATASTREAMS, 20)
    assert [one.short for one in choices.shown if one.is_ticked] == ["Main.S0519"]


def test_of_a_system_of_which_one_sees_nothing_typing_is_kept_with_a_hint() -> None:
    nothing = Registered({}, is_own=False, is_complete=False)
    choices = choices_of(CAR, nothing, written="Main.Speed")
    assert (choices.shown, choices.further) == ((), "Main.Speed")
    assert "ask your partner for the names" in choices.told
    offered = choices_of(CAR, nothing, [{"name": SPEED, "unit": "km/h"}])
    assert [(one.short, one.unit) for one in offered.shown] == [("Main.Speed", "km/h")]
    assert "offered or shared with you" in offered.told


def test_nothing_is_decided_by_a_list_that_is_not_whole() -> None:
    assert _registered(SPEED).decides
    assert not Registered({}).decides, "a system without Datastreams gets them when its client starts"
    assert not _registered(SPEED, is_own=False).decides
    assert not Registered({SPEED: {"name": SPEED}}, is_complete=False).decides
