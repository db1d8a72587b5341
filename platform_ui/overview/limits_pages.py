"""The page of a company's limits: what its stream apps may take and take, and the form of operators."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.companies import limits
from platform_ui.companies.limits import FIELDS, LimitsForm
from platform_ui.companies.service import role_in
from platform_ui.db import Database
from platform_ui.errors import FormError, RunnerError, status_of
from platform_ui.fields import read_form
from platform_ui.settings import CurrentSettings, PlatformSettings
from platform_ui.streams.usage import Usage, usage_of
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False, prefix="/companies/{name}/limits")


async def used_of(name: str, request: Request) -> Usage | None:
    """Return what the apps of a company take; nothing while the runner cannot be asked."""
    try:
        return await usage_of(name, request.app.state.runner)
    except RunnerError:
        return None


@router.get("")
async def show_limits(
    page: CurrentPage, database: Database, user: LoggedIn, settings: CurrentSettings, name: str
) -> Response:
    """Show what the stream apps of a company may take."""
    return await _show(page, database, user, settings, name)


@router.post("")
async def change_limits(
    page: CurrentPage, database: Database, user: LoggedIn, settings: CurrentSettings, name: str
) -> Response:
    """Set the limits of a company."""
    values = await page.form()
    await limits.see_limits_of(database, user, name)
    try:
        await limits.change_limits(database, user, name, read_form(LimitsForm, values))
    except FormError as error:
        return await _show(page, database, user, settings, name, values=values, error=error)
    return page.redirect(
        f"/companies/{name}/limits", f"The limits of {name} are set; apps that run are held to them now."
    )


async def _show(
    page: Page,
    database: AsyncSession,
    user: User,
    settings: PlatformSettings,
    name: str,
    *,
    values: dict[str, str] | None = None,
    error: FormError | None = None,
) -> Response:
    company = await limits.see_limits_of(database, user, name)
    counting = await limits.limits_of(database, name, settings.limits)
    own = {field: f"{getattr(counting, field):g}" for field in FIELDS if field in counting.own}
    return page.render(
        "companies/limits.html",
        status=status_of(error) if error else HTTPStatus.OK,
        company=company,
        role=await role_in(database, user, company),
        counting=counting,
        common=settings.limits,
        used=await used_of(name, page.request),
        values=values or own,
        errors=error.fields if error else {},
        may_change=user.is_operator,
    )
