"""The pages of client apps: list, show with configuration, create, delete."""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.clients import service
from platform_ui.clients.forms import ClientForm
from platform_ui.db import Database
from platform_ui.errors import PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.settings import CurrentSettings
from platform_ui.systems import service as systems
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/clients")
async def list_clients(page: CurrentPage, database: Database, user: LoggedIn) -> Response:
    """Show the client apps of all systems of the person."""
    return page.render(
        "clients/list.html",
        clients=await service.list_clients(database, user),
        systems=await systems.list_systems(database, user),
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
    return page.redirect(f"/systems/{system}/clients/{client.name}", f"{client.name} is created.")


@router.get("/systems/{system}/clients/{name}")
async def show_client(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    system: str,
    name: str,
) -> Response:
    """Show a client app and its configuration."""
    client, found = await service.get_client(database, user, system, name)
    return page.render(
        "clients/show.html",
        client=client,
        system=found,
        configuration=service.configuration_of(client, found, settings),
    )


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
