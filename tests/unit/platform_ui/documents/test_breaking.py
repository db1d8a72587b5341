"""What of a changed API a program may stumble over, and what not."""

from copy import deepcopy
from typing import Any

import pytest

from platform_ui.documents.breaking import breaking_changes

OLD: dict[str, Any] = {
    "paths": {
        "/things": {
            "get": {
                "operationId": "list_things",
                "parameters": [{"$ref": "#/components/parameters/q"}],
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/List"}}}
                    }
                },
            },
            "post": {
                "operationId": "create_thing",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}},
                },
                "responses": {
                    "201": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                    }
                },
            },
        }
    },
    "components": {
        "parameters": {"q": {"name": "q", "in": "query", "schema": {"type": "string", "maxLength": 200}}},
        "schemas": {
            "List": {
                "type": "object",
                "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}},
            },
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "age": {"type": "integer"},
                    "part": {"$ref": "#/components/schemas/Thing"},
                },
            },
            "New": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 20},
                    "kind": {"enum": ["car", "station"]},
                },
            },
        },
    },
}


def _changed(*path: str, to: object = None) -> dict[str, Any]:
    """The old document with one place changed, or removed."""
    document = deepcopy(OLD)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return document


_SCHEMAS = ("components", "schemas")
_POST = ("paths", "/things", "post")


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (_changed("paths", "/things"), ["GET /things is gone", "POST /things is gone"]),
        (_changed(*_POST), ["POST /things is gone"]),
        (
            _changed(*_POST, "operationId", to="make_thing"),
            ["POST /things has another operationId: create_thing is now make_thing"],
        ),
        (
            _changed("paths", "/things", "get", "parameters"),
            ["GET /things no longer takes query parameter q"],
        ),
        (
            _changed(
                "paths",
                "/things",
                "get",
                "parameters",
                to=[
                    {"$ref": "#/components/parameters/q"},
                    {"name": "of", "in": "query", "required": True, "schema": {}},
                ],
            ),
            ["GET /things now needs query parameter of"],
        ),
        (
            _changed("components", "parameters", "q", "schema", to={"type": "string", "maxLength": 100}),
            ["GET /things: parameter q: maxLength is now 100"],
        ),
        (
            _changed("components", "parameters", "q", "schema", to={"type": "integer"}),
            ["GET /things: parameter q no longer takes string"],
        ),
        (
            _changed(*_SCHEMAS, "New", "required", to=["name", "kind"]),
            ["POST /things: body now needs kind"],
        ),
        (_changed(*_SCHEMAS, "New", "properties", "kind"), ["POST /things: body no longer takes kind"]),
        (
            _changed(*_SCHEMAS, "New", "properties", "kind", to={"enum": ["car"]}),
            ["POST /things: body: kind no longer takes station"],
        ),
        (
            _changed(*_SCHEMAS, "Thing", "required", to=[]),
            [
                "GET /things: answer 200: items: item may now lack name",
                "POST /things: answer 201 may now lack name",
            ],
        ),
        (_changed(*_POST, "responses", "201"), ["POST /things no longer answers 201"]),
        (
            _changed(*_POST, "requestBody", "content", to={"text/csv": {}}),
            ["POST /things no longer takes application/json"],
        ),
        (
            _changed(*_POST, "responses", "201", "content", to={"text/csv": {}}),
            ["POST /things no longer answers application/json"],
        ),
    ],
)
def test_what_a_program_may_stumble_over_is_found(new: dict[str, Any], found: list[str]) -> None:
    assert [one for one in breaking_changes(OLD, new) if ": part" not in one] == found


def test_a_member_of_an_answer_that_goes_or_changes_is_found_at_any_depth() -> None:
    gone = breaking_changes(OLD, _changed(*_SCHEMAS, "Thing", "properties", "age"))
    assert gone[0] == "GET /things: answer 200: items: item no longer has age"
    assert "POST /things: answer 201: part: part no longer has age" in gone
    changed = breaking_changes(OLD, _changed(*_SCHEMAS, "Thing", "properties", "age", to={"type": "string"}))
    assert "POST /things: answer 201: age may now be string" in changed


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        _changed("paths", "/more", to={"get": {"operationId": "more", "responses": {}}}),
        _changed(*_SCHEMAS, "Thing", "properties", "more", to={"type": "string"}),
        _changed(*_SCHEMAS, "New", "properties", "more", to={"type": "string"}),
        _changed(*_SCHEMAS, "New", "required", to=[]),
        _changed(*_SCHEMAS, "New", "properties", "name", to={"type": "string", "maxLength": 40}),
        _changed(*_SCHEMAS, "New", "properties", "kind", to={"enum": ["car", "station", "ship"]}),
        _changed("components", "parameters", "q", "schema", to={"type": "string"}),
    ],
)
def test_what_only_adds_or_loosens_is_none(new: dict[str, Any]) -> None:
    assert breaking_changes(OLD, new) == []
