"""Client apps as JSON resources."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.clients import service
from platform_ui.clients.forms import ClientForm
from platform_ui.clients.listing import page_of_clients
from platform_ui.clients.models import ClientApp
from platform_ui.clients.service import ClientConfiguration
from platform_ui.companies.descriptions import DescriptionForm
from platform_ui.db import Database
from platform_ui.rest.paging import PageQuery
from platform_ui.settings import CurrentSettings, PlatformSettings
from platform_ui.systems.models import System

router = APIRouter(tags=["clients"])


class ClientAnswer(BaseModel):
    """One client app with its ready configuration."""

    name: str
    system: str
    description: str
    configuration: ClientConfiguration
    created_at: datetime

    @classmethod
    def of(cls, client: ClientApp, system: System, settings: PlatformSettings) -> "ClientAnswer":
        """Return the public form of a client app."""
        return cls(
            name=client.name,
            system=system.name,
            description=client.description,
            configuration=service.configuration_of(client, system, settings),
            created_at=client.created_at,
        )


class ClientList(BaseModel):
    """One page of the client apps of all systems of the person, by system and name."""

    items: list[ClientAnswer]
    next_page_token: str | None = None


@router.get("/clients")
async def list_clients(
    database: Database, user: LoggedIn, settings: CurrentSettings, page: PageQuery
) -> ClientList:
    """List the client apps of the systems that you operate or view."""
    found = await page_of_clients(database, user, page)
    items = [ClientAnswer.of(client, system, settings) for client, system in found.items]
    return ClientList(items=items, next_page_token=found.next_page_token)


@router.post("/systems/{system}/clients", status_code=HTTPStatus.CREATED)
async def create_client(
    database: Database, user: LoggedIn, settings: CurrentSettings, system: str, form: ClientForm
) -> ClientAnswer:
    """Create a client app of a system."""
    await service.create_client(database, user, system, form)
    return ClientAnswer.of(*await service.get_client(database, user, system, form.name), settings)


@router.get("/systems/{system}/clients/{name}")
async def show_client(
    database: Database, user: LoggedIn, settings: CurrentSettings, system: str, name: str
) -> ClientAnswer:
    """Show one client app."""
    return ClientAnswer.of(*await service.see_client(database, user, system, name), settings)


@router.patch("/systems/{system}/clients/{name}")
async def change_client(
    *,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    system: str,
    name: str,
    form: DescriptionForm,
) -> ClientAnswer:
    """Describe a client app in other words."""
    return ClientAnswer.of(*await service.edit_client(database, user, system, name, form), settings)


@router.delete("/systems/{system}/clients/{name}", status_code=HTTPStatus.NO_CONTENT)
async def delete_client(database: Database, user: LoggedIn, system: str, name: str) -> Response:
    """Delete a client app."""
    await service.delete_client(database, user, system, name)
    return Response(status_code=HTTPStatus.NO_CONTENT)
