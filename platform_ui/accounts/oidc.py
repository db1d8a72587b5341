"""The rules of log-ins by another service: which account a person there has here.

What lives here: attempts, identities, and when an identity may have an account. What does not: the protocol
(``oidc_provider``), sessions (``service``) and pages (``oidc_pages``).

How it works: an identity is the pair of issuer and subject; an e-mail address alone is never one. The first
time somebody comes, the service must call the address verified. If it has an account here, its password is
asked for once before the two are linked, so that whoever administers the service cannot take over accounts;
otherwise a new account is made, whose password nobody knows (a reset gives it one).
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import service
from platform_ui.accounts.forms import LoginForm, normal_email
from platform_ui.accounts.models import MAX_PERSON_NAME, User
from platform_ui.accounts.oidc_models import MAX_FOLLOWING, MAX_SUBJECT, OidcAttempt, OidcIdentity, OidcOffer
from platform_ui.accounts.oidc_provider import OidcProvider, Secrets
from platform_ui.accounts.origin import Origin
from platform_ui.audit import service as audit
from platform_ui.db import now
from platform_ui.errors import ConflictError, LogInRefusedError
from platform_ui.fields import read_form

ATTEMPT_LIFE: Final = timedelta(minutes=10)
_AGAIN: Final = "Log in again; nothing was changed."


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def begin(session: AsyncSession, browser: str, following: str) -> Secrets:
    """Begin a log-in in one browser; sweeps what has expired.

    Args:
        session: the database.
        browser: the browser's token.
        following: the local address to go to afterwards.
    """
    kept = Secrets.fresh()
    await session.execute(delete(OidcAttempt).where(OidcAttempt.expires_at < now()))
    await session.execute(delete(OidcOffer).where(OidcOffer.expires_at < now()))
    session.add(
        OidcAttempt(
            state_hash=_hash(kept.state),
            browser_hash=_hash(browser),
            nonce=kept.nonce,
            verifier=kept.verifier,
            following=following if len(following) <= MAX_FOLLOWING else "/",
            expires_at=now() + ATTEMPT_LIFE,
        )
    )
    await session.commit()
    return kept


async def take_attempt(session: AsyncSession, browser: str, state: str) -> tuple[Secrets, str]:
    """Return what a log-in began with and where it leads; it cannot be taken a second time.

    Raises:
        LogInRefusedError: it was not begun in this browser, is over, or is too old.
    """
    statement = (
        delete(OidcAttempt)
        .where(
            OidcAttempt.state_hash == _hash(state),
            OidcAttempt.browser_hash == _hash(browser),
            OidcAttempt.expires_at > now(),
        )
        .returning(OidcAttempt.nonce, OidcAttempt.verifier, OidcAttempt.following)
    )
    row = (await session.execute(statement)).one_or_none()
    await session.commit()
    if row is None:
        raise LogInRefusedError("This log-in was not begun here, or is over.", hint=_AGAIN)
    return Secrets(state, row.nonce, row.verifier), str(row.following)


async def account_of(
    session: AsyncSession, provider: OidcProvider, claims: Mapping[str, Any], browser: str, following: str
) -> User | None:
    """Return the account of who the service says somebody is; None when its password is asked for first.

    Raises:
        LogInRefusedError: the address is not verified, or of a domain that is not let in.
    """
    settings = provider.settings
    subject = str(claims["sub"])
    if not subject or len(subject) > MAX_SUBJECT:
        raise LogInRefusedError("The service does not say who you are.")
    known = await _linked(session, settings.issuer, subject)
    if known is not None and not settings.allowed_domains:
        return known
    email = _verified_email(claims, settings.allowed_domains)
    if known is not None:
        return known
    if await service.find_by_email(session, email) is None:
        return await _create(session, settings.issuer, subject, email, claims)
    await session.execute(delete(OidcOffer).where(OidcOffer.browser_hash == _hash(browser)))
    session.add(
        OidcOffer(
            browser_hash=_hash(browser),
            issuer=settings.issuer,
            subject=subject,
            email=email,
            following=following,
            expires_at=now() + ATTEMPT_LIFE,
        )
    )
    await session.commit()
    return None


async def offered(session: AsyncSession, browser: str) -> OidcOffer:
    """Return the identity that waits in this browser for a password.

    Raises:
        LogInRefusedError: none does, or no longer.
    """
    statement = select(OidcOffer).where(
        OidcOffer.browser_hash == _hash(browser), OidcOffer.expires_at > now()
    )
    offer = (await session.scalars(statement)).one_or_none()
    if offer is None:
        raise LogInRefusedError("There is no log-in to finish in this browser.", hint=_AGAIN)
    return offer


async def accept(session: AsyncSession, browser: str, password: str, origin: Origin) -> tuple[User, str]:
    """Link the waiting identity with the account whose password this is; return it and where to go.

    Args:
        session: the database.
        browser: the browser's token.
        password: what was typed.
        origin: where the request comes from, for the rate limit.

    Raises:
        LogInRefusedError: nothing waits in this browser.
        FormError: the password is wrong.
        TooManyAttemptsError: it was wrong too often.
    """
    offer = await offered(session, browser)
    issuer, subject, following = offer.issuer, offer.subject, offer.following
    form = read_form(LoginForm, {"email": offer.email, "password": password})
    user = await service.check_password(session, form, origin)
    await session.execute(delete(OidcOffer).where(OidcOffer.browser_hash == _hash(browser)))
    await _link(session, user, issuer, subject)
    return user, following


async def _linked(session: AsyncSession, issuer: str, subject: str) -> User | None:
    statement = (
        select(User)
        .join(OidcIdentity, OidcIdentity.user_id == User.id)
        .where(OidcIdentity.issuer == issuer, OidcIdentity.subject == subject)
    )
    user = (await session.scalars(statement)).one_or_none()
    if user is not None and user.disabled_at is not None:
        raise LogInRefusedError("This account is closed.")
    return user


async def _create(
    session: AsyncSession, issuer: str, subject: str, email: str, claims: Mapping[str, Any]
) -> User:
    first, last = _names(claims, email)
    try:
        user = await service.create_user(
            session, email=email, first_name=first, last_name=last, password=secrets.token_urlsafe(48)
        )
    except ConflictError:
        raise LogInRefusedError("This address got an account at this moment.", hint=_AGAIN) from None
    user.email_verified_at = now()
    await _link(session, user, issuer, subject)
    return user


async def _link(session: AsyncSession, user: User, issuer: str, subject: str) -> None:
    try:
        async with session.begin_nested():
            session.add(OidcIdentity(issuer=issuer, subject=subject, user_id=user.id, linked_at=now()))
    except IntegrityError as error:
        raise LogInRefusedError("This identity has just been linked elsewhere.", hint=_AGAIN) from error
    audit.record(session, user, "account.identity_linked", user.email, issuer=issuer)
    await session.commit()


def _verified_email(claims: Mapping[str, Any], allowed_domains: tuple[str, ...]) -> str:
    try:
        email = normal_email(str(claims.get("email", "")))
    except ValueError:
        raise LogInRefusedError("The service does not give an e-mail address that could be used.") from None
    if claims.get("email_verified") is not True:
        raise LogInRefusedError(
            "The service has not verified your e-mail address.", hint="Verify it there, then log in again."
        )
    if allowed_domains and email.rpartition("@")[2] not in allowed_domains:
        raise LogInRefusedError(
            "Addresses of this domain may not log in this way.",
            hint="Log in with an address of your organisation, or with your password.",
        )
    return email


def _names(claims: Mapping[str, Any], email: str) -> tuple[str, str]:
    """Return first and last name; whatever cannot be printed or is missing is replaced."""
    whole = str(claims.get("name") or email.partition("@")[0]).split()
    first = str(claims.get("given_name") or " ".join(whole[:1]))
    last = str(claims.get("family_name") or " ".join(whole[1:]) or "-")
    return _printable(first) or "-", _printable(last) or "-"


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable()).strip()[:MAX_PERSON_NAME]
