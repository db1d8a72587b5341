"""One page for one request: rendered with what every page is told, or a redirect with a notice.

What lives here: ``Page``, which handlers get injected. What does not: templates (``rendering``), sessions and
CSRF (``browser``).
"""

import json
from dataclasses import replace
from http import HTTPMethod, HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from platform_ui.browser import Notice, Undo, csrf_token, put_notice, take_notice
from platform_ui.errors import FormError
from platform_ui.web.look import CURRENT, Look, look_of
from platform_ui.web.rendering import templates


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
        look = self._look()
        before = CURRENT.set(look)  # filters and macros see no context of a template
        try:
            text = templates().get_template(template).render(self._context(response, look) | context)
        finally:
            CURRENT.reset(before)
        response.body = text.encode()
        response.headers["Content-Length"] = str(len(response.body))
        return response

    def redirect(self, url: str, notice: str = "", undo: Undo | None = None) -> Response:
        """Return a redirect to another page (RFC 9110, clause 15.4.4 "See Other").

        Args:
            url: the other page, of this site.
            notice: what it says at its top, once.
            undo: what the notice offers, to take back what it tells of.

        Raises:
            ValueError: the address would lead to another site.
        """
        if not url.startswith("/") or url.startswith(("//", "/\\")):
            raise ValueError(f"{url!r} is not a page of this site")
        response = RedirectResponse(url, status_code=HTTPStatus.SEE_OTHER)
        if notice:
            put_notice(self.request, response, Notice("success", notice, undo))
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

    def _context(self, response: Response, look: Look) -> dict[str, Any]:
        token = csrf_token(self.request)
        provider = self.request.app.state.oidc
        return {
            "user": getattr(self.request.state, "user", None),
            "path": self.request.url.path,
            "here": self._here(),
            "look": look,
            "csrf": token,
            "htmx_headers": json.dumps({"X-CSRF-Token": token}),
            "notice": take_notice(self.request, response),
            "oidc_name": provider.settings.name if provider else "",
            "is_demo": self.request.app.state.is_demo,
        }

    def _look(self) -> Look:
        """Return how the person wants to see the site, and where it is for people outside."""
        url: str = self.request.app.state.settings.url
        look = look_of(self.request)
        return replace(look, base_url=url.rstrip("/")) if url else look

    def _here(self) -> str:
        """Return the address that shows this page again; home for the answer to a form."""
        if self.request.method != HTTPMethod.GET:
            return "/"
        query = self.request.url.query
        return f"{self.request.url.path}?{query}" if query else self.request.url.path


CurrentPage = Annotated[Page, Depends(Page)]
