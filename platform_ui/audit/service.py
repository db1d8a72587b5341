"""Write down who did what, in the transaction that does it; read it back, newest first."""

import uuid
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.audit.models import AuditEntry
from platform_ui.db import now

DEFAULT_LIMIT = 20


class Actor(Protocol):
    """Who acts: a user, seen from here."""

    @property
    def id(self) -> uuid.UUID:
        """The identity."""

    @property
    def email(self) -> str:
        """The e-mail address."""


def record(session: AsyncSession, user: Actor, action: str, object_name: str, **detail: str) -> None:
    """Add an entry to the running transaction: it is kept exactly when the action is.

    Args:
        session: the session of the action.
        user: who acts.
        action: noun and verb, for instance ``system.created``.
        object_name: the dotted name of what is acted on.
        detail: further facts, for instance the target of a stream app.
    """
    session.add(
        AuditEntry(
            at=now(),
            user_id=user.id,
            user_email=user.email,
            action=action,
            object_name=object_name,
            detail=detail,
        )
    )


async def entries_of(
    session: AsyncSession, object_name: str, *, limit: int = DEFAULT_LIMIT
) -> Sequence[AuditEntry]:
    """Return the latest entries of an object and of everything whose name begins with it, newest first."""
    below = AuditEntry.object_name.startswith(f"{object_name}.", autoescape=True)
    statement = (
        select(AuditEntry)
        .where(or_(AuditEntry.object_name == object_name, below))
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    return (await session.scalars(statement)).all()
