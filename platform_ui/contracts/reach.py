"""Which systems a person operates, and which they see.

What lives here: the question that contracts and stream apps ask for many systems at once. What does not: the
rules about one system (``systems.service``).
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.systems.models import SystemMember, SystemRole


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a person's rights go.

    Attributes:
        operated: Systems of which they are an agent.
        seen: Those, and the systems that they may look at.
    """

    operated: frozenset[uuid.UUID]
    seen: frozenset[uuid.UUID]


async def reach_of(session: AsyncSession, user: User) -> Reach:
    """Return the systems that a person operates and sees."""
    statement = select(SystemMember.system_id, SystemMember.role).where(SystemMember.user_id == user.id)
    found = (await session.execute(statement)).all()
    operated = frozenset(system_id for system_id, role in found if role == SystemRole.AGENT)
    return Reach(operated, frozenset(system_id for system_id, _ in found))
