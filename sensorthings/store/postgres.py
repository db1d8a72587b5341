"""The observation store in PostgreSQL: COPY into monthly partitions, reads by Datastream and time.

What lives here: appending, reading and summing up. What does not: partitions (`store.partitions`), retention
(`store.retention`), the time buckets' statement (`store.buckets`), who may see what (`access.sight`): the
callers give ids and sources that may be seen.
"""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import psycopg
from sqlalchemy import BigInteger, bindparam, column, func, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import DateTime, Integer

from sensorthings.changes.notes import NOTE_MADE, note_observations
from sensorthings.database import Database, Prepared, Session, prepare
from sensorthings.model.tables import SCHEMA, observation
from sensorthings.store.batches import COLUMNS, Appended, NewObservation, copy_lines
from sensorthings.store.buckets import Bucket, bucket_statement
from sensorthings.store.extents import extents_of, widen
from sensorthings.store.observations import ALWAYS, Aggregate, Retained, Sample, Span
from sensorthings.store.partitions import ensure_partitions, forget_partitions
from sensorthings.store.retention import retain

_STAGING: Final = "observation_staging"
_CHUNK_ROWS: Final = 10_000
"""Rows written for COPY at once, to bound memory."""


class PostgresObservationStore:
    """Keeps Observations in PostgreSQL; an `ObservationStore`.

    Args:
        database: The service's tables.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(
        self, session: Session, batch: Sequence[NewObservation], *, may_repeat: bool = True
    ) -> Appended:
        """Store a batch and widen its Datastreams; see `ObservationStore.append`.

        Raises:
            psycopg.errors.CheckViolation: A partition went at this moment: begin the transaction again.
            psycopg.Error: What the database says.
            BusyError: No connection became free in time.
        """
        if not batch:
            return Appended((), 0)
        await ensure_partitions(self._database, (row.phenomenon_start for row in batch), session)
        try:
            if may_repeat and any(row.dt_id is not None for row in batch):
                stored = await _copy_once(session, batch)
                appended = Appended((), stored, len(batch) - stored)
            else:
                ids = await _take_ids(session, batch)
                await _copy(session, _COPY, batch, ids)
                await note_observations(session, ids)
                appended = Appended(ids, len(batch))
        except psycopg.errors.CheckViolation:
            # Another process has dropped a partition that this one remembers.
            forget_partitions(self._database)
            raise
        if appended.stored:
            await widen(session, extents_of(batch))
        return appended

    async def query(
        self, session: Session, datastream_ids: Sequence[int], *, limit: int, span: Span = ALWAYS
    ) -> list[Sample]:
        """Read the newest Observations of each Datastream; see `ObservationStore.query`.

        Raises:
            psycopg.Error: What the database says.
        """
        statement = _newest(span.since is not None, span.until is not None)
        values = {"ids": list(datastream_ids), "most": limit, "since": span.since, "until": span.until}
        return [Sample(*row) for row in await session.rows(statement, values)]

    async def aggregate(
        self,
        session: Session,
        datastream_ids: Sequence[int],
        bucket: Bucket,
        functions: Sequence[str],
        span: Span = ALWAYS,
    ) -> list[Aggregate]:
        """Sum up the numbers among the results by time buckets; see `ObservationStore.aggregate`.

        Raises:
            QueryTypeError: An unknown function.
            psycopg.Error: What the database says.
        """
        asked = tuple(functions)
        statement = _buckets(bucket, asked, span.since is not None, span.until is not None)
        values = {"ids": list(datastream_ids), "since": span.since, "until": span.until}
        found = await session.rows(statement, values)
        return [Aggregate(row[0], row[1], row[2], row[3:]) for row in found]

    async def retain(self, now: datetime) -> Retained:
        """Remove what is older than the retention of its Datastream; see `ObservationStore.retain`.

        Raises:
            psycopg.Error: What the database says.
            BusyError: No connection became free in time.
        """
        return await retain(self._database, now)


async def _take_ids(session: Session, batch: Sequence[NewObservation]) -> Sequence[int]:
    given = [row.id for row in batch]
    number = given.count(None)
    taken: list[int] = await session.scalar(_TAKE_IDS, {"number": number}) if number else []
    if number == len(batch):
        return taken
    free = iter(taken)
    return [next(free) if one is None else one for one in given]


async def _copy_once(session: Session, batch: Sequence[NewObservation]) -> int:
    """Store the rows that are not there yet; gives their number."""
    if await session.scalar(_HAS_STAGING) is None:
        await session.run(_MAKE_STAGING)
    await _copy(session, _COPY_STAGING, batch, await _take_ids(session, batch))
    stored: int = await session.scalar(_STORE_ONCE)
    await session.run(_CLEAR_STAGING)
    return stored


async def _copy(
    session: Session, statement: str, batch: Sequence[NewObservation], ids: Sequence[int]
) -> None:
    async with session.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for first in range(0, len(batch), _CHUNK_ROWS):
            chunk = slice(first, first + _CHUNK_ROWS)
            await copy.write(copy_lines(batch[chunk], ids[chunk]))


_NAMES: Final = ", ".join(("id", *COLUMNS))
_COPY: Final = f"COPY {SCHEMA}.observation ({_NAMES}) FROM STDIN"
_COPY_STAGING: Final = f"COPY pg_temp.{_STAGING} ({_NAMES}) FROM STDIN"
_TAKE_IDS = prepare(
    text(
        f"SELECT array_agg(nextval('{SCHEMA}.observation_id_seq'::regclass))"  # noqa: S608 - constants
        " FROM generate_series(1, :number)"
    ).bindparams(bindparam("number", type_=Integer))
)
_HAS_STAGING = prepare(text(f"SELECT to_regclass('pg_temp.{_STAGING}')"))
_MAKE_STAGING = prepare(
    text(f"CREATE TEMPORARY TABLE {_STAGING} (LIKE {SCHEMA}.observation) ON COMMIT DELETE ROWS")
)
_CLEAR_STAGING = prepare(text(f"DELETE FROM pg_temp.{_STAGING}"))  # noqa: S608 - constants
# In the order of dt_id, so that two batches with the same records cannot wait for each other.
_STORE_ONCE = prepare(
    text(
        f"WITH made AS (INSERT INTO {SCHEMA}.observation ({_NAMES})"  # noqa: S608 - constants
        f" SELECT {_NAMES} FROM pg_temp.{_STAGING} ORDER BY dt_id"
        " ON CONFLICT (dt_id, phenomenon_start, datastream_id) WHERE dt_id IS NOT NULL DO NOTHING"
        f" RETURNING id), noted AS ({NOTE_MADE}) SELECT count(*) FROM made"
    )
)


def _time(name: str) -> Any:  # noqa: ANN401 - a bind parameter
    return bindparam(name, type_=DateTime(timezone=True))


def _bounds(has_since: bool, has_until: bool) -> list[Any]:  # noqa: FBT001 - keys of a cache
    moment = observation.c.phenomenon_start
    return [moment >= _time("since")] * has_since + [moment < _time("until")] * has_until


@functools.cache
def _newest(has_since: bool, has_until: bool) -> Prepared:  # noqa: FBT001 - keys of a cache
    columns = observation.c
    wanted = (
        func.unnest(bindparam("ids", type_=ARRAY(BigInteger)))
        .table_valued(column("id", BigInteger), with_ordinality="place", name="wanted")
        .render_derived()
    )
    newest = (
        select(
            columns.id,
            columns.phenomenon_start,
            columns.phenomenon_end,
            func.coalesce(columns.result, func.to_jsonb(columns.result_number), type_=JSONB).label("result"),
            columns.result_time,
        )
        .where(columns.datastream_id == wanted.c.id, *_bounds(has_since, has_until))
        .order_by(columns.phenomenon_start.desc(), columns.id)
        .limit(bindparam("most", type_=Integer))
        .lateral("newest")
    )
    return prepare(
        select(wanted.c.id, *newest.c)
        .select_from(wanted.join(newest, true()))
        .order_by(wanted.c.place, newest.c.phenomenon_start.desc(), newest.c.id)
    )


@functools.lru_cache(maxsize=64)
def _buckets(bucket: Bucket, functions: tuple[str, ...], has_since: bool, has_until: bool) -> Prepared:  # noqa: FBT001
    own = observation.c.datastream_id == func.any(bindparam("ids", type_=ARRAY(BigInteger)))
    return prepare(bucket_statement(observation, bucket, functions, own, *_bounds(has_since, has_until)))
