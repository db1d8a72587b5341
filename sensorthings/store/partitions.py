"""Monthly partitions of the Observations: made when the first row of a month comes.

What lives here: which months a batch needs, and which of them this process knows to be there. What does not:
how a partition is made (the database function `make_observation_partition`, revision 0002) and when it goes
(`sensorthings.store.retention`).

A partition is made on a connection of its own, so that its locks last for a moment and not until the caller's
transaction ends. The new partition's foreign keys lock `datastream` and `feature_of_interest` against
writers: a caller that has written to one of them itself would wait for itself, without end, because only the
client knows that the two connections belong together. So the wait is short where a session is given, and the
caller's own transaction makes the partition then.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import DateTime, bindparam, func, select, text

from sensorthings.database import Database, Session, prepare
from sensorthings.errors import BusyError
from sensorthings.model.tables import SCHEMA

FIRST_YEAR: Final = 2000
"""Years before it share one partition."""
LAST_YEAR: Final = 2099
"""Years after it share one partition."""
_LOCK_WAIT_MS: Final = 500
"""How long the own connection waits for writers when the caller may be one of them [ms]."""

Month = tuple[int, int]
_known: WeakKeyDictionary[Database, set[Month]] = WeakKeyDictionary()
_MAKE = prepare(
    select(
        getattr(func, SCHEMA).make_observation_partition(bindparam("instant", type_=DateTime(timezone=True)))
    )
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


async def ensure_partitions(
    database: Database, starts: Iterable[datetime], session: Session | None = None
) -> None:
    """Make the partitions that rows of these phenomenonTimes need; does nothing for months known to be there.

    Args:
        database: Gives the connection that makes them.
        starts: Starts of the phenomenonTimes; aware.
        session: The transaction of the caller, where it may have written to Datastreams or features already.

    Raises:
        psycopg.Error: What the database says.
        BusyError: No connection became free in time, and there is no session.
    """
    known = _known.setdefault(database, set())
    missing = months_of(starts) - known
    for month in sorted(missing):
        if await _ensure(database, month, session):
            known.add(month)


async def _ensure(database: Database, month: Month, session: Session | None) -> bool:
    """Make one; gives whether it stays whatever becomes of the caller's transaction."""
    values = {"instant": datetime(*month, 1, tzinfo=UTC)}
    try:
        async with database.writing() as own:
            if session is not None:
                await own.run(_WAIT)
            await own.run(_MAKE, values)
    except (psycopg.errors.LockNotAvailable, BusyError):
        if session is None:
            raise
        await session.run(_MAKE, values)
        return False
    return True


def forget_partitions(database: Database) -> None:
    """Look all months up again: after a partition turned out to be gone."""
    _known.pop(database, None)
