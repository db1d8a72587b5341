"""The pages of client apps: list, create, settings, delete.

The page of one client app, with its connection and what it reports, is in ``client_logs``.
"""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.clients import service
from platform_ui.clients.forms import ClientForm
from platform_ui.clients.listing import page_of_clients
from platform_ui.companies.descriptions import DescriptionForm
from platform_ui.db import Database
from platform_ui.errors import FormError, PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.rest.paging import ListQuery
from platform_ui.systems import service as systems
from platform_ui.systems.listing import first_operated
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/clients")
async def list_clients(page: CurrentPage, database: Database, user: LoggedIn, view: ListQuery) -> Response:
    """Show the client apps of all systems of the person; htmx asks for the rows alone."""
    return page.render(
        f"clients/{view.part(page.request)}.html",
        view=view,
        listed=await page_of_clients(database, user, view.page, counted=True),
        systems=await first_operated(database, user),
    )


@router.get("/systems/{system}/clients/new")
async def show_form(page: CurrentPage, database: Database, user: LoggedIn, system: str) -> Response:
    """Show the form of a new client app."""
    found = await systems.get_system(database, user, system)
    return page.render("clients/new.html", system=found, values={}, errors={})


@router.post("/systems/{system}/clients/new")
async def create_client(page: CurrentPage, database: Database, user: LoggedIn, system: str) -> Response:
    """Create a client app."""
    values = await page.form()
    found = await systems.get_system(database, user, system)
    try:
        client = await service.create_client(database, user, system, read_form(ClientForm, values))
    except PlatformError as error:
        status = status_of(error)
        return page.render(
            "clients/new.html", status=status, system=found, values=values, errors=error.fields
        )
    return page.redirect(
        f"/systems/{system}/clients/{client.name}", f"{client.name} is created. Connect it now."
    )


@router.get("/systems/{system}/clients/{name}/settings")
async def show_settings(
    page: CurrentPage, database: Database, user: LoggedIn, system: str, name: str
) -> Response:
    """Show what can be changed of a client app."""
    client, found = await service.get_client(database, user, system, name)
    values = {"description": client.description}
    return page.render("clients/settings.html", client=client, system=found, values=values, errors={})


@router.post("/systems/{system}/clients/{name}/settings")
async def edit_client(
    page: CurrentPage, database: Database, user: LoggedIn, system: str, name: str
) -> Response:
    """Describe a client app in other words."""
    values = await page.form()
    client, found = await service.get_client(database, user, system, name)
    try:
        await service.edit_client(database, user, system, name, read_form(DescriptionForm, values))
    except FormError as error:
        return page.render(
            "clients/settings.html",
            status=status_of(error),
            client=client,
            system=found,
            values=values,
            errors=error.fields,
        )
    return page.redirect(f"/systems/{system}/clients/{name}/settings", "Saved.")


@router.get("/systems/{system}/clients/{name}/delete")
async def show_deletion(
    page: CurrentPage, database: Database, user: LoggedIn, system: str, name: str
) -> Response:
    """Ask before a client app is deleted."""
    client, found = await service.get_client(database, user, system, name)
    return page.render("clients/delete.html", client=client, system=found)


@router.post("/systems/{system}/clients/{name}/delete")
async def delete_client(
    page: CurrentPage, database: Database, user: LoggedIn, system: str, name: str
) -> Response:
    """Delete a client app."""
    await service.delete_client(database, user, system, name)
    return page.redirect(f"/systems/{system}", f"{name} is deleted.")
