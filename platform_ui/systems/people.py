"""Who belongs to a system: its rules, as the people of companies have theirs (``companies.people``)."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.companies.people import People
from platform_ui.systems import invitations, service
from platform_ui.systems.models import System, SystemRole


async def _to_give(session: AsyncSession, user: User, name: str, _role: SystemRole) -> System:
    """Return the system to one of its agents: they give every role in it."""
    return await service.get_system(session, user, name)


OF_SYSTEMS: Final[People[System, SystemRole]] = People(
    see=service.see_system,
    manage=service.get_system,
    giving=_to_give,
    role_in=service.role_in,
    members_of=service.list_members,
    add=service.add_member,
    change=service.change_role,
    place_of=invitations.place_of,
)
