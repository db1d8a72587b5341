"""The page of all stream apps. One app's pages are in ``detail``, the form of a new one in ``editor``."""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.rest.paging import ListQuery
from platform_ui.streams.access import Runner
from platform_ui.streams.listing import Condition, page_of_apps
from platform_ui.systems.listing import first_operated
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/apps")
async def list_apps(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    view: ListQuery,
    state: str = "",
) -> Response:
    """Show the stream apps of all systems of the person; htmx asks for the rows alone."""
    condition = Condition(state) if state in set(Condition) else None
    listed, counts = await page_of_apps(database, user, runner, view.page, condition)
    return page.render(
        f"streams/{view.part(page.request)}.html",
        view=view.chosen(state=condition or ""),
        listed=listed,
        counts=counts,
        systems=await first_operated(database, user),
    )
