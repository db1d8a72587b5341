"""Topics looked at without leaving a trace: their partitions, and the last records for `app preview`.

What lives here: counting partitions, reading from the end in a bounded time, putting several topics into one
order of arrival. What does not: the statement (`streamhub.query.replay`), printing (`streamhub.commands`).

No consumer group is joined, nothing is committed and nothing is written. Records of transactions that are
open or were given up are not seen. Each partition keeps its order; between partitions the time at which Kafka
got a record decides.
"""

import heapq
import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from client.errors import BrokerUnavailableError
from client.messaging.failures import TOPIC_MISSING, UNREACHABLE, to_configuration_error, to_messaging_error
from client.messaging.security import KafkaSecurity

__all__ = ["LastRecords", "count_partitions", "read_last"]

_kafka_log = logging.getLogger("streamhub.kafka.preview")
# An address without a broker is dozens of lines of librdkafka per second; the error raised says it once.
_kafka_log.setLevel(logging.CRITICAL)

# Never joined: the client library wants a name even where partitions are assigned by hand.
_GROUP: Final = "preview"
_REQUEST_TIMEOUT_S: Final = 3.0
_PAUSE_S: Final = 0.2
_AT_ONCE: Final = 5_000

_Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class LastRecords:
    """What was found at the ends of the topics.

    Attributes:
        lines: The records as `streamhub.query.replay` takes them, in the order of arrival.
        found: Number of records by topic.
        unreadable: Records left out because their key or value is not UTF-8, by topic.
        is_complete: Whether the ends were reached in time.
        timestamps_ms: When Kafka got each record [ms since 1970], in the order of `lines`.
    """

    lines: list[str]
    found: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    is_complete: bool = True
    timestamps_ms: list[int] = field(default_factory=list)


def read_last(
    bootstrap_servers: str,
    security: KafkaSecurity,
    topics: Sequence[str],
    most: int,
    *,
    wait_s: float,
) -> LastRecords:
    """Read the last committed records of each topic.

    Args:
        bootstrap_servers: Kafka addresses.
        security: How to reach Kafka.
        topics: Names of topics.
        most: Largest number of records of each topic.
        wait_s: Longest time for all of it [s].

    Raises:
        ConfigurationError: the client library refuses the settings.
        BrokerUnavailableError: no broker answered within `wait_s`.
        TopicNotFoundError: a topic does not exist.
        NotAuthorizedError: a topic may not be read.
        MessagingError: Kafka refused for another reason.
    """
    reading = _Reading(bootstrap_servers, security, time.monotonic() + wait_s, wait_s)
    try:
        return reading.run(topics, most)
    finally:
        reading.close()


def count_partitions(
    bootstrap_servers: str, security: KafkaSecurity, topics: Sequence[str], *, wait_s: float
) -> dict[str, int]:
    """Count the partitions of topics.

    Args:
        bootstrap_servers: Kafka addresses.
        security: How to reach Kafka.
        topics: Names of topics.
        wait_s: Longest time for all of it [s].

    Raises:
        DigitalTwinError: as `read_last`.
    """
    reading = _Reading(bootstrap_servers, security, time.monotonic() + wait_s, wait_s)
    try:
        return {topic: len(reading.partitions(topic)) for topic in topics}
    finally:
        reading.close()


class _Reading:
    def __init__(
        self, bootstrap_servers: str, security: KafkaSecurity, deadline: float, wait_s: float
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._deadline = deadline
        self._wait_s = wait_s
        settings: dict[str, str | int | float | bool] = {
            **security.to_librdkafka(),
            "bootstrap.servers": bootstrap_servers,
            "group.id": _GROUP,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            # What is removed while it is read: go on with what is left.
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 5,
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 1_000,
        }
        try:
            self._consumer = Consumer(settings, logger=_kafka_log)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal

    def close(self) -> None:
        self._consumer.close()

    def run(self, topics: Sequence[str], most: int) -> LastRecords:
        spans = {place: span for topic in topics for place, span in self._spans(topic, most)}
        self._consumer.assign([TopicPartition(*place, begin) for place, (begin, _) in spans.items()])
        records, is_complete = self._read({place: end for place, (_, end) in spans.items()})
        lasts = [
            _merged([records[place] for place in spans if place[0] == topic])[-most:] for topic in topics
        ]
        result = LastRecords([], is_complete=is_complete)
        for message in _merged(lasts):
            topic = message.topic() or ""
            result.found[topic] += 1
            line = _line(topic, message)
            if line is None:
                result.unreadable[topic] += 1
            else:
                result.lines.append(line)
                result.timestamps_ms.append(message.timestamp()[1])
        return result

    def _spans(self, topic: str, most: int) -> Iterable[tuple[_Place, tuple[int, int]]]:
        """The first offset to read and the one behind the last, by partition."""
        for partition in self.partitions(topic):
            begin, end = self._watermarks(TopicPartition(topic, partition))
            if begin < end:
                yield (topic, partition), (max(begin, end - most), end)

    def partitions(self, topic: str) -> Sequence[int]:
        while True:
            try:
                found = self._consumer.list_topics(topic, timeout=_REQUEST_TIMEOUT_S).topics[topic]
            except KafkaException as exception:
                self._check(exception.args[0], topic)
            else:
                if found.error is None:
                    return sorted(found.partitions)
                self._check(found.error, topic)
            time.sleep(_PAUSE_S)

    def _watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        while True:
            try:
                marks = self._consumer.get_watermark_offsets(partition, timeout=_REQUEST_TIMEOUT_S)
            except KafkaException as exception:
                self._check(exception.args[0], partition.topic)
            else:
                return marks
            time.sleep(_PAUSE_S)

    def _read(self, ends: dict[_Place, int]) -> tuple[dict[_Place, list[Message]], bool]:
        """Read up to the ends as they were: what arrives meanwhile would never stop."""
        records: dict[_Place, list[Message]] = {place: [] for place in ends}
        waiting = set(ends)
        while waiting and time.monotonic() < self._deadline:
            for message in self._consumer.consume(_AT_ONCE, _PAUSE_S):
                place = (message.topic() or "", message.partition() or 0)
                offset = message.offset() or 0
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                    self._check(error, place[0])
                    continue
                if error is None and offset < ends[place]:
                    records[place].append(message)
                if error is not None or offset >= ends[place] - 1:
                    waiting.discard(place)
        return records, not waiting

    def _check(self, error: KafkaError, topic: str) -> None:
        """Return when waiting may help and there is time for it.

        Raises:
            MessagingError: one of its kinds.
        """
        is_outage = error.code() in UNREACHABLE or (error.retriable() and error.code() not in TOPIC_MISSING)
        if not is_outage:
            raise to_messaging_error(error, topic=topic, operation="Read")
        if time.monotonic() > self._deadline:
            raise BrokerUnavailableError(
                f"no Kafka broker answered at {self._bootstrap_servers} within {self._wait_s:g} s. "
                "Check the address, that the broker runs, and whether it wants a certificate "
                "(DTWIN_KAFKA__SECURITY_PROTOCOL=SSL and its files)"
            )


def _merged(several: Iterable[Sequence[Message]]) -> list[Message]:
    return list(heapq.merge(*several, key=lambda message: message.timestamp()[1]))


def _line(topic: str, message: Message) -> str | None:
    """Write a record as one line; None when that is not possible without changing it."""
    key, value = message.key(), message.value()
    try:
        record = {
            "topic": topic,
            "key": None if key is None else _text(key),
            "value": None if value is None else _text(value),
        }
    except UnicodeDecodeError:
        return None
    return msgspec.json.encode(record).decode()


def _text(written: str | bytes) -> str:
    return written if isinstance(written, str) else written.decode()
