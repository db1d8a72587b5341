"""Who belongs to a company or a system: what is the same for both, for pages and the API alike.

What lives here: adding or inviting somebody, listing, changing roles, withdrawing invitations, in terms of a
place that has people (`People`). What does not: the rules of each place (``service`` of each), taking
somebody's part away (``systems``: the parts in a company's systems go with it), what is answered
(``people_api``, ``people_pages``).
"""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import service as accounts
from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.accounts.origin import origin_of
from platform_ui.companies import invitations, service
from platform_ui.companies.invitations import Place
from platform_ui.companies.models import Company, Invitation, Role
from platform_ui.companies.service import Member
from platform_ui.db import Database
from platform_ui.settings import CurrentSettings, PlatformSettings

WhereT = TypeVar("WhereT")
RoleT = TypeVar("RoleT", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks about people, with what it takes to answer."""

    request: Request
    database: AsyncSession
    user: User
    settings: PlatformSettings


def _asked(request: Request, database: Database, user: LoggedIn, settings: CurrentSettings) -> Asked:
    return Asked(request, database, user, settings)


Inquiry = Annotated[Asked, Depends(_asked)]


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding somebody.

    Attributes:
        is_invited: They have no account yet.
        link: The invitation, when it must be passed on by hand.
    """

    is_invited: bool
    link: str = ""


@dataclass(frozen=True, slots=True)
class People(Generic[WhereT, RoleT]):
    """The people of one kind of place. Everything takes the place by its name, and raises what its rules do.

    Attributes:
        see: Return the place, to somebody with any part in it.
        manage: Return the place, to somebody who may add people.
        giving: Return the place, to somebody who may give a role in it.
        role_in: Return the part that a person has.
        members_of: Return who has a part.
        add: Give a registered person a part.
        change: Give a member another role.
        place_of: Return the place as what somebody is invited into.
    """

    see: Callable[[AsyncSession, User, str], Awaitable[WhereT]]
    manage: Callable[[AsyncSession, User, str], Awaitable[WhereT]]
    giving: Callable[[AsyncSession, User, str, RoleT], Awaitable[WhereT]]
    role_in: Callable[[AsyncSession, User, WhereT], Awaitable[RoleT | None]]
    members_of: Callable[[AsyncSession, User, WhereT], Awaitable[list[Member]]]
    add: Callable[[AsyncSession, User, str, str, RoleT], Awaitable[None]]
    change: Callable[[AsyncSession, User, str, str, RoleT], Awaitable[None]]
    place_of: Callable[[WhereT], Place]

    async def members(self, asked: Asked, name: str) -> list[Member]:
        """Return who has a part, the strongest roles first."""
        where = await self.see(asked.database, asked.user, name)
        return await self.members_of(asked.database, asked.user, where)

    async def bring_in(self, asked: Asked, name: str, email: str, role: RoleT) -> Added:
        """Give somebody a part, or invite them when they have no account yet.

        Raises:
            TooManyAttemptsError: The person has invited very many.
        """
        if await accounts.find_by_email(asked.database, email) is not None:
            await self.add(asked.database, asked.user, name, email, role)
            return Added(is_invited=False)
        where = await self.giving(asked.database, asked.user, name, role)
        invited = await invitations.invite(
            asked.database,
            asked.user,
            self.place_of(where),
            (email, role.value),
            origin_of(asked.request),
            by_mail=asked.settings.mail is not None,
        )
        link = await invitations.tell(asked.database, asked.request, asked.settings, asked.user, invited)
        return Added(is_invited=True, link=link)

    async def invited(self, asked: Asked, name: str) -> Sequence[Invitation]:
        """Return who is invited, the newest first."""
        where = await self.manage(asked.database, asked.user, name)
        return await self.invited_into(asked, where)

    async def invited_into(self, asked: Asked, where: WhereT) -> Sequence[Invitation]:
        """Return who is invited into a place that the person manages, the newest first."""
        return await invitations.invitations_into(asked.database, self.place_of(where))

    async def withdraw(self, asked: Asked, name: str, invitation: uuid.UUID) -> str:
        """Withdraw an invitation; return whose it was.

        Raises:
            NotFoundError: There is none, or it was accepted.
        """
        where = await self.manage(asked.database, asked.user, name)
        return await invitations.withdraw_from(asked.database, asked.user, self.place_of(where), invitation)


OF_COMPANIES: Final[People[Company, Role]] = People(
    see=service.see_company,
    manage=service.get_company,
    giving=service.company_to_give,
    role_in=service.role_in,
    members_of=service.list_members,
    add=service.add_member,
    change=service.change_role,
    place_of=invitations.place_of,
)
