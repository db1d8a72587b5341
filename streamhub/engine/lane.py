"""The batch lane: one thread that consumes, decides, produces and commits until it is told to stop.

What lives here: the turn of the loop, what a rebalance or an abort means for what is under way. What does
not: the work on a batch (`work`), reading (`source`), the transaction calls (`transaction`), processes and
signals (`streamhub.apps`).

How it works: a turn takes what the consumer has (up to `batch_records`), decides what becomes of it, opens
a transaction if none is open, sends, and commits when the transaction is `commit_interval_s` old.
Committing means waiting for the broker, so a second thread does it (`watched`), and meanwhile the lane
takes and decides the next batches; they are sent when the commit is done. Positions are noted with each
batch, so a commit carries exactly what was sent. Partitions revoked: commit first. Partitions lost: abort.
After an abort: every partition goes back to its committed offset. Kafka away: wait and go on. When a
contract ends, the lane does: what was decided before is committed, unless Kafka has to be waited for.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from client.errors import DigitalTwinError, NotAuthorizedError
from client.messaging.fencing import Fences
from streamhub.engine.counters import RecordCounts
from streamhub.engine.rights import Rights
from streamhub.engine.settings import LaneSettings, producer_settings
from streamhub.engine.source import SourceReader
from streamhub.engine.topics import TopicFacts
from streamhub.engine.transaction import (
    StoppedWhileWaitingError,
    TransactionAbortedError,
    TransactionLog,
    refused_by_transaction,
    translate,
)
from streamhub.engine.watched import CallLostError
from streamhub.engine.windows import FlowEnd
from streamhub.engine.work import Batch, Partition, Place, Work
from streamhub.errors import CopyFencedError, StreamAppError

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("streamhub.kafka")

_ABORT_PAUSE_S: Final = 0.2
# So many batches at most wait for the end of a commit.
_MOST_AHEAD: Final = 4
# What is asked of the consumer while a commit is under way: short, so that its end is seen.
_COMMIT_POLL_S: Final = 0.002


class _OutageOverError(StreamAppError):
    """Ask for new clients: after an outage librdkafka 2.16 may wait forever in a transaction call."""


class BatchLane:
    """Runs one copy of a stream app, exactly once, in the thread that calls `run`.

    Other threads may call `stop` and read `committed`, `positions`, `trouble`, `turned_at`, `newest_ms` and
    `is_assigned`; each is replaced as a whole, never changed in place. Numbers in `committed` are those of
    committed transactions.
    """

    def __init__(
        self, settings: LaneSettings, topics: TopicFacts, make_work: Callable[[Producer], Work]
    ) -> None:
        """Prepare a copy.

        Args:
            settings: How the copy runs.
            topics: What is known of its topics.
            make_work: Makes the work of the app for a producer; asked again after an outage.
        """
        self._settings = settings
        self._topics = topics
        self._make_work = make_work
        self._end = FlowEnd(settings.specification)
        self._stop_at: float | None = None
        self._stopping = threading.Event()
        self._pending = RecordCounts()
        self._ahead: deque[tuple[Any, Mapping[Partition, Place], int]] = deque()
        self._places: dict[Partition, Place] = {}
        self._is_abandoned = False
        self._saw_outage = False
        self._reader: SourceReader
        self._transaction: TransactionLog
        self._work: Work
        self._producer: Producer
        self._has_clients = False
        self.committed = RecordCounts()
        self.trouble: str | None = None
        self.turned_at = time.monotonic()

    @property
    def is_assigned(self) -> bool:
        """Whether the group has dealt out partitions to this copy."""
        return self._has_clients and self._reader.is_assigned

    @property
    def positions(self) -> Mapping[Partition, int]:
        """Next offset to read, by partition."""
        return self._reader.positions if self._has_clients else {}

    @property
    def newest_ms(self) -> int:
        """When the record read last was written to its topic [ms since 1970]; 0 before the first one."""
        return self._reader.newest_ms if self._has_clients else 0

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
            ContractEndedError: a contract that binds the app has ended.
            NotAuthorizedError: the app may not do what it has to, for instance not any more.
            StreamAppError: Kafka refuses to go on for another reason.
        """
        fences = Fences()
        while True:
            try:
                self._run_with_clients()
            except (_OutageOverError, CallLostError) as error:
                _log.warning("%s", error, extra={"action": "reopen"})
                if self._stopping.is_set():
                    return
            except CopyFencedError as error:
                if fences.note() or self._stopping.is_set():
                    raise
                _log.warning("%s; coming back with new clients", error.kafka, extra={"action": "reopen"})
                self.trouble = error.kafka
            else:
                self._end.check()
                return

    def _run_with_clients(self) -> None:
        """Open the clients, turn until stopped, close the clients."""
        self._pending = RecordCounts()
        self._ahead.clear()
        self._places = {}
        self._is_abandoned = self._saw_outage = False
        self._open()
        is_done = False
        try:
            while not self._stopping.is_set() and not self._end.is_over:
                self._turn()
            self._finish()
            is_done = True
        except StoppedWhileWaitingError as error:
            _log.warning("%s", error, extra={"action": "stop"})
        except NotAuthorizedError as error:
            self._abort_at_once()
            raise Rights(self._settings, self._topics).explain(error) from error
        finally:
            # After a failure the open transaction may hold half a batch: closing must not commit it.
            self._is_abandoned = not is_done
            self._reader.close()

    def _open(self) -> None:
        settings, topics = self._settings, self._topics
        # librdkafka's constructors write to standard error unless they are given a logger.
        self._producer = Producer(
            {
                **producer_settings(settings, topics.max_record_bytes, topics.max_dead_letter_bytes),
                "error_cb": self._on_client_error,
            },
            logger=_kafka_log,
        )
        self._reader = SourceReader(
            settings, topics, self, on_error=self._on_client_error, give_up=self._must_give_up
        )
        self._has_clients = True
        self._transaction = TransactionLog(self._reader.consumer, self._producer, self._must_give_up)
        self._work = self._make_work(self._producer)
        self._reader.needs_ends = self._work.needs_ends
        try:
            self._transaction.take_over()
        except StoppedWhileWaitingError:
            return
        except CallLostError:
            self._reader.close()
            raise
        self._reader.join()

    def _must_give_up(self, error: KafkaError) -> bool:
        """Say whether to stop waiting for Kafka; being asked shows that the lane is alive."""
        self.turned_at = time.monotonic()
        self._on_client_error(error)
        if self._is_abandoned or self._end.is_over:
            return True
        return self._stop_at is not None and time.monotonic() - self._stop_at > self._settings.stop_grace_s

    def _turn(self) -> None:
        """Take a batch and decide about it; send and commit when it is time."""
        try:
            batch = self._reader.take(self._wait_s(), self._settings.batch_records)
            self.turned_at = time.monotonic()
            if batch is None:
                self._start_over()
                return
            self._decide(batch)
            if not self._transaction.is_under_way or len(self._ahead) >= _MOST_AHEAD:
                self._go_on()
        except TransactionAbortedError as error:
            self._recover(error)
        except KafkaException as exception:
            translated = translate(exception.args[0])
            if not isinstance(translated, TransactionAbortedError):
                raise translated from exception
            self._recover(translated)

    def _wait_s(self) -> float:
        if self._transaction.is_under_way:
            return _COMMIT_POLL_S
        if self._transaction.is_open:
            age = self._transaction.age_s(time.monotonic())
            return max(self._settings.specification.commit_interval_s - age, 0.0)
        return self._settings.idle_wait_s

    def _decide(self, batch: Batch) -> None:
        if batch.messages:
            if self._saw_outage and not self._transaction.is_open:
                raise _OutageOverError("Kafka is back; going on with new clients")
        elif not (batch.positions or self._work.is_waiting):
            return
        if batch.positions:
            self.trouble = None
        decided = self._work.decide(batch)
        self._reader.hold_back(self._work.crowded)
        places = self._work.places(self._reader.positions)
        if decided is None and not self._ahead:
            # Markers of transactions were passed; that is committed with the next record.
            self._places.update(places)
        else:
            self._ahead.append((decided, places, len(batch.messages)))

    def _go_on(self) -> None:
        """Send what was decided; commit when the transaction is old enough."""
        self._send_ahead()
        self._producer.poll(0)
        if self._transaction.age_s(time.monotonic()) >= self._settings.specification.commit_interval_s:
            self._begin_commit()

    def _send_ahead(self) -> None:
        self._join_commit()
        while self._ahead:
            decided, places, consumed = self._ahead.popleft()
            if decided is not None:
                self._transaction.begin(time.monotonic())
                try:
                    self._work.send(decided, self._pending)
                except KafkaException as exception:
                    raise refused_by_transaction(exception.args[0]) from exception
            self._pending.consumed += consumed
            # Only now: whatever is committed from here on includes the whole batch.
            self._places.update(places)

    def _begin_commit(self) -> None:
        self._work.remember(self._pending)
        assigned = self._reader.assigned()
        places = {partition: place for partition, place in self._places.items() if partition in assigned}
        self._transaction.begin_commit(places)

    def _join_commit(self) -> None:
        if not self._transaction.is_committing:
            return
        self._transaction.join_commit()
        committed = RecordCounts()
        committed.add(self.committed)
        committed.add(self._pending)
        self.committed = committed
        self._pending = RecordCounts()
        self.trouble = None

    def _finish(self) -> None:
        """Send and commit everything that is under way, before leaving.

        What was decided cannot be left out: work with memory has taken it in already.
        """
        try:
            self._send_ahead()
            if self._transaction.is_open:
                self._begin_commit()
                self._join_commit()
        except TransactionAbortedError as error:
            _log.warning("%s; whoever comes next reads its records", error, extra={"action": "abort"})
            self._abort()

    def give_up_partitions(self, *, are_lost: bool) -> None:
        """Commit what was taken, or abort when the partitions are somebody else's already."""
        if are_lost:
            self._abort()
        elif not self._is_abandoned:
            self._finish()
        self._places = {}

    def take_partitions(self, places: Mapping[Partition, Place]) -> None:
        """Get ready to read from these places: what was remembered for them is read back."""
        self._places = {}
        self._work.restore(places)

    def _start_over(self) -> None:
        """Go back to what is committed, after partitions came or went."""
        self._finish()
        self._reader.rewind()

    def _abort_at_once(self) -> None:
        """Try to abort: an open transaction keeps readers of the target waiting until its timeout."""
        self._is_abandoned = True
        try:
            self._abort()
        except DigitalTwinError as error:
            _log.info("%s", error, extra={"action": "abort"})

    def _recover(self, error: TransactionAbortedError) -> None:
        _log.warning("%s; its records are read again", error, extra={"action": "abort"})
        self.trouble = str(error)
        # First of all: a transaction to which nothing could be added cannot always be aborted either.
        refused = Rights(self._settings, self._topics).missing() if error.was_not_delivered else None
        if refused is not None:
            raise refused
        self._abort()
        self._stopping.wait(_ABORT_PAUSE_S)
        self._reader.rewind()

    def _abort(self) -> None:
        self._ahead.clear()
        self._pending = RecordCounts()
        self._transaction.abort()

    def _on_client_error(self, error: KafkaError) -> None:
        # An outage is many errors per second: the first one is said, the latest one is shown.
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's spelling
            self._saw_outage = True
        if self.trouble is None:
            _log.warning("Kafka: %s", error.str(), extra={"action": "trouble"})
        self.trouble = error.str()
