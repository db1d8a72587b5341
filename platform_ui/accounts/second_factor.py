"""The second factor of people: an authenticator app, and recovery codes for when it is lost.

What lives here: enrolling, checking, removing. What does not: the arithmetic (``totp``) and who must have one
(the rule of a company).

Source: OWASP ASVS 5.0, 6.5 "General Multi-factor authentication requirements".
"""

import base64
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import limits, totp
from platform_ui.accounts.models import RecoveryCode, SecondFactor, User
from platform_ui.accounts.origin import Origin
from platform_ui.accounts.sessions import hash_token
from platform_ui.audit import service as audit
from platform_ui.db import now
from platform_ui.errors import ConflictError, FormError

RECOVERY_CODES = 10
CODE_BYTES = 15  # 120 bits: a plain hash of it is enough (ASVS 5.0, 6.5.2)
GROUP = 6


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with the second factor of a person."""

    is_on: bool
    codes_left: int


async def standing_of(session: AsyncSession, user: User) -> Standing:
    """Return whether a person has a second factor, and how many recovery codes are left."""
    unused = (
        select(func.count())
        .select_from(RecoveryCode)
        .where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    )
    return Standing(await is_on(session, user), (await session.scalar(unused)) or 0)


async def is_on(session: AsyncSession, user: User) -> bool:
    """Return whether a person has confirmed a second factor."""
    statement = select(SecondFactor.confirmed_at).where(SecondFactor.user_id == user.id)
    return (await session.scalar(statement)) is not None


async def begin(session: AsyncSession, user: User) -> str:
    """Make a secret that does not count until it is confirmed; one that was begun before is replaced.

    Raises:
        ConflictError: the person has a second factor.
    """
    factor = await session.get(SecondFactor, user.id, with_for_update=True)
    if factor is not None and factor.confirmed_at is not None:
        raise ConflictError("You have a second factor already.", hint="Turn it off first to use another app.")
    if factor is None:
        factor = SecondFactor(user_id=user.id, last_step=0)
        session.add(factor)
    factor.secret, factor.created_at = totp.new_secret(), now()
    secret = factor.secret
    await session.commit()
    return secret


async def begun_secret(session: AsyncSession, user: User) -> str:
    """Return the secret that waits to be confirmed.

    Raises:
        ConflictError: none does.
    """
    factor = await session.get(SecondFactor, user.id, populate_existing=True)
    if factor is None or factor.confirmed_at is not None:
        raise ConflictError("There is nothing to confirm.", hint="Begin again at /account/second-factor.")
    return factor.secret


async def confirm(session: AsyncSession, user: User, code: str, origin: Origin) -> list[str]:
    """Turn the second factor on with a first code; return the recovery codes, which are shown only now.

    Raises:
        TooManyAttemptsError: too many wrong codes.
        ConflictError: nothing was begun.
        FormError: the code is wrong.
    """
    await limits.attempt(session, limits.CODE, user.email, origin)
    await begun_secret(session, user)
    if not await _use_app_code(session, user, code):
        await session.commit()
        raise FormError(
            {"code": "This code does not fit: wait for the next one, and check your device's clock."},
            code="account.wrong_code",
        )
    statement = update(SecondFactor).where(SecondFactor.user_id == user.id)
    await session.execute(statement.values(confirmed_at=now()))
    codes = await _new_codes(session, user)
    await limits.forget(session, limits.CODE, user.email, origin)
    audit.record(session, user, "account.second_factor_on", user.email)
    await session.commit()
    return codes


async def check(session: AsyncSession, user: User, code: str, origin: Origin) -> None:
    """Take a code of the authenticator app or a recovery code; each counts once.

    Raises:
        TooManyAttemptsError: too many wrong codes.
        FormError: the code is wrong or was used.
    """
    await limits.attempt(session, limits.CODE, user.email, origin)
    typed = code.replace(" ", "")
    if not (await _use_app_code(session, user, typed) or await _use_recovery_code(session, user, typed)):
        audit.record(session, user, "account.code_refused", user.email)
        await session.commit()
        raise FormError({"code": "This code is wrong or was used before."}, code="account.wrong_code")
    await limits.forget(session, limits.CODE, user.email, origin)
    await session.commit()


async def _use_app_code(session: AsyncSession, user: User, code: str) -> bool:
    # The row is held, so that two requests with one code at the same moment do not both pass.
    factor = await session.get(SecondFactor, user.id, with_for_update=True, populate_existing=True)
    if factor is None:
        return False
    step = totp.matching_step(factor.secret, code.replace(" ", ""), time.time(), after=factor.last_step)
    if step is None:
        return False
    factor.last_step = step
    await session.flush()
    return True


async def _use_recovery_code(session: AsyncSession, user: User, code: str) -> bool:
    statement = (
        update(RecoveryCode)
        .where(
            RecoveryCode.code_hash == _hash_code(user, code),
            RecoveryCode.user_id == user.id,
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now())
        .returning(RecoveryCode.code_hash)
    )
    used = (await session.execute(statement)).first() is not None
    if used:
        audit.record(session, user, "account.recovery_code_used", user.email)
    return used


def _hash_code(user: User, code: str) -> str:
    return hash_token(f"{user.id}:{code.replace('-', '').lower()}")


async def _new_codes(session: AsyncSession, user: User) -> list[str]:
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = []
    for _ in range(RECOVERY_CODES):
        text = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower()
        code = "-".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))
        session.add(RecoveryCode(code_hash=_hash_code(user, code), user_id=user.id))
        codes.append(code)
    return codes


async def renew_codes(session: AsyncSession, user: User) -> list[str]:
    """Replace all recovery codes; return the new ones, which are shown only now.

    Raises:
        ConflictError: the person has no second factor.
    """
    if not await is_on(session, user):
        raise ConflictError("You have no second factor.", hint="Set it up at /account/second-factor.")
    codes = await _new_codes(session, user)
    audit.record(session, user, "account.recovery_codes_renewed", user.email)
    await session.commit()
    return codes


async def turn_off(session: AsyncSession, user: User) -> None:
    """Remove the second factor of somebody who has just proven who they are, code included."""
    await session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    audit.record(session, user, "account.second_factor_off", user.email)
    await session.commit()
