"""The page of one company, with everything of it that its reader may see. Home is in ``home_pages``."""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.audit import service as audit
from platform_ui.companies import limits
from platform_ui.companies import service as companies
from platform_ui.companies.models import Role
from platform_ui.contracts.listing import of_company, page_of_contracts
from platform_ui.contracts.models import CONSUMER, PROVIDER
from platform_ui.db import Database
from platform_ui.overview.limits_pages import used_of
from platform_ui.rest.paging import ListQuery, PageRequest
from platform_ui.settings import CurrentSettings
from platform_ui.systems.listing import page_of_company
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)

CONTRACTS_SHOWN = 10
ENTRIES_SHOWN = 10


@router.get("/companies/{name}")
async def show_company(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    view: ListQuery,
    name: str,
) -> Response:
    """Show a company: its systems, contracts, members, limits and activity; htmx asks for systems alone."""
    company = await companies.see_company(database, user, name)
    listed = await page_of_company(database, user, company, view.page)
    if view.part(page.request) == "rows":
        return page.render("overview/company/systems.html", company=company, view=view, listed=listed)
    role = await companies.role_in(database, user, company)
    counting = await limits.limits_of(database, name, settings.limits)
    some = PageRequest(page_size=CONTRACTS_SHOWN)
    manages = role is not None and role.includes(Role.ADMIN)
    return page.render(
        "overview/company.html",
        company=company,
        view=view,
        listed=listed,
        role=role,
        given=await page_of_contracts(database, user, some, within=of_company(name, PROVIDER)),
        received=await page_of_contracts(database, user, some, within=of_company(name, CONSUMER)),
        members=await companies.list_members(database, user, company),
        manages=manages,
        owns=role is Role.OWNER,
        quotas=settings.acl,
        counting=counting,
        used=await used_of(name, page.request),
        entries=await audit.entries_of(database, name, limit=ENTRIES_SHOWN) if manages else [],
    )
