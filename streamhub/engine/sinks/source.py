"""Reading the topics of a sink: as a member of the group, or once from beginning to end for a replay.

What lives here: consumers, positions, commits. What does not: what records mean (`reading`), what becomes of
them (the sinks).

A member that Kafka has cut off comes back with a new consumer. What was not committed is read again; the
sinks know it by its id. What the old one had read and is stored by now, the new one may commit for the
partitions that it has: at worst that goes back, never beyond what is stored.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from client.errors import BrokerUnavailableError, MessagingError
from client.messaging.failures import NOT_ALLOWED, to_configuration_error, to_messaging_error
from client.messaging.fencing import Fences, is_fatal, is_fence
from streamhub.engine.records import Record
from streamhub.engine.sinks.settings import SinkSettings, consumer_settings
from streamhub.engine.work import Partition

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("adapters.kafka")

_CALL_TIMEOUT_S: Final = 5.0
_LIST_INTERVAL_S: Final = 5.0


class Source(Protocol):
    """Where records come from; used by one thread at a time."""

    positions: Mapping[Partition, int]
    is_assigned: bool
    newest_ms: int

    @property
    def is_done(self) -> bool:
        """Whether everything was read that is to be read."""

    def open(self) -> None:
        """Begin."""

    def take(self, wait_s: float, most: int) -> Sequence[Record]:
        """Take the first record as soon as it comes, and then what else is there."""

    def rest(self, wait_s: float) -> None:
        """Stay a member of the group for a while without taking records."""

    def has(self, topic: str) -> bool:
        """Tell whether a topic is there and read by the sink."""

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Remember that everything before these offsets is stored."""

    def close(self) -> None:
        """Leave."""


def not_beyond(messages: Iterable[Record], positions: Mapping[Partition, int]) -> Mapping[Partition, int]:
    """Give the offsets that may be committed: not beyond records that are not settled yet."""
    bounded = dict(positions)
    for message in messages:
        place = message.topic(), message.partition()
        if place in bounded:
            bounded[place] = min(bounded[place], message.offset())
    return bounded


class _FencedError(MessagingError):
    """Say that another member has taken the place of this one."""


class _Reader:
    """What both ways of reading share."""

    def __init__(self, settings: SinkSettings, on_error: Callable[[KafkaError], None]) -> None:
        self._settings = settings
        self._on_error = on_error
        self._topics: frozenset[str] = frozenset()
        self._listed_at = float("-inf")
        self.positions: Mapping[Partition, int] = {}
        self.is_assigned = False
        self.newest_ms = 0
        self._consumer = self._connect()

    def _connect(self) -> Consumer:
        """Make a consumer.

        Raises:
            ConfigurationError: The client library refuses the settings.
        """
        settings = {**consumer_settings(self._settings), "error_cb": self._on_error}
        try:
            # librdkafka's constructors write to standard error unless they are given a logger.
            return Consumer(settings, logger=_kafka_log)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal

    def has(self, topic: str) -> bool:
        """Tell whether a topic is there and read by the sink; looked up again after some seconds."""
        if time.monotonic() - self._listed_at > _LIST_INTERVAL_S:
            try:
                self._topics = frozenset(self._list())
            except KafkaException as error:
                self._on_error(error.args[0])
            self._listed_at = time.monotonic()
        return topic in self._topics

    def _list(self) -> Mapping[str, Sequence[int]]:
        listing = self._consumer.list_topics(timeout=_CALL_TIMEOUT_S).topics
        return {
            name: sorted(topic.partitions)
            for name, topic in listing.items()
            if topic.error is None and self._settings.reads(name)
        }

    def _receive(self, wait_s: float, most: int) -> Sequence[Record]:
        received: list[Message] = self._consumer.consume(1, wait_s)
        if received and most > 1:
            received += self._consumer.consume(most - 1, 0)
        return self._accept(received) if received else []

    def _accept(self, received: Sequence[Message]) -> Sequence[Record]:
        """Give what is taken: positions go on with it, and not before."""
        positions = dict(self.positions)
        messages = [message for message in received if message.error() is None]
        for message in messages:
            positions[message.topic(), message.partition()] = message.offset() + 1  # type: ignore[index, operator]
        if len(messages) < len(received):
            # After the records: the end of a partition comes behind its last one, and is further.
            self._read_news(received, positions)
        self.positions = positions
        if messages:
            self.newest_ms = messages[-1].timestamp()[1]
        return cast("Sequence[Record]", messages)

    def _read_news(self, received: Sequence[Message], positions: dict[Partition, int]) -> None:
        for message in received:
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's spelling
                # Markers of transactions take offsets too: the end is further than the last record.
                place, end = (message.topic() or "", message.partition() or 0), message.offset() or 0
                positions[place] = max(end, positions.get(place, end))
                self._reached_end(place)
            elif is_fence(error):
                raise _FencedError(error.str())
            elif is_fatal(error) or error.code() in NOT_ALLOWED:
                raise to_messaging_error(error, topic=message.topic(), operation="Read")
            else:
                self._on_error(error)

    def _reached_end(self, place: Partition) -> None:
        """Note that everything of a partition was read."""

    def close(self) -> None:
        """Leave."""
        try:
            self._consumer.close()
        except KafkaException as error:
            _log.warning("closing the consumer: %s", error, extra={"action": "close"})
        self.is_assigned = False


class GroupSource(_Reader):
    """Reads as a member of the group, for ever; a `Source`."""

    is_done = False

    def __init__(self, settings: SinkSettings, on_error: Callable[[KafkaError], None]) -> None:
        super().__init__(settings, on_error)
        self._is_resting = False
        self._early: list[Message] = []
        self._fences = Fences()

    def open(self) -> None:
        """Join the group."""
        self._consumer.subscribe(
            list(self._settings.topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    def take(self, wait_s: float, most: int) -> Sequence[Record]:
        """Take the first record as soon as it comes, and then what else is there.

        Raises:
            MessagingError: Kafka refuses for good, or another process runs as the same copy.
        """
        if self._is_resting:
            self._consumer.resume(self._consumer.assignment())
            self._is_resting = False
        early, self._early = self._early, []
        try:
            return self._accept(early) if early else self._receive(wait_s, most)
        except _FencedError as fence:
            self._come_back(fence)
            return []

    def _come_back(self, fence: _FencedError) -> None:
        """Join again with a new consumer; as the same static member it has the partitions at once.

        Raises:
            MessagingError: That has happened again and again.
        """
        if self._fences.note():
            raise MessagingError(
                f"another process reads as {self._settings.name} of the group {self._settings.group} "
                f"({fence}). Stop it, or give each copy its own --copy number"
            ) from fence
        _log.warning("%s; coming back with a new consumer", fence, extra={"action": "reopen"})
        fresh = self._connect()
        self.close()
        self.positions = {}
        self._consumer = fresh
        self.open()

    def rest(self, wait_s: float) -> None:
        """Stay a member of the group without taking records; what was on its way is taken next.

        It does not count in `positions` until then: what is committed meanwhile must not pass it.
        """
        if not self._is_resting:
            self._consumer.pause(self._consumer.assignment())
            self._is_resting = True
        received = self._consumer.consume(1, wait_s)
        self._early += received

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Remember that everything before these offsets is stored; what fails is read again."""
        present = {(place.topic, place.partition) for place in self._consumer.assignment()}
        offsets = [TopicPartition(*place, at) for place, at in positions.items() if place in present]
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            _log.info("offsets were not committed: %s", error.args[0].str(), extra={"action": "commit"})

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.is_assigned = True
        self.positions = {}
        if self._is_resting:
            consumer.assign(partitions)
            consumer.pause(partitions)
        _log.info("assigned %d partitions", len(partitions), extra={"action": "assign"})

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.is_assigned = False
        self.positions = {}
        self._early = []
        _log.info("gave up %d partitions", len(partitions), extra={"action": "revoke"})


class WholeSource(_Reader):
    """Reads everything that the topics hold when it opens, once, outside any group; a `Source`."""

    def __init__(self, settings: SinkSettings, on_error: Callable[[KafkaError], None]) -> None:
        super().__init__(settings, on_error)
        self._left: set[Partition] = set()

    @property
    def is_done(self) -> bool:
        """Whether every partition was read to its end."""
        return self.is_assigned and not self._left

    def open(self) -> None:
        """Look for the topics, and begin with the oldest record of each.

        Raises:
            BrokerUnavailableError: Kafka does not answer.
        """
        try:
            found = self._list()
        except KafkaException as error:
            raise BrokerUnavailableError(
                f"no Kafka broker answered at {self._settings.bootstrap_servers}: {error.args[0].str()}. "
                "Check the address and that the broker runs"
            ) from error
        self._left = {(topic, number) for topic, numbers in found.items() for number in numbers}
        self._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in sorted(self._left)])
        self.is_assigned = True

    def take(self, wait_s: float, most: int) -> Sequence[Record]:
        """Take the first record as soon as it comes, and then what else is there.

        Raises:
            MessagingError: Kafka refuses for good.
        """
        return self._receive(wait_s, most)

    def rest(self, wait_s: float) -> None:
        """Wait: there is no group to stay in."""
        time.sleep(wait_s)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Remember nothing: a replay that fails begins anew."""

    def _reached_end(self, place: Partition) -> None:
        self._left.discard(place)
