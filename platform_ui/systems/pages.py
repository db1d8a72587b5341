"""The pages of systems: list, create, delete, the live tail.

Members have pages of their own (``people_pages``); one system's page is in ``overview``.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from platform_ui.accounts.access import LoggedIn
from platform_ui.companies import service as companies
from platform_ui.companies.models import Role
from platform_ui.db import Database
from platform_ui.errors import PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.rest.paging import ListQuery
from platform_ui.systems import service
from platform_ui.systems.access import Tails, Topics, still_sees
from platform_ui.systems.forms import SystemForm
from platform_ui.systems.listing import branches_of, page_of_systems, tree_of
from platform_ui.systems.tail import TailHub
from platform_ui.web import CurrentPage

router = APIRouter(prefix="/systems", include_in_schema=False)


@router.get("")
async def list_systems(
    page: CurrentPage, database: Database, user: LoggedIn, view: ListQuery, under: str = ""
) -> Response:
    """Show the systems of the person: as a tree, or what a search finds.

    htmx asks for the rows alone, or for what is below one branch (`under`).
    """
    under = under.replace("\x00", "")
    is_search = view.is_filtered or view.is_descending or not view.is_first
    if under and not is_search and view.part(page.request) == "rows":
        return page.render("systems/branches.html", branches=await branches_of(database, user, under))
    return page.render(
        f"systems/{view.part(page.request)}.html",
        view=view,
        listed=await page_of_systems(database, user, view.page, counted=True) if is_search else None,
        tree=() if is_search else await tree_of(database, user, under),
        may_create=bool(await companies.list_companies(database, user, Role.ADMIN)),
    )


@router.get("/new")
async def show_form(page: CurrentPage, database: Database, user: LoggedIn, company: str = "") -> Response:
    """Show the form of a new system."""
    known = await companies.list_companies(database, user, Role.ADMIN)
    return page.render(
        "systems/new.html", companies=known, values={"company": company}, errors={}, error=None
    )


@router.post("/new")
async def create_system(page: CurrentPage, database: Database, user: LoggedIn, topics: Topics) -> Response:
    """Create a system with its topics."""
    values = await page.form()
    try:
        system = await service.create_system(database, user, read_form(SystemForm, values), topics)
    except PlatformError as error:
        return page.render(
            "systems/new.html",
            status=status_of(error),
            companies=await companies.list_companies(database, user, Role.ADMIN),
            values=values,
            errors=error.fields,
            error=error,
        )
    return page.redirect(f"/systems/{system.name}", f"{system.name} is created with its four topics.")


@router.get("/{name}/delete")
async def show_deletion(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Ask before a system is deleted."""
    system = await service.get_system(database, user, name)
    return page.render("systems/delete.html", system=system, error=None)


@router.post("/{name}/delete")
async def delete_system(
    page: CurrentPage, database: Database, user: LoggedIn, topics: Topics, name: str
) -> Response:
    """Delete a system and its topics."""
    system = await service.get_system(database, user, name)
    try:
        await service.delete_system(database, user, name, topics)
    except PlatformError as error:
        await database.refresh(user)  # a rollback has emptied both objects
        await database.refresh(system)
        return page.render("systems/delete.html", status=status_of(error), system=system, error=error)
    return page.redirect("/systems", f"{name} and its topics are deleted.")


@router.get("/{name}/tail")
async def tail(request: Request, database: Database, user: LoggedIn, tails: Tails, name: str) -> Response:
    """Stream the records that arrive on the topics of a system.

    Source: HTML Living Standard, clause 9.2 "Server-sent events".
    """
    system = await service.see_system(database, user, name)
    system_name = system.name
    await database.close()  # the stream lasts; the connection goes back to the pool
    return StreamingResponse(
        _events(request, tails, system_name),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(request: Request, tails: TailHub, system: str) -> AsyncIterator[str]:
    async with aclosing(tails.follow(system)) as events:
        async for event in events:
            if event is None and not await still_sees(request, system):
                yield "event: closed\ndata: {}\n\n"
                return
            yield event if event is not None else ": alive\n\n"
