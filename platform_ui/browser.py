"""What every exchange with a browser needs: security headers, the session cookie, CSRF tokens, notices.

What lives here: HTTP only. What does not: who is logged in (``accounts``) and pages (``web``).

How it works: every browser gets one random token in an HttpOnly cookie. It names the session once somebody
logged in, and from it the CSRF token of every form is derived by HMAC, so that nothing has to be stored
for a visitor. A log-in and a log-out change the token, so no form survives them.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from platform_ui.errors import ForbiddenError

COOKIE = "dtwin_session"
NOTICE_COOKIE = "dtwin_notice"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
SESSION_SECONDS = 14 * 24 * 3600
TOKEN_BYTES = 32
MAX_BODY_BYTES = 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

# Source: W3C Content Security Policy Level 3; no inline script, no inline style, nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; "
    "base-uri 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class BrowserMiddleware:
    """Adds the security headers, carries the session cookie, refuses bodies that are too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        token = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        state = scope.setdefault("state", {})
        state["browser_token"] = token or secrets.token_urlsafe(TOKEN_BYTES)
        state["cookie_seconds"] = None
        state["send_cookie"] = False

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope)
            await send(message)

        refusal = _refusal(scope, headers)
        await (refusal or self._app)(scope, receive, send_with_headers)


def _refusal(scope: Scope, headers: dict[str, str]) -> Response | None:
    if scope["method"] in SAFE_METHODS:
        return None
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers and not length:
        return PlainTextResponse("A request must state its length.", HTTPStatus.LENGTH_REQUIRED)
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        return PlainTextResponse("The request is too large.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return None


def _add_headers(headers: MutableHeaders, scope: Scope) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", _cache_control(scope))
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    state = scope["state"]
    if state["send_cookie"]:
        age = f"; Max-Age={state['cookie_seconds']}" if state["cookie_seconds"] is not None else ""
        headers.append("Set-Cookie", _cookie(COOKIE, state["browser_token"], scope["scheme"], age))


def _cache_control(scope: Scope) -> str:
    if not scope["path"].startswith("/static/"):
        return "no-store"
    # An address with a version changes with the content, so a browser may keep what it got.
    return "public, max-age=31536000, immutable" if scope["query_string"].startswith(b"v=") else "no-cache"


def _cookie(name: str, value: str, scheme: str, age: str = "") -> str:
    secure = "; Secure" if scheme == "https" else ""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}"


def browser_token(request: Request) -> str:
    """Return the token of this browser; it is a secret between the two of us."""
    return str(request.state.browser_token)


def change_token(request: Request, *, lasting: bool) -> str:
    """Give the browser a new token with the response and return it.

    Args:
        request: the request that logs in or out.
        lasting: whether the cookie outlives the browser's window.
    """
    request.state.browser_token = secrets.token_urlsafe(TOKEN_BYTES)
    request.state.cookie_seconds = SESSION_SECONDS if lasting else None
    request.state.send_cookie = True
    return browser_token(request)


def csrf_token(request: Request) -> str:
    """Return the token that a form of this browser must bring back."""
    if COOKIE not in request.cookies:
        request.state.send_cookie = True
    return _sign(request, "csrf:" + browser_token(request))


async def check_csrf(request: Request) -> None:
    """Refuse a change that does not come from one of our pages.

    Raises:
        ForbiddenError: the token is missing or is not of this browser.
    """
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(FORM_TYPES):
        given = str((await request.form()).get(CSRF_FIELD, ""))
    expected = _sign(request, "csrf:" + browser_token(request))
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise ForbiddenError(
            "This form has expired.",
            code="csrf.failed",
            hint=f"Load the page again and repeat; programs send the header {CSRF_HEADER}, "
            "whose value GET /api/v1/session gives.",
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence to show on the next page, of kind ``success`` or ``error``."""

    kind: str
    text: str


def put_notice(request: Request, response: Response, notice: Notice) -> None:
    """Keep a notice for the next page, signed so that nobody else can put words there."""
    body = base64.urlsafe_b64encode(json.dumps([notice.kind, notice.text]).encode()).decode()
    value = f"{body}.{_sign(request, 'notice:' + body)}"
    response.headers.append("Set-Cookie", _cookie(NOTICE_COOKIE, value, request.url.scheme, "; Max-Age=60"))


def take_notice(request: Request, response: Response | None = None) -> Notice | None:
    """Return the notice that was kept, and forget it when a response is given."""
    body, _, signature = request.cookies.get(NOTICE_COOKIE, "").rpartition(".")
    if not body or not hmac.compare_digest(signature.encode(), _sign(request, "notice:" + body).encode()):
        return None
    if response is not None:
        response.headers.append("Set-Cookie", _cookie(NOTICE_COOKIE, "", request.url.scheme, "; Max-Age=0"))
    try:
        kind, text = json.loads(base64.urlsafe_b64decode(body))
    except (ValueError, binascii.Error):
        return None
    return Notice(str(kind), str(text))


def _sign(request: Request, text: str) -> str:
    key = str(request.app.state.secret_key).encode()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
