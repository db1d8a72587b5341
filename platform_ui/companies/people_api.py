"""People of a company as JSON resources: its members, and who is invited.

A member is removed in ``systems``: their parts in the company's systems go with it.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts import service as accounts
from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.origin import origin_of
from platform_ui.companies import invitations, service
from platform_ui.companies.forms import CompanyMemberForm, CompanyRoleForm
from platform_ui.companies.models import Invitation
from platform_ui.companies.service import Member
from platform_ui.db import Database
from platform_ui.errors import NotFoundError
from platform_ui.rest.marks import answers_secret
from platform_ui.settings import CurrentSettings

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


@router.get("/members", operation_id="list_company_members")
async def list_members(database: Database, user: LoggedIn, name: str) -> MemberList:
    """List the members of a company."""
    company = await service.see_company(database, user, name)
    return MemberList.of(await service.list_members(database, user, company))


@router.post("/members", status_code=HTTPStatus.CREATED, operation_id="add_company_member")
@answers_secret
async def add_member(
    *,
    request: Request,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    name: str,
    form: CompanyMemberForm,
) -> AddedAnswer:
    """Give somebody a part in a company, or invite them when they have no account yet."""
    await service.get_company(database, user, name)
    if await accounts.find_by_email(database, form.email) is not None:
        await service.add_member(database, user, name, form.email, form.role)
        return AddedAnswer(email=form.email, role=form.role, state="member")
    by_mail = settings.mail is not None
    invited = await invitations.invite_to_company(
        database, user, name, form, origin_of(request), by_mail=by_mail
    )
    link = await invitations.tell(database, request, settings, user, invited)
    return AddedAnswer(email=form.email, role=form.role, state="invited", link=link or None)


@router.get("/members/{email}", operation_id="show_company_member")
async def show_member(database: Database, user: LoggedIn, name: str, email: str) -> MemberAnswer:
    """Show one member of a company."""
    return (await list_members(database, user, name)).only(email)


@router.patch("/members/{email}", operation_id="change_company_member")
async def change_member(
    *, database: Database, user: LoggedIn, name: str, email: str, form: CompanyRoleForm
) -> MemberAnswer:
    """Give a member of a company another role; the last owner stays one."""
    await service.change_role(database, user, name, email, form.role)
    return (await list_members(database, user, name)).only(email)


@router.get("/invitations", operation_id="list_company_invitations")
async def list_invitations(database: Database, user: LoggedIn, name: str) -> InvitationList:
    """List who is invited to a company."""
    company = await service.get_company(database, user, name)
    return InvitationList.of(await invitations.list_invitations(database, company))


@router.delete(
    "/invitations/{invitation}",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="withdraw_company_invitation",
)
async def withdraw_invitation(
    database: Database, user: LoggedIn, name: str, invitation: uuid.UUID
) -> Response:
    """Withdraw an invitation to a company."""
    company = await service.get_company(database, user, name)
    await invitations.withdraw(database, user, company, invitation)
    return Response(status_code=HTTPStatus.NO_CONTENT)
