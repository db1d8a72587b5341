"""Stream apps as JSON resources."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.streams import service
from platform_ui.streams.access import Ports, Runner
from platform_ui.streams.forms import StreamAppForm
from platform_ui.streams.service import AppView

router = APIRouter(tags=["stream apps"])


class AppAnswer(BaseModel):
    """One stream app and what the runner sees of it; counts of records since the last start.

    `contracts` holds the ids of those in force by which it receives, `lacking` the sources that need one.
    """

    name: str
    source_system: str
    target_system: str
    statement: str
    description: str
    state: str
    cause: str | None
    stopped_by: str | None
    contracts: list[str]
    lacking: list[str]
    restarts: int
    consumed: int | None
    forwarded: int | None
    dead_lettered: int | None
    lag: int | None
    created_at: datetime

    @classmethod
    def of(cls, view: AppView) -> "AppAnswer":
        """Return the public form of a stream app."""
        status = view.status
        progress = status.progress if status else None
        return cls(
            name=view.app.name,
            source_system=view.source,
            target_system=view.target,
            statement=view.app.statement,
            description=view.app.description,
            state=view.state,
            cause=status.cause if status else None,
            stopped_by=view.app.stopped_by,
            contracts=[terms.id for terms in view.permission.terms],
            lacking=[lack.provider for lack in view.permission.lacks],
            restarts=status.restarts if status else 0,
            consumed=progress.consumed if progress else None,
            forwarded=progress.forwarded if progress else None,
            dead_lettered=progress.dead_lettered if progress else None,
            lag=progress.lag if progress else None,
            created_at=view.app.created_at,
        )


class AppList(BaseModel):
    """The stream apps of all systems of the person, by source system and name."""

    items: list[AppAnswer]


@router.get("/apps")
async def list_apps(database: Database, user: LoggedIn, runner: Runner) -> AppList:
    """List the stream apps of the systems that you operate."""
    return AppList(items=[AppAnswer.of(view) for view in await service.list_apps(database, user, runner)])


@router.post("/systems/{system}/apps", status_code=HTTPStatus.CREATED)
async def create_app(
    database: Database, user: LoggedIn, ports: Ports, system: str, form: StreamAppForm
) -> AppAnswer:
    """Create a stream app that reads a system."""
    await service.create_app(database, user, system, form, ports.metadata)
    return AppAnswer.of(await service.get_app(database, user, system, form.name, ports.runner))


@router.get("/systems/{system}/apps/{name}")
async def show_app(database: Database, user: LoggedIn, runner: Runner, system: str, name: str) -> AppAnswer:
    """Show one stream app."""
    return AppAnswer.of(await service.get_app(database, user, system, name, runner))


@router.post("/systems/{system}/apps/{name}:deploy", status_code=HTTPStatus.ACCEPTED)
async def deploy_app(database: Database, user: LoggedIn, ports: Ports, system: str, name: str) -> AppAnswer:
    """Let a stream app run."""
    view = await service.get_app(database, user, system, name, ports.runner)
    await service.deploy_app(database, user, view, ports)
    return AppAnswer.of(await service.get_app(database, user, system, name, ports.runner))


@router.post("/systems/{system}/apps/{name}:stop", status_code=HTTPStatus.ACCEPTED)
async def stop_app(database: Database, user: LoggedIn, runner: Runner, system: str, name: str) -> AppAnswer:
    """Let a stream app stand still."""
    view = await service.get_app(database, user, system, name, runner)
    await service.stop_app(database, user, view, runner)
    return AppAnswer.of(await service.get_app(database, user, system, name, runner))


@router.delete("/systems/{system}/apps/{name}", status_code=HTTPStatus.NO_CONTENT)
async def delete_app(database: Database, user: LoggedIn, runner: Runner, system: str, name: str) -> Response:
    """Stop and delete a stream app."""
    view = await service.get_app(database, user, system, name, runner)
    await service.delete_app(database, user, view, runner)
    return Response(status_code=HTTPStatus.NO_CONTENT)
