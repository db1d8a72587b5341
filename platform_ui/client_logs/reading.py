"""The newest records of a topic, read back from its end in a bounded time and number.

What lives here: the port, its implementation on a real broker, and a short memory. What does not: what the
records say (``reports``), following them (``live``).

Why nothing is copied into a table: Kafka keeps a log topic for as long as its records count, and a consumer
that fills a table is one more thing that can fall behind without anybody noticing. The price is a bound: a
page says how far back it has looked. A log topic has one partition, and a client app that only lives writes
two records a minute, so `MOST` of them are many hours.

No consumer group is joined and nothing is committed. The memory spares a broker the same question by the
parts of one page, and by many people who watch one system.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.cimpl import TopicPartition

from client.messaging.security import KafkaSecurity
from platform_ui.errors import BrokerError
from platform_ui.systems.records import TopicRecord, reading_settings, record_of

MOST: Final = 5_000
WAIT_S: Final = 4.0
MEMORY_S: Final = 2.0
MAX_REMEMBERED: Final = 200
_AT_ONCE: Final = 2_000
_STEP_S: Final = 0.2
NAME: Final = "platform-client-logs"


@dataclass(frozen=True, slots=True)
class Lookback:
    """What was found at the end of a topic.

    Attributes:
        records: In the order in which Kafka got them.
        is_whole: Whether the topic holds no older ones.
        is_complete: Whether its end was reached in time.
    """

    records: tuple[TopicRecord, ...] = ()
    is_whole: bool = True
    is_complete: bool = True


class TopicReader(Protocol):
    """What is needed of the broker; blocking, so it is called in a thread."""

    def last(self, topic: str, most: int, /) -> Lookback:
        """Read the last records of each partition of a topic.

        Args:
            topic: its name.
            most: at most so many of each partition.

        Raises:
            BrokerError: the broker does not give them.
        """


class KafkaTopicReader:
    """Reads the ends of topics of a real broker."""

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity) -> None:
        self._settings = {**reading_settings(bootstrap_servers, security, NAME), "enable.partition.eof": True}

    def last(self, topic: str, most: int, /) -> Lookback:
        """Read the last records of a topic; see `TopicReader.last`."""
        try:
            consumer = Consumer(self._settings)
            try:
                return _read(consumer, topic, most, time.monotonic() + WAIT_S)
            finally:
                consumer.close()
        except KafkaException as error:
            raise BrokerError(f"The records of {topic} cannot be read now: {error.args[0].str()}") from error


def _read(consumer: Consumer, topic: str, most: int, deadline: float) -> Lookback:
    found = consumer.list_topics(topic, timeout=WAIT_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    starts, is_whole = [], True
    for number in found.partitions:
        place = TopicPartition(topic, number)
        low, high = consumer.get_watermark_offsets(place, timeout=WAIT_S)
        begin = max(low, high - most)
        is_whole = is_whole and begin == low
        if begin < high:
            starts.append(TopicPartition(topic, number, begin))
    if not starts:
        return Lookback()
    consumer.assign(starts)
    waiting = {place.partition for place in starts}
    records: list[TopicRecord] = []
    while waiting and time.monotonic() < deadline:
        for message in consumer.consume(_AT_ONCE, _STEP_S):
            error = message.error()
            if error is None:
                records.append(record_of(message))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                waiting.discard(message.partition())
            else:
                raise KafkaException(error)
    records.sort(key=lambda record: record.timestamp_ms)
    return Lookback(tuple(records), is_whole, not waiting)


class RememberingReader:
    """Asks another reader, at most once in `MEMORY_S` for the same, and not for several at once.

    Args:
        reader: Who is asked.
        clock: Counts up [s].
    """

    def __init__(self, reader: TopicReader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._known: OrderedDict[tuple[str, int], tuple[float, Lookback]] = OrderedDict()
        self._gates: dict[tuple[str, int], asyncio.Lock] = {}

    async def last(self, topic: str, most: int = MOST) -> Lookback:
        """Return the last records of a topic, as of at most `MEMORY_S` ago; see `TopicReader.last`.

        Raises:
            BrokerError: the broker does not give them.
        """
        key = (topic, most)
        gate = self._gates.setdefault(key, asyncio.Lock())
        try:
            async with gate:
                known = self._known.get(key)
                if known is not None and self._clock() - known[0] < MEMORY_S:
                    return known[1]
                found = await asyncio.to_thread(self._reader.last, topic, most)
                self._remember(key, found)
                return found
        finally:
            if not gate.locked():
                self._gates.pop(key, None)

    def _remember(self, key: tuple[str, int], found: Lookback) -> None:
        self._known[key] = (self._clock(), found)
        self._known.move_to_end(key)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
