"""What is written down about credentials: the current epoch, what was issued, what has ended.

What lives here: reading and changing the rows in the running transaction, which the caller commits. What does
not: who may do so (``service``), and what a device has to prove (``renewal``).

How revocation works: Kafka cannot refuse a single certificate on a connection that is open, but it asks its
access rules for every request. So a revocation begins a new epoch, which is another principal; the principal
of the old one loses its access rules, whatever certificates it still shows.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from sqlalchemy import Connection, delete, event, extract, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from platform_ui.clients.models import ClientApp
from platform_ui.credentials.models import MAX_REASON, Credential, EnrolmentToken, IssuedCertificate
from platform_ui.db import now
from platform_ui.errors import ConflictError
from platform_ui.pki.names import Kind
from platform_ui.pki.proofs import serial_text
from platform_ui.systems.models import System

MAX_COUNTING = 100  # certificates of one credential that count at the same time: a device gone wild ends here
SHOWN = 50  # certificates on a page
_LAST_PART = 4


async def find(session: AsyncSession, kind: Kind, name: str) -> Credential | None:
    """Return a credential, or nothing when no certificate was ever issued."""
    return await session.get(Credential, (kind.value, name), populate_existing=True)


async def blocked_among(session: AsyncSession, kind: Kind, names: Collection[str]) -> frozenset[str]:
    """Return those of some names that are blocked: they may do nothing."""
    statement = select(Credential.name).where(
        Credential.kind == kind.value, Credential.name.in_(names), Credential.blocked_at.is_not(None)
    )
    return frozenset(await session.scalars(statement))


async def hold(session: AsyncSession, kind: Kind, name: str) -> Credential:
    """Return a credential, made when it is missing, and keep others from changing it until the commit."""
    await session.execute(
        insert(Credential)
        .values(kind=kind.value, name=name, epoch=1, created_at=now())
        .on_conflict_do_nothing()
    )
    return await session.get_one(Credential, (kind.value, name), populate_existing=True, with_for_update=True)


async def write_down(
    session: AsyncSession,
    credential: Credential,
    certificate: x509.Certificate,
    *,
    issued_by: str,
    origin: str,
) -> IssuedCertificate:
    """Keep what is known of a certificate that was signed for the current epoch.

    Args:
        session: the running transaction, which holds the credential.
        credential: whose it is.
        certificate: what was signed.
        issued_by: an e-mail address, or the name of the principal that asked.
        origin: how it came about, one of the words in ``models``.

    Raises:
        ConflictError: so many of it count already that something must be wrong.
    """
    present = now()
    counting = await session.scalar(
        select(func.count())
        .select_from(IssuedCertificate)
        .where(_of(credential), _counts(present), IssuedCertificate.epoch == credential.epoch)
    )
    if (counting or 0) >= MAX_COUNTING:
        raise ConflictError(
            f"{credential.name} has {MAX_COUNTING} certificates that count: no more are issued.",
            code="credential.too_many",
            hint="Find out what keeps asking for them, then revoke them all on the client app's page.",
        )
    issued = IssuedCertificate(
        serial=serial_text(certificate),
        kind=credential.kind,
        name=credential.name,
        epoch=credential.epoch,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        issued_at=present,
        issued_by=issued_by,
        origin=origin,
    )
    session.add(issued)
    await session.flush()
    return issued


async def end_epoch(session: AsyncSession, credential: Credential, reason: str) -> None:
    """Revoke all certificates of a credential: what is issued from now on is another principal.

    Args:
        session: the running transaction, which holds the credential.
        credential: whose certificates end.
        reason: for those who read it later.
    """
    for statement in _ending(credential.kind, credential.name, reason):
        await session.execute(statement, execution_options={"synchronize_session": False})
    await session.refresh(credential)


async def end_credential(session: AsyncSession, kind: Kind, name: str, reason: str) -> None:
    """End everything of somebody who is deleted; does nothing when no certificate was ever issued."""
    if await find(session, kind, name) is not None:
        credential = await hold(session, kind, name)
        await end_epoch(session, credential, reason)
        credential.blocked_at = None  # whoever takes the name later begins anew


async def certificates_of(session: AsyncSession, credential: Credential) -> Sequence[IssuedCertificate]:
    """Return the latest certificates of a credential, newest first."""
    statement = (
        select(IssuedCertificate)
        .where(_of(credential))
        .order_by(IssuedCertificate.issued_at.desc())
        .limit(SHOWN)
    )
    return (await session.scalars(statement)).all()


async def newest_endings(
    session: AsyncSession, present: datetime, most: int
) -> Sequence[tuple[str, str, datetime]]:
    """Return whose newest certificate is near its end, or over, the soonest first: kind, name and end.

    Near is when less than a quarter of its time is left: whatever renews by itself does so earlier. Who is
    blocked, and whose certificates are all revoked, is left out: they are not meant to go on.

    Args:
        session: the database.
        present: the present time.
        most: how many at most [1].
    """
    until, since = func.max(IssuedCertificate.not_after), func.max(IssuedCertificate.not_before)
    statement = (
        select(IssuedCertificate.kind, IssuedCertificate.name, until)
        .join(
            Credential,
            (Credential.kind == IssuedCertificate.kind)
            & (Credential.name == IssuedCertificate.name)
            & (Credential.epoch == IssuedCertificate.epoch),
        )
        .where(IssuedCertificate.revoked_at.is_(None), Credential.blocked_at.is_(None))
        .group_by(IssuedCertificate.kind, IssuedCertificate.name)
        .having(extract("epoch", until - present) * _LAST_PART < extract("epoch", until - since))
        .order_by(until, IssuedCertificate.name)
        .limit(most)
    )
    return (await session.execute(statement)).all()


def _of(credential: Credential) -> Any:  # noqa: ANN401 - an expression of SQLAlchemy
    return (IssuedCertificate.kind == credential.kind) & (IssuedCertificate.name == credential.name)


def _counts(present: datetime) -> Any:  # noqa: ANN401 - an expression of SQLAlchemy
    return IssuedCertificate.revoked_at.is_(None) & (IssuedCertificate.not_after > present)


def _ending(kind: str, name: str, reason: str, **further: object) -> tuple[Any, ...]:
    """Return what ends an epoch; the credential first, which makes others wait."""
    present = now()
    return (
        update(Credential)
        .where(Credential.kind == kind, Credential.name == name)
        .values(epoch=Credential.epoch + 1, **further),
        update(IssuedCertificate)
        .where(
            IssuedCertificate.kind == kind,
            IssuedCertificate.name == name,
            IssuedCertificate.revoked_at.is_(None),
        )
        .values(revoked_at=present, revoked_reason=reason[:MAX_REASON]),
        delete(EnrolmentToken).where(EnrolmentToken.kind == kind, EnrolmentToken.name == name),
    )


@event.listens_for(ClientApp, "after_delete")
def _end_with_client(_: Mapper[ClientApp], connection: Connection, client: ClientApp) -> None:
    """End the credential of a client app in the transaction that deletes it, whoever does so.

    Client apps know nothing of credentials, which stand above them; and a new client app of the same name
    must not be opened by the old one's certificate.
    """
    system = connection.scalar(select(System.name).where(System.id == client.system_id))
    for statement in _ending(Kind.CLIENT, f"{system}.{client.name}", "client app deleted", blocked_at=None):
        connection.execute(statement)
