"""What client apps report, how they stand and whether they have arrived, as JSON."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from platform_ui.accounts.access import LoggedIn
from platform_ui.client_logs import connection as connecting
from platform_ui.client_logs import service
from platform_ui.client_logs.access import CurrentPorts
from platform_ui.client_logs.forms import ReportFilterForm
from platform_ui.client_logs.reports import Report
from platform_ui.client_logs.service import ReportPage
from platform_ui.clients import service as clients
from platform_ui.clients.snippets import Place, Snippet, ways
from platform_ui.db import Database
from platform_ui.errors import BrokerError
from platform_ui.settings import CurrentSettings

router = APIRouter(tags=["clients"])


class ReportAnswer(BaseModel):
    """One log line or state of a client app."""

    time: datetime
    client: str
    type: str
    level: str
    state: str
    message: str
    exception: str
    datastreams: list[str]
    position: str

    @classmethod
    def of(cls, report: Report) -> "ReportAnswer":
        """Return the public form of a report."""
        return cls(
            time=report.at,
            client=report.client,
            type=report.kind.value,
            level=report.level,
            state=report.state,
            message=report.text,
            exception=report.exception,
            datastreams=list(report.datastreams),
            position=report.position,
        )


class ReportList(BaseModel):
    """Reports, the newest first, and how far back was looked."""

    items: list[ReportAnswer]
    is_cut: bool = Field(description="Whether more would fit the filter than are in the answer.")
    looked_at: int = Field(description="Records that were looked at.")
    looked_back_to: datetime | None = Field(description="Time of the oldest of them.")
    is_whole: bool = Field(description="Whether the topic holds no older ones.")

    @classmethod
    def of(cls, found: ReportPage) -> "ReportList":
        """Return the public form of reports.

        Raises:
            BrokerError: they could not be read.
        """
        if found.problem:
            raise BrokerError(found.problem)
        return cls(
            items=[ReportAnswer.of(report) for report in found.reports],
            is_cut=found.is_cut,
            looked_at=found.looked_at,
            looked_back_to=found.looked_back_to,
            is_whole=found.is_whole,
        )


class CertificateState(BaseModel):
    """What is known of a client app's certificates."""

    principal: str
    is_blocked: bool
    until: datetime | None


class ClientStateAnswer(BaseModel):
    """How a client app stands; `clock_off_s` says how far its clock is ahead (below zero: behind) [s].

    It is null when the clock is not known to be off by more than two minutes.
    """

    standing: str
    last_heard: datetime | None
    since: datetime | None
    datastreams: list[str]
    states: list[ReportAnswer]
    looked_back_to: datetime | None
    is_whole: bool
    certificates: CertificateState
    clock_off_s: float | None


class CheckAnswer(BaseModel):
    """One thing that has to hold before a record arrives; null when it cannot be told."""

    title: str
    is_good: bool | None
    detail: str
    step: str


class RecordAnswer(BaseModel):
    """The newest record of a client app."""

    datastream: str
    thing: str
    result: str
    unit: str
    time: str
    arrived_at: datetime
    topic: str
    partition: int
    offset: int


class SnippetAnswer(BaseModel):
    """Lines to copy."""

    title: str
    note: str
    code: str
    language: str


class WayAnswer(BaseModel):
    """One way to connect."""

    key: str
    title: str
    summary: str
    needs: str
    snippets: list[SnippetAnswer]
    files: list[SnippetAnswer]


class ConnectionAnswer(BaseModel):
    """Whether a client app has arrived, how it can connect, and what to check."""

    record: RecordAnswer | None
    checks: list[CheckAnswer]
    recognised_by: list[str] = Field(description="Datastreams whose records count as the client app's.")
    ways: list[WayAnswer]


_Filter = Annotated[ReportFilterForm, Query()]


@router.get("/systems/{system}/logs")
async def list_reports(
    *,
    database: Database,
    user: LoggedIn,
    ports: CurrentPorts,
    system: str,
    chosen: _Filter,
) -> ReportList:
    """List what the client apps of a system reported, the newest first."""
    _, found = await service.reports_of(database, user, system, chosen.wanted(), ports.topics)
    return ReportList.of(found)


@router.get("/systems/{system}/clients/{name}/logs")
async def list_client_reports(
    *,
    database: Database,
    user: LoggedIn,
    ports: CurrentPorts,
    system: str,
    name: str,
    chosen: _Filter,
) -> ReportList:
    """List what a client app reported, the newest first."""
    _, found = await service.reports_of(database, user, system, chosen.wanted(name), ports.topics)
    return ReportList.of(found)


@router.get("/systems/{system}/clients/{name}/state")
async def show_client_state(
    *, database: Database, user: LoggedIn, ports: CurrentPorts, system: str, name: str
) -> ClientStateAnswer:
    """Show how a client app stands, as far as it tells, and until when its certificate counts."""
    _, _, found = await connecting.standing(database, user, system, name, ports)
    state, certificates = found.state, found.certificates
    return ClientStateAnswer(
        standing=state.standing.value,
        last_heard=state.last_heard,
        since=state.since,
        datastreams=sorted(state.datastreams),
        states=[ReportAnswer.of(report) for report in state.states],
        looked_back_to=state.looked_back_to,
        is_whole=state.is_whole,
        certificates=CertificateState(
            principal=certificates.identity.principal,
            is_blocked=certificates.is_blocked,
            until=certificates.until,
        ),
        clock_off_s=state.clock_off.total_seconds() if state.clock_off is not None else None,
    )


@router.get("/systems/{system}/clients/{name}/connection")
async def show_client_connection(
    *,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    ports: CurrentPorts,
    system: str,
    name: str,
) -> ConnectionAnswer:
    """Show whether a client app has arrived, how it can connect, and what to check while it has not."""
    found = await connecting.connection(database, user, system, name, ports)
    place = Place(
        clients.configuration_of(found.client, found.system, settings),
        clients.sensorthings_url(found.client, settings),
        settings.mqtt_url,
    )
    return ConnectionAnswer(
        record=_record(found.arrival),
        checks=[
            CheckAnswer(title=one.title, is_good=one.is_good, detail=one.detail, step=one.step)
            for one in found.checks
        ],
        recognised_by=list(found.datastreams),
        ways=[
            WayAnswer(
                key=way.key,
                title=way.title,
                summary=way.summary,
                needs=way.needs,
                snippets=_snippets(way.snippets),
                files=_snippets(way.files),
            )
            for way in ways(place)
        ],
    )


def _record(arrival: connecting.Arrival | None) -> RecordAnswer | None:
    if arrival is None:
        return None
    record = arrival.record
    return RecordAnswer(
        datastream=record.datastream,
        thing=record.thing,
        result=record.result,
        unit=arrival.unit,
        time=record.time,
        arrived_at=arrival.at,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def _snippets(found: tuple[Snippet, ...]) -> list[SnippetAnswer]:
    return [
        SnippetAnswer(title=one.title, note=one.note, code=one.code, language=one.language) for one in found
    ]
