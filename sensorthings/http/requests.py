"""Reading request bodies and the addresses they are for.

What lives here: what is common to all writing routes. What does not: what is done with them.
"""

import orjson

from sensorthings.errors import BodyError, MethodError, RequestError
from sensorthings.http.messages import Request
from sensorthings.http.paths import parse_path
from sensorthings.queries.resources import Resource, Shape

MAX_NESTING = 254
"""Deepest JSON that is taken [levels]: the deepest that orjson writes."""
_JSON_TYPES = ("", "application/json", "application/merge-patch+json")


def read_json(request: Request) -> object:
    """Read a JSON body.

    Raises:
        RequestError: Of another media type (415).
        BodyError: Not JSON.
    """
    if request.media_type not in _JSON_TYPES:
        raise RequestError(
            415, "body.media_type", f"{request.media_type} is not read here.", "Send application/json."
        )
    return parse_json(request.body)


def parse_json(body: bytes) -> object:
    """Parse JSON.

    Raises:
        BodyError: Not JSON.
    """
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError("body.not_json", f"the body is not JSON: {error}") from None
    if body.count(b"[") + body.count(b"{") > MAX_NESTING:
        _check_nesting(parsed)
    return parsed


def _check_nesting(parsed: object) -> None:
    try:
        # What can be read can be nested deeper than what can be written to the database.
        orjson.dumps(parsed)
    except orjson.JSONEncodeError:
        raise BodyError("body.too_deep", f"the body is nested deeper than {MAX_NESTING} levels") from None


def one_entity(path: str, method: str) -> Resource:
    """Read the address of one entity.

    Raises:
        MethodError: The address is that of something else (405).
    """
    resource = parse_path(path)
    if resource.shape is not Shape.ENTITY:
        allowed = "GET, POST" if resource.shape is Shape.SET else "GET"
        raise MethodError(method, allowed, "Give the address of one entity, such as Things(1).")
    return resource
