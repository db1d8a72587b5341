"""The sink's loop: read, make documents, send several bulks at a time, and only then tell Kafka.

What lives here: the order of the steps. What does not: the steps (`documents`, `metadata`, `bulks`,
`streamhub.engine.sinks`).

How it works: records gather in a bulk until it is large or a moment old. A bulk is sent by a thread of its
own, and tried until every document of it was taken or refused. Bulks are settled in the order in which they
were read: refused records go to their dead-letter topics, then the offsets are committed. So nothing is
committed before Elasticsearch has acknowledged everything before it, and a crash repeats records, which
Elasticsearch knows by their id. While as many bulks are on their way as may be, nothing is read; where that
takes long, the consumer pauses and stays in its group. Records of a Datastream that is not known yet are held
for a short while, and the offsets with them; the others go on.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Final, NamedTuple

from adapters.elasticsearch.bulks import Bulk, BulkWriter, Item, Outcome, StoppedError
from adapters.elasticsearch.documents import document, document_id
from adapters.elasticsearch.holding import HeldRecords
from adapters.elasticsearch.metadata import MetadataCache, Tail
from adapters.elasticsearch.schema import LONGEST_TERM
from adapters.elasticsearch.settings import ElasticsearchSinkSettings
from client.errors import MessagingError, RecordFormatError
from client.messaging.records import UNREADABLE_HEADERS
from streamhub.engine.counters import RecordCounts
from streamhub.engine.dead_letters import CODE_HEADERS_NOT_TEXT
from streamhub.engine.records import Record, TimedRecord
from streamhub.engine.sinks.letters import Letters, Refusal
from streamhub.engine.sinks.observed import ObservedSink
from streamhub.engine.sinks.reading import Reading, read_marks, read_record
from streamhub.engine.sinks.source import Source, not_beyond
from streamhub.engine.work import Partition

_log = logging.getLogger(__name__)

CODE_NAME_TOO_LONG: Final = "record.name_too_long"
_RETRY_S: Final = 1.0
_REST_S: Final = 0.2
# Pausing throws away what was fetched ahead: only where the wait is long [s].
_REST_AFTER_S: Final = 5.0
_HELD_WAIT_S: Final = 0.05
_RECORD_BYTES: Final = 500
"""What a record takes besides its value and its key, about [bytes]."""


class _Sent(NamedTuple):
    bulk: Bulk
    outcome: Future[Outcome] | None


class ElasticsearchSink(ObservedSink):
    """Indexes what a source gives until it is stopped, or the source has no more.

    Attributes:
        present: Records whose documents were there already.
    """

    def __init__(
        self,
        settings: ElasticsearchSinkSettings,
        source: Source,
        metadata: MetadataCache,
        writer: BulkWriter,
        letters: Letters,
        *,
        stopping: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(source, monotonic)
        self._settings = settings
        self._metadata = metadata
        self._writer = writer
        self._letters = letters
        self._stopping = stopping
        self._bulk = Bulk()
        self._begun_at = self._full_since = 0.0
        self._sent: deque[_Sent] = deque()
        self._held = HeldRecords()
        self._total = RecordCounts()
        self.present = 0

    @property
    def committed(self) -> RecordCounts:
        """What was acknowledged and told to Kafka.

        `forwarded` counts new documents, `missing` those without metadata, `held` what is on its way.
        """
        total = RecordCounts()
        total.add(self._total)
        total.held = self._bulk.consumed + len(self._held)
        total.held += sum(sent.bulk.consumed for sent in list(self._sent))
        return total

    @property
    def trouble(self) -> str | None:
        """Why it waits; None when it does not."""
        return self._writer.trouble or super().trouble

    @property
    def bulks_in_flight(self) -> int:
        """How many bulks wait for their acknowledgement."""
        return len(self._sent)

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of the documents that are not settled yet."""
        return self._bulk.size + sum(sent.bulk.size for sent in list(self._sent))

    def run(self) -> None:
        """Work until stopped, or until the source has no more.

        Raises:
            MessagingError: Kafka refuses for good.
        """
        self._source.open()
        try:
            while not (self._stopping.is_set() or self._source.is_done):
                self._turn()
            self._finish()
        except StoppedError as error:
            _log.warning("%s", error, extra={"action": "stop"})
        finally:
            self._stopping.set()
            self._source.close()

    def _turn(self) -> None:
        settings, now = self._settings, self._monotonic()
        self.turned_at = now
        self._settle()
        self._release()
        if self._bulk.size >= settings.bulk_bytes and not self._may_send():
            self._hold()
            return
        if self._held.size >= settings.bulk_bytes:
            # Nothing more is read until it is known what they are.
            self._send_when_due()
            self._pause(_HELD_WAIT_S)
            return
        self._full_since = now
        if self._bulk.consumed or self._sent or self._held:
            wait_s = min(settings.idle_wait_s, settings.linger_s / 2)
        else:
            wait_s = settings.idle_wait_s
        self._gather(self._source.take(wait_s, settings.take_records))
        self._send_when_due()

    def _hold(self) -> None:
        """Wait for an acknowledgement."""
        self._wait_for_one(_REST_S)
        if not self._may_send():
            self._pause(0.0)

    def _pause(self, wait_s: float) -> None:
        """Read nothing for a moment; stay in the group where that takes long."""
        if self._monotonic() - self._full_since > _REST_AFTER_S:
            self._source.rest(_REST_S)
        else:
            self._stopping.wait(wait_s)

    def _wait_for_one(self, longest_s: float) -> None:
        running = [sent.outcome for sent in self._sent if sent.outcome is not None]
        waiting = [outcome for outcome in running if not outcome.done()]
        if waiting:
            wait(waiting, timeout=longest_s, return_when=FIRST_COMPLETED)

    def _may_send(self) -> bool:
        return len(self._sent) < self._settings.in_flight

    def _send_when_due(self) -> None:
        bulk = self._bulk
        if not bulk.consumed:
            # Only the ends of partitions have moved: markers of transactions.
            if not self._sent:
                self._commit(self._held.before(self._source.positions))
            return
        is_due = self._monotonic() - self._begun_at >= self._settings.linger_s
        if self._may_send() and (bulk.size >= self._settings.bulk_bytes or is_due):
            self._send(self._source.positions)

    def _send(self, positions: Mapping[Partition, int]) -> None:
        bulk, self._bulk = self._bulk, Bulk()
        bulk.positions = self._held.before(positions)
        self._sent.append(_Sent(bulk, _in_thread(self._writer.write, bulk.items) if bulk.items else None))

    def _gather(self, messages: Sequence[Record]) -> None:
        """Make documents; where a bulk becomes full on the way, it is sent with what was read so far.

        A bulk that is full and may not be sent grows by what was taken already, and by nothing else.
        """
        largest = self._settings.bulk_bytes
        for number, message in enumerate(messages):
            if self._bulk.size >= largest:
                self._settle()
                if self._may_send():
                    self._send(not_beyond(messages[number:], self._source.positions))
            if not self._bulk.consumed:
                self._begun_at = self._monotonic()
            self._add(message)

    def _add(self, message: Record) -> None:
        try:
            marks = read_marks(message)
        except UNREADABLE_HEADERS as error:
            self._refuse(Refusal(message, CODE_HEADERS_NOT_TEXT, "", error))
            return
        try:
            reading = read_record(message, marks)
        except RecordFormatError as error:
            self._refuse(Refusal(message, error.code, error.detail))
            return
        if len(reading.name) > LONGEST_TERM:
            # Elasticsearch would refuse it too, but aggregations fail in an index that has met it.
            detail = f"its key has {len(reading.name):,} characters, more than the {LONGEST_TERM:,} of a term"
            self._refuse(Refusal(message, CODE_NAME_TOO_LONG, detail))
            return
        tail = self._metadata.tail(message.topic(), reading.name, reading.owner)
        if tail.waits_until and self._monotonic() < tail.waits_until:
            self._held.add(reading)
        else:
            self._put(reading, tail)

    def _refuse(self, refusal: Refusal) -> None:
        bulk = self._bulk
        bulk.consumed += 1
        bulk.refusals.append(refusal)
        # It is kept until it is settled, as a document is, and takes room although it may have no value.
        message = refusal.message
        bulk.size += len(message.value() or b"") + len(message.key() or b"") + _RECORD_BYTES

    def _put(self, reading: Reading, tail: Tail) -> None:
        message, bulk = reading.message, self._bulk
        dt_id, start = str(reading.dt_id), reading.start
        try:
            body = document(reading, dt_id, tail.text)
        except RecordFormatError as error:
            self._refuse(Refusal(message, error.code, error.detail))
            return
        timed: TimedRecord = message  # type: ignore[assignment] # consumed records have their time
        bulk.items.append(
            Item(timed, document_id(reading, dt_id), (start.year, start.month, start.day), body)
        )
        bulk.consumed += 1
        bulk.without_metadata += not tail.is_known
        bulk.size += len(body)

    def _release(self) -> None:
        """Go on with held records whose Datastream is known now, or has been waited for long enough."""
        if not self._held:
            return
        now = self._monotonic()
        for place in self._held.places():
            tail = self._metadata.tail(*place)
            if not tail.is_known and now < tail.waits_until:
                continue
            if not self._bulk.consumed:
                self._begun_at = now
            for reading in self._held.take(place):
                self._put(reading, tail)

    def _settle(self) -> None:
        """Settle the bulks that are done, in the order in which they were read."""
        while self._sent:
            bulk, future = self._sent[0]
            if future is not None and not future.done():
                return
            outcome = Outcome() if future is None else future.result()
            refusals = bulk.refusals
            if outcome.refusals:
                # Once: letters that could not be written are known again by their list.
                refusals += outcome.refusals
                outcome.refusals = []
            counts = RecordCounts(
                consumed=bulk.consumed, forwarded=outcome.created, missing=bulk.without_metadata
            )
            if refusals and not self._write_letters(refusals, counts):
                return
            self._commit(bulk.positions)
            self._sent.popleft()
            self.present += outcome.present
            total = RecordCounts()
            total.add(self._total)
            total.add(counts)
            self._total = total

    def _write_letters(self, refusals: Sequence[Refusal], counts: RecordCounts) -> bool:
        try:
            self._letters.write(refusals, counts)
        except MessagingError as error:
            self._note(f"waiting: {error}")
            self._source.rest(_RETRY_S)
            return False
        return True

    def _finish(self) -> None:
        """Settle what was read; when stopped, within some seconds, and without what is held."""
        stop_at = float("inf")
        while self._bulk.consumed or self._sent or (self._held and not self._stopping.is_set()):
            self.turned_at = self._monotonic()
            if self._stopping.is_set():
                stop_at = min(stop_at, self.turned_at + self._settings.stop_grace_s)
                if self.turned_at > stop_at:
                    _log.warning("stopped before all was acknowledged", extra={"action": "stop"})
                    return
            else:
                self._release()
            if self._bulk.consumed and self._may_send():
                self._send(self._source.positions)
            self._wait_for_one(_RETRY_S)
            self._settle()
            if not self._sent:
                self._stopping.wait(_HELD_WAIT_S)


def _in_thread(call: Callable[[list[Item]], Outcome], items: list[Item]) -> Future[Outcome]:
    """Make a call in a thread that does not keep the process from ending, whatever it waits for."""
    future: Future[Outcome] = Future()

    def work() -> None:
        try:
            future.set_result(call(items))
        except BaseException as error:  # noqa: BLE001 - handed over to whoever asks for the outcome
            future.set_exception(error)

    threading.Thread(target=work, name="bulk", daemon=True).start()
    return future
