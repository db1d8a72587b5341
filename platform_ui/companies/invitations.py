"""Invitations: links that give whoever owns an e-mail address a part in a company or a system.

What lives here: making, listing and withdrawing them, and the mail. What does not: accepting one
(``systems.invitations``, because a part in a system may follow from it).

A link counts once, for 7 days, and only for an account of the address that was invited: one that falls into
other hands opens nothing. Its secret is stored as a hash.
"""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui import mail
from platform_ui.accounts import limits
from platform_ui.accounts.models import User
from platform_ui.accounts.origin import Origin
from platform_ui.accounts.pages import site_url
from platform_ui.accounts.sessions import hash_token
from platform_ui.audit import service as audit
from platform_ui.companies.models import Company, Invitation
from platform_ui.db import now
from platform_ui.errors import MailError, NotFoundError
from platform_ui.settings import PlatformSettings

LIFE = timedelta(days=7)
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Place:
    """What somebody is invited into: one of a company and a system."""

    name: str
    company_id: uuid.UUID | None = None
    system_id: uuid.UUID | None = None

    @property
    def is_this(self) -> ColumnElement[bool]:
        """The condition that an invitation is into here."""
        if self.company_id is not None:
            return Invitation.company_id == self.company_id
        return Invitation.system_id == self.system_id


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation, with the secret that its link needs."""

    email: str
    role: str
    name: str
    token: str
    by_mail: bool


def place_of(company: Company) -> Place:
    """Return a company as what somebody is invited into."""
    return Place(company.name, company_id=company.id)


async def invite(
    session: AsyncSession,
    user: User,
    place: Place,
    wanted: tuple[str, str],
    origin: Origin,
    *,
    by_mail: bool,
) -> Invited:
    """Make an invitation for somebody who may invite there; an older one of the same address is replaced.

    Args:
        session: the database.
        user: who invites.
        place: into what.
        wanted: the e-mail address, and the role that its owner gets.
        origin: where the request comes from.
        by_mail: whether the link goes to the address, which its use then proves to be theirs.

    Raises:
        TooManyAttemptsError: the person has invited very many.
    """
    email, role = wanted
    await limits.attempt(session, limits.INVITATION, user.email, origin)
    token, present = secrets.token_urlsafe(TOKEN_BYTES), now()
    await session.execute(delete(Invitation).where(place.is_this, Invitation.email == email))
    session.add(
        Invitation(
            id=uuid.uuid4(),
            token_hash=hash_token(token),
            email=email,
            company_id=place.company_id,
            system_id=place.system_id,
            role=str(role),
            by_mail=by_mail,
            created_at=present,
            created_by=user.id,
            expires_at=present + LIFE,
        )
    )
    kind = "company" if place.company_id else "system"
    audit.record(session, user, f"{kind}.member_invited", place.name, email=email, role=str(role))
    await session.commit()
    return Invited(email, str(role), place.name, token, by_mail)


async def tell(
    session: AsyncSession, request: Request, settings: PlatformSettings, user: User, invited: Invited
) -> str:
    """Send the link; return it when it must be passed on by hand, because no mail could be sent."""
    link = f"{site_url(request)}/invitations/{invited.token}"
    if settings.mail is None or not invited.by_mail:
        return link
    text = (
        f"Hello,\n\n{user.full_name} ({user.email}) invites you to {invited.name} as {invited.role}.\n"
        f"Log in or sign up with this address within 7 days:\n\n{link}\n\n"
        "If you do not know them, leave it: nothing happens.\n"
    )
    try:
        await mail.send(settings.mail, invited.email, f"{user.full_name} invites you to {invited.name}", text)
    except MailError:
        # Whoever gets the link by another way has not shown that the address is theirs.
        is_this = Invitation.token_hash == hash_token(invited.token)
        await session.execute(update(Invitation).where(is_this).values(by_mail=False))
        await session.commit()
        return link
    return ""


async def invitations_into(session: AsyncSession, place: Place) -> Sequence[Invitation]:
    """Return who is invited, the newest first."""
    statement = select(Invitation).where(place.is_this, Invitation.expires_at > now())
    return (await session.scalars(statement.order_by(Invitation.created_at.desc()))).all()


async def withdraw_from(session: AsyncSession, user: User, place: Place, invitation: uuid.UUID) -> str:
    """Withdraw an invitation; return whose it was.

    Raises:
        NotFoundError: there is none, or it was accepted.
    """
    statement = delete(Invitation).where(place.is_this, Invitation.id == invitation)
    email = (await session.execute(statement.returning(Invitation.email))).scalar_one_or_none()
    if email is None:
        raise NotFoundError("There is no such invitation; it may be accepted.", code="invitation.not_found")
    kind = "company" if place.company_id else "system"
    audit.record(session, user, f"{kind}.invitation_withdrawn", place.name, email=str(email))
    await session.commit()
    return str(email)
