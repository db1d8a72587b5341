"""The rules of accounts: who may have one, who is who, how often a wrong password may be tried.

What lives here: sign-up, log-in, sessions. What does not: cookies (``browser``), forms and pages.
"""

import asyncio
import hashlib
import uuid
from datetime import timedelta
from functools import cache

from pwdlib import PasswordHash
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from client.messaging.records import new_record_id
from platform_ui.accounts.forms import LoginForm, SignUpForm
from platform_ui.accounts.models import FailedLogin, User, UserSession
from platform_ui.audit import service as audit
from platform_ui.browser import SESSION_SECONDS
from platform_ui.db import now
from platform_ui.errors import ConflictError, FormError, TooManyAttemptsError

ATTEMPT_WINDOW = timedelta(minutes=15)
MAX_FAILURES_PER_ADDRESS = 5  # one account from one address
MAX_FAILURES = 50  # one account from everywhere; high, so that a stranger cannot easily lock somebody out
SESSION_LIFE = timedelta(seconds=SESSION_SECONDS)


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _decoy() -> str:
    """The hash that is checked for an unknown address, so that it takes as long as a known one."""
    return _hasher().hash("nobody has this password")


def new_id() -> uuid.UUID:
    """Return a fresh identity, ordered by time (RFC 9562, UUID version 7)."""
    return uuid.UUID(new_record_id())


async def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, computed beside the event loop."""
    return await asyncio.to_thread(_hasher().hash, password)


async def sign_up(session: AsyncSession, form: SignUpForm) -> User:
    """Create an account.

    Raises:
        ConflictError: the e-mail address has an account already.
    """
    return await create_user(
        session,
        email=form.email,
        first_name=form.first_name,
        last_name=form.last_name,
        password=form.password,
    )


async def create_user(
    session: AsyncSession, *, email: str, first_name: str, last_name: str, password: str
) -> User:
    """Create an account without the rules of the form (the demo's passwords are short).

    Raises:
        ConflictError: the e-mail address has an account already.
    """
    user = User(
        id=new_id(),
        email=email,
        first_name=first_name,
        last_name=last_name,
        password_hash=await hash_password(password),
        created_at=now(),
    )
    try:
        async with session.begin_nested():
            session.add(user)
    except IntegrityError as error:
        raise ConflictError(
            f"{email} has an account already.",
            code="account.exists",
            fields={"email": "This address has an account already: log in instead."},
        ) from error
    audit.record(session, user, "account.created", email)
    await session.commit()
    return user


async def check_password(session: AsyncSession, form: LoginForm, address: str) -> User:
    """Return the person whose e-mail address and password these are.

    Args:
        session: the database.
        form: what was typed.
        address: where the request comes from, for the rate limit.

    Raises:
        TooManyAttemptsError: too many failures within a quarter of an hour.
        FormError: the address or the password is wrong; which one is not said.
    """
    await _refuse_when_tried_too_often(session, form.email, address)
    user = await find_by_email(session, form.email)
    known = user.password_hash if user else _decoy()
    if not await asyncio.to_thread(_hasher().verify, form.password, known) or user is None:
        session.add(FailedLogin(email=form.email, address=address, at=now()))
        await session.commit()
        raise FormError(
            {"form": "The e-mail address or the password is wrong."}, code="account.wrong_password"
        )
    await session.execute(
        delete(FailedLogin).where(FailedLogin.email == form.email, FailedLogin.address == address)
    )
    await session.commit()
    return user


async def _refuse_when_tried_too_often(session: AsyncSession, email: str, address: str) -> None:
    since = now() - ATTEMPT_WINDOW
    from_here = func.count().filter(FailedLogin.address == address)
    statement = select(from_here, func.count()).where(FailedLogin.email == email, FailedLogin.at > since)
    here, everywhere = (await session.execute(statement)).one()
    if here >= MAX_FAILURES_PER_ADDRESS or everywhere >= MAX_FAILURES:
        raise TooManyAttemptsError(int(ATTEMPT_WINDOW.total_seconds()))


async def open_session(session: AsyncSession, user: User, token: str) -> None:
    """Log a person in with the token that their browser will bring; sweeps what has expired."""
    present = now()
    await session.execute(delete(UserSession).where(UserSession.expires_at < present))
    await session.execute(delete(FailedLogin).where(FailedLogin.at < present - ATTEMPT_WINDOW))
    session.add(
        UserSession(
            token_hash=_hash_token(token),
            user_id=user.id,
            created_at=present,
            expires_at=present + SESSION_LIFE,
        )
    )
    await session.commit()


async def close_session(session: AsyncSession, token: str) -> None:
    """Log a browser out; one that was not logged in stays so."""
    await session.execute(delete(UserSession).where(UserSession.token_hash == _hash_token(token)))
    await session.commit()


async def user_of(session: AsyncSession, token: str) -> User | None:
    """Return who is logged in with a token, or nothing."""
    statement = (
        select(User)
        .join(UserSession, UserSession.user_id == User.id)
        .where(UserSession.token_hash == _hash_token(token), UserSession.expires_at > now())
    )
    return (await session.scalars(statement)).one_or_none()


async def find_by_email(session: AsyncSession, email: str) -> User | None:
    """Return the person with an e-mail address, or nothing."""
    return (await session.scalars(select(User).where(User.email == email))).one_or_none()


async def registered(session: AsyncSession, email: str) -> User:
    """Return the person with an e-mail address.

    Raises:
        FormError: nobody has signed up with it.
    """
    user = await find_by_email(session, email)
    if user is None:
        raise FormError({"email": f"Nobody has signed up as {email}: ask them to, then try again."})
    return user


def _hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
