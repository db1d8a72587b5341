"""The pages of the catalogue: find offers, look at one, ask for it; write, publish and withdraw one's own."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.contracts.access import Records, Units
from platform_ui.contracts.negotiation import DURATION_WORDS
from platform_ui.contracts.offers import service, views
from platform_ui.contracts.offers.access import Metadata
from platform_ui.contracts.offers.forms import NewOfferForm, OfferForm, RequestForm
from platform_ui.contracts.offers.models import Offer
from platform_ui.contracts.offers.views import OfferView, Wanted
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
async def show_new(page: CurrentPage, database: Database, user: LoggedIn, system: str = "") -> Response:
    """Show the form of a new offer."""
    return await _new(page, database, user, {"system": system, "visibility": "everybody"})


async def _new(
    page: Page, database: Database, user: LoggedIn, values: dict[str, str], error: PlatformError | None = None
) -> Response:
    return page.render(
        "contracts/catalogue/new.html",
        status=status_of(error) if error else 200,
        systems=await first_operated(database, user, MOST_SYSTEMS),
        values=values,
        errors=error.fields if error else {},
        error=error,
    )


@router.post("/new")
async def create_offer(page: CurrentPage, database: Database, user: LoggedIn, metadata: Metadata) -> Response:
    """Write the draft of an offer."""
    values = await page.form()
    try:
        offer = await service.create_offer(database, user, read_form(NewOfferForm, values), metadata)
    except PlatformError as error:
        return await _new(page, database, user, values, error)
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
async def show_edit(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Show the form that changes an offer."""
    view = await views.get_offer(database, user, offer)
    service.require_agent(view)
    return page.render(
        "contracts/catalogue/edit.html", view=view, values=_values(view.offer), errors={}, error=None
    )


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
    values = await page.form()
    view = await views.get_offer(database, user, offer)
    try:
        await service.change_offer(database, user, offer, read_form(OfferForm, values), metadata)
    except PlatformError as error:
        return page.render(
            "contracts/catalogue/edit.html",
            status=status_of(error),
            view=view,
            values=values,
            errors=error.fields,
            error=error,
        )
    return page.redirect(f"/catalogue/{offer}", "The offer is changed.")


@router.post("/{offer}/publish")
async def publish_offer(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Let others find an offer."""
    try:
        await service.publish_offer(database, user, offer)
    except PlatformError as error:
        return await _show(page, database, user, await views.get_offer(database, user, offer), error)
    return page.redirect(f"/catalogue/{offer}", "Published: others find it in the catalogue now.")


@router.post("/{offer}/withdraw")
async def withdraw_offer(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Let others find an offer no more."""
    try:
        await service.withdraw_offer(database, user, offer)
    except PlatformError as error:
        return await _show(page, database, user, await views.get_offer(database, user, offer), error)
    return page.redirect(f"/catalogue/{offer}", "Withdrawn: nobody else finds it any more.")


@router.post("/{offer}/delete")
async def delete_offer(page: CurrentPage, database: Database, user: LoggedIn, offer: str) -> Response:
    """Delete an offer that is not published."""
    try:
        await service.delete_offer(database, user, offer)
    except PlatformError as error:
        return await _show(page, database, user, await views.get_offer(database, user, offer), error)
    return page.redirect("/catalogue?tab=ours", "The offer is deleted.")


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
