"""Kafka as the relay sees it: batches of records and a note of them, in one transaction or not at all.

What lives here: the transactional producer, the topics that it needs, and the note in the compacted topic
`platform.outbox.state` (key: name of the relay; value: rows of its last batch, with the ids of their
records). What does not: the database (`sensorthings.outbox.rows`), when what is done
(`sensorthings.outbox.relay`).

How it works (KIP-98): opening the producer fences an older one of the same relay and ends its transaction, so
the note read afterwards is the last one for good. Every call has a short timeout and is made again by whoever
asks; what cannot go on raises, and the relay then starts anew with a new carrier.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from client.errors import MessagingError
from client.messaging.failures import TOO_LARGE, to_configuration_error, to_messaging_error
from client.messaging.records import HEADER_ID, partition_for
from client.messaging.security import KafkaSecurity
from sensorthings.outbox.rows import SentRow, WaitingRow

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("sensorthings.kafka")

STATE_TOPIC: Final = "platform.outbox.state"
_CALL_TIMEOUT_S: Final = 10.0
_READ_TIMEOUT_S: Final = 40.0
_TRANSACTION_TIMEOUT_MS: Final = 30_000
_FULL_QUEUE_WAIT_S: Final = 0.05
# Read first when the last note is looked for; more of the topic only where it is not among them.
_LAST_NOTES: Final = 64
# As the platform makes the topics of a system.
_RECORD_PARTITIONS: Final = 3
_RECORD_SETTINGS: Final = {"cleanup.policy": "delete"}
_STATE_SETTINGS: Final = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * 2**20),
    "segment.ms": str(600_000),
    "min.cleanable.dirty.ratio": "0.1",
}


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How the relay reaches Kafka.

    Attributes:
        bootstrap_servers: `host:port[,host:port...]`.
        security: Certificates and passwords.
    """

    bootstrap_servers: str
    security: KafkaSecurity

    def settings(self) -> dict[str, str | int | float | bool]:
        """Settings that all clients share."""
        return {
            **self.security.to_librdkafka(),
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": "sensorthings-outbox",
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 1_000,
        }


class RecordTooLargeError(MessagingError):
    """Say that a topic takes smaller records only; nothing of the batch was sent."""


class Carrier:
    """The producer of one relay; used by one thread.

    Raises:
        ConfigurationError: The client library refuses the settings.
    """

    def __init__(self, access: KafkaAccess, name: str) -> None:
        """Make the clients; nothing is sent yet.

        Args:
            access: How to reach Kafka.
            name: Of the relay: its transactional id, and the key of its notes.
        """
        self._access = access
        self._name = name
        self._partitions: dict[str, int] = {}
        self._refusals: list[KafkaError] = []
        try:
            self._producer = Producer(
                {
                    **access.settings(),
                    "transactional.id": name,
                    "transaction.timeout.ms": _TRANSACTION_TIMEOUT_MS,
                    "acks": "all",
                    "linger.ms": 5,
                    "batch.num.messages": 100_000,
                    "delivery.report.only.error": True,
                    "on_delivery": self._note_refusal,
                },
                logger=_kafka_log,
            )
            self._admin = AdminClient(access.settings(), logger=_kafka_log)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal

    def take_over(self) -> Sequence[SentRow]:
        """Fence an older relay of this name and give the rows of its last committed batch.

        Raises:
            MessagingError: Kafka does not answer, or refuses.
        """
        if self.missing([STATE_TOPIC]):
            raise MessagingError(f"topic {STATE_TOPIC} is not there and could not be created; trying again")
        with _Translated("take over", STATE_TOPIC):
            self._producer.init_transactions(_CALL_TIMEOUT_S)
        return self._last_note()

    def missing(self, topics: Sequence[str]) -> frozenset[str]:
        """Create the topics that are not there; give those that are still not there.

        Raises:
            MessagingError: Kafka does not answer.
        """
        if all(topic in self._partitions for topic in topics):
            return frozenset()
        self._look()
        for topic in sorted(set(topics) - self._partitions.keys()):
            self._create(topic)
        return frozenset(set(topics) - self._partitions.keys())

    def send(self, rows: Sequence[WaitingRow]) -> None:
        """Send records and the note of them, and commit: all of it is visible, or nothing.

        Args:
            rows: Of topics that are not missing.

        Raises:
            RecordTooLargeError: A record is larger than its topic takes.
            MessagingError: The outcome may be open; a new carrier of this name finds it out.
        """
        try:
            self._send(rows)
        except KafkaException as error:
            for refusal in (error.args[0], *self._refusals):
                if refusal.code() in TOO_LARGE:
                    raise RecordTooLargeError(refusal.str()) from error
            raise to_messaging_error(error.args[0], topic=rows[0].topic, operation="Write") from error

    def _note_refusal(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._refusals.append(error)

    def _send(self, rows: Sequence[WaitingRow]) -> None:
        self._producer.begin_transaction()
        for row in rows:
            key = row.key.encode()
            partition = partition_for(key, self._partitions[row.topic])
            header = (HEADER_ID, str(row.dt_id).encode())
            self._produce(row.topic, row.value.encode(), key, partition, [header])
        note = json.dumps([[row.id, row.dt_id.hex] for row in rows], separators=(",", ":"))
        self._produce(STATE_TOPIC, note.encode(), self._name.encode(), 0, [])
        self._producer.commit_transaction(_CALL_TIMEOUT_S)

    def _produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int,
        headers: list[tuple[str, str | bytes | None]],
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:
                self._producer.poll(_FULL_QUEUE_WAIT_S)
            else:
                return

    def _look(self) -> None:
        with _Translated("Describe", None):
            listing = self._admin.list_topics(timeout=_CALL_TIMEOUT_S)
        self._partitions = {
            name: len(topic.partitions)
            for name, topic in listing.topics.items()
            if topic.error is None and topic.partitions
        }

    def _create(self, topic: str) -> None:
        is_state = topic == STATE_TOPIC
        number, settings = (1, _STATE_SETTINGS) if is_state else (_RECORD_PARTITIONS, _RECORD_SETTINGS)
        new = NewTopic(topic, num_partitions=number, replication_factor=-1, config=dict(settings))
        try:
            self._admin.create_topics([new])[topic].result(_CALL_TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            if not (isinstance(error, KafkaException) and _is_there(error.args[0])):
                _log.warning(
                    "topic %s is not there and cannot be created (%s); its records wait in the outbox. "
                    "Create its system, or let the service create topics",
                    topic,
                    error.args[0].str() if isinstance(error, KafkaException) else "no answer",
                    extra={"action": "create_topic"},
                )
                return
        _log.info("created topic %s", topic, extra={"action": "create_topic"})
        deadline = time.monotonic() + _CALL_TIMEOUT_S
        # A topic that was just created takes a moment to be known to every broker.
        while topic not in self._partitions and time.monotonic() < deadline:
            time.sleep(_FULL_QUEUE_WAIT_S)
            self._look()

    def _last_note(self) -> Sequence[SentRow]:
        consumer = Consumer(
            {
                **self._access.settings(),
                "group.id": self._name,  # never used: the partition is assigned by hand
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
            },
            logger=_kafka_log,
        )
        try:
            with _Translated("Read", STATE_TOPIC):
                return self._search(consumer)
        finally:
            consumer.close()

    def _search(self, consumer: Consumer) -> Sequence[SentRow]:
        low, end = consumer.get_watermark_offsets(TopicPartition(STATE_TOPIC, 0), _CALL_TIMEOUT_S)
        number = _LAST_NOTES
        while end > low:
            first = max(end - number, low)
            notes = _read(consumer, first, end)
            if self._name in notes:
                return [_sent_row(one) for one in json.loads(notes[self._name])]
            if first == low:
                break
            number *= 8
        return ()


def _read(consumer: Consumer, first: int, end: int) -> Mapping[str, bytes]:
    """Read the last note of each relay between two offsets; waits for transactions that are still open."""
    deadline = time.monotonic() + _READ_TIMEOUT_S
    found: dict[str, bytes] = {}
    consumer.assign([TopicPartition(STATE_TOPIC, 0, first)])
    while time.monotonic() < deadline:
        messages: list[Message] = consumer.consume(100, 0.2)
        for message in messages:
            error = message.error()
            if error is None:
                found[(message.key() or b"").decode(errors="replace")] = message.value() or b"[]"
            elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's spelling
                _log.info("reading %s: %s", STATE_TOPIC, error.str(), extra={"action": "take_over"})
            elif (message.offset() or 0) >= end:
                return found
    raise MessagingError(f"topic {STATE_TOPIC} could not be read to its end; trying again")


def _sent_row(noted: list[Any] | str) -> SentRow:
    """Read a row of a note; the first release notes the ids of records only."""
    number, dt_id = (None, noted) if isinstance(noted, str) else noted
    return SentRow(number, UUID(hex=dt_id))


def _is_there(error: KafkaError) -> bool:
    return bool(error.code() == KafkaError.TOPIC_ALREADY_EXISTS)


class _Translated:
    """Turns what the client library raises into the words of this house."""

    def __init__(self, operation: str, topic: str | None) -> None:
        self._operation = operation
        self._topic = topic

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KafkaException):
            raise to_messaging_error(error.args[0], topic=self._topic, operation=self._operation) from error
