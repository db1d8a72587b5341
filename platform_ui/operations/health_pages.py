"""The page of the platform's health, and mending its access rules.

What lives here: pages. What does not: who sees what (``facts``), asking (``watch``).
"""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.operations.access import CurrentWatch, Operator
from platform_ui.operations.findings import size_text
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/platform")
async def show_platform(
    page: CurrentPage, database: Database, user: LoggedIn, watch: CurrentWatch
) -> Response:
    """Show how the platform is, what needs somebody first; htmx asks again for the part that changes."""
    part = "health" if "hx-request" in page.request.headers else "platform"
    health = await watch.health(database, user)
    return page.render(f"operations/{part}.html", health=health, size_text=size_text)


@router.post("/platform/rules")
async def apply_rules(
    page: CurrentPage, database: Database, operator: Operator, watch: CurrentWatch
) -> Response:
    """Bring the broker's access rules to what is registered, now."""
    done = await watch.apply_rules(database, operator)
    if done is None:
        return page.redirect("/platform", "This platform keeps no access rules.")
    made, removed = done
    return page.redirect("/platform", f"Access rules are as registered: {made} made, {removed} removed.")
