"""Sessions: who is logged in with which browser, since when, and how it ends.

What lives here: the rows of sessions. What does not: cookies (``browser``) and how somebody proves who they
are (``service``, ``second_factor``).

Source: OWASP ASVS 5.0, 7.2 to 7.5; NIST SP 800-63B-4, clause 5.2 (idle and overall timeouts).
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import limits
from platform_ui.accounts.models import User, UserSession
from platform_ui.accounts.origin import Origin
from platform_ui.audit import service as audit
from platform_ui.db import now
from platform_ui.errors import NotFoundError

PENDING_LIFE = timedelta(minutes=10)
RECENT = timedelta(minutes=10)
TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LoggedInSession:
    """A person and the session by which they are logged in."""

    user: User
    session: UserSession

    @property
    def is_recent(self) -> bool:
        """Whether the person has proven who they are a short time ago."""
        return self.session.authenticated_at > now() - RECENT


def hash_token(token: str) -> str:
    """Return what is stored of a token: it is random and long, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_session(
    session: AsyncSession, user: User, token: str, origin: Origin, *, waits_for_code: bool = False
) -> None:
    """Log a person in with the token that their browser will bring; sweeps what has expired.

    Args:
        session: the database.
        user: who.
        token: the browser's new token.
        origin: where the browser is.
        waits_for_code: the second factor is still to come; until then nobody is logged in.
    """
    present = now()
    await session.execute(delete(UserSession).where(~_is_alive()))
    await limits.sweep(session)
    session.add(
        UserSession(
            token_hash=hash_token(token),
            id=uuid.uuid4(),
            user_id=user.id,
            created_at=present,
            expires_at=present + (PENDING_LIFE if waits_for_code else origin.life),
            last_seen_at=present,
            authenticated_at=present,
            idle_seconds=int(origin.idle.total_seconds()),
            waits_for_code=waits_for_code,
            address=origin.address,
            agent=origin.agent,
        )
    )
    await session.commit()


def _is_alive() -> ColumnElement[bool]:
    idle = func.make_interval(0, 0, 0, 0, 0, 0, UserSession.idle_seconds)
    return and_(UserSession.expires_at > func.now(), UserSession.last_seen_at + idle > func.now())


async def find_session(
    session: AsyncSession, token: str, *, waits_for_code: bool = False, touch: bool = True
) -> LoggedInSession | None:
    """Return who is logged in with a token, or nothing.

    Args:
        session: the database.
        token: what the browser has brought.
        waits_for_code: look for a log-in that waits for the second factor instead.
        touch: whether this use keeps the session from becoming idle.
    """
    statement = (
        select(User, UserSession)
        .join(UserSession, UserSession.user_id == User.id)
        .where(
            UserSession.token_hash == hash_token(token),
            UserSession.waits_for_code.is_(waits_for_code),
            User.disabled_at.is_(None),
            _is_alive(),
        )
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        return None
    user, row = found
    if touch and row.last_seen_at < now() - TOUCH_EVERY:
        row.last_seen_at = now()
        await session.commit()
    return LoggedInSession(user, row)


async def user_of(session: AsyncSession, token: str, *, touch: bool = True) -> User | None:
    """Return who is logged in with a token, or nothing; see `find_session`."""
    found = await find_session(session, token, touch=touch)
    return found.user if found else None


async def close_session(session: AsyncSession, token: str) -> None:
    """Log a browser out; one that was not logged in stays so, and leaves no entry in the audit log."""
    statement = delete(UserSession).where(UserSession.token_hash == hash_token(token))
    ended = await session.execute(
        statement.returning(UserSession.user_id, _is_alive() & ~UserSession.waits_for_code)
    )
    for user_id, was_logged_in in ended:
        user = await session.get(User, user_id)
        if was_logged_in and user is not None:
            audit.record(session, user, "account.logged_out", user.email)
    await session.commit()


async def confirm_session(session: AsyncSession, token: str, new_token: str) -> None:
    """Note that a person has just proven again who they are; the browser gets another token with it."""
    await session.execute(
        update(UserSession)
        .where(UserSession.token_hash == hash_token(token))
        .values(token_hash=hash_token(new_token), authenticated_at=now())
    )
    await session.commit()


async def list_sessions(session: AsyncSession, user: User) -> Sequence[UserSession]:
    """Return the sessions of a person, the one used last first."""
    statement = (
        select(UserSession)
        .where(UserSession.user_id == user.id, UserSession.waits_for_code.is_(False), _is_alive())
        .order_by(UserSession.last_seen_at.desc())
    )
    return (await session.scalars(statement)).all()


async def end_session(session: AsyncSession, user: User, session_id: uuid.UUID) -> None:
    """End one session of a person.

    Raises:
        NotFoundError: they have no such session.
    """
    statement = delete(UserSession).where(UserSession.user_id == user.id, UserSession.id == session_id)
    ended = await session.execute(statement.returning(UserSession.id))
    if ended.first() is None:
        raise NotFoundError("There is no such session; it may have ended.", code="session.not_found")
    audit.record(session, user, "session.ended", user.email)
    await session.commit()


async def end_sessions(session: AsyncSession, user: User, *, but_token: str = "") -> None:
    """End all sessions of a person, but that of a browser when its token is given; not committed."""
    statement = delete(UserSession).where(UserSession.user_id == user.id)
    await session.execute(statement.where(UserSession.token_hash != hash_token(but_token)))
