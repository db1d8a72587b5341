"""Names of systems, topics and Datastreams."""

import pytest

from client.errors import ConfigurationError, InvalidNameError
from client.messaging.topics import DatastreamName, SystemName, dead_letter_topic

CAR = "cz.icecars.iot4cps-wp5-CarFleet.Car1"


def test_a_system_name_is_read_and_written_unchanged() -> None:
    system = SystemName.parse(CAR)
    assert str(system) == CAR
    assert system.company == "cz.icecars"
    assert system.station == "Car1"


def test_the_topics_of_a_system_are_its_name_and_a_suffix() -> None:
    assert SystemName.parse(CAR).topics.all() == (f"{CAR}.int", f"{CAR}.ext", f"{CAR}.log", f"{CAR}.int.dlq")
    assert dead_letter_topic("a.ext") == "a.ext.dlq"


def test_the_longest_name_of_every_level_is_allowed() -> None:
    name = ".".join(("a" * 5, "b" * 15, "c" * 30, "d" * 20))
    assert str(SystemName.parse(name)) == name


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("", "system"),
        ("cz.icecars.Fleet", "system"),
        (f"{CAR}.Main", "system"),
        (".icecars.Fleet.Car1", "domain"),
        ("czechs.icecars.Fleet.Car1", "domain"),
        ("cz.i.Fleet.Car1", "enterprise"),
        ("cz.1234567890123456.Fleet.Car1", "enterprise"),
        ("cz.icecars.F.Car1", "workcenter"),
        ("cz.icecars.Fl_eet.Car1", "workcenter"),
        ("cz.icecars.Fleet.Car 1", "station"),
        ("cz.icecars.Fleet.Car1\n", "station"),
        ("cz.icecars.Fleet.Cär1", "station"),
        ("cz.icecars.Fleet.Car\u202e1", "station"),
        ("cz.icecars.Fleet.../../etc", "system"),
        ("cz.icecars.Fleet.'; DROP TABLE", "station"),
        ("cz.icecars.Fleet." + "x" * 10_000, "station"),
    ],
)
def test_a_wrong_system_name_is_refused_with_the_level_that_is_wrong(name: str, level: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        SystemName.parse(name)
    assert caught.value.level == level
    assert caught.value.name in name


def test_a_wrong_name_is_a_wrong_configuration() -> None:
    with pytest.raises(
        ConfigurationError, match=r"workcenter 'x' is not allowed: it needs 2 to 30 characters"
    ):
        SystemName("cz", "icecars", "x", "Car1")


def test_a_datastream_name_has_system_thing_and_the_rest() -> None:
    name = DatastreamName.parse(f"{CAR}.Main.Air Temperature v1.2")
    assert (str(name.system), name.thing, name.datastream) == (CAR, "Main", "Air Temperature v1.2")
    assert name.thing_key == f"{CAR}.Main"
    assert str(name) == f"{CAR}.Main.Air Temperature v1.2"


@pytest.mark.parametrize(
    "text",
    [
        CAR,
        f"{CAR}.Main",
        f"{CAR}..Air Temperature",
        f"{CAR}.Main.",
        f"{CAR}.Main. Air",
        f"{CAR}.Main.Air\x00",
        f"{CAR}.Main.Air\u202e",
        f"{CAR}.{'x' * 101}.Air",
        f"{CAR}.Main.{'x' * 256}",
        "a.b.Main.Air",
    ],
)
def test_a_wrong_datastream_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidNameError):
        DatastreamName.parse(text)


def test_a_thing_with_a_dot_is_refused_because_it_would_be_two_levels() -> None:
    with pytest.raises(InvalidNameError, match="a dot separates levels"):
        DatastreamName(SystemName.parse(CAR), "Main.Engine", "Speed")
