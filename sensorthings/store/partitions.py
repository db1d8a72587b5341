"""Monthly partitions of the Observations: made when the first row of a month comes.

What lives here: which months a batch needs, and which of them this process knows to be there. What does not:
how a partition is made (the database function `make_observation_partition`, revision 0002) and when it goes
(`sensorthings.store.retention`).

A partition is made on a connection of its own, never inside a caller's transaction: its foreign keys lock
`datastream` and `feature_of_interest` against writers, and the transaction may have written to them, or wait
for one that has. A caller inside a transaction is told which months are missing instead; whoever began the
transaction ends it, has them made, and begins again. The maker waits for running writers a moment only, lets
them pass and tries again, and one process makes one partition at a time, so that those who wait hold no
connection.
"""

import asyncio
import random
import time
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Final
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import ARRAY, DateTime, Text, bindparam, func, select, text

from sensorthings.database import Database, Session, prepare
from sensorthings.errors import BusyError
from sensorthings.model.tables import SCHEMA

FIRST_YEAR: Final = 2000
"""Years before it share one partition."""
LAST_YEAR: Final = 2099
"""Years after it share one partition."""
_LOCK_WAIT_MS: Final = 100
"""How long a maker waits for running writers, and has new ones wait, at a time [ms]."""
_PAUSE_S: Final = (0.02, 0.15)
"""Bounds of the pause between two tries [s]; chance keeps several processes out of step."""
_PATIENCE_S: Final = 30.0
"""How long a partition is tried to be made [s]."""

Month = tuple[int, int]
_known: WeakKeyDictionary[Database, set[Month]] = WeakKeyDictionary()
_makers: WeakKeyDictionary[Database, asyncio.Lock] = WeakKeyDictionary()
_MAKE = prepare(
    select(
        getattr(func, SCHEMA).make_observation_partition(bindparam("instant", type_=DateTime(timezone=True)))
    )
)
_THERE = prepare(
    text(
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = :schema AND relname = ANY(:names) AND relispartition"
    ).bindparams(bindparam("schema", SCHEMA), bindparam("names", type_=ARRAY(Text)))
)
_WAIT = prepare(text(f"SET LOCAL lock_timeout = {_LOCK_WAIT_MS}"))


def months_of(starts: Iterable[datetime]) -> set[Month]:
    """Give the months (UTC) that have a partition of their own and hold one of the times.

    >>> sorted(months_of([datetime(2026, 1, 31, tzinfo=UTC), datetime(1850, 1, 1, tzinfo=UTC)]))
    [(2026, 1)]
    """
    found = {(start.year, start.month) if start.tzinfo is UTC else _utc_month(start) for start in starts}
    return {month for month in found if FIRST_YEAR <= month[0] <= LAST_YEAR}


def _utc_month(start: datetime) -> Month:
    moved = start.astimezone(UTC)
    return moved.year, moved.month


class PartitionMissingError(BusyError):
    """Rows need months that are not there, inside a transaction that must not make them.

    Attributes:
        starts: A time in each of the months.
    """

    def __init__(self, months: Collection[Month]) -> None:
        super().__init__("a month of the Observations has to be made first")
        self.starts = [datetime(*month, 1, tzinfo=UTC) for month in sorted(months)]


async def ensure_partitions(
    database: Database, starts: Iterable[datetime], session: Session | None = None
) -> None:
    """Make the partitions that rows of these phenomenonTimes need; does nothing for months known to be there.

    Args:
        database: Gives the connection that makes them.
        starts: Starts of the phenomenonTimes; aware.
        session: The transaction of the caller, where it is inside one.

    Raises:
        PartitionMissingError: A month is missing, and the caller is inside a transaction.
        psycopg.Error: What the database says.
        BusyError: No connection became free in time, or writers left no gap to make a partition in.
    """
    known = _known.setdefault(database, set())
    missing = months_of(starts) - known
    if not missing:
        return
    if session is not None:
        known |= await _those_there(session, missing)
        if missing - known:
            raise PartitionMissingError(missing - known)
        return
    async with _makers.setdefault(database, asyncio.Lock()):
        for month in sorted(missing - known):
            await _make(database, datetime(*month, 1, tzinfo=UTC))
            known.add(month)


async def _those_there(session: Session, months: Collection[Month]) -> set[Month]:
    names = {f"observation_{year:04}{month:02}": (year, month) for year, month in months}
    return {names[row[0]] for row in await session.rows(_THERE, {"names": list(names)})}


async def _make(database: Database, instant: datetime) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            async with database.writing() as own:
                await own.run(_WAIT)
                await own.run(_MAKE, {"instant": instant})
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if time.monotonic() > deadline:
                raise BusyError(
                    f"the Observations of {instant:%Y-%m} found no gap between writers"
                ) from error
            await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret
        else:
            return


def forget_partitions(database: Database) -> None:
    """Look all months up again: after a partition turned out to be gone."""
    _known.pop(database, None)
