"""How large, how slow and how deep a request body may be.

What lives here: reading a body within its limits, before any handler sees it. What does not: limits of single
fields (each domain's ``forms``) and of request lines and headers (``server``).
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.types import Message, Receive

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_JSON_DEPTH: Final = 32
# Strings whole, so that brackets inside of them do not count; possessive, so that no input is read twice.
_JSON_MARKS: Final = re.compile(rb'"(?:[^"\\]|\\.?)*+"?|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not handled.

    Attributes:
        status: the HTTP status.
        code: stable, machine-readable word.
        detail: what is wrong, for people.
        hint: what to do next.
    """

    status: HTTPStatus
    code: str
    detail: str
    hint: str = ""


class RefusedError(Exception):
    """A body breaks a limit; never leaves this package."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def check_length(headers: Mapping[str, str]) -> None:
    """Refuse a body by what its headers say.

    Raises:
        RefusedError: its length is not stated or too large.
    """
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers and not length:
        raise RefusedError(
            Refusal(HTTPStatus.LENGTH_REQUIRED, "http.length_required", "A request must state its length.")
        )
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise RefusedError(_too_large())
    if headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(
            Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "http.content_encoding",
                "Compressed request bodies are not accepted.",
                "Send the body as it is.",
            )
        )


async def read_body(receive: Receive, headers: Mapping[str, str], timeout_s: float) -> Receive:
    """Read a body whole and return a function that gives it again.

    Args:
        receive: the server's.
        headers: of the request, in lower case.
        timeout_s: how long the body may take to arrive [s].

    Raises:
        RefusedError: it is too large, too slow or nested too deeply.
    """
    try:
        async with asyncio.timeout(timeout_s):
            body, is_whole = await _gather(receive)
    except TimeoutError:
        raise RefusedError(
            Refusal(
                HTTPStatus.REQUEST_TIMEOUT, "http.request_timeout", "The request took too long to arrive."
            )
        ) from None
    if "json" in headers.get("content-type", "") and json_depth(body) > MAX_JSON_DEPTH:
        raise RefusedError(
            Refusal(
                HTTPStatus.BAD_REQUEST,
                "http.too_deep",
                f"The JSON is nested more than {MAX_JSON_DEPTH} levels deep.",
            )
        )
    message: Message = {"type": "http.request", "body": body, "more_body": False}
    waiting = [message] if is_whole else [{"type": "http.disconnect"}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def _gather(receive: Receive) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"", False
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise RefusedError(_too_large())
        if not message.get("more_body", False):
            return b"".join(parts), True


def json_depth(body: bytes) -> int:
    """Return how deeply arrays and objects are nested in a JSON text, without parsing it."""
    depth = deepest = 0
    for mark in _JSON_MARKS.finditer(body):
        first = body[mark.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest


def _too_large() -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "http.too_large",
        "The request is too large.",
        f"At most {MAX_BODY_BYTES} bytes are accepted.",
    )
