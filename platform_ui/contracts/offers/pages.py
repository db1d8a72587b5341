"""The pages of the catalogue: find offers, look at one, ask for it; write, publish and withdraw one's own."""

from collections.abc import Awaitable
from typing import Final

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.browser import Undo
from platform_ui.contracts.access import Metadata, Records, Units
from platform_ui.contracts.choices import LOOKED_UP, WRITTEN, Choices, choices_of, sent_form
from platform_ui.contracts.negotiation import DURATION_WORDS
from platform_ui.contracts.offers import service, views
from platform_ui.contracts.offers.forms import NewOfferForm, OfferForm, RequestForm
from platform_ui.contracts.offers.models import Offer
from platform_ui.contracts.offers.views import OfferView, Wanted
from platform_ui.contracts.registered import MetadataPort, seen_of, with_full_names
from platform_ui.db import Database
from platform_ui.errors import PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.rest.paging import ListQuery
from platform_ui.systems.listing import first_operated
from platform_ui.web import CurrentPage, Page

router = APIRouter(prefix="/catalogue", include_in_schema=False)

MOST_SYSTEMS: Final = 500  # that a form offers for choice


@router.get("")
async def list_offers(
    *,
    page: CurrentPage,
    database: Database,
    user: LoggedIn,
    view: ListQuery,
    company: str = "",
    observed: str = "",
    unit: str = "",
    tab: str = "",
) -> Response:
    """Show what others offer, or what the person's own systems do; htmx asks for the rows alone."""
    wanted = Wanted(company[:200], observed[:300], unit[:300], is_ours=tab == "ours")
    return page.render(
        f"contracts/catalogue/{view.part(page.request)}.html",
        view=view.chosen(company=company, observed=observed, unit=unit).on(
            tab="ours" if wanted.is_ours else ""
        ),
        listed=await views.page_of_offers(database, user, view.page, wanted),
        choices=await views.choices_of(database, user),
        wanted=wanted,
        systems=await first_operated(database, user),
    )


@router.get("/new")
async def show_new(
    *, page: CurrentPage, database: Database, user: LoggedIn, metadata: Metadata, system: str = ""
) -> Response:
    """Show the form of a new offer."""
    return await _new(page, database, user, {"system": system, "visibility": "everybody"}, metadata=metadata)


async def _new(
    page: Page,
    database: AsyncSession,
    user: User,
    values: dict[str, str],
    *,
    metadata: MetadataPort,
    error: PlatformError | None = None,
) -> Response:
    systems = await first_operated(database, user, MOST_SYSTEMS)
    names = [one.name for one in systems]
    chosen = values.get("system", "")
    system = chosen if chosen in names else next(iter(names), "")  # as the page shows it
    return page.render(
        "contracts/catalogue/new.html",
        status=status_of(error) if error else 200,
        systems=systems,
        choices=await _choices(database, user, metadata, system, values),
        values=values,
        errors=error.fields if error else {},
        error=error,
    )


@router.post("/new")
async def create_offer(page: CurrentPage, database: Database, user: LoggedIn, metadata: Metadata) -> Response:
    """Write the draft of an offer, or show the form again with the Datastreams of the chosen system."""
    values = await sent_form(page)
    if LOOKED_UP in values:
        return await _new(page, database, user, values, metadata=metadata)
    try:
        form = read_form(NewOfferForm, values)
        form = await with_full_names(database, user, form.system, form, metadata, kept=())
        offer = await service.create_offer(database, user, form, metadata)
    except PlatformError as error:
        return await _new(page, database, user, values, metadata=metadata, error=error)
    return page.redirect(f"/catalogue/{offer.id}", "The draft is written. Publish it to let others find it.")


@router.get("/{offer}")
async def show_offer(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Show an offer: what would come, from whom, for what."""
    return await _show(page, database, user, await views.get_offer(database, user, offer))


async def _show(
    page: Page, database: Database, user: LoggedIn, view: OfferView, error: PlatformError | None = None
) -> Response:
    return page.render(
        "contracts/catalogue/show.html",
        status=status_of(error) if error else 200,
        view=view,
        offer=view.offer,
        systems=await first_operated(database, user, 1),
        error=error,
    )


@router.get("/{offer}/preview")
async def show_preview(
    page: CurrentPage, *, database: Database, user: LoggedIn, records: Records, units: Units, offer: str
) -> Response:
    """Show some of the last records that would leave: masked to all but the people of the system."""
    view = await views.get_offer(database, user, offer)
    await database.commit()  # reading takes a while; the connection goes back to the pool
    found = await service.sample_of(view, records, units)
    return page.render("contracts/catalogue/preview.html", preview=found.preview, units=found.units)


@router.get("/{offer}/edit")
async def show_edit(
    *, page: CurrentPage, database: Database, user: LoggedIn, metadata: Metadata, offer: str
) -> Response:
    """Show the form that changes an offer."""
    view = await views.get_offer(database, user, offer)
    service.require_agent(view)
    return await _edit(page, database, user, view, values=_values(view.offer), metadata=metadata)


async def _edit(
    page: Page,
    database: AsyncSession,
    user: User,
    view: OfferView,
    *,
    values: dict[str, str],
    metadata: MetadataPort,
    error: PlatformError | None = None,
) -> Response:
    return page.render(
        "contracts/catalogue/edit.html",
        status=status_of(error) if error else 200,
        view=view,
        choices=await _choices(database, user, metadata, view.system, values),
        values=values,
        errors=error.fields if error else {},
        error=error,
    )


async def _choices(
    session: AsyncSession, user: User, metadata: MetadataPort, system: str, values: dict[str, str]
) -> Choices:
    found = await seen_of(session, user, system, metadata)
    return choices_of(system, found, written=values.get(WRITTEN, ""))


def _values(offer: Offer) -> dict[str, str]:
    return {
        "title": offer.title,
        "description": offer.description,
        "datastreams": "\n".join(offer.datastreams),
        "predicate": offer.predicate,
        "fields": ", ".join(offer.fields),
        "purposes": "\n".join(offer.purposes),
        "terms": offer.terms,
        "visibility": offer.visibility,
        "companies": "\n".join(offer.companies),
    }


@router.post("/{offer}/edit")
async def change_offer(
    page: CurrentPage, database: Database, user: LoggedIn, metadata: Metadata, offer: str
) -> Response:
    """Change an offer."""
    values = await sent_form(page)
    view = await views.get_offer(database, user, offer)
    kept = tuple(view.offer.datastreams)
    try:
        form = read_form(OfferForm, values)
        form = await with_full_names(database, user, view.system, form, metadata, kept=kept)
        await service.change_offer(database, user, offer, form, metadata)
    except PlatformError as error:
        return await _edit(page, database, user, view, values=values, metadata=metadata, error=error)
    return page.redirect(f"/catalogue/{offer}", "The offer is changed.")


@router.post("/{offer}/publish")
async def publish_offer(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Let others find an offer."""
    refused = await _refusal(page, database, user, service.publish_offer(database, user, offer), offer)
    return refused or page.redirect(f"/catalogue/{offer}", "Published: others find it in the catalogue now.")


@router.post("/{offer}/withdraw")
async def withdraw_offer(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Let others find an offer no more."""
    refused = await _refusal(page, database, user, service.withdraw_offer(database, user, offer), offer)
    undo = Undo(f"/catalogue/{offer}/publish")
    return refused or page.redirect(f"/catalogue/{offer}", "Withdrawn: nobody else finds it any more.", undo)


@router.post("/{offer}/delete")
async def delete_offer(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Delete an offer that is not published."""
    refused = await _refusal(page, database, user, service.delete_offer(database, user, offer), offer)
    return refused or page.redirect("/catalogue?tab=ours", "The offer is deleted.")


async def _refusal(
    page: Page, database: AsyncSession, user: User, action: Awaitable[None], offer: str
) -> Response | None:
    """Do something with an offer; show the offer with the reason when it is refused, else nothing."""
    try:
        await action
    except PlatformError as error:
        return await _show(page, database, user, await views.get_offer(database, user, offer), error)
    return None


@router.get("/{offer}/request")
async def show_request(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Show the form by which one asks for what an offer describes."""
    view = await views.get_offer(database, user, offer)
    purpose = view.offer.purposes[0] if view.offer.purposes else ""
    return await _request(page, database, user, view, {"duration": "year", "purpose": purpose})


async def _request(
    page: Page,
    database: Database,
    user: LoggedIn,
    view: OfferView,
    values: dict[str, str],
    *,
    error: PlatformError | None = None,
) -> Response:
    found = await first_operated(database, user, MOST_SYSTEMS)
    return page.render(
        "contracts/catalogue/request.html",
        status=status_of(error) if error else 200,
        view=view,
        offer=view.offer,
        systems=[one for one in found if one.company_name != view.company],
        durations=DURATION_WORDS,
        values=values,
        errors=error.fields if error else {},
        error=error,
    )


@router.post("/{offer}/request")
async def request_offer(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Ask for what an offer describes."""
    values = await page.form()
    try:
        contract = await service.request_offer(database, user, offer, read_form(RequestForm, values))
    except PlatformError as error:
        view = await views.get_offer(database, user, offer)
        return await _request(page, database, user, view, values, error=error)
    return page.redirect(
        f"/contracts/{contract}", "The request is sent; the other side signs or answers next."
    )
