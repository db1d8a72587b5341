"""Records to Kafka, driven by its owner's loop: nothing here waits.

What lives here: the producer, numbers of partitions, what an error means. What does not: what is sent
(`incoming`) and when a message is done (`upward`).

The producer is idempotent and never gives a record up because Kafka is away: an outage is only time.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicCollection
from confluent_kafka.admin import AdminClient

from adapters.mqtt.bridge.incoming import Outgoing
from adapters.mqtt.settings import BridgeSettings
from client.errors import MessagingError
from client.messaging.failures import (
    ALL_BROKERS_DOWN,
    NOT_ALLOWED,
    PARTITION_MISSING,
    TOO_LARGE,
    TOPIC_MISSING,
    to_configuration_error,
    to_messaging_error,
)
from client.messaging.records import partition_for

_kafka_log = logging.getLogger("adapters.kafka")
_log = logging.getLogger(__name__)

_LOOK_UP_S: Final = 5.0
_TELL_AGAIN_S: Final = 60.0
_LookUp: TypeAlias = "Future[Any]"


class Handing(Enum):
    """What became of the attempt to hand a record over."""

    TAKEN = auto()
    LATER = auto()  # Kafka does not answer yet, or the queue is full: try again
    NO_TOPIC = auto()  # Kafka has no such topic
    TOO_LARGE = auto()  # it can never be sent


class Outcome(Enum):
    """What became of a record that was handed over."""

    DELIVERED = auto()
    TOO_LARGE = auto()  # it can never be sent
    REFUSED = auto()  # not now: rights are missing, or the topic has gone


class Sender:
    """Sends records; used by one thread.

    Attributes:
        trouble: What is wrong with Kafka; None when records arrive.
        is_away: Whether no broker can be reached, as far as is known.
        admin: A connection for questions.

    Raises:
        ConfigurationError: The client library refuses the settings.
    """

    def __init__(self, settings: BridgeSettings) -> None:
        common: dict[str, Any] = {
            **settings.security.to_librdkafka(),
            "bootstrap.servers": settings.bootstrap_servers,
            "client.id": settings.name,
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 1_000,
            "socket.keepalive.enable": True,
        }
        self._counts: dict[str, int] = {}
        self._asked: dict[str, _LookUp] = {}
        self._fatal: KafkaError | None = None
        self._told: dict[str, float] = {}
        self._sought: _LookUp | None = None
        self.trouble: str | None = None
        self.is_away = False
        try:
            self._producer = Producer(
                {
                    **common,
                    "acks": "all",
                    "enable.idempotence": True,
                    "message.timeout.ms": 0,
                    "linger.ms": 5,
                    "batch.num.messages": 10_000,
                    "queue.buffering.max.messages": 100_000,
                    "queue.buffering.max.kbytes": 131_072,
                    "error_cb": self._on_error,
                },
                logger=_kafka_log,
            )
            self.admin = AdminClient(common, logger=_kafka_log)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal

    @property
    def waiting(self) -> int:
        """Records that Kafka has not confirmed yet."""
        return len(self._producer)

    def send(self, record: Outgoing, done: Callable[[Outcome, str], None]) -> Handing:
        """Hand a record over, and return at once.

        Args:
            record: The record.
            done: Called inside `serve` when its fate is known: what it is, and what Kafka says.
        """
        count = self._counts.get(record.topic) or self._ask(record.topic)
        if count is None:
            return Handing.LATER
        if count == 0:
            return Handing.NO_TOPIC
        partition = partition_for(record.key, count) if record.key else 0

        def settle(error: KafkaError | None, _message: Message) -> None:
            done(*self._judge(error, record.topic))

        try:
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                partition,
                on_delivery=settle,
                headers=list(record.headers),
            )
        except BufferError:
            return Handing.LATER
        except KafkaException as error:
            return self._refuse(error.args[0], record.topic)
        return Handing.TAKEN

    def _refuse(self, error: KafkaError, topic: str) -> Handing:
        if error.code() in TOO_LARGE:
            return Handing.TOO_LARGE
        self._note(error, topic)
        return Handing.LATER

    def _judge(self, error: KafkaError | None, topic: str) -> tuple[Outcome, str]:
        if error is None or error.code() > 0:  # what the client library says itself is negative
            self.is_away = False
        if error is None:
            self.trouble = None
            return Outcome.DELIVERED, ""
        if error.code() in TOO_LARGE:
            return Outcome.TOO_LARGE, error.str()
        self._note(error, topic)
        return Outcome.REFUSED, error.str()

    def _note(self, error: KafkaError, topic: str) -> None:
        if error.fatal():
            self._fatal = error
        if error.code() in TOPIC_MISSING or error.code() in PARTITION_MISSING:
            self._counts.pop(topic, None)
        text = str(to_messaging_error(error, topic=topic, operation="Write"))
        # What is refused is tried again and again, between records of others that arrive.
        if time.monotonic() >= self._told.get(text, 0.0):
            self._told = {one: until for one, until in self._told.items() if until > time.monotonic()}
            self._told[text] = time.monotonic() + _TELL_AGAIN_S
            _log.warning("%s", text)
        self.trouble = text

    def _ask(self, topic: str) -> int | None:
        """Ask for the number of partitions; None while there is no answer, 0 when there is no such topic."""
        asked = self._asked.get(topic)
        if asked is None:
            futures = self.admin.describe_topics(TopicCollection([topic]), request_timeout=_LOOK_UP_S)
            self._asked[topic] = futures[topic]
            return None
        if not asked.done():
            return None
        del self._asked[topic]
        error = asked.exception()
        if error is None:
            self._counts[topic] = len(asked.result().partitions)
            return self._counts[topic]
        if isinstance(error, KafkaException):
            found: KafkaError = error.args[0]
            if found.code() in TOPIC_MISSING and found.code() not in NOT_ALLOWED:
                return 0
            self._note(found, topic)
        return None

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == ALL_BROKERS_DOWN:
            text = f"Kafka does not answer: {error.str()}"
            if self.trouble is None:
                _log.warning("%s; messages wait", text)
            self.trouble = text
            self.is_away = True

    def serve(self) -> None:
        """Call `done` for records whose fate is known.

        Raises:
            MessagingError: The producer cannot go on; a new process can.
        """
        try:
            self._producer.poll(0)
        except KafkaException as error:  # this is how a producer says, once, that it has ended
            self._fatal = error.args[0]
        if self._fatal is not None:
            raise MessagingError(f"Kafka's client library cannot go on: {self._fatal.str()}")
        if self.is_away:
            self._seek()

    def _seek(self) -> None:
        """Find out whether Kafka is back: nothing may be on its way that would show it."""
        if self._sought is None:
            self._sought = self.admin.describe_cluster(request_timeout=_LOOK_UP_S)
        elif self._sought.done():
            error, self._sought = self._sought.exception(), None
            self.is_away = isinstance(error, KafkaException) and error.args[0].code() < 0

    def close(self, timeout_s: float) -> None:
        """Wait for what is on its way, at most `timeout_s` [s], and give up the rest."""
        try:
            self._producer.flush(timeout_s)
            if len(self._producer):
                self._producer.purge()
                self._producer.poll(0)
        except KafkaException as error:
            _log.warning("what is on its way to Kafka is given up: %s", error.args[0].str())
