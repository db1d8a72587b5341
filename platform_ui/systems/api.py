"""Systems as JSON resources."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.companies import descriptions
from platform_ui.companies.descriptions import DescriptionForm
from platform_ui.db import Database
from platform_ui.rest.paging import PageQuery
from platform_ui.systems import service
from platform_ui.systems.access import Topics
from platform_ui.systems.forms import SystemForm
from platform_ui.systems.listing import page_of_systems
from platform_ui.systems.models import System

router = APIRouter(prefix="/systems", tags=["systems"])


class SystemAnswer(BaseModel):
    """One system and its topics."""

    name: str
    company: str
    state: str
    description: str
    topics: list[str]
    created_at: datetime

    @classmethod
    def of(cls, system: System) -> "SystemAnswer":
        """Return the public form of a system."""
        return cls(
            name=system.name,
            company=system.company_name,
            state=system.state,
            description=system.description,
            topics=list(system.system_name.topics.all()),
            created_at=system.created_at,
        )


class SystemList(BaseModel):
    """One page of the systems of the person, by name."""

    items: list[SystemAnswer]
    next_page_token: str | None = None


@router.get("")
async def list_systems(database: Database, user: LoggedIn, page: PageQuery) -> SystemList:
    """List the systems that you operate or view."""
    found = await page_of_systems(database, user, page)
    items = [SystemAnswer.of(system) for system in found.items]
    return SystemList(items=items, next_page_token=found.next_page_token)


@router.post("", status_code=HTTPStatus.CREATED)
async def create_system(database: Database, user: LoggedIn, topics: Topics, form: SystemForm) -> SystemAnswer:
    """Create a system with its topics; you become its first agent."""
    return SystemAnswer.of(await service.create_system(database, user, form, topics))


@router.get("/{name}")
async def show_system(database: Database, user: LoggedIn, name: str) -> SystemAnswer:
    """Show one system."""
    return SystemAnswer.of(await service.see_system(database, user, name))


@router.patch("/{name}")
async def change_system(database: Database, user: LoggedIn, name: str, form: DescriptionForm) -> SystemAnswer:
    """Describe a system in other words."""
    system = await service.get_system(database, user, name, lock=True)
    await descriptions.change(database, user, system, form.description)
    return SystemAnswer.of(system)


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
async def delete_system(database: Database, user: LoggedIn, topics: Topics, name: str) -> Response:
    """Delete a system, its topics and the records in them."""
    await service.delete_system(database, user, name, topics)
    return Response(status_code=HTTPStatus.NO_CONTENT)
