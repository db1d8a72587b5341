"""The committed description of the API is that of the application, complete and fit for programs."""

import json
import re
from collections import Counter
from typing import Any

import jsonschema_rs
import pytest

from platform_ui.documents.breaking import breaking_changes
from platform_ui.documents.examples import EXAMPLES
from platform_ui.documents.openapi import TAGS, operations
from tests.house.api_description import FILE, description, text_of

_HOW = "write it anew: python -m tests.house.api_description"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return description()


def test_the_committed_description_is_that_of_the_application(document: dict[str, Any]) -> None:
    committed = json.loads(FILE.read_text(encoding="utf-8"))
    broken = breaking_changes(committed, document)
    assert not broken, f"programs may stumble over this; if it is wanted, {_HOW}:\n" + "\n".join(broken)
    assert FILE.read_text(encoding="utf-8") == text_of(document), _HOW


def test_it_is_an_openapi_3_1_document(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    text = json.dumps(document)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found: Any = document
        for step in reference.split("/"):
            assert step in found, reference
            found = found[step]


def test_every_operation_can_be_found_and_read(document: dict[str, Any]) -> None:
    names = Counter(operation["operationId"] for _, _, operation in operations(document))
    assert [name for name, times in names.items() if times > 1] == []
    for method, path, operation in operations(document):
        where = f"{method.upper()} {path}"
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), where
        assert set(operation["tags"]) <= set(TAGS), where
        assert operation["summary"], where
        assert not operation["summary"].endswith("."), where
        assert path.startswith("/api/v1/"), where


def test_every_operation_declares_its_problems(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        where = f"{method.upper()} {path}"
        problems = {status for status in operation["responses"] if status >= "400"}
        if operation.get("security"):
            assert {"401", "403"} <= problems, where
        if "{" in path:
            assert "404" in problems, where
        if "requestBody" in operation:
            assert "422" in problems, where
    assert "HTTPValidationError" not in json.dumps(document)


def test_only_operations_that_prove_themselves_need_no_login(document: dict[str, Any]) -> None:
    open_ones = {
        operation["operationId"] for _, _, operation in operations(document) if not operation.get("security")
    }
    assert open_ones == {
        "create_session",
        "create_tokens",
        "delete_session",
        "enrol_client",
        "refresh_tokens",
        "renew_certificate",
        "revoke_tokens",
        "set_platform_up",  # by the setup code, and only while nobody has an account
        "show_authority",
        "show_session",
        "show_setup",
    }


def _bodies(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for _, _, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None:
            found[operation["operationId"]] = content
    return found


def test_every_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    bodies = _bodies(document)
    assert set(EXAMPLES) - set(bodies) == set()
    lacking = [name for name, content in bodies.items() if "example" not in content]
    assert lacking == [], "add an example to platform_ui/documents/examples.py"
    for name, content in bodies.items():
        schema = content["schema"] | {"components": document["components"]}
        assert jsonschema_rs.is_valid(schema, content["example"]), name
