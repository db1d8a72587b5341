"""Reading: the consumer of one copy, the partitions that it owns, and where it goes on.

What lives here: joining the group, what a rebalance means for what was read, going back to what was
committed. What does not: the work on records (`work`), transactions (`transaction`), the turn (`lane`).

Who reads what: work that can be spread reads the partitions that the group gives to its copy. A join whose
records may lie in any partition has one owner: the group then deals out the app's state topic, and whoever
gets its first partition reads all partitions of all sources; the other copies stand by.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from client.messaging.fencing import is_fatal
from streamhub.engine.rights import REFUSALS, refusal
from streamhub.engine.settings import LaneSettings, consumer_settings
from streamhub.engine.topics import TopicFacts
from streamhub.engine.transaction import call_patiently, translate
from streamhub.engine.watched import GiveUp
from streamhub.engine.work import Batch, Partition, Place
from streamhub.errors import StreamAppError

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("streamhub.kafka")

_CALL_TIMEOUT_S: Final = 2.0


class Owner(Protocol):
    """What the reader asks of the lane in the middle of a rebalance."""

    def give_up_partitions(self, *, are_lost: bool) -> None:
        """Commit what was sent, or abort when the partitions are somebody else's already."""

    def take_partitions(self, places: Mapping[Partition, Place]) -> None:
        """Get ready to read from these places."""


class SourceReader:
    """The consumer of a copy; used by the lane's thread only.

    Attributes:
        is_rebalanced: Whether partitions came or went since `take` was last called.
        positions: Next offset to read, by partition; replaced as a whole, so other threads may read it.
        is_assigned: Whether the group has said what this copy reads, which may be nothing.
        newest_ms: When the record taken last was written to its topic [ms since 1970]; 0 before the first.
        needs_ends: Whether batches should say which partitions have been read to their end.
    """

    def __init__(
        self,
        settings: LaneSettings,
        topics: TopicFacts,
        owner: Owner,
        *,
        on_error: Callable[[KafkaError], None],
        give_up: GiveUp,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._owner = owner
        self._on_error = on_error
        self._give_up = give_up
        # librdkafka's constructors write to standard error unless they are given a logger.
        self._consumer = Consumer({**consumer_settings(settings), "error_cb": on_error}, logger=_kafka_log)
        self._paused: frozenset[Partition] = frozenset()
        self._ends: dict[Partition, int] = {}
        self._newest_at = time.monotonic()
        self._is_owner = False
        self._assigned: list[TopicPartition] | None = None
        self.needs_ends = False
        self.is_rebalanced = False
        self.positions: Mapping[Partition, int] = {}
        self.is_assigned = False
        self.newest_ms = 0

    @property
    def consumer(self) -> Consumer:
        """The client, for the transaction's group metadata."""
        return self._consumer

    def join(self) -> None:
        """Join the consumer group."""
        topics = list(self._topics.sources)
        if self._topics.one_owner:
            topics = [self._settings.specification.state_topic]
        self._consumer.subscribe(
            topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def close(self) -> None:
        """Leave; a partition that is given up on the way is committed by its owner."""
        try:
            self._consumer.close()
        except (KafkaException, StreamAppError) as error:
            _log.warning("closing the consumer: %s", error, extra={"action": "close"})
        self.is_assigned = False

    def take(self, wait_s: float, most: int) -> Batch | None:
        """Take the first record as soon as it comes, and then what else is there.

        Args:
            wait_s: Longest wait for the first one [s].
            most: Largest number of records.

        Returns: the batch, with positions right behind it; None when partitions came or went on the way, and
            so records of the batch may not be ours any more: go back to what is committed.

        Raises:
            NotAuthorizedError: a source may not be read, or the group not be used.
            CopyFencedError: another process runs the same copy.
        """
        self.is_rebalanced = False
        messages: list[Message] = self._consumer.consume(1, wait_s)
        if messages and most > 1:
            messages += self._consumer.consume(most - 1, 0)
        # Before anything else: that another copy is there, or a right missing, is said only once.
        ends = self._read_news(messages) if any(map(Message.error, messages)) else {}
        if self.is_rebalanced:
            return None
        positions: dict[Partition, int] = {}
        if messages:
            if ends:
                messages = [message for message in messages if message.error() is None]
            positions = dict(self._read_positions(messages)) if messages else {}
            for place, end in ends.items():
                # Markers of transactions take offsets too: the end is further than the last record.
                positions[place] = max(end, positions.get(place, end))
            self._ends.update(ends)
            self.positions = {**self.positions, **positions}
        now = time.monotonic()
        if messages:
            self._newest_at = now
            self.newest_ms = messages[-1].timestamp()[1]
        ended = frozenset(filter(self._is_at_its_end, self.positions)) if self.needs_ends else frozenset()
        return Batch(messages, positions, ended, now - self._newest_at > self._settings.idle_wait_s)

    def _is_at_its_end(self, partition: Partition) -> bool:
        """Say whether nothing is known to lie behind what was read; asks nobody."""
        position = self.positions[partition]
        if self._ends.get(partition) == position:
            return True
        _, end = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        return bool(0 <= end <= position)

    def hold_back(self, crowded: frozenset[Partition]) -> None:
        """Read no more of some partitions for now, and again of those that are not among them any more."""
        if crowded == self._paused:
            return
        present = {(place.topic, place.partition) for place in self._consumer.assignment()}
        self._consumer.resume([TopicPartition(*place) for place in (self._paused - crowded) & present])
        self._consumer.pause([TopicPartition(*place) for place in (crowded - self._paused) & present])
        self._paused = crowded

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are read now."""
        return frozenset((place.topic, place.partition) for place in self._consumer.assignment())

    def rewind(self) -> None:
        """Go back to the committed place of every partition; what was taken since is taken again."""
        partitions: Sequence[TopicPartition] = self._consumer.assignment()
        if self._topics.one_owner:
            partitions = self._all_partitions() if self._is_owner else ()
        if not partitions:
            return
        committed = call_patiently(lambda: self._ask_committed(partitions), self._give_up)
        self._owner.take_partitions(
            {(place.topic, place.partition): Place(place.offset, place.metadata or "") for place in committed}
        )
        # Assigning again instead of seeking: it also works before the first fetch and empties the queue.
        self._paused = frozenset()
        self._ends = {}
        self._assigned = None
        self._consumer.assign(
            [
                TopicPartition(
                    place.topic, place.partition, place.offset if place.offset >= 0 else OFFSET_BEGINNING
                )
                for place in committed
            ]
        )
        self.positions = self._starts(committed)

    def _ask_committed(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        places = [TopicPartition(place.topic, place.partition) for place in partitions]
        committed = self._consumer.committed(places, _CALL_TIMEOUT_S)
        for place in committed:
            if place.error is not None:
                # Its offset is not known, which must not be taken for "nothing committed yet".
                raise KafkaException(place.error)
        return committed

    def _starts(self, committed: Sequence[TopicPartition]) -> Mapping[Partition, int]:
        starts: dict[Partition, int] = {}
        for place in committed:
            offset = place.offset
            if offset < 0:
                try:
                    offset, _ = self._consumer.get_watermark_offsets(place, _CALL_TIMEOUT_S)
                except KafkaException:
                    offset = 0
            starts[place.topic, place.partition] = offset
        return starts

    def _read_positions(self, messages: Sequence[Message]) -> Mapping[Partition, int]:
        """Where to go on behind a batch, for the partitions that it holds records of."""
        if self._assigned is None:
            # Asking costs a round trip to the client library's own thread.
            self._assigned = self._consumer.assignment()
        places = self._assigned
        if len(places) > 1:
            touched = set(zip(map(Message.topic, messages), map(Message.partition, messages), strict=True))
            places = [place for place in places if (place.topic, place.partition) in touched]
        return {(place.topic, place.partition): place.offset for place in self._consumer.position(places)}

    def _read_news(self, messages: Sequence[Message]) -> Mapping[Partition, int]:
        """Read what the client library says in between records; returns the ends of partitions."""
        ends: dict[Partition, int] = {}
        for message in messages:
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's spelling
                ends[message.topic() or "", message.partition() or 0] = message.offset() or 0
            elif error.code() in REFUSALS:
                raise refusal(error, message.topic())
            elif is_fatal(error):
                raise translate(error)
            else:
                self._on_error(error)
        return ends

    def _on_assign(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self.is_rebalanced = True
        self.is_assigned = True
        self._assigned = None
        self.positions = {}
        if self._topics.one_owner:
            # What the group deals out is not read; the partitions that are come with `rewind`.
            self._consumer.assign([])
            self._is_owner = any(place.partition == 0 for place in partitions)
        _log.info("assigned %d partitions", len(partitions), extra={"action": "assign"})

    def _all_partitions(self) -> Sequence[TopicPartition]:
        return [
            TopicPartition(topic, partition)
            for topic, number in self._topics.sources.items()
            for partition in range(number)
        ]

    def _on_revoke(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self.is_rebalanced = True
        self._owner.give_up_partitions(are_lost=False)
        self._forget()
        _log.info("gave up %d partitions", len(partitions), extra={"action": "revoke"})

    def _on_lost(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self.is_rebalanced = True
        self._owner.give_up_partitions(are_lost=True)
        self._forget()
        _log.warning("lost %d partitions; another copy has them", len(partitions), extra={"action": "lost"})

    def _forget(self) -> None:
        self.positions = {}
        self.is_assigned = self._is_owner = False
        self._assigned = None
        self._paused = frozenset()
