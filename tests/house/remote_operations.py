"""What the command line knows of the API's operations, made of the committed description.

To write it anew: python -m tests.house.remote_operations (after python -m tests.house.api_description)
"""

import json
from typing import Any

from platform_ui.documents.openapi import operations
from setup.remote.operations import FILE as WRITTEN
from tests.house.api_description import FILE

_BASE = "/api/v1"
_KINDS = {"string": "text", "integer": "whole", "number": "number", "boolean": "truth", "object": "object"}


def known_operations(document: dict[str, Any]) -> dict[str, Any]:
    """Each operation by its id: where it is, what it takes, what it answers."""
    found = {
        operation["operationId"]: _operation(document, method, path, operation)
        for method, path, operation in operations(document)
    }
    return dict(sorted(found.items()))


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    parameters = [_resolved(document, one) for one in operation.get("parameters", [])]
    shared = {one["name"] for one in parameters}
    query = [
        _value(document, one["name"], one["schema"], one.get("description", ""), one["required"])
        for one in parameters
        if one["in"] == "query" and one["name"] not in {"dry_run", "page_size", "page_token"}
    ]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = _resolved(document, content.get("schema", {}))
    body = [
        _value(document, name, member, member.get("description", ""), name in schema.get("required", []))
        for name, member in schema.get("properties", {}).items()
    ]
    answer, members = _answer(document, operation["responses"])
    return {
        "method": method.upper(),
        "path": path.removeprefix(_BASE),
        "summary": operation["summary"],
        "query": query,
        "body": body,
        "takes_document": bool(content) and not body,
        "answer": answer,
        "members": members,
        "can_be_tried": "dry_run" in shared,
        "can_be_repeated": "Idempotency-Key" in shared,
    }


def _value(
    document: dict[str, Any], name: str, schema: dict[str, Any], said: str, is_needed: object
) -> dict[str, Any]:
    kind, choices = _kind(document, schema)
    return {
        "name": name,
        "kind": kind,
        "help": said or _resolved(document, schema).get("description", "").partition("\n")[0],
        "choices": choices,
        "is_needed": bool(is_needed),
    }


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> tuple[str, list[str]]:
    schema = _resolved(document, schema)
    if "anyOf" in schema:
        schema = next(_resolved(document, one) for one in schema["anyOf"] if one.get("type") != "null")
    if schema.get("type") == "array":
        return ("texts" if _kind(document, schema["items"])[0] == "text" else "object"), []
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return _KINDS.get(schema.get("type", "string"), "text"), [str(one) for one in choices]


def _answer(document: dict[str, Any], responses: dict[str, Any]) -> tuple[str, list[str]]:
    success = next(response for status, response in responses.items() if status.startswith("2"))
    content = success.get("content", {})
    if "text/event-stream" in content:
        return "stream", []
    schema = _resolved(document, content.get("application/json", {}).get("schema", {}))
    members = schema.get("properties", {})
    if "items" in members and members["items"].get("type") == "array":
        item = _resolved(document, members["items"]["items"])
        return ("pages" if "next_page_token" in members else "list"), sorted(item.get("properties", {}))
    if members:
        return "object", sorted(members)
    is_empty = not content and any(status == "204" for status in responses)
    return ("nothing" if is_empty else "file"), []


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def text() -> str:
    """What the file has to be."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    return json.dumps(known_operations(document), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    WRITTEN.write_text(text(), encoding="utf-8")
