"""The recorder's loop: read, understand, store, and only then tell Kafka how far it came.

What lives here: the order of the steps and what happens when one of them fails. What does not: the steps
(`reading`, `catalogue`, `streamhub.engine.sinks`, `sensorthings.store`).

How it works: while one batch is being stored, the next one is read and understood. A batch is stored in one
transaction of the database; then refused records go to their dead-letter topics; then the offsets are
committed. A crash in between repeats records, which the store knows by their dt-id: so every record is stored
once, whatever happens when. Records of a Datastream that is not there yet are held for a short while, and the
offsets with them. The database away: the batch waits and is tried again, and nothing further is read.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple, TypeVar

import psycopg

from adapters.observation_store.catalogue import Catalogue, Link, Stream
from adapters.observation_store.reading import CODE_NOT_STORABLE, read_record
from adapters.observation_store.settings import RecorderSettings
from client.errors import MessagingError, RecordFormatError
from client.messaging.records import UNREADABLE_HEADERS
from sensorthings.database import Database
from sensorthings.errors import BusyError
from sensorthings.store.batches import NewObservation
from sensorthings.store.observations import ObservationStore
from sensorthings.store.partitions import ensure_partitions
from streamhub.engine.counters import RecordCounts
from streamhub.engine.dead_letters import CODE_HEADERS_NOT_TEXT
from streamhub.engine.sinks.letters import Letters, Refusal
from streamhub.engine.sinks.observed import ObservedSink
from streamhub.engine.sinks.reading import Marks, Reading, read_marks
from streamhub.engine.sinks.source import Source, not_beyond
from streamhub.engine.work import Partition
from streamhub.errors import StreamAppError

_log = logging.getLogger(__name__)

CODE_UNKNOWN_DATASTREAM: Final = "record.unknown_datastream"
CODE_RESULT_SIZE: Final = "record.result_size"
_RETRY_S: Final = 1.0
_REST_S: Final = 0.2
# A batch that takes longer than this makes the recorder stop reading, not leave its group [s].
_REST_AFTER_S: Final = 5.0
_MOST_HELD: Final = 20_000
# What the database says of one record among many; anything else concerns it as a whole.
_RECORD_ERRORS: Final = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded)
_Result = TypeVar("_Result")


class _StoppedError(StreamAppError):
    """Say that the recorder was stopped while it waited; what is not stored is read again."""


class _Outcome(NamedTuple):
    """What became of records: how many rows are new, what is refused, what waits for its Datastream."""

    stored: int
    refusals: list[Refusal]
    held: list[Reading]


class _Batch(NamedTuple):
    """What one turn has read, understood."""

    readings: Sequence[Reading]
    refusals: list[Refusal]
    positions: Mapping[Partition, int]
    consumed: int


class Recorder(ObservedSink):
    """Stores what a source gives until it is stopped, or the source has no more.

    Attributes:
        committed: What was stored and told to Kafka; `forwarded` counts the rows stored.
        copies: Forwarded records left out because the recorder reads the topic they come from.
    """

    def __init__(
        self,
        settings: RecorderSettings,
        database: Database,
        store: ObservationStore,
        source: Source,
        letters: Letters,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(source, monotonic)
        self._settings = settings
        self._database = database
        self._store = store
        self._letters = letters
        self._catalogue = Catalogue(database, monotonic)
        self._held: list[Reading] = []
        self._unknown: dict[Link, float] = {}
        self._stopping = asyncio.Event()
        self._stop_at = float("inf")
        self._thread = ThreadPoolExecutor(1, "kafka")
        self.committed = RecordCounts()
        self.copies = 0

    def stop(self) -> None:
        """Ask to finish what was read and end; returns at once."""
        self._stop_at = min(self._stop_at, self._monotonic() + self._settings.stop_grace_s)
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped, or until the source has no more.

        Raises:
            MessagingError: Kafka refuses for good.
        """
        await self._call(self._source.open)
        storing: asyncio.Task[None] | None = None
        try:
            while not (self._stopping.is_set() or self._source.is_done):
                batch = await self._read()
                await self._finish(storing)
                storing = asyncio.create_task(self._settle(batch))
                # Gives it the processor until it waits for the database.
                await asyncio.sleep(0)
            await self._finish(storing)
            storing = None
            if not self._stopping.is_set():
                await self._settle_held()
        except _StoppedError as error:
            _log.warning("%s", error, extra={"action": "stop"})
        finally:
            if storing is not None:
                storing.cancel()
            await self._call(self._source.close)
            self._thread.shutdown()

    async def _settle_held(self) -> None:
        while self._held:
            await asyncio.sleep(_REST_S)
            await self._settle(_Batch((), [], self._source.positions, 0))

    async def _call(self, call: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def _finish(self, storing: "asyncio.Task[None] | None") -> None:
        """Wait until a batch is stored; read nothing meanwhile, but stay in the group."""
        if storing is None:
            return
        await asyncio.wait({storing}, timeout=_REST_AFTER_S)
        while not storing.done():
            self.turned_at = self._monotonic()
            await self._call(partial(self._source.rest, _REST_S))
        await storing

    async def _read(self) -> _Batch:
        settings = self._settings
        messages = await self._call(partial(self._source.take, settings.idle_wait_s, settings.batch_records))
        self.turned_at = self._monotonic()
        readings: list[Reading] = []
        refusals: list[Refusal] = []
        for message in messages:
            try:
                marks = read_marks(message)
            except UNREADABLE_HEADERS as error:
                refusals.append(Refusal(message, CODE_HEADERS_NOT_TEXT, "", error))
                continue
            if marks.origin is not None and self._is_copy(marks):
                self.copies += 1
                continue
            try:
                readings.append(read_record(message, marks))
            except RecordFormatError as error:
                refusals.append(Refusal(message, error.code, error.detail))
        return _Batch(readings, refusals, self._source.positions, len(messages))

    def _is_copy(self, marks: Marks) -> bool:
        """Tell whether a forwarded record is read where it comes from too, whole and not as it was shared."""
        topic = (marks.origin or "").rpartition("/")[0].rpartition("/")[0]
        return self._source.has(topic)

    async def _settle(self, batch: _Batch) -> None:
        """Store a batch, keep what is refused, and tell Kafka; tried until it is done.

        Raises:
            _StoppedError: The recorder was stopped meanwhile.
        """
        counts = RecordCounts(consumed=batch.consumed)
        readings = [*self._held, *batch.readings]
        refusals, held = batch.refusals, []
        if readings:
            outcome = await self._patiently(partial(self._store_all, readings))
            counts.forwarded, held = outcome.stored, outcome.held
            refusals = [*refusals, *outcome.refusals]
        if refusals:
            await self._patiently(partial(self._write_letters, refusals, counts))
        positions = not_beyond((reading.message for reading in held), batch.positions)
        await self._call(partial(self._commit, positions))
        self._held, counts.held = held, len(held)
        total = RecordCounts()
        total.add(self.committed)
        total.add(counts)
        self.committed = total

    async def _patiently(self, call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Make a call until the database, or Kafka, does it.

        Raises:
            _StoppedError: The recorder was stopped meanwhile.
        """
        while True:
            try:
                return await call()
            except (psycopg.Error, BusyError, MessagingError) as error:
                self._note(f"waiting: {str(error).strip() or type(error).__name__}")
                # A Datastream or a feature that was remembered may be what has gone.
                self._catalogue.forget()
                if self._monotonic() > self._stop_at:
                    raise _StoppedError(f"stopped while waiting: {error}") from error
            await asyncio.sleep(_RETRY_S)

    async def _store_all(self, readings: Sequence[Reading]) -> _Outcome:
        """Store what can be stored.

        Raises:
            psycopg.Error: What the database says of all records together; nothing was decided.
            BusyError: No connection became free in time.
        """
        links = [(one.name, one.datastream_id, one.owner) for one in readings]
        streams = await self._catalogue.find(set(links))
        wanted = {(one.feature_id, one.owner) for one in readings if one.feature_id is not None}
        usable = await self._catalogue.usable_features(wanted) if wanted else frozenset()
        outcome = _Outcome(0, [], [])
        rows: list[NewObservation] = []
        kept: list[Reading] = []
        for link, reading in zip(links, readings, strict=True):
            stream = streams[link]
            if stream is None or stream.feature_id is None:
                self._wait_for(link, reading, outcome)
            elif stream.is_multi and not _fits(stream, reading.result):
                detail = f"a result of this MultiDatastream is an array of {stream.parts} values"
                outcome.refusals.append(Refusal(reading.message, CODE_RESULT_SIZE, detail))
            else:
                feature_id = stream.feature_id
                if reading.feature_id is not None and (reading.feature_id, reading.owner) in usable:
                    feature_id = reading.feature_id
                rows.append(_row(reading, stream, feature_id))
                kept.append(reading)
        for reading in outcome.held[: max(len(outcome.held) - _MOST_HELD, 0)]:
            outcome.refusals.append(_unknown(reading))
        del outcome.held[: max(len(outcome.held) - _MOST_HELD, 0)]
        for link in self._unknown.keys() & {link for link, stream in streams.items() if stream is not None}:
            del self._unknown[link]
        stored = await self._append(rows, kept, outcome.refusals)
        return outcome._replace(stored=stored)

    def _wait_for(self, link: Link, reading: Reading, outcome: _Outcome) -> None:
        """Hold a record as long as its Datastream may still come; that time runs once for each Datastream."""
        now = self._monotonic()
        if link not in self._unknown:
            if len(self._unknown) >= _MOST_HELD:
                self._unknown.clear()
            self._unknown[link] = now + self._settings.grace_s
        if now < self._unknown[link]:
            outcome.held.append(reading)
        else:
            outcome.refusals.append(_unknown(reading))

    async def _append(
        self, rows: Sequence[NewObservation], readings: Sequence[Reading], refusals: list[Refusal]
    ) -> int:
        """Store rows in one transaction; where one of them cannot be stored, find it and store the others."""
        if not rows:
            return 0
        await ensure_partitions(self._database, (row.phenomenon_start for row in rows))
        try:
            async with self._database.writing() as session:
                return (await self._store.append(session, rows)).stored
        except _RECORD_ERRORS as error:
            if len(rows) == 1:
                detail = str(error).splitlines()[0] if str(error) else type(error).__name__
                refusals.append(Refusal(readings[0].message, CODE_NOT_STORABLE, detail))
                return 0
        middle = len(rows) // 2
        first = await self._append(rows[:middle], readings[:middle], refusals)
        return first + await self._append(rows[middle:], readings[middle:], refusals)

    async def _write_letters(self, refusals: Sequence[Refusal], counts: RecordCounts) -> None:
        await self._call(partial(self._letters.write, refusals, counts))


def _fits(stream: Stream, result: object) -> bool:
    return isinstance(result, list) and len(result) == stream.parts


def _unknown(reading: Reading) -> Refusal:
    meant = reading.name or reading.datastream_id
    detail = f"the SensorThings service has no Datastream {meant!r} of system {reading.owner}"
    return Refusal(reading.message, CODE_UNKNOWN_DATASTREAM, detail)


def _row(reading: Reading, stream: Stream, feature_id: int) -> NewObservation:
    valid_start, valid_end = reading.valid or (None, None)
    return NewObservation(
        stream.identifier,
        feature_id,
        reading.start,
        reading.end,
        reading.result,
        reading.result_time,
        stream.is_multi,
        valid_start,
        valid_end,
        reading.quality,
        reading.parameters,
        reading.dt_id,
    )
