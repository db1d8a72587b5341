"""The certificates that somebody may see: page by page, counted, and by the week in which they end.

What lives here: reading them, and the calendar. What does not: issuing, renewing, revoking (``credentials``).

Who sees what: agents see those of the client apps and stream apps of their systems, as on the page of each
credential; operators see those of the platform's services besides, which are files and no rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, cast

from cryptography import x509
from sqlalchemy import ColumnElement, Select, and_, case, extract, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.clients.models import ClientApp
from platform_ui.credentials.models import Credential, IssuedCertificate
from platform_ui.pki.names import Identity, Kind
from platform_ui.pki.proofs import serial_text
from platform_ui.rest.paging import Listed, Order, PageRequest, matches, read_page
from platform_ui.settings import PlatformSettings
from platform_ui.streams.models import StreamApp
from platform_ui.systems.listing import operated_by
from platform_ui.systems.models import System

BY_END: Final = Order("certificates", (IssuedCertificate.not_after, IssuedCertificate.serial))
WEEKS: Final = 13
"""How far the calendar looks ahead [weeks]: 90 days and a bit."""
_LAST_PART: Final = 4
"""A certificate ends soon when less than one part of so many of its time is left: whatever renews by itself
does so earlier."""
WEEK: Final = timedelta(days=7)


class Choice(StrEnum):
    """Which certificates somebody wants to see."""

    COUNTING = "counting"
    ENDING = "ending"
    BLOCKED = "blocked"
    REVOKED = "revoked"
    ENDED = "ended"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """A certificate, and what has become of it.

    Attributes:
        kind: ``client``, ``app`` or ``service``.
        name: Whose it is.
        epoch: Of which epoch; a revocation begins the next one.
        serial: Its number, hexadecimal.
        not_before: When it begins to count.
        not_after: When it ends.
        origin: How it came about.
        issued_by: Who asked for it.
        revoked_at: When it was revoked.
        revoked_reason: Why.
        blocked_at: Since when its holder may do nothing.
    """

    kind: str
    name: str
    epoch: int
    serial: str
    not_before: datetime
    not_after: datetime
    origin: str
    issued_by: str = ""
    revoked_at: datetime | None = None
    revoked_reason: str = ""
    blocked_at: datetime | None = None

    def state(self, present: datetime) -> str:
        """Return how it is: ``revoked``, ``ended``, ``blocked``, ``ending`` or ``active``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.not_after <= present:
            return "ended"
        if self.blocked_at is not None:
            return "blocked"
        is_near = (self.not_after - present) * _LAST_PART < self.not_after - self.not_before
        return "ending" if is_near else "active"

    @property
    def address(self) -> str:
        """The page on which it is renewed or revoked; empty where there is none."""
        system, _, name = self.name.rpartition(".")
        if self.kind == Kind.CLIENT:
            return f"/systems/{system}/clients/{name}/credentials"
        return f"/systems/{system}/apps/{name}" if self.kind == Kind.APP else ""


@dataclass(frozen=True, slots=True)
class WeekOfEnds:
    """How many certificates that count end in one week, counted from now."""

    begins: datetime
    number: int


async def page_of_certificates(
    session: AsyncSession, user: User, page: PageRequest, choice: Choice, present: datetime
) -> Listed[CertificateLine]:
    """Return one page of the certificates that somebody may see, those that end first first.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    statement = (
        select(IssuedCertificate, Credential.blocked_at)
        .join(
            Credential,
            (Credential.kind == IssuedCertificate.kind) & (Credential.name == IssuedCertificate.name),
        )
        .where(
            _is_seen(user),
            _chosen(choice, present),
            matches(page.q, IssuedCertificate.name, IssuedCertificate.serial),
        )
    )
    found = await read_page(session, statement, BY_END.turned(page.is_descending), page)
    return found.map(lambda row: _line(cast(IssuedCertificate, row[0]), cast("datetime | None", row[1])))


async def count_choices(
    session: AsyncSession, user: User, page: PageRequest, present: datetime
) -> dict[str, int]:
    """Return how many certificates each choice would show, in one query."""
    numbers = [func.count(case((_chosen(choice, present), 1))).label(choice.value) for choice in Choice]
    statement = (
        select(*numbers)
        .select_from(IssuedCertificate)
        .join(
            Credential,
            (Credential.kind == IssuedCertificate.kind) & (Credential.name == IssuedCertificate.name),
        )
        .where(_is_seen(user), matches(page.q, IssuedCertificate.name, IssuedCertificate.serial))
    )
    row = (await session.execute(statement)).one()
    return {choice.value: row[place] for place, choice in enumerate(Choice)}


async def calendar_of(session: AsyncSession, user: User, present: datetime) -> list[WeekOfEnds]:
    """Return how many of the newest certificates end in each of the next weeks; the first week is this one.

    A certificate that has a successor already is left out: nobody has to do anything about it.
    """
    until = func.max(IssuedCertificate.not_after).label("until")
    newest = (
        select(until)
        .join(
            Credential,
            (Credential.kind == IssuedCertificate.kind)
            & (Credential.name == IssuedCertificate.name)
            & (Credential.epoch == IssuedCertificate.epoch),
        )
        .where(_is_seen(user), IssuedCertificate.revoked_at.is_(None), Credential.blocked_at.is_(None))
        .group_by(IssuedCertificate.kind, IssuedCertificate.name)
        .having(and_(until > present, until <= present + WEEKS * WEEK))
        .subquery()
    )
    week = func.floor(extract("epoch", newest.c.until - present) / WEEK.total_seconds())
    rows = await session.execute(select(week, func.count()).group_by(week))
    numbers = {min(int(number), WEEKS - 1): count for number, count in rows}
    return [WeekOfEnds(present + place * WEEK, numbers.get(place, 0)) for place in range(WEEKS)]


def services_of(settings: PlatformSettings) -> list[CertificateLine]:
    """Return the certificates of the platform's own services whose files it can read; blocks.

    Those are its own for Kafka, and those that lie beside the authority.
    """
    files: list[Path] = []
    if settings.security.certificate_file is not None:
        files.append(Path(settings.security.certificate_file))
    if settings.pki_directory is not None:
        files += sorted(settings.pki_directory.glob("services/*/certificate.pem"))
    lines = [line for line in map(_line_of_file, files) if line is not None]
    return sorted({line.serial: line for line in lines}.values(), key=lambda line: line.not_after)


def _line_of_file(path: Path) -> CertificateLine | None:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
    try:
        identity = Identity.of_subject(certificate.subject)
        name, epoch = identity.name, identity.epoch
    except ValueError:
        name, epoch = certificate.subject.rfc4514_string(), 1
    return CertificateLine(
        Kind.SERVICE.value,
        name,
        epoch,
        serial_text(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        "file",
    )


def _line(row: IssuedCertificate, blocked_at: datetime | None) -> CertificateLine:
    return CertificateLine(
        row.kind,
        row.name,
        row.epoch,
        row.serial,
        row.not_before,
        row.not_after,
        row.origin,
        row.issued_by,
        row.revoked_at,
        row.revoked_reason,
        blocked_at,
    )


def _names(kind: type[ClientApp] | type[StreamApp], user: User) -> Select[str]:
    return (
        select(System.name + "." + kind.name)
        .select_from(kind)
        .join(System, System.id == kind.system_id)
        .where(System.id.in_(operated_by(user)))
    )


def _is_seen(user: User) -> ColumnElement[bool]:
    kind, name = IssuedCertificate.kind, IssuedCertificate.name
    choices: Sequence[ColumnElement[bool]] = [
        and_(kind == Kind.CLIENT.value, name.in_(_names(ClientApp, user))),
        and_(kind == Kind.APP.value, name.in_(_names(StreamApp, user))),
    ]
    return or_(*choices, kind == Kind.SERVICE.value) if user.is_operator else or_(*choices)


def _chosen(choice: Choice, present: datetime) -> ColumnElement[bool]:
    is_revoked = IssuedCertificate.revoked_at.is_not(None)
    counts = and_(~is_revoked, IssuedCertificate.not_after > present)
    left = extract("epoch", IssuedCertificate.not_after - present)
    whole = extract("epoch", IssuedCertificate.not_after - IssuedCertificate.not_before)
    return {
        Choice.COUNTING: counts,
        Choice.ENDING: and_(counts, left * _LAST_PART < whole),
        Choice.BLOCKED: and_(counts, Credential.blocked_at.is_not(None)),
        Choice.REVOKED: is_revoked,
        Choice.ENDED: and_(~is_revoked, IssuedCertificate.not_after <= present),
        Choice.ALL: true(),
    }[choice]
