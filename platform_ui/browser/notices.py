"""A sentence that the next page shows once, kept in a signed cookie."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from starlette.responses import Response

from platform_ui.browser.cookies import cookie_line, cookie_name
from platform_ui.browser.csrf import sign

NOTICE_COOKIE: Final = "dtwin_notice"


@dataclass(frozen=True, slots=True)
class Undo:
    """The form that does the opposite of what was just done: an ordinary action, whose rules decide anew.

    Attributes:
        address: Where the form is sent.
        fields: What it says besides.
    """

    address: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the next page, of kind ``success`` or ``error``, and perhaps how to take it back."""

    kind: str
    text: str
    undo: Undo | None = None


def put_notice(request: Request, response: Response, notice: Notice) -> None:
    """Keep a notice for the next page, signed so that nobody else can put words there."""
    undo = [notice.undo.address, dict(notice.undo.fields)] if notice.undo else []
    body = base64.urlsafe_b64encode(json.dumps([notice.kind, notice.text, *undo]).encode()).decode()
    value = f"{body}.{sign(request, 'notice:' + body)}"
    response.headers.append("Set-Cookie", cookie_line(NOTICE_COOKIE, value, _scheme(request), "; Max-Age=60"))


def take_notice(request: Request, response: Response | None = None) -> Notice | None:
    """Return the notice that was kept, and forget it when a response is given."""
    kept = request.cookies.get(cookie_name(NOTICE_COOKIE, _scheme(request)), "")
    body, _, signature = kept.rpartition(".")
    if not body or not hmac.compare_digest(signature.encode(), sign(request, "notice:" + body).encode()):
        return None
    if response is not None:
        response.headers.append("Set-Cookie", cookie_line(NOTICE_COOKIE, "", _scheme(request), "; Max-Age=0"))
    try:
        kind, text, *undo = json.loads(base64.urlsafe_b64decode(body))
    except (ValueError, binascii.Error):
        return None
    return Notice(str(kind), str(text), Undo(*undo) if undo else None)


def _scheme(request: Request) -> str:
    return str(request.scope["scheme"])
