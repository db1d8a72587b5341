"""The cookie that names a browser, and the token in it.

Over HTTPS its name begins with ``__Host-``: the browser itself then refuses one that a neighbour of our
domain, or somebody on an unprotected connection, tries to plant. Over plain HTTP (one's own machine) browsers
do not accept that prefix, so the plain name is used there.

Source: RFC 6265bis, clause 4.1.3.2 "The __Host- Prefix".
"""

import secrets
from typing import Final

from fastapi import Request
from starlette.requests import cookie_parser
from starlette.types import Scope

COOKIE: Final = "dtwin_session"
SECURE_PREFIX: Final = "__Host-"
SESSION_SECONDS: Final = 14 * 24 * 3600
TOKEN_BYTES: Final = 32


def cookie_name(name: str, scheme: str) -> str:
    """Return what a cookie of ours is called over a scheme."""
    return f"{SECURE_PREFIX}{name}" if scheme == "https" else name


def cookie_line(name: str, value: str, scheme: str, age: str = "") -> str:
    """Return the value of a ``Set-Cookie`` header."""
    secure = "; Secure" if scheme == "https" else ""
    return f"{cookie_name(name, scheme)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}"


def read_token(scope: Scope, cookie_header: str) -> None:
    """Note in the state of an exchange which browser it is; a new browser gets a new token."""
    token = cookie_parser(cookie_header).get(cookie_name(COOKIE, scope["scheme"]), "")
    state = scope.setdefault("state", {})
    state["browser_token"] = token or secrets.token_urlsafe(TOKEN_BYTES)
    state["is_known_browser"] = bool(token)
    state["cookie_seconds"] = None
    state["send_cookie"] = False


def token_line(scope: Scope) -> str:
    """Return the ``Set-Cookie`` line that an exchange needs, or an empty text."""
    state = scope["state"]
    if not state["send_cookie"]:
        return ""
    age = f"; Max-Age={state['cookie_seconds']}" if state["cookie_seconds"] is not None else ""
    return cookie_line(COOKIE, state["browser_token"], scope["scheme"], age)


def browser_token(request: Request) -> str:
    """Return the token of this browser; it is a secret between the two of us."""
    return str(request.state.browser_token)


def is_known_browser(request: Request) -> bool:
    """Return whether the browser brought a token; only then can somebody be logged in."""
    return bool(request.state.is_known_browser)


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
