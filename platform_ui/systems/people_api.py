"""People of a system as JSON resources; leaving a company; accepting an invitation."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, StringConstraints
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.origin import origin_of
from platform_ui.companies.people import Inquiry
from platform_ui.companies.people_api import (
    AddedAnswer,
    InvitationList,
    MemberAnswer,
    MemberList,
    answer_added,
    answer_changed,
    answer_members,
    answer_withdrawn,
)
from platform_ui.db import Database
from platform_ui.fields import Form
from platform_ui.rest.marks import answers_secret, never_rehearsed
from platform_ui.systems import invitations, membership, service
from platform_ui.systems.forms import SystemMemberForm, SystemRoleForm
from platform_ui.systems.people import OF_SYSTEMS

router = APIRouter(tags=["people"])

MAX_SECRET = 128


class AcceptForm(Form):
    """The secret of an invitation: the last part of its link."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SECRET)]


class AcceptedAnswer(BaseModel):
    """What somebody has a part in now."""

    name: str
    role: str


@router.get("/systems/{name}/members", operation_id="list_system_members")
async def list_members(asked: Inquiry, name: str) -> MemberList:
    """List the agents and viewers of a system."""
    return await answer_members(OF_SYSTEMS, asked, name)


@router.post("/systems/{name}/members", status_code=HTTPStatus.CREATED, operation_id="add_system_member")
@answers_secret
async def add_member(asked: Inquiry, name: str, form: SystemMemberForm) -> AddedAnswer:
    """Give somebody a part in a system, or invite them when they have no account yet."""
    return await answer_added(OF_SYSTEMS, asked, name, form.email, form.role)


@router.get("/systems/{name}/members/{email}", operation_id="show_system_member")
async def show_member(asked: Inquiry, name: str, email: str) -> MemberAnswer:
    """Show one agent or viewer of a system."""
    return (await answer_members(OF_SYSTEMS, asked, name)).only(email)


@router.patch("/systems/{name}/members/{email}", operation_id="change_system_member")
async def change_member(asked: Inquiry, name: str, email: str, form: SystemRoleForm) -> MemberAnswer:
    """Make an agent a viewer, or the other way round; the last agent stays one."""
    return await answer_changed(OF_SYSTEMS, asked, name, email, form.role)


@router.delete(
    "/systems/{name}/members/{email}",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="remove_system_member",
)
async def remove_member(database: Database, user: LoggedIn, name: str, email: str) -> Response:
    """Take somebody's part in a system away; the last agent stays."""
    await service.remove_member(database, user, name, email)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/systems/{name}/invitations", operation_id="list_system_invitations")
async def list_invitations(asked: Inquiry, name: str) -> InvitationList:
    """List who is invited to a system."""
    return InvitationList.of(await OF_SYSTEMS.invited(asked, name))


@router.delete(
    "/systems/{name}/invitations/{invitation}",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="withdraw_system_invitation",
)
async def withdraw_invitation(asked: Inquiry, name: str, invitation: uuid.UUID) -> Response:
    """Withdraw an invitation to a system."""
    return await answer_withdrawn(OF_SYSTEMS, asked, name, invitation)


@router.delete(
    "/companies/{name}/members/{email}",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="remove_company_member",
)
async def remove_from_company(database: Database, user: LoggedIn, name: str, email: str) -> Response:
    """Take somebody's part in a company away, and with it their parts in its systems."""
    await membership.remove_from_company(database, user, name, email)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/invitations:accept", operation_id="accept_invitation")
@never_rehearsed
async def accept_invitation(
    request: Request, database: Database, user: LoggedIn, form: AcceptForm
) -> AcceptedAnswer:
    """Accept an invitation that was made for your e-mail address."""
    offer = await invitations.accept(database, user, form.token, origin_of(request))
    return AcceptedAnswer(name=offer.target.name, role=offer.row.role)
