"""Retention on a real PostgreSQL."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url

from sensorthings.database import Database
from sensorthings.migrations import upgrade
from sensorthings.model import tables
from sensorthings.store import retention
from sensorthings.store.batches import NewObservation
from sensorthings.store.partitions import ensure_partitions
from sensorthings.store.postgres import PostgresObservationStore
from sensorthings.store.retention import keep_retention, retain, retain_alone
from tests.integration.sensorthings.stored import new_feature, new_stream

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database_url(new_database: Callable[[str], str]) -> str:
    url = new_database("retention")
    upgrade(make_url(url))
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(make_url(database_url), pool_size=4)
    await database.open()
    yield database
    await database.close()


async def stored(database: Database, *rows: NewObservation) -> None:
    await ensure_partitions(database, (one.phenomenon_start for one in rows))
    async with database.writing() as session:
        await PostgresObservationStore(database).append(session, rows)


async def moments(database: Database, stream: int) -> list[datetime]:
    columns = tables.observation.c
    async with database.reading() as session:
        wanted = select(columns.phenomenon_start).where(columns.datastream_id == stream)
        return sorted(row[0] for row in await session.rows(wanted))


async def partitions(database: Database) -> set[str]:
    async with database.reading() as session:
        found = text(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'sensorthings.observation'::regclass"
        )
        return {row[0].removeprefix("sensorthings.") for row in await session.rows(found)}


async def extent(database: Database, stream: int) -> tuple[object, ...] | None:
    columns = tables.datastream.c
    wanted = (columns.phenomenon_start, columns.phenomenon_end, columns.result_start, columns.result_end)
    async with database.reading() as session:
        return await session.row(select(*wanted, columns.west, columns.east).where(columns.id == stream))


async def test_what_is_older_than_the_retention_goes_and_extents_follow(database: Database) -> None:
    stream, near = await new_stream(database, properties={"retention": "P30D"})
    far = await new_feature(database, west=-9.0)
    kept = [NOW - at * DAY for at in (0, 10, 29)]
    old = [NOW - at * DAY for at in (31, 40, 300)]
    rows = [NewObservation(stream, near, one, one, 1, one) for one in kept]
    await stored(database, *rows, *(NewObservation(stream, far, one, one, 1, one) for one in old))
    assert await extent(database, stream) == (old[-1], NOW, old[-1], NOW, -9.0, 3.0)
    removed = await retain(database, NOW)
    assert await moments(database, stream) == sorted(kept)
    assert removed.datastreams == (stream,)
    assert await extent(database, stream) == (kept[-1], NOW, kept[-1], NOW, 1.0, 3.0)
    again = await retain(database, NOW)
    assert (again.deleted, again.dropped, again.datastreams) == (0, (), ())


async def test_a_month_that_nobody_wants_is_dropped_and_one_that_somebody_wants_stays(
    database: Database,
) -> None:
    short, feature = await new_stream(database, properties={"retention": "P10D"})
    forever, _ = await new_stream(database)
    march, april = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)
    await stored(
        database,
        NewObservation(short, feature, march, march, 1),
        NewObservation(short, feature, april, april, 1),
        NewObservation(forever, feature, april, april, 1),
    )
    removed = await retain(database, NOW)
    assert removed.dropped == ("observation_202603",)
    assert removed.deleted == 1
    assert await partitions(database) == {"observation_202604", "observation_before", "observation_after"}
    assert await moments(database, short) == []
    assert await moments(database, forever) == [april]
    assert await extent(database, short) == (None,) * 6
    # The month can come back.
    await stored(database, NewObservation(forever, feature, march, march, 1))
    assert await moments(database, forever) == [march, april]


async def test_the_current_month_stays_even_where_it_is_empty(database: Database) -> None:
    await ensure_partitions(database, [NOW, NOW - 100 * DAY])
    assert (await retain(database, NOW)).dropped == ("observation_202608",)
    assert "observation_202611" in await partitions(database)


async def test_deleting_goes_on_over_batches_also_where_times_are_equal(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, feature = await new_stream(database, properties={"retention": "P1D"})
    forever, _ = await new_stream(database)
    old = NOW - 3 * DAY
    later = [old + timedelta(minutes=at) for at in range(5)]
    await stored(
        database,
        *(NewObservation(stream, feature, old, old, at) for at in range(12_000)),
        *(NewObservation(stream, feature, one, one, 1) for one in later for _ in range(2000)),
        NewObservation(stream, feature, NOW, NOW, 1),
        NewObservation(forever, feature, old, old, 1),
    )
    assert (await retain(database, NOW)).deleted == 22_000
    assert await moments(database, stream) == [NOW]
    assert await moments(database, forever) == [old]


async def test_a_retention_that_is_no_duration_removes_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    stream, feature = await new_stream(database, properties={"retention": "a while"})
    await stored(database, NewObservation(stream, feature, NOW - 999 * DAY, NOW, 1))
    assert (await retain(database, NOW)).datastreams == ()
    assert len(await moments(database, stream)) == 1
    assert "no duration" in caplog.text


async def test_a_reader_in_the_way_of_a_drop_only_delays_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, feature = await new_stream(database, properties={"retention": "P10D"})
    old = NOW - 200 * DAY
    await stored(database, NewObservation(stream, feature, old, old, 1))
    async with database.writing() as reader:
        await reader.scalar(select(func.count()).select_from(tables.observation))
        removed = await retain(database, NOW)
        assert removed.dropped == ()
        assert removed.deleted == 1
    assert (await retain(database, NOW)).dropped == ("observation_202605",)


async def test_of_several_workers_one_removes(database: Database) -> None:
    key = retention._ADVISORY_LOCK
    async with database.reading() as other:
        await other.scalar(select(func.pg_advisory_lock(key)))
        assert await retain_alone(database, NOW) is None
        await other.scalar(select(func.pg_advisory_unlock(key)))
    assert await retain_alone(database, NOW) is not None


async def test_the_service_removes_by_itself(database: Database) -> None:
    stream, feature = await new_stream(database, properties={"retention": "P10D"})
    old = NOW - 20 * DAY
    await stored(database, NewObservation(stream, feature, old, old, 1))
    async with keep_retention(database, 3600, delay_s=0, clock=lambda: NOW), asyncio.timeout(60):
        while await moments(database, stream):  # noqa: ASYNC110 - the database tells
            await asyncio.sleep(0.02)


async def test_the_command_line_removes_and_says_what(database: Database, database_url: str) -> None:
    now = datetime.now(UTC)
    # Something is too old and something is not in the midst of a month, whatever day it is today.
    middle = (now.replace(day=1) - DAY).replace(day=15)
    stream, feature = await new_stream(database, properties={"retention": f"P{(now - middle).days}D"})
    old = now.replace(day=1) - 100 * DAY
    await stored(
        database, *(NewObservation(stream, feature, one, one, 1) for one in (old, middle - 2 * DAY, now))
    )
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sensorthings", "retain"),
        env=os.environ | {"DTWIN_SENSORTHINGS__DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    output, _ = await done.communicate()
    assert done.returncode == 0
    said = output.decode().splitlines()
    assert f"dropped observation_{old:%Y%m}" in said
    assert said[-1] == "deleted 1 Observations; 1 Datastreams changed"
    assert await moments(database, stream) == [now]
