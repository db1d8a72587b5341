"""The limits of a company as a JSON resource."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.service import require_operator
from platform_ui.companies import limits
from platform_ui.companies.limits import LimitsForm
from platform_ui.db import Database
from platform_ui.overview.limits_pages import used_of
from platform_ui.rest.marks import moving
from platform_ui.settings import CurrentSettings, PlatformSettings

router = APIRouter(prefix="/companies/{name}/limits", tags=["companies"])


class LimitsAnswer(BaseModel):
    """What the stream apps of a company may take, and what they take.

    `own` names what an operator has set for this company; the rest is as for all companies.
    `apps` are meant to run now; `most_memory_mb` is the memory of the one that takes most.
    """

    max_apps: int
    memory_mb: int
    cpus: float
    own: list[str]
    apps: int | None
    most_memory_mb: float | None


@router.get("", operation_id="show_company_limits")
@moving("apps", "most_memory_mb")
async def show_limits(
    *, request: Request, database: Database, user: LoggedIn, settings: CurrentSettings, name: str
) -> LimitsAnswer:
    """Show what the stream apps of a company may take."""
    await limits.see_limits_of(database, user, name)
    return await _answer(request, database, settings, name)


@router.put("", operation_id="set_company_limits")
async def set_limits(
    *,
    request: Request,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    name: str,
    form: LimitsForm,
) -> LimitsAnswer:
    """Set the limits of a company, as an operator of the platform; what is left out is as for all."""
    await limits.see_limits_of(database, user, name)
    require_operator(user)
    await limits.change_limits(database, user, name, form)
    return await _answer(request, database, settings, name)


async def _answer(
    request: Request, database: AsyncSession, settings: PlatformSettings, name: str
) -> LimitsAnswer:
    counting = await limits.limits_of(database, name, settings.limits)
    used = await used_of(name, request)
    return LimitsAnswer(
        max_apps=counting.max_apps,
        memory_mb=counting.memory_mb,
        cpus=counting.cpus,
        own=sorted(counting.own),
        apps=None if used is None else used.apps,
        most_memory_mb=None if used is None else used.most_memory_mb,
    )
