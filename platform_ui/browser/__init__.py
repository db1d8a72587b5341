"""What every exchange with a browser needs: headers, limits, the session cookie, CSRF tokens, notices.

What lives here: HTTP only. What does not: who is logged in (``accounts``) and pages (``web``).

How it works: every browser gets one random token in an HttpOnly cookie. It names the session once somebody
logged in, and from it the CSRF token of every form is derived by HMAC, so that nothing has to be stored
for a visitor. A log-in and a log-out change the token, so no form survives them.
"""

from platform_ui.browser.cookies import (
    COOKIE,
    SESSION_SECONDS,
    TOKEN_BYTES,
    browser_token,
    change_token,
    is_known_browser,
)
from platform_ui.browser.csrf import (
    CSRF_FIELD,
    CSRF_HEADER,
    SAFE_METHODS,
    check_csrf,
    csrf_token,
    is_proven_by_body,
    proves_itself,
    sign,
)
from platform_ui.browser.downloads import attachment, disposition
from platform_ui.browser.exchange import BrowserMiddleware
from platform_ui.browser.headers import CONTENT_SECURITY_POLICY, SECURITY_HEADERS
from platform_ui.browser.limits import MAX_BODY_BYTES, MAX_JSON_DEPTH
from platform_ui.browser.notices import NOTICE_COOKIE, Notice, Undo, put_notice, take_notice
from platform_ui.browser.origin import WebRules

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "COOKIE",
    "CSRF_FIELD",
    "CSRF_HEADER",
    "MAX_BODY_BYTES",
    "MAX_JSON_DEPTH",
    "NOTICE_COOKIE",
    "SAFE_METHODS",
    "SECURITY_HEADERS",
    "SESSION_SECONDS",
    "TOKEN_BYTES",
    "BrowserMiddleware",
    "Notice",
    "Undo",
    "WebRules",
    "attachment",
    "browser_token",
    "change_token",
    "check_csrf",
    "csrf_token",
    "disposition",
    "is_known_browser",
    "is_proven_by_body",
    "proves_itself",
    "put_notice",
    "sign",
    "take_notice",
]
