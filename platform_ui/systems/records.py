"""Records as Kafka gives them, to those who look at topics without leaving a trace.

What lives here: the record, how it is read from a message, and the settings of a consumer that joins no group
and commits nothing. What does not: which records are read (``client_logs``, ``live``, ``flows``), what they
look like to a person (``sight``).
"""

from datetime import datetime
from typing import NamedTuple

from confluent_kafka.cimpl import Message

from client.messaging.records import UNREADABLE_HEADERS, read_headers
from client.messaging.security import KafkaSecurity
from platform_ui.systems.sight import kafka_time

ConsumerSettings = dict[str, str | int | float | bool]


class TopicRecord(NamedTuple):
    """A record as Kafka gave it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def at(self) -> datetime:
        """When its writer gave it to Kafka, or Kafka got it, as the topic is set."""
        return kafka_time(self.timestamp_ms)

    @property
    def size(self) -> int:
        """How much it takes [bytes]."""
        return len(self.key or b"") + len(self.value or b"")


def record_of(message: Message) -> TopicRecord:
    """Return what a message of the client library holds."""
    try:
        headers = read_headers(message) or ()
    except UNREADABLE_HEADERS:
        headers = ()
    return TopicRecord(
        str(message.topic()),
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        _bytes(message.key()),
        _bytes(message.value()),
        tuple((str(name), value) for name, value in headers),
    )


def reading_settings(bootstrap_servers: str, security: KafkaSecurity, name: str) -> ConsumerSettings:
    """Return settings of librdkafka for reading without a trace.

    Args:
        bootstrap_servers: ``host:port``, several separated by commas.
        security: How the broker is reached.
        name: What the consumer calls itself.
    """
    return {
        **security.to_librdkafka(),
        "bootstrap.servers": bootstrap_servers,
        "group.id": name,  # required by the library; never joined, never committed
        "client.id": name,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",  # what is removed while it is read: go on with what is left
        "fetch.queue.backoff.ms": 5,
        "fetch.wait.max.ms": 100,
        "log_level": 2,
    }


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None
