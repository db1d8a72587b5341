"""Requirements class "datamodel": properties, relations, and what is derived from Observations.

Source: OGC 18-088, clause 8.2.
"""

import re

import pytest

from tests.conformance.sensorthings.requirements import (
    OM,
    SETS,
    count_of,
    feature,
    observation,
    observed_property,
    path_of,
    sensor,
    stream_of,
)
from tests.integration.sensorthings.samples import POINT, Api, Json, datastream, location, thing

BODIES: dict[str, tuple[Json, tuple[str, ...]]] = {
    "Things": (
        {"name": "T", "description": "t", "properties": {"a": [1, {"b": None}]}},
        ("name", "description"),
    ),
    "Locations": (
        location(name="L") | {"properties": {"a": 1}},
        ("name", "description", "encodingType", "location"),
    ),
    "Sensors": (
        sensor(properties={"a": 1}, metadata={"any": ["json"]}),
        ("name", "description", "encodingType", "metadata"),
    ),
    "ObservedProperties": (
        observed_property(properties={"a": 1}),
        ("name", "definition", "description"),
    ),
    "FeaturesOfInterest": (
        feature(properties={"a": 1}),
        ("name", "description", "encodingType", "feature"),
    ),
}
DATASTREAM_MANDATORY = (
    "name",
    "description",
    "unitOfMeasurement",
    "observationType",
    "Sensor",
    "ObservedProperty",
)


@pytest.mark.parametrize("set_name", BODIES)
def test_datamodel_entity_keeps_its_properties(api: Api, set_name: str) -> None:
    """req/datamodel/thing/properties, location/properties, sensor/properties, ... properties."""
    body, _ = BODIES[set_name]

    made = api.create(set_name, body)

    read = api.read(path_of(made, set_name))
    assert {name: read[name] for name in body} == body
    assert isinstance(read["@iot.id"], int)
    assert read["@iot.selfLink"] == f"{api.root}/{path_of(made, set_name)}"


@pytest.mark.parametrize(
    ("set_name", "missing"),
    [(set_name, name) for set_name, (_, mandatory) in BODIES.items() for name in mandatory],
)
@pytest.mark.parametrize("how", ["left out", "null"])
def test_datamodel_mandatory_property_is_asked_for(api: Api, set_name: str, missing: str, how: str) -> None:
    """req/datamodel/.../properties: multiplicity one (mandatory)."""
    body = dict(BODIES[set_name][0])
    del body[missing]
    if how == "null":
        body[missing] = None

    assert api.refuse("POST", set_name, body)["status"] == 400


@pytest.mark.parametrize("missing", DATASTREAM_MANDATORY)
def test_datamodel_datastream_asks_for_its_mandatory_parts(api: Api, missing: str) -> None:
    """req/datamodel/datastream/properties and req/datamodel/datastream/relations."""
    made = api.create("Things", {"name": "T", "description": "t"})
    body = {name: value for name, value in datastream().items() if name != missing}

    assert api.refuse("POST", f"{path_of(made, 'Things')}/Datastreams", body)["status"] in {400, 409}
    assert count_of(api, f"{path_of(made, 'Things')}/Datastreams") == 0


def test_datamodel_datastream_without_thing_is_refused(api: Api) -> None:
    """req/datamodel/datastream/relations: exactly one Thing."""
    assert api.refuse("POST", "Datastreams", datastream())["status"] in {400, 409}


def test_datamodel_unit_of_measurement_may_have_nulls(api: Api) -> None:
    """req/datamodel/datastream/properties: name, symbol and definition, each may be null."""
    unit = {"name": None, "symbol": None, "definition": None}

    stream = stream_of(api, unitOfMeasurement=unit)

    assert api.read(stream)["unitOfMeasurement"] == unit


@pytest.mark.parametrize("set_name", [name for name in SETS if name != "MultiDatastreams"])
def test_datamodel_every_relation_has_a_navigation_link(api: Api, set_name: str) -> None:
    """req/datamodel/.../relations: a link for each relation that is not expanded, and it leads there."""
    stream_of(api, observation(1))
    entity = api.read(f"{set_name}?$top=1&$orderby=id%20desc")["value"][0]

    for relation in SETS[set_name]:
        if (set_name, relation) == ("Observations", "MultiDatastream"):
            continue
        link = entity[f"{relation}@iot.navigationLink"]
        assert api.read(f"{path_of(entity, set_name)}/{relation}") == api.read(link)


@pytest.mark.parametrize(
    "result",
    [
        1,
        0,
        -7,
        2.5,
        1e-09,
        1e300,
        2**53 + 1,
        12345678901234567890,
        "",
        "text",
        'it\'s "so" é 🙂',
        True,
        False,
        None,
        [],
        [1, [2]],
        {},
        {"a": {"b": None}},
    ],
    ids=repr,
)
def test_datamodel_result_is_any_json_and_comes_back_as_it_was(api: Api, result: Json) -> None:
    """req/datamodel/observation/properties: result is of any type."""
    stream = stream_of(api)

    made = api.create(f"{stream}/Observations", observation(result))

    read = api.read(path_of(made, "Observations"))["result"]
    assert read == made["result"]
    if isinstance(result, float):  # 1E300 may come back with all of its digits
        assert float(read) == result
    else:
        assert read == result
        assert type(read) is type(result)


@pytest.mark.parametrize(
    "text", ["20.0", "1.10", "100000000000000000000", "0.1000000000000000055511151231257827"]
)
def test_datamodel_number_keeps_its_value_through_the_store(api: Api, text: str) -> None:
    """req/datamodel/observation/properties: a number is not changed by the server."""
    stream = stream_of(api)
    body = f'{{"result": {text}, "phenomenonTime": "2020-01-01T00:00:00Z"}}'

    made = api.send(
        "POST", f"{stream}/Observations", content=body, headers={"content-type": "application/json"}
    )

    assert made.status_code == 201, made.text
    assert api.read(f"{stream}/Observations")["value"][0]["result"] == float(text)


@pytest.mark.parametrize(
    ("sent", "instant"),
    [
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05.678Z", "2020-01-02T03:04:05.678Z"),
        ("2020-01-02T05:04:05+02:00", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05.123456Z", "2020-01-02T03:04:05.123456Z"),
    ],
)
def test_datamodel_times_are_instants_of_iso_8601(api: Api, sent: str, instant: str) -> None:
    """req/datamodel/observation/properties: phenomenonTime and resultTime are ISO 8601 times."""
    stream = stream_of(api, {"result": 1, "phenomenonTime": sent, "resultTime": sent})

    read = api.read(f"{stream}/Observations")["value"][0]
    for name in ("phenomenonTime", "resultTime"):
        assert re.sub(r"\.?0*Z$", "Z", read[name]) == re.sub(r"\.?0*Z$", "Z", instant)


def test_datamodel_phenomenon_time_may_be_an_interval(api: Api) -> None:
    """req/datamodel/observation/properties: phenomenonTime is a TM_Object, validTime a TM_Period."""
    interval = "2020-01-01T00:00:00Z/2020-01-01T01:00:00Z"

    stream = stream_of(api, {"result": 1, "phenomenonTime": interval, "validTime": interval})

    (read,) = api.read(f"{stream}/Observations")["value"]
    assert _whole_seconds(read["phenomenonTime"]) == _whole_seconds(read["validTime"]) == interval


@pytest.mark.parametrize("name", ["phenomenonTime", "resultTime", "validTime"])
@pytest.mark.parametrize(
    "value", ["yesterday", 5, "2020-13-01T00:00:00Z", "2020-01-02T00:00:00Z/2020-01-01T00:00:00Z", {}]
)
def test_datamodel_time_that_is_none_is_refused(api: Api, name: str, value: Json) -> None:
    """req/datamodel/observation/properties: a time that cannot be read is the client's mistake."""
    stream = stream_of(api)

    assert api.refuse("POST", f"{stream}/Observations", {"result": 1} | {name: value})["status"] == 400


def test_datamodel_optional_observation_properties_are_kept(api: Api) -> None:
    """req/datamodel/observation/properties: resultQuality, parameters."""
    extra: Json = {"resultQuality": {"code": "good"}, "parameters": {"depth": 3, "é": [None]}}

    stream = stream_of(api, observation(1, **extra))

    (read,) = api.read(f"{stream}/Observations")["value"]
    assert {name: read[name] for name in extra} == extra


def test_datamodel_datastream_times_and_area_follow_its_observations(api: Api) -> None:
    """req/datamodel/datastream/properties: times and area are those of its Observations."""
    stream = stream_of(api)
    derived = ("phenomenonTime", "resultTime", "observedArea")
    assert not any(api.read(stream).get(name) for name in derived)

    west = api.create(
        f"{stream}/Observations",
        observation(1, 0, resultTime="2020-02-01T00:00:00Z", FeatureOfInterest=feature()),
    )
    east = api.create(
        f"{stream}/Observations",
        observation(1, 60, resultTime="2020-02-02T00:00:00Z")
        | {"FeatureOfInterest": feature(geometry={"type": "Point", "coordinates": [3.0, 5.0]})},
    )

    both = api.read(stream)
    assert _whole_seconds(both["phenomenonTime"]) == "2020-01-01T00:00:00Z/2020-01-01T00:01:00Z"
    assert _whole_seconds(both["resultTime"]) == "2020-02-01T00:00:00Z/2020-02-02T00:00:00Z"
    assert _box(both["observedArea"]) == (1, 2, 3, 5)
    api.change(path_of(east, "Observations"), {"phenomenonTime": "2020-01-01T00:30:00Z"})
    assert _whole_seconds(api.read(stream)["phenomenonTime"]).endswith("/2020-01-01T00:30:00Z")
    api.delete(path_of(west, "Observations"))
    one = api.read(stream)
    assert set(_whole_seconds(one["phenomenonTime"]).split("/")) == {"2020-01-01T00:30:00Z"}
    assert _box(one["observedArea"]) == (3, 5, 3, 5)
    api.delete(path_of(east, "Observations"))
    assert not any(api.read(stream).get(name) for name in derived)


def test_datamodel_datastream_times_sent_by_a_client_are_not_believed(api: Api) -> None:
    """req/datamodel/datastream/properties: set by the server."""
    stream = stream_of(api, phenomenonTime="2000-01-01T00:00:00Z/2001-01-01T00:00:00Z", observedArea=POINT)

    assert not api.read(stream).get("phenomenonTime")
    assert not api.read(stream).get("observedArea")


@pytest.mark.parametrize("encoding", ["application/geo+json", "application/vnd.geo+json"])
def test_datamodel_both_names_of_geojson_are_kept(api: Api, encoding: str) -> None:
    """req/datamodel/location/properties: 1.0 and 1.1 name the encoding differently."""
    made = api.create("Locations", location() | {"encodingType": encoding})

    assert api.read(path_of(made, "Locations"))["encodingType"] == encoding


@pytest.mark.parametrize(
    "kind", ["Measurement", "CountObservation", "TruthObservation", "CategoryObservation", "Observation"]
)
def test_datamodel_every_observation_type_is_taken(api: Api, kind: str) -> None:
    """req/datamodel/datastream/properties: the value codes of observationType."""
    stream = stream_of(api, observationType=f"{OM}OM_{kind}")

    assert api.read(f"{stream}/observationType") == {"observationType": f"{OM}OM_{kind}"}


def test_datamodel_location_may_be_other_than_geojson(api: Api) -> None:
    """req/datamodel/location/properties: location is of any type, as its encodingType says."""
    made = api.create("Locations", location() | {"encodingType": "text/plain", "location": "behind the mill"})

    assert api.read(path_of(made, "Locations"))["location"] == "behind the mill"
    api.create("Things", thing(Locations=[{"@iot.id": made["@iot.id"]}]))


def _whole_seconds(text: str) -> str:
    return re.sub(r"\.0+Z", "Z", text)


def _box(area: Json) -> tuple[float, float, float, float]:
    from shapely.geometry import shape

    bounds: tuple[float, float, float, float] = shape(area).bounds
    return bounds
