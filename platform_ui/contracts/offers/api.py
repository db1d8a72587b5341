"""Offers as JSON resources."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from platform_ui.accounts.access import LoggedIn
from platform_ui.contracts import views as contract_views
from platform_ui.contracts.access import Metadata, Records, Units
from platform_ui.contracts.answers import SampleAnswer
from platform_ui.contracts.api import ContractAnswer
from platform_ui.contracts.offers import service, views
from platform_ui.contracts.offers.forms import NewOfferForm, OfferForm, RequestForm
from platform_ui.contracts.offers.views import OfferView, Wanted
from platform_ui.contracts.registered import with_full_names
from platform_ui.db import Database
from platform_ui.rest.paging import PageQuery

router = APIRouter(prefix="/offers", tags=["offers"])


class OfferedDatastreamAnswer(BaseModel):
    """A Datastream of an offer, as the metadata told of it when the offer was saved."""

    name: str
    description: str = ""
    unit: str = ""
    unit_name: str = ""
    property: str = ""


class OfferAnswer(BaseModel):
    """One offer; `companies` and `changed_by` are told to the people of its system alone."""

    id: str
    system: str
    company: str
    title: str
    description: str
    datastreams: list[str]
    predicate: str
    fields: list[str]
    purposes: list[str]
    terms: str
    visibility: str
    companies: list[str]
    state: str
    details: list[OfferedDatastreamAnswer]
    published_at: datetime | None
    changed_at: datetime
    changed_by: str | None
    may_change: bool

    @classmethod
    def of(cls, view: OfferView) -> "OfferAnswer":
        """Return the public form of an offer."""
        offer = view.offer
        return cls(
            id=offer.id,
            system=view.system,
            company=view.company,
            title=offer.title,
            description=offer.description,
            datastreams=offer.datastreams,
            predicate=offer.predicate,
            fields=offer.fields,
            purposes=offer.purposes,
            terms=offer.terms,
            visibility=offer.visibility,
            companies=offer.companies if view.is_ours else [],
            state=offer.state,
            details=[OfferedDatastreamAnswer.model_validate(one) for one in offer.details],
            published_at=offer.published_at,
            changed_at=offer.changed_at,
            changed_by=offer.changed_by if view.is_ours else None,
            may_change=view.may_change,
        )


class OfferList(BaseModel):
    """One page of the offers that you find, those that were changed last first."""

    items: list[OfferAnswer]
    next_page_token: str | None = None


@router.get("", operation_id="list_offers")
async def list_offers(
    *,
    database: Database,
    user: LoggedIn,
    page: PageQuery,
    company: Annotated[str, Query(max_length=200, description="Only of this company.")] = "",
    observed: Annotated[str, Query(max_length=300, description="Only with this observed property.")] = "",
    unit: Annotated[str, Query(max_length=300, description="Only with this unit's symbol.")] = "",
    ours: Annotated[bool, Query(description="Those of systems that you see, whatever their state.")] = False,
) -> OfferList:
    """List what others and you offer; `q` searches titles, texts, systems, units and observed properties."""
    wanted = Wanted(company, observed, unit, is_ours=ours)
    found = await views.page_of_offers(database, user, page, wanted)
    items = [OfferAnswer.of(view) for view in found.items]
    return OfferList(items=items, next_page_token=found.next_page_token)


@router.post("", status_code=HTTPStatus.CREATED, operation_id="create_offer")
async def create_offer(
    database: Database, user: LoggedIn, metadata: Metadata, form: NewOfferForm
) -> OfferAnswer:
    """Write the draft of an offer of a system that you operate."""
    form = await with_full_names(database, user, form.system, form, metadata)
    offer = await service.create_offer(database, user, form, metadata)
    return await show_offer(database, user, offer.id)


@router.get("/{offer}", operation_id="show_offer")
async def show_offer(database: Database, user: LoggedIn, offer: str) -> OfferAnswer:
    """Show one offer."""
    return OfferAnswer.of(await views.get_offer(database, user, offer))


@router.put("/{offer}", operation_id="change_offer")
async def change_offer(
    database: Database, user: LoggedIn, metadata: Metadata, offer: str, form: OfferForm
) -> OfferAnswer:
    """Write an offer anew; contracts that answered it keep their terms."""
    view = await views.get_offer(database, user, offer)
    form = await with_full_names(database, user, view.system, form, metadata)
    await service.change_offer(database, user, offer, form, metadata)
    return await show_offer(database, user, offer)


@router.delete("/{offer}", status_code=HTTPStatus.NO_CONTENT, operation_id="delete_offer")
async def delete_offer(database: Database, user: LoggedIn, offer: str) -> None:
    """Delete an offer that is not published."""
    await service.delete_offer(database, user, offer)


@router.post("/{offer}:publish", operation_id="publish_offer")
async def publish_offer(database: Database, user: LoggedIn, offer: str) -> OfferAnswer:
    """Let others find an offer."""
    await service.publish_offer(database, user, offer)
    return await show_offer(database, user, offer)


@router.post("/{offer}:withdraw", operation_id="withdraw_offer")
async def withdraw_offer(database: Database, user: LoggedIn, offer: str) -> OfferAnswer:
    """Let others find an offer no more."""
    await service.withdraw_offer(database, user, offer)
    return await show_offer(database, user, offer)


@router.post("/{offer}:request", status_code=HTTPStatus.CREATED, operation_id="request_offer")
async def request_offer(database: Database, user: LoggedIn, offer: str, form: RequestForm) -> ContractAnswer:
    """Ask for what an offer describes: a contract with its terms, signed for your side."""
    contract = await service.request_offer(database, user, offer, form)
    return ContractAnswer.of(await contract_views.get_contract(database, user, contract))


@router.get("/{offer}/preview", operation_id="preview_offer")
async def preview_offer(
    *, database: Database, user: LoggedIn, records: Records, units: Units, offer: str
) -> SampleAnswer:
    """Show some of the last records that would leave: masked, unless you see the system."""
    view = await views.get_offer(database, user, offer)
    await database.commit()
    found = await service.sample_of(view, records, units)
    return SampleAnswer.of(found)
