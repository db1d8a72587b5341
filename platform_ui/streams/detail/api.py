"""The versions, the log and the figures of a stream app as JSON resources."""

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.rest.marks import moving
from platform_ui.rest.paging import DEFAULT_SIZE, MAX_SIZE, MAX_TOKEN, PageRequest
from platform_ui.streams import service, versions
from platform_ui.streams.access import Figures, Ports, Runner
from platform_ui.streams.api import AppAnswer
from platform_ui.streams.detail.log_lines import LogSearch, search
from platform_ui.streams.figures import Sample
from platform_ui.streams.version_forms import RollbackForm, VersionForm
from platform_ui.streams.versions import VersionView
from platform_ui.streams.views import require_inside

router = APIRouter(tags=["stream apps"], prefix="/systems/{system}/apps/{name}")

MAX_LINES = 10_000
SEARCHED = 100_000


class VersionAnswer(BaseModel):
    """A version of an app's statement, which never changes.

    `contracts` holds the ids of those that it was saved with.
    """

    number: int
    statement: str
    contracts: list[str]
    note: str
    created_at: datetime
    created_by: str
    is_deployed: bool

    @classmethod
    def of(cls, view: VersionView) -> "VersionAnswer":
        """Return the public form of a version."""
        version = view.version
        return cls(
            number=version.number,
            statement=version.statement,
            contracts=version.contracts,
            note=version.note,
            created_at=version.created_at,
            created_by=view.author,
            is_deployed=view.is_deployed,
        )


class VersionList(BaseModel):
    """One page of the versions of an app, the newest first."""

    items: list[VersionAnswer]
    next_page_token: str | None = None


class LineAnswer(BaseModel):
    """A line of a log; `at` is nothing where the log does not tell."""

    text: str
    level: str
    at: datetime | None


class LogAnswer(BaseModel):
    """Lines of an app's log, oldest first; `left_out` counts earlier ones that were also asked for."""

    items: list[LineAnswer]
    left_out: int


class SampleAnswer(BaseModel):
    """The figures of an app at one time: records per second, records that wait, and for how long [s]."""

    at: datetime
    input_rate: float
    output_rate: float
    lag: int | None
    lag_s: float | None

    @classmethod
    def of(cls, sample: Sample) -> "SampleAnswer":
        """Return the public form of a sample."""
        return cls(
            at=sample.at,
            input_rate=sample.input_rate,
            output_rate=sample.output_rate,
            lag=sample.lag,
            lag_s=sample.lag_s,
        )


class SampleList(BaseModel):
    """The figures of the last ten minutes, oldest first; less where this process has not run so long."""

    items: list[SampleAnswer]


@router.get("/versions")
async def list_app_versions(
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    system: str,
    name: str,
    page_size: Annotated[int, Query(ge=1, le=MAX_SIZE, description="Items of a page.")] = DEFAULT_SIZE,
    page_token: Annotated[
        str, Query(max_length=MAX_TOKEN, description="`next_page_token` of the page before.")
    ] = "",
) -> VersionList:
    """List the versions of a stream app, the newest first; for those who see its source system."""
    view = await service.get_app(database, user, system, name, runner)
    page = PageRequest(page_size=page_size, page_token=page_token)
    found = await versions.page_of_versions(database, view, page)
    return VersionList(
        items=[VersionAnswer.of(one) for one in found.items], next_page_token=found.next_page_token
    )


@router.post("/versions", status_code=HTTPStatus.CREATED)
async def create_app_version(
    *, database: Database, user: LoggedIn, ports: Ports, system: str, name: str, form: VersionForm
) -> AppAnswer:
    """Save a statement as the next version of a stream app; one that runs restarts with it.

    A statement that is as it was makes no version.
    """
    view = await service.get_app(database, user, system, name, ports.runner)
    await versions.save_version(database, user, view, form, ports)
    return AppAnswer.of(await service.get_app(database, user, system, name, ports.runner))


# The colon belongs to the segment of the name, so these have no prefix of their own.
@router.post(":rollback", status_code=HTTPStatus.ACCEPTED)
async def roll_back_app(
    *, database: Database, user: LoggedIn, ports: Ports, system: str, name: str, form: RollbackForm
) -> AppAnswer:
    """Let a stream app have one of its versions again; one that runs restarts with it."""
    view = await service.get_app(database, user, system, name, ports.runner)
    await versions.roll_back(database, user, view, form.version, ports)
    return AppAnswer.of(await service.get_app(database, user, system, name, ports.runner))


@router.post(":restart", status_code=HTTPStatus.ACCEPTED)
async def restart_app(
    *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> AppAnswer:
    """Let a new process of a stream app take over; it goes on where the present one stops."""
    view = await service.get_app(database, user, system, name, runner)
    await service.restart_app(database, user, view, runner)
    return AppAnswer.of(await service.get_app(database, user, system, name, runner))


@router.get("/log")
@moving("items", "left_out")
async def read_app_log(
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    system: str,
    name: str,
    q: Annotated[str, Query(max_length=200, description="What must be in a line, in any case.")] = "",
    level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None, Query(description="The least level.")
    ] = None,
    since: Annotated[AwareDatetime | None, Query(description="Not before this time.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this time.")] = None,
    lines: Annotated[int, Query(ge=1, le=MAX_LINES, description="The most lines, the newest ones.")] = 200,
) -> LogAnswer:
    """Read the log of a stream app, over its restarts; for those who see its source system."""
    view = await service.get_app(database, user, system, name, runner)
    require_inside(view)
    wanted = LogSearch(q, level or "", since, until)
    part = await service.log_part(view, runner, lines if wanted.is_empty else SEARCHED)
    found = await asyncio.to_thread(search, part.lines, wanted) if part else []
    return LogAnswer(
        items=[LineAnswer(text=line.text, level=line.level, at=line.at) for line in found[-lines:]],
        left_out=max(len(found) - lines, 0),
    )


@router.get("/figures")
@moving("items")
async def list_app_figures(
    *, database: Database, user: LoggedIn, runner: Runner, figures: Figures, system: str, name: str
) -> SampleList:
    """List the figures of a stream app over the last ten minutes."""
    view = await service.get_app(database, user, system, name, runner)
    return SampleList(items=[SampleAnswer.of(sample) for sample in figures.of(view.app_id)])
