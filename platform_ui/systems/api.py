"""Systems as JSON resources."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.systems import service
from platform_ui.systems.access import Topics
from platform_ui.systems.forms import SystemForm
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
    """The systems of the person, by name."""

    items: list[SystemAnswer]


@router.get("")
async def list_systems(database: Database, user: LoggedIn) -> SystemList:
    """List the systems that you operate or view."""
    return SystemList(
        items=[SystemAnswer.of(system) for system in await service.list_visible(database, user)]
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def create_system(database: Database, user: LoggedIn, topics: Topics, form: SystemForm) -> SystemAnswer:
    """Create a system with its topics; you become its first agent."""
    return SystemAnswer.of(await service.create_system(database, user, form, topics))


@router.get("/{name}")
async def show_system(database: Database, user: LoggedIn, name: str) -> SystemAnswer:
    """Show one system."""
    return SystemAnswer.of(await service.see_system(database, user, name))


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
async def delete_system(database: Database, user: LoggedIn, topics: Topics, name: str) -> Response:
    """Delete a system, its topics and the records in them."""
    await service.delete_system(database, user, name, topics)
    return Response(status_code=HTTPStatus.NO_CONTENT)
