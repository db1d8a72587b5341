"""The pages of an app's versions: the list, what two of them differ in, going back to one."""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.browser import Undo
from platform_ui.contracts.views import titles_of
from platform_ui.db import Database
from platform_ui.errors import ContractNeededError, FormError, MetadataError
from platform_ui.fields import read_form
from platform_ui.rest.paging import ListQuery
from platform_ui.streams import service, versions
from platform_ui.streams.access import Ports, Runner
from platform_ui.streams.detail.actions import why_not_change
from platform_ui.streams.detail.app_pages import show
from platform_ui.streams.detail.comparing import compare
from platform_ui.streams.models import StreamAppVersion
from platform_ui.streams.version_forms import MAX_NUMBER, RollbackForm
from platform_ui.streams.views import AppView
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False, prefix="/systems/{system}/apps/{name}")


@router.get("/versions")
async def list_versions(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    listing: ListQuery,
    system: str,
    name: str,
) -> Response:
    """Show the versions of an app, and what two of them differ in."""
    view = await service.get_app(database, user, system, name, runner)
    found = await versions.page_of_versions(database, view, listing.page)
    given = page.request.query_params
    newest = found.items[0].version.number if found.items else view.app.version
    newer = _number(given.get("to"), newest)
    older = _number(given.get("from"), max(newer - 1, 1))
    before, after = await _both(database, view, older, newer)
    compared = [one for one in (before, after) if one is not None]
    named = [key for one in (*(item.version for item in found.items), *compared) for key in one.contracts]
    return page.render(
        "streams/versions.html",
        view=view,
        listed=found,
        listing=listing,
        before=before,
        after=after,
        pieces=compare(before.statement, after.statement) if before and after else [],
        refusal=why_not_change(view),
        titles=await titles_of(database, user, named),
    )


def _number(text: str | None, otherwise: int) -> int:
    """Read the number of a version; what is none is left aside."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_NUMBER))):
        return otherwise
    return min(int(text), MAX_NUMBER)


async def _both(
    database: Database, view: AppView, older: int, newer: int
) -> tuple[StreamAppVersion | None, StreamAppVersion | None]:
    """Return two versions; an app from before there were any has none."""
    if older == newer:
        return None, None
    found = await versions.get_versions(database, view, {older, newer})
    return found.get(older), found.get(newer)


@router.post("/rollback")
async def roll_back(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: Ports, system: str, name: str
) -> Response:
    """Let an app have one of its versions again."""
    values = await page.form()
    view = await service.get_app(database, user, system, name, ports.runner)
    form = read_form(RollbackForm, values)
    former = view.app.version
    try:
        await versions.roll_back(database, user, view, form.version, ports)
    except (ContractNeededError, FormError, MetadataError) as error:
        return await show(page, database, user, view, ports, error=error)
    restarts = " and restarts with it" if view.is_wanted else ""
    undo = Undo(f"{view.url}/rollback", {"version": str(former)}) if former != form.version else None
    return page.redirect(view.url, f"{name} has version {form.version} again{restarts}.", undo)
