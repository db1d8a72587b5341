"""The description of the HTTP API, made of the operations themselves and what they have in common.

What lives here: what the framework does not know: shared headers and parameters, problems, tags, examples.
What does not: operations (each domain's ``api``) and the conventions themselves (``rest``).

Source: OpenAPI Specification 3.1.1; RFC 9457 for problems.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import FastAPI

from platform_ui.documents.examples import EXAMPLES
from platform_ui.rest.marks import can_be_rehearsed

Document = dict[str, Any]

METHODS: Final = ("get", "post", "put", "patch", "delete")
SUMMARY: Final = "Companies, systems, clients, contracts and stream apps of a Digital Twin Stack."
TAGS: Final = {
    "session": "Logging in with a browser's cookie.",
    "tokens": "Tokens of programs that act for a person.",
    "account": "Your own account.",
    "companies": "Companies: the owners of systems.",
    "people": "Who has which part in a company or a system, and who is invited.",
    "systems": "Systems: the owners of topics, client apps and stream apps.",
    "clients": "Client apps: devices and programs that send and receive.",
    "credentials": "Certificates of client apps, and how devices renew them.",
    "assets": "Things, Sensors and Datastreams of a system.",
    "analytics": "What a system measured and got, summed up.",
    "contracts": "Agreements of two systems on what is shared.",
    "stream apps": "Statements that read a system and write into another one.",
    "offers": "What systems offer to others, for contracts to come.",
    "flows": "What moves, and how much.",
    "records": "Records of a system, as they pass and as they passed.",
    "lineage": "Where data comes from and goes to: declared, permitted, observed.",
    "platform": "The platform itself: its first run, its parts, its limits.",
    "search": "Finding objects by words.",
    "audit": "Who did what, and when.",
    "explain": "Why somebody may do something, or what is missing.",
    "documents": "Descriptions of the API and of the topics of a system, for programs.",
}
_SUCCESSES: Final = {
    "200": "What was asked for, or what was changed, as it is now.",
    "201": "What was made.",
    "202": "It has begun; the answer shows it as it is now.",
    "204": "It was done; there is nothing to say.",
}
_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_CHANGING: Final = frozenset({"post", "put", "patch", "delete"})
_MATCHING: Final = frozenset({"put", "patch", "delete"})
_TAGGED: Final = frozenset({"get", "put", "patch"})
PARAMETERS: Final[Document] = {
    "dry_run": {
        "name": "dry_run",
        "in": "query",
        "required": False,
        "description": "`true`: check everything and answer as if it were done, but do nothing. The answer "
        "has the header `Dry-Run: true`.",
        "schema": {"type": "boolean", "default": False},
    },
    "idempotency_key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A text of your choice, for instance a UUID. A request that comes again with the same "
        "key within 24 hours is not done again: it gets the same answer.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "if_match": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The `ETag` of the object as you saw it: 412 when it has changed since then.",
        "schema": {"type": "string"},
    },
    "if_none_match": {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The `ETag` of an answer that you have: 304 without a body when it is still the same.",
        "schema": {"type": "string"},
    },
}
ETAG: Final[Document] = {
    "description": "Names this state of the object; for `If-Match` and `If-None-Match`.",
    "schema": {"type": "string"},
}
PROBLEM: Final[Document] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, for people."},
        "instance": {"type": "string", "format": "uri-reference", "description": "What was asked for."},
        "code": {"type": "string", "description": "A stable word for the case, for programs."},
        "hint": {"type": "string", "description": "What to do next."},
        "explain": {"type": "string", "description": "The page that explains a refusal."},
        "errors": {
            "type": "array",
            "description": "One for each place in the request that cannot be accepted.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "Where in the body (RFC 6901)."},
                    "parameter": {"type": "string", "description": "Which parameter or header."},
                },
            },
        },
    },
    "examples": [
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "You have no company named cz.icecars.",
            "instance": "/api/v1/companies/cz.icecars",
            "code": "company.not_found",
        }
    ],
}
_PROBLEMS: Final = {
    "400": "A header or parameter means nothing.",
    "401": "Nobody is logged in, or the token does not count.",
    "403": "You may see it, but not do this.",
    "404": "It does not exist, or belongs to somebody else.",
    "409": "A rule refuses the change: the detail says what to do first.",
    "412": "The object has changed since you saw it.",
    "422": "Something in the request cannot be accepted: `errors` says where.",
    "429": "Tried too often: wait as long as `Retry-After` says.",
    "503": "Another part of the platform does not answer: try again later.",
}


def describe(app: FastAPI) -> Document:
    """Return the description of the API of an application; made once."""
    if app.openapi_schema is None:
        app.openapi_schema = complete(FastAPI.openapi(app), dict(_handlers(app.routes)))
    return app.openapi_schema


def complete(document: Document, handlers: dict[tuple[str, str], object]) -> Document:
    """Add to a description what all operations have in common.

    Args:
        document: as the framework makes it; it is changed.
        handlers: the function of each operation, by method in lower case and path.
    """
    document["info"]["summary"] = SUMMARY
    document["servers"] = [{"url": "/"}]
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    components = document.setdefault("components", {})
    components["parameters"] = PARAMETERS
    components["headers"] = {"ETag": ETAG}
    components["responses"] = {f"problem_{status}": _response(text) for status, text in _PROBLEMS.items()}
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for schema in schemas.values():
        _spread_attributes(schema)
    for method, path, operation in operations(document):
        _complete_operation(operation, method, path, handlers.get((method, path)))
    return document


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Give each operation of a description with its method in lower case and its path."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def _spread_attributes(schema: Document) -> None:
    """Say at each member what the docstring of its model says under "Attributes"."""
    said, separator, attributes = schema.get("description", "").partition("\n\nAttributes:\n")
    if not separator:
        return
    schema["description"] = said
    for name, text in _ATTRIBUTE.findall(attributes):
        if name in schema.get("properties", {}):
            schema["properties"][name].setdefault("description", " ".join(text.split()))


def _response(text: str) -> Document:
    reference = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {"application/problem+json": {"schema": reference}}}


def _complete_operation(operation: Document, method: str, path: str, handler: object) -> None:
    said, _, more = operation.pop("description", "").partition("\n\n")
    operation["summary"] = " ".join(said.split()).rstrip(".")
    if more:
        operation["description"] = more
    names = list(_shared_parameters(operation, method, handler))
    if names:
        shared = [{"$ref": f"#/components/parameters/{name}"} for name in names]
        operation["parameters"] = operation.get("parameters", []) + shared
    for status, text in _SUCCESSES.items():
        answer = operation["responses"].get(status)
        if answer is None:
            continue
        answer["description"] = text
        if method in _TAGGED and "application/json" in answer.get("content", {}):
            answer["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
    for status in _problems_of(operation, path, names):
        operation["responses"][status] = {"$ref": f"#/components/responses/problem_{status}"}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and operation["operationId"] in EXAMPLES:
        body["example"] = EXAMPLES[operation["operationId"]]


def _shared_parameters(operation: Document, method: str, handler: object) -> Iterator[str]:
    if "security" not in operation:
        return
    if method in _CHANGING and can_be_rehearsed(handler):
        yield "dry_run"
    if method == "post":
        yield "idempotency_key"
    if method in _MATCHING:
        yield "if_match"
    if method == "get":
        yield "if_none_match"


def _problems_of(operation: Document, path: str, shared: list[str]) -> Iterator[str]:
    is_secured = "security" in operation
    takes = bool(operation.get("parameters")) or "requestBody" in operation
    wanted = {
        "400": bool(shared),
        "401": is_secured,
        "403": is_secured,
        "404": "{" in path,
        "409": "idempotency_key" in shared or "if_match" in shared,
        "412": "if_match" in shared,
        "422": takes,
        "429": not is_secured and "requestBody" in operation,
        "503": is_secured,
    }
    operation["responses"].pop("422", None)
    yield from (status for status, is_wanted in wanted.items() if is_wanted)


def _handlers(routes: Iterable[Any]) -> Iterator[tuple[tuple[str, str], object]]:
    """Give the function of each operation; a router that was included gives its routes when it is asked."""
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from _handlers(route.effective_candidates())
        elif getattr(route, "methods", None) and getattr(route, "endpoint", None) is not None:
            for method in route.methods:
                yield (method.lower(), route.path), route.endpoint
