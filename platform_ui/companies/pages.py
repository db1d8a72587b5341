"""The pages of companies: list, create, delete, admins. The page of one company is in ``overview``."""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.forms import MemberForm
from platform_ui.companies import service
from platform_ui.companies.forms import CompanyForm
from platform_ui.db import Database
from platform_ui.errors import PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.web import CurrentPage

router = APIRouter(prefix="/companies", include_in_schema=False)


@router.get("")
async def list_companies(page: CurrentPage, database: Database, user: LoggedIn) -> Response:
    """Show the companies of the person."""
    return page.render("companies/list.html", companies=await service.list_companies(database, user))


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
    company = await service.get_company(database, user, name)
    return page.render("companies/delete.html", company=company, error=None)


@router.post("/{name}/delete")
async def delete_company(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Delete a company."""
    company = await service.get_company(database, user, name)
    try:
        await service.delete_company(database, user, name)
    except PlatformError as error:
        return page.render("companies/delete.html", status=status_of(error), company=company, error=error)
    return page.redirect("/companies", f"{name} is deleted.")


@router.post("/{name}/admins")
async def add_admin(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Add an admin."""
    values = await page.form()
    company = await service.get_company(database, user, name)
    try:
        form = read_form(MemberForm, values)
        await service.add_admin(database, user, name, form.email)
    except PlatformError as error:
        return page.render(
            "companies/admins.html",
            status=status_of(error),
            company=company,
            admins=await service.list_admins(database, user, company),
            values=values,
            errors=error.fields,
        )
    return page.redirect(f"/companies/{name}", f"{form.email} is now an admin of {name}.")


@router.post("/{name}/admins/{email}/remove")
async def remove_admin(
    page: CurrentPage, database: Database, user: LoggedIn, name: str, email: str
) -> Response:
    """Remove an admin."""
    await service.remove_admin(database, user, name, email)
    target = "/companies" if email == user.email else f"/companies/{name}"
    return page.redirect(target, f"{email} is no longer an admin of {name}.")
