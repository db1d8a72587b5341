"""The description of the API as its page shows it: operations by tag, with what each takes and answers.

What lives here: choosing and flattening; references followed, types in words, a call to copy. What does not:
the description itself (``openapi``), HTML (``templates/documents``).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from platform_ui.documents.openapi import operations

Document = dict[str, Any]

JSON_TYPE: Final = "application/json"
_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MAX_DEPTH: Final = 3


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter, or a member of a body.

    Attributes:
        name: What it is called; members of members with their path.
        place: ``path``, ``query``, ``header``, or ``body``.
        kind: Its type in words.
        is_required: Whether it must be given.
        description: What it means.
    """

    name: str
    place: str
    kind: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Answered:
    """One way in which an operation answers."""

    status: str
    description: str
    members: tuple[Member, ...]
    is_problem: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to be shown."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    needs_login: bool
    members: tuple[Member, ...]
    answers: tuple[Answered, ...]
    curl: str


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of a tag."""

    tag: str
    description: str
    operations: tuple[Operation, ...]


def groups_of(document: Document, host: str, q: str = "") -> list[Group]:
    """Return the operations whose words hold all of a search, by tag.

    Args:
        document: The description of the API.
        host: Scheme and host of the page, for the calls.
        q: Words, in any case; empty for all operations.
    """
    reader = _Reader(document)
    found: dict[str, list[Operation]] = {}
    for method, path, operation in operations(document):
        tags = operation.get("tags", ["other"])
        if _is_wanted(q, method, path, operation):
            found.setdefault(tags[0], []).append(reader.operation(method, path, operation, host))
    texts = {one["name"]: one["description"] for one in document.get("tags", [])}
    order = [*texts, *(tag for tag in found if tag not in texts)]
    return [Group(tag, texts.get(tag, ""), tuple(found[tag])) for tag in order if tag in found]


def _is_wanted(q: str, method: str, path: str, operation: Document) -> bool:
    words = [method, path, operation["operationId"], operation.get("summary", "")]
    text = " ".join([*words, operation.get("description", ""), *operation.get("tags", [])]).lower()
    return all(word in text for word in q.lower().split())


class _Reader:
    """Reads parts of one description, following its references."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def operation(self, method: str, path: str, operation: Document, host: str) -> Operation:
        parameters = [self._resolved(one) for one in operation.get("parameters", [])]
        content = self._resolved(operation.get("requestBody", {})).get("content", {})
        body = content.get(JSON_TYPE, {})
        members = [self._parameter(one) for one in parameters]
        members += self._members(body.get("schema", {}), "body")
        needs_login = bool(operation.get("security"))
        return Operation(
            name=operation["operationId"],
            method=method.upper(),
            path=path,
            summary=_plain(operation.get("summary", "")),
            description=_plain(operation.get("description", "")),
            needs_login=needs_login,
            members=tuple(members),
            answers=tuple(self._answers(operation["responses"])),
            curl=curl_of(
                method.upper(),
                host + path + _needed_query(parameters),
                body.get("example"),
                needs_login=needs_login,
            ),
        )

    def _parameter(self, parameter: Document) -> Member:
        return Member(
            parameter["name"],
            parameter["in"],
            self._kind(parameter.get("schema", {})),
            parameter.get("required", False),
            _meaning(parameter | {"schema": self._resolved(parameter.get("schema", {}))}),
        )

    def _answers(self, responses: Mapping[str, Document]) -> Iterator[Answered]:
        for status, given in sorted(responses.items()):
            answer = self._resolved(given)
            schema = answer.get("content", {}).get(JSON_TYPE, {}).get("schema", {})
            is_problem = not status.startswith("2")
            members = () if is_problem else tuple(self._members(schema, "body"))
            yield Answered(status, _plain(answer.get("description", "")), members, is_problem)

    def _members(self, schema: Document, place: str, prefix: str = "", depth: int = 0) -> Iterator[Member]:
        whole = self._resolved(schema)
        if depth == _MAX_DEPTH:
            return
        needed = whole.get("required", [])
        for name, member in whole.get("properties", {}).items():
            resolved = self._resolved(member)
            path = f"{prefix}{name}"
            yield Member(path, place, self._kind(member), name in needed, _meaning({"schema": resolved}))
            inner = self._resolved(resolved.get("items", {})) if "items" in resolved else resolved
            step = f"{path}[]." if "items" in resolved else f"{path}."
            yield from self._members(inner, place, step, depth + 1)

    def _kind(self, schema: Document) -> str:
        resolved = self._resolved(schema)
        if "anyOf" in resolved:
            return " or ".join(dict.fromkeys(self._kind(one) for one in resolved["anyOf"]))
        if "enum" in resolved:
            return " | ".join(str(one) for one in resolved["enum"])
        if "const" in resolved:
            return str(resolved["const"])
        if resolved.get("type") == "array":
            return f"list of {self._kind(resolved.get('items', {}))}"
        kind = resolved.get("type", "any")
        return str(resolved.get("format", kind) if kind == "string" else kind)

    def _resolved(self, part: Document) -> Document:
        while "$ref" in part:
            found: Any = self._document
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            part = found
        return part


def _plain(text: str) -> str:
    """Return a text without the marks of code."""
    return text.replace("`", "")


def _meaning(described: Document) -> str:
    """Return what a member means, and how long or large it may be."""
    schema = described["schema"]
    words = [_plain(described.get("description") or schema.get("description", ""))]
    for least, most, unit in (("minLength", "maxLength", " characters"), ("minimum", "maximum", "")):
        low, high = schema.get(least), schema.get(most)
        if high is not None:
            words.append(f"{low} to {high}{unit}." if low else f"At most {high}{unit}.")
    return " ".join(word for word in words if word)


def _needed_query(parameters: Iterable[Document]) -> str:
    needed = {one["name"]: "..." for one in parameters if one["in"] == "query" and one.get("required")}
    return f"?{urlencode(needed)}" if needed else ""


def curl_of(method: str, url: str, body: object = None, *, needs_login: bool = True) -> str:
    r"""Return a call that can be copied into a shell.

    >>> print(curl_of("DELETE", "https://twin.example.org/api/v1/companies/{name}"))
    curl -X DELETE "https://twin.example.org/api/v1/companies/{name}" \
      -H "Authorization: Bearer $DTWIN_TOKEN"
    """
    verb = "" if method == "GET" else f"-X {method} "
    lines = [f'curl {verb}"{url}"']
    if needs_login:
        lines.append('-H "Authorization: Bearer $DTWIN_TOKEN"')
    if method in _CHANGING and body is not None:
        text = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{text}'"]
    return " \\\n  ".join(lines)
