"""What an instances file would change, and the way from what is in service to a file and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.metadata.entities import Datastream, Entity
from client.metadata.instances import Instances
from client.metadata.wire import IOT_ID, JsonObject, to_wire
from platform_ui.assets.comparing import Present, State, compare
from platform_ui.assets.files import InstancesRefusedError, line_of, read_text, write_text

SYSTEM = "cz.icecars.Fleet.Car1"
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
FILE: dict[str, Any] = {
    "Things": {"car": {"name": "Main", "description": "The car", "properties": {"colour": "blue"}}},
    "Sensors": {
        "pt100": {
            "name": "PT100",
            "description": "Thermometer",
            "encodingType": "text/html",
            "metadata": "https://example.com/pt100",
        }
    },
    "Datastreams": {
        "temperature": {
            "name": "Air Temperature",
            "description": "In the car",
            "observationType": MEASUREMENT,
            "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
            "ObservedProperty": {
                "name": "Air Temperature",
                "description": "Of the air",
                "definition": "https://example.com/temperature",
            },
            "Thing": "car",
            "Sensor": "pt100",
        }
    },
}


def nothing() -> Present:
    return Present(SYSTEM, {}, {}, {}, {})


def in_service(wanted: Instances) -> Present:
    """What a service holds after it was registered: every entity with an id, links expanded."""
    number = iter(range(1, 10_000))
    documents: dict[str, JsonObject] = {}
    observed = {one.observed_property.name: one.observed_property for one in wanted.datastreams.values()}
    entities: list[Entity] = [*wanted.things.values(), *wanted.sensors.values(), *observed.values()]
    for one in entities:
        documents[type(one).__name__ + one.name] = {IOT_ID: next(number), **to_wire(one)}

    def stored(one: Datastream) -> JsonObject:
        links = {
            "Thing": documents["Thing" + one.thing.name],
            "Sensor": documents["Sensor" + one.sensor.name],
            "ObservedProperty": documents["ObservedProperty" + one.observed_property.name],
        }
        return {IOT_ID: next(number), **to_wire(one), **links}

    def short(name: str) -> str:
        return name.removeprefix(f"{SYSTEM}.")

    return Present(
        SYSTEM,
        {short(one.name): documents["Thing" + one.name] for one in wanted.things.values()},
        {short(one.name): documents["Sensor" + one.name] for one in wanted.sensors.values()},
        {short(name): documents["ObservedProperty" + name] for name in observed},
        {short(one.name): stored(one) for one in wanted.datastreams.values()},
    )


def changed(*path: str, to: object) -> str:
    document = json.loads(json.dumps(FILE))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(document)


def test_everything_is_new_where_nothing_is_and_refers_to_what_comes_before() -> None:
    plan = compare(read_text(json.dumps(FILE), SYSTEM), nothing())
    assert [(one.kind, one.state) for one in plan.changes] == [
        ("Thing", State.NEW),
        ("Sensor", State.NEW),
        ("ObservedProperty", State.NEW),
        ("Datastream", State.NEW),
    ]
    body = plan.requests[3]["body"]
    assert isinstance(body, dict)
    assert (body["Thing"], body["Sensor"]) == ({IOT_ID: "$e1"}, {IOT_ID: "$e2"})
    assert plan.absent == ()


def test_the_same_file_changes_nothing() -> None:
    wanted = read_text(json.dumps(FILE), SYSTEM)
    plan = compare(wanted, in_service(wanted))
    assert plan.requests == []
    assert {one.state for one in plan.changes} == {State.SAME}


def test_a_change_shows_the_attribute_before_and_after_and_writes_nothing_else() -> None:
    present = in_service(read_text(json.dumps(FILE), SYSTEM))
    text = changed("Datastreams", "temperature", "unitOfMeasurement", "symbol", to="degC")
    plan = compare(read_text(text, SYSTEM), present)
    (change,) = plan.of(State.CHANGED)
    assert [(one.name, one.before, one.after) for one in change.fields] == [
        (
            "unitOfMeasurement",
            "degree Celsius · °C · ucum:Cel",
            "degree Celsius · degC · ucum:Cel",
        )
    ]
    (request,) = plan.requests
    assert request["method"] == "patch"
    assert set(request["body"]) == {"unitOfMeasurement"}  # type: ignore[call-overload]


def test_a_thing_that_moves_gets_a_location_and_its_other_changes_beside_it() -> None:
    place = {"latitude": 47.8, "longitude": 13.05}
    present = in_service(read_text(changed("Things", "car", "Location", to=place), SYSTEM))
    assert compare(read_text(json.dumps(FILE), SYSTEM), present).requests == [], "a file may leave it out"
    document = json.loads(changed("Things", "car", "Location", to=place | {"name": "Ring"}))
    document["Things"]["car"]["description"] = "The red car"
    plan = compare(read_text(json.dumps(document), SYSTEM), present)
    (change,) = plan.of(State.CHANGED)
    assert [(one.name, one.before, one.after) for one in change.fields] == [
        ("description", "The car", "The red car"),
        ("Locations", f"{SYSTEM}.Main place · 47.8, 13.05", "Ring · 47.8, 13.05"),
    ]
    assert [(one["method"], one["url"]) for one in plan.requests] == [
        ("patch", "Things(1)"),
        ("post", "Things(1)/Locations"),
    ]
    patch, move = (one["body"] for one in plan.requests)
    assert patch == {"description": "The red car"}
    assert move == {
        "name": "Ring",
        "description": f"Where {SYSTEM}.Main is",
        "encodingType": "application/geo+json",
        "location": {"type": "Point", "coordinates": [13.05, 47.8]},
    }


def test_a_new_thing_gets_its_location_after_it() -> None:
    place = {"latitude": 47.8, "longitude": 13.05}
    plan = compare(read_text(changed("Things", "car", "Location", to=place), SYSTEM), nothing())
    assert [one["url"] for one in plan.requests[:2]] == ["Things?upsert=true", "$e1/Locations"]
    assert "Locations" not in str(plan.requests[0]["body"])
    assert ("Locations", f"{SYSTEM}.Main place · 47.8, 13.05") in [
        (one.name, one.after) for one in plan.changes[0].fields
    ]


def test_what_is_in_service_but_not_in_the_file_is_named_and_stays() -> None:
    present = in_service(read_text(json.dumps(FILE), SYSTEM))
    plan = compare(read_text('{"Things": {}, "Sensors": {}, "Datastreams": {}}', SYSTEM), present)
    assert plan.requests == []
    assert ("Thing", "Main") in plan.absent
    assert ("Datastream", "Main.Air Temperature") in plan.absent


def test_a_link_to_a_common_entity_of_the_same_name_is_no_change() -> None:
    present = in_service(read_text(json.dumps(FILE), SYSTEM))
    present.observed_properties["Air Temperature"]["name"] = "Air Temperature"
    assert compare(read_text(json.dumps(FILE), SYSTEM), present).requests == []


def test_what_others_call_the_same_but_mean_otherwise_is_never_changed() -> None:
    present = in_service(read_text(json.dumps(FILE), SYSTEM))
    present.observed_properties["Air Temperature"].update(name="Air Temperature", definition="urn:other")
    plan = compare(read_text(json.dumps(FILE), SYSTEM), present)
    assert [(one["method"], one["url"]) for one in plan.requests] == [
        ("post", "ObservedProperties?upsert=true"),
        ("patch", "Datastreams(4)"),
    ]


def test_the_fingerprint_is_that_of_what_would_be_written() -> None:
    wanted = read_text(json.dumps(FILE), SYSTEM)
    assert compare(wanted, nothing()).fingerprint == compare(wanted, nothing()).fingerprint
    assert compare(wanted, nothing()).fingerprint != compare(wanted, in_service(wanted)).fingerprint


@pytest.mark.parametrize(
    ("text", "pointer", "line"),
    [
        ('{\n"Things": {},\n"Sensors": {}\n,}', "", 4),
        (
            '{"Things": {},\n "Sensors": {},\n "Datastreams": {\n  "t": {"nam": "T"}}}',
            "/Datastreams/t/nam",
            4,
        ),
        (
            '{"Things": {\n "a~/b": {\n  "name": "A"\n }},\n"Sensors": {}, "Datastreams": {}}',
            "/Things/a~0~1b",
            2,
        ),
        ("  ", "", 1),
        ("[]", "", 1),
    ],
)
def test_an_error_names_pointer_line_problem_and_remedy(text: str, pointer: str, line: int) -> None:
    with pytest.raises(InstancesRefusedError) as raised:
        read_text(text, SYSTEM)
    assert (raised.value.pointer, raised.value.line) == (pointer, line)
    assert raised.value.problem
    assert raised.value.remedy


def test_the_line_of_a_place_that_is_not_there_is_that_of_the_last_step_that_is() -> None:
    assert line_of('{\n"a": {\n"b": 1}}', "/a/c") == 2


_NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12
).filter(lambda text: text.strip() == text and text.isprintable())
_THINGS = _NAMES.filter(lambda text: "." not in text)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip)
_PROPERTIES = st.dictionaries(_TEXTS, st.none() | st.booleans() | st.integers(-9, 9) | _TEXTS, max_size=2)
_PLACES = st.fixed_dictionaries(
    {},
    optional={
        "Location": st.fixed_dictionaries(
            {"latitude": st.floats(-90, 90), "longitude": st.integers(-180, 180)}, optional={"name": _TEXTS}
        )
    },
)
_UNITS = st.fixed_dictionaries({key: st.none() | _TEXTS for key in ("name", "symbol", "definition")})


@st.composite
def _files(draw: st.DrawFn) -> JsonObject:
    things = draw(st.lists(_THINGS, min_size=1, max_size=3, unique=True))
    sensors = draw(st.lists(_NAMES, min_size=1, max_size=2, unique=True))
    observed = draw(st.dictionaries(_NAMES, st.tuples(_TEXTS, _TEXTS), min_size=1, max_size=2))
    pairs = draw(st.lists(st.tuples(st.sampled_from(things), _NAMES), max_size=4, unique=True))
    kinds = st.sampled_from(["OM_Measurement", "OM_TruthObservation", "OM_Observation"])
    streams: JsonObject = {}
    for at, (thing, name) in enumerate(pairs):
        known = draw(st.sampled_from(sorted(observed)))
        streams[f"q{at}"] = {
            "name": name,
            "description": draw(_TEXTS),
            "observationType": MEASUREMENT.rpartition("/")[0] + "/" + draw(kinds),
            "unitOfMeasurement": draw(_UNITS),
            "ObservedProperty": {
                "name": known,
                "description": observed[known][0],
                "definition": observed[known][1],
            },
            "Thing": thing,
            "Sensor": draw(st.sampled_from(sensors)),
            "properties": draw(_PROPERTIES),
        }
    return {
        "Things": {
            one: {"name": one, "description": draw(_TEXTS), "properties": draw(_PROPERTIES)} | draw(_PLACES)
            for one in things
        },
        "Sensors": {
            one: {
                "name": one,
                "description": draw(_TEXTS),
                "encodingType": "text/plain",
                "metadata": draw(_TEXTS),
            }
            for one in sensors
        },
        "Datastreams": streams,
    }


@given(_files())
def test_what_is_downloaded_describes_what_was_uploaded(document: JsonObject) -> None:
    wanted = read_text(json.dumps(document), SYSTEM)
    present = in_service(wanted)
    again = read_text(write_text(present), SYSTEM)
    assert compare(again, present).requests == []
    assert {one.name: one for one in again.things.values()} == {
        one.name: one for one in wanted.things.values()
    }
    assert {one.name: one for one in again.sensors.values()} == {
        one.name: one for one in wanted.sensors.values()
    }
    assert {one.name: one for one in again.datastreams.values()} == {
        one.name: one for one in wanted.datastreams.values()
    }
    assert write_text(in_service(again)) == write_text(present)
