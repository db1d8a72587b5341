"""Requirements class "create-update-delete": entities made, linked, changed, replaced and deleted.

Source: OGC 18-088, clause 10. JSON Patch, and the rules of Locations and features, have modules of their own.
"""

import json

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
from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing

GONE = 2**40


@pytest.fixture
def station(api: Api) -> str:
    """A Thing with a Location and a Datastream with one Observation."""
    body = thing(properties={"a": 1, "b": {"c": 2}}, Datastreams=[datastream(Observations=[observation(1)])])
    return path_of(api.create("Things", body), "Things")


def first(api: Api, path: str) -> str:
    """The path of the first entity of a set."""
    entity = api.read(f"{path}?$orderby=id&$top=1")["value"][0]
    return path_of(entity, path.rpartition("/")[2])


def counts(api: Api) -> dict[str, int]:
    return {name: count_of(api, name) for name in SETS}


def test_create_entity_answers_201_with_its_address(api: Api) -> None:
    """req/create-update-delete/create-entity."""
    answer = api.send("POST", "Things", {"name": "T", "description": "t"})

    assert answer.status_code == 201
    assert answer.headers["location"] == answer.json()["@iot.selfLink"]
    assert api.read(answer.headers["location"]) == answer.json()


def test_create_entity_in_every_set(api: Api, station: str) -> None:
    """req/create-update-delete/create-entity: by a POST to the set with links in the body."""
    link = {"@iot.id": api.read(station)["@iot.id"]}
    one = {"@iot.id": api.create("Sensors", sensor())["@iot.id"]}
    other = {"@iot.id": api.create("ObservedProperties", observed_property())["@iot.id"]}
    place = {"@iot.id": api.create("Locations", location())["@iot.id"]}
    subject = {"@iot.id": api.create("FeaturesOfInterest", feature())["@iot.id"]}

    stream = api.create("Datastreams", datastream(Thing=link, Sensor=one, ObservedProperty=other))
    row = api.create(
        "Observations", observation(5, Datastream={"@iot.id": stream["@iot.id"]}, FeatureOfInterest=subject)
    )
    past = api.create(
        "HistoricalLocations", {"time": "2001-01-01T00:00:00Z", "Thing": link, "Locations": [place]}
    )

    assert api.read(f"{path_of(row, 'Observations')}/Datastream/Sensor")["@iot.id"] == one["@iot.id"]
    assert api.read(f"{path_of(row, 'Observations')}/FeatureOfInterest")["@iot.id"] == subject["@iot.id"]
    assert api.read(f"{path_of(past, 'HistoricalLocations')}/Thing")["@iot.id"] == link["@iot.id"]


def test_create_entity_linked_by_the_path(api: Api, station: str) -> None:
    """req/create-update-delete/link-to-existing-entities: a POST to a relation."""
    stream = api.create(f"{station}/Datastreams", datastream("by path"))
    row = api.create(f"{path_of(stream, 'Datastreams')}/Observations", observation(1))
    place = api.create(f"{station}/Locations", location("by path") | {"encodingType": "text/other"})

    assert api.read(f"{path_of(stream, 'Datastreams')}/Thing")["@iot.selfLink"] == f"{api.root}/{station}"
    assert api.read(f"{path_of(row, 'Observations')}/Datastream")["@iot.id"] == stream["@iot.id"]
    assert place["@iot.id"] in [one["@iot.id"] for one in api.read(f"{station}/Locations")["value"]]
    assert api.refuse("POST", f"Things({GONE})/Datastreams", datastream())["status"] == 404


def test_create_entity_deep_insert_goes_to_any_depth(api: Api) -> None:
    """req/create-update-delete/deep-insert: from an ObservedProperty down to the Locations of a Thing."""
    inner = datastream(
        Thing=thing("at the end", Datastreams=[]),
        Observations=[observation(1, FeatureOfInterest=feature("deep")), observation(2, 1)],
    )
    del inner["ObservedProperty"]

    made = api.create("ObservedProperties", observed_property("upside down", Datastreams=[inner]))

    read = api.read(
        f"{path_of(made, 'ObservedProperties')}?$expand=Datastreams($expand=Thing/Locations,Sensor,"
        "Observations($orderby=id;$expand=FeatureOfInterest))"
    )
    (stream,) = read["Datastreams"]
    assert stream["Thing"]["Locations"][0]["name"] == "Salzburg"
    assert stream["Sensor"]["name"] == "S"
    assert [row["FeatureOfInterest"]["name"] for row in stream["Observations"]] == ["deep", "Salzburg"]


@pytest.mark.parametrize(
    "body",
    [
        thing(Datastreams=[datastream(), {"name": "lame"}]),
        thing(Datastreams=[datastream(Sensor={"@iot.id": GONE})]),
        thing(
            Datastreams=[datastream(Observations=[observation(1), {"phenomenonTime": "never", "result": 1}])]
        ),
        thing(Datastreams=[datastream(Observations=[observation(1, FeatureOfInterest={"name": "lame"})])]),
        thing(Locations=[location(), {"name": "lame"}]),
        thing(Locations=[], Datastreams=[datastream(Observations=[observation(1)])]),
        thing(Datastreams={"not": "a list"}),
        thing(Datastreams=["text"]),
        thing(Locations=[{"@iot.id": "x"}]),
        thing(HistoricalLocations=[{"time": "never"}]),
    ],
    ids=lambda body: json.dumps(body)[-60:],
)
def test_create_entity_deep_insert_that_fails_leaves_nothing(api: Api, body: Json) -> None:
    """req/create-update-delete/deep-insert-status-code: all or nothing."""
    before = counts(api)

    assert api.refuse("POST", "Things", body)["status"] in {400, 409}
    assert counts(api) == before


def test_create_entity_links_must_exist(api: Api) -> None:
    """req/create-update-delete/link-to-existing-entities."""
    for name in ("Thing", "Sensor", "ObservedProperty"):
        made = api.create("Things", {"name": "T", "description": "t"})
        body = datastream(Thing={"@iot.id": made["@iot.id"]}) | {name: {"@iot.id": GONE}}
        assert api.refuse("POST", "Datastreams", body)["status"] in {400, 404, 409}, name
    assert api.refuse("POST", "Observations", observation(1, Datastream={"@iot.id": GONE}))["status"] in {
        400,
        404,
        409,
    }


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", "null", '"text"', '{"name":}', "{'name':'T'}", "\x00", "\ufeff{}", "NaN"]
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_create_or_update_with_a_body_that_is_no_object_is_refused(
    api: Api, station: str, method: str, content: str
) -> None:
    """req/create-update-delete/create-entity: 400 for what cannot be read."""
    path = "Things" if method == "POST" else station
    headers = {"content-type": "application/json"}

    assert api.refuse(method, path, content=content.encode(), headers=headers)["status"] == 400


@pytest.mark.parametrize(
    "body",
    [
        {"name": 5},
        {"name": None},
        {"properties": "text"},
        {"properties": [1]},
        {"description": {}},
        {"Datastreams": 5},
        {"name": "a\x00b"},
        {"properties": {"a\x00": 1}},
        {"name": chr(0xD800)},
    ],
    ids=repr,
)
def test_create_or_update_with_a_value_of_another_type_is_refused(api: Api, station: str, body: Json) -> None:
    """req/create-update-delete/create-entity, update-entity: property types of the data model."""
    content = json.dumps({"name": "T", "description": "t"} | body).encode()
    headers = {"content-type": "application/json"}

    assert api.refuse("POST", "Things", content=content, headers=headers)["status"] == 400
    assert api.refuse("PATCH", station, content=json.dumps(body).encode(), headers=headers)["status"] == 400
    assert api.read(station)["name"] == "Station"


def test_create_entity_ignores_what_the_server_sets(api: Api) -> None:
    """req/create-update-delete/create-entity: links and addresses in a body, as copied from an answer."""
    made = api.create("Things", {"name": "T", "description": "t"})

    copied = api.create("Things", {name: value for name, value in made.items() if name != "@iot.id"})

    assert copied["@iot.selfLink"] != made["@iot.selfLink"]


def test_update_entity_changes_what_is_given_only(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity: 200, other properties keep their values."""
    before = api.read(station)

    api.change(station, {"name": "renamed"})

    assert api.read(station) == before | {"name": "renamed"}


def test_update_entity_replaces_properties_whole(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity: an object is one value; it is not merged."""
    api.change(station, {"properties": {"b": {"d": 3}}})

    assert api.read(station)["properties"] == {"b": {"d": 3}}


def test_update_entity_ignores_its_id(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity: the id cannot be changed."""
    api.change(station, {"@iot.id": GONE, "name": "same"})

    assert api.read(station)["name"] == "same"
    assert api.send("GET", f"Things({GONE})").status_code == 404


def test_update_entity_moves_a_to_one_link(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity: links by id."""
    stream = first(api, f"{station}/Datastreams")
    other = api.create("Sensors", sensor("other"))
    target = api.create("Things", {"name": "target", "description": "t"})

    api.change(stream, {"Sensor": {"@iot.id": other["@iot.id"]}, "Thing": {"@iot.id": target["@iot.id"]}})

    assert api.read(f"{stream}/Sensor")["name"] == "other"
    assert count_of(api, f"{station}/Datastreams") == 0
    assert count_of(api, f"{path_of(target, 'Things')}/Datastreams") == 1


def test_update_entity_adds_to_a_to_many_link(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity: to-many links by id are added."""
    target = api.create("Things", thing("target", Datastreams=[datastream("kept")]))
    stream = api.read(f"{station}/Datastreams")["value"][0]

    api.change(path_of(target, "Things"), {"Datastreams": [{"@iot.id": stream["@iot.id"]}]})

    names = {one["name"] for one in api.read(f"{path_of(target, 'Things')}/Datastreams")["value"]}
    assert names == {"kept", stream["name"]}


def test_update_entity_with_an_inline_entity_is_refused(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity: 400, and nothing is changed."""
    stream = first(api, f"{station}/Datastreams")
    before = counts(api)

    for path, body in (
        (stream, {"name": "no", "Sensor": sensor()}),
        (station, {"name": "no", "Locations": [location()]}),
        (station, {"name": "no", "Datastreams": [datastream()]}),
        (first(api, f"{stream}/Observations"), {"result": 0, "FeatureOfInterest": feature()}),
    ):
        assert api.refuse("PATCH", path, body)["status"] == 400
    assert counts(api) == before
    assert "no" not in {api.read(stream)["name"], api.read(station)["name"]}


def test_update_entity_in_every_set(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity: each entity type."""
    stream = first(api, f"{station}/Datastreams")
    past = path_of(api.read(f"{station}/HistoricalLocations")["value"][0], "HistoricalLocations")
    changes: list[tuple[str, dict[str, Json]]] = [
        (first(api, f"{station}/Locations"), {"location": {"type": "Point", "coordinates": [9, 9]}}),
        (past, {"time": "2001-01-01T00:00:00Z"}),
        (
            stream,
            {
                "unitOfMeasurement": {"name": "K", "symbol": "K", "definition": None},
                "properties": {"x": None},
            },
        ),
        (path_of(api.read(f"{stream}/Sensor"), "Sensors"), {"metadata": {"a": [1]}}),
        (
            path_of(api.read(f"{stream}/ObservedProperty"), "ObservedProperties"),
            {"definition": "http://x.org/new"},
        ),
        (first(api, f"{stream}/Observations"), {"result": {"now": "object"}, "parameters": {"p": 1}}),
        (
            path_of(
                api.read(f"{first(api, f'{stream}/Observations')}/FeatureOfInterest"), "FeaturesOfInterest"
            ),
            {"name": "F2"},
        ),
    ]

    for path, change in changes:
        api.change(path, change)
        read = api.read(path)
        for name, value in change.items():
            assert read[name] == value or read[name].startswith("2001-01-01T00:00:00"), path


def test_update_entity_refuses_the_removal_of_what_is_mandatory(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity: a mandatory property cannot become null."""
    assert api.refuse("PATCH", station, {"name": None})["status"] == 400
    api.change(station, {"properties": None})
    assert "properties" not in api.read(station) or api.read(station)["properties"] is None


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("set_name", SETS)
def test_update_or_delete_of_a_missing_entity_is_404(api: Api, set_name: str, method: str) -> None:
    """req/create-update-delete/update-entity, delete-entity."""
    bodies: Json = {"HistoricalLocations": {"time": "2001-01-01T00:00:00Z"}, "Observations": {"result": 1}}
    body = None if method == "DELETE" else bodies.get(set_name, {"name": "n"})

    status = api.refuse(method, f"{set_name}({GONE})", body)["status"]

    assert status == 404 or (method == "PUT" and status == 400)


def test_update_entity_put_replaces_the_whole_entity(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity-put: what is not given is gone."""
    before = api.read(station)

    answer = api.send("PUT", station, {"name": "put", "description": "whole"})

    assert answer.status_code == 200, answer.text
    after = api.read(station)
    assert (after["name"], after["description"], after.get("properties")) == ("put", "whole", None)
    assert after["@iot.id"] == before["@iot.id"]
    assert count_of(api, f"{station}/Datastreams") == 1


def test_update_entity_put_asks_for_what_is_mandatory(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity-put: 400 when a mandatory property is missing."""
    assert api.refuse("PUT", station, {"name": "only"})["status"] == 400
    assert api.read(station)["name"] == "Station"


def test_delete_entity_is_200_then_404(api: Api, station: str) -> None:
    """req/create-update-delete/delete-entity."""
    answer = api.send("DELETE", station, headers={"content-type": "application/x-www-form-urlencoded"})

    assert answer.status_code == 200
    assert api.send("GET", station).status_code == 404
    assert api.refuse("DELETE", station)["status"] == 404


CASCADES = {
    "Things": (
        {"Datastreams", "HistoricalLocations", "Observations"},
        {"Locations", "Sensors", "ObservedProperties"},
    ),
    "Datastreams": ({"Observations"}, {"Things", "Sensors", "ObservedProperties", "FeaturesOfInterest"}),
    "Sensors": ({"Datastreams", "Observations"}, {"Things", "ObservedProperties", "FeaturesOfInterest"}),
    "ObservedProperties": ({"Datastreams", "Observations"}, {"Things", "Sensors", "FeaturesOfInterest"}),
    "FeaturesOfInterest": ({"Observations"}, {"Things", "Datastreams", "Sensors"}),
    "Locations": ({"HistoricalLocations"}, {"Things", "Datastreams", "Observations", "FeaturesOfInterest"}),
    "Observations": (set(), {"Datastreams", "FeaturesOfInterest", "Things"}),
    "HistoricalLocations": (set(), {"Locations", "Things"}),
}


@pytest.mark.parametrize("set_name", CASCADES)
def test_delete_entity_takes_with_it_what_cannot_be_alone(api: Api, station: str, set_name: str) -> None:
    """req/create-update-delete/delete-entity, table 25: integrity of what is left."""
    stream = first(api, f"{station}/Datastreams")
    row = first(api, f"{stream}/Observations")
    paths = {
        "Things": station,
        "Datastreams": stream,
        "Observations": row,
        "Sensors": path_of(api.read(f"{stream}/Sensor"), "Sensors"),
        "ObservedProperties": path_of(api.read(f"{stream}/ObservedProperty"), "ObservedProperties"),
        "FeaturesOfInterest": path_of(api.read(f"{row}/FeatureOfInterest"), "FeaturesOfInterest"),
        "Locations": first(api, f"{station}/Locations"),
        "HistoricalLocations": first(api, f"{station}/HistoricalLocations"),
    }
    deleted, kept = CASCADES[set_name]

    api.delete(paths[set_name])

    statuses = {name: api.send("GET", path).status_code for name, path in paths.items()}
    assert {name for name in deleted | kept | {set_name} if statuses[name] == 404} == deleted | {set_name}


def test_methods_that_do_not_belong_are_405(api: Api, station: str) -> None:
    """RFC 9110, clause 15.5.6: 405, with the methods that do."""
    for method, path in (
        ("POST", station),
        ("DELETE", f"{station}/name"),
        ("PUT", "Things"),
        ("PATCH", "Things"),
    ):
        answer = api.send(method, path, {"name": "x", "description": "y"} if method != "DELETE" else None)
        assert answer.status_code in {405, 404}, (method, path, answer.text)
        if answer.status_code == 405:
            assert "GET" in answer.headers["allow"]
    assert api.send("DELETE", "Things").status_code in {403, 405}
    assert count_of(api, "Things") > 0


def test_create_observation_sets_its_phenomenon_time_only(api: Api) -> None:
    """req/create-update-delete/create-entity: phenomenonTime becomes now, resultTime stays null."""
    stream = stream_of(api)

    made = api.create(f"{stream}/Observations", {"result": 1})

    assert made["resultTime"] is None
    (found,) = api.found(f"{stream}/Observations", "phenomenonTime gt now() sub duration'PT5M'", "@iot.id")
    assert found == made["@iot.id"]


def test_create_observation_of_every_type_of_result(api: Api) -> None:
    """req/create-update-delete/create-entity: an observationType does not restrict by default."""
    stream = stream_of(api, observationType=f"{OM}OM_CountObservation")

    for result in (1, "text", None, [1], {"a": 1}, True):
        assert api.create(f"{stream}/Observations", observation(result))["result"] == result
