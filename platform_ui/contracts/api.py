"""Contracts as JSON resources."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.contracts import export, service, views
from platform_ui.contracts.forms import ChangeForm, ContractForm, EndForm, SignatureForm
from platform_ui.contracts.models import SIDES, ContractVersion
from platform_ui.contracts.views import ContractView
from platform_ui.db import Database
from platform_ui.settings import CurrentSettings

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
    """One contract with all versions, the newest first; `to_sign` names the sides for which you may sign."""

    id: str
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
    versions: list[VersionAnswer]

    @classmethod
    def of(cls, view: ContractView) -> "ContractAnswer":
        """Return the public form of a contract."""
        contract = view.contract
        return cls(
            id=contract.id,
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
            versions=[VersionAnswer.of(view, version) for version in view.versions],
        )


class ContractList(BaseModel):
    """The contracts of all systems that the person sees, those that wait for them first."""

    items: list[ContractAnswer]


@router.get("")
async def list_contracts(database: Database, user: LoggedIn) -> ContractList:
    """List the contracts of the systems that you see."""
    found = await views.list_contracts(database, user)
    return ContractList(items=[ContractAnswer.of(view) for view in found])


@router.post("", status_code=HTTPStatus.CREATED)
async def create_contract(database: Database, user: LoggedIn, form: ContractForm) -> ContractAnswer:
    """Write the draft of a contract: a request for your system, or an offer of it."""
    contract = await service.create_contract(database, user, form)
    return await show_contract(database, user, contract.id)


@router.get("/{contract}")
async def show_contract(database: Database, user: LoggedIn, contract: str) -> ContractAnswer:
    """Show one contract."""
    return ContractAnswer.of(await views.get_contract(database, user, contract))


@router.post("/{contract}/versions", status_code=HTTPStatus.CREATED)
async def change_contract(
    database: Database, user: LoggedIn, contract: str, form: ChangeForm
) -> ContractAnswer:
    """Write other terms as the next version; both sides sign it before it is in force."""
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
