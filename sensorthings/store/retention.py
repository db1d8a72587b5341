"""Retention: Observations that their Datastream no longer wants are removed.

What lives here: what is too old, deleting it in small batches, dropping whole partitions, the loop that does
so every hour. What does not: checking a retention when it is written (`sensorthings.writes`).

A Datastream wants its Observations for `properties.retention`, an ISO 8601 duration such as `P30D`, counted
back from now to the start of the phenomenonTime; without it, for ever. A month in which nobody wants anything
any more goes as a whole, which costs next to nothing; the rest goes in batches with a transaction each, so
that nobody waits long. Every step can be repeated: a run that was stopped is continued by the next one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from sqlalchemy import BigInteger, DateTime, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from sensorthings.database import Database, Session, prepare
from sensorthings.errors import BusyError
from sensorthings.model.tables import SCHEMA, datastream, observation
from sensorthings.model.times import parse_duration
from sensorthings.store.extents import recompute
from sensorthings.store.observations import Retained
from sensorthings.store.partitions import forget_partitions

_log = logging.getLogger(__name__)
KEY: Final = "retention"
"""Where a Datastream's `properties` keep it."""
_BATCH_ROWS: Final = 5000
"""About how many Observations go in one transaction."""
_LOCK_WAIT_MS: Final = 2000
"""How long dropping a partition waits for readers and writers; it is tried again the next time [ms]."""
_DELAY_S: Final = 30.0
"""After the start, so that removing does not slow it [s]."""
_ADVISORY_LOCK: Final = 7_482_170_369
"""Held by the one worker that removes."""


async def retain(database: Database, now: datetime) -> Retained:
    """Remove what is older than the retention of its Datastream.

    Args:
        database: The service's tables.
        now: Time to count back from; aware.

    Raises:
        psycopg.Error: What the database says.
        BusyError: No connection became free in time.
    """
    async with database.reading() as session:
        limits = {one: limit for one, limit, _ in await _limits(session, now)}
        months = await session.rows(_MONTHS)
    touched: set[int] = set()
    dropped = []
    for name, end in sorted(months, key=lambda month: month[1]):
        done = [one for one, limit in limits.items() if limit >= end]
        lost = None if end > now else await _drop_month(database, name, done)
        if lost is not None:
            dropped.append(name)
            touched |= lost
    if dropped:
        forget_partitions(database)
    async with database.reading() as session:
        due = [(one, limit) for one, limit, start in await _limits(session, now) if start and start < limit]
    deleted = 0
    for identifier, limit in due:
        deleted += await _delete_older(database, identifier, limit)
        touched.add(identifier)
    return Retained(deleted, tuple(dropped), tuple(sorted(touched)))


@asynccontextmanager
async def keep_retention(
    database: Database,
    interval_s: float,
    *,
    delay_s: float = _DELAY_S,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[None]:
    """Remove what is too old now and then, as long as the context is open; of several workers one does so.

    Args:
        database: The service's tables.
        interval_s: Time between two runs [s]; 0 for none at all.
        delay_s: Time before the first one [s].
        clock: Tells the time.
    """
    if not interval_s:
        yield
        return
    task = asyncio.create_task(_keep(database, interval_s, min(delay_s, interval_s), clock))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep(database: Database, interval_s: float, delay_s: float, clock: Callable[[], datetime]) -> None:
    await asyncio.sleep(delay_s)
    while True:
        try:
            await retain_alone(database, clock())
        except (psycopg.Error, BusyError):
            _log.exception("retention failed", extra={"action": "retention_failed"})
        await asyncio.sleep(interval_s)


async def retain_alone(database: Database, now: datetime) -> Retained | None:
    """Remove what is too old, unless another process is at it; None then.

    Raises:
        psycopg.Error: What the database says.
        BusyError: No connection became free in time.
    """
    async with database.reading() as guard:
        if not await guard.scalar(_TAKE_LOCK):
            return None
        try:
            removed = await retain(database, now)
        finally:
            await guard.run(_GIVE_LOCK)
    if removed.deleted or removed.dropped:
        facts = {"deleted": removed.deleted, "dropped": removed.dropped}
        _log.info("old Observations removed", extra={"action": "retention", **facts})
    return removed


async def _limits(session: Session, now: datetime) -> list[tuple[int, datetime, datetime | None]]:
    """Give the Datastreams with a retention: id, first time that is still wanted, first time there is."""
    limits = []
    for identifier, duration, start in await session.rows(_RETENTIONS):
        try:
            limits.append((identifier, now - parse_duration(str(duration)), start))
        except (ValueError, OverflowError) as error:
            facts = {"action": "retention_unreadable", "datastream_id": identifier, "reason": str(error)}
            _log.warning("a Datastream's retention is no duration", extra=facts)
    return limits


async def _drop_month(database: Database, name: str, done: Collection[int]) -> set[int] | None:
    """Drop the partition of a month when only Datastreams that are done with it have something there.

    Returns:
        The Datastreams that lost Observations; None when it stays.
    """
    values = {"done": list(done)}
    wanted = _of_partition(name, "SELECT 1 FROM {} WHERE datastream_id <> ALL(:done) LIMIT 1")
    async with database.reading() as session:
        if await session.scalar(wanted, values) is not None:
            return None
    try:
        async with database.writing() as session:
            await session.run(_UNHURRIED)
            await session.run(_WAIT)
            # Writers wait from here on, readers only while it is dropped.
            await session.run(_of_partition(name, "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE"))
            if await session.scalar(wanted, values) is not None:
                return None
            lost = _of_partition(name, "SELECT DISTINCT datastream_id FROM {}")
            identifiers = {int(row[0]) for row in await session.rows(lost)}
            await session.run(_of_partition(name, "DROP TABLE {}"))
            await recompute(session, identifiers)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return None
    return identifiers


async def _delete_older(database: Database, identifier: int, limit: datetime) -> int:
    """Delete the Observations of a Datastream that start before a time; gives their number."""
    deleted = 0
    values: dict[str, Any] = {"datastream_id": identifier, "limit": limit}
    while True:
        async with database.writing() as session:
            await session.run(_UNHURRIED)
            # Everything up to the batch's last row, so that rows with equal times go together.
            last = await session.scalar(_LAST_OF_BATCH, values)
            number = await session.run(_DELETE, values | {"last": limit if last is None else last})
            deleted += number
            if last is None:
                await recompute(session, [identifier])
                return deleted


def _of_partition(name: str, statement: str) -> Any:  # noqa: ANN401 - an executable
    # The name comes from the catalogue and has been matched against our own pattern.
    made = text(statement.format(f'{SCHEMA}."{name}"'))
    return made.bindparams(bindparam("done", type_=ARRAY(BigInteger))) if ":done" in statement else made


_RETENTIONS = prepare(
    select(datastream.c.id, datastream.c.properties[KEY].astext, datastream.c.phenomenon_start)
    .where(datastream.c.properties.has_key(KEY))
    .order_by(datastream.c.id)
)
_MONTHS = prepare(
    text(f"""
SELECT part.relname, to_timestamp(substr(part.relname, 13), 'YYYYMM') + interval '1 month'
FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
WHERE inhparent = '{SCHEMA}.observation'::regclass AND part.relname ~ '^observation_[0-9]{{6}}$'
""")  # noqa: S608 - constants
)
_TIME = DateTime(timezone=True)
_own = observation.c.datastream_id == bindparam("datastream_id", type_=BigInteger)
_moment = observation.c.phenomenon_start
_LAST_OF_BATCH = prepare(
    select(_moment)
    .where(_own, _moment < bindparam("limit", type_=_TIME))
    .order_by(_moment)
    .offset(_BATCH_ROWS)
    .limit(1)
)
_DELETE = prepare(
    delete(observation).where(
        _own, _moment < bindparam("limit", type_=_TIME), _moment <= bindparam("last", type_=_TIME)
    )
)
_TAKE_LOCK = prepare(select(func.pg_try_advisory_lock(_ADVISORY_LOCK)))
_GIVE_LOCK = prepare(select(func.pg_advisory_unlock(_ADVISORY_LOCK)))
_WAIT = prepare(text(f"SET LOCAL lock_timeout = {_LOCK_WAIT_MS}"))
# Nobody waits for an answer here, and extents of long Datastreams take their time.
_UNHURRIED = prepare(text("SET LOCAL statement_timeout = 0"))
