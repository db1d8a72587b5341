"""Requirements class "multi-datastream": several quantities in one result.

Source: OGC 18-088, clause 11.2.
"""

import pytest

from tests.conformance.sensorthings.requirements import (
    OM,
    count_of,
    observation,
    observed_property,
    path_of,
    sensor,
)
from tests.integration.sensorthings.samples import Api, Json, location, thing

COMPLEX = f"{OM}OM_ComplexObservation"
PARTS = ("speed", "direction", "gust")


def unit(name: str) -> dict[str, Json]:
    return {"name": name, "symbol": name[0], "definition": None}


def multi(*parts: str, **more: Json) -> dict[str, Json]:
    """A MultiDatastream of these quantities."""
    return {
        "name": "wind",
        "description": "of the air",
        "observationType": COMPLEX,
        "multiObservationDataTypes": [f"{OM}OM_Measurement" for _ in parts],
        "unitOfMeasurements": [unit(part) for part in parts],
        "ObservedProperties": [observed_property(part) for part in parts],
        "Sensor": sensor(),
    } | more


@pytest.fixture
def station(api: Api) -> str:
    """A Thing with a Location."""
    return path_of(api.create("Things", thing(Datastreams=[])), "Things")


@pytest.fixture
def stream(api: Api, station: str) -> str:
    """A MultiDatastream of three quantities."""
    return path_of(api.create(f"{station}/MultiDatastreams", multi(*PARTS)), "MultiDatastreams")


def test_multi_datastream_keeps_its_properties(api: Api, station: str, stream: str) -> None:
    """req/multi-datastream/properties."""
    read = api.read(stream)

    assert read["observationType"] == COMPLEX
    assert read["multiObservationDataTypes"] == [f"{OM}OM_Measurement"] * 3
    assert read["unitOfMeasurements"] == [unit(part) for part in PARTS]
    assert "unitOfMeasurement" not in read
    assert read["@iot.selfLink"] == f"{api.root}/{stream}"
    assert api.read(f"{stream}/unitOfMeasurements") == {"unitOfMeasurements": read["unitOfMeasurements"]}
    assert [one["@iot.id"] for one in api.read(f"{station}/MultiDatastreams")["value"]] == [read["@iot.id"]]


def test_multi_datastream_has_its_relations(api: Api, station: str, stream: str) -> None:
    """req/multi-datastream/relations."""
    read = api.read(f"{stream}?$expand=Thing,Sensor,ObservedProperties,Observations")

    assert read["Thing"]["@iot.selfLink"] == f"{api.root}/{station}"
    assert read["Sensor"]["name"] == "S"
    assert [one["name"] for one in read["ObservedProperties"]] == list(PARTS)
    assert read["Observations"] == []
    assert count_of(api, f"{path_of(read['Sensor'], 'Sensors')}/MultiDatastreams") == 1
    assert count_of(api, f"{path_of(read['Sensor'], 'Sensors')}/Datastreams") == 0
    subject = path_of(read["ObservedProperties"][1], "ObservedProperties")
    assert [one["name"] for one in api.read(f"{subject}/MultiDatastreams")["value"]] == ["wind"]


def test_multi_datastream_keeps_the_order_of_its_observed_properties(api: Api, station: str) -> None:
    """req/multi-datastream/constraints: ObservedProperties in the order of the result, one twice too."""
    known = [api.create("ObservedProperties", observed_property(name))["@iot.id"] for name in ("z", "a", "m")]
    links = [{"@iot.id": known[place]} for place in (2, 0, 1)]

    made = api.create(f"{station}/MultiDatastreams", multi("m", "z", "a", ObservedProperties=links))

    path = f"{path_of(made, 'MultiDatastreams')}/ObservedProperties"
    assert [one["name"] for one in api.read(path)["value"]] == ["m", "z", "a"]
    expanded = api.read(f"{path_of(made, 'MultiDatastreams')}?$expand=ObservedProperties")[
        "ObservedProperties"
    ]
    assert [one["name"] for one in expanded] == ["m", "z", "a"]
    assert [one["name"] for one in api.read(f"{path}?$orderby=name")["value"]] == ["a", "m", "z"]


def test_multi_datastream_may_observe_one_property_twice(api: Api, station: str) -> None:
    """req/multi-datastream/constraints: wind at two heights is one ObservedProperty and two parts."""
    known = {"@iot.id": api.create("ObservedProperties", observed_property("wind"))["@iot.id"]}

    made = api.create(f"{station}/MultiDatastreams", multi("low", "high", ObservedProperties=[known, known]))

    found = api.read(f"{path_of(made, 'MultiDatastreams')}/ObservedProperties")["value"]
    assert {one["@iot.id"] for one in found} == {known["@iot.id"]}
    api.create(f"{path_of(made, 'MultiDatastreams')}/Observations", observation([1, 2]))


@pytest.mark.parametrize(
    "change",
    [
        {"multiObservationDataTypes": [f"{OM}OM_Measurement"] * 2},
        {"unitOfMeasurements": [unit("a")]},
        {"ObservedProperties": [observed_property("a")] * 4},
        {"ObservedProperties": []},
        {"multiObservationDataTypes": "text"},
        {"unitOfMeasurements": {"a": 1}},
        {"unitOfMeasurements": ["m", "m", "m"]},
        {"multiObservationDataTypes": [1, 2, 3]},
        {"unitOfMeasurements": None},
        {"Sensor": None},
        {"observationType": f"{OM}OM_Measurement"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_multi_datastream_with_parts_that_do_not_match_is_refused(
    api: Api, station: str, change: Json
) -> None:
    """req/multi-datastream/constraints: types, units and ObservedProperties have one length."""
    assert api.refuse("POST", f"{station}/MultiDatastreams", multi(*PARTS, **change))["status"] in {400, 409}
    assert count_of(api, f"{station}/MultiDatastreams") == 0


def test_multi_datastream_takes_results_of_its_length(api: Api, stream: str) -> None:
    """req/multi-datastream/constraints: each result is an array with a value for each part."""
    made = api.create(f"{stream}/Observations", observation([1, 2.5, None]))

    assert api.read(path_of(made, "Observations"))["result"] == [1, 2.5, None]
    for result in ([1, 2], [1, 2, 3, 4], 5, "1,2,3", None, {"a": 1}, []):
        assert api.refuse("POST", f"{stream}/Observations", observation(result))["status"] == 400, result
    assert count_of(api, f"{stream}/Observations") == 1
    assert api.refuse("PATCH", path_of(made, "Observations"), {"result": [1]})["status"] == 400


def test_multi_datastream_observation_knows_its_only_stream(api: Api, stream: str) -> None:
    """req/multi-datastream/relations: an Observation has a Datastream or a MultiDatastream."""
    made = api.create(f"{stream}/Observations", observation([1, 2, 3]))
    path = path_of(made, "Observations")

    assert api.read(f"{path}/MultiDatastream")["@iot.selfLink"] == f"{api.root}/{stream}"
    assert api.refuse("GET", f"{path}/Datastream")["status"] == 404
    assert api.read(f"{path}?$expand=MultiDatastream,Datastream")["MultiDatastream"]["name"] == "wind"
    assert api.read(f"{path}/FeatureOfInterest")["name"] == "Salzburg"
    both = observation(1, Datastream={"@iot.id": 1}, MultiDatastream={"@iot.id": made["@iot.id"]})
    assert api.refuse("POST", "Observations", both)["status"] in {400, 404, 409}
    assert api.refuse("POST", "Observations", observation(1))["status"] in {400, 409}


def test_multi_datastream_by_link_and_by_deep_insert(api: Api) -> None:
    """req/multi-datastream/relations: links in the body, and whole trees."""
    rows = [observation([number, number], number) for number in range(3)]
    body = thing(Datastreams=[], MultiDatastreams=[multi("a", "b", Observations=rows)])

    made = api.create("Things", body)

    (stream,) = api.read(f"{path_of(made, 'Things')}/MultiDatastreams?$expand=Observations($orderby=id)")[
        "value"
    ]
    assert [row["result"] for row in stream["Observations"]] == [[0, 0], [1, 1], [2, 2]]
    link = {"MultiDatastream": {"@iot.id": stream["@iot.id"]}}
    api.create("Observations", observation([7, 7], 7, **link))
    assert count_of(api, f"{path_of(stream, 'MultiDatastreams')}/Observations") == 4


def test_multi_datastream_is_not_among_the_datastreams(api: Api, station: str, stream: str) -> None:
    """req/multi-datastream/relations: the two sets hold different entities."""
    identifier = api.read(stream)["@iot.id"]

    assert count_of(api, f"{station}/Datastreams") == 0
    assert api.send("GET", f"Datastreams({identifier})").status_code == 404
    assert identifier not in api.found("Datastreams", "name eq 'wind'", "@iot.id")
    assert api.found("MultiDatastreams", f"id eq {identifier} and Thing/name eq 'Station'", "name") == [
        "wind"
    ]


def test_multi_datastream_times_and_area_follow_its_observations(api: Api, stream: str) -> None:
    """req/multi-datastream/properties: phenomenonTime, resultTime, observedArea."""
    api.create(f"{stream}/Observations", observation([1, 2, 3], 0))
    made = api.create(f"{stream}/Observations", observation([1, 2, 3], 9))

    begin, end = api.read(stream)["phenomenonTime"].split("/")
    assert (begin[:19], end[:19]) == ("2020-01-01T00:00:00", "2020-01-01T00:00:09")
    assert api.read(stream)["observedArea"]
    api.delete(path_of(made, "Observations"))
    assert "00:00:09" not in api.read(stream)["phenomenonTime"]


def test_multi_datastream_results_filter_by_part(api: Api, stream: str) -> None:
    """FROST issue 5: an element of the result in $filter and $orderby."""
    for place, result in enumerate([[1, 9, 0], [2, 8, 0], [3, 7, 0]]):
        api.create(f"{stream}/Observations", observation(result, place))

    assert api.found(f"{stream}/Observations", "result[1] gt 7") == [[1, 9, 0], [2, 8, 0]]
    ordered = api.read(f"{stream}/Observations?$orderby=result[1]&$top=1")["value"]
    assert ordered[0]["result"] == [3, 7, 0]


@pytest.mark.parametrize("set_name", ["MultiDatastreams", "Things", "Sensors", "ObservedProperties"])
def test_multi_datastream_is_deleted_with_what_it_needs(
    api: Api, station: str, stream: str, set_name: str
) -> None:
    """req/multi-datastream/relations: deleting as for a Datastream."""
    made = api.create(f"{stream}/Observations", observation([1, 2, 3]))
    paths = {
        "MultiDatastreams": stream,
        "Things": station,
        "Sensors": path_of(api.read(f"{stream}/Sensor"), "Sensors"),
        "ObservedProperties": path_of(
            api.read(f"{stream}/ObservedProperties")["value"][1], "ObservedProperties"
        ),
    }

    api.delete(paths[set_name])

    assert api.send("GET", stream).status_code == 404
    assert api.send("GET", path_of(made, "Observations")).status_code == 404


def test_multi_datastream_changes(api: Api, stream: str) -> None:
    """req/multi-datastream/properties: PATCH of its parts keeps the lengths."""
    api.change(stream, {"name": "renamed", "unitOfMeasurements": [unit(part) for part in "xyz"]})

    assert api.read(stream)["unitOfMeasurements"][0]["name"] == "x"
    assert api.refuse("PATCH", stream, {"unitOfMeasurements": [unit("x")]})["status"] in {400, 409}
    assert api.refuse("PATCH", stream, {"multiObservationDataTypes": []})["status"] in {400, 409}


def test_multi_datastream_of_a_thing_without_location_asks_for_a_feature(api: Api) -> None:
    """req/multi-datastream/relations: the rule for FeaturesOfInterest is that of Datastreams."""
    made = api.create("Things", thing(Locations=[], Datastreams=[], MultiDatastreams=[multi("a")]))
    (stream,) = api.read(f"{path_of(made, 'Things')}/MultiDatastreams")["value"]

    assert api.refuse("POST", f"{path_of(stream, 'MultiDatastreams')}/Observations", observation([1]))[
        "status"
    ] in {400, 409}
    api.create(f"{path_of(made, 'Things')}/Locations", location())
    api.create(f"{path_of(stream, 'MultiDatastreams')}/Observations", observation([1]))
