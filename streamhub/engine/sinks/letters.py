"""Records that a sink cannot use go to the dead-letter topic of their own before anything is committed.

What lives here: the producer, the topics, waiting until Kafka has them. What does not: the form of a dead
letter (`streamhub.engine.dead_letters`), why a record is refused (`reading`, the sinks).
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from client.errors import DeliveryError, MessagingError
from client.messaging.failures import to_configuration_error, to_messaging_error
from client.messaging.fencing import is_fatal
from client.messaging.topics import dead_letter_topic
from streamhub.engine.counters import RecordCounts
from streamhub.engine.dead_letters import DeadLetters
from streamhub.engine.records import Record
from streamhub.engine.settings import DEFAULT_MAX_RECORD_BYTES
from streamhub.engine.sinks.settings import SinkSettings, common_settings, producer_settings

_kafka_log = logging.getLogger("adapters.kafka")

_CALL_TIMEOUT_S: Final = 5.0
_PAUSE_S: Final = 0.1
# Dead letters are few and looked at by people: kept longer than live records usually are.
_TOPIC_SETTINGS: Final = {"cleanup.policy": "delete", "retention.ms": str(14 * 24 * 3600 * 1000)}


class Refusal(NamedTuple):
    """A record that cannot be stored.

    Attributes:
        message: The record.
        code: Stable reason, such as `record.not_json`.
        detail: The reason for people.
        error: What was raised where its headers cannot be read; they are not asked for again then.
    """

    message: Record
    code: str
    detail: str
    error: Exception | None = None


class Letters(Protocol):
    """Where refused records go."""

    def write(self, refusals: Sequence[Refusal], counts: RecordCounts) -> None:
        """Keep refused records; returns when they are kept, and counts them."""


class CountedLetters:
    """Counts refused records and keeps none: during a replay, whose dead letters are there already."""

    def write(self, refusals: Sequence[Refusal], counts: RecordCounts) -> None:
        """Count refused records."""
        counts.dead_letters.update(refusal.code for refusal in refusals)


class _Sender(NamedTuple):
    app_id: str
    contract: str | None = None


class KafkaLetters:
    """Writes refused records to dead-letter topics, which are made when they are missing."""

    def __init__(self, settings: SinkSettings, on_error: Callable[[KafkaError], None]) -> None:
        self._topics: set[str] = set()
        self._handed: Sequence[Refusal] | None = None
        self._fresh = RecordCounts()
        self._undelivered: list[tuple[KafkaError, str | None]] = []
        self._settings = {**producer_settings(settings), "error_cb": on_error, "on_delivery": self._note}
        self._sender = _Sender(settings.group)
        try:
            self._admin = AdminClient(common_settings(settings), logger=_kafka_log)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal
        self._producer = self._connect()
        self._letters = DeadLetters(self._producer, self._sender, DEFAULT_MAX_RECORD_BYTES)

    def _connect(self) -> Producer:
        try:
            return Producer(self._settings, logger=_kafka_log)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal

    def _failure(self, error: KafkaError) -> MessagingError:
        """Give what is raised for an error; a producer that has ended is replaced before the next try."""
        if is_fatal(error):
            fresh = self._connect()
            self._producer.purge()
            self._undelivered.clear()
            self._producer, self._handed = fresh, None
            self._letters = DeadLetters(fresh, self._sender, DEFAULT_MAX_RECORD_BYTES)
        return to_messaging_error(error, topic=None, operation="Write")

    def _note(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._undelivered.append((error, message.topic()))

    def write(self, refusals: Sequence[Refusal], counts: RecordCounts) -> None:
        """Write refused records, each to the dead-letter topic of its own; returns when Kafka has them.

        Raises:
            MessagingError: Kafka does not take them; nothing was counted.
        """
        if self._handed is not refusals:
            self._fresh = RecordCounts()
            for topic in {dead_letter_topic(refusal.message.topic()) for refusal in refusals}:
                self._ensure(topic)
            self._hand_over(refusals)
            self._handed = refusals
        try:
            left = self._producer.flush(_CALL_TIMEOUT_S)
        except KafkaException as error:  # this is how a producer says, once, that it has ended
            raise self._failure(error.args[0]) from error
        if left:
            raise DeliveryError("dead letters are not confirmed yet; Kafka does not answer")
        self._handed = None
        if self._undelivered:
            (lost, where), *_ = self._undelivered
            self._undelivered.clear()
            self._topics.clear()
            raise to_messaging_error(lost, topic=where, operation="Write")
        counts.add(self._fresh)

    def _hand_over(self, refusals: Sequence[Refusal]) -> None:
        try:
            for refusal in refusals:
                if refusal.error is not None:
                    self._letters.set_aside_without_headers(refusal.message, refusal.error, self._fresh)
                else:
                    self._letters.set_aside(refusal.message, refusal.code, refusal.detail, self._fresh)
        except KafkaException as error:
            raise self._failure(error.args[0]) from error

    def _ensure(self, topic: str) -> None:
        if topic in self._topics:
            return
        new = NewTopic(topic, num_partitions=1, replication_factor=-1, config=dict(_TOPIC_SETTINGS))
        try:
            listing = self._admin.list_topics(timeout=_CALL_TIMEOUT_S).topics
            if topic not in listing:
                self._admin.create_topics([new])[topic].result(_CALL_TIMEOUT_S)
                self._wait_for(topic)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise to_messaging_error(error.args[0], topic=topic, operation="Create") from error
        except TimeoutError as error:
            raise DeliveryError(f"topic {topic} could not be created: no answer") from error
        self._topics.add(topic)

    def _wait_for(self, topic: str) -> None:
        """A topic that was just created takes a moment to be known to every broker."""
        deadline = time.monotonic() + _CALL_TIMEOUT_S
        while topic not in self._admin.list_topics(timeout=_CALL_TIMEOUT_S).topics:
            if time.monotonic() > deadline:
                raise DeliveryError(f"topic {topic} was created, but does not show")
            time.sleep(_PAUSE_S)
