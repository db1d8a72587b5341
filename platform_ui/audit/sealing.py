"""Signing the head of the chain, and checking the log that is in the database.

What lives here: the statements. What does not: what is signed and checked (``chain``), and when (``keeper``).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.audit import service
from platform_ui.audit.chain import ChainCheck, facts_of, facts_of_seal, sign
from platform_ui.audit.keys import key_id
from platform_ui.audit.models import AuditEntry, AuditSeal
from platform_ui.errors import AuditBrokenError

_LOCK: Final = 190821  # any number, the same in every process


async def seal(session: AsyncSession, key: Ed25519PrivateKey, at: datetime) -> AuditSeal | None:
    """Sign the newest entry; nothing is done when that is signed already.

    Args:
        session: inside a transaction, which the caller commits.
        key: the audit key.
        at: the present time.

    Returns:
        The seal, None when there is nothing new.
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    last = await last_seal(session)
    head = await session.scalar(
        select(AuditEntry)
        .where(AuditEntry.position.is_not(None))
        .order_by(AuditEntry.position.desc())
        .limit(1)
    )
    if head is None or (last is not None and last.position >= (head.position or 0)):
        return None
    made = AuditSeal(
        position=head.position,
        hash=head.hash,
        at=at,
        key_id=key_id(key.public_key()),
        previous_signature="" if last is None else last.signature,
        signature="",
    )
    made.signature = sign(facts_of_seal(made), key)
    session.add(made)
    await session.flush()
    return made


async def last_seal(session: AsyncSession) -> AuditSeal | None:
    """Return the newest seal."""
    return await session.scalar(select(AuditSeal).order_by(AuditSeal.position.desc()).limit(1))


async def list_seals(session: AsyncSession) -> Sequence[AuditSeal]:
    """Return all seals, the oldest first."""
    return (await session.scalars(select(AuditSeal).order_by(AuditSeal.position))).all()


async def check_log(session: AsyncSession, key: Ed25519PublicKey | None) -> ChainCheck:
    """Check all entries and seals.

    Args:
        session: the database.
        key: the public audit key; None to leave the seals' signatures unchecked.

    Raises:
        AuditBrokenError: The log is not as it was written; the error names the first broken entry.
    """
    check = ChainCheck([facts_of_seal(one) for one in await list_seals(session)], key)
    async for entry in service.stream(session, service.Wanted()):
        check.take(facts_of(entry))
    check.end()
    beside = await session.scalar(select(func.min(AuditEntry.id)).where(AuditEntry.position.is_(None)))
    if beside is not None:
        raise AuditBrokenError(
            check.entries + 1, f"the entry with the id {beside} was added beside the chain"
        )
    return check
