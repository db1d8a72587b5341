"""Creating, reading, changing and deleting entities, and the rules that follow from it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.integration.sensorthings.samples import Api, Json, area_around, datastream, location, thing

NewThing = Callable[..., tuple[str, str]]
SETS = (
    "Things",
    "Locations",
    "HistoricalLocations",
    "Datastreams",
    "MultiDatastreams",
    "Sensors",
    "ObservedProperties",
    "Observations",
    "FeaturesOfInterest",
)


def _count(api: Api, path: str) -> int:
    counted = api.read(f"{path}?$count=true&$top=0")["@iot.count"]
    assert isinstance(counted, int)
    return counted


def test_landing_page_lists_the_nine_sets_and_what_is_conformed_to(api: Api) -> None:
    page = api.read("")

    assert {one["name"]: one["url"] for one in page["value"]} == {name: f"{api.root}/{name}" for name in SETS}
    assert page["serverSettings"]["conformance"]


def test_post_answers_with_address_and_entity(api: Api) -> None:
    answer = api.send("POST", "Things", {"name": "T", "description": "d", "properties": {"a": [1, None]}})

    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == made["@iot.selfLink"] == f"{api.root}/Things({made['@iot.id']})"
    assert made["properties"] == {"a": [1, None]}
    assert made["Datastreams@iot.navigationLink"] == f"{made['@iot.selfLink']}/Datastreams"
    assert api.read(made["@iot.selfLink"]) == made


def test_both_versions_show_the_same_data_under_their_own_addresses(api: Api) -> None:
    made = api.create("Things", {"name": "T", "description": "d"})
    older = made["@iot.selfLink"].replace("/v1.1/", "/v1.0/")

    assert api.read(older)["@iot.selfLink"] == older


def test_deep_insert_makes_the_whole_tree_in_one_request(api: Api) -> None:
    body = thing(
        Datastreams=[datastream(Observations=[{"result": 1, "phenomenonTime": "2020-01-01T00:00:00Z"}])]
    )

    made = api.create("Things", body)

    whole = api.read(
        f"Things({made['@iot.id']})?$expand=Locations,HistoricalLocations/Locations,"
        "Datastreams($expand=Sensor,ObservedProperty,Observations/FeatureOfInterest)"
    )
    stream = whole["Datastreams"][0]
    assert stream["Sensor"]["metadata"] == "m"
    assert stream["unitOfMeasurement"]["definition"] is None
    assert stream["Observations"][0]["FeatureOfInterest"]["feature"] == whole["Locations"][0]["location"]
    assert len(whole["HistoricalLocations"]) == 1
    assert whole["HistoricalLocations"][0]["Locations"][0]["name"] == "Salzburg"


def test_failed_deep_insert_leaves_nothing(api: Api) -> None:
    before = {name: _count(api, name) for name in SETS}

    problem = api.refuse("POST", "Things", thing(Datastreams=[datastream(), {"name": "lame"}]))
    api.refuse("POST", "Things", thing(Datastreams=[datastream(Sensor={"@iot.id": 999_999_999})]))

    assert problem["pointer"] == "/Datastreams/1"
    assert {name: _count(api, name) for name in SETS} == before


def test_entity_posted_to_a_relation_is_linked_by_the_path(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()

    made = api.create(f"{path}/Datastreams", datastream("second"))

    assert api.read(f"Datastreams({made['@iot.id']})/Thing")["@iot.selfLink"] == f"{api.root}/{path}"
    api.refuse("POST", "Things(999999999)/Datastreams", datastream())


def test_result_time_is_null_when_not_given_and_phenomenon_time_is_now(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()

    made = api.create(f"{stream}/Observations", {"result": 0})

    assert made["resultTime"] is None
    assert made["result"] == 0
    assert made["phenomenonTime"].startswith("20")
    assert api.send("GET", f"Observations({made['@iot.id']})/resultTime").status_code == 204


@pytest.mark.parametrize("result", [0, False, "", None, 1.5, "it's", [1, [2]], {"a": {"b": None}}, -1.5e-7])
def test_results_come_back_as_they_were_sent(api: Api, new_thing: NewThing, result: object) -> None:
    _, stream = new_thing()

    made = api.create(f"{stream}/Observations", {"result": result})

    assert made["result"] == result
    assert type(made["result"]) is type(result)


def test_feature_is_made_once_and_anew_after_a_move(api: Api, new_thing: NewThing) -> None:
    path, stream = new_thing()

    def feature() -> Json:
        made = api.create(f"{stream}/Observations", {"result": 1})
        return api.read(f"Observations({made['@iot.id']})/FeatureOfInterest")["@iot.id"]

    first, second = feature(), feature()
    api.create(f"{path}/Locations", location("Linz", [14.3, 48.3]))
    third = feature()
    place = api.read(f"{path}/Locations")["value"][0]
    api.change(f"Locations({place['@iot.id']})", {"location": {"type": "Point", "coordinates": [1, 2]}})

    assert first == second
    assert len({first, third, feature()}) == 3


def test_first_observations_at_once_make_one_feature(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()

    def post(number: int) -> int:
        time = f"2020-01-01T00:00:{number:02}Z"
        with httpx2.Client(timeout=30) as client:
            body = {"result": number, "phenomenonTime": time}
            return client.post(f"{api.root}/{stream}/Observations", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(post, range(40)))

    shown = api.read(f"{stream}?$expand=Observations/FeatureOfInterest")
    assert statuses == {201}
    assert len(shown["Observations"]) == 40
    assert len({one["FeatureOfInterest"]["@iot.id"] for one in shown["Observations"]}) == 1
    assert shown["phenomenonTime"] == "2020-01-01T00:00:00Z/2020-01-01T00:00:39Z"


def test_observation_without_any_place_is_refused(api: Api) -> None:
    made = api.create("Things", thing(Locations=[]))
    stream = api.read(f"Things({made['@iot.id']})/Datastreams")["value"][0]

    problem = api.refuse("POST", f"Datastreams({stream['@iot.id']})/Observations", {"result": 1})

    assert problem["code"] == "body.no_feature"


def test_every_move_of_a_thing_is_remembered(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()

    api.create(f"{path}/Locations", location("Linz"))
    other = api.create("Locations", location("Wien"))
    api.change(path, {"Locations": [{"@iot.id": other["@iot.id"]}]})

    assert [one["name"] for one in api.read(f"{path}/Locations")["value"]] == ["Wien"]
    moves = api.read(f"{path}/HistoricalLocations?$expand=Locations&$orderby=time")["value"]
    assert [move["Locations"][0]["name"] for move in moves] == ["Salzburg", "Linz", "Wien"]


@pytest.mark.parametrize(
    ("time", "place"), [("2999-01-01T00:00:00Z", "Linz"), ("1999-01-01T00:00:00Z", "Salzburg")]
)
def test_history_made_by_hand_moves_the_thing_when_it_is_later(
    api: Api, new_thing: NewThing, time: str, place: str
) -> None:
    path, _ = new_thing()
    other = api.create("Locations", location("Linz"))

    api.create(f"{path}/HistoricalLocations", {"time": time, "Locations": [{"@iot.id": other["@iot.id"]}]})

    assert [one["name"] for one in api.read(f"{path}/Locations")["value"]] == [place]


def test_datastream_times_and_area_follow_its_observations(api: Api, new_thing: NewThing) -> None:
    path, stream = new_thing()
    first = api.create(
        f"{stream}/Observations",
        {"result": 1, "phenomenonTime": "2020-01-01T00:00:00Z", "resultTime": "2020-01-01T00:00:01Z"},
    )
    api.create(f"{path}/Locations", location("Linz", [14.3, 48.3]))
    second = api.create(
        f"{stream}/Observations",
        {"result": 2, "phenomenonTime": "2020-02-01T00:00:00Z/2020-02-02T00:00:00Z"},
    )

    inside = api.create(f"{stream}/Observations", {"result": 3, "phenomenonTime": "2020-01-10T00:00:00Z"})

    both = api.read(stream)
    api.delete(f"Observations({inside['@iot.id']})")
    assert api.read(stream) == both
    api.change(f"Observations({second['@iot.id']})", {"phenomenonTime": "2020-01-15T00:00:00Z"})
    changed = api.read(stream)
    api.delete(f"Observations({first['@iot.id']})")
    one = api.read(stream)
    api.delete(f"Observations({second['@iot.id']})")
    none = api.read(stream)

    assert both["phenomenonTime"] == "2020-01-01T00:00:00Z/2020-02-02T00:00:00Z"
    assert both["resultTime"] == "2020-01-01T00:00:01Z/2020-01-01T00:00:01Z"
    assert both["observedArea"]["coordinates"][0][0] == [13.05, 47.8]
    assert both["observedArea"]["coordinates"][0][2] == [14.3, 48.3]
    assert changed["phenomenonTime"] == "2020-01-01T00:00:00Z/2020-01-15T00:00:00Z"
    assert one["observedArea"] == area_around(14.3, 48.3)
    assert "resultTime" not in one
    assert not {"phenomenonTime", "resultTime", "observedArea"} & none.keys()


def test_patch_changes_only_what_is_given_and_replaces_properties_whole(api: Api) -> None:
    made = api.create("Things", {"name": "T", "description": "d", "properties": {"a": 1}})
    path = f"Things({made['@iot.id']})"

    changed = api.change(path, {"properties": {"b": 2}, "@iot.id": 5})

    assert changed == {**made, "properties": {"b": 2}}
    assert api.read(path) == changed


def test_patch_links_by_id_and_refuses_inline_entities(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    other = api.create("Things", {"name": "other", "description": "d"})

    api.change(stream, {"Thing": {"@iot.id": other["@iot.id"]}})

    assert api.read(f"{stream}/Thing")["name"] == "other"
    assert api.refuse("PATCH", stream, {"Thing": {"name": "x"}})["code"] == "body.inline_entity"
    assert api.refuse("PATCH", stream, {"Thing": {"@iot.id": 999_999_999}})["status"] == 400


def test_put_replaces_everything_and_needs_what_is_mandatory(api: Api) -> None:
    made = api.create("Things", {"name": "T", "description": "d", "properties": {"a": 1}})
    path = f"Things({made['@iot.id']})"

    replaced = api.send("PUT", path, {"name": "N", "description": "e"})

    assert replaced.status_code == 200
    assert (replaced.json()["name"], "properties" in replaced.json()) == ("N", False)
    assert api.refuse("PUT", path, {"name": "N"})["code"] == "body.missing_property"


@pytest.mark.parametrize(
    ("path", "gone", "kept"),
    [
        (
            "Thing",
            {"Datastream", "HistoricalLocation", "Observation"},
            {"Location", "Sensor", "FeatureOfInterest"},
        ),
        ("Datastream", {"Observation"}, {"Thing", "Sensor", "ObservedProperty", "FeatureOfInterest"}),
        ("Sensor", {"Datastream", "Observation"}, {"Thing", "ObservedProperty"}),
        ("ObservedProperty", {"Datastream", "Observation"}, {"Thing", "Sensor"}),
        ("FeatureOfInterest", {"Observation"}, {"Datastream", "Location"}),
        ("Location", {"HistoricalLocation"}, {"Thing", "Datastream", "FeatureOfInterest"}),
        ("HistoricalLocation", set(), {"Thing", "Location"}),
        ("Observation", set(), {"Datastream", "FeatureOfInterest"}),
    ],
)
def test_delete_takes_along_what_cannot_be_without_it(
    api: Api, new_thing: NewThing, path: str, gone: set[str], kept: set[str]
) -> None:
    thing_path, stream = new_thing()
    made = api.create(f"{stream}/Observations", {"result": 1})
    observation = f"Observations({made['@iot.id']})"
    links = {
        name: api.read(address)["@iot.selfLink"]
        for name, address in {
            "Thing": thing_path,
            "Datastream": stream,
            "Sensor": f"{stream}/Sensor",
            "ObservedProperty": f"{stream}/ObservedProperty",
            "Observation": observation,
            "FeatureOfInterest": f"{observation}/FeatureOfInterest",
        }.items()
    }
    links["Location"] = api.read(f"{thing_path}/Locations")["value"][0]["@iot.selfLink"]
    links["HistoricalLocation"] = api.read(f"{thing_path}/HistoricalLocations")["value"][0]["@iot.selfLink"]

    api.delete(links[path])

    statuses = {name: api.send("GET", link).status_code for name, link in links.items()}
    assert {name for name in gone | {path} if statuses[name] != 404} == set()
    assert {name for name in kept if statuses[name] != 200} == set()
    assert api.refuse("DELETE", links[path])["status"] == 404
    assert api.refuse("PATCH", links[path], {})["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "Things", {"name": "T"}, 400, "body.missing_property"),
        ("POST", "Things", {"name": None, "description": "d"}, 400, "body.null"),
        ("POST", "Things", {"name": 5, "description": "d"}, 400, "body.type"),
        ("POST", "Things", {"name": "T", "description": "d", "properties": 5}, 400, "body.type"),
        ("POST", "Things", {"nme": "T", "description": "d"}, 400, "body.unknown_property"),
        ("POST", "Things", {"name": "T\0", "description": "d"}, 400, "value.not_usable"),
        (
            "POST",
            "Things",
            {"name": "T", "description": "d", "properties": {"a": "\0"}},
            400,
            "value.not_usable",
        ),
        ("POST", "Things", {"name": "T", "description": "d", "Locations": {}}, 400, "body.link"),
        ("POST", "Things", {"name": "T", "description": "d", "Locations": [5]}, 400, "body.not_object"),
        (
            "POST",
            "Things",
            {"name": "T", "description": "d", "Locations": [{"@iot.id": "x"}]},
            400,
            "body.link",
        ),
        ("POST", "Things", [], 400, "body.not_object"),
        ("POST", "Datastreams", {"name": "D"}, 400, "body.missing_property"),
        ("POST", "Observations", {"result": 1}, 400, "body.missing_link"),
        (
            "POST",
            "Observations",
            {"result": 1, "Datastream": {"@iot.id": 999999999}},
            400,
            "body.link_missing",
        ),
        ("POST", "Observations", {"result": 1, "Datastream": {"@iot.id": 10**30}}, 400, "body.link"),
        ("POST", "Observations", {"Datastream": {"@iot.id": 1}}, 400, "body.missing_property"),
        ("POST", "HistoricalLocations", {"time": "yesterday"}, 400, "body.time"),
        ("POST", "Things(1)", {}, 405, "http.method_not_allowed"),
        ("PATCH", "Things", {}, 405, "http.method_not_allowed"),
        ("DELETE", "Things", None, 405, "http.method_not_allowed"),
        ("DELETE", "Things(999999999)", None, 404, "resource.not_found"),
        ("POST", "Nothings", {}, 404, "resource.not_found"),
        ("PATCH", "Things(999999999)", {"name": "x"}, 404, "resource.not_found"),
    ],
)
def test_wrong_writes_are_told_by_code(
    api: Api, *, method: str, path: str, body: Json, status: int, code: str
) -> None:
    problem = api.refuse(method, path, body)

    assert (problem["status"], problem["code"]) == (status, code)


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name":"T","description":"d","properties":{"a":' + b"[" * 400 + b"]" * 400 + b"}}", "", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b'"' + b"x" * 68_000_000 + b'"', "application/json", 413),
    ],
)
def test_unreadable_bodies_are_refused(api: Api, content: bytes, media_type: str, status: int) -> None:
    problem = api.refuse("POST", "Things", content=content, headers={"content-type": media_type})

    assert problem["status"] == status


def test_deep_insert_nested_too_deep_is_refused(api: Api) -> None:
    body: dict[str, Json] = {"name": "T", "description": "d"}
    for _ in range(15):
        body = {"name": "T", "description": "d", "Locations": [location() | {"Things": [body]}]}

    assert api.refuse("POST", "Things", body)["code"] == "body.too_deep"
