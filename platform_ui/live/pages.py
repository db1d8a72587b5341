"""The pages of live records: choose a system, look, follow, one record, files."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.db import Database
from platform_ui.errors import BrokerError, FormError
from platform_ui.fields import read_form
from platform_ui.live.access import LivePorts, Ports
from platform_ui.live.api import Position, file_of
from platform_ui.live.events import HEADERS, MEDIA_TYPE, Render, Watch, page_events
from platform_ui.live.forms import ExportForm, PageForm, Tab, parse_begin
from platform_ui.live.reading import Edge
from platform_ui.live.records import LiveRecord
from platform_ui.live.scope import Scope, scope_of, shared_with
from platform_ui.live.service import look_back, one_record, with_units
from platform_ui.live.sieve import fault_of
from platform_ui.live.view import BEGINS, LIMITS, SHOWN_FILTERS, LiveView, clock
from platform_ui.rest.paging import ListQuery, PageRequest
from platform_ui.systems.listing import page_of_systems
from platform_ui.web import CurrentPage
from platform_ui.web.look import CURRENT, look_of
from platform_ui.web.rendering import templates

router = APIRouter(prefix="/live", include_in_schema=False)

SUGGESTED = 200
MAX_SHOWN_VALUE = 4_096  # characters of a value that go into an address


@router.get("")
async def show_live(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: Ports, view: ListQuery, system: str = ""
) -> Response:
    """Show records of a system, or ask of which."""
    system = system.replace("\x00", "").strip()
    if not system:
        return page.render(
            "live/list.html",
            view=view,
            listed=await page_of_systems(database, user, view.page, counted=True),
            shared=[one for one in await shared_with(database, user) if view.q.lower() in one.lower()],
        )
    values = dict(page.request.query_params)
    scope = await scope_of(database, user, system, values.get("contract", ""))
    known = await page_of_systems(database, user, PageRequest(page_size=SUGGESTED))
    names = [one.name for one in known.items] + await shared_with(database, user)
    await database.close()  # reading takes its time; the connection goes back to the pool
    live = await _look(scope, values, ports)
    return page.render(
        "live/show.html",
        live=live,
        systems=names,
        begins=BEGINS,
        limits=LIMITS,
        examples=SHOWN_FILTERS,
        clock=clock,
        status=422 if live.fault or live.errors else 200,
    )


def _asked(values: dict[str, str]) -> tuple[PageForm, dict[str, str]]:
    """Read the form; what cannot be accepted is said beside the fields, and the rest is as if not given."""
    try:
        form = read_form(PageForm, values)
        parse_begin(form.begin, form.at)
    except FormError as error:
        errors = {("begin" if name == "from" else name): text for name, text in error.fields.items()}
    except ValueError as error:
        errors = {"at": str(error)}
    else:
        return form, {}
    kept = {name: text for name, text in values.items() if name in {"system", "filter"}}
    return PageForm.model_construct(**(PageForm().model_dump() | kept)), errors


async def _look(scope: Scope, values: dict[str, str], ports: LivePorts) -> LiveView:
    form, errors = _asked(values)
    begin = parse_begin(form.begin, form.at)
    fault = fault_of(form.filter, scope.terms)
    view = LiveView(scope, form, begin, fault=fault, errors=errors)
    scope.topic(form.topic)
    if fault or errors:
        return view
    try:
        found = await look_back(ports.log, scope, form, begin)
    except BrokerError as error:
        return LiveView(scope, form, begin, problem=f"{error.detail} {error.hint}".strip())
    shown = await with_units(found.records, ports.units, scope.seen_as)
    if begin is Edge.LATEST:
        shown.reverse()
    return LiveView(scope, form, begin, found, shown)


@router.get("/{system}/check")
async def check_filter(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    system: str,
    filter: Annotated[str, Query(max_length=8192)] = "",  # noqa: A002 - the name of the field
    contract: str = "",
) -> Response:
    """Say what is wrong with a filter while it is typed."""
    scope = await scope_of(database, user, system, contract)
    return page.render("live/check.html", fault=fault_of(filter, scope.terms), text=filter.strip())


@router.get("/{system}/events")
async def follow_live(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: Ports, system: str
) -> Response:
    """Stream rows as the page shows them.

    Source: HTML Living Standard, clause 9.2 "Server-sent events".
    """
    form = read_form(PageForm, dict(page.request.query_params))
    scope = await scope_of(database, user, system, form.contract)
    scope.topic(form.topic)
    watch = Watch(page.request, ports.hub, ports.units, user.email, scope, form)
    begin = watch.begin(parse_begin(form.begin, form.at))
    if ports.hub is not None:
        ports.hub.require_room(user.email)
    await database.close()  # the stream lasts; the connection goes back to the pool
    render = _renderer(page.request, LiveView(scope, form, Edge.LATEST))
    return StreamingResponse(page_events(watch, begin, render), media_type=MEDIA_TYPE, headers=HEADERS)


def _renderer(request: Request, view: LiveView) -> Render:
    """Return what makes rows of records, as the page of the same person has them."""
    look = look_of(request)
    template = templates().get_template("live/rows.html")

    def render(records: Sequence[LiveRecord]) -> str:
        before = CURRENT.set(look)
        try:
            return template.render(live=view, records=records, clock=clock, is_fresh=True)
        finally:
            CURRENT.reset(before)

    return render


@router.get("/{system}/records/{position}")
async def show_record_page(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    ports: Ports,
    system: str,
    position: Position,
    topic: Tab = Tab.INT,
    contract: str = "",
) -> Response:
    """Show one record with its headers and its whole value; htmx asks for the facts alone."""
    scope = await scope_of(database, user, system, contract)
    await database.close()
    partition, offset = map(int, position.split(":"))
    record = await one_record(ports.log, scope, topic, partition, offset)
    (shown,) = await with_units([record], ports.units, scope.seen_as)
    part = "facts" if "hx-request" in page.request.headers else "record"
    form = PageForm(topic=topic, contract=contract)
    return page.render(
        f"live/{part}.html",
        live=LiveView(scope, form, Edge.LATEST),
        one=shown,
        clock=clock,
        why=_why(user, scope, shown),
    )


def _why(user: User, scope: Scope, record: LiveRecord) -> str:
    """Return the address of the page that says why somebody may see a record."""
    if scope.contract is None:
        question = {"who": user.email, "action": "see system", "resource": scope.system}
    else:
        question = {"who": scope.seen_as, "action": "receive", "resource": record.sight.name}
        value = (record.raw.value or b"").decode("utf-8", "replace")
        if 0 < len(value) <= MAX_SHOWN_VALUE:
            question["record"] = value
    return f"/explain?{urlencode(question)}"


@router.get("/{system}/export")
async def export_live(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: Ports, system: str
) -> Response:
    """Save records as a file, with the same parameters as the page."""
    asked = read_form(ExportForm, dict(page.request.query_params))
    scope = await scope_of(database, user, system, asked.contract)
    await database.close()
    return await file_of(ports, scope, asked)
