"""Changing entities: JSON Patch, merge patch, links as such (`$ref`), moves of Observations and of Things."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.integration.sensorthings.samples import Api, Json, area_around, datastream, location

NewThing = Callable[..., tuple[str, str]]
JSON_PATCH = {"content-type": "application/json-patch+json"}


def _names(api: Api, path: str) -> list[str]:
    return [one["name"] for one in api.read(f"{path}?$orderby=id")["value"]]


def _place(api: Api, name: str, encoding: str = "application/geo+json") -> tuple[int, str]:
    made = api.create("Locations", location(name) | {"encodingType": encoding})
    return made["@iot.id"], made["@iot.selfLink"]


def _history(api: Api, path: str) -> list[set[str]]:
    moves = api.read(f"{path}/HistoricalLocations?$expand=Locations&$orderby=time,id")["value"]
    return [{one["name"] for one in move["Locations"]} for move in moves]


def test_json_patch_changes_inside_properties_and_answers_with_the_entity(api: Api) -> None:
    made = api.create("Things", {"name": "T", "description": "d", "properties": {"a": 1}})
    operations = [
        {"op": "test", "path": "/name", "value": "T"},
        {"op": "add", "path": "/properties/b", "value": [True]},
        {"op": "remove", "path": "/properties/a"},
        {"op": "replace", "path": "/description", "value": "e"},
    ]

    answer = api.send("PATCH", f"Things({made['@iot.id']})", operations, headers=JSON_PATCH)

    assert answer.status_code == 200
    assert answer.json() == made | {"description": "e", "properties": {"b": [True]}}
    assert api.read(made["@iot.selfLink"]) == answer.json()


@pytest.mark.parametrize(
    ("operations", "status", "code"),
    [
        ([{"op": "test", "path": "/name", "value": "x"}], 409, "entity.patch_test_failed"),
        ([{"op": "remove", "path": "/name"}], 400, "body.null"),
        ([{"op": "replace", "path": "/name", "value": 5}], 400, "body.type"),
        ([{"op": "add", "path": "/nme", "value": "x"}], 400, "body.unknown_property"),
        ([{"op": "remove", "path": "/nope"}], 400, "body.patch"),
        ({"name": "x"}, 400, "body.patch"),
    ],
)
def test_json_patch_that_cannot_be_done_changes_nothing(
    api: Api, operations: Json, status: int, code: str
) -> None:
    made = api.create("Things", {"name": "T", "description": "d"})

    problem = api.refuse("PATCH", f"Things({made['@iot.id']})", operations, headers=JSON_PATCH)

    assert (problem["status"], problem["code"]) == (status, code)
    assert api.read(made["@iot.selfLink"]) == made


def test_json_patch_moves_an_observation_and_the_times_of_its_datastream(
    api: Api, new_thing: NewThing
) -> None:
    _, stream = new_thing()
    made = api.create(f"{stream}/Observations", {"result": 1, "phenomenonTime": "2019-03-01T00:00:00Z"})
    operations = [
        {"op": "replace", "path": "/phenomenonTime", "value": "2018-02-01T00:00:00Z"},
        {"op": "replace", "path": "/result", "value": 20.0},
    ]

    answer = api.send("PATCH", f"Observations({made['@iot.id']})", operations, headers=JSON_PATCH)

    assert answer.json()["phenomenonTime"] == "2018-02-01T00:00:00Z"
    assert answer.text.count('"result":20.0') == 1
    assert api.read(stream)["phenomenonTime"] == "2018-02-01T00:00:00Z/2018-02-01T00:00:00Z"


def test_merge_patch_is_read_as_a_plain_patch(api: Api) -> None:
    made = api.create("Things", {"name": "T", "description": "d"})
    headers = {"content-type": "application/merge-patch+json"}

    answer = api.send("PATCH", f"Things({made['@iot.id']})", {"name": "N"}, headers=headers)

    assert (answer.status_code, answer.json()) == (200, made | {"name": "N"})


def test_link_is_added_by_ref_and_takes_the_place_of_one_of_the_same_encoding(
    api: Api, new_thing: NewThing
) -> None:
    path, _ = new_thing()
    plain, _ = _place(api, "by word", "text/plain")
    _, linz = _place(api, "Linz")

    assert api.send("POST", f"{path}/Locations/$ref", {"@iot.id": plain}).status_code == 200
    assert _names(api, f"{path}/Locations") == ["Salzburg", "by word"]
    assert api.send("POST", f"{path}/Locations/$ref", {"@iot.selfLink": linz}).status_code == 200

    assert _names(api, f"{path}/Locations") == ["by word", "Linz"]
    assert _history(api, path) == [{"Salzburg"}, {"Salzburg", "by word"}, {"by word", "Linz"}]


def test_link_is_taken_away_by_ref(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    plain, address = _place(api, "by word", "text/plain")
    api.send("POST", f"{path}/Locations/$ref", {"@iot.id": plain})
    salzburg = api.read(f"{path}/Locations?$orderby=id")["value"][0]["@iot.id"]

    assert api.send("DELETE", f"{path}/Locations({salzburg})/$ref").status_code == 200
    assert _names(api, f"{path}/Locations") == ["by word"]
    assert _history(api, path)[-1] == {"by word"}
    assert api.refuse("DELETE", f"{path}/Locations({salzburg})/$ref")["status"] == 404
    assert api.refuse("DELETE", f"{path}/Locations/$ref")["status"] == 400
    assert api.refuse("DELETE", f"{path}/Locations/$ref?$id=Things(1)")["code"] == "body.link"
    assert api.send("DELETE", f"{path}/Locations/$ref?$id={address}").status_code == 200
    assert _names(api, f"{path}/Locations") == []
    assert api.read(f"Locations({plain})")["name"] == "by word"


def test_link_to_one_entity_is_replaced_by_ref(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    sensor = datastream()["Sensor"] | {"name": "other"}
    other = api.create("Sensors", sensor)["@iot.id"]

    assert api.send("PUT", f"{stream}/Sensor/$ref", {"@iot.id": other}).status_code == 200

    assert api.read(f"{stream}/Sensor")["name"] == "other"


@pytest.mark.parametrize(
    ("method", "end", "body", "status", "code"),
    [
        ("DELETE", "Sensor/$ref", None, 400, "body.mandatory_link"),
        ("DELETE", "Thing/$ref", None, 400, "body.mandatory_link"),
        ("DELETE", "Observations(1)/$ref", None, 400, "body.mandatory_link"),
        ("PUT", "Sensor/$ref", {"@iot.id": 999_999_999}, 400, "body.link_missing"),
        ("PUT", "Sensor/$ref", {"@iot.id": "x"}, 400, "body.link"),
        ("PUT", "Sensor/$ref", {}, 400, "body.link"),
        ("PUT", "Sensor/$ref", [], 400, "body.link"),
        ("PUT", "Observations/$ref", {"@iot.id": 1}, 405, "http.method_not_allowed"),
        ("POST", "Sensor/$ref", {"@iot.id": 1}, 405, "http.method_not_allowed"),
        ("POST", "Observations/$ref", {"@iot.id": 999_999_999}, 400, "body.link_missing"),
    ],
)
def test_wrong_changes_of_links_are_told_by_code(
    api: Api, new_thing: NewThing, *, method: str, end: str, body: Json, status: int, code: str
) -> None:
    _, stream = new_thing()

    problem = api.refuse(method, f"{stream}/{end}", body)

    assert (problem["status"], problem["code"]) == (status, code)


def test_links_of_a_whole_set_have_no_owner(api: Api) -> None:
    assert api.refuse("POST", "Things/$ref", {"@iot.id": 1})["status"] == 405
    assert api.refuse("DELETE", "Things(1)/$ref")["status"] == 405


def test_history_keeps_a_location(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    move = api.read(f"{path}/HistoricalLocations?$expand=Locations")["value"][0]
    history, place = move["@iot.id"], move["Locations"][0]["@iot.id"]

    problem = api.refuse("DELETE", f"HistoricalLocations({history})/Locations({place})/$ref")

    assert problem["code"] == "body.mandatory_link"
    assert api.read(f"HistoricalLocations({history})/Locations")["value"][0]["@iot.id"] == place


def test_history_changed_to_a_later_time_moves_the_thing(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    place, _ = _place(api, "Linz")
    body = {"time": "1999-01-01T00:00:00Z", "Locations": [{"@iot.id": place}]}
    made = api.create(f"{path}/HistoricalLocations", body)
    assert _names(api, f"{path}/Locations") == ["Salzburg"]

    api.change(f"HistoricalLocations({made['@iot.id']})", {"time": "2999-01-01T00:00:00Z"})

    assert _names(api, f"{path}/Locations") == ["Linz"]


def test_feature_is_made_of_the_location_in_geojson(api: Api, new_thing: NewThing) -> None:
    word = location("by word") | {"encodingType": "text/plain", "location": "at home"}
    _, stream = new_thing(Locations=[word, location("Wien")])

    made = api.create(f"{stream}/Observations", {"result": 1})

    assert api.read(f"Observations({made['@iot.id']})/FeatureOfInterest")["name"] == "Wien"


def test_location_patched_with_what_it_holds_keeps_its_feature(api: Api, new_thing: NewThing) -> None:
    path, stream = new_thing()
    place = api.read(f"{path}/Locations")["value"][0]

    def feature() -> int:
        made = api.create(f"{stream}/Observations", {"result": 1})
        found = api.read(f"Observations({made['@iot.id']})/FeatureOfInterest")["@iot.id"]
        assert isinstance(found, int)
        return found

    first = feature()
    api.change(f"Locations({place['@iot.id']})", {"location": place["location"], "name": "renamed"})

    assert feature() == first


def test_observation_moved_to_another_datastream_takes_its_time_along(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    _, other = new_thing()
    made = api.create(f"{stream}/Observations", {"result": 1, "phenomenonTime": "2020-05-01T00:00:00Z"})
    api.create(f"{stream}/Observations", {"result": 1, "phenomenonTime": "2020-05-02T00:00:00Z"})
    number = int(other.removeprefix("Datastreams(").removesuffix(")"))

    api.change(f"Observations({made['@iot.id']})", {"Datastream": {"@iot.id": number}})

    assert api.read(stream)["phenomenonTime"] == "2020-05-02T00:00:00Z/2020-05-02T00:00:00Z"
    assert api.read(other)["phenomenonTime"] == "2020-05-01T00:00:00Z/2020-05-01T00:00:00Z"


def test_changed_feature_moves_the_area_of_its_datastreams(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    made = api.create(f"{stream}/Observations", {"result": 1})
    feature = api.read(f"Observations({made['@iot.id']})/FeatureOfInterest")["@iot.id"]
    moved = {"type": "Point", "coordinates": [1.5, 2.5]}

    api.change(f"FeaturesOfInterest({feature})", {"feature": moved})

    assert api.read(stream)["observedArea"] == area_around(1.5, 2.5)


def test_times_stay_exact_while_many_write_and_delete_at_once(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    days = [f"2020-01-{day:02}T00:00:00Z" for day in range(1, 29)]
    made = [api.create(f"{stream}/Observations", {"result": 1, "phenomenonTime": day}) for day in days]

    def act(number: int) -> int:
        with httpx2.Client(timeout=30) as client:
            if number % 2:
                address = f"{api.root}/Observations({made[number]['@iot.id']})"
                return client.delete(address).status_code
            body = {"result": 2, "phenomenonTime": days[number % 12 + 8]}
            return client.post(f"{api.root}/{stream}/Observations", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(act, [*range(len(days)), *range(0, 60, 2)]))
    for one in (made[0], made[26]):
        api.delete(f"Observations({one['@iot.id']})")

    left = api.read(f"{stream}/Observations?$orderby=phenomenonTime&$select=phenomenonTime&$top=1000")
    times = [one["phenomenonTime"] for one in left["value"]]
    assert statuses == {200, 201}
    assert api.read(stream)["phenomenonTime"] == f"{times[0]}/{times[-1]}"


def test_retention_of_a_datastream_is_checked(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()

    assert api.change(stream, {"properties": {"retention": "P30D"}})["properties"] == {"retention": "P30D"}
    problem = api.refuse("PATCH", stream, {"properties": {"retention": "soon"}})

    assert (problem["code"], problem["pointer"]) == ("body.retention", "/properties/retention")
