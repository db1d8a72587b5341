"""What passes, as server-sent events: for a page and for programs, as long as somebody may see it.

What lives here: the form of events, and asking again who follows. What does not: reading (``following``), and
the look of rows, which a page gives as a function.

The id of an event is where to go on, ``partition:offset,…``: sent back as ``Last-Event-ID``, nothing is lost
and nothing comes twice, for as long as Kafka keeps the records.

Source: HTML Living Standard, clause 9.2 "Server-sent events".
"""

import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import sessions as accounts
from platform_ui.accounts import tokens
from platform_ui.accounts.models import User
from platform_ui.accounts.origin import origin_of
from platform_ui.browser import browser_token
from platform_ui.db import Sessions
from platform_ui.errors import NotFoundError, NotLoggedInError, RequestError, TooManyAttemptsError
from platform_ui.live.answers import as_json
from platform_ui.live.following import Batch, FollowHub
from platform_ui.live.forms import LiveForm, read_positions, write_positions
from platform_ui.live.reading import Begin, following
from platform_ui.live.records import LiveRecord, show
from platform_ui.live.scope import Scope, scope_of
from platform_ui.live.service import sieve_for, with_units
from platform_ui.systems.units import UnitDirectory

RECHECK_S: Final = 2.0  # how long somebody sees records after their part or contract has been taken away
ROWS: Final = 100
MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"X-Accel-Buffering": "no"}

Render = Callable[[Sequence[LiveRecord]], str]


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody who follows records.

    Attributes:
        request: by whom and from where.
        hub: gives what passes.
        units: knows units.
        person: who they are.
        scope: what they may see.
        form: what they ask for.
    """

    request: Request
    hub: FollowHub | None
    units: UnitDirectory
    person: str
    scope: Scope
    form: LiveForm

    def begin(self, otherwise: Begin) -> Begin:
        """Return where to begin: where the last connection ended, if there was one.

        Raises:
            RequestError: the header ``Last-Event-ID`` holds no position.
        """
        last = self.request.headers.get("last-event-id", "")
        if not last:
            return otherwise
        try:
            return read_positions(last)
        except ValueError as error:
            raise RequestError(f"Last-Event-ID means nothing here. {error}", code="live.position") from error

    async def may_go_on(self) -> bool:
        """Return whether they still see the same; asked every two seconds."""
        sessions: Sessions = self.request.app.state.sessions
        async with sessions() as session:
            user = await _person(self.request, session)
            if user is None:
                return False
            try:
                scope = await scope_of(session, user, self.scope.system, self.form.contract)
            except NotFoundError:
                return False
            return scope == self.scope and self.form.topic in scope.tabs

    async def batches(self, begin: Begin, *, jumps: bool) -> AsyncGenerator[Batch | None]:
        """Yield what passes, nothing now and then to show that the line is open; ends when they may not."""
        if self.hub is None:
            return
        topic = self.scope.topic(self.form.topic)
        sieve = sieve_for(self.scope, self.form.filter)
        checked = time.monotonic()
        async with aclosing(self.hub.follow(topic, begin, sieve, self.person, jumps=jumps)) as followed:
            async for batch in followed:
                if time.monotonic() - checked > RECHECK_S:
                    checked = time.monotonic()
                    if not await self.may_go_on():
                        return
                    yield None
                yield batch

    async def shown(self, batch: Batch) -> list[LiveRecord]:
        """Return the records of a batch with their units, as far as they are known by now."""
        records = [show(one, self.form.topic) for one in batch.records]
        return await with_units(records, self.units, self.scope.seen_as)


async def _person(request: Request, session: AsyncSession) -> User | None:
    if "authorization" not in request.headers:
        return await accounts.user_of(session, browser_token(request), touch=False)
    token = request.headers["authorization"].partition(" ")[2].strip()
    try:
        return (await tokens.holder_of(session, token, origin_of(request)))[0]
    except (NotLoggedInError, TooManyAttemptsError):
        return None


def _event(kind: str, payload: object, place: str = "") -> str:
    head = f"id: {place}\n" if place else ""
    return f"{head}event: {kind}\ndata: {json.dumps(payload, ensure_ascii=False)}\n\n"


CLOSED: Final = _event("closed", {})
ALIVE: Final = ": alive\n\n"


async def page_events(watch: Watch, begin: Begin, render: Render) -> AsyncGenerator[str]:
    """Yield events for a page: rows as it shows them, at most the newest hundred of a moment, and counts."""
    was_live: bool | None = None
    async with aclosing(watch.batches(begin, jumps=True)) as batches:
        async for batch in batches:
            if batch is None:
                yield ALIVE
                continue
            if not batch.read and not batch.skipped and batch.is_live is was_live:
                continue
            was_live = batch.is_live
            newest = batch.records[-ROWS:]
            matched = len(batch.records)
            batch.records = newest
            payload = {
                "is_live": batch.is_live,
                "rows": render(list(reversed(await watch.shown(batch)))) if newest else "",
                "read": batch.read,
                "matched": matched,
                "unusable": batch.unusable,
                "skipped": batch.skipped + matched - len(newest),
                "lost": batch.lost,
            }
            yield _event("rows", payload, write_positions(batch.positions))
    yield CLOSED


async def program_events(watch: Watch, begin: Begin) -> AsyncGenerator[str]:
    """Yield events for programs: one for each record, none left out, and where to go on."""
    told: dict[int, int] = {}
    read = matched = 0
    async with aclosing(watch.batches(begin, jumps=False)) as batches:
        async for batch in batches:
            if batch is None:
                yield ALIVE
                continue
            if batch.lost:
                yield _event("gap", {"lost": batch.lost})
            at = batch.before
            for record in await watch.shown(batch):
                at = told = following(at, [record.raw])
                yield _event("record", as_json(record), write_positions(at))
            read, matched = read + batch.read, matched + len(batch.records)
            if batch.positions != told:
                told = batch.positions
                yield _event("position", {"read": read, "matched": matched}, write_positions(told))
    yield CLOSED
