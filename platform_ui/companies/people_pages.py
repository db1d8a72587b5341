"""The pages of a company's people: members, roles, invitations; how a system's show theirs.

A member is removed in ``systems``: their parts in the company's systems go with it.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.pages import answer_too_many
from platform_ui.companies import service
from platform_ui.companies.forms import CompanyMemberForm, CompanyRoleForm
from platform_ui.companies.models import Role
from platform_ui.companies.people import OF_COMPANIES, Asked, Inquiry, People, RoleT, WhereT
from platform_ui.db import Database
from platform_ui.errors import ConflictError, FormError, PlatformError, TooManyAttemptsError, status_of
from platform_ui.fields import read_form
from platform_ui.web import CurrentPage, Page

router = APIRouter(prefix="/companies/{name}", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class PeoplePages(Generic[WhereT, RoleT]):
    """The pages of the people of one kind of place.

    Attributes:
        kind: ``company`` or ``system``: what the template calls the place.
        home: The address below which the places are.
        people: Who belongs there.
        read_member: Return whom the form that adds somebody names, and the role.
        read_role: Return the role that the form of another role names.
        roles: What a person can be, the choice that is proposed first.
        manages: Whether somebody of a role sees who is invited.
    """

    kind: str
    home: str
    people: People[WhereT, RoleT]
    read_member: Callable[[dict[str, str]], tuple[str, RoleT]]
    read_role: Callable[[dict[str, str]], RoleT]
    roles: tuple[RoleT, ...]
    manages: Callable[[RoleT], bool]

    def _url(self, name: str) -> str:
        return f"{self.home}/{name}/members"

    async def show(self, page: Page, asked: Asked, name: str) -> Response:
        """Show who has a part, and who is invited."""
        return await self._render(page, asked, await self.people.see(asked.database, asked.user, name))

    async def add(self, page: Page, asked: Asked, name: str) -> Response:
        """Add somebody, or invite them when they have no account yet; mistakes stand at the fields."""
        values = await page.form()
        where = await self.people.manage(asked.database, asked.user, name)
        try:
            email, role = self.read_member(values)
            added = await self.people.bring_in(asked, name, email, role)
        except (FormError, ConflictError, TooManyAttemptsError) as error:
            return await self._render(page, asked, where, values=values, error=error)
        if added.link:
            return await self._render(page, asked, where, link=added.link, invited=email)
        if added.is_invited:
            return page.redirect(self._url(name), f"{email} is invited by mail.")
        return page.redirect(self._url(name), f"{email} is now {role} of {name}.")

    async def change_role(self, page: Page, asked: Asked, name: str, email: str) -> Response:
        """Give a member another role."""
        role = self.read_role(await page.form())
        await self.people.change(asked.database, asked.user, name, email, role)
        return page.redirect(self._url(name), f"{email} is now {role} of {name}.")

    async def withdraw(self, page: Page, asked: Asked, name: str, invitation: uuid.UUID) -> Response:
        """Withdraw an invitation."""
        email = await self.people.withdraw(asked, name, invitation)
        return page.redirect(self._url(name), f"The invitation of {email} no longer counts.")

    async def _render(
        self,
        page: Page,
        asked: Asked,
        where: WhereT,
        *,
        values: dict[str, str] | None = None,
        error: PlatformError | None = None,
        link: str = "",
        invited: str = "",
    ) -> Response:
        role = await self.people.role_in(asked.database, asked.user, where)
        manages = role is not None and self.manages(role)
        response = page.render(
            f"{self.home[1:]}/members.html",
            **{self.kind: where},
            status=status_of(error) if error else HTTPStatus.OK,
            members=await self.people.members_of(asked.database, asked.user, where),
            invitations=await self.people.invited_into(asked, where) if manages else [],
            role=role,
            roles=[role.value for role in self.roles],
            values=values or {},
            errors=error.fields if error else {},
            error=error if error and not error.fields else None,
            link=link,
            invited=invited,
        )
        return answer_too_many(response, error)


def _member(values: dict[str, str]) -> tuple[str, Role]:
    form = read_form(CompanyMemberForm, values)
    return form.email, form.role


def _role(values: dict[str, str]) -> Role:
    return read_form(CompanyRoleForm, values).role


_PAGES = PeoplePages(
    kind="company",
    home="/companies",
    people=OF_COMPANIES,
    read_member=_member,
    read_role=_role,
    roles=tuple(reversed(Role)),
    manages=lambda role: role.includes(Role.ADMIN),
)


@router.get("/members")
async def show_members(page: CurrentPage, asked: Inquiry, name: str) -> Response:
    """Show the members of a company, and who is invited."""
    return await _PAGES.show(page, asked, name)


@router.post("/members")
async def add_member(page: CurrentPage, asked: Inquiry, name: str) -> Response:
    """Add a member, or invite somebody who has no account yet."""
    return await _PAGES.add(page, asked, name)


@router.post("/members/{email}/role")
async def change_role(page: CurrentPage, asked: Inquiry, name: str, email: str) -> Response:
    """Give a member another role."""
    return await _PAGES.change_role(page, asked, name, email)


@router.post("/invitations/{invitation}/withdraw")
async def withdraw_invitation(
    page: CurrentPage, asked: Inquiry, name: str, invitation: uuid.UUID
) -> Response:
    """Withdraw an invitation."""
    return await _PAGES.withdraw(page, asked, name, invitation)


@router.post("/second-factor")
async def change_second_factor(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Ask a second factor of everybody who has a part in the company, or no longer."""
    required = (await page.form()).get("required") == "yes"
    await service.require_second_factor(database, user, name, required=required)
    words = "now needs" if required else "no longer needs"
    return page.redirect(f"/companies/{name}/members", f"Whoever works for {name} {words} a second factor.")
