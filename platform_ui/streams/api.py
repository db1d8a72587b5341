"""Stream apps as JSON resources."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.errors import MetadataError
from platform_ui.rest.marks import moving
from platform_ui.rest.paging import PageQuery
from platform_ui.streams import service
from platform_ui.streams.access import Ports, Runner
from platform_ui.streams.forms import StreamAppForm
from platform_ui.streams.leftovers import CurrentObservatory
from platform_ui.streams.listing import Condition, page_of_apps
from platform_ui.streams.service import AppView

router = APIRouter(tags=["stream apps"])

FIGURES = (
    *("last_progress", "consumed", "forwarded", "dead_lettered", "late", "dropped", "held", "hit_rate"),
    *("input_rate", "output_rate", "lag", "lag_s"),
)


class AppAnswer(BaseModel):
    """One stream app and what the runner sees of it; counts of records since the last start.

    Rates are records per second, `lag` counts the records that wait, `lag_s` is how far behind it is [s],
    `hit_rate` are the groups that its join found per record; all of the last seconds.
    `contracts` holds the ids of those in force by which it receives, `lacking` the sources that need one.
    """

    name: str
    source_system: str
    target_system: str
    statement: str
    version: int
    description: str
    state: str
    cause: str | None
    stopped_by: str | None
    contracts: list[str]
    lacking: list[str]
    restarts: int
    started_at: datetime | None
    next_start_at: datetime | None
    last_progress: datetime | None
    consumed: int | None
    forwarded: int | None
    dead_lettered: int | None
    late: int | None
    dropped: int | None
    held: int | None
    hit_rate: float | None
    input_rate: float | None
    output_rate: float | None
    lag: int | None
    lag_s: float | None
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
            version=view.app.version,
            description=view.app.description,
            state=view.state,
            cause=status.cause if status else None,
            stopped_by=view.app.stopped_by,
            contracts=[terms.id for terms in view.permission.terms],
            lacking=[lack.provider for lack in view.permission.lacks],
            restarts=status.restarts if status else 0,
            started_at=status.started_at if status else None,
            next_start_at=status.next_start_at if status else None,
            **{figure: getattr(progress, figure, None) for figure in FIGURES},
            created_at=view.app.created_at,
        )


class AppList(BaseModel):
    """One page of the stream apps of all systems of the person, by source system and name."""

    items: list[AppAnswer]
    next_page_token: str | None = None


@router.get("/apps")
async def list_apps(
    database: Database,
    user: LoggedIn,
    runner: Runner,
    page: PageQuery,
    state: Annotated[Condition | None, Query(description="Only apps that are so.")] = None,
) -> AppList:
    """List the stream apps that read or write a system that you operate or view."""
    found, _ = await page_of_apps(database, user, runner, page, state)
    return AppList(items=[AppAnswer.of(view) for view in found.items], next_page_token=found.next_page_token)


@router.post("/systems/{system}/apps", status_code=HTTPStatus.CREATED)
async def create_app(
    database: Database, user: LoggedIn, ports: Ports, system: str, form: StreamAppForm
) -> AppAnswer:
    """Create a stream app that reads a system."""
    await service.create_app(database, user, system, form, ports.metadata)
    return AppAnswer.of(await service.get_app(database, user, system, form.name, ports.runner))


@router.get("/systems/{system}/apps/{name}")
@moving("state", "cause", "restarts", "started_at", "next_start_at", *FIGURES)
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
async def delete_app(
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    observatory: CurrentObservatory,
    system: str,
    name: str,
    delete_outputs: Annotated[
        bool, Query(description="Delete the Datastreams that it has registered too, with their Observations.")
    ] = False,
) -> Response:
    """Stop and delete a stream app."""
    view = await service.get_app(database, user, system, name, runner)
    kept = await service.delete_app_and_outputs(
        database, user, view, runner, observatory if delete_outputs else None
    )
    if kept:
        raise MetadataError(
            f"{name} is deleted, but these Datastreams are not: {', '.join(kept)}.",
            hint="Delete them on the pages of the target system.",
        )
    return Response(status_code=HTTPStatus.NO_CONTENT)
