"""JSON Patch: from a list of operations to the properties that they change.

What lives here: applying a patch to an entity's properties, within bounds. What does not: the entity, and
changing it (`sensorthings.writes.change`).

Source: RFC 6902; OGC 18-088, clause 10.3.2 (update-entity-jsonpatch).
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import orjson

from sensorthings.errors import BodyError, RequestError
from sensorthings.model.entities import EntityType, Kind

MEDIA_TYPE: Final = "application/json-patch+json"
MAX_OPERATIONS: Final = 1000
"""Most operations of one patch."""
_MAX_BYTES: Final = 1024 * 1024
"""Largest entity that a patch may make, because copies can double it again and again [bytes]."""
_NOTHING: Final = {"\0": None}
"""Equal to no JSON value that is stored."""
_NEEDS: Final = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "move": ("from",),
    "copy": ("from",),
    "test": ("value",),
}
"""Members of an operation besides op and path."""


def patched_properties(entity: EntityType, document: Mapping[str, Any], operations: object) -> dict[str, Any]:
    """Apply a JSON Patch to an entity.

    Args:
        entity: Its type.
        document: The entity as a GET shows it.
        operations: The patch.

    Returns:
        The body of a PATCH that does the same: properties that are changed; null for those taken away.

    Raises:
        BodyError: The patch is none, or does not fit the entity.
        RequestError: A test of it failed (409).
    """
    known = {one.name for one in entity.properties}
    before = {name: value for name, value in document.items() if name in known}
    after = _apply(deepcopy(before), _checked(operations))
    changed = {
        name: value
        for name, value in after.items()
        if name not in before or _text(value) != _text(before[name])
    }
    for described in entity.properties:
        if described.name in before and described.name not in after:
            if described.kind is Kind.RESULT:
                raise BodyError("body.missing_property", f"{entity.name} needs the property {described.name}")
            changed[described.name] = None
    return changed


def _checked(operations: object) -> list[dict[str, Any]]:
    if not isinstance(operations, list):
        raise BodyError("body.patch", "a JSON Patch is an array of operations")
    if len(operations) > MAX_OPERATIONS:
        raise BodyError("body.patch", f"a patch has at most {MAX_OPERATIONS} operations")
    for at, operation in enumerate(operations):
        reason = _mistake(operation)
        if reason:
            raise BodyError("body.patch", reason, place=f"/{at}", hint="RFC 6902 describes the operations.")
    return operations


def _mistake(operation: object) -> str:
    if not isinstance(operation, dict):
        return "an operation is a JSON object"
    name = operation.get("op")
    if not isinstance(name, str) or name not in _NEEDS:
        return f"op is one of {', '.join(_NEEDS)}"
    for member in ("path", *_NEEDS[name]):
        if member not in operation:
            return f"{name} needs {member}"
        if member != "value" and not isinstance(operation[member], str):
            return f"{member} is a text, a JSON pointer"
    return ""


def _apply(document: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    import jsonpatch  # noqa: PLC0415 - few services are ever sent a patch
    import jsonpointer  # noqa: PLC0415

    for at, operation in enumerate(operations):
        try:
            patched: object = jsonpatch.JsonPatch([operation]).apply(document, in_place=True)
        except jsonpatch.JsonPatchTestFailed:
            raise RequestError(
                409, "entity.patch_test_failed", f"/{at}: the test failed.", "Read the entity and try again."
            ) from None
        except (
            jsonpatch.JsonPatchException,
            jsonpointer.JsonPointerException,
            TypeError,
            KeyError,
            IndexError,
            ValueError,
            AttributeError,
            RecursionError,
        ) as error:
            path = operation["path"]
            raise BodyError(
                "body.patch",
                f"{operation['op']} {path[:80]} cannot be applied: {error}",
                place=f"/{at}",
                hint="Paths begin at the entity's properties, as /properties/owner.",
            ) from None
        if not isinstance(patched, dict):
            raise BodyError("body.patch", "an entity stays a JSON object", place=f"/{at}")
        document = patched
        if operation["op"] == "copy" and len(_text(patched)) > _MAX_BYTES:
            raise BodyError("body.patch", f"the entity grows beyond {_MAX_BYTES} bytes", place=f"/{at}")
    return document


def _text(value: object) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, RecursionError) as error:
        raise BodyError("body.patch", f"what the patch makes is no JSON: {error}") from None
