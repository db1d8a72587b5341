"""Forgetting readers of changes that do not come back, so that their notes do not fill the database.

What lives here: the loop. What does not: the statements (`sensorthings.changes.feed`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import psycopg

from sensorthings.changes.feed import forget_idle
from sensorthings.database import Database
from sensorthings.errors import BusyError

_log = logging.getLogger(__name__)
_INTERVAL_S: Final = 60.0


@asynccontextmanager
async def forgetting_idle_readers(
    database: Database, kept_s: float, *, interval_s: float = _INTERVAL_S
) -> AsyncIterator[None]:
    """Forget, as long as the context is open, readers that have not asked for `kept_s` [s].

    Args:
        database: The service's tables.
        kept_s: How long a reader may stay away [s].
        interval_s: Time between two looks [s].
    """
    task = asyncio.create_task(_keep(database, kept_s, interval_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep(database: Database, kept_s: float, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        try:
            async with database.writing() as session:
                forgotten = await forget_idle(session, kept_s)
        except (psycopg.Error, BusyError):
            _log.exception("idle readers of changes stay", extra={"action": "forget_readers_failed"})
            continue
        if forgotten:
            _log.warning(
                "%d readers of changes were away for too long and are forgotten",
                forgotten,
                extra={"action": "forget_readers"},
            )
