"""The pages of one Datastream: its chart with last values, CSV, its forms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from client.metadata.entities import ObservationType
from platform_ui.accounts.models import User
from platform_ui.assets import service, writing
from platform_ui.assets.access import CurrentDesk
from platform_ui.assets.forms import DatastreamChangeForm, DatastreamForm
from platform_ui.assets.pages import as_text
from platform_ui.assets.reading import AssetReader, key, literal
from platform_ui.assets.series import RANGE_WORDS, RangeForm, export
from platform_ui.assets.views import DatastreamView
from platform_ui.assets.vocabulary import COMMON, COMMON_BY_NAME
from platform_ui.browser import attachment
from platform_ui.companies.service import Member
from platform_ui.contracts import views as contracts
from platform_ui.contracts.views import ContractView
from platform_ui.db import now
from platform_ui.errors import FormError, PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.systems import service as systems
from platform_ui.systems.models import System, SystemRole
from platform_ui.web import CurrentPage, Page
from streamhub.outputs import unit_text

router = APIRouter(prefix="/systems/{name}/datastreams", include_in_schema=False)

_RANGE = ("range", "start", "end")
_FIELDS = frozenset(DatastreamForm.model_fields)
_TYPE_WORDS = {
    ObservationType.MEASUREMENT: "Numbers",
    ObservationType.COUNT_OBSERVATION: "Counts (whole numbers)",
    ObservationType.TRUTH_OBSERVATION: "True or false",
    ObservationType.CATEGORY_OBSERVATION: "Words of a list",
    ObservationType.OBSERVATION: "Anything: objects, lists, texts",
}


@router.get("/new")
async def show_new_datastream(
    page: CurrentPage,
    desk: CurrentDesk,
    thing: str = "",
) -> Response:
    """Show the form of a new Datastream."""
    reader = await desk.change()
    return await _form(page, reader, None, {"thing": thing})


@router.post("/new")
async def create_datastream(page: CurrentPage, desk: CurrentDesk) -> Response:
    """Register a Datastream."""
    values = await page.form()
    reader = await desk.change()
    try:
        form = read_form(DatastreamForm, values)
        await service.create_datastream(desk, reader, form)
    except PlatformError as error:
        return await _form(page, reader, None, values, error)
    return page.redirect(
        f"/systems/{desk.system}/things", f"{form.thing} has the Datastream {form.name} now."
    )


@router.get("/{datastream}")
async def show_datastream(
    page: CurrentPage,
    desk: CurrentDesk,
    datastream: str,
) -> Response:
    """Show a Datastream with its chart; htmx asks again for the last values."""
    system = await systems.see_system(desk.session, desk.user, desk.system)
    readers = await _readers(desk.session, desk.user, system)
    reader = await desk.look()
    found = await reader.datastream(datastream)
    if "hx-request" in page.request.headers:
        return page.render("assets/latest.html", one=found)
    asked, error = _asked(page.request)
    span = asked.span(now(), found.last.time if found.last else None)
    return page.render(
        "assets/datastream.html",
        system=desk.system,
        one=found,
        readers=readers,
        asked=asked,
        error=error,
        span=span,
        ranges=RANGE_WORDS,
        start=_field(span.start),
        end=_field(span.end),
        query=urlencode(_given(page.request)),
        service_url=f"{desk.gateway.root}/Datastreams({found.iot_id})",
        condition=f"name = {literal(found.name)}",
        code=unit_text(found.document.get("unitOfMeasurement")) or "",
    )


@router.get("/{datastream}/observations.csv")
async def export_observations(
    page: CurrentPage,
    desk: CurrentDesk,
    datastream: str,
) -> Response:
    """Give the results of the time that is looked at as CSV."""
    reader = await desk.look()
    form = read_form(RangeForm, _given(page.request))
    found = await reader.datastream(datastream, values=1)
    span = form.span(now(), found.last.time if found.last else None)
    text = await export(reader, found, span)
    return attachment(text.encode(), f"{found.name}.csv", "text/csv; charset=utf-8")


@router.get("/{datastream}/edit")
async def show_change(
    page: CurrentPage,
    desk: CurrentDesk,
    datastream: str,
) -> Response:
    """Show the form of a Datastream."""
    reader = await desk.change()
    found = await reader.datastream(datastream, values=1)
    document = found.document
    values = {
        "description": str(document.get("description") or ""),
        "sensor": found.sensor,
        "observed_property": found.observed_property,
        "unit": unit_text(document.get("unitOfMeasurement")) or "",
        "observation_type": found.kind.value,
        "properties": as_text(document.get("properties")),
    }
    return await _form(page, reader, found, values)


@router.post("/{datastream}/edit")
async def change_datastream(
    page: CurrentPage,
    desk: CurrentDesk,
    datastream: str,
) -> Response:
    """Change what a Datastream means."""
    values = await page.form()
    reader = await desk.change()
    found = await reader.datastream(datastream, values=1)
    try:
        form = read_form(DatastreamChangeForm, values)
        await service.change_datastream(desk, reader, found, form)
    except PlatformError as error:
        return await _form(page, reader, found, values, error)
    return page.redirect(found.url, f"{found.local_name} is saved.")


@router.get("/{datastream}/delete")
async def show_deletion(
    page: CurrentPage,
    desk: CurrentDesk,
    datastream: str,
) -> Response:
    """Ask before a Datastream is deleted; what would be lost is counted."""
    reader = await desk.change()
    found = await reader.datastream(datastream, values=1)
    lost = await reader.count(f"Datastreams({key(found.iot_id)})/Observations")
    return page.render("assets/delete_datastream.html", system=desk.system, one=found, lost=lost)


@router.post("/{datastream}/delete")
async def delete_datastream(
    page: CurrentPage,
    desk: CurrentDesk,
    datastream: str,
) -> Response:
    """Delete a Datastream with its Observations."""
    reader = await desk.change()
    found = await reader.datastream(datastream, values=1)
    await service.delete(desk, reader, found)
    return page.redirect(f"/systems/{desk.system}/things", f"{found.local_name} is deleted.")


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read what a system sends.

    Attributes:
        members: Its agents and viewers.
        contracts: Contracts in force by which it gives.
        is_agent: Whether the person who looks is an agent.
    """

    members: Sequence[Member]
    contracts: Sequence[ContractView]
    is_agent: bool

    def receiving(self, name: str) -> list[ContractView]:
        """Return the contracts by which others get a Datastream."""
        return [
            view
            for view in self.contracts
            if view.in_force is not None and name in (view.in_force.datastreams or [name])
        ]


async def _readers(session: AsyncSession, user: User, system: System) -> Readers:
    given = await contracts.list_of_system(session, user, system)
    return Readers(
        await systems.list_members(session, user, system),
        [view for view in given if view.contract.provider == system.name and view.in_force is not None],
        await systems.role_in(session, user, system) is SystemRole.AGENT,
    )


def _given(request: Request) -> dict[str, str]:
    """Return what the address says about the time that is looked at."""
    return {name: value for name, value in request.query_params.items() if name in _RANGE and value}


def _asked(request: Request) -> tuple[RangeForm, FormError | None]:
    """Return which time is looked at; what cannot be understood is said, and the usual one is shown."""
    try:
        return read_form(RangeForm, _given(request)), None
    except FormError as error:
        return RangeForm(), error


def _field(moment: datetime) -> str:
    """Write a time as a field of a form has it, in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M")


async def _form(
    page: Page,
    reader: AssetReader,
    one: DatastreamView | None,
    values: Mapping[str, str],
    error: PlatformError | None = None,
) -> Response:
    present = await writing.read_present(reader)
    fields = error.fields if error else {}
    return page.render(
        "assets/new_datastream.html",
        status=status_of(error) if error else HTTPStatus.OK,
        system=reader.system,
        one=one,
        things=sorted(present.things),
        sensors=sorted(present.sensors),
        observed=sorted({*present.observed_properties, *COMMON_BY_NAME}),
        units=sorted({common.unit for common in COMMON if common.unit}),
        common=COMMON,
        types=_TYPE_WORDS,
        values=values,
        errors=fields,
        error=None if set(fields) & _FIELDS else error,
    )
