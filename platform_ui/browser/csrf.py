"""Changes come from our own pages only: the token of every form, and what browsers tell about a request.

What lives here: CSRF tokens, signatures by the site's key, Fetch Metadata. What does not: who is logged in.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.types import Scope

from platform_ui.browser.cookies import browser_token
from platform_ui.browser.headers import STATIC_PREFIX
from platform_ui.errors import ForbiddenError

CSRF_FIELD: Final = "csrf_token"
CSRF_HEADER: Final = "x-csrf-token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_PROVES_ITSELF: Final = "proves_itself"
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_EMBEDDING: Final = frozenset({"embed", "frame", "iframe", "object"})


def csrf_token(request: Request) -> str:
    """Return the token that a form of this browser must bring back."""
    if not request.state.is_known_browser:
        request.state.send_cookie = True
    return sign(request, "csrf:" + browser_token(request))


def proves_itself(handler: _Handler) -> _Handler:
    """Mark a handler whose requests prove by their body who sends them: they need no CSRF token.

    Only for handlers that look at no cookie. A request that another site forges has nothing but what a
    browser adds by itself, so where no cookie counts there is nothing to forge.

    Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet, introduction.
    """
    setattr(handler, _PROVES_ITSELF, True)
    return handler


def is_proven_by_body(scope: Scope) -> bool:
    """Return whether the handler of a request is marked by `proves_itself`."""
    return bool(getattr(scope.get("endpoint"), _PROVES_ITSELF, False))


async def check_csrf(request: Request) -> AsyncIterator[None]:
    """Refuse a change that does not come from one of our pages; close what it sent when it is over.

    A request with an ``Authorization`` header is not refused: no page elsewhere can make a browser add it.

    Raises:
        ForbiddenError: the token is missing or is not of this browser.
    """
    try:
        await _check(request)
        yield
    finally:
        await request.close()  # files of a form


async def _check(request: Request) -> None:
    if request.method in SAFE_METHODS or "authorization" in request.headers:
        return
    if is_proven_by_body(request.scope):
        return
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(FORM_TYPES):
        given = str((await request.form()).get(CSRF_FIELD, ""))
    expected = sign(request, "csrf:" + browser_token(request))
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise ForbiddenError(
            "This form has expired.",
            code="csrf.failed",
            hint=f"Load the page again and repeat; programs send the header {CSRF_HEADER}, "
            "whose value GET /api/v1/session gives.",
        )


def is_foreign(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that another site makes this request, other than by a followed link.

    Requests without the headers are let through: programs do not send them, and pages of old browsers are
    held off by the CSRF token.

    Source: W3C Fetch Metadata Request Headers, clause 2.
    """
    if headers.get("sec-fetch-site", "none") in {"same-origin", "none"}:
        return False
    if scope["path"].startswith(STATIC_PREFIX):
        return False
    is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return not is_link or headers.get("sec-fetch-dest", "") in _EMBEDDING


def sign(request: Request, text: str) -> str:
    """Return the signature of a text under the site's key (HMAC-SHA-256, hexadecimal)."""
    key = str(request.app.state.secret_key).encode()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
