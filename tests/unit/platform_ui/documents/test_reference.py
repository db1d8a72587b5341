"""The description as the page of the API shows it."""

import json
import shlex
from typing import Any

import pytest

from platform_ui.documents.openapi import complete
from platform_ui.documents.reference import Group, Operation, curl_of, groups_of

HOST = "https://twin.example.org"
_DESCRIPTION = "A new one.\n\nAttributes:\n    company: Whose\n        it is.\n    parts: Some."
_NUMBER_OR_NOTHING = {"anyOf": [{"type": "integer"}, {"type": "null"}]}


@pytest.fixture
def document() -> dict[str, Any]:
    return complete(
        {
            "openapi": "3.1.0",
            "info": {"title": "A twin", "version": "1"},
            "paths": {
                "/api/v1/systems": {
                    "post": {
                        "operationId": "create_system",
                        "tags": ["systems"],
                        "description": "Create a system.\n\nWith its topics.",
                        "security": [{"token": []}],
                        "parameters": [
                            {"name": "of", "in": "query", "required": True, "schema": {"type": "string"}}
                        ],
                        "requestBody": {
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}}
                        },
                        "responses": {"201": {"description": ""}, "422": {"description": ""}},
                    }
                },
                "/api/v1/apps": {
                    "get": {
                        "operationId": "list_apps",
                        "tags": ["stream apps"],
                        "description": "List the stream apps.",
                        "responses": {"200": {"description": ""}},
                    }
                },
            },
            "components": {
                "schemas": {
                    "New": {
                        "type": "object",
                        "description": _DESCRIPTION,
                        "required": ["company"],
                        "properties": {
                            "company": {"type": "string", "minLength": 1, "maxLength": 20},
                            "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
                        },
                    },
                    "Part": {
                        "type": "object",
                        "properties": {"age": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
                    },
                }
            },
        },
        {},
    )


def only(groups: list[Group], name: str) -> Operation:
    return next(one for group in groups for one in group.operations if one.name == name)


def test_operations_are_shown_by_tag_with_all_they_take(document: dict[str, Any]) -> None:
    groups = groups_of(document, HOST)
    assert [group.tag for group in groups] == ["systems", "stream apps"]
    operation = only(groups, "create_system")
    assert (operation.summary, operation.description) == ("Create a system", "With its topics.")
    taken = {one.name: (one.place, one.kind, one.is_required, one.description) for one in operation.members}
    assert taken["company"] == ("body", "string", True, "Whose it is. 1 to 20 characters.")
    assert taken["parts"] == ("body", "list of object", False, "Some.")
    assert taken["parts[].age"] == ("body", "integer or null", False, "")
    assert {"of", "dry_run", "Idempotency-Key"} <= set(taken)
    assert {answer.status for answer in operation.answers if answer.is_problem} >= {
        "401",
        "403",
        "409",
        "422",
    }


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("", ["create_system", "list_apps"]),
        ("SYSTEM create", ["create_system"]),
        ("get", ["list_apps"]),
        ("stream", ["list_apps"]),
        ("nothing at all", []),
    ],
)
def test_a_search_needs_all_of_its_words(document: dict[str, Any], q: str, names: list[str]) -> None:
    found = [one.name for group in groups_of(document, HOST, q) for one in group.operations]
    assert found == names


def test_a_call_can_be_pasted_into_a_shell(document: dict[str, Any]) -> None:
    call = only(groups_of(document, HOST), "create_system").curl
    words = shlex.split(call.replace("\\\n", " "))
    assert words[:4] == ["curl", "-X", "POST", f"{HOST}/api/v1/systems?of=..."]
    assert "Authorization: Bearer $DTWIN_TOKEN" in words
    assert json.loads(words[-1])["company"] == "cz.icecars"
    quoted = shlex.split(curl_of("POST", HOST, {"a": "it's"}).replace("\\\n", " "))
    assert json.loads(quoted[-1]) == {"a": "it's"}
    assert "Authorization" not in only(groups_of(document, HOST), "list_apps").curl
