"""The page of the API: every operation, what it takes and answers, and a call to copy."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.pages import site_url
from platform_ui.db import Database
from platform_ui.documents.openapi import describe
from platform_ui.documents.reference import groups_of
from platform_ui.rest.paging import PageRequest
from platform_ui.systems.listing import page_of_systems
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)

MAX_QUERY: Final = 100
SHOWN_SYSTEMS: Final = 12


@router.get("/api")
async def show_reference(
    request: Request, page: CurrentPage, database: Database, user: LoggedIn, q: str = ""
) -> Response:
    """Show the operations of the API whose words hold all of a search."""
    wanted = q[:MAX_QUERY].strip()
    document = describe(request.app)
    groups = groups_of(document, site_url(request), wanted)
    systems = await page_of_systems(database, user, PageRequest(page_size=SHOWN_SYSTEMS))
    return page.render(
        "documents/reference.html",
        groups=groups,
        q=wanted,
        found=sum(len(group.operations) for group in groups),
        host=site_url(request),
        version=document["openapi"],
        systems=systems.items,
        has_more_systems=systems.next_page_token is not None,
    )
