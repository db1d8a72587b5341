"""The rules of accounts: who may have one, and who is who.

What lives here: sign-up, log-in by password, changing and disabling. What does not: sessions, second
factors, tokens, links (each has its module), cookies (``browser``), forms and pages.
"""

import uuid

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from client.messaging.records import new_record_id
from platform_ui.accounts import limits, passwords
from platform_ui.accounts.forms import ChangePasswordForm, LoginForm, NameForm, SignUpForm
from platform_ui.accounts.models import ApiToken, TokenKind, User
from platform_ui.accounts.origin import Origin
from platform_ui.accounts.passwords import hash_password, is_password
from platform_ui.accounts.sessions import close_session, end_sessions, open_session, user_of
from platform_ui.audit import service as audit
from platform_ui.db import now
from platform_ui.errors import WHOLE_FORM, ConflictError, ForbiddenError, FormError

__all__ = ["close_session", "open_session", "user_of"]  # what others know a log-in by


def new_id() -> uuid.UUID:
    """Return a fresh identity, ordered by time (RFC 9562, UUID version 7)."""
    return uuid.UUID(new_record_id())


async def sign_up(session: AsyncSession, form: SignUpForm, origin: Origin) -> User:
    """Create an account.

    Raises:
        TooManyAttemptsError: too many accounts were asked for from this address.
        FormError: the password is too easy to guess.
        ConflictError: the e-mail address has an account already.
    """
    await limits.attempt(session, limits.SIGN_UP, form.email, origin)
    refuse_weak(form.password, form.email, form.first_name, form.last_name)
    return await create_user(
        session,
        email=form.email,
        first_name=form.first_name,
        last_name=form.last_name,
        password=form.password,
    )


def refuse_weak(password: str, *context: str) -> None:
    """Refuse a new password that is easy to guess.

    Raises:
        FormError: with the reason, at the field `password`.
    """
    reason = passwords.weakness(password, (*context, " ".join(context[1:])))
    if reason:
        raise FormError({"password": reason}, code="account.weak_password")


async def create_user(
    session: AsyncSession,
    *,
    email: str,
    first_name: str,
    last_name: str,
    password: str,
    is_operator: bool = False,
) -> User:
    """Create an account without the rules of the form (the demo's passwords are short).

    Args:
        session: the database; what is pending in it is committed.
        email: in lower case.
        first_name: as the person writes it.
        last_name: likewise.
        password: of whatever strength.
        is_operator: whether the person runs the platform.

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
        is_operator=is_operator,
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
    if is_operator:
        audit.record(session, user, "account.made_operator", email)
    await session.commit()
    return user


async def check_password(session: AsyncSession, form: LoginForm, origin: Origin) -> User:
    """Return the person whose e-mail address and password these are.

    Args:
        session: the database.
        form: what was typed.
        origin: where the request comes from, for the rate limit.

    Raises:
        TooManyAttemptsError: too many failures within a quarter of an hour.
        FormError: the address or the password is wrong, or the account is disabled; which is not said.
    """
    await limits.attempt(session, limits.PASSWORD, form.email, origin)
    user = await find_by_email(session, form.email)
    known = user.password_hash if user and user.disabled_at is None else None
    if not await is_password(form.password, known) or user is None:
        if user is not None:
            audit.record(session, user, "account.login_failed", user.email)
            await session.commit()
        raise FormError(
            {WHOLE_FORM: "The e-mail address or the password is wrong."}, code="account.wrong_password"
        )
    await limits.forget(session, limits.PASSWORD, form.email, origin)
    await session.commit()
    return user


async def change_name(session: AsyncSession, user: User, form: NameForm) -> None:
    """Call a person otherwise; the audit log keeps both names, so that nobody hides behind another one."""
    before = {"first_name": user.first_name, "last_name": user.last_name}
    after = before | form.model_dump(exclude_none=True)
    if after == before:
        return
    user.first_name, user.last_name = after["first_name"], after["last_name"]
    audit.record(session, user, "account.renamed", user.email, before=before, after=after)
    await session.commit()


async def change_password(
    session: AsyncSession, user: User, form: ChangePasswordForm, token: str, origin: Origin
) -> None:
    """Give a person another password; all their other sessions and log-ins of programs end.

    Args:
        session: the database.
        user: who.
        form: the old and the new one.
        token: that of the browser that stays logged in.
        origin: where the request comes from.

    Raises:
        TooManyAttemptsError: too many wrong old passwords.
        FormError: the old one is wrong, or the new one is too easy to guess.
    """
    try:
        await check_password(session, LoginForm(email=user.email, password=form.old_password), origin)
    except FormError:
        raise FormError(
            {"old_password": "This is not your present password."}, code="account.wrong_password"
        ) from None
    await set_password(session, user, form.password, token)


async def set_password(session: AsyncSession, user: User, password: str, token: str = "") -> None:
    """Store another password and end what the old one has opened, but for the session of a browser.

    Raises:
        FormError: it is too easy to guess.
    """
    refuse_weak(password, user.email, user.first_name, user.last_name)
    user.password_hash = await hash_password(password)
    await end_sessions(session, user, but_token=token)
    await _end_log_ins_of_programs(session, user)
    audit.record(session, user, "account.password_changed", user.email)
    await session.commit()


async def _end_log_ins_of_programs(session: AsyncSession, user: User) -> None:
    statement = select(ApiToken).where(ApiToken.user_id == user.id, ApiToken.kind != TokenKind.PERSONAL)
    for token in (await session.scalars(statement)).all():
        await session.delete(token)


async def disable(session: AsyncSession, user: User) -> None:
    """Keep somebody out: sessions end, tokens do not count until the account is enabled again."""
    if user.disabled_at is None:
        user.disabled_at = now()
    await end_sessions(session, user)
    audit.record(session, user, "account.disabled", user.email)
    await session.commit()


async def enable(session: AsyncSession, user: User) -> None:
    """Let somebody in again who was kept out."""
    user.disabled_at = None
    audit.record(session, user, "account.enabled", user.email)
    await session.commit()


def require_operator(user: User) -> None:
    """Refuse what only those may do who run the platform.

    Raises:
        ForbiddenError: the person is none of them.
    """
    if not user.is_operator:
        raise ForbiddenError(
            "This is for the operators of the platform.",
            code="platform.operators_only",
            hint="One of them makes others one: python -m platform_ui make-operator EMAIL.",
        )


async def set_operator(session: AsyncSession, user: User, *, is_operator: bool) -> None:
    """Make somebody an operator of the platform, or no longer one."""
    if user.is_operator != is_operator:
        user.is_operator = is_operator
        action = "account.made_operator" if is_operator else "account.no_longer_operator"
        audit.record(session, audit.PLATFORM, action, user.email)
    await session.commit()


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
