"""Tokens of programs that act for a person, through the API only.

What lives here: personal tokens that somebody makes by hand, and the short access tokens with rotating
refresh tokens that a program gets for a password. What does not: how a request brings one (``access``).

Every token is random, stored as a hash, and looked up on every request, so that revoking one counts at once.
A refresh token is used once; when it comes again, somebody has copied it, and its whole family ends.

Source: RFC 6750 (Bearer), RFC 9700, clause 4.14.2 (refresh token rotation); OWASP ASVS 5.0, 10.4.
"""

import secrets
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import limits, second_factor, service
from platform_ui.accounts.forms import LoginForm, TokenForm
from platform_ui.accounts.models import ApiToken, Scope, TokenKind, User
from platform_ui.accounts.origin import Origin
from platform_ui.accounts.sessions import TOUCH_EVERY, hash_token
from platform_ui.audit import service as audit
from platform_ui.db import now
from platform_ui.errors import FormError, NotFoundError, NotLoggedInError

PREFIXES = {
    TokenKind.PERSONAL: "dtwin_pat_",
    TokenKind.ACCESS: "dtwin_at_",
    TokenKind.REFRESH: "dtwin_rt_",
}
TOKEN_BYTES = 32
ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=14)
MAX_TOKENS = 50

PartRule = Callable[[AsyncSession, User, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a program gets for a password or a refresh token."""

    access_token: str
    refresh_token: str
    scope: Scope
    expires_in: int


async def create_personal(session: AsyncSession, user: User, form: TokenForm, has_part: PartRule) -> str:
    """Make a token by hand; it can be read only now.

    Args:
        session: the database.
        user: whose it is.
        form: what it is for.
        has_part: whether a person has a part within the company or system of a name.

    Raises:
        FormError: the person has as many as one may have, or no part where the token would count.
    """
    if form.within and not await has_part(session, user, form.within):
        raise FormError(
            {"within": f"You have no part in a company or system named {form.within}: write the whole name."}
        )
    if len(await list_personal(session, user)) >= MAX_TOKENS:
        raise FormError({"name": f"You have {MAX_TOKENS} tokens: revoke one that you no longer need."})
    life = timedelta(days=form.days)
    token, row = _new(user, TokenKind.PERSONAL, form.scope, now() + life, name=form.name)
    row.within = form.within
    session.add(row)
    audit.record(
        session,
        user,
        "account.token_created",
        user.email,
        name=form.name,
        scope=form.scope,
        within=form.within,
    )
    await session.commit()
    return token


def _new(
    user: User,
    kind: TokenKind,
    scope: Scope,
    expires_at: datetime,
    *,
    name: str,
    family: uuid.UUID | None = None,
) -> tuple[str, ApiToken]:
    token = PREFIXES[kind] + secrets.token_urlsafe(TOKEN_BYTES)
    row = ApiToken(
        id=uuid.uuid4(),
        token_hash=hash_token(token),
        user_id=user.id,
        kind=kind.value,
        scope=scope.value,
        name=name,
        within="",
        family=family,
        created_at=now(),
        expires_at=expires_at,
    )
    return token, row


async def list_personal(session: AsyncSession, user: User) -> Sequence[ApiToken]:
    """Return the tokens that a person made by hand, the newest first, expired ones included."""
    statement = (
        select(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.kind == TokenKind.PERSONAL)
        .order_by(ApiToken.created_at.desc())
    )
    return (await session.scalars(statement)).all()


async def revoke(session: AsyncSession, user: User, token_id: uuid.UUID) -> None:
    """Revoke a token of a person; it does not count from now on.

    Raises:
        NotFoundError: they have no such token.
    """
    statement = (
        delete(ApiToken)
        .where(ApiToken.id == token_id, ApiToken.user_id == user.id, ApiToken.kind == TokenKind.PERSONAL)
        .returning(ApiToken.name)
    )
    name = (await session.execute(statement)).scalar_one_or_none()
    if name is None:
        raise NotFoundError("You have no such token.", code="token.not_found")
    audit.record(session, user, "account.token_revoked", user.email, name=name)
    await session.commit()


async def log_in(session: AsyncSession, form: LoginForm, scope: Scope, origin: Origin) -> TokenPair:
    """Give a program tokens for a password, and for the code where the person has a second factor.

    Raises:
        TooManyAttemptsError: too many failures.
        FormError: the password or the code is wrong or missing.
    """
    user = await prove(session, form, origin)
    audit.record(session, user, "account.program_logged_in", user.email)
    return await _pair(session, user, scope, uuid.uuid4(), now() + REFRESH_LIFE)


async def prove(session: AsyncSession, form: LoginForm, origin: Origin) -> User:
    """Return whose password and, where there is a second factor, code these are.

    Raises:
        TooManyAttemptsError: too many failures.
        FormError: the password or the code is wrong or missing.
    """
    user = await service.check_password(session, form, origin)
    if await second_factor.is_on(session, user):
        if not form.code:
            raise FormError(
                {"code": "This account needs a code of its authenticator app."}, code="account.code_needed"
            )
        await second_factor.check(session, user, form.code, origin)
    return user


async def _pair(
    session: AsyncSession, user: User, scope: Scope, family: uuid.UUID, until: datetime
) -> TokenPair:
    present = now()
    await session.execute(
        delete(ApiToken).where(ApiToken.expires_at < present, ApiToken.kind != TokenKind.PERSONAL)
    )
    access, access_row = _new(user, TokenKind.ACCESS, scope, present + ACCESS_LIFE, name="", family=family)
    refresh, refresh_row = _new(user, TokenKind.REFRESH, scope, until, name="", family=family)
    session.add_all([access_row, refresh_row])
    await session.commit()
    return TokenPair(access, refresh, scope, int(ACCESS_LIFE.total_seconds()))


async def refresh(session: AsyncSession, token: str, origin: Origin) -> TokenPair:
    """Give a program new tokens for a refresh token, which counts once; the family's end does not move.

    Raises:
        TooManyAttemptsError: too many wrong tokens from this address.
        NotLoggedInError: it does not count, or came before: then its whole family has ended.
    """
    statement = (
        select(ApiToken, User)
        .join(User, User.id == ApiToken.user_id)
        .where(
            ApiToken.token_hash == hash_token(token),
            ApiToken.kind == TokenKind.REFRESH,
            ApiToken.expires_at > now(),
            User.disabled_at.is_(None),
        )
        .with_for_update(of=ApiToken)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        await limits.attempt(session, limits.TOKEN, "", origin)
        raise _refused()
    row, user = found
    if row.replaced_at is not None:
        audit.record(session, user, "account.refresh_token_reused", user.email)
        await _end_family(session, row)
        raise _refused()
    row.replaced_at = now()
    await session.execute(
        delete(ApiToken).where(ApiToken.family == row.family, ApiToken.kind == TokenKind.ACCESS)
    )
    return await _pair(session, user, Scope(row.scope), row.family or uuid.uuid4(), row.expires_at)


def _refused() -> NotLoggedInError:
    return NotLoggedInError("This token does not count: it has expired, was used, or was revoked.")


async def _end_family(session: AsyncSession, row: ApiToken) -> None:
    await session.execute(delete(ApiToken).where(ApiToken.family == row.family))
    await session.commit()


async def log_out(session: AsyncSession, token: str) -> None:
    """End the family of an access or refresh token; one that does not count is left as it is.

    Source: RFC 7009, clause 2.2: an invalid token is no error.
    """
    statement = select(ApiToken).where(ApiToken.token_hash == hash_token(token), ApiToken.family.is_not(None))
    row = (await session.scalars(statement)).one_or_none()
    if row is not None:
        await _end_family(session, row)


async def holder_of(session: AsyncSession, token: str, origin: Origin) -> tuple[User, ApiToken]:
    """Return whose token this is, and note that it was used.

    Raises:
        TooManyAttemptsError: too many wrong tokens from this address.
        NotLoggedInError: it does not count.
    """
    statement = (
        select(User, ApiToken)
        .join(User, User.id == ApiToken.user_id)
        .where(
            ApiToken.token_hash == hash_token(token),
            ApiToken.kind != TokenKind.REFRESH,
            ApiToken.expires_at > now(),
            User.disabled_at.is_(None),
        )
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        await limits.attempt(session, limits.TOKEN, "", origin)
        raise _refused()
    user, row = found
    if row.last_used_at is None or row.last_used_at < now() - TOUCH_EVERY:
        await session.execute(update(ApiToken).where(ApiToken.id == row.id).values(last_used_at=now()))
        await session.commit()
    return user, row
