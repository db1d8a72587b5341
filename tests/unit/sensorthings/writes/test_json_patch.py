"""JSON Patch: which properties a patch changes, and which patches are refused."""

from typing import Any

import pytest

from sensorthings.errors import BodyError, RequestError
from sensorthings.model.entities import OBSERVATION, THING
from sensorthings.writes.json_patch import MAX_OPERATIONS, patched_properties

Json = Any
SHOWN = {
    "@iot.id": 1,
    "@iot.selfLink": "http://h/v1.1/Things(1)",
    "name": "T",
    "description": "d",
    "properties": {"a": 1, "list": [1, 2]},
    "Datastreams@iot.navigationLink": "http://h/v1.1/Things(1)/Datastreams",
}


def _operation(op: str, path: str, **more: Json) -> dict[str, Json]:
    return {"op": op, "path": path, **more}


@pytest.mark.parametrize(
    ("operations", "changed"),
    [
        ([], {}),
        ([_operation("replace", "/name", value="N")], {"name": "N"}),
        ([_operation("replace", "/name", value="T")], {}),
        (
            [_operation("add", "/properties/b", value=None)],
            {"properties": {"a": 1, "list": [1, 2], "b": None}},
        ),
        (
            [_operation("add", "/properties/list/-", value=3)],
            {"properties": {"a": 1, "list": [1, 2, 3]}},
        ),
        ([_operation("replace", "/properties/a", value=True)], {"properties": {"a": True, "list": [1, 2]}}),
        ([_operation("remove", "/properties")], {"properties": None}),
        ([_operation("move", "/description", **{"from": "/name"})], {"description": "T", "name": None}),
        ([_operation("copy", "/description", **{"from": "/name"})], {"description": "T"}),
        (
            [_operation("test", "/name", value="T"), _operation("replace", "/name", value="N")],
            {"name": "N"},
        ),
        ([_operation("add", "/other", value=1)], {"other": 1}),
    ],
)
def test_patch_gives_what_it_changes(operations: Json, changed: dict[str, Json]) -> None:
    assert patched_properties(THING, SHOWN, operations) == changed


def test_document_that_is_patched_stays_as_it_is() -> None:
    patched_properties(THING, SHOWN, [_operation("add", "/properties/b", value=1)])

    assert SHOWN["properties"] == {"a": 1, "list": [1, 2]}


@pytest.mark.parametrize(
    ("operations", "place"),
    [
        ({}, ""),
        ("x", ""),
        ([5], "/0"),
        ([{}], "/0"),
        ([_operation("swap", "/name")], "/0"),
        ([{"op": ["add"], "path": "/name", "value": 1}], "/0"),
        ([{"op": "add", "value": 1}], "/0"),
        ([{"op": "add", "path": 5, "value": 1}], "/0"),
        ([_operation("add", "/name")], "/0"),
        ([_operation("copy", "/name")], "/0"),
        ([_operation("copy", "/name", **{"from": 5})], "/0"),
        ([_operation("copy", "/name", **{"from": "/nope"})], "/0"),
        ([_operation("replace", "/name", value="N"), _operation("remove", "/nope")], "/1"),
        ([_operation("remove", "/@iot.id")], "/0"),
        ([_operation("remove", "/name/x")], "/0"),
        ([_operation("add", "/properties/list/x", value=1)], "/0"),
        ([_operation("add", "/properties/list/9", value=1)], "/0"),
        ([_operation("add", "nope", value=1)], "/0"),
        ([_operation("add", "/~2", value=1), _operation("remove", "/~")], "/0"),
        ([_operation("add", "", value=5)], "/0"),
        ([_operation("remove", "")], "/0"),
        ([_operation("test", "/name", value="T")] * (MAX_OPERATIONS + 1), ""),
    ],
)
def test_patch_that_does_not_fit_is_refused_with_its_place(operations: Json, place: str) -> None:
    with pytest.raises(BodyError) as caught:
        patched_properties(THING, SHOWN, operations)

    assert (caught.value.status, caught.value.code, caught.value.place) == (400, "body.patch", place)


@pytest.mark.parametrize("path", ["/name", "/nope/deeper", "/properties/nope"])
def test_failed_test_is_a_conflict(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        patched_properties(THING, SHOWN, [_operation("test", path, value="other")])

    assert (caught.value.status, caught.value.code) == (409, "entity.patch_test_failed")


def test_copies_cannot_fill_the_memory() -> None:
    doubled = [
        _operation("copy", f"/properties/c{number}", **{"from": "/properties"}) for number in range(40)
    ]

    with pytest.raises(BodyError) as caught:
        patched_properties(THING, SHOWN, doubled)

    assert "grows beyond" in caught.value.detail


def test_result_cannot_be_taken_away_but_can_be_null() -> None:
    shown = {"result": 5, "phenomenonTime": "2026-01-01T00:00:00Z"}

    assert patched_properties(OBSERVATION, shown, [_operation("replace", "/result", value=None)]) == {
        "result": None
    }
    with pytest.raises(BodyError):
        patched_properties(OBSERVATION, shown, [_operation("remove", "/result")])
