"""The pages of companies: list, create, delete.

Members have pages of their own (``people_pages``); one company's page is in ``overview``.
"""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.companies import service
from platform_ui.companies.forms import CompanyForm
from platform_ui.companies.listing import page_of_companies
from platform_ui.companies.models import Role
from platform_ui.db import Database
from platform_ui.errors import PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.rest.paging import ListQuery
from platform_ui.web import CurrentPage

router = APIRouter(prefix="/companies", include_in_schema=False)


@router.get("")
async def list_companies(page: CurrentPage, database: Database, user: LoggedIn, view: ListQuery) -> Response:
    """Show the companies of the person; htmx asks for the rows alone."""
    listed = await page_of_companies(database, user, view.page, counted=True)
    return page.render(f"companies/{view.part(page.request)}.html", view=view, listed=listed)


@router.get("/new")
async def show_form(page: CurrentPage, _user: LoggedIn) -> Response:
    """Show the form of a new company."""
    return page.render("companies/new.html", values={}, errors={})


@router.post("/new")
async def create_company(page: CurrentPage, database: Database, user: LoggedIn) -> Response:
    """Create a company."""
    values = await page.form()
    try:
        company = await service.create_company(database, user, read_form(CompanyForm, values))
    except PlatformError as error:
        return page.render("companies/new.html", status=status_of(error), values=values, errors=error.fields)
    return page.redirect(
        f"/companies/{company.name}", f"{company.name} is created. Add its first system to get topics."
    )


@router.get("/{name}/delete")
async def show_deletion(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Ask before a company is deleted."""
    company = await service.require(database, user, name, Role.OWNER)
    return page.render("companies/delete.html", company=company, error=None)


@router.post("/{name}/delete")
async def delete_company(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Delete a company."""
    company = await service.require(database, user, name, Role.OWNER)
    try:
        await service.delete_company(database, user, name)
    except PlatformError as error:
        return page.render("companies/delete.html", status=status_of(error), company=company, error=error)
    return page.redirect("/companies", f"{name} is deleted.")
