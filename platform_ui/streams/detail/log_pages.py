"""The log of a stream app: searched, followed while it grows, saved as a file.

What lives here: reading it for those who see the source system, since it may tell of records that were not
shared. What does not: what a line says about itself (``log_lines``), the file (the runner).
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from platform_ui.accounts import sessions as accounts
from platform_ui.accounts.access import LoggedIn
from platform_ui.browser import browser_token
from platform_ui.browser.downloads import disposition
from platform_ui.db import Database, Sessions, now
from platform_ui.errors import PlatformError
from platform_ui.streams import service
from platform_ui.streams.access import Runner
from platform_ui.streams.detail.log_lines import LEVELS, LogLine, LogSearch, read_lines, search
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.streams.running import call_runner
from platform_ui.streams.views import require_inside
from platform_ui.systems.access import Tails
from platform_ui.systems.tail import TailHub
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False, prefix="/systems/{system}/apps/{name}/log")

SHOWN: Final = 500
SEARCHED: Final = 100_000
MAX_TEXT: Final = 200
SPANS: Final = {
    "10m": timedelta(minutes=10),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
PERIOD_S: Final = 0.5
RECHECK_S: Final = 2.0
"""How long somebody sees new lines after their part has been taken away."""


def read_search(given: dict[str, str]) -> LogSearch:
    """Read which lines are wanted from the parameters of an address; what is no filter is left aside."""
    span = SPANS.get(given.get("within", ""))
    level = given.get("level", "").upper()
    return LogSearch(
        given.get("q", "").strip()[:MAX_TEXT],
        level if level in LEVELS else "",
        since=now() - span if span else None,
    )


@router.get("")
async def show_log(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Show the newest lines of the log that are wanted."""
    view = await service.get_app(database, user, system, name, runner)
    require_inside(view)
    given = dict(page.request.query_params)
    wanted = read_search(given)
    part = await service.log_part(view, runner, SEARCHED if not wanted.is_empty else SHOWN)
    found = await asyncio.to_thread(search, part.lines, wanted) if part else []
    return page.render(
        "streams/log.html",
        view=view,
        wanted=wanted,
        within=given.get("within", ""),
        spans=SPANS,
        levels=LEVELS,
        lines=found[-SHOWN:],
        left_out=max(len(found) - SHOWN, 0),
        cursor=part.cursor if part else "",
    )


@router.get("/download")
async def download_log(
    request: Request, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Give the log of an app as a file; the same parameters choose lines."""
    view = await service.get_app(database, user, system, name, runner)
    require_inside(view)
    part = await service.log_part(view, runner, SEARCHED)
    wanted = read_search(dict(request.query_params))
    found = await asyncio.to_thread(search, part.lines, wanted) if part else []
    return PlainTextResponse(
        "".join(f"{line.text}\n" for line in found),
        headers={"Content-Disposition": disposition(f"{view.app_id}.log")},
    )


@router.get("/live")
async def follow_log(
    request: Request,
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    tails: Tails,
    system: str,
    name: str,
    cursor: str = "",
) -> Response:
    """Stream the lines that the app logs from now on; the same parameters choose among them.

    Source: HTML Living Standard, clause 9.2 "Server-sent events".
    """
    view = await service.get_app(database, user, system, name, runner)
    require_inside(view)
    app_id = view.app_id
    await database.close()  # the stream lasts; the connection goes back to the pool
    begin = request.headers.get("last-event-id", cursor)
    # What comes is never too old, and without a time of its own it must not be taken for that.
    wanted = replace(read_search(dict(request.query_params)), since=None)
    follower = _Follower(request, runner, tails, (system, name, app_id))
    return StreamingResponse(
        follower.events(begin, wanted),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


class _Follower:
    """One browser that follows the log of one app."""

    def __init__(
        self, request: Request, runner: StreamRunner, tails: TailHub, names: tuple[str, str, str]
    ) -> None:
        self._request = request
        self._runner = runner
        self._tails = tails
        self._system, self._name, self._app_id = names

    async def events(self, cursor: str, wanted: LogSearch) -> AsyncIterator[str]:
        """Yield events until the browser leaves, or may not see the log any more."""
        checked = time.monotonic()
        while not self._tails.is_stopping:
            part = await call_runner(partial(self._runner.read_log, cursor=cursor), self._app_id)
            fresh = [line for line in read_lines(part.lines) if wanted.wants(line)]
            cursor = part.cursor
            if fresh:
                yield _event(cursor, fresh)
            await asyncio.sleep(PERIOD_S)
            if time.monotonic() - checked > RECHECK_S:
                checked = time.monotonic()
                if not await self._may_go_on():
                    yield "event: closed\ndata: {}\n\n"
                    return
                yield ": alive\n\n"

    async def _may_go_on(self) -> bool:
        """Return whether the browser is still logged in as somebody who sees the source system."""
        sessions: Sessions = self._request.app.state.sessions
        async with sessions() as session:
            user = await accounts.user_of(session, browser_token(self._request), touch=False)
            if user is None:
                return False
            try:
                view = await service.get_app(session, user, self._system, self._name, self._runner)
            except PlatformError:
                return False
            return view.sees_source


def _event(cursor: str, lines: Iterable[LogLine]) -> str:
    payload = [{"text": line.text, "level": line.level, "mark": line.is_mark} for line in lines]
    return f"id: {cursor}\nevent: lines\ndata: {json.dumps(payload)}\n\n"
