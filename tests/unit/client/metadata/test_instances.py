"""The users' files: what is right is read, what is wrong is named with its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.errors import InstanceFileError, InvalidNameError, SubscriptionFileError
from client.messaging.topics import DatastreamName, SystemName
from client.metadata.entities import Location, ObservationType
from client.metadata.instances import (
    INSTANCE_EXAMPLE,
    MAPPING_EXAMPLE,
    SUBSCRIPTION_EXAMPLE,
    Subscription,
    read_instances,
    read_mappings,
    read_subscription,
)

SYSTEM = SystemName.parse("cz.icecars.iot4cps-wp5-CarFleet.Car1")
Write = Callable[[object], Path]
Document = dict[str, Any]


def test_names_get_the_system_in_front_and_the_file_stays_as_it_was(car: Document, write: Write) -> None:
    path = write(car)
    before = path.read_bytes()
    instances = read_instances(path, SYSTEM)
    assert path.read_bytes() == before
    temperature = instances.datastreams["temperature"]
    assert temperature.name == f"{SYSTEM}.Main.Air Temperature"
    assert temperature.thing == instances.things["car"]
    assert temperature.thing.name == f"{SYSTEM}.Main"
    assert temperature.thing.properties == {"doors": 4}
    assert temperature.sensor.name == f"{SYSTEM}.PT100"
    assert temperature.observed_property.name == f"{SYSTEM}.Air Temperature"
    assert temperature.observation_type is ObservationType.MEASUREMENT
    assert temperature.unit_of_measurement.abbreviation == "°C"
    assert instances.datastreams["locked"].unit_of_measurement.symbol is None
    assert list(instances.datastreams) == ["temperature", "locked"]


def test_names_that_have_the_system_in_front_keep_it_once(car: Document, write: Write) -> None:
    car["Things"]["car"]["name"] = f"{SYSTEM}.Main"
    car["Sensors"]["pt100"]["name"] = f"{SYSTEM}.PT100"
    instances = read_instances(write(car), SYSTEM)
    assert instances.things["car"].name == f"{SYSTEM}.Main"
    assert instances.sensors["pt100"].name == f"{SYSTEM}.PT100"


def test_a_thing_may_say_where_it_is(car: Document, write: Write) -> None:
    assert read_instances(write(car), SYSTEM).things["car"].location is None
    car["Things"]["car"]["Location"] = {"latitude": 47.8, "longitude": 13}
    assert read_instances(write(car), SYSTEM).things["car"].location == Location(47.8, 13.0)
    car["Things"]["car"]["Location"]["name"] = "Ring"
    assert read_instances(write(car), SYSTEM).things["car"].location == Location(47.8, 13.0, "Ring")


def test_empty_sections_are_fine(write: Write) -> None:
    instances = read_instances(write({"Things": {}, "Sensors": {}, "Datastreams": {}}), SYSTEM)
    assert not instances.things
    assert not instances.datastreams


def test_a_byte_order_mark_does_not_matter(write: Write) -> None:
    assert read_instances(write(b"\xef\xbb\xbf" + INSTANCE_EXAMPLE.encode()), SYSTEM).datastreams


def test_the_examples_in_error_messages_are_right_themselves(write: Write) -> None:
    assert list(read_instances(write(INSTANCE_EXAMPLE), SYSTEM).datastreams) == ["temperature"]
    assert read_subscription(write(SUBSCRIPTION_EXAMPLE)).everything
    assert read_mappings(write(MAPPING_EXAMPLE), SYSTEM) == {
        "temperature": DatastreamName(SYSTEM, "Main", "Air Temperature")
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", r"not JSON: Expecting value \(line 1, column 1\)"),
        ('{"Things": {},\n "Sensors": {,}}', r"not JSON: .*\(line 2, column 14\)"),
        (b'{"Things": "\xff"}', "not UTF-8 text"),
        ("[]", "holds a list, not an object"),
        ("null", "holds null, not an object"),
        ("[" * 100_000, "nested too deeply"),
        (f'{{"Things": {"9" * 5000}}}', "a number that is none"),
        ('{"Things": NaN}', "NaN is not JSON"),
        ('{"Things": {}, "Things": {}}', "the key 'Things' stands twice"),
    ],
)
def test_a_file_that_is_no_json_object_is_refused_with_the_place(
    content: object, problem: str, write: Write
) -> None:
    path = write(content)
    with pytest.raises(InstanceFileError, match=problem) as caught:
        read_instances(path, SYSTEM)
    assert str(caught.value).startswith(str(path))
    assert caught.value.remedy


def test_a_missing_file_is_an_error_with_an_example_and_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(InstanceFileError, match="does not exist") as caught:
        read_instances(path, SYSTEM)
    assert INSTANCE_EXAMPLE in str(caught.value)
    with pytest.raises(SubscriptionFileError, match="does not exist") as other:
        read_subscription(path)
    assert SUBSCRIPTION_EXAMPLE in str(other.value)
    assert not path.exists()


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(InstanceFileError, match="cannot be read"):
        read_instances(tmp_path, SYSTEM)


_GONE = object()
_TEMPERATURE = "/Datastreams/temperature"


def _at(latitude: object, longitude: object = 0) -> Document:
    return {"latitude": latitude, "longitude": longitude}


@pytest.mark.parametrize(
    ("place", "value", "pointer", "problem"),
    [
        ("/Things", _GONE, "/", "the key 'Things' is missing"),
        ("/Sensors", [], "/Sensors", "is a list, not an object"),
        ("/Locations", {}, "/Locations", "is not a key that is known here"),
        ("/Things/car", "Main", "/Things/car", "is text, not an object"),
        ("/Things/car/name", _GONE, "/Things/car", "the key 'name' is missing"),
        ("/Things/car/name", 7, "/Things/car/name", "is a number, not text"),
        ("/Things/car/name", " ", "/Things/car/name", "is empty"),
        ("/Things/car/name", "Main.Engine", "/Things/car/name", "a dot separates levels"),
        ("/Things/car/name", "Ma\nin", "/Things/car/name", "printable characters"),
        ("/Things/car/properties", None, "/Things/car/properties", "is null, not an object"),
        ("/Things/car/Location", [47.8, 13.05], "/Things/car/Location", "is a list, not an object"),
        ("/Things/car/Location", {"latitude": 1}, "/Things/car/Location", "the key 'longitude' is missing"),
        ("/Things/car/Location", _at("47"), "/Things/car/Location/latitude", "is text, not a number"),
        (
            "/Things/car/Location",
            _at(True),
            "/Things/car/Location/latitude",
            "is true or false, not a number",
        ),
        ("/Things/car/Location", _at(90.1), "/Things/car/Location/latitude", "is 90.1"),
        ("/Things/car/Location", _at(0, -181), "/Things/car/Location/longitude", "is -181"),
        ("/Things/car/Location", _at(0) | {"name": ""}, "/Things/car/Location/name", "is empty"),
        ("/Things/car/Location", _at(0) | {"height": 5}, "/Things/car/Location/height", "is not a key that"),
        ("/Sensors/pt100/metadata", _GONE, "/Sensors/pt100", "the key 'metadata' is missing"),
        ("/Sensors/pt100/encodingType", True, "/Sensors/pt100/encodingType", "is true or false, not text"),
        ("/Sensors/pt100/name", "x" * 10_000, "/Sensors/pt100/name", "1 to 255 printable"),
        (
            f"{_TEMPERATURE}/Thing",
            "bike",
            f"{_TEMPERATURE}/Thing",
            "names 'bike', which is no key of /Things",
        ),
        (f"{_TEMPERATURE}/Sensor", "x", f"{_TEMPERATURE}/Sensor", "names 'x', which is no key of /Sensors"),
        (
            f"{_TEMPERATURE}/observationType",
            "OM_Temperature",
            f"{_TEMPERATURE}/observationType",
            "which is no observation type",
        ),
        (f"{_TEMPERATURE}/unitOfMeasurement", "degC", f"{_TEMPERATURE}/unitOfMeasurement", "is text"),
        (
            f"{_TEMPERATURE}/unitOfMeasurement/symbol",
            _GONE,
            f"{_TEMPERATURE}/unitOfMeasurement",
            "the key 'symbol' is missing",
        ),
        (
            f"{_TEMPERATURE}/unitOfMeasurement/symbol",
            1,
            f"{_TEMPERATURE}/unitOfMeasurement/symbol",
            "is a number, not text",
        ),
        (
            f"{_TEMPERATURE}/ObservedProperty/definition",
            _GONE,
            f"{_TEMPERATURE}/ObservedProperty",
            "the key 'definition' is missing",
        ),
        (
            "/Datastreams/locked/ObservedProperty/name",
            "Air Temperature",
            "/Datastreams/locked/ObservedProperty",
            "has the same name as that of 'temperature'",
        ),
        (
            "/Datastreams/locked/name",
            "Air Temperature",
            "/Datastreams/locked",
            "has the same name as 'temperature'",
        ),
        (
            "/Things/a~1b~0c",
            {"name": "Main", "description": "x"},
            "/Things/a~1b~0c",
            "has the same name as 'car'",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_json_pointer(  # noqa: PLR0917 - the columns of the table
    place: str, value: object, pointer: str, problem: str, car: Document, write: Write
) -> None:
    *parents, last = [step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:]]
    target: Document = car
    for step in parents:
        target = target[step]
    if value is _GONE:
        del target[last]
    else:
        target[last] = value
    with pytest.raises(InstanceFileError) as caught:
        read_instances(write(car), SYSTEM)
    assert caught.value.pointer == pointer
    assert problem in caught.value.problem
    assert f", at {pointer}: " in str(caught.value)


def test_a_misspelt_key_is_guessed(car: Document, write: Write) -> None:
    car["Things"]["car"] = {"name": "Main", "desciption": "x"}
    with pytest.raises(InstanceFileError, match="Did you mean 'description'"):
        read_instances(write(car), SYSTEM)


def test_an_instances_file_serves_as_a_mappings_file(car: Document, write: Write) -> None:
    assert read_mappings(write(car), SYSTEM) == {
        "temperature": DatastreamName(SYSTEM, "Main", "Air Temperature"),
        "locked": DatastreamName(SYSTEM, "Main", "Locked"),
    }


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/"),
        ({"Datastreams": {"t": {"Thing": "Main"}}}, "/Datastreams/t"),
        ({"Datastreams": {"t": {"name": "Air"}}}, "/Datastreams/t"),
        ({"Datastreams": {"t": {"name": "Air", "Thing": "a.b"}}}, "/Datastreams/t/Thing"),
        ({"Datastreams": {"t": {"name": "Air\x00", "Thing": "a"}}}, "/Datastreams/t/name"),
        ({"Things": {"car": {}}, "Datastreams": {}}, "/Things/car"),
    ],
)
def test_a_wrong_mappings_file_is_refused(document: Document, pointer: str, write: Write) -> None:
    with pytest.raises(InstanceFileError) as caught:
        read_mappings(write(document), SYSTEM)
    assert caught.value.pointer == pointer


def test_a_subscription_lists_names_everything_and_logs(write: Write) -> None:
    name = f"{SYSTEM}.Main.Air Temperature"
    subscription = read_subscription(
        write({"subscribed_datastreams": [name, "*", name], "subscribed_logs": [str(SYSTEM)]})
    )
    assert subscription == Subscription(frozenset({name}), everything=True, logs=(SYSTEM,))


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/"),
        ({"subscribed_datastream": []}, "/subscribed_datastream"),
        ({"subscribed_datastreams": "*"}, "/subscribed_datastreams"),
        ({"subscribed_datastreams": ["*", 7]}, "/subscribed_datastreams/1"),
        ({"subscribed_datastreams": ["Air Temperature"]}, "/subscribed_datastreams/0"),
        ({"subscribed_datastreams": [f"{SYSTEM}.*"]}, "/subscribed_datastreams/0"),
        ({"subscribed_datastreams": [], "subscribed_logs": ["*"]}, "/subscribed_logs/0"),
        ({"subscribed_datastreams": [], "subscribed_logs": [None]}, "/subscribed_logs/0"),
    ],
)
def test_a_wrong_subscription_is_refused(document: Document, pointer: str, write: Write) -> None:
    with pytest.raises(SubscriptionFileError) as caught:
        read_subscription(write(document))
    assert caught.value.pointer == pointer


def test_names_can_be_subscribed_without_a_file() -> None:
    assert Subscription.of(["*"]) == Subscription(frozenset(), everything=True)
    with pytest.raises(InvalidNameError):
        Subscription.of(["Air Temperature"])
