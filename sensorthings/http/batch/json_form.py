"""Batches as JSON: from a body to parts, from results to a body.

What lives here: names and types of the JSON form. What does not: running.

Answers carry `location` beside `status` as well as in `headers`: OData has it in the headers, clients written
for FROST-Server look for it beside the status.

Source: OData JSON Format 4.01, clause 19.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import orjson

from sensorthings.errors import BodyError
from sensorthings.http.batch.parts import (
    MAX_PARTS,
    Group,
    GroupResult,
    Item,
    ItemResult,
    Part,
    Result,
    too_long,
)
from sensorthings.http.messages import JSON, Answer

_NAMES = frozenset({"id", "atomicityGroup", "method", "url", "headers", "body", "dependsOn", "if"})


def read_json_batch(body: bytes) -> list[Item]:
    """Read a batch.

    Raises:
        BodyError: It is not JSON, or not a batch.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError("body.not_json", f"the batch is not JSON: {error}") from None
    requests = parsed.get("requests") if isinstance(parsed, dict) else None
    if not isinstance(requests, list):
        raise BodyError(
            "batch.form",
            "an object with an array of requests is needed",
            place="/requests",
            hint='As {"requests": [{"id": "1", "method": "get", "url": "Things"}]}.',
        )
    if len(requests) > MAX_PARTS:
        raise too_long(f"/requests/{MAX_PARTS}")
    return _grouped([_read_request(one, f"/requests/{at}") for at, one in enumerate(requests)])


def _grouped(found: list[tuple[Part, str | None]]) -> list[Item]:
    items: list[Item] = []
    known: set[str] = set()
    for name, run in groupby(found, lambda one: one[1]):
        parts = tuple(part for part, _ in run)
        if name is None:
            items += parts
            continue
        if name in known:
            raise BodyError(
                "batch.group",
                f"the requests of atomicityGroup {name[:80]!r} do not follow each other",
                place=parts[0].place,
            )
        known.add(name)
        items.append(Group(parts[0].place, parts, name))
    return items


def _read_request(request: object, place: str) -> tuple[Part, str | None]:
    if not isinstance(request, dict):
        raise BodyError("batch.form", "a request is a JSON object", place=place)
    unknown = [name for name in request if name not in _NAMES and "@" not in name]
    if unknown:
        raise BodyError(
            "batch.form",
            f"a request has no member {unknown[0][:80]!r}",
            place=place,
            hint=f"It has {', '.join(sorted(_NAMES))}.",
        )
    headers = _headers(request.get("headers"), f"{place}/headers")
    part = Part(
        place,
        _text(request, "method", place).upper(),
        _text(request, "url", place),
        headers,
        _body(request, headers),
        _identifier(request, "id", place),
        _dependencies(request.get("dependsOn"), f"{place}/dependsOn"),
        None if request.get("if") is None else _text(request, "if", place),
    )
    return part, _identifier(request, "atomicityGroup", place)


def _text(request: Mapping[str, Any], name: str, place: str) -> str:
    text = request.get(name)
    if not isinstance(text, str) or not text:
        raise BodyError("batch.form", f"{name} is a text that is not empty", place=f"{place}/{name}")
    return text


def _identifier(request: Mapping[str, Any], name: str, place: str) -> str | None:
    value = request.get(name)
    if value is None:
        return None
    # Numbers are no identifiers in OData, but everybody writes them.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(request, name, place)


def _headers(given: object, place: str) -> dict[str, str]:
    headers = {} if given is None else given
    if not isinstance(headers, dict) or not all(isinstance(one, str) for one in headers.values()):
        raise BodyError("batch.form", "headers is an object of texts", place=place)
    return {"content-type": JSON} | {name.lower(): value for name, value in headers.items()}


def _dependencies(given: object, place: str) -> tuple[str, ...]:
    names = [] if given is None else given
    if not isinstance(names, list) or not all(isinstance(one, str | int) for one in names):
        raise BodyError("batch.form", "dependsOn is an array of identifiers", place=place)
    return tuple(str(one) for one in names)


def _body(request: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    if "body" not in request:
        return b""
    body = request["body"]
    if isinstance(body, str) and not is_json(headers["content-type"]):
        return body.encode()
    return orjson.dumps(body)


def is_json(media_type: str) -> bool:
    """Tell whether a body of this type is JSON."""
    name = media_type.partition(";")[0].strip().lower()
    return name.endswith(("/json", "+json"))


def render_json_batch(results: Iterable[ItemResult]) -> Answer:
    """Make the answer to a batch."""
    rendered: list[bytes] = []
    for item in results:
        if isinstance(item, GroupResult):
            rendered += [_render(one, item.group.name) for one in item.results]
        else:
            rendered.append(_render(item, None))
    return Answer(200, b'{"responses":[' + b",".join(rendered) + b"]}", JSON)


def _render(result: Result, group: str | None) -> bytes:
    answer = result.answer
    head: dict[str, Any] = {} if result.part.identifier is None else {"id": result.part.identifier}
    if group is not None:
        head["atomicityGroup"] = group
    head["status"] = answer.status
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if "location" in headers:
        head["location"] = headers["location"]
    if answer.body:
        headers["content-type"] = answer.media_type
    if headers:
        head["headers"] = headers
    opened = orjson.dumps(head)
    if not answer.body:
        return opened
    # What is JSON already goes in as it is: it is not read again.
    body = answer.body if is_json(answer.media_type) else orjson.dumps(answer.body.decode("utf-8", "replace"))
    return opened[:-1] + b',"body":' + body + b"}"
