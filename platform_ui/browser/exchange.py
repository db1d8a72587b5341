"""What happens around every exchange with a browser or program, before and after the handlers.

What lives here: the order of the checks, and the answer of a request that fails one. What does not: the
checks.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from platform_ui.browser.cookies import read_token, token_line
from platform_ui.browser.csrf import SAFE_METHODS, is_foreign
from platform_ui.browser.headers import add_security_headers
from platform_ui.browser.limits import Refusal, RefusedError, check_length, read_body
from platform_ui.browser.origin import WebRules, believe_proxy, is_our_host

_API_PREFIX: Final = "/api/"
_LOST_HOST = Refusal(
    HTTPStatus.MISDIRECTED_REQUEST,
    "http.unknown_host",
    "This site does not answer under that host name.",
    "The operator names it in DTWIN_PLATFORM__URL or DTWIN_PLATFORM__ALLOWED_HOSTS.",
)
_NO_TEXT = Refusal(
    HTTPStatus.BAD_REQUEST, "http.bad_address", "The address holds a character that no name has."
)
_FOREIGN = Refusal(
    HTTPStatus.FORBIDDEN,
    "http.cross_site",
    "Another site asked for this in your name.",
    "Open our page and repeat it there.",
)


class BrowserMiddleware:
    """Adds the security headers, carries the session cookie, refuses what breaks a rule or limit."""

    def __init__(self, app: ASGIApp, rules: WebRules | None = None) -> None:
        self._app = app
        self._rules = rules or WebRules()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        believe_proxy(scope, self._rules)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        read_token(scope, headers.get("cookie", ""))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), scope)
            await send(message)

        try:
            checked = await self._check(scope, receive, headers)
        except RefusedError as error:
            await _answer(scope, error.refusal)(scope, receive, send_with_headers)
        else:
            await self._app(scope, checked, send_with_headers)

    async def _check(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Receive:
        """Return the way to the body of a request that may be handled, or raise RefusedError."""
        if not is_our_host(scope, headers, self._rules):
            raise RefusedError(_LOST_HOST)
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            raise RefusedError(_NO_TEXT)  # the database could not even look for it
        if is_foreign(scope, headers):
            raise RefusedError(_FOREIGN)
        if scope["method"] in SAFE_METHODS:
            return receive
        check_length(headers)
        return await read_body(receive, headers, self._rules.body_timeout_s)


def _complete(headers: MutableHeaders, scope: Scope) -> None:
    add_security_headers(headers, scope)
    line = token_line(scope)
    if line:
        headers.append("Set-Cookie", line)


def _answer(scope: Scope, refusal: Refusal) -> Response:
    """Return a problem document to programs (RFC 9457, clause 3), a sentence to everybody else."""
    if not scope["path"].startswith(_API_PREFIX):
        response: Response = PlainTextResponse(f"{refusal.detail} {refusal.hint}".strip(), refusal.status)
    else:
        body = {
            "type": "about:blank",
            "title": refusal.status.phrase,
            "status": int(refusal.status),
            "detail": refusal.detail,
            "instance": scope["path"],
            "code": refusal.code,
        }
        more = {"hint": refusal.hint} if refusal.hint else {}
        response = JSONResponse(body | more, refusal.status, media_type="application/problem+json")
    if refusal.status is not HTTPStatus.FORBIDDEN:
        response.headers["Connection"] = "close"  # what is left of the body must not be taken for a request
    return response
