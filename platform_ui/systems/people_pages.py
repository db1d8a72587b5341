"""The pages of people in systems and companies: members, leaving, invitations, deleting one's account."""

import uuid
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts import service as accounts
from platform_ui.accounts.access import ConfirmedHolder, LoggedIn, Visitor
from platform_ui.accounts.models import User
from platform_ui.accounts.origin import origin_of
from platform_ui.accounts.pages import answer_too_many
from platform_ui.browser import change_token
from platform_ui.companies import invitations as company_invitations
from platform_ui.db import Database
from platform_ui.errors import ConflictError, FormError, PlatformError, TooManyAttemptsError, status_of
from platform_ui.fields import read_form
from platform_ui.settings import CurrentSettings
from platform_ui.systems import invitations, membership, service
from platform_ui.systems.forms import SystemMemberForm, SystemRoleForm
from platform_ui.systems.models import System, SystemRole
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/systems/{name}/members")
async def show_members(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Show the agents and viewers of a system, and who is invited."""
    return await _members(page, database, user, await service.see_system(database, user, name))


@router.post("/systems/{name}/members")
async def add_member(
    page: CurrentPage, database: Database, user: LoggedIn, settings: CurrentSettings, name: str
) -> Response:
    """Add an agent or viewer, or invite somebody who has no account yet."""
    values = await page.form()
    system = await service.get_system(database, user, name)
    try:
        form = read_form(SystemMemberForm, values)
        if await accounts.find_by_email(database, form.email) is None:
            invited = await invitations.invite_to_system(
                database, user, name, form, origin_of(page.request), by_mail=settings.mail is not None
            )
            link = await company_invitations.tell(database, page.request, settings, user, invited)
            if link:
                return await _members(page, database, user, system, link=link, invited=form.email)
            return page.redirect(f"/systems/{name}/members", f"{form.email} is invited by mail.")
        await service.add_member(database, user, name, form.email, form.role)
    except (FormError, ConflictError, TooManyAttemptsError) as error:
        return await _members(page, database, user, system, values=values, error=error)
    return page.redirect(f"/systems/{name}/members", f"{form.email} is now {form.role} of {name}.")


@router.post("/systems/{name}/members/{email}/role")
async def change_role(
    page: CurrentPage, database: Database, user: LoggedIn, name: str, email: str
) -> Response:
    """Make an agent a viewer, or the other way round."""
    form = read_form(SystemRoleForm, await page.form())
    await service.change_role(database, user, name, email, form.role)
    return page.redirect(f"/systems/{name}/members", f"{email} is now {form.role} of {name}.")


@router.post("/systems/{name}/members/{email}/remove")
async def remove_member(
    page: CurrentPage, database: Database, user: LoggedIn, name: str, email: str
) -> Response:
    """Remove an agent or viewer."""
    await service.remove_member(database, user, name, email)
    target = "/systems" if email == user.email else f"/systems/{name}/members"
    return page.redirect(target, f"{email} has no part in {name} any more.")


@router.post("/systems/{name}/invitations/{invitation}/withdraw")
async def withdraw_invitation(
    page: CurrentPage, database: Database, user: LoggedIn, name: str, invitation: uuid.UUID
) -> Response:
    """Withdraw an invitation."""
    system = await service.get_system(database, user, name)
    place = invitations.place_of(system)
    email = await company_invitations.withdraw_from(database, user, place, invitation)
    return page.redirect(f"/systems/{name}/members", f"The invitation of {email} no longer counts.")


@router.post("/companies/{name}/members/{email}/remove")
async def remove_from_company(
    page: CurrentPage, database: Database, user: LoggedIn, name: str, email: str
) -> Response:
    """Remove a member of a company, and their parts in its systems."""
    await membership.remove_from_company(database, user, name, email)
    target = "/companies" if email == user.email else f"/companies/{name}/members"
    return page.redirect(target, f"{email} has no part in {name} any more.")


@router.get("/invitations/{token}")
async def show_invitation(page: CurrentPage, database: Database, visitor: Visitor, token: str) -> Response:
    """Show what somebody is invited to, and how to accept."""
    offer = await invitations.find(database, token, origin_of(page.request))
    known = await accounts.find_by_email(database, offer.row.email)
    return page.render(
        "accounts/invitation.html", offer=offer, visitor=visitor, token=token, has_account=known is not None
    )


@router.post("/invitations/{token}/accept")
async def accept_invitation(page: CurrentPage, database: Database, visitor: Visitor, token: str) -> Response:
    """Accept an invitation."""
    if visitor is None:
        return page.redirect(f"/invitations/{token}")
    offer = await invitations.accept(database, visitor, token, origin_of(page.request))
    return page.redirect(offer.url, f"You are now {offer.row.role} of {offer.target.name}.")


@router.get("/account/delete")
async def show_deletion(page: CurrentPage, database: Database, user: ConfirmedHolder) -> Response:
    """Ask before an account is deleted."""
    return page.render("accounts/delete.html", last=await membership.last_of(database, user), error=None)


@router.post("/account/delete")
async def delete_account(page: CurrentPage, database: Database, user: ConfirmedHolder) -> Response:
    """Delete the account of the person."""
    try:
        await membership.delete_account(database, user)
    except ConflictError as error:
        last = await membership.last_of(database, user)
        return page.render("accounts/delete.html", status=status_of(error), last=last, error=error)
    change_token(page.request, lasting=False)
    return page.redirect("/login", "Your account is deleted.")


async def _members(
    page: CurrentPage,
    database: Database,
    user: User,
    system: System,
    *,
    values: dict[str, str] | None = None,
    error: PlatformError | None = None,
    link: str = "",
    invited: str = "",
) -> Response:
    role = await service.role_in(database, user, system)
    place = invitations.place_of(system)
    is_agent = role is SystemRole.AGENT
    response = page.render(
        "systems/members.html",
        status=status_of(error) if error else HTTPStatus.OK,
        system=system,
        members=await service.list_members(database, user, system),
        invitations=await company_invitations.invitations_into(database, place) if is_agent else [],
        role=role,
        roles=[role.value for role in SystemRole],
        values=values or {},
        errors=error.fields if error else {},
        error=error if error and not error.fields else None,
        link=link,
        invited=invited,
    )
    return answer_too_many(response, error)
