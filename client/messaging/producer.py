"""Sending records to Kafka: idempotent, batched, in the background.

What lives here: the Kafka implementation of the port `Producer`. What does not: what a record says
(`records`), and what a client does when deliveries fail (`client.digital_twin_client`).

How it works: `produce` puts a record into librdkafka's queue and returns; a thread of this class serves the
acknowledgements. With `enable.idempotence` and `acks=all`, librdkafka repeats what was not acknowledged, in
order and without doubles, until `delivery_timeout_s` is over: an outage shorter than that loses nothing.

A library producer may end for good, for instance when no topic may be written to yet. Its records are given
up and said to be, and the next record makes another one, at most one in a second.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, cast

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as LibraryProducer

from client.errors import DeliveryError, QueueFullError
from client.messaging.delivery import DeliveryBook, DeliveryHandle
from client.messaging.failures import ALL_BROKERS_DOWN, PARTITION_MISSING, to_messaging_error
from client.messaging.ports import ConnectionListener, Headers
from client.messaging.records import partition_for

_log = logging.getLogger(__name__)

# Acknowledgements are served as they come; this bounds only how long stopping takes.
_POLL_S: Final = 0.2
# While the queue is full, how often to look for room.
_ROOM_POLL_S: Final = 0.05
# How long log records may hold up the end of a client.
_LAST_WORDS_S: Final = 5.0
_COMPLAINT_PAUSE_S: Final = 1.0
_ANEW_PAUSE_S: Final = 1.0
_MILLISECONDS: Final = 1000
# What a record is told that its producer has taken along; the reason is what has ended that.
_TAKEN_ALONG: Final = frozenset(
    {KafkaError._FATAL, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # noqa: SLF001 - librdkafka's spelling
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSettings:
    """Limits of sending."""

    delivery_timeout_s: float = 600.0  # longest outage without loss [s]
    queue_wait_s: float = 30.0  # wait for room in a full queue before QueueFullError [s]
    queue_max_records: int = 1_000_000
    queue_max_kbytes: int = 262_144  # 256 MiB
    linger_s: float = 0.005
    lookup_timeout_s: float = 10.0

    def to_librdkafka(self) -> dict[str, str | int | float]:
        """Write the settings as librdkafka spells them."""
        return {
            "acks": "all",
            "enable.idempotence": "true",
            "delivery.timeout.ms": round(self.delivery_timeout_s * _MILLISECONDS),
            "queue.buffering.max.messages": self.queue_max_records,
            "queue.buffering.max.kbytes": self.queue_max_kbytes,
            "linger.ms": self.linger_s * _MILLISECONDS,
            "batch.num.messages": 100_000,
            "batch.size": 1_000_000,
        }


_LibraryHeaders: TypeAlias = list[tuple[str, str | bytes | None]]
_Settle: TypeAlias = Callable[[KafkaError | None, Message], None]


class KafkaProducer:
    """Sends records and keeps every one until Kafka has it; see `client.messaging.ports.Producer`."""

    def __init__(
        self,
        connection: Mapping[str, str | int],
        settings: ProducerSettings,
        partition_counts: Callable[[Sequence[str], float], Mapping[str, int]],
        known_counts: Mapping[str, int],
        *,
        listener: ConnectionListener | None,
        library_logger: logging.Logger,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._look_up = partition_counts
        # Looked up once per topic; the first record of a checked topic need not wait.
        self._counts = dict(known_counts)
        self._is_down = False
        self._is_closed = False
        self._complained_at = float("-inf")
        self._has_ended = False
        self._ended_by: KafkaError | None = None
        self._anew_at = float("-inf")
        self.book = DeliveryBook()
        self._stopping = threading.Event()
        # Held while a record is put into the library's queue, and while another library producer takes over;
        # that serves acknowledgements, which may write a log record.
        self._gate = threading.RLock()
        self._make: Callable[[], LibraryProducer] = lambda: LibraryProducer(
            {**connection, **settings.to_librdkafka(), "error_cb": self._on_error}, logger=library_logger
        )
        self._producer = self._make()
        self._thread = threading.Thread(target=self._serve, name="dtwin-producer", daemon=True)
        self._thread.start()

    def produce(
        self, topic: str, key: bytes, value: bytes, headers: Headers, *, wait_s: float | None = None
    ) -> DeliveryHandle:
        """Hand over a record and return at once; see the port."""
        handle = self.book.open(topic)
        settle = partial(self._settle, handle)
        is_taken = False
        try:
            # Asked only now: close() first says so and then waits for what the book has open.
            if self._is_closed:
                raise DeliveryError(f"a record for {topic} was not taken: the client is disconnected")
            try:
                self._enqueue(topic, key, value, headers, settle)
            except BufferError:
                limit_s = self._settings.queue_wait_s if wait_s is None else wait_s
                self._retry_when_room(
                    partial(self._enqueue, topic, key, value, headers, settle), topic, limit_s
                )
            is_taken = True
        finally:
            # Whatever it was, also Ctrl-C while waiting for room: nobody must wait for this record.
            if not is_taken:
                self.book.withdraw()
        return handle

    def produce_aside(self, topic: str, key: bytes, value: bytes, headers: Headers) -> bool:
        """Hand over a record whose loss is bearable; see the port."""
        try:
            self._enqueue(topic, key, value, headers, self._settle_aside)
        except (BufferError, DeliveryError):
            return False
        return True

    def _settle(self, handle: DeliveryHandle, error: KafkaError | None, message: Message) -> None:
        if error is None:
            if self._is_down:
                self._confirm_connection()
            handle.succeed(message.partition(), message.offset())
        else:
            if self._ended_by is not None and error.code() in _TAKEN_ALONG:
                error = self._ended_by
            self._forget_partitions(error, handle.topic)
            handle.fail(to_messaging_error(error, topic=handle.topic, operation="Write"))
            self._complain(error, handle.topic)

    def _settle_aside(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._confirm_connection()
        else:
            _log.warning("a log record for %s was not delivered: %s", message.topic(), error.str())

    def _enqueue(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: _Settle) -> None:
        count = self._counts.get(topic) or self._partition_count(topic)
        try:
            with self._gate:
                if self._has_ended:
                    self._begin_anew()
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition_for(key, count),
                    on_delivery=settle,
                    headers=cast(_LibraryHeaders, headers),
                )
        except KafkaException as error:
            raise self._refusal(error.args[0], topic) from error

    def _refusal(self, error: KafkaError, topic: str) -> DeliveryError:
        self._forget_partitions(error, topic)
        translated = to_messaging_error(error, topic=topic, operation="Write")
        return translated if isinstance(translated, DeliveryError) else DeliveryError(str(translated))

    def _retry_when_room(self, enqueue: Callable[[], None], topic: str, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            self._poll(_ROOM_POLL_S)
            with contextlib.suppress(BufferError):
                enqueue()
                return
        raise QueueFullError(
            f"the local queue of {len(self._producer)} records stayed full for {limit_s} s; the record for "
            f"{topic} was not taken. Produce more slowly, check the broker, or allow more in "
            "ProducerSettings"
        )

    def _partition_count(self, topic: str) -> int:
        count = self._look_up([topic], self._settings.lookup_timeout_s)[topic]
        self._counts[topic] = count
        return count

    def _forget_partitions(self, error: KafkaError, topic: str) -> None:
        if error.code() in PARTITION_MISSING:
            self._counts.pop(topic, None)

    def _complain(self, error: KafkaError, topic: str) -> None:
        # After a long outage thousands are given up at once: one line per second says it.
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAINT_PAUSE_S:
            self._complained_at = now
            _log.error("a record for %s was given up: %s; %d so far", topic, error.str(), self.book.failed)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._poll(_POLL_S)

    def _poll(self, timeout_s: float) -> None:
        """Serve acknowledgements."""
        producer = self._producer
        try:
            producer.poll(timeout_s)
        except KafkaException as error:
            self._note_end(producer, error.args[0])

    def _flush(self, timeout_s: float) -> int:
        """Let the library send what it has; give how much it still has."""
        producer = self._producer
        try:
            return producer.flush(timeout_s)
        except KafkaException as error:
            self._note_end(producer, error.args[0])
            return len(producer)

    def _note_end(self, producer: LibraryProducer, error: KafkaError) -> None:
        """Give up what is on its way: the library says by an exception, and once, that it has ended."""
        _log.warning("sending has ended and begins anew with the next record: %s", error.str())
        self._ended_by, self._has_ended = error, True
        producer.purge()

    def _begin_anew(self) -> None:
        """Let another library producer take the place of one that has ended; seldom, for it may end as well.

        Raises:
            KafkaException: It is too early, or the settings are refused by now.
        """
        now = time.monotonic()
        if now < self._anew_at:
            raise KafkaException(self._ended_by)
        self._anew_at = now + _ANEW_PAUSE_S
        fresh = self._make()
        # Records of the next producer must not overtake those of this: they are told first.
        self._flush(_LAST_WORDS_S)
        self._producer, self._has_ended = fresh, False

    def _on_error(self, error: KafkaError) -> None:
        _log.debug("librdkafka: %s", error.str())
        if error.code() == ALL_BROKERS_DOWN and not self._is_down:
            self._is_down = True
            if self._listener is not None:
                self._listener.disconnected()

    def _confirm_connection(self) -> None:
        if self._is_down:
            self._is_down = False
            if self._listener is not None:
                self._listener.reconnected()

    def reopen(self, timeout_s: float) -> bool:
        """Connect anew, with what the certificate files hold now; see the port."""
        with self._gate:
            # Whoever wants to send waits: a record of the next producer must not overtake one of this.
            if self._is_closed or self._flush(timeout_s):
                return False
            self._producer = self._make()
            self._has_ended = False
        return True

    def flush(self, timeout_s: float) -> None:
        """Wait until every record is delivered; see the port."""
        self.book.wait_for_all(timeout_s)
        self.book.raise_undelivered(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Flush and stop; see the port."""
        self._is_closed = True
        try:
            self.flush(timeout_s)
        finally:
            # Log lines have no handles; they get a moment.
            self._flush(min(timeout_s, _LAST_WORDS_S))
            self._stopping.set()
            self._thread.join()
            if len(self._producer):
                self._producer.purge()
                self._poll(0)
