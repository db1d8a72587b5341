"""Entity tags: whether an object is still as somebody saw it.

What lives here: making and comparing tags, and the header ``If-Match``. What does not: where tags are added
to answers (``exchange``).

How it works: the tag of an object is a hash of its JSON, without the members that move by themselves
(``marks``). A change with ``If-Match`` first asks the GET operation of the same address, in the transaction
of the change, while it holds a lock of that address: so of two changes with the same tag one comes too late.

Source: RFC 9110, clauses 8.8.3 "ETag", 13.1.1 "If-Match" and 13.1.2 "If-None-Match".
"""

import hashlib
import json
import re
from http import HTTPMethod, HTTPStatus
from typing import Any, Final

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import Headers
from starlette.types import Message, Scope

from platform_ui.db import SHARED_SESSION
from platform_ui.errors import PreconditionError
from platform_ui.rest.marks import moving_members

MATCH: Final = "if-match"
NONE_MATCH: Final = "if-none-match"
ANY: Final = "*"
_DIGITS: Final = 32
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_OF_THE_BODY: Final = frozenset({b"content-length", b"content-type", b"if-match", b"idempotency-key"})


def tag_of(body: bytes, moving: frozenset[str] = frozenset()) -> str:
    """Return the strong tag of a JSON text.

    >>> tag_of(b'{"a": 1, "lag": 3}', frozenset({"lag"})) == tag_of(b'{"a": 1, "lag": 4}', frozenset({"lag"}))
    True

    Args:
        body: The text.
        moving: Members at its top that are left out.
    """
    if moving:
        document = json.loads(body)
        kept = {name: value for name, value in document.items() if name not in moving}
        body = json.dumps(kept, sort_keys=True).encode()
    return f'"{hashlib.sha256(body).hexdigest()[:_DIGITS]}"'


def matches(header: str, tag: str, *, is_weak: bool = False) -> bool:
    """Return whether a list of tags holds one.

    >>> matches('"a", "b"', '"b"'), matches('*', '"b"'), matches('W/"b"', '"b"')
    (True, True, False)

    Args:
        header: Value of ``If-Match`` or ``If-None-Match``.
        tag: The present one, strong.
        is_weak: Whether weak tags count as well (RFC 9110, clause 8.8.3.2 "Comparison").
    """
    if header.strip() == ANY:
        return True
    found = _TAG.findall(header)
    return tag in ({one.removeprefix("W/") for one in found} if is_weak else found)


async def check_match(request: Request, session: AsyncSession) -> None:
    """Refuse a change of an object that is no longer as its sender saw it.

    What is not there, or not theirs to see, is left to the operation itself, which says so.

    Raises:
        PreconditionError: its tag is none of those in ``If-Match``, or it has none.
    """
    place = func.hashtextextended(f"etag:{request.url.path}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(place)))
    status, tag = await _present(request, session)
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
        return
    if status != HTTPStatus.OK or not matches(request.headers[MATCH], tag):
        raise PreconditionError


async def _present(request: Request, session: AsyncSession) -> tuple[int, str]:
    """Ask the GET operation of the same address, in a session; return its status and tag."""
    scope: Scope = {
        **request.scope,
        "method": HTTPMethod.GET.value,
        "query_string": b"",
        "headers": [pair for pair in request.scope["headers"] if pair[0].lower() not in _OF_THE_BODY],
        "state": {**request.scope.get("state", {}), SHARED_SESSION: session},
    }
    for name in ("endpoint", "route", "path_params", "fastapi_inner_astack", "fastapi_function_astack"):
        scope.pop(name, None)
    answer = Collected()
    await request.app.router(scope, _nothing, answer.take)
    return answer.status, answer.headers.get("etag") or tag_of(answer.body, _moving(scope, answer))


def _moving(scope: Scope, answer: "Collected") -> frozenset[str]:
    return moving_members(scope) if answer.status == HTTPStatus.OK else frozenset()


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


class Collected:
    """An answer that is kept instead of being sent."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self._headers: list[tuple[bytes, bytes]] = []

    @property
    def headers(self) -> Headers:
        """The headers of the answer."""
        return Headers(raw=self._headers)

    async def take(self, message: Message) -> None:
        """Take what would be sent (ASGI, HTTP connection scope)."""
        kept: Any = message
        if kept["type"] == "http.response.start":
            self.status, self._headers = kept["status"], list(kept["headers"])
        elif kept["type"] == "http.response.body":
            self.body += kept.get("body", b"")
