"""The observation store on a real PostgreSQL."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.engine import make_url

from sensorthings.database import Database
from sensorthings.migrations import upgrade
from sensorthings.model import tables
from sensorthings.store import timescale
from sensorthings.store.batches import COLUMNS, Appended, NewObservation, copy_lines
from sensorthings.store.buckets import FUNCTIONS, ORIGIN, Bucket, parse_bucket
from sensorthings.store.observations import Span
from sensorthings.store.partitions import PartitionMissingError, ensure_partitions
from sensorthings.store.postgres import PostgresObservationStore
from tests.integration.sensorthings.stored import new_stream

COPY = f"COPY sensorthings.observation (id, {', '.join(COLUMNS)}) FROM STDIN"

T0 = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def store_url(new_database: Callable[[str], str]) -> str:
    url = new_database("store")
    upgrade(make_url(url))
    return url


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    database = Database(make_url(store_url), pool_size=4)
    await database.open()
    yield database
    await database.close()


async def test_a_batch_is_stored_whole_and_widens_its_datastream(database: Database) -> None:
    store = PostgresObservationStore(database)
    stream, feature = await new_stream(database)
    values = [1.5, 20, 20.0, 2**60, "a\tb\\n\n", None, True, {"a": ["ü", None]}, [1, 2], 1e300, 2**70]
    batch = [
        NewObservation(stream, feature, T0 + timedelta(hours=at), T0 + timedelta(hours=at), value, T0)
        for at, value in enumerate(values)
    ]
    await ensure_partitions(database, (one.phenomenon_start for one in batch))
    async with database.writing() as session:
        appended = await store.append(session, batch)
    assert (appended.stored, appended.repeated) == (len(values), 0)
    assert len(set(appended.ids)) == len(values)
    async with database.reading() as session:
        found = await store.query(session, [stream], limit=100)
        columns = tables.datastream.c
        extent = await session.row(
            select(
                columns.phenomenon_start,
                columns.phenomenon_end,
                columns.result_start,
                columns.west,
                columns.north,
            ).where(columns.id == stream)
        )
    assert [one.result for one in reversed(found)] == [*values[:-1], float(2**70)]
    assert [one.id for one in reversed(found)] == list(appended.ids)
    assert extent == (T0, T0 + timedelta(hours=len(values) - 1), T0, 1.0, 4.0)


async def test_repeated_records_are_stored_once(database: Database) -> None:
    store = PostgresObservationStore(database)
    stream, feature = await new_stream(database)
    batch = [NewObservation(stream, feature, T0, T0, at, dt_id=uuid4()) for at in range(10)]
    await ensure_partitions(database, (one.phenomenon_start for one in batch))
    async with database.writing() as session:
        first = await store.append(session, batch[:6])
        second = await store.append(session, batch[3:] + batch[9:])
    assert (first.stored, first.repeated) == (6, 0)
    assert (second.stored, second.repeated) == (4, 4)
    async with database.reading() as session:
        count = select(func.count()).where(tables.observation.c.datastream_id == stream)
        assert await session.scalar(count) == 10


async def count_of(database: Database, stream: int) -> int:
    async with database.reading() as session:
        count = select(func.count()).where(tables.observation.c.datastream_id == stream)
        return int(await session.scalar(count))


async def test_appends_of_the_same_records_at_once_store_each_once(database: Database) -> None:
    store = PostgresObservationStore(database)
    stream, feature = await new_stream(database)
    batch = [NewObservation(stream, feature, T0, T0, at, dt_id=uuid4()) for at in range(500)]

    async def append(rows: list[NewObservation]) -> Appended:
        await ensure_partitions(database, (one.phenomenon_start for one in rows))
        async with database.writing() as session:
            return await store.append(session, rows)

    told = await asyncio.gather(append(batch[:400]), append(batch[:99:-1]), append(batch))
    assert sum(one.stored for one in told) == 500
    assert sum(one.repeated for one in told) == 800
    assert await count_of(database, stream) == 500


async def test_a_record_that_comes_twice_in_one_batch_is_stored_once(database: Database) -> None:
    stream, feature = await new_stream(database)
    row = NewObservation(stream, feature, T0, T0, 1, dt_id=uuid4())
    await ensure_partitions(database, [row.phenomenon_start])
    async with database.writing() as session:
        appended = await PostgresObservationStore(database).append(session, [row, row])
    assert (appended.stored, appended.repeated) == (1, 1)


async def test_a_record_does_not_keep_one_with_its_id_out_of_another_datastream(database: Database) -> None:
    store, identifier = PostgresObservationStore(database), uuid4()
    first, second = await new_stream(database), await new_stream(database)
    await ensure_partitions(database, [T0])
    for stream, feature in (first, second):
        async with database.writing() as session:
            row = NewObservation(stream, feature, T0, T0, 1, dt_id=identifier)
            assert (await store.append(session, [row])).stored == 1, "else ids of others could be taken"


async def test_nothing_is_left_when_the_connection_dies_while_rows_are_copied(database: Database) -> None:
    stream, feature = await new_stream(database)
    rows = [NewObservation(stream, feature, T0, T0, at) for at in range(25_000)]

    async def kill_in_the_middle() -> None:
        async with database.writing() as session, database.reading() as killer:
            pid = session.connection.info.backend_pid
            lines = copy_lines(rows[:10_000], range(10_000))
            async with session.connection.cursor() as cursor, cursor.copy(COPY) as copy:
                await copy.write(lines)
                await killer.run(select(func.pg_terminate_backend(pid)))
                for _ in range(50):
                    await copy.write(lines)

    with pytest.raises(psycopg.OperationalError):
        await kill_in_the_middle()
    assert await count_of(database, stream) == 0
    await ensure_partitions(database, (one.phenomenon_start for one in rows))
    async with database.writing() as session:
        appended = await PostgresObservationStore(database).append(session, rows)
    assert appended.stored == await count_of(database, stream) == 25_000


async def test_a_missing_feature_fails_the_batch_and_leaves_nothing(database: Database) -> None:
    stream, feature = await new_stream(database)
    rows = [NewObservation(stream, one, T0, T0, 1) for one in (feature, 2**60)]
    await ensure_partitions(database, [T0])
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        async with database.writing() as session:
            await PostgresObservationStore(database).append(session, rows)
    assert await count_of(database, stream) == 0


@pytest.mark.parametrize(
    ("year", "partition"),
    [
        (1, "observation_before"),
        (1999, "observation_before"),
        (2000, "observation_200001"),
        (2099, "observation_209901"),
        (2100, "observation_after"),
        (9999, "observation_after"),
    ],
)
async def test_a_row_of_any_year_finds_its_partition(database: Database, year: int, partition: str) -> None:
    stream, feature = await new_stream(database)
    moment = datetime(year, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    await ensure_partitions(database, [moment])
    async with database.writing() as session:
        await PostgresObservationStore(database).append(
            session, [NewObservation(stream, feature, moment, moment, 1)]
        )
    async with database.reading() as session:
        (found,) = await PostgresObservationStore(database).query(session, [stream], limit=2)
        where = text(
            "SELECT tableoid::regclass::text FROM sensorthings.observation WHERE datastream_id = :id"
        )
        table = await session.scalar(where.bindparams(id=stream))
    assert found.phenomenon_start == moment
    assert table == f"sensorthings.{partition}"


async def test_inside_a_transaction_a_missing_month_is_told_and_not_made(database: Database) -> None:
    stream, feature = await new_stream(database)
    moment = datetime(2071, 5, 9, tzinfo=UTC)
    rows = [NewObservation(stream, feature, moment, moment, 1)]

    with pytest.raises(PartitionMissingError) as told:
        async with database.writing() as session:
            await PostgresObservationStore(database).append(session, rows)

    assert told.value.starts == [datetime(2071, 5, 1, tzinfo=UTC)]
    assert await count_of(database, stream) == 0


async def test_a_month_is_made_as_soon_as_writers_leave_a_gap(database: Database) -> None:
    stream, _ = await new_stream(database)
    moment = datetime(2072, 5, 1, tzinfo=UTC)
    changed = update(tables.datastream).where(tables.datastream.c.id == stream)
    async with database.writing() as session:
        await session.run(changed.values(name="m"))
        making = asyncio.create_task(ensure_partitions(database, [moment]))
        await asyncio.sleep(0.4)
        assert not making.done()
        async with database.writing() as other:  # other writers pass meanwhile
            await other.run(update(tables.sensor).values(description="e"))
    await asyncio.wait_for(making, 60)
    async with database.writing() as session:
        await ensure_partitions(database, [moment], session)


async def test_a_partition_that_another_process_dropped_is_asked_for_again(database: Database) -> None:
    store = PostgresObservationStore(database)
    stream, feature = await new_stream(database)
    moment = datetime(2066, 5, 1, tzinfo=UTC)
    row = NewObservation(stream, feature, moment, moment, 1)
    await ensure_partitions(database, [moment])
    async with database.writing() as session:
        await session.run(text("DROP TABLE sensorthings.observation_206605"))
    with pytest.raises(psycopg.errors.CheckViolation):
        async with database.writing() as session:
            await store.append(session, [row])
    await ensure_partitions(database, [moment])
    async with database.writing() as session:
        assert (await store.append(session, [row])).stored == 1


async def test_the_newest_of_each_datastream_come_in_one_statement(database: Database) -> None:
    store = PostgresObservationStore(database)
    streams = [await new_stream(database) for _ in range(3)]
    moments = [T0 + timedelta(days=20 * at) for at in range(5)]
    rows = [
        NewObservation(stream, feature, moment, moment, [stream, at])
        for stream, feature in streams[:2]
        for at, moment in enumerate(moments)
    ]
    await ensure_partitions(database, (one.phenomenon_start for one in rows))
    async with database.writing() as session:
        await store.append(session, rows)
    one, other, empty = (stream for stream, _ in streams)
    async with database.reading() as session:
        latest = await store.query(session, [other, empty, one], limit=1)
        inside = await store.query(session, [one], limit=9, span=Span(moments[1], moments[3]))
        before = await store.query(session, [one], limit=9, span=Span(until=moments[1]))
    assert [(sample.datastream_id, sample.result) for sample in latest] == [
        (other, [other, 4]),
        (one, [one, 4]),
    ]
    assert [sample.result for sample in inside] == [[one, 2], [one, 1]]
    assert [sample.result for sample in before] == [[one, 0]]


def start_in_python(bucket: Bucket, moment: datetime) -> datetime:
    """The start of a bucket, by the calendar."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if bucket.length is not None:
        return ORIGIN + (moment - ORIGIN) // bucket.length * bucket.length
    return {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "quarter": day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1),
        "year": day.replace(day=1, month=1),
    }[bucket.unit]


EDGES = st.sampled_from([0, 1, 999_999, 3_600_000_000, 86_400_000_000 - 1, 86_400_000_000])
MOMENTS = st.builds(
    lambda moment, edge: (
        moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(microseconds=edge)
    ),
    st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis
    EDGES,
)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize("length", ["PT1S", "PT7M", "PT1H", "P3D", "P1D", "P1W", "P1M", "P3M", "P1Y"])
async def test_buckets_hold_what_python_finds_in_them(database: Database, length: str) -> None:
    store = PostgresObservationStore(database)
    stream, feature = await new_stream(database)
    drawn: list[tuple[datetime, float]] = []

    @settings(max_examples=40, database=None, derandomize=True)
    @given(MOMENTS, NUMBERS)
    def draw(moment: datetime, number: float) -> None:
        drawn.append((moment, number))

    draw()  # here, not in a thread: nothing else may use random numbers meanwhile
    drawn += [(drawn[0][0], 5.0), (drawn[0][0], -5.0)]
    rows = [NewObservation(stream, feature, moment, moment, number) for moment, number in drawn]
    rows.append(NewObservation(stream, feature, T0, T0, "no number"))
    await ensure_partitions(database, (one.phenomenon_start for one in rows))
    async with database.writing() as session:
        await store.append(session, rows)
    bucket = parse_bucket(length)
    async with database.reading() as session:
        found = await store.aggregate(session, [stream], bucket, tuple(FUNCTIONS))
    expected: dict[datetime, list[float]] = {}
    for moment, number in sorted(drawn, key=lambda pair: pair[0]):
        expected.setdefault(start_in_python(bucket, moment), []).append(number)
    assert [one.start for one in found] == list(expected)
    for one, numbers in zip(found, expected.values(), strict=True):
        total = math.fsum(numbers)
        wanted = (
            len(numbers),
            min(numbers),
            max(numbers),
            total / len(numbers),
            total,
            numbers[0],
            numbers[-1],
        )
        assert one.values == pytest.approx(wanted, rel=1e-9, abs=1e-6)
        assert one.end > one.start
        assert start_in_python(bucket, one.end) == one.end
        assert start_in_python(bucket, one.end - timedelta(microseconds=1)) == one.start


@pytest.mark.parametrize("length", ["P1D", "P1Y", "P1000D", "P3M"])
async def test_buckets_end_with_the_calendar(database: Database, length: str) -> None:
    store = PostgresObservationStore(database)
    stream, feature = await new_stream(database)
    ends = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
    await ensure_partitions(database, ends)
    async with database.writing() as session:
        await store.append(session, [NewObservation(stream, feature, one, one, 1) for one in ends])
        first, last = await store.aggregate(session, [stream], parse_bucket(length), ["count"])
    assert (first.start, last.end) == (ends[0], ends[1])
    assert first.values == last.values == (1,)


async def test_rows_go_into_a_hypertable_as_into_partitions(new_database: Callable[[str], str]) -> None:
    """With a stand-in for the one function of TimescaleDB that changes the table."""
    url = make_url(new_database("hypertable"))
    upgrade(url)
    with psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False)
    ) as connection:
        connection.execute(
            "CREATE FUNCTION create_hypertable(relation regclass, name, chunk_time_interval interval)"
            " RETURNS void LANGUAGE sql AS ''"
        )
        for statement in timescale.CONVERT:
            connection.execute(statement)
    database = Database(url)
    await database.open()
    try:
        store = PostgresObservationStore(database)
        stream, feature = await new_stream(database, properties={"retention": "P1D"})
        batch = [NewObservation(stream, feature, T0, T0, at, dt_id=uuid4()) for at in range(3)]
        await ensure_partitions(database, (one.phenomenon_start for one in batch))
        async with database.writing() as session:
            await store.append(session, batch)
        await ensure_partitions(database, (one.phenomenon_start for one in batch))
        async with database.writing() as session:
            assert (await store.append(session, batch)).repeated == 3
        assert (await store.retain(T0 + timedelta(days=2))).deleted == 3
        assert await count_of(database, stream) == 0
    finally:
        await database.close()
