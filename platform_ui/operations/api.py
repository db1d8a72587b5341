"""The platform's health, all certificates and the first run as JSON resources."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import SQLAlchemyError

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.forms import SignUpForm
from platform_ui.accounts.origin import origin_of
from platform_ui.browser import proves_itself
from platform_ui.db import Database, now
from platform_ui.errors import ConflictError
from platform_ui.operations.access import CurrentFirstRun, CurrentWatch, Operator
from platform_ui.operations.certificates import (
    CertificateLine,
    Choice,
    calendar_of,
    page_of_certificates,
    services_of,
)
from platform_ui.operations.facts import Health, Inside
from platform_ui.operations.findings import Level
from platform_ui.operations.first_run import check_code
from platform_ui.rest.marks import never_rehearsed
from platform_ui.rest.paging import PageQuery
from platform_ui.settings import CurrentSettings

router = APIRouter()


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PartAnswer(_Answer):
    """How one part is; what it says, how to mend it, version and latency are for operators."""

    part: str
    name: str
    level: Level
    says: str
    hint: str
    version: str
    latency_ms: float | None
    since: datetime | None


class LagAnswer(_Answer):
    """A stream app with records before it."""

    app_id: str
    records: int
    is_growing: bool


class RefusedAnswer(_Answer):
    """Records of the last hour that could not be used, by the system that they lie with."""

    system: str
    records: int


class DriftAnswer(_Answer):
    """How the broker's access rules differ; `lines` are the first steps that would mend it."""

    count: int
    lines: list[str]
    foreign: int
    open_doors: list[str]
    kept: int
    since: datetime | None
    trouble: str


class KeeperAnswer(_Answer):
    """How it goes for something that works in the background."""

    name: str
    succeeded_at: datetime | None
    failed_at: datetime | None
    error: str
    is_failing: bool


class TopicsAnswer(_Answer):
    """Topics that are not as registered."""

    missing: list[str]
    surplus: list[str]


class EndingAnswer(_Answer):
    """A certificate near its end, or over."""

    kind: str
    name: str
    not_after: datetime


class StoreAnswer(BaseModel):
    """The platform's database [bytes], and who is there."""

    size_bytes: int
    tables: dict[str, int]
    people: int
    sessions: int


class InsideAnswer(BaseModel):
    """What is for operators only."""

    drift: DriftAnswer
    keepers: list[KeeperAnswer]
    topics: TopicsAnswer
    certificates_ending: list[EndingAnswer]
    database: StoreAnswer
    app_states: Mapping[str, int]

    @classmethod
    def of(cls, inside: Inside) -> "InsideAnswer":
        """Return the public form."""
        store = inside.store
        return cls(
            drift=DriftAnswer.model_validate(inside.drift),
            keepers=[KeeperAnswer.model_validate(one) for one in inside.keepers],
            topics=TopicsAnswer.model_validate(inside.topics),
            certificates_ending=[EndingAnswer.model_validate(one) for one in inside.endings],
            database=StoreAnswer(
                size_bytes=store.size_bytes,
                tables=dict(store.tables),
                people=store.people,
                sessions=store.sessions,
            ),
            app_states=inside.app_states,
        )


class PlatformAnswer(BaseModel):
    """How the platform is, as far as you may see it; `inside` is for operators only."""

    at: datetime
    level: Level
    troubles: int
    parts: list[PartAnswer]
    lags: list[LagAnswer]
    refused: list[RefusedAnswer]
    measured_at: datetime | None
    inside: InsideAnswer | None

    @classmethod
    def of(cls, health: Health) -> "PlatformAnswer":
        """Return the public form."""
        return cls(
            at=health.at,
            level=health.worst,
            troubles=health.troubles,
            parts=[PartAnswer.model_validate(one) for one in health.findings],
            lags=[LagAnswer.model_validate(one) for one in health.lags],
            refused=[RefusedAnswer.model_validate(one) for one in health.refused],
            measured_at=health.measured_at,
            inside=InsideAnswer.of(health.inside) if health.inside else None,
        )


class RulesAnswer(BaseModel):
    """What was done to the broker's access rules."""

    made: int
    removed: int


class CertificateItem(_Answer):
    """A certificate; `state` is active, ending, ended, blocked or revoked."""

    kind: str
    name: str
    epoch: int
    serial: str
    not_before: datetime
    not_after: datetime
    origin: str
    issued_by: str
    revoked_at: datetime | None
    revoked_reason: str
    blocked_at: datetime | None
    state: str

    @classmethod
    def of(cls, line: CertificateLine, present: datetime) -> "CertificateItem":
        """Return the public form of a certificate at a time."""
        names = [name for name in cls.model_fields if name != "state"]
        return cls(**{name: getattr(line, name) for name in names}, state=line.state(present))


class CertificateList(BaseModel):
    """Certificates, those that end first first."""

    items: list[CertificateItem]
    next_page_token: str | None = None


class WeekAnswer(_Answer):
    """How many certificates end in one week."""

    begins: datetime
    number: int


class CalendarAnswer(BaseModel):
    """The next thirteen weeks, counted from now."""

    items: list[WeekAnswer]


class SetupAnswer(BaseModel):
    """Whether the platform waits for its first person, and how its parts are meanwhile."""

    is_waiting: bool
    needs_code: bool
    parts: dict[str, Level]


class SetupRequest(SignUpForm):
    """The first person, who runs the platform, and the setup code out of its log."""

    code: str = ""


class FirstPersonAnswer(BaseModel):
    """Who runs the platform now."""

    email: str


@router.get("/platform", tags=["platform"])
async def show_platform_health(database: Database, user: LoggedIn, watch: CurrentWatch) -> PlatformAnswer:
    """Show how the platform is: its parts for everybody, and all the rest for operators."""
    return PlatformAnswer.of(await watch.health(database, user))


@router.post("/platform/access-rules:apply", tags=["platform"])
@never_rehearsed
async def apply_access_rules(database: Database, operator: Operator, watch: CurrentWatch) -> RulesAnswer:
    """Bring the broker's access rules to what is registered, now; for operators."""
    done = await watch.apply_rules(database, operator)
    if done is None:
        raise ConflictError("This platform keeps no access rules.", code="platform.no_access_rules")
    return RulesAnswer(made=done[0], removed=done[1])


@router.get("/certificates", tags=["credentials"])
async def list_certificates(
    database: Database,
    user: LoggedIn,
    page: PageQuery,
    show: Annotated[Choice, Query(description="Which ones.")] = Choice.COUNTING,
) -> CertificateList:
    """List the certificates of the client apps and stream apps that you operate, by their end."""
    present = now()
    found = await page_of_certificates(database, user, page, show, present)
    return CertificateList(
        items=[CertificateItem.of(line, present) for line in found.items],
        next_page_token=found.next_page_token,
    )


@router.get("/certificates/calendar", tags=["credentials"])
async def show_certificate_calendar(database: Database, user: LoggedIn) -> CalendarAnswer:
    """Tell how many of these certificates end in which week."""
    weeks = await calendar_of(database, user, now())
    return CalendarAnswer(items=[WeekAnswer.model_validate(week) for week in weeks])


@router.get("/certificates/services", tags=["credentials"])
async def list_service_certificates(operator: Operator, settings: CurrentSettings) -> CertificateList:
    """List the certificates of the platform's own services; for operators."""
    del operator
    present = now()
    lines = await asyncio.to_thread(services_of, settings)
    return CertificateList(items=[CertificateItem.of(line, present) for line in lines])


@router.get("/setup", tags=["platform"])
async def show_setup(database: Database, first_run: CurrentFirstRun, watch: CurrentWatch) -> SetupAnswer:
    """Tell whether the platform waits to be set up; everybody may ask."""
    try:
        is_waiting = await first_run.is_waiting(database)
    except SQLAlchemyError:
        is_waiting = True
    parts = {one.part: one.level for one in await watch.findings()} if is_waiting else {}
    return SetupAnswer(is_waiting=is_waiting, needs_code=is_waiting and first_run.asks_for_code, parts=parts)


@router.post("/setup", status_code=HTTPStatus.CREATED, tags=["platform"])
@proves_itself
@never_rehearsed
async def set_platform_up(
    request: Request, database: Database, first_run: CurrentFirstRun, form: SetupRequest
) -> FirstPersonAnswer:
    """Make the first account, that of the person who runs the platform; works once, with the setup code."""
    if not await first_run.is_waiting(database):
        raise ConflictError("This platform has been set up already.", code="setup.done")
    await check_code(first_run, database, form.code, origin_of(request))
    user = await first_run.make_first_person(database, form)
    return FirstPersonAnswer(email=user.email)
