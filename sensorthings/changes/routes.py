"""Changes over HTTP: `/changes/v1/...`, for everybody who reads entities.

What lives here: addresses, waiting, answers. What does not: what is read (`sensorthings.changes.feed`), the
entities themselves, which are read at `/v1.1`.

A reader polls the database several times a second while it waits, because NOTIFY would make writers wait for
each other (as `sensorthings.outbox.relay` has it).
"""

import asyncio
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from sensorthings.access.authentication import Gate
from sensorthings.access.principals import ANY_READER, Principal
from sensorthings.changes.feed import (
    Change,
    Following,
    Part,
    Place,
    changes_after,
    follow,
    forget_reader,
    has_begun,
    note_answer,
    owner_of,
    parse_cursor,
)
from sensorthings.database import Database
from sensorthings.errors import BodyError, EntityMissingError, ForbiddenError, RequestError

PREFIX: Final = "/changes/v1"
_POLL_S: Final = 0.1
_MAX_WAIT_S: Final = 20
_BEGIN_S: Final = 10
_MAX_NAME_CHARACTERS: Final = 100
_MAX_LIMIT: Final = 10_000


def make_changes_router(database: Database, gate: Gate) -> APIRouter:
    """Make the routes of the changes."""
    router = APIRouter(prefix=PREFIX)

    @router.get("/readers/{name}")
    async def read_changes(
        request: Request,
        name: str,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=_MAX_LIMIT)] = 1000,
        wait_s: Annotated[float, Query(ge=0, le=_MAX_WAIT_S)] = 0,
    ) -> dict[str, Any]:
        principal = _reader(await gate.authenticate(request.headers, request.scope))
        done = None if after is None else parse_cursor(after)
        async with database.writing() as session:
            known = await follow(session, principal, _checked_name(name), done)
        if known.is_new:
            await _wait_for_begin(database, known)
            wait_s = 0
        told = await _wait_for_changes(database, principal, known.place, limit, wait_s)
        async with database.reading() as session:
            cursor = await note_answer(session, principal, name, known, told)
        shown = [_shown(one) for one in told.changes]
        return {"cursor": str(cursor), "is_new": known.is_new, "changes": shown}

    @router.delete("/readers/{name}", status_code=204)
    async def delete_reader(request: Request, name: str) -> None:
        principal = _reader(await gate.authenticate(request.headers, request.scope))
        async with database.writing() as session:
            if not await forget_reader(session, principal, _checked_name(name)):
                raise EntityMissingError(f"There is no reader {name}.", "It may have been idle for too long.")

    @router.get("/owners/{stream_id}")
    async def show_owner(request: Request, stream_id: int) -> dict[str, Any]:
        principal = await gate.authenticate(request.headers, request.scope)
        if not principal.is_admin:
            raise ForbiddenError("Only an admin sees who owns what.", "Send an admin's token.")
        async with database.reading() as session:
            return {"system": await owner_of(session, stream_id)}

    return router


async def _wait_for_begin(database: Database, known: Following) -> None:
    deadline = time.monotonic() + _BEGIN_S
    while True:
        async with database.reading() as session:
            if await has_begun(session, known):
                return
        if time.monotonic() >= deadline:
            raise RequestError(
                503,
                "changes.not_begun",
                "A transaction that began before this reader is open still.",
                "Ask again.",
            )
        await asyncio.sleep(_POLL_S)


async def _wait_for_changes(
    database: Database, principal: Principal, place: Place, limit: int, wait_s: float
) -> Part:
    started = time.monotonic()
    while True:
        async with database.reading() as session:
            told = await changes_after(session, principal, place, limit)
        # Others may write more than the reader ever sees: it is taken past that without a pause.
        if told.changes or time.monotonic() - started >= (_MAX_WAIT_S if told.has_more else wait_s):
            return told
        place = told.place
        if not told.has_more:
            await asyncio.sleep(_POLL_S)


def _reader(principal: Principal) -> Principal:
    if principal is ANY_READER:
        raise ForbiddenError("Strangers may not follow changes.", "Send a token.")
    return principal


def _checked_name(name: str) -> str:
    if len(name) > _MAX_NAME_CHARACTERS or not name.isprintable():
        raise BodyError("changes.name", f"a name has at most {_MAX_NAME_CHARACTERS} printable characters.")
    return name


def _shown(change: Change) -> dict[str, Any]:
    shown: dict[str, Any] = {"set": change.entity.set_name, "ids": list(change.ids)}
    return shown if change.properties is None else shown | {"properties": list(change.properties)}
