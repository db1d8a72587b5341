"""The headers that every answer carries, errors and files included.

What lives here: their values and reasons. What does not: cookies (``cookies``).
"""

from starlette.datastructures import MutableHeaders
from starlette.types import Scope

STATIC_PREFIX = "/static/"

# Source: W3C Content Security Policy Level 3; no inline script, no inline style, nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; "
    "base-uri 'none'; "
    "object-src 'none'"
)
_CLOSED_FEATURES = (
    "accelerometer",
    "autoplay",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    # Not no-referrer: with it browsers send forms with the origin "null".
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _CLOSED_FEATURES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Source: RFC 6797, clause 6.1; two years, as preload lists want it.
STRICT_TRANSPORT = "max-age=63072000; includeSubDomains"


def add_security_headers(headers: MutableHeaders, scope: Scope) -> None:
    """Add what is missing; a handler that has a reason may have set one itself."""
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", _cache_control(scope))
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)


def _cache_control(scope: Scope) -> str:
    if not scope["path"].startswith(STATIC_PREFIX):
        return "no-store"
    # An address with a version changes with the content, so a browser may keep what it got.
    return "public, max-age=31536000, immutable" if scope["query_string"].startswith(b"v=") else "no-cache"
