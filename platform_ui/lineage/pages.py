"""The page of lineage: the map of three truths around a focus, where they differ, and details on demand."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database, now
from platform_ui.lineage.access import CurrentSources, PageQuestion
from platform_ui.lineage.asking import MAX_DEPTH, ask
from platform_ui.lineage.drawing import Aspect, details_of, map_of, query_of
from platform_ui.lineage.world.graph import Direction, Kind, Level, Truth
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)

SHOWN_DIFFERENCES = 20
DRAWER = "lineage-details"


@router.get("/lineage")
async def show_lineage(
    page: CurrentPage, database: Database, user: LoggedIn, asked: PageQuestion, sources: CurrentSources
) -> Response:
    """Show where data comes from and goes; htmx asks for the details of one box or line alone."""
    lineage = await ask(database, user, asked, sources, now())
    said = page.request.query_params
    aspect = Aspect(asked, "table" if said.get("view") == "table" else "map", said.get("pick", ""))
    details = details_of(lineage.graph, aspect)
    context: dict[str, Any] = {
        "aspect": aspect,
        "details": details,
        "lineage": lineage,
        "truths": tuple(Truth),
    }
    if page.request.headers.get("hx-target") == DRAWER:
        return page.render("lineage/details.html", **context)
    return page.render(
        "lineage/show.html",
        **context,
        map=map_of(lineage, aspect),
        shown=lineage.differences[:SHOWN_DIFFERENCES],
        is_everything=lineage.question.kind is Kind.EVERYTHING,
        levels=tuple(Level),
        directions=tuple(Direction),
        depths=range(1, MAX_DEPTH + 1),
        api_query=query_of(asked).replace("records=yes", "records=true"),
        names=sorted({*lineage.world.facts.named(), *(app.app_id for app in lineage.world.facts.apps)}),
    )
