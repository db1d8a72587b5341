"""Upserts: entities found again by their natural key, alone, in deep inserts and many at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex

import httpx2
import pytest

from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing

NewThing = Callable[..., tuple[str, str]]
TIME = "2020-01-01T00:00:00Z"


def _upsert(api: Api, path: str, body: Json) -> tuple[int, Json]:
    answer = api.send("POST", f"{path}?upsert=true", body)
    assert answer.status_code in (200, 201), answer.text
    assert answer.headers["location"] == answer.json()["@iot.selfLink"]
    return answer.status_code, answer.json()


def test_thing_is_found_by_its_name_and_changed(api: Api) -> None:
    name = token_hex(8)
    first = _upsert(api, "Things", {"name": name, "description": "d", "properties": {"a": 1}})
    second = _upsert(api, "Things", {"name": name, "description": "e"})

    assert (first[0], second[0]) == (201, 200)
    assert second[1] == first[1] | {"description": "e"}


def test_without_the_option_names_may_repeat(api: Api) -> None:
    name = token_hex(8)
    body = {"name": name, "description": "d"}

    assert api.create("Things", body)["@iot.id"] != api.create("Things?upsert=false", body)["@iot.id"]


def test_whole_tree_is_made_once(api: Api) -> None:
    name = token_hex(8)

    def tree(result: int) -> dict[str, Json]:
        observations = [{"result": result, "phenomenonTime": TIME}]
        stream = datastream(f"{name} stream", Observations=observations)
        stream["Sensor"] = stream["Sensor"] | {"name": f"{name} sensor"}
        stream["ObservedProperty"] = stream["ObservedProperty"] | {"name": f"{name} property"}
        return thing(name, Locations=[location(f"{name} place")], Datastreams=[stream])

    _, made = _upsert(api, "Things", tree(1))
    shape = (
        f"Things({made['@iot.id']})?$expand=Locations($select=id),HistoricalLocations($select=id),"
        "Datastreams($select=id,phenomenonTime;$expand=Sensor($select=id),ObservedProperty($select=id),"
        "Observations($select=id,result))"
    )
    before = api.read(shape)
    _upsert(api, "Things", tree(2))
    after = api.read(shape)

    assert after["Datastreams"][0]["Observations"][0]["result"] == 2
    after["Datastreams"][0]["Observations"][0]["result"] = 1
    assert after == before


def test_datastream_is_found_within_its_thing(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    other, _ = new_thing()

    first = _upsert(api, f"{path}/Datastreams", datastream("same"))
    second = _upsert(api, f"{path}/Datastreams", datastream("same", description="changed"))
    elsewhere = _upsert(api, f"{other}/Datastreams", datastream("same"))

    assert (first[0], second[0], elsewhere[0]) == (201, 200, 201)
    assert second[1]["@iot.id"] == first[1]["@iot.id"] != elsewhere[1]["@iot.id"]
    assert second[1]["description"] == "changed"


def test_observation_is_found_by_its_time_and_its_datastream_stays_right(
    api: Api, new_thing: NewThing
) -> None:
    _, stream = new_thing()
    first = _upsert(api, f"{stream}/Observations", {"result": 1, "phenomenonTime": TIME})
    body = {"result": "two", "phenomenonTime": "2020-01-01T01:00:00+01:00", "resultTime": TIME}
    second = _upsert(api, f"{stream}/Observations", body)
    interval = _upsert(api, f"{stream}/Observations", {"result": 3, "phenomenonTime": f"{TIME}/PT1H"})

    assert (first[0], second[0], interval[0]) == (201, 200, 201)
    assert second[1]["@iot.id"] == first[1]["@iot.id"]
    assert second[1]["result"] == "two"
    shown = api.read(stream)
    assert shown["phenomenonTime"] == "2020-01-01T00:00:00Z/2020-01-01T01:00:00Z"
    assert shown["resultTime"] == f"{TIME}/{TIME}"


def test_location_upserted_below_its_thing_is_no_move(api: Api, new_thing: NewThing) -> None:
    path, _ = new_thing()
    body = location(token_hex(8))

    first = _upsert(api, f"{path}/Locations", body)
    again = _upsert(api, f"{path}/Locations", body)

    assert (first[0], again[0], again[1]["@iot.id"]) == (201, 200, first[1]["@iot.id"])
    assert api.read(f"{path}/HistoricalLocations?$count=true")["@iot.count"] == 2


@pytest.mark.parametrize("path", ["Things", "Observations"])
def test_upserts_at_once_make_one_entity(api: Api, new_thing: NewThing, path: str) -> None:
    body: dict[str, Json] = {"name": token_hex(8), "description": "d"}
    if path == "Observations":
        _, stream = new_thing()
        path, body = f"{stream}/Observations", {"result": 1, "phenomenonTime": TIME}

    def post(_: int) -> tuple[int, int]:
        with httpx2.Client(timeout=30) as client:
            answer = client.post(f"{api.root}/{path}?upsert=true", json=body)
            return answer.status_code, answer.json()["@iot.id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(24)))

    assert sorted(status for status, _ in answers) == [200] * 23 + [201]
    assert len({identifier for _, identifier in answers}) == 1


def test_option_is_true_or_false(api: Api) -> None:
    assert api.refuse("POST", "Things?upsert=maybe", {"name": "T", "description": "d"})["status"] == 400
