"""Who may read which part of the audit log, and files of it; for the pages and the API.

A company's part is for its owners and admins, a system's for its agents.
"""

from collections.abc import AsyncIterator
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import StreamingResponse

from platform_ui.accounts.models import User
from platform_ui.audit import exports
from platform_ui.audit.exports import FileForm
from platform_ui.audit.service import Wanted
from platform_ui.companies import service as companies
from platform_ui.companies.models import Role
from platform_ui.db import Sessions, now
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
