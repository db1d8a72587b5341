"""Records of a topic as they passed: read back from Kafka, bounded in number, size and time.

What lives here: where to begin, the port, and its implementation on a real broker. What does not: which of
the records match (``sieve``), records on their way (``following``).

No consumer group is joined and nothing is committed. Records of transactions that are open or were given up
are not seen. Each partition keeps its order; between partitions the time at which Kafka got a record decides.
"""

import heapq
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.cimpl import TopicPartition

from client.messaging.security import KafkaSecurity
from platform_ui.errors import BrokerError, NotFoundError
from platform_ui.systems.records import ConsumerSettings, TopicRecord, reading_settings, record_of

WAIT_S: Final = 5.0
MAX_BYTES: Final = 32 * 2**20
_AT_ONCE: Final = 2_000
_STEP_S: Final = 0.2

Positions = Mapping[int, int]


class Edge(StrEnum):
    """An end of a topic."""

    LATEST = "latest"
    EARLIEST = "earliest"


Begin = Edge | datetime | Positions
"""Where to begin: at an end, at a time, or at the next offset of each partition."""


@dataclass(frozen=True, slots=True)
class Lookback:
    """What was read of a topic.

    Attributes:
        records: In the order in which Kafka got them, as far as that can be told.
        starts: The offset at which reading began, by partition.
        ends: The offset behind the last record, by partition.
        is_whole: Whether the topic holds none that are older.
        is_complete: Whether everything up to `ends` was read: not when there was too much, or no time.
    """

    records: Sequence[TopicRecord] = ()
    starts: Positions = field(default_factory=dict)
    ends: Positions = field(default_factory=dict)
    is_whole: bool = True
    is_complete: bool = True


class RecordLog(Protocol):
    """What is needed of the broker to look back; blocking, so it is called in a thread."""

    def read(self, topic: str, begin: Begin, most: int, /) -> Lookback:
        """Read records of a topic.

        Args:
            topic: its name.
            begin: where; from the latest end backwards, else forwards.
            most: at most so many.

        Raises:
            BrokerError: the broker does not give them.
        """

    def at(self, topic: str, partition: int, offset: int, /) -> TopicRecord:
        """Read one record.

        Raises:
            NotFoundError: it is not there, or not any more.
            BrokerError: the broker does not give it.
        """


def consumer_settings(bootstrap_servers: str, security: KafkaSecurity) -> ConsumerSettings:
    """Return settings of librdkafka for reading without a trace."""
    return {
        **reading_settings(bootstrap_servers, security, "platform-live"),
        "queued.max.messages.kbytes": 8192,
    }


class KafkaRecordLog:
    """Looks back into topics of a real broker."""

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity) -> None:
        self._settings = {**consumer_settings(bootstrap_servers, security), "enable.partition.eof": True}

    def read(self, topic: str, begin: Begin, most: int, /) -> Lookback:
        """Read records of a topic; see `RecordLog.read`."""
        reading = _Reading(self._settings, topic)
        try:
            return reading.run(begin, most)
        except KafkaException as error:
            raise unreadable(topic, error) from error
        finally:
            reading.close()

    def at(self, topic: str, partition: int, offset: int, /) -> TopicRecord:
        """Read one record; see `RecordLog.at`."""
        reading = _Reading(self._settings, topic)
        try:
            record = reading.one(partition, offset)
        except KafkaException as error:
            raise unreadable(topic, error) from error
        finally:
            reading.close()
        if record is None:
            raise gone(topic, partition, offset)
        return record


def gone(topic: str, partition: int, offset: int) -> NotFoundError:
    """Return the error of a record that is not there, or not for somebody to see."""
    return NotFoundError(
        f"There is no record {partition}:{offset} in {topic}, or not any more.",
        code="live.record_gone",
        hint="Kafka removes records when they are older than the topic's retention.",
    )


def unreadable(topic: str, error: KafkaException) -> BrokerError:
    """Return the error of a topic that the broker does not give."""
    return BrokerError(
        f"The records of {topic} cannot be read: {error.args[0].str()}.",
        hint="Look at /platform whether Kafka answers.",
    )


def marks_of(consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
    """Return the first offset and the one behind the last, by partition.

    Raises:
        KafkaException: the topic is not there, or the broker does not answer.
    """
    found = consumer.list_topics(topic, timeout=WAIT_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return {
        number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=WAIT_S)
        for number in sorted(found.partitions)
    }


def starts_of(
    consumer: Consumer, topic: str, begin: Begin, marks: Mapping[int, tuple[int, int]]
) -> dict[int, int]:
    """Return the first offset to read, by partition.

    A partition that positions do not name is new: it is read from its beginning.

    Args:
        consumer: asks the broker.
        topic: name of the topic.
        begin: where to begin.
        marks: what `marks_of` gave.

    Raises:
        KafkaException: the broker does not tell where a time is.
    """
    if begin is Edge.LATEST:
        return {number: high for number, (_, high) in marks.items()}
    if begin is Edge.EARLIEST:
        return {number: low for number, (low, _) in marks.items()}
    if isinstance(begin, datetime):
        moment_ms = max(0, int(begin.timestamp() * 1000))  # below, it would be a sign for an end
        wanted = [TopicPartition(topic, number, moment_ms) for number in marks]
        found = consumer.offsets_for_times(wanted, timeout=WAIT_S)
        return {one.partition: one.offset if one.offset >= 0 else marks[one.partition][1] for one in found}
    if isinstance(begin, Mapping):
        return {number: max(low, begin.get(number, low)) for number, (low, _) in marks.items()}
    raise TypeError(f"{begin!r} is no place to begin")


class _Reading:
    """One look back: a consumer, and how long it may take."""

    def __init__(self, settings: ConsumerSettings, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(settings)
        self._deadline = time.monotonic() + WAIT_S

    def close(self) -> None:
        self._consumer.close()

    def run(self, begin: Begin, most: int) -> Lookback:
        marks = marks_of(self._consumer, self._topic)
        if begin is Edge.LATEST:
            starts = {number: max(low, high - most) for number, (low, high) in marks.items()}
        else:
            starts = starts_of(self._consumer, self._topic, begin, marks)
        ends = {number: max(high, starts[number]) for number, (_, high) in marks.items()}
        is_whole = all(start <= marks[number][0] for number, start in starts.items())
        by_partition, is_complete = self._read(starts, ends, most)
        merged = list(heapq.merge(*by_partition.values(), key=lambda record: record.timestamp_ms))
        if begin is Edge.LATEST:
            is_whole = is_whole and len(merged) <= most
            merged = merged[-most:]
        elif len(merged) > most:  # the first of them are all there, whatever was left unread
            merged, is_complete = merged[:most], False
        return Lookback(merged, starts, ends, is_whole, is_complete)

    def one(self, partition: int, offset: int) -> TopicRecord | None:
        marks = marks_of(self._consumer, self._topic)
        low, high = marks.get(partition, (0, 0))
        if not low <= offset < high:
            return None
        records, _ = self._read({partition: offset}, {partition: offset + 1}, 1)
        return next(iter(records[partition]), None)

    def _read(
        self, starts: Positions, ends: Positions, most: int
    ) -> tuple[dict[int, list[TopicRecord]], bool]:
        """Read each partition up to its end as it was, or `most` of it."""
        records: dict[int, list[TopicRecord]] = {number: [] for number in starts}
        waiting = {number for number, start in starts.items() if start < ends[number]}
        self._consumer.assign(
            [TopicPartition(self._topic, number, starts[number]) for number in sorted(waiting)]
        )
        size, is_complete = 0, True
        while waiting and size < MAX_BYTES and time.monotonic() < self._deadline:
            for message in self._consumer.consume(_AT_ONCE, _STEP_S):
                number = message.partition() or 0
                error = message.error()
                if error is not None:
                    _require_end(error)
                    waiting.discard(number)
                    continue
                record = record_of(message)
                if number not in waiting or record.offset >= ends[number]:
                    waiting.discard(number)
                    continue
                records[number].append(record)
                size += record.size
                is_full = len(records[number]) >= most
                is_complete = is_complete and not (is_full and record.offset < ends[number] - 1)
                if is_full or record.offset >= ends[number] - 1:
                    waiting.discard(number)
                    self._consumer.pause([TopicPartition(self._topic, number)])
        return records, is_complete and not waiting


def _require_end(error: KafkaError) -> None:
    """Return when the error is only the end of a partition.

    Raises:
        KafkaException: it is another one.
    """
    if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
        raise KafkaException(error)


def following(positions: Positions, records: Iterable[TopicRecord]) -> dict[int, int]:
    """Return where to go on after records were read from positions."""
    found = dict(positions)
    for record in records:
        found[record.partition] = record.offset + 1
    return found
