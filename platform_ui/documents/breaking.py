"""What of an API changed so that a program written for the old one may fail.

What lives here: a pure comparison of two OpenAPI documents. What does not: where they come from.

How it works: what programs send may only be asked for less strictly, and what they get may only grow. So a
path, operation, answer or member of an answer must not go; a parameter or member of a body must not become
needed; and neither side may change its type.

>>> old = {"paths": {"/a": {"get": {"responses": {}}}}}
>>> breaking_changes(old, {"paths": {}})
['GET /a is gone']
"""

from collections.abc import Iterator
from typing import Any, Final

Document = dict[str, Any]

_METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options")
_MAX_DEPTH: Final = 12  # schemas may hold themselves


def breaking_changes(old: Document, new: Document) -> list[str]:
    """Return what a program may stumble over, one sentence each, in the order of the old document."""
    return list(_Comparison(old, new).all())


class _Comparison:
    """Two documents, each with its components."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old = old
        self._new = new

    def all(self) -> Iterator[str]:
        for path, item in self._old.get("paths", {}).items():
            later = self._new.get("paths", {}).get(path, {})
            for method in _METHODS:
                if method not in item:
                    continue
                name = f"{method.upper()} {path}"
                if method not in later:
                    yield f"{name} is gone"
                else:
                    yield from self._operation(name, item[method], later[method])

    def _operation(self, name: str, old: Document, new: Document) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{name} has another operationId: {old.get('operationId')} is now {new.get('operationId')}"
        yield from self._parameters(name, old, new)
        yield from self._body(name, old, new)
        yield from self._answers(name, old, new)

    def _parameters(self, name: str, old: Document, new: Document) -> Iterator[str]:
        before, after = self._by_name(self._old, old), self._by_name(self._new, new)
        for place, parameter in before.items():
            if place not in after:
                yield f"{name} no longer takes {place[0]} parameter {place[1]}"
                continue
            where = f"{name}: parameter {place[1]}"
            yield from self._sent(where, parameter.get("schema", {}), after[place].get("schema", {}))
        for place, parameter in after.items():
            was_required = before.get(place, {}).get("required", False)
            if parameter.get("required", False) and not was_required:
                yield f"{name} now needs {place[0]} parameter {place[1]}"

    def _by_name(self, document: Document, operation: Document) -> dict[tuple[str, str], Document]:
        found = [_resolved(document, one) for one in operation.get("parameters", [])]
        return {(one["in"], one["name"]): one for one in found}

    def _body(self, name: str, old: Document, new: Document) -> Iterator[str]:
        before, after = old.get("requestBody", {}), new.get("requestBody", {})
        if after.get("required", False) and not before.get("required", False):
            yield f"{name} now needs a body"
        for media_type, content in before.get("content", {}).items():
            if media_type not in after.get("content", {}):
                yield f"{name} no longer takes {media_type}"
                continue
            later = after["content"][media_type]
            yield from self._sent(f"{name}: body", content.get("schema", {}), later.get("schema", {}))

    def _answers(self, name: str, old: Document, new: Document) -> Iterator[str]:
        for status, answer in old.get("responses", {}).items():
            if not status.startswith("2"):
                continue
            if status not in new.get("responses", {}):
                yield f"{name} no longer answers {status}"
                continue
            before = _resolved(self._old, answer).get("content", {})
            after = _resolved(self._new, new["responses"][status]).get("content", {})
            for media_type, content in before.items():
                if media_type not in after:
                    yield f"{name} no longer answers {media_type}"
                    continue
                schemas = content.get("schema", {}), after[media_type].get("schema", {})
                yield from self._got(f"{name}: answer {status}", *schemas)

    def _sent(self, where: str, old: Document, new: Document, depth: int = 0) -> Iterator[str]:
        """Compare what a program sends: nothing more may be needed, nothing may be refused."""
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        lost = _types(old) - _types(new)
        if lost and _types(new):
            yield f"{where} no longer takes {', '.join(sorted(lost))}"
            return
        yield from _fewer_values(where, old, new)
        for name in new.get("required", []):
            if name not in old.get("required", []):
                yield f"{where} now needs {name}"
        for name, schema in self._members(old, depth):
            later = new.get("properties", {}).get(name)
            if later is None:
                yield f"{where} no longer takes {name}"
            else:
                yield from self._sent(f"{where}: {name}", schema, later, depth + 1)

    def _got(self, where: str, old: Document, new: Document, depth: int = 0) -> Iterator[str]:
        """Compare what a program gets: nothing may go, nothing may be of another type."""
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        added = _types(new) - _types(old)
        if added and _types(old):
            yield f"{where} may now be {', '.join(sorted(added))}"
            return
        for name, schema in self._members(old, depth):
            later = new.get("properties", {}).get(name)
            if later is None:
                yield f"{where} no longer has {name}"
            else:
                yield from self._got(f"{where}: {name}", schema, later, depth + 1)
        for name in old.get("required", []):
            if name in new.get("properties", {}) and name not in new.get("required", []):
                yield f"{where} may now lack {name}"
        if "items" in old and "items" in new and depth < _MAX_DEPTH:
            yield from self._got(f"{where}: item", old["items"], new["items"], depth + 1)

    @staticmethod
    def _members(schema: Document, depth: int) -> list[tuple[str, Document]]:
        return list(schema.get("properties", {}).items()) if depth < _MAX_DEPTH else []


def _resolved(document: Document, part: Document) -> Document:
    """Follow a reference within a document (RFC 6901)."""
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        part = found
    return part


def _types(schema: Document) -> frozenset[str]:
    if "anyOf" in schema:
        return frozenset().union(*(_types(one) or {"object"} for one in schema["anyOf"]))
    kind = schema.get("type", [])
    return frozenset([kind] if isinstance(kind, str) else kind)


def _fewer_values(where: str, old: Document, new: Document) -> Iterator[str]:
    if "enum" in new:
        lost = [str(one) for one in old.get("enum", []) if one not in new["enum"]]
        if lost:
            yield f"{where} no longer takes {', '.join(lost)}"
        elif "enum" not in old:
            yield f"{where} now takes only some values"
    for limit, is_tighter in (("maxLength", int.__lt__), ("maximum", int.__lt__), ("minLength", int.__gt__)):
        before, after = old.get(limit), new.get(limit)
        default = 0 if limit.startswith("min") else None
        before = default if before is None else before
        if isinstance(after, int) and (before is None or is_tighter(after, int(before))):
            yield f"{where}: {limit} is now {after}"
