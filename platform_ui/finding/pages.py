"""The search as a page, and as the list in the palette.

What lives here: HTTP only. What does not: what is found (``service``).
"""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.fields import read_form
from platform_ui.finding import service
from platform_ui.finding.forms import FindForm
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/find")
async def show_found(page: CurrentPage, database: Database, user: LoggedIn) -> Response:
    """Show what fits ``q``; the palette asks for the list alone."""
    form = read_form(FindForm, dict(page.request.query_params))
    is_palette = "hx-request" in page.request.headers
    most = service.IN_PALETTE if is_palette else service.ON_PAGE
    groups = service.grouped(await service.find(database, user, form.q, most))
    return page.render("finding/list.html" if is_palette else "finding/show.html", groups=groups, q=form.q)


@router.get("/find/keys")
async def show_keys(page: CurrentPage, _user: LoggedIn) -> Response:
    """Show the keyboard shortcuts."""
    return page.render("finding/keys.html")
