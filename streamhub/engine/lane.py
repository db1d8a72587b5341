"""The batch lane: one thread that consumes, decides, produces and commits until it is told to stop.

What lives here: the turn of the loop, rebalances, what to do after an abort. What does not: the work on a
batch (`batch`), the transaction calls (`transaction`), processes and signals (`streamhub.apps`).

How it works: a turn takes what the consumer has (up to `batch_records`), opens a transaction if none is open,
sends what leaves, and commits when the transaction is `commit_interval_s` old. Positions are taken from the
consumer right after the batch was taken, in the same thread, so that a rebalance served *inside* the next
call commits exactly what was processed. Partitions revoked: commit first. Partitions lost: abort. After an
abort: every partition goes back to its committed offset. Kafka away: wait and go on.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from streamhub.engine.batch import BatchForwarder, Record, Statement
from streamhub.engine.counters import RecordCounts
from streamhub.engine.settings import LaneSettings, consumer_settings, producer_settings
from streamhub.engine.topics import TopicFacts
from streamhub.engine.transaction import (
    StoppedWhileWaitingError,
    TransactionAbortedError,
    TransactionLog,
    call_patiently,
    translate,
)
from streamhub.errors import CopyFencedError, StreamAppError

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("streamhub.kafka")

_CALL_TIMEOUT_S: Final = 2.0
_ABORT_PAUSE_S: Final = 0.2
# So often within that time only a rival fences.
_MOST_FENCES: Final = 4
_FENCES_WITHIN_S: Final = 60.0
Partition = tuple[str, int]


class _OutageOverError(StreamAppError):
    """Ask for new clients: after an outage librdkafka 2.16 may wait forever in a transaction call."""


class BatchLane:
    """Runs one copy of a single-source stream app, exactly once, in the thread that calls `run`.

    Other threads may call `stop` and read `committed`, `positions`, `trouble`, `turned_at` and `is_assigned`;
    each is replaced as a whole, never changed in place. Numbers in `committed` are those of committed
    transactions.
    """

    def __init__(self, settings: LaneSettings, statement: Statement, topics: TopicFacts) -> None:
        self._settings = settings
        self._statement = statement
        self._topics = topics
        self._stop_at: float | None = None
        self._stopping = threading.Event()
        self._pending = RecordCounts()
        self._is_rebalanced = False
        self._is_abandoned = False
        self._saw_outage = False
        self._consumer: Consumer
        self._transaction: TransactionLog
        self._forwarder: BatchForwarder
        self._producer: Producer
        self.committed = RecordCounts()
        self.positions: Mapping[Partition, int] = {}
        self.trouble: str | None = None
        self.turned_at = time.monotonic()
        self.is_assigned = False

    def stop(self) -> None:
        """Ask the lane to commit and leave; returns at once, may be called from any thread."""
        if self._stop_at is None:
            self._stop_at = time.monotonic()
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop` is called.

        Kafka fences a copy whose transaction outlived an outage just as one that was replaced: so the lane
        comes back with new clients, and only when that happens again and again is there a rival.

        Raises:
            CopyFencedError: another process runs the same copy.
            StreamAppError: Kafka refuses to go on, for instance for want of a right.
        """
        fences: deque[float] = deque(maxlen=_MOST_FENCES)
        while True:
            try:
                self._work()
            except _OutageOverError as error:
                _log.warning("%s", error, extra={"action": "reopen"})
            except CopyFencedError as error:
                now = time.monotonic()
                fences.append(now)
                rival = len(fences) == _MOST_FENCES and now - fences[0] < _FENCES_WITHIN_S
                if rival or self._stopping.is_set():
                    raise
                _log.warning("%s; coming back with new clients", error.kafka, extra={"action": "reopen"})
                self.trouble = error.kafka
            else:
                return

    def _work(self) -> None:
        """Open the clients, turn until stopped, close the clients."""
        self._pending = RecordCounts()
        self._is_abandoned = self._saw_outage = False
        self._open()
        is_done = False
        try:
            while not self._stopping.is_set():
                self._turn()
            self._commit_guarded()
            is_done = True
        except StoppedWhileWaitingError as error:
            _log.warning("%s", error, extra={"action": "stop"})
        finally:
            # After a failure the open transaction may hold half a batch: closing must not commit it.
            self._is_abandoned = not is_done
            self._close()

    def _open(self) -> None:
        settings = self._settings
        # librdkafka's constructors write to standard error unless they are given a logger.
        self._producer = Producer(
            {
                **producer_settings(
                    settings, self._topics.max_record_bytes, self._topics.max_dead_letter_bytes
                ),
                "error_cb": self._on_client_error,
            },
            logger=_kafka_log,
        )
        self._consumer = Consumer(
            {**consumer_settings(settings), "error_cb": self._on_client_error}, logger=_kafka_log
        )
        self._transaction = TransactionLog(self._consumer, self._producer, self._must_give_up)
        self._forwarder = BatchForwarder(
            settings.specification, self._statement, self._producer, self._topics
        )
        try:
            self._transaction.take_over()
        except StoppedWhileWaitingError:
            return
        self._consumer.subscribe(
            [settings.specification.source_topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _close(self) -> None:
        try:
            self._consumer.close()
        except (KafkaException, StreamAppError) as error:
            _log.warning("closing the consumer: %s", error, extra={"action": "close"})
        self.is_assigned = False

    def _must_give_up(self, error: KafkaError) -> bool:
        """Say whether to stop waiting for Kafka; being asked shows that the lane is alive."""
        self.turned_at = time.monotonic()
        self._on_client_error(error)
        return self._stop_at is not None and time.monotonic() - self._stop_at > self._settings.stop_grace_s

    def _turn(self) -> None:
        """Take a batch, send what leaves, commit when it is time."""
        self._is_rebalanced = False
        try:
            messages = self._take()
            now = self.turned_at = time.monotonic()
            if self._is_rebalanced:
                # Records of this call may belong to partitions that were taken away in the middle of it.
                self._rewind()
                return
            if messages:
                if self._saw_outage and not self._transaction.is_open:
                    raise _OutageOverError("Kafka is back; going on with new clients")
                self._process(messages, now)
            self._producer.poll(0)
            if self._transaction.age_s(time.monotonic()) >= self._settings.specification.commit_interval_s:
                self._commit()
        except TransactionAbortedError as error:
            self._recover(error)
        except KafkaException as exception:
            translated = translate(exception.args[0])
            if not isinstance(translated, TransactionAbortedError):
                raise translated from exception
            self._recover(translated)

    def _take(self) -> Sequence[Message]:
        """Take the first record as soon as it comes, and then what else is there."""
        age = self._transaction.age_s(time.monotonic())
        interval = self._settings.specification.commit_interval_s
        wait = max(interval - age, 0.0) if self._transaction.is_open else self._settings.idle_wait_s
        messages: list[Message] = self._consumer.consume(1, wait)
        if messages:
            messages += self._consumer.consume(self._settings.batch_records - 1, 0)
        return messages

    def _process(self, messages: Sequence[Message], now: float) -> None:
        ends: Mapping[Partition, int] = {}
        if any(map(Message.error, messages)):
            ends = self._read_news(messages)
            messages = [message for message in messages if message.error() is None]
        positions = dict(self.positions)
        if messages:
            positions.update(self._read_positions(messages))
            self._transaction.begin(now)
            self._forwarder.forward(cast("Sequence[Record]", messages), self._pending)
        for place, end in ends.items():
            if end > positions.get(place, end):
                positions[place] = end
        # Only now: whatever is committed from here on includes the whole batch.
        self.positions = positions

    def _read_positions(self, messages: Sequence[Message]) -> Mapping[Partition, int]:
        """Where to go on behind a batch, for the partitions that it holds records of."""
        places = self._consumer.assignment()
        if len(places) > 1:
            touched = set(map(Message.partition, messages))
            places = [place for place in places if place.partition in touched]
        return {(place.topic, place.partition): place.offset for place in self._consumer.position(places)}

    def _read_news(self, messages: Sequence[Message]) -> Mapping[Partition, int]:
        """Read what the client library says in between records; returns the ends of partitions."""
        ends: dict[Partition, int] = {}
        for message in messages:
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's spelling
                # Markers of transactions take offsets too: the end is further than the last record.
                ends[message.topic() or "", message.partition() or 0] = message.offset() or 0
                self.trouble = None
            elif error.fatal():
                raise translate(error)
            else:
                self._on_client_error(error)
        return ends

    def _commit(self) -> None:
        assigned = {(place.topic, place.partition) for place in self._consumer.assignment()}
        self._transaction.commit(
            {place: offset for place, offset in self.positions.items() if place in assigned}
        )
        committed = RecordCounts()
        committed.add(self.committed)
        committed.add(self._pending)
        self.committed = committed
        self._pending = RecordCounts()
        self.trouble = None

    def _commit_guarded(self) -> None:
        """Commit what is open, or give it up: then its records are read again by whoever comes next."""
        if self._is_abandoned or not self._transaction.is_open:
            return
        try:
            self._commit()
        except TransactionAbortedError as error:
            _log.warning("%s", error, extra={"action": "abort"})
            self._pending = RecordCounts()
            self._transaction.abort()

    def _recover(self, error: StreamAppError) -> None:
        _log.warning("%s; its records are read again", error, extra={"action": "abort"})
        self.trouble = str(error)
        self._pending = RecordCounts()
        self._transaction.abort()
        self._stopping.wait(_ABORT_PAUSE_S)
        self._rewind()

    def _rewind(self) -> None:
        """Go back to the committed offset of every partition; what was taken since is taken again."""
        assignment = self._consumer.assignment()
        if not assignment:
            return
        committed = call_patiently(lambda: self._ask_committed(assignment), self._must_give_up)
        # Assigning again instead of seeking: it also works before the first fetch and empties the queue.
        self._consumer.assign(
            [
                TopicPartition(
                    place.topic, place.partition, place.offset if place.offset >= 0 else OFFSET_BEGINNING
                )
                for place in committed
            ]
        )
        self.positions = self._starts(committed)

    def _ask_committed(self, assignment: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        committed = self._consumer.committed(list(assignment), _CALL_TIMEOUT_S)
        for place in committed:
            if place.error is not None:
                # Its offset is not known, which must not be taken for "nothing committed yet".
                raise KafkaException(place.error)
        return committed

    def _starts(self, committed: Sequence[TopicPartition]) -> Mapping[Partition, int]:
        starts: dict[Partition, int] = {}
        for place in committed:
            offset = place.offset
            if offset < 0:
                try:
                    offset, _ = self._consumer.get_watermark_offsets(place, _CALL_TIMEOUT_S)
                except KafkaException:
                    offset = 0
            starts[place.topic, place.partition] = offset
        return starts

    def _on_assign(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._is_rebalanced = True
        self.is_assigned = True
        self.positions = {}
        _log.info("assigned %d partitions", len(partitions), extra={"action": "assign"})

    def _on_revoke(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._is_rebalanced = True
        self._commit_guarded()
        self.positions = {}
        self.is_assigned = False
        _log.info("gave up %d partitions", len(partitions), extra={"action": "revoke"})

    def _on_lost(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._is_rebalanced = True
        self._pending = RecordCounts()
        self._transaction.abort()
        self.positions = {}
        self.is_assigned = False
        _log.warning("lost %d partitions; another copy has them", len(partitions), extra={"action": "lost"})

    def _on_client_error(self, error: KafkaError) -> None:
        # An outage is many errors per second: the first one is said, the latest one is shown.
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's spelling
            self._saw_outage = True
        if self.trouble is None:
            _log.warning("kafka: %s", error.str(), extra={"action": "client_error"})
        self.trouble = error.str()
