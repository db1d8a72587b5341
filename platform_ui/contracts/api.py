"""Contracts as JSON resources."""

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.contracts import export, service, views
from platform_ui.contracts.access import Metadata, Records, Units
from platform_ui.contracts.answers import ChangeAnswer, CheckedTermsAnswer, DifferenceAnswer, SampleAnswer
from platform_ui.contracts.forms import ChangeForm, ContractForm, EndForm, SignatureForm, TrialForm
from platform_ui.contracts.listing import Choice, page_of_contracts
from platform_ui.contracts.models import SIDES, ContractVersion
from platform_ui.contracts.negotiation import changes_between, compared_with, timeline, turn_of
from platform_ui.contracts.registered import with_full_names
from platform_ui.contracts.terms import find_faults, terms_of
from platform_ui.contracts.trials import sample, terms_on_trial
from platform_ui.contracts.views import ContractView
from platform_ui.db import Database
from platform_ui.errors import FormError
from platform_ui.rest.paging import PageQuery
from platform_ui.settings import CurrentSettings
from platform_ui.systems import service as systems
from streamhub.contracts import TermsFault

router = APIRouter(prefix="/contracts", tags=["contracts"])

YAML_TYPE = "application/yaml"  # RFC 9512
Format = Annotated[Literal["json", "yaml"], Query()]


class SignatureAnswer(BaseModel):
    """Who has signed a version, for which side, over which digest."""

    side: str
    email: str
    full_name: str
    digest: str
    signed_at: datetime


class VersionAnswer(BaseModel):
    """One version of the terms."""

    number: int
    state: str
    datastreams: list[str]
    predicate: str
    fields: list[str]
    purpose: str
    starts_at: datetime | None
    ends_at: datetime | None
    digest: str
    side: str
    written_by: str
    written_at: datetime
    in_force_at: datetime | None
    note: str
    declined_at: datetime | None
    declined_by: str | None
    decline_reason: str
    signatures: list[SignatureAnswer]

    @classmethod
    def of(cls, view: ContractView, version: ContractVersion) -> "VersionAnswer":
        """Return the public form of a version."""
        signatures = [one for side in SIDES if (one := view.signature(version, side)) is not None]
        return cls(
            number=version.number,
            state=version.state,
            datastreams=version.datastreams,
            predicate=version.predicate,
            fields=version.fields,
            purpose=version.purpose,
            starts_at=version.starts_at,
            ends_at=version.ends_at,
            digest=version.digest,
            side=version.side,
            written_by=version.written_by,
            written_at=version.written_at,
            in_force_at=version.in_force_at,
            note=version.note,
            declined_at=version.declined_at,
            declined_by=version.declined_by,
            decline_reason=version.decline_reason,
            signatures=[
                SignatureAnswer(
                    side=one.side,
                    email=one.email,
                    full_name=one.full_name,
                    digest=one.digest,
                    signed_at=one.signed_at,
                )
                for one in signatures
            ],
        )


class ContractAnswer(BaseModel):
    """One contract with all versions, the newest first.

    `title` is what pages call it, `to_sign` names the sides for which you may sign, `turn` says who has to
    act, `shown` is the version that its page shows: what waits, else what holds or held last.
    """

    id: str
    title: str
    provider: str
    consumer: str
    begun_by: str
    state: str
    outcome: str | None
    reason: str
    ended_at: datetime | None
    is_active: bool
    version: int
    to_sign: list[str]
    turn: Literal["yours", "theirs", "nobody"]
    shown: int
    expires_soon: bool
    offer: str | None
    versions: list[VersionAnswer]

    @classmethod
    def of(cls, view: ContractView) -> "ContractAnswer":
        """Return the public form of a contract."""
        contract = view.contract
        return cls(
            id=contract.id,
            title=view.title.text,
            provider=contract.provider,
            consumer=contract.consumer,
            begun_by=contract.begun_by,
            state=contract.state,
            outcome=contract.outcome,
            reason=contract.reason,
            ended_at=contract.ended_at,
            is_active=view.is_active,
            version=contract.version,
            to_sign=list(view.to_sign),
            turn=turn_of(view).value,
            shown=view.shown.number,
            expires_soon=view.expires_soon,
            offer=contract.offer_id,
            versions=[VersionAnswer.of(view, version) for version in view.versions],
        )


class EventAnswer(BaseModel):
    """Something that happened to a contract."""

    at: datetime
    kind: str
    what: str
    who: str
    note: str
    version: int | None


class EventList(BaseModel):
    """What happened to a contract, the newest first."""

    items: list[EventAnswer]


class ContractList(BaseModel):
    """One page of the contracts that the person sees: those that wait for them first, ended ones last."""

    items: list[ContractAnswer]
    next_page_token: str | None = None


@router.get("")
async def list_contracts(
    database: Database,
    user: LoggedIn,
    page: PageQuery,
    state: Annotated[Choice | None, Query(description="Only contracts of this kind.")] = None,
) -> ContractList:
    """List the contracts of the systems that you see."""
    found = await page_of_contracts(database, user, page, state)
    items = [ContractAnswer.of(view) for view in found.items]
    return ContractList(items=items, next_page_token=found.next_page_token)


@router.post(":check")
async def check_terms(
    *, database: Database, user: LoggedIn, metadata: Metadata, form: TrialForm
) -> CheckedTermsAnswer:
    """Check which records terms would let leave: their faults, with places in the predicate."""
    faults: list[TermsFault] = []
    try:
        form = await with_full_names(database, user, form.provider, form, metadata)
    except FormError as error:
        faults = [TermsFault(name, told, drawing=told) for name, told in error.fields.items()]
        form = form.model_copy(update={"datastreams": ()})  # nothing is said about them twice
    return CheckedTermsAnswer.of((*faults, *find_faults(form.provider, form)))


@router.post(":preview")
async def preview_terms(
    *,
    database: Database,
    user: LoggedIn,
    records: Records,
    units: Units,
    metadata: Metadata,
    form: TrialForm,
) -> SampleAnswer:
    """Try terms on the last records of a system that you see; nothing is saved."""
    await systems.see_system(database, user, form.provider)
    await database.commit()
    form = await with_full_names(database, user, form.provider, form, metadata)
    return SampleAnswer.of(await sample(terms_on_trial(form), records, units, is_masked=False))


@router.post("", status_code=HTTPStatus.CREATED)
async def create_contract(
    database: Database, user: LoggedIn, metadata: Metadata, form: ContractForm
) -> ContractAnswer:
    """Write the draft of a contract: a request for your system, or an offer of it."""
    form = await with_full_names(database, user, form.provider, form, metadata)
    contract = await service.create_contract(database, user, form)
    return await show_contract(database, user, contract.id)


@router.get("/{contract}")
async def show_contract(database: Database, user: LoggedIn, contract: str) -> ContractAnswer:
    """Show one contract."""
    return ContractAnswer.of(await views.get_contract(database, user, contract))


@router.get("/{contract}/events")
async def list_contract_events(database: Database, user: LoggedIn, contract: str) -> EventList:
    """List what happened to a contract, the newest first."""
    view = await views.get_contract(database, user, contract)
    return EventList(items=[EventAnswer.model_validate(asdict(event)) for event in timeline(view)])


@router.get("/{contract}/difference")
async def compare_contract_versions(
    *,
    database: Database,
    user: LoggedIn,
    contract: str,
    older: Annotated[
        int | None, Query(ge=1, description="What `newer` replaces or answers when left out.")
    ] = None,
    newer: Annotated[int | None, Query(ge=1, description="What its page shows when left out.")] = None,
) -> DifferenceAnswer:
    """Compare two versions of a contract, field by field; without an older one nothing differs."""
    view = await views.get_contract(database, user, contract)
    after = view.shown if newer is None else view.version(newer)
    before = compared_with(view, after) if older is None else view.version(older)
    changes = changes_between(before, after) if before is not None else []
    return DifferenceAnswer(
        older=before.number if before is not None else None,
        newer=after.number,
        changes=[ChangeAnswer.of(one) for one in changes],
    )


@router.get("/{contract}/preview")
async def preview_contract(
    *, database: Database, user: LoggedIn, records: Records, units: Units, contract: str
) -> SampleAnswer:
    """Show what would leave now: in full to the provider's side, masked to the consumer's."""
    view = await views.get_contract(database, user, contract)
    view.require_preview(view.shown)
    await database.commit()
    terms = terms_of(view.contract, view.shown)
    return SampleAnswer.of(await sample(terms, records, units, is_masked=not view.previews_in_full))


@router.post("/{contract}/versions", status_code=HTTPStatus.CREATED)
async def change_contract(
    *, database: Database, user: LoggedIn, metadata: Metadata, contract: str, form: ChangeForm
) -> ContractAnswer:
    """Write other terms as the next version; both sides sign it before it is in force."""
    view = await views.get_contract(database, user, contract)
    form = await with_full_names(database, user, view.contract.provider, form, metadata)
    await service.change_contract(database, user, contract, form)
    return await show_contract(database, user, contract)


@router.post("/{contract}:sign")
async def sign_contract(
    database: Database, user: LoggedIn, contract: str, form: SignatureForm
) -> ContractAnswer:
    """Sign the version that waits, for one side; a version that is not the newest is refused (409)."""
    await service.sign_contract(database, user, contract, form)
    return await show_contract(database, user, contract)


@router.post("/{contract}:decline")
async def decline_contract(
    database: Database, user: LoggedIn, contract: str, form: EndForm
) -> ContractAnswer:
    """Refuse or take back what waits for signatures."""
    await service.decline_contract(database, user, contract, form)
    return await show_contract(database, user, contract)


@router.post("/{contract}:revoke")
async def revoke_contract(database: Database, user: LoggedIn, contract: str, form: EndForm) -> ContractAnswer:
    """End what is in force, at once."""
    await service.revoke_contract(database, user, contract, form)
    return await show_contract(database, user, contract)


@router.get("/{contract}/odcs", response_class=Response)
async def export_contract(
    *,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    contract: str,
    form: Annotated[Format, Query(alias="format")] = "json",
) -> Response:
    """Export a contract as a document of the Open Data Contract Standard 3.1."""
    view = await views.get_contract(database, user, contract)
    document = export.to_document(view, view.shown, settings.kafka_bootstrap_servers)
    if form == "json":
        return Response(export.to_json(document), media_type="application/json")
    return PlainTextResponse(export.to_yaml(document), media_type=YAML_TYPE)
