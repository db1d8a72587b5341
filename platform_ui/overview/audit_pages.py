"""Pages of the audit log: of a company, of a system, and as a file."""

from urllib.parse import urlencode

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.audit import sealing
from platform_ui.audit import service as audit
from platform_ui.audit.exports import FileForm
from platform_ui.audit.forms import AuditFilterForm
from platform_ui.db import Database
from platform_ui.errors import FormError
from platform_ui.fields import read_form
from platform_ui.overview.audit_reading import PAGE_SIZE, Owner, check_reader, check_shown, file_of
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False)

_FILTERS = ("object", "person", "action", "since", "until")


async def _show(page: Page, database: AsyncSession, user: User, owner: Owner, name: str) -> Response:
    await check_reader(database, user, owner, name)
    values = dict(page.request.query_params)
    errors: dict[str, str] = {}
    try:
        form = read_form(AuditFilterForm, values)
    except FormError as error:
        form, errors = AuditFilterForm(), error.fields
    found = await audit.find(database, form.wanted(name), before=form.before, limit=PAGE_SIZE + 1)
    entries = found[:PAGE_SIZE]
    chosen = {field: value for field, value in values.items() if value and field in _FILTERS}
    further = len(found) > PAGE_SIZE
    return page.render(
        "audit/list.html",
        owner=owner.value,
        name=name,
        entries=entries,
        values=values,
        errors=errors,
        is_filtered=bool(chosen),
        filters=urlencode(chosen),
        older=urlencode({**chosen, "before": str(entries[-1].position)}) if further else "",
        is_first=form.before is None,
        check=check_shown(
            entries, await sealing.last_seal(database), page.request.app.state.audit_keeper.public_key
        ),
    )


async def _save(page: Page, database: AsyncSession, user: User, owner: Owner, name: str) -> Response:
    await check_reader(database, user, owner, name)
    wanted = read_form(AuditFilterForm, dict(page.request.query_params)).wanted(name)
    form = FileForm(page.request.url.path.rpartition(".")[2])
    return file_of(page.request.app.state.sessions, form, wanted)


@router.get("/companies/{name}/audit")
async def show_entries_of_company(
    page: CurrentPage, database: Database, user: LoggedIn, name: str
) -> Response:
    """Show the entries of a company, newest first, with a filter."""
    return await _show(page, database, user, Owner.COMPANIES, name)


@router.get("/systems/{name}/audit")
async def show_entries_of_system(
    page: CurrentPage, database: Database, user: LoggedIn, name: str
) -> Response:
    """Show the entries of a system, newest first, with a filter."""
    return await _show(page, database, user, Owner.SYSTEMS, name)


@router.get("/companies/{name}/audit.csv")
@router.get("/companies/{name}/audit.jsonl")
async def save_entries_of_company(
    page: CurrentPage, database: Database, user: LoggedIn, name: str
) -> Response:
    """Send the entries of a company as a file, oldest first, with the same filter."""
    return await _save(page, database, user, Owner.COMPANIES, name)


@router.get("/systems/{name}/audit.csv")
@router.get("/systems/{name}/audit.jsonl")
async def save_entries_of_system(
    page: CurrentPage, database: Database, user: LoggedIn, name: str
) -> Response:
    """Send the entries of a system as a file, oldest first, with the same filter."""
    return await _save(page, database, user, Owner.SYSTEMS, name)
