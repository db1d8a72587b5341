"""Accepting invitations, into companies and systems alike."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import limits
from platform_ui.accounts.models import User
from platform_ui.accounts.origin import Origin
from platform_ui.accounts.sessions import hash_token
from platform_ui.companies import service as companies
from platform_ui.companies.invitations import Place
from platform_ui.companies.models import Company, Invitation, Role
from platform_ui.db import now
from platform_ui.errors import ForbiddenError, NotFoundError
from platform_ui.systems import service
from platform_ui.systems.models import System, SystemRole


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation as its page shows it."""

    row: Invitation
    target: Company | System
    by: User

    @property
    def url(self) -> str:
        """The page of what somebody is invited into."""
        kind = "systems" if isinstance(self.target, System) else "companies"
        return f"/{kind}/{self.target.name}"


def place_of(system: System) -> Place:
    """Return a system as what somebody is invited into."""
    return Place(system.name, system_id=system.id)


async def find(session: AsyncSession, token: str, origin: Origin, *, lock: bool = False) -> Offer:
    """Return the invitation of a link.

    Raises:
        TooManyAttemptsError: too many links were tried from this address.
        NotFoundError: it was accepted or withdrawn, has expired, or never was.
    """
    statement = select(Invitation).where(
        Invitation.token_hash == hash_token(token), Invitation.expires_at > now()
    )
    row = (await session.scalars(statement.with_for_update() if lock else statement)).one_or_none()
    if row is None:
        await limits.attempt(session, limits.LINK, "", origin)
        raise NotFoundError(
            "This invitation was accepted or withdrawn, or has expired.",
            code="invitation.not_found",
            hint="Ask whoever invited you for another one.",
        )
    target: Company | System
    if row.system_id is not None:
        target = await session.get_one(System, row.system_id)
    else:
        target = await session.get_one(Company, row.company_id)
    return Offer(row, target, await session.get_one(User, row.created_by))


async def accept(session: AsyncSession, user: User, token: str, origin: Origin) -> Offer:
    """Give the person the part that they were invited to.

    The inviter must still be allowed to give it: an invitation of somebody who has left opens nothing.

    Raises:
        TooManyAttemptsError: too many links were tried from this address.
        NotFoundError: the invitation does not count any more.
        ForbiddenError: it is for another address.
    """
    offer = await find(session, token, origin, lock=True)
    if offer.row.email != user.email:
        raise ForbiddenError(
            f"This invitation is for {offer.row.email}, and you are {user.email}.",
            code="invitation.for_another",
            hint="Log out, then open the link again.",
        )
    if isinstance(offer.target, System):
        await _join_system(session, user, offer, offer.target)
    else:
        await _join_company(session, user, offer, offer.target)
    if offer.row.by_mail and user.email_verified_at is None:
        user.email_verified_at = now()
    await session.delete(offer.row)
    await session.commit()
    return offer


async def _join_system(session: AsyncSession, user: User, offer: Offer, system: System) -> None:
    await service.get_system(session, offer.by, system.name, lock=True)
    if await service.role_in(session, user, system) is None:
        service.add_invited(session, system, user, offer.by, SystemRole(offer.row.role))


async def _join_company(session: AsyncSession, user: User, offer: Offer, company: Company) -> None:
    role = Role(offer.row.role)
    least = Role.OWNER if role is Role.OWNER else Role.ADMIN
    await companies.require(session, offer.by, company.name, least, lock=True)
    if await companies.role_in(session, user, company) is None:
        companies.add_invited(session, company, user, offer.by, role)
