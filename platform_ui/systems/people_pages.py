"""The pages of people in systems and companies: members, leaving, invitations, deleting one's account."""

import uuid

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts import service as accounts
from platform_ui.accounts.access import ConfirmedHolder, LoggedIn, Visitor
from platform_ui.accounts.origin import origin_of
from platform_ui.browser import Undo, change_token
from platform_ui.companies.people import Inquiry
from platform_ui.companies.people_pages import PeoplePages
from platform_ui.db import Database
from platform_ui.errors import ConflictError, status_of
from platform_ui.fields import read_form
from platform_ui.systems import invitations, membership, service
from platform_ui.systems.forms import SystemMemberForm, SystemRoleForm
from platform_ui.systems.models import SystemRole
from platform_ui.systems.people import OF_SYSTEMS
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


def _member(values: dict[str, str]) -> tuple[str, SystemRole]:
    form = read_form(SystemMemberForm, values)
    return form.email, form.role


def _role(values: dict[str, str]) -> SystemRole:
    return read_form(SystemRoleForm, values).role


_PAGES = PeoplePages(
    kind="system",
    home="/systems",
    people=OF_SYSTEMS,
    read_member=_member,
    read_role=_role,
    roles=tuple(SystemRole),
    manages=lambda role: role is SystemRole.AGENT,
)


@router.get("/systems/{name}/members")
async def show_members(page: CurrentPage, asked: Inquiry, name: str) -> Response:
    """Show the agents and viewers of a system, and who is invited."""
    return await _PAGES.show(page, asked, name)


@router.post("/systems/{name}/members")
async def add_member(page: CurrentPage, asked: Inquiry, name: str) -> Response:
    """Add an agent or viewer, or invite somebody who has no account yet."""
    return await _PAGES.add(page, asked, name)


@router.post("/systems/{name}/members/{email}/role")
async def change_role(page: CurrentPage, asked: Inquiry, name: str, email: str) -> Response:
    """Make an agent a viewer, or the other way round."""
    return await _PAGES.change_role(page, asked, name, email)


@router.post("/systems/{name}/members/{email}/remove")
async def remove_member(
    page: CurrentPage, database: Database, user: LoggedIn, name: str, email: str
) -> Response:
    """Remove an agent or viewer."""
    role = await service.remove_member(database, user, name, email)
    gone = f"{email} has no part in {name} any more."
    if email == user.email:  # who has left may not come back by themselves
        return page.redirect("/systems", gone)
    members = f"/systems/{name}/members"
    return page.redirect(members, gone, Undo(members, {"email": email, "role": role}))


@router.post("/systems/{name}/invitations/{invitation}/withdraw")
async def withdraw_invitation(
    page: CurrentPage, asked: Inquiry, name: str, invitation: uuid.UUID
) -> Response:
    """Withdraw an invitation."""
    return await _PAGES.withdraw(page, asked, name, invitation)


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
