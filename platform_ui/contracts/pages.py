"""The pages of contracts: list, new, show, change, sign, decline, revoke, preview, export."""

from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.contracts import export, service, views
from platform_ui.contracts.access import Records, Units
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
async def show_form(page: CurrentPage, database: Database, user: LoggedIn) -> Response:
    """Show the form of a new contract; a link may fill in any of its fields."""
    given = page.request.query_params
    return await _form(
        page, database, user, {name: given.get(name, "") for name in ContractForm.model_fields}
    )


async def _form(
    page: Page, database: Database, user: LoggedIn, values: dict[str, str], error: PlatformError | None = None
) -> Response:
    return page.render(
        "contracts/new.html",
        status=status_of(error) if error else 200,
        systems=await systems.list_systems(database, user),
        values=values,
        errors=error.fields if error else {},
        error=error,
    )


@router.post("/new")
async def create_contract(page: CurrentPage, database: Database, user: LoggedIn) -> Response:
    """Write a draft."""
    values = await page.form()
    try:
        contract = await service.create_contract(database, user, read_form(ContractForm, values))
    except PlatformError as error:
        return await _form(page, database, user, values, error)
    return page.redirect(f"/contracts/{contract.id}", "The draft is written. Sign it to send it.")


@router.post("/try")
async def try_terms(
    page: CurrentPage, *, database: Database, user: LoggedIn, records: Records, units: Units
) -> Response:
    """Show what would leave by terms that are being written; nothing is saved."""
    values = await page.form()
    values.setdefault("provider", values.get("system", ""))  # what the form of an offer calls it
    errors: dict[str, str] = {}
    found = None
    try:
        form = read_form(TrialForm, values)
        await systems.see_system(database, user, form.provider)
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
    page: CurrentPage, *, database: Database, user: LoggedIn, contract: str, renew: str = ""
) -> Response:
    """Show the form of other terms, filled in with those that are looked at; to renew, with a later end."""
    view = await views.get_contract(database, user, contract)
    service.require_agent(view)
    values = _values(view.shown, view)
    renewal = Duration(renew) if renew in set(Duration) else None
    if renewal is not None:
        values["ends_at"] = renewed_until(view, renewal)
    return _change(page, view, values, renewal=renewal)


def _change(
    page: Page,
    view: ContractView,
    values: dict[str, str],
    error: PlatformError | None = None,
    renewal: Duration | None = None,
) -> Response:
    return page.render(
        "contracts/change.html",
        status=status_of(error) if error else 200,
        view=view,
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
async def change_contract(page: CurrentPage, database: Database, user: LoggedIn, contract: str) -> Response:
    """Write other terms."""
    values = await page.form()
    view = await views.get_contract(database, user, contract)
    try:
        form = read_form(ChangeForm, values)
        version = await service.change_contract(database, user, contract, form)
    except PlatformError as error:
        return _change(page, view, values, error)
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
