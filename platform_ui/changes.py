"""News of changes for whoever brings them elsewhere: at once after a request, and every now and then.

What lives here: noticing that a request may have changed something, and waiting for it. What does not: what
is brought where (``access.keeper``, ``acls.keeper``).

A bell is rung after the request's answer has begun, so after its commit. Ringing says that something may have
changed, never what: who listens compares the whole state, so nothing is lost by a crash in between.

What another process has changed (a command of the operator, a replica of the site that ended before it
brought its change elsewhere) is told by the database, with the commit.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import Connection, func, make_url, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

CHANNEL: Final = "platform_changes"
RETRY_S: Final = 5.0
_CONNECT_TIMEOUT_S: Final = 5
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A process rings its own bells itself, and sooner.
_THIS_PROCESS: Final = secrets.token_hex(8)


class Bell:
    """Wakes one listener; rings that nobody heard yet count as one."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    @property
    def is_rung(self) -> bool:
        """Whether it was rung and nobody has heard it yet."""
        return self._rung.is_set()

    def ring(self) -> None:
        """Say that something may have changed."""
        self._rung.set()

    async def wait(self, longest_s: float) -> bool:
        """Wait until it is rung; True when it was, False after `longest_s` [s]."""
        try:
            async with asyncio.timeout(longest_s):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class ChangesMiddleware:
    """Rings bells after every request that may have changed something."""

    def __init__(self, app: ASGIApp, bells: Sequence[Bell]) -> None:
        self._app = app
        self._bells = bells

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one exchange."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return

        async def send_noticed(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < HTTPStatus.BAD_REQUEST:
                _ring(self._bells)
            await send(message)

        await self._app(scope, receive, send_noticed)


def announce(connection: Connection, sender: str = _THIS_PROCESS) -> None:
    """Let the other processes of the platform know of a change when the running transaction is committed.

    Source: PostgreSQL, "NOTIFY"; one transaction tells the same only once.

    Args:
        connection: That of the transaction.
        sender: Who changes something; this process when left out.
    """
    connection.execute(select(func.pg_notify(CHANNEL, sender)))


async def ring_for_others(database_url: str, bells: Sequence[Bell]) -> None:
    """Ring bells for what other processes have changed, until cancelled.

    Args:
        database_url: SQLAlchemy URL of the platform's database; a pooler in between must keep sessions.
        bells: Rung when one of them has committed a change, and when one may have been missed.
    """
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        try:
            await _ring_while_connected(url, bells)
        except psycopg.Error as error:
            _log.warning("changes by other processes take effect later: %s", error)
        await asyncio.sleep(RETRY_S)


async def _ring_while_connected(url: str, bells: Sequence[Bell]) -> None:
    connection = await psycopg.AsyncConnection.connect(
        url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S
    )
    async with connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        _ring(bells)
        async for news in connection.notifies():
            if news.payload != _THIS_PROCESS:
                _ring(bells)


def _ring(bells: Sequence[Bell]) -> None:
    for bell in bells:
        bell.ring()
