"""What happens around every exchange of the API: rehearsals, entity tags, answers that are kept.

What lives here: the middleware, and the dependency that runs before each operation. What does not: the rules
(``rehearsal``, ``etags``, ``idempotency``).
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import parse_qs

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from platform_ui.browser import is_proven_by_body
from platform_ui.db import Database
from platform_ui.errors import PlatformError, RequestError
from platform_ui.rest import etags, idempotency
from platform_ui.rest.idempotency import Begun, Kept
from platform_ui.rest.marks import can_be_rehearsed, is_secret, moving_members
from platform_ui.rest.rehearsal import HEADER, PARAMETER, rehearsed

API_PREFIX: Final = "/api/v1/"
JSON_TYPE: Final = "application/json"
MAX_KEPT_BYTES: Final = 1024 * 1024
CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MATCHING: Final = frozenset({"PUT", "PATCH", "DELETE"})
_TAGGED: Final = frozenset({"GET", "PUT", "PATCH"})
_TRUTHS: Final = {"true": True, "false": False}
_IS_REHEARSAL: Final = "is_rehearsal"
_REFUSAL: Final = "rehearsal_refusal"

FindPrincipal = Callable[[Request, AsyncSession], Awaitable[object | None]]


class RestMiddleware:
    """Rehearses what is only tried, adds entity tags, keeps the answers of requests with a key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one exchange."""
        if scope["type"] != "http" or not scope["path"].startswith(API_PREFIX):
            await self._app(scope, receive, send)
            return
        async with AsyncExitStack() as stack:
            if _wants_rehearsal(scope):
                refusal = await _refusal_of(scope)
                shown = await stack.enter_async_context(rehearsed(scope["app"]))
                scope.setdefault("state", {}).update({_IS_REHEARSAL: True, _REFUSAL: refusal})
                scope["app"] = shown
            answer = _Answer(scope, send)
            await self._app(scope, receive, answer.take)


class _Answer:
    """An answer on its way out; JSON and what is to be kept is held until it is complete."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: Message = {}
        self._body = bytearray()
        self._is_held = False

    async def take(self, message: Message) -> None:
        """Take one message of the application (ASGI, HTTP connection scope)."""
        if message["type"] == "http.response.start":
            self._start = message
            if _is_rehearsal(self._scope):
                MutableHeaders(scope=message)[HEADER] = "true"
            self._is_held = self._is_tagged or self._begun is not None
            if not self._is_held:
                await self._send(message)
        elif message["type"] == "http.response.body" and self._is_held:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish()
        else:
            await self._send(message)

    @property
    def _begun(self) -> Begun | None:
        return cast("Begun | None", self._scope.get("state", {}).get(idempotency.STATE))

    @property
    def _is_tagged(self) -> bool:
        headers = Headers(raw=self._start["headers"])
        return (
            self._scope["method"] in _TAGGED
            and self._start["status"] == HTTPStatus.OK
            and headers.get("content-type", "").startswith(JSON_TYPE)
            and int(headers.get("content-length", MAX_KEPT_BYTES + 1)) <= MAX_KEPT_BYTES
            and "no-store" not in headers.get("cache-control", "")
        )

    async def _finish(self) -> None:
        if self._is_tagged:
            self._add_tag()
        if self._begun is not None:
            await idempotency.keep(self._scope["app"].state.sessions, self._begun, self._kept())
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": bytes(self._body)})

    def _add_tag(self) -> None:
        headers = MutableHeaders(scope=self._start)
        tag = headers.get("etag") or etags.tag_of(bytes(self._body), moving_members(self._scope))
        headers["ETag"] = tag
        wanted = Headers(scope=self._scope).get(etags.NONE_MATCH, "")
        if self._scope["method"] == "GET" and wanted and etags.matches(wanted, tag, is_weak=True):
            self._start["status"] = int(HTTPStatus.NOT_MODIFIED)
            self._body.clear()
            for name in ("content-length", "content-type"):
                del headers[name]

    def _kept(self) -> Kept:
        headers = Headers(raw=self._start["headers"])
        is_withheld = is_secret(self._scope) or "no-store" in headers.get("cache-control", "")
        is_large = len(self._body) > MAX_KEPT_BYTES
        return Kept(
            self._start["status"],
            headers.get("content-type", ""),
            None if is_withheld or is_large else bytes(self._body),
        )


def _wants_rehearsal(scope: Scope) -> bool:
    if scope["method"] not in CHANGING:
        return False
    given = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get(
        PARAMETER, ["false"]
    )
    return _TRUTHS.get(given[-1].lower(), False)


async def _refusal_of(scope: Scope) -> PlatformError | None:
    """Return why the sender is not known, and count that: what a rehearsal counts would be taken back."""
    state = scope["app"].state
    find: FindPrincipal = state.find_principal
    async with state.sessions() as session:
        try:
            await find(Request(scope), session)
        except PlatformError as error:
            return error
    return None


def _is_rehearsal(scope: Scope) -> bool:
    return bool(scope.get("state", {}).get(_IS_REHEARSAL))


async def keep_conventions(request: Request, database: Database) -> None:
    """Do what all operations of the API have in common before one of them begins.

    Raises:
        RequestError: a header or parameter means nothing, or cannot be used here.
        PreconditionError: the object is no longer as the sender saw it.
        ConflictError: a request with the same key is being done.
        FormError: the key came with another request.
        AnsweredBeforeError: the request was done before; this is its answer.
    """
    if request.method not in CHANGING:
        return
    refusal = getattr(request.state, _REFUSAL, None)
    if refusal is not None:
        raise refusal
    _check_rehearsal(request)
    is_matched = request.method in MATCHING and etags.MATCH in request.headers
    is_keyed = request.method == "POST" and idempotency.HEADER in request.headers
    if not (is_matched or is_keyed) or is_proven_by_body(request.scope):
        return
    find: FindPrincipal = request.app.state.find_principal
    principal_id = getattr(await find(request, database), "id", None)
    if is_matched:
        await etags.check_match(request, database)
    if is_keyed and principal_id is not None and not _is_rehearsal(request.scope):
        await idempotency.begin(request, database, principal_id)


def _check_rehearsal(request: Request) -> None:
    given = request.query_params.get(PARAMETER)
    if given is None:
        return
    if given.lower() not in _TRUTHS:
        raise RequestError(
            f"{PARAMETER} is true or false.",
            code="request.parameter_invalid",
            hint="Leave it out to do the operation.",
        )
    if _is_rehearsal(request.scope) and not can_be_rehearsed(request.scope.get("endpoint")):
        raise RequestError(
            "This operation counts every attempt, so it cannot be tried.",
            code="request.not_rehearsed",
            hint=f"Leave {PARAMETER} out.",
        )
