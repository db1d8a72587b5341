"""The pages of contracts: list, new, show, change, what to choose, sign, decline, revoke, preview, export."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from client.errors import InvalidNameError
from client.messaging.topics import SystemName
from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.contracts import export, service, views
from platform_ui.contracts.access import Metadata, Records, Units
from platform_ui.contracts.choices import LOOKED_UP, WRITTEN, Choices, choices_of, sent_form
from platform_ui.contracts.forms import ChangeForm, ContractForm, EndForm, SignatureForm, TrialForm
from platform_ui.contracts.listing import Choice, counts_of_contracts, page_of_contracts
from platform_ui.contracts.models import ContractVersion
from platform_ui.contracts.negotiation import (
    DURATION_WORDS,
    Duration,
    changes_between,
    compared_with,
    may_renew,
    renewed_until,
    states_of,
    timeline,
    turn_of,
)
from platform_ui.contracts.offers.views import named_of
from platform_ui.contracts.registered import MetadataPort, Registered, seen_of, with_full_names
from platform_ui.contracts.terms import format_time, terms_of
from platform_ui.contracts.trials import sample, terms_on_trial
from platform_ui.contracts.views import ContractView
from platform_ui.db import Database
from platform_ui.errors import FormError, PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.rest.paging import ListQuery
from platform_ui.settings import CurrentSettings
from platform_ui.systems import service as systems
from platform_ui.systems.listing import first_operated
from platform_ui.systems.models import MAX_SYSTEM_NAME
from platform_ui.web import CurrentPage, Page

router = APIRouter(prefix="/contracts", include_in_schema=False)

TYPES = {"json": "application/json", "yaml": "application/yaml"}


@router.get("")
async def list_contracts(
    page: CurrentPage, database: Database, user: LoggedIn, view: ListQuery, state: str = ""
) -> Response:
    """Show the contracts of all systems of the person; htmx asks for the rows alone."""
    choice = Choice(state) if state in set(Choice) else None
    return page.render(
        f"contracts/{view.part(page.request)}.html",
        view=view.chosen(state=choice or ""),
        listed=await page_of_contracts(database, user, view.page, choice),
        counts=await counts_of_contracts(database, user, view.page),
        systems=await first_operated(database, user),
    )


@router.get("/new")
async def show_form(page: CurrentPage, database: Database, user: LoggedIn, metadata: Metadata) -> Response:
    """Show the form of a new contract; a link may fill in any of its fields."""
    given = page.request.query_params
    values = {name: given.get(name, "") for name in ContractForm.model_fields}
    return await _form(page, database, user, values, metadata=metadata)


async def _form(
    page: Page,
    database: AsyncSession,
    user: User,
    values: dict[str, str],
    *,
    metadata: MetadataPort,
    error: PlatformError | None = None,
) -> Response:
    return page.render(
        "contracts/new.html",
        status=status_of(error) if error else 200,
        systems=await systems.list_systems(database, user),
        choices=await _choices(database, user, metadata, values.get("provider", ""), values),
        values=values,
        errors=error.fields if error else {},
        error=error,
    )


@router.post("/new")
async def create_contract(
    page: CurrentPage, database: Database, user: LoggedIn, metadata: Metadata
) -> Response:
    """Write a draft, or show the form again with the Datastreams of the system that was named."""
    values = await sent_form(page)
    if LOOKED_UP in values:
        return await _form(page, database, user, values, metadata=metadata)
    try:
        form = read_form(ContractForm, values)
        form = await with_full_names(database, user, form.provider, form, metadata, kept=())
        contract = await service.create_contract(database, user, form)
    except PlatformError as error:
        return await _form(page, database, user, values, metadata=metadata, error=error)
    return page.redirect(f"/contracts/{contract.id}", "The draft is written. Sign it to send it.")


async def _choices(
    session: AsyncSession, user: User, metadata: MetadataPort, system: str, values: Mapping[str, str]
) -> Choices:
    """Return which Datastreams of a system the person may choose, with what was written before."""
    try:
        name = str(SystemName.parse(system.strip()))
    except InvalidNameError:  # not written yet, or not to its end: the form says so when it is sent
        return choices_of("", Registered({}, is_own=False), written=values.get(WRITTEN, ""))
    found = await seen_of(session, user, name, metadata)
    offered = [] if found.is_own else await named_of(session, user, name)
    return choices_of(name, found, offered, values.get(WRITTEN, ""))


@router.get("/datastreams")
async def show_choices(
    *,
    page: CurrentPage,
    database: Database,
    user: LoggedIn,
    metadata: Metadata,
    provider: Annotated[str, Query(max_length=MAX_SYSTEM_NAME)] = "",
) -> Response:
    """Show which Datastreams of a system the person may choose; the form's script asks for them."""
    choices = await _choices(database, user, metadata, provider, {})
    return page.render("contracts/datastreams.html", choices=choices)


@router.post("/try")
async def try_terms(
    *,
    page: CurrentPage,
    database: Database,
    user: LoggedIn,
    records: Records,
    units: Units,
    metadata: Metadata,
) -> Response:
    """Show what would leave by terms that are being written; nothing is saved."""
    values = await sent_form(page)
    values.setdefault("provider", values.get("system", ""))  # what the form of an offer calls it
    errors: dict[str, str] = {}
    found = None
    try:
        form = read_form(TrialForm, values)
        await systems.see_system(database, user, form.provider)
        form = await with_full_names(database, user, form.provider, form, metadata)
        await database.commit()  # reading takes a while; the connection goes back to the pool
        found = await sample(terms_on_trial(form), records, units, is_masked=False)
    except FormError as error:
        errors = error.fields
    return page.render(
        f"contracts/{'try' if 'hx-request' in page.request.headers else 'try_page'}.html",
        errors=errors,
        preview=found.preview if found is not None else None,
        units=found.units if found is not None else {},
        by="by these terms",
    )


@router.get("/{contract}")
async def show_contract(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    contract: str,
    older: int | None = None,
    newer: int | None = None,
) -> Response:
    """Show a contract: its terms, both sides, what happened, what differs, and what to do next."""
    return _show(page, await views.get_contract(database, user, contract), None, older, newer)


def _show(
    page: Page,
    view: ContractView,
    error: PlatformError | None = None,
    older: int | None = None,
    newer: int | None = None,
) -> Response:
    after = view.version(newer) if newer is not None else view.shown
    before = view.version(older) if older is not None else compared_with(view, after)
    return page.render(
        "contracts/show.html",
        status=status_of(error) if error else 200,
        view=view,
        events=timeline(view),
        turn=turn_of(view),
        standing=states_of(view),
        renewable=may_renew(view),
        before=before,
        after=after,
        changes=changes_between(before, after) if before is not None else [],
        error=error,
    )


@router.get("/{contract}/preview")
async def show_preview(
    page: CurrentPage, *, database: Database, user: LoggedIn, records: Records, units: Units, contract: str
) -> Response:
    """Show what would leave now: in full to the provider's side, masked to the consumer's."""
    view = await views.get_contract(database, user, contract)
    version = view.shown
    view.require_preview(version)
    await database.commit()  # reading takes a while; the connection goes back to the pool
    terms = terms_of(view.contract, version)
    found = await sample(terms, records, units, is_masked=not view.previews_in_full)
    return page.render(
        "contracts/preview.html", preview=found.preview, units=found.units, by=f"by version {version.number}"
    )


@router.get("/{contract}/change")
async def show_change(
    *,
    page: CurrentPage,
    database: Database,
    user: LoggedIn,
    metadata: Metadata,
    contract: str,
    renew: str = "",
) -> Response:
    """Show the form of other terms, filled in with those that are looked at; to renew, with a later end."""
    view = await views.get_contract(database, user, contract)
    service.require_agent(view)
    values = _values(view.shown, view)
    renewal = Duration(renew) if renew in set(Duration) else None
    if renewal is not None:
        values["ends_at"] = renewed_until(view, renewal)
    choices = await _choices(database, user, metadata, view.contract.provider, values)
    return _change(page, view, values, choices, renewal=renewal)


def _change(
    page: Page,
    view: ContractView,
    values: dict[str, str],
    choices: Choices,
    *,
    error: PlatformError | None = None,
    renewal: Duration | None = None,
) -> Response:
    return page.render(
        "contracts/change.html",
        status=status_of(error) if error else 200,
        view=view,
        choices=choices,
        values=values,
        errors=error.fields if error else {},
        error=error,
        renewal=renewal,
        durations=DURATION_WORDS,
    )


def _values(version: ContractVersion, view: ContractView) -> dict[str, str]:
    return {
        "datastreams": "\n".join(version.datastreams),
        "predicate": version.predicate,
        "fields": ", ".join(version.fields),
        "purpose": version.purpose,
        "starts_at": format_time(version.starts_at) or "",
        "ends_at": format_time(version.ends_at) or "",
        "version": str(view.contract.version),
    }


@router.post("/{contract}/change")
async def change_contract(
    *, page: CurrentPage, database: Database, user: LoggedIn, metadata: Metadata, contract: str
) -> Response:
    """Write other terms."""
    values = await sent_form(page)
    view = await views.get_contract(database, user, contract)
    provider = view.contract.provider
    kept = {name for version in view.versions for name in version.datastreams}
    try:
        form = read_form(ChangeForm, values)
        form = await with_full_names(database, user, provider, form, metadata, kept=kept)
        version = await service.change_contract(database, user, contract, form)
    except PlatformError as error:
        choices = await _choices(database, user, metadata, provider, values)
        return _change(page, view, values, choices, error=error)
    return page.redirect(view.url, f"Version {version.number} is written; both sides have to sign it.")


@router.post("/{contract}/sign")
async def sign_contract(page: CurrentPage, database: Database, user: LoggedIn, contract: str) -> Response:
    """Sign for one side."""
    try:
        form = read_form(SignatureForm, await page.form())
        is_complete = await service.sign_contract(database, user, contract, form)
    except PlatformError as error:
        return _show(page, await views.get_contract(database, user, contract), error)
    notice = (
        "Both sides have signed: it is in force." if is_complete else "Signed; the other side signs next."
    )
    return page.redirect(f"/contracts/{contract}", notice)


@router.post("/{contract}/decline")
async def decline_contract(page: CurrentPage, database: Database, user: LoggedIn, contract: str) -> Response:
    """Refuse or take back what waits."""
    try:
        form = read_form(EndForm, await page.form())
        await service.decline_contract(database, user, contract, form)
    except PlatformError as error:
        return _show(page, await views.get_contract(database, user, contract), error)
    return page.redirect(f"/contracts/{contract}", "Declined.")


@router.post("/{contract}/revoke")
async def revoke_contract(page: CurrentPage, database: Database, user: LoggedIn, contract: str) -> Response:
    """End what is in force."""
    try:
        form = read_form(EndForm, await page.form())
        await service.revoke_contract(database, user, contract, form)
    except PlatformError as error:
        return _show(page, await views.get_contract(database, user, contract), error)
    return page.redirect(f"/contracts/{contract}", "Revoked: nothing leaves by it any more.")


@router.get("/{contract}/odcs.{kind}")
async def export_contract(
    *,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    contract: str,
    kind: Literal["json", "yaml"],
) -> Response:
    """Give a contract as a file of the Open Data Contract Standard."""
    view = await views.get_contract(database, user, contract)
    document = export.to_document(view, view.shown, settings.kafka_bootstrap_servers)
    text = export.to_json(document) if kind == "json" else export.to_yaml(document)
    name = f'attachment; filename="{contract}.odcs.{kind}"'
    return Response(text, media_type=TYPES[kind], headers={"Content-Disposition": name})
