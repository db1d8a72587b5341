"""The pages of what client apps report: of one client app, of a whole system, live, and as a file."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response, StreamingResponse

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.browser import attachment
from platform_ui.client_logs import service
from platform_ui.client_logs.access import CurrentPorts, Hub, Ports
from platform_ui.client_logs.forms import ReportFilterForm
from platform_ui.client_logs.live import ReportHub
from platform_ui.client_logs.reading import MOST
from platform_ui.client_logs.reports import LEVELS, Report, Wanted
from platform_ui.clients import service as clients
from platform_ui.db import Database
from platform_ui.errors import FormError
from platform_ui.fields import read_form
from platform_ui.systems import service as systems
from platform_ui.systems.access import still_sees
from platform_ui.systems.models import SystemRole
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False)

_FILTERS = ("client", "level", "q", "since", "until")
_CLOSED = "event: closed\ndata: {}\n\n"
_CHOICES = (
    ("", "all but signs of life"),
    ("ALL", "all"),
    ("STATE", "states only"),
    *((level, f"{level} and above") for level in LEVELS),
)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads reports, and by what."""

    page: Page
    database: AsyncSession
    user: User
    ports: Ports


def _reader(page: CurrentPage, database: Database, user: LoggedIn, ports: CurrentPorts) -> _Reader:
    return _Reader(page, database, user, ports)


CurrentReader = Annotated[_Reader, Depends(_reader)]


@router.get("/systems/{system}/clients/{name}/logs")
async def show_reports_of_client(reader: CurrentReader, system: str, name: str) -> Response:
    """Show what a client app reported, the newest first, with a filter."""
    return await _show(reader, system, name)


@router.get("/systems/{system}/logs")
async def show_reports_of_system(reader: CurrentReader, system: str) -> Response:
    """Show what all client apps of a system reported, the newest first, with a filter."""
    return await _show(reader, system)


@router.get("/systems/{system}/clients/{name}/logs.jsonl")
async def save_reports_of_client(reader: CurrentReader, system: str, name: str) -> Response:
    """Send what a client app reported as a file, the oldest first, with the same filter."""
    return await _save(reader, system, name)


@router.get("/systems/{system}/logs.jsonl")
async def save_reports_of_system(reader: CurrentReader, system: str) -> Response:
    """Send what all client apps of a system reported as a file, the oldest first, with the same filter."""
    return await _save(reader, system)


@router.get("/systems/{system}/logs/live")
async def follow_reports(
    request: Request, *, database: Database, user: LoggedIn, hub: Hub, system: str
) -> Response:
    """Stream what client apps of a system report, with the same filter.

    Source: HTML Living Standard, clause 9.2 "Server-sent events".

    Raises:
        NotFoundError: the system is not there, or the person has no part in it.
    """
    found = await systems.see_system(database, user, system)
    wanted = read_form(ReportFilterForm, dict(request.query_params)).wanted()
    name = found.name
    await database.close()  # the stream lasts; the connection goes back to the pool
    return StreamingResponse(
        _events(request, hub, name, wanted) if hub is not None else _nothing(),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _show(reader: _Reader, system_name: str, name: str = "") -> Response:
    database, user = reader.database, reader.user
    values = dict(reader.page.request.query_params)
    errors: dict[str, str] = {}
    try:
        form = read_form(ReportFilterForm, values)
    except FormError as error:
        form, errors = ReportFilterForm(), error.fields
    client = None
    if name:
        client, _ = await clients.see_client(database, user, system_name, name)
    wanted = form.wanted(name)
    system, found = await service.reports_of(database, user, system_name, wanted, reader.ports.topics)
    given = {field: value for field, value in values.items() if value and field in _FILTERS}
    part = "rows" if "hx-request" in reader.page.request.headers else "logs"
    return reader.page.render(
        f"client_logs/{part}.html",
        system=system,
        client=client,
        clients=() if client else await clients.list_of_system(database, system),
        found=found,
        values=values,
        errors=errors,
        levels=_CHOICES,
        filters=urlencode(given),
        live=urlencode({**given, "client": wanted.client} if wanted.client else given),
        is_filtered=bool(given),
        is_live=not wanted.until,
        is_agent=await systems.role_in(database, user, system) is SystemRole.AGENT,
    )


async def _save(reader: _Reader, system_name: str, name: str = "") -> Response:
    wanted = read_form(ReportFilterForm, dict(reader.page.request.query_params)).wanted(name)
    system, found = await service.reports_of(
        reader.database, reader.user, system_name, wanted, reader.ports.topics, most=MOST
    )
    lines = "".join(
        f"{json.dumps(one, ensure_ascii=False)}\n" for one in map(as_json, reversed(found.reports))
    )
    file = f"{system.name}{'.' if name else ''}{name}.log.jsonl"
    return attachment(lines.encode(), file, "application/jsonl")


def as_json(report: Report) -> dict[str, object]:
    """Return a report as an object of JSON, what is empty left out."""
    facts = {
        "time": report.at.isoformat(),
        "client": report.client,
        "type": report.kind.value,
        "level": report.level,
        "state": report.state,
        "message": report.text,
        "exception": report.exception,
        "datastreams": list(report.datastreams),
        "position": report.position,
    }
    return {name: value for name, value in facts.items() if value}


async def _events(request: Request, hub: ReportHub, system: str, wanted: Wanted) -> AsyncIterator[str]:
    async with aclosing(hub.follow(system)) as followed:
        async for reports in followed:
            if not reports and not await still_sees(request, system):
                yield _CLOSED
                return
            chosen = [report for report in reports if wanted.takes(report)]
            yield _event(chosen) if chosen else ": alive\n\n"


async def _nothing() -> AsyncIterator[str]:
    """Give the stream of a platform without a broker: it ends at once."""
    yield _CLOSED


def _event(reports: Iterable[Report]) -> str:
    return f"event: reports\ndata: {json.dumps([as_json(one) for one in reports], ensure_ascii=False)}\n\n"
