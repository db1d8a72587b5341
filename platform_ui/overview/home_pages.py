"""Home: what needs somebody, what flows, and what a newcomer does next."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn, Visitor
from platform_ui.companies import service as companies
from platform_ui.companies.models import Role
from platform_ui.db import Database, now
from platform_ui.flows.access import CurrentScope, CurrentSnapshot
from platform_ui.flows.graph import draw
from platform_ui.flows.reading import first_client, read_world, systems_by_company
from platform_ui.flows.troubles import MOST, find_troubles
from platform_ui.overview.first_steps import Beginnings, first_steps
from platform_ui.overview.home_view import map_of, rate_text, shape_of
from platform_ui.overview.start_pages import DEFAULTS
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_home(page: CurrentPage, visitor: Visitor) -> Response:
    """Lead people to their dashboard and visitors to the log-in."""
    return page.redirect("/dashboard" if visitor else "/login")


@router.get("/dashboard")
async def show_dashboard(
    page: CurrentPage, database: Database, user: LoggedIn, snapshot: CurrentSnapshot, scope: CurrentScope
) -> Response:
    """Show what flows and what needs somebody; htmx asks again for the part that changes."""
    present = now()
    world = await read_world(database, user, present)
    graph = draw(world.facts, snapshot, scope)
    troubles = find_troubles(world.facts, world.worries, snapshot, scope, present)
    context: dict[str, Any] = {
        "scope": scope,
        "map": map_of(graph, snapshot),
        "snapshot": snapshot,
        "troubles": troubles[:MOST],
        "trouble_count": len(troubles),
        "trouble_shape": shape_of([(trouble.kind, trouble.object_name) for trouble in troubles]),
        "view": "table" if page.request.query_params.get("view") == "table" else "map",
        "rate_text": rate_text,
    }
    if "hx-request" in page.request.headers:
        return page.render("flows/live.html", **context)
    owned = [company.name for company in await companies.list_companies(database, user, Role.ADMIN)]
    beginnings = Beginnings(owned, await first_client(database, user))
    return page.render(
        "overview/dashboard.html",
        **context,
        companies=systems_by_company(world.facts),
        steps=first_steps(world.facts, beginnings, snapshot),
        is_new=not owned and not world.facts.systems,
        values=DEFAULTS,
        errors={},
    )
