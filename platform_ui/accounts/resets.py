"""Links by which people who forgot their password choose a new one: single use, half an hour.

What lives here: the rules. What does not: the mail itself (``mail``) and pages. Source: OWASP Forgot Password
Cheat Sheet; OWASP ASVS 5.0, 6.4.2 to 6.4.4.
"""

import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import limits, service
from platform_ui.accounts.models import ApiToken, PasswordReset, User
from platform_ui.accounts.origin import Origin
from platform_ui.accounts.sessions import hash_token
from platform_ui.audit import service as audit
from platform_ui.db import now
from platform_ui.errors import NotFoundError

LIFE = timedelta(minutes=30)
TOKEN_BYTES = 32


async def new_token(session: AsyncSession, user: User, *, by_mail: bool) -> str:
    """Make the secret part of a link; links that were made before stop counting.

    Args:
        session: the database.
        user: whose password may be chosen anew.
        by_mail: whether the link goes to the person's address, which its use then proves to be theirs.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    await session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
    session.add(
        PasswordReset(token_hash=hash_token(token), user_id=user.id, expires_at=now() + LIFE, by_mail=by_mail)
    )
    audit.record(session, user, "account.reset_requested", user.email)
    await session.commit()
    return token


async def find(session: AsyncSession, token: str, origin: Origin, *, lock: bool = False) -> PasswordReset:
    """Return the row of a link.

    Raises:
        TooManyAttemptsError: too many links were tried from this origin.
        NotFoundError: it was used, has expired, or never was.
    """
    statement = select(PasswordReset).where(
        PasswordReset.token_hash == hash_token(token), PasswordReset.expires_at > now()
    )
    row = (await session.scalars(statement.with_for_update() if lock else statement)).one_or_none()
    if row is None:
        await limits.attempt(session, limits.LINK, "", origin)
        raise NotFoundError(
            "This link was used, or has expired.",
            code="account.reset_not_found",
            hint="Ask for another one at /forgot.",
        )
    return row


async def choose(session: AsyncSession, token: str, password: str, origin: Origin) -> User:
    """Give the owner of a link the password that they chose; all their sessions end.

    Raises:
        TooManyAttemptsError: too many links were tried from this origin.
        NotFoundError: the link does not count any more.
        FormError: the password is too easy to guess; the link stays.
    """
    row = await find(session, token, origin, lock=True)
    user = await session.get_one(User, row.user_id)
    if row.by_mail and user.email_verified_at is None:
        user.email_verified_at = now()
        # Until now anybody may have used this address: what they keep for later must not count for its owner.
        await session.execute(delete(ApiToken).where(ApiToken.user_id == user.id))
    service.refuse_weak(password, user.email, user.first_name, user.last_name)
    await session.delete(row)
    await service.set_password(session, user, password)
    return user
