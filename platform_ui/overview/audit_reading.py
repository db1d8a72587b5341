"""Who may read which part of the audit log, and files of it; for the pages and the API.

A company's part is for its owners and admins, a system's for its agents.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import StreamingResponse

from platform_ui.accounts.models import User
from platform_ui.audit import exports
from platform_ui.audit.chain import ChainCheck, check_signature, facts_of, facts_of_seal
from platform_ui.audit.exports import FileForm
from platform_ui.audit.models import AuditEntry, AuditSeal
from platform_ui.audit.service import Wanted
from platform_ui.companies import service as companies
from platform_ui.companies.models import Role
from platform_ui.db import Sessions, now
from platform_ui.errors import AuditBrokenError
from platform_ui.systems import service as systems

PAGE_SIZE = 50


class Owner(StrEnum):
    """Whose part of the log it is."""

    COMPANIES = "companies"
    SYSTEMS = "systems"


async def check_reader(session: AsyncSession, user: User, owner: Owner, name: str) -> None:
    """Check that somebody may read a part of the log.

    Raises:
        NotFoundError: the company or system is not there, or the person does not see it.
        ForbiddenError: it is for its owners and admins, or for its agents.
    """
    if owner is Owner.COMPANIES:
        await companies.require(session, user, name, Role.ADMIN)
    else:
        await systems.get_system(session, user, name)


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """Whether what is shown of the log is as it was written.

    Attributes:
        entries: How many entries were checked [1].
        broken: What is not as it was written; empty when all is.
        sealed: Position up to which the log is sealed; 0 when it is not.
        sealed_at: When it was sealed last.
        key_id: By which key.
        is_verified: Whether the seal's signature was checked: the platform has the key.
    """

    entries: int
    broken: str = ""
    sealed: int = 0
    sealed_at: datetime | None = None
    key_id: str = ""
    is_verified: bool = False


def check_shown(
    entries: Sequence[AuditEntry], seal: AuditSeal | None, key: Ed25519PublicKey | None
) -> ShownCheck:
    """Check the entries of a page, each by itself, and the newest seal.

    That none is missing between them only the whole log can tell (``verify-audit``).

    Args:
        entries: those of the page, newest first.
        seal: the newest; nothing when the log is not sealed.
        key: the public audit key; nothing when the platform has none.
    """
    check = ChainCheck(is_whole=False)
    try:
        for entry in reversed(entries):
            check.take(facts_of(entry))
        if seal is not None and key is not None:
            check_signature(facts_of_seal(seal), key)
    except AuditBrokenError as error:
        return ShownCheck(check.entries, error.detail)
    if seal is None:
        return ShownCheck(check.entries)
    return ShownCheck(check.entries, "", seal.position, seal.at, seal.key_id, key is not None)


def file_of(sessions: Sessions, form: FileForm, wanted: Wanted) -> StreamingResponse:
    """Return entries as a file to save, read while it is sent."""

    async def lines() -> AsyncIterator[str]:
        # The request's own session ends before the file does.
        async with sessions() as session:
            make = exports.csv_lines if form is FileForm.CSV else exports.json_lines
            async for line in make(session, wanted):
                yield line

    name = f"audit-{wanted.within}-{now():%Y%m%d-%H%M%S}.{form}"
    return StreamingResponse(
        lines(),
        media_type=exports.CSV if form is FileForm.CSV else exports.JSON_LINES,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
