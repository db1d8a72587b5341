"""Rendering of pages: templates, the context every page gets, redirects with a notice.

What lives here: Jinja2 and what its templates may call. What does not: cookies and CSRF (``browser``), the
meaning of any page (each domain's ``pages``).
"""

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from platform_ui.browser import Notice, csrf_token, put_notice, take_notice
from platform_ui.errors import FormError

STATIC = Path(__file__).parent / "static"
MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86400


@cache
def _static_version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static_url(name: str) -> str:
    """Return the address of one of our files; it changes with the content, so browsers may keep it."""
    return f"/static/{name}?v={_static_version(name)}"


def format_when(time: datetime | None) -> str:
    """Return a time for people, in UTC to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if time else "never"


def format_ago(time: datetime | None) -> str:
    """Return how long ago a time is, in the largest unit that is not zero."""
    if time is None:
        return "never"
    seconds = max(0, int((datetime.now(UTC) - time).total_seconds()))
    for size, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def format_number(value: float | None) -> str:
    """Return a count with thin groups of three digits, or a dash for nothing."""
    if value is None:
        return "–"  # noqa: RUF001 - an en dash is what is meant
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")


@cache
def templates() -> Environment:
    """Return the templates; a name that a page did not give is an error, never an empty text."""
    environment = Environment(
        loader=PackageLoader("platform_ui", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static_url"] = static_url
    environment.filters["when"] = format_when
    environment.filters["ago"] = format_ago
    environment.filters["number"] = format_number
    return environment


class Page:
    """The page that answers one request; injected into every handler that renders."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def render(self, template: str, *, status: int = HTTPStatus.OK, **context: object) -> Response:
        """Return a page.

        Args:
            template: its path below ``templates``.
            status: the HTTP status.
            context: what the template shows.
        """
        response = HTMLResponse("", status_code=status)
        text = templates().get_template(template).render(self._context(response) | context)
        response.body = text.encode()
        response.headers["Content-Length"] = str(len(response.body))
        return response

    def redirect(self, url: str, notice: str = "") -> Response:
        """Return a redirect to another page, which shows the notice (RFC 9110, clause 15.4.4 "See Other").

        Raises:
            ValueError: the address would lead to another site.
        """
        if not url.startswith("/") or url.startswith(("//", "/\\")):
            raise ValueError(f"{url!r} is not a page of this site")
        response = RedirectResponse(url, status_code=HTTPStatus.SEE_OTHER)
        if notice:
            put_notice(self.request, response, Notice("success", notice))
        return response

    async def form(self) -> dict[str, str]:
        """Return the text fields of the form that was sent, files left out.

        Raises:
            FormError: a field holds the character NUL, which no text of ours may hold.
        """
        fields = (await self.request.form()).items()
        found = {name: value for name, value in fields if isinstance(value, str)}
        spoilt = {
            name: "This holds a character that no text may hold."
            for name, value in found.items()
            if "\x00" in value
        }
        if spoilt:
            raise FormError(spoilt)
        return found

    def _context(self, response: Response) -> dict[str, Any]:
        token = csrf_token(self.request)
        provider = self.request.app.state.oidc
        return {
            "user": getattr(self.request.state, "user", None),
            "path": self.request.url.path,
            "csrf": token,
            "htmx_headers": json.dumps({"X-CSRF-Token": token}),
            "notice": take_notice(self.request, response),
            "oidc_name": provider.settings.name if provider else "",
            "is_demo": self.request.app.state.is_demo,
        }


CurrentPage = Annotated[Page, Depends(Page)]
