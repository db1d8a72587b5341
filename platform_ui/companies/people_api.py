"""People of a company as JSON resources: its members, and who is invited; the answers a system's share.

A member is removed in ``systems``: their parts in the company's systems go with it.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.companies.forms import CompanyMemberForm, CompanyRoleForm
from platform_ui.companies.models import Invitation
from platform_ui.companies.people import OF_COMPANIES, Asked, Inquiry, People, RoleT, WhereT
from platform_ui.companies.service import Member
from platform_ui.errors import NotFoundError
from platform_ui.rest.marks import answers_secret

router = APIRouter(prefix="/companies/{name}", tags=["people"])


class MemberAnswer(BaseModel):
    """A person with a part in a company or a system."""

    email: str
    full_name: str
    role: str


class MemberList(BaseModel):
    """People with a part in a company or a system, the strongest roles first."""

    items: list[MemberAnswer]
    next_page_token: str | None = None

    @classmethod
    def of(cls, members: Sequence[Member]) -> "MemberList":
        """Return the public form of members."""
        return cls(items=[MemberAnswer.model_validate(one, from_attributes=True) for one in members])

    def only(self, email: str) -> MemberAnswer:
        """Return the one with an e-mail address.

        Raises:
            NotFoundError: there is none.
        """
        for one in self.items:
            if one.email == email:
                return one
        raise NotFoundError(f"{email} has no part in it.", code="member.not_found")


class InvitationAnswer(BaseModel):
    """An invitation that nobody has accepted yet."""

    id: uuid.UUID
    email: str
    role: str
    by_mail: bool
    created_at: datetime
    expires_at: datetime


class InvitationList(BaseModel):
    """Who is invited, the newest first."""

    items: list[InvitationAnswer]
    next_page_token: str | None = None

    @classmethod
    def of(cls, rows: Sequence[Invitation]) -> "InvitationList":
        """Return the public form of invitations."""
        return cls(items=[InvitationAnswer.model_validate(one, from_attributes=True) for one in rows])


class AddedAnswer(BaseModel):
    """Somebody who has a part now, or will have it after a log-in.

    `link` is there when no mail could be sent: pass it on to the person.
    """

    email: str
    role: str
    state: Literal["member", "invited"]
    link: str | None = None


async def answer_members(people: People[WhereT, RoleT], asked: Asked, name: str) -> MemberList:
    """Answer who has a part in a company or a system."""
    return MemberList.of(await people.members(asked, name))


async def answer_added(
    people: People[WhereT, RoleT], asked: Asked, name: str, email: str, role: RoleT
) -> AddedAnswer:
    """Give somebody a part in a company or a system, or invite them; answer which."""
    await people.manage(asked.database, asked.user, name)
    added = await people.bring_in(asked, name, email, role)
    state: Literal["member", "invited"] = "invited" if added.is_invited else "member"
    return AddedAnswer(email=email, role=role, state=state, link=added.link or None)


async def answer_changed(
    people: People[WhereT, RoleT], asked: Asked, name: str, email: str, role: RoleT
) -> MemberAnswer:
    """Give a member of a company or a system another role; answer what they are now."""
    await people.change(asked.database, asked.user, name, email, role)
    return (await answer_members(people, asked, name)).only(email)


async def answer_withdrawn(
    people: People[WhereT, RoleT], asked: Asked, name: str, invitation: uuid.UUID
) -> Response:
    """Withdraw an invitation into a company or a system."""
    await people.withdraw(asked, name, invitation)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/members", operation_id="list_company_members")
async def list_members(asked: Inquiry, name: str) -> MemberList:
    """List the members of a company."""
    return await answer_members(OF_COMPANIES, asked, name)


@router.post("/members", status_code=HTTPStatus.CREATED, operation_id="add_company_member")
@answers_secret
async def add_member(asked: Inquiry, name: str, form: CompanyMemberForm) -> AddedAnswer:
    """Give somebody a part in a company, or invite them when they have no account yet."""
    return await answer_added(OF_COMPANIES, asked, name, form.email, form.role)


@router.get("/members/{email}", operation_id="show_company_member")
async def show_member(asked: Inquiry, name: str, email: str) -> MemberAnswer:
    """Show one member of a company."""
    return (await answer_members(OF_COMPANIES, asked, name)).only(email)


@router.patch("/members/{email}", operation_id="change_company_member")
async def change_member(asked: Inquiry, name: str, email: str, form: CompanyRoleForm) -> MemberAnswer:
    """Give a member of a company another role; the last owner stays one."""
    return await answer_changed(OF_COMPANIES, asked, name, email, form.role)


@router.get("/invitations", operation_id="list_company_invitations")
async def list_invitations(asked: Inquiry, name: str) -> InvitationList:
    """List who is invited to a company."""
    return InvitationList.of(await OF_COMPANIES.invited(asked, name))


@router.delete(
    "/invitations/{invitation}",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="withdraw_company_invitation",
)
async def withdraw_invitation(asked: Inquiry, name: str, invitation: uuid.UUID) -> Response:
    """Withdraw an invitation to a company."""
    return await answer_withdrawn(OF_COMPANIES, asked, name, invitation)
