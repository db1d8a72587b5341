"""End offsets of the topics of all systems, asked for in one request.

What lives here: `OffsetPort` (what the sampler needs of a broker) and `KafkaOffsets` (blocking, so called in
a thread). What does not: rates (``figures``), and when it is asked (``sampler``).
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from client.errors import InvalidNameError
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from platform_ui.errors import BrokerError
from platform_ui.systems.records import reading_settings
from platform_ui.systems.sight import kafka_time

REQUEST_TIMEOUT_S: Final = 20.0
SUFFIXES: Final = (".int", ".ext", ".log", ".int.dlq")
DEAD_LETTERS: Final = ".dlq"
NAME: Final = "platform-flows"
FEW: Final = 1000
"""So many offsets are read, to count records and not what transactions leave between them."""
_LATEST: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call] # as are its neighbours
_NEWEST: Final[OffsetSpec] = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]


class OffsetPort(Protocol):
    """What is needed of a broker to see what flows."""

    def partitions(self) -> dict[str, int]:
        """Return how many partitions each topic of a system has.

        Raises:
            BrokerError: the broker does not answer.
        """

    def totals(self, partitions: Mapping[str, int]) -> dict[str, int]:
        """Return the end offset of each topic, summed over its partitions; those that are gone are left out.

        Raises:
            BrokerError: the broker does not answer.
        """

    def since(self, partitions: Mapping[str, int], totals: Mapping[str, int], at: datetime) -> dict[str, int]:
        """Return how many records each topic took since a time.

        Few are counted one by one. Of many the offsets count, some of which are markers of transactions.

        Args:
            partitions: Which topics.
            totals: Their end offsets.
            at: The time.

        Raises:
            BrokerError: the broker does not answer.
        """

    def last_moved(self, partitions: Mapping[str, int]) -> dict[str, datetime]:
        """Return the time of the newest record of each topic that has one.

        Raises:
            BrokerError: the broker does not answer.
        """


class KafkaOffsets:
    """Offsets of a real cluster; connects when it is first asked.

    Args:
        bootstrap_servers: ``host:port``, several separated by commas.
        security: How it is reached.
        request_timeout_s: Longest time for one answer [s].
    """

    def __init__(
        self,
        bootstrap_servers: str,
        security: KafkaSecurity | None = None,
        *,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        self._timeout_s = request_timeout_s
        self._bootstrap_servers = bootstrap_servers
        self._reached_by = security or KafkaSecurity()
        self._client: AdminClient | None = None

    def partitions(self) -> dict[str, int]:
        """Return how many partitions each topic of a system has; see `OffsetPort.partitions`."""
        try:
            listing = self._admin().list_topics(timeout=self._timeout_s)
        except KafkaException as error:
            raise self._broken(error) from error
        return {
            name: len(topic.partitions)
            for name, topic in listing.topics.items()
            if topic.partitions and is_of_a_system(name)
        }

    def totals(self, partitions: Mapping[str, int]) -> dict[str, int]:
        """Return the end offset of each topic; see `OffsetPort.totals`."""
        found: dict[str, int] = defaultdict(int)
        for place, (offset, _) in self._ask(partitions, _LATEST).items():
            found[place.topic] += offset
        return dict(found)

    def since(self, partitions: Mapping[str, int], totals: Mapping[str, int], at: datetime) -> dict[str, int]:
        """Return how many records each topic took since a time; see `OffsetPort.since`."""
        ends = self._ask(partitions, _LATEST)
        begins = self._ask(partitions, OffsetSpec.for_timestamp(int(at.timestamp() * 1000)))
        found: dict[str, int] = dict.fromkeys(totals, 0)
        parts: dict[str, list[TopicPartition]] = defaultdict(list)
        for place, (end, _) in ends.items():
            begin = begins.get(place, (-1, -1))[0]
            if begin >= 0:  # -1: no record is that new
                found[place.topic] = found.get(place.topic, 0) + end - begin
                parts[place.topic].append(TopicPartition(place.topic, place.partition, begin))
        few = [part for name, of_topic in parts.items() if found[name] <= FEW for part in of_topic]
        return found | self._count(few)

    def _count(self, begins: list[TopicPartition]) -> dict[str, int]:
        """Count the records from these places on by reading them; topics that take too long are left out."""
        if not begins:
            return {}
        consumer = Consumer(
            {
                **reading_settings(self._bootstrap_servers, self._reached_by, NAME),
                "enable.partition.eof": True,
            }
        )
        left = {(begin.topic, begin.partition) for begin in begins}
        found = dict.fromkeys((begin.topic for begin in begins), 0)
        deadline = time.monotonic() + self._timeout_s
        try:
            consumer.assign(begins)
            while left and time.monotonic() < deadline:
                for message in consumer.consume(FEW, 1.0):
                    error = message.error()
                    if error is None:
                        found[message.topic() or ""] += 1
                    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its spelling
                        left.discard((message.topic() or "", message.partition() or 0))
        except KafkaException as failure:
            raise self._broken(failure) from failure
        finally:
            consumer.close()
        unread = {name for name, _ in left}
        return {name: count for name, count in found.items() if name not in unread}

    def last_moved(self, partitions: Mapping[str, int]) -> dict[str, datetime]:
        """Return the time of the newest record of each topic; see `OffsetPort.last_moved`."""
        newest: dict[str, int] = {}
        for place, (_, timestamp_ms) in self._ask(partitions, _NEWEST).items():
            if timestamp_ms > 0:
                newest[place.topic] = max(timestamp_ms, newest.get(place.topic, 0))
        return {name: kafka_time(time_ms) for name, time_ms in newest.items()}

    def _ask(self, partitions: Mapping[str, int], what: OffsetSpec) -> dict[TopicPartition, tuple[int, int]]:
        """Return offset and time [ms since 1970] of each partition that answers, one request per broker."""
        wanted = {
            TopicPartition(name, number): what
            for name, count in partitions.items()
            for number in range(count)
        }
        if not wanted:
            return {}
        found: dict[TopicPartition, tuple[int, int]] = {}
        last: KafkaException | None = None
        try:
            answers = self._admin().list_offsets(wanted, request_timeout=self._timeout_s)
        except KafkaException as error:
            raise self._broken(error) from error
        for place, future in answers.items():
            try:
                answer = future.result(timeout=self._timeout_s + 5.0)
            except KafkaException as error:
                last = error  # one topic that is just being deleted says nothing about the others
            except TimeoutError as error:
                raise self._broken(error) from error
            else:
                found[place] = (answer.offset, answer.timestamp)
        if not found and last is not None:
            raise self._broken(last)
        return found

    def _admin(self) -> AdminClient:
        if self._client is None:
            self._client = AdminClient(
                {
                    **self._reached_by.to_librdkafka(),
                    "bootstrap.servers": self._bootstrap_servers,
                    "client.id": NAME,
                    "log_level": 2,
                }
            )
        return self._client

    def _broken(self, error: Exception) -> BrokerError:
        return BrokerError(
            f"Kafka at {self._bootstrap_servers} does not tell how far its topics are: {error}"
        )


def is_of_a_system(topic: str) -> bool:
    """Return whether a topic has the name of one of the four topics of a system."""
    suffix = next((suffix for suffix in reversed(SUFFIXES) if topic.endswith(suffix)), None)
    if suffix is None:
        return False
    try:
        SystemName.parse(topic.removesuffix(suffix))
    except InvalidNameError:
        return False
    return True
