"""The audit log as JSON resources."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.audit import service as audit
from platform_ui.audit.forms import AuditFilterForm, ExportForm
from platform_ui.audit.models import AuditEntry
from platform_ui.db import Database
from platform_ui.fields import read_form
from platform_ui.overview.audit_reading import PAGE_SIZE, Owner, check_reader, file_of

router = APIRouter(tags=["audit"])


class EntryAnswer(BaseModel):
    """One entry: who did what, when, to which object."""

    position: int
    at: datetime
    actor: str
    actor_kind: str
    action: str
    object: str
    detail: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str | None
    request_id: uuid.UUID | None
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, entry: AuditEntry) -> "EntryAnswer":
        """Return the public form of an entry."""
        return cls(
            position=entry.position or 0,
            at=entry.at,
            actor=entry.user_email,
            actor_kind=entry.actor_kind,
            action=entry.action,
            object=entry.object_name,
            detail=entry.detail,
            before=entry.before,
            after=entry.after,
            address=entry.address,
            request_id=entry.request_id,
            previous_hash=entry.previous_hash or "",
            hash=entry.hash or "",
        )


class EntryList(BaseModel):
    """Entries, newest first; `next_page_token` goes into `before` for the older ones."""

    items: list[EntryAnswer]
    next_page_token: str | None


def _filter(request: Request) -> ExportForm:
    return read_form(ExportForm, dict(request.query_params))


_Filter = Annotated[ExportForm, Depends(_filter)]


async def _list(database: AsyncSession, within: str, wanted: AuditFilterForm) -> EntryList:
    found = await audit.find(database, wanted.wanted(within), before=wanted.before, limit=PAGE_SIZE + 1)
    items = [EntryAnswer.of(one) for one in found[:PAGE_SIZE]]
    return EntryList(items=items, next_page_token=str(items[-1].position) if len(found) > PAGE_SIZE else None)


@router.get("/companies/{name}/audit")
async def list_entries_of_company(
    database: Database, user: LoggedIn, name: str, wanted: _Filter
) -> EntryList:
    """List what was done to a company and everything of it.

    Parameters `object`, `person`, `action`, `since` and `until` (days) choose, `before` goes on.
    """
    await check_reader(database, user, Owner.COMPANIES, name)
    return await _list(database, name, wanted)


@router.get("/systems/{name}/audit")
async def list_entries_of_system(database: Database, user: LoggedIn, name: str, wanted: _Filter) -> EntryList:
    """List what was done to a system and everything of it, with the same parameters."""
    await check_reader(database, user, Owner.SYSTEMS, name)
    return await _list(database, name, wanted)


@router.get("/companies/{name}/audit/export", response_class=Response)
async def export_entries_of_company(
    request: Request, database: Database, user: LoggedIn, name: str, wanted: _Filter
) -> Response:
    """Export what was done to a company, oldest first: `form` is `jsonl` or `csv`."""
    await check_reader(database, user, Owner.COMPANIES, name)
    return file_of(request.app.state.sessions, wanted.form, wanted.wanted(name))


@router.get("/systems/{name}/audit/export", response_class=Response)
async def export_entries_of_system(
    request: Request, database: Database, user: LoggedIn, name: str, wanted: _Filter
) -> Response:
    """Export what was done to a system, oldest first: `form` is `jsonl` or `csv`."""
    await check_reader(database, user, Owner.SYSTEMS, name)
    return file_of(request.app.state.sessions, wanted.form, wanted.wanted(name))
