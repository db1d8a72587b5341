"""The pages of companies: list, create, delete, members. The page of one company is in ``overview``.

A member is removed in ``systems``: their parts in the company's systems go with it.
"""

import uuid
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts import service as accounts
from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.accounts.origin import origin_of
from platform_ui.accounts.pages import answer_too_many
from platform_ui.companies import invitations, service
from platform_ui.companies.forms import CompanyForm, CompanyMemberForm, CompanyRoleForm
from platform_ui.companies.listing import page_of_companies
from platform_ui.companies.models import Company, Role
from platform_ui.db import Database
from platform_ui.errors import ConflictError, FormError, PlatformError, TooManyAttemptsError, status_of
from platform_ui.fields import read_form
from platform_ui.rest.paging import ListQuery
from platform_ui.settings import CurrentSettings
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


@router.get("/{name}/members")
async def show_members(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Show the members of a company, and who is invited."""
    company = await service.see_company(database, user, name)
    return await _members(page, database, user, company)


@router.post("/{name}/members")
async def add_member(
    page: CurrentPage, database: Database, user: LoggedIn, settings: CurrentSettings, name: str
) -> Response:
    """Add a member, or invite somebody who has no account yet."""
    values = await page.form()
    company = await service.get_company(database, user, name)
    try:
        form = read_form(CompanyMemberForm, values)
        if await accounts.find_by_email(database, form.email) is None:
            invited = await invitations.invite_to_company(
                database, user, name, form, origin_of(page.request), by_mail=settings.mail is not None
            )
            link = await invitations.tell(database, page.request, settings, user, invited)
            if link:
                return await _members(page, database, user, company, link=link, invited=form.email)
            return page.redirect(f"/companies/{name}/members", f"{form.email} is invited by mail.")
        await service.add_member(database, user, name, form.email, form.role)
    except (FormError, ConflictError, TooManyAttemptsError) as error:
        return await _members(page, database, user, company, values=values, error=error)
    return page.redirect(f"/companies/{name}/members", f"{form.email} is now {form.role} of {name}.")


@router.post("/{name}/members/{email}/role")
async def change_role(
    page: CurrentPage, database: Database, user: LoggedIn, name: str, email: str
) -> Response:
    """Give a member another role."""
    form = read_form(CompanyRoleForm, await page.form())
    await service.change_role(database, user, name, email, form.role)
    return page.redirect(f"/companies/{name}/members", f"{email} is now {form.role} of {name}.")


@router.post("/{name}/second-factor")
async def change_second_factor(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Ask a second factor of everybody who has a part in the company, or no longer."""
    required = (await page.form()).get("required") == "yes"
    await service.require_second_factor(database, user, name, required=required)
    words = "now needs" if required else "no longer needs"
    return page.redirect(f"/companies/{name}/members", f"Whoever works for {name} {words} a second factor.")


@router.post("/{name}/invitations/{invitation}/withdraw")
async def withdraw_invitation(
    page: CurrentPage, database: Database, user: LoggedIn, name: str, invitation: uuid.UUID
) -> Response:
    """Withdraw an invitation."""
    company = await service.get_company(database, user, name)
    email = await invitations.withdraw(database, user, company, invitation)
    return page.redirect(f"/companies/{name}/members", f"The invitation of {email} no longer counts.")


async def _members(
    page: CurrentPage,
    database: Database,
    user: User,
    company: Company,
    *,
    values: dict[str, str] | None = None,
    error: PlatformError | None = None,
    link: str = "",
    invited: str = "",
) -> Response:
    role = await service.role_in(database, user, company)
    manages = role is not None and role.includes(Role.ADMIN)
    response = page.render(
        "companies/members.html",
        status=status_of(error) if error else HTTPStatus.OK,
        company=company,
        members=await service.list_members(database, user, company),
        invitations=await invitations.list_invitations(database, company) if manages else [],
        role=role,
        roles=[role.value for role in reversed(Role)],
        values=values or {},
        errors=error.fields if error else {},
        error=error if error and not error.fields else None,
        link=link,
        invited=invited,
    )
    return answer_too_many(response, error)
