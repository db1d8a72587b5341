"""Requirement "update-entity-jsonpatch": RFC 6902 on an entity.

Source: OGC 18-088, clause 10.3.2; RFC 6902, clauses 4 and 5.
"""

import json

import httpx2
import pytest

from tests.conformance.sensorthings.requirements import observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, Json, thing

PATCH = "application/json-patch+json"


@pytest.fixture
def station(api: Api) -> str:
    """A Thing with properties of two levels."""
    properties = {"a": 1, "list": [1, 2, 3], "inner": {"x": "y"}, "a/b": 5, "m~n": 8}
    return path_of(api.create("Things", thing(properties=properties)), "Things")


def patch(api: Api, path: str, *operations: Json) -> httpx2.Response:
    return api.send("PATCH", path, content=json.dumps(operations), headers={"content-type": PATCH})


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ({"op": "add", "path": "/properties/new", "value": {"z": None}}, {"new": {"z": None}}),
        ({"op": "add", "path": "/properties/a", "value": 2}, {"a": 2}),
        ({"op": "add", "path": "/properties/list/1", "value": 9}, {"list": [1, 9, 2, 3]}),
        ({"op": "add", "path": "/properties/list/-", "value": 9}, {"list": [1, 2, 3, 9]}),
        ({"op": "replace", "path": "/properties/inner/x", "value": [1]}, {"inner": {"x": [1]}}),
        ({"op": "replace", "path": "/properties/a~1b", "value": 6}, {"a/b": 6}),
        ({"op": "replace", "path": "/properties/m~0n", "value": 9}, {"m~n": 9}),
        ({"op": "remove", "path": "/properties/list/0"}, {"list": [2, 3]}),
        ({"op": "copy", "from": "/properties/a", "path": "/properties/c"}, {"c": 1}),
        ({"op": "test", "path": "/properties/inner", "value": {"x": "y"}}, {}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_update_entity_jsonpatch_operation(api: Api, station: str, operation: Json, changed: Json) -> None:
    """req/create-update-delete/update-entity-jsonpatch: add, replace, remove, copy, test."""
    before = api.read(station)["properties"]

    answer = patch(api, station, operation)

    assert answer.status_code == 200, answer.text
    assert api.read(station)["properties"] == before | changed


def test_update_entity_jsonpatch_removes_and_moves(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity-jsonpatch: remove, move."""
    answer = patch(
        api,
        station,
        {"op": "remove", "path": "/properties/a"},
        {"op": "move", "from": "/properties/inner/x", "path": "/properties/x"},
    )

    assert answer.status_code == 200, answer.text
    properties = api.read(station)["properties"]
    assert ("a" in properties, properties["inner"], properties["x"]) == (False, {}, "y")


def test_update_entity_jsonpatch_of_plain_properties(api: Api, station: str) -> None:
    """req/create-update-delete/update-entity-jsonpatch: paths begin at the entity."""
    stream = stream_of(api, observation(1))
    (row,) = api.read(f"{stream}/Observations")["value"]

    assert patch(api, station, {"op": "replace", "path": "/name", "value": "patched"}).status_code == 200
    unit = {"op": "replace", "path": "/unitOfMeasurement/name", "value": "kelvin"}
    assert (
        patch(api, stream, unit, {"op": "add", "path": "/properties", "value": {"p": 1}}).status_code == 200
    )
    result = {"op": "replace", "path": "/result", "value": {"deep": [0]}}
    assert patch(api, path_of(row, "Observations"), result).status_code == 200

    assert api.read(station)["name"] == "patched"
    assert api.read(f"{stream}/unitOfMeasurement/name") == {"name": "kelvin"}
    assert api.read(f"{stream}/unitOfMeasurement/symbol") == {"symbol": "°C"}
    assert api.read(f"{stream}/properties") == {"properties": {"p": 1}}
    assert api.read(path_of(row, "Observations"))["result"] == {"deep": [0]}


def test_update_entity_jsonpatch_is_all_or_nothing(api: Api, station: str) -> None:
    """RFC 6902, clause 5: the whole patch fails when one operation does."""
    before = api.read(station)

    answer = patch(
        api,
        station,
        {"op": "replace", "path": "/name", "value": "half"},
        {"op": "test", "path": "/properties/a", "value": 2},
    )

    assert answer.status_code in {400, 409}
    assert api.read(station) == before


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/properties/none"}],
        [{"op": "replace", "path": "/properties/none", "value": 1}],
        [{"op": "test", "path": "/name", "value": "other"}],
        [{"op": "add", "path": "/properties/list/9", "value": 1}],
        [{"op": "add", "path": "/properties/list/x", "value": 1}],
        [{"op": "add", "path": "/properties/none/deep", "value": 1}],
        [{"op": "remove", "path": "/name"}],
        [{"op": "replace", "path": "/name", "value": 5}],
        [{"op": "add", "path": "/nothing", "value": 5}],
        [{"op": "nothing", "path": "/name", "value": "x"}],
        [{"op": "add", "path": "/name"}],
        [{"op": "add", "value": 1}],
        [{"op": "add", "path": "name", "value": "x"}],
        [{"op": "add", "path": "/properties/~2", "value": "x"}],
        [{"op": "move", "path": "/name"}],
        [{"op": "move", "from": "/properties", "path": "/properties/inner/deeper"}],
        [{"op": "replace", "path": "", "value": 5}],
        [{}],
        [5],
        ["text"],
        [None],
    ],
    ids=str,
)
def test_update_entity_jsonpatch_that_cannot_be_done_is_refused(
    api: Api, station: str, operations: Json
) -> None:
    """req/create-update-delete/update-entity-jsonpatch: 400 or 409, and nothing is changed."""
    before = api.read(station)

    answer = patch(api, station, *operations)

    assert answer.status_code in {400, 409, 422}, answer.text
    assert api.read(station) == before


@pytest.mark.parametrize("content", ["", "{}", "5", "null", "[", '"x"'])
def test_update_entity_jsonpatch_that_is_none_is_refused(api: Api, station: str, content: str) -> None:
    """RFC 6902, clause 3: a patch is an array of objects."""
    answer = api.send("PATCH", station, content=content, headers={"content-type": PATCH})

    assert answer.status_code == 400


def test_update_entity_jsonpatch_of_nothing_changes_nothing(api: Api, station: str) -> None:
    """RFC 6902, clause 3: an empty patch."""
    before = api.read(station)

    assert patch(api, station).status_code == 200
    assert api.read(station) == before
    assert patch(api, f"Things({2**40})", {"op": "remove", "path": "/properties"}).status_code == 404
