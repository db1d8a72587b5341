"""Records on their way: one consumer for each one who follows, from where they were.

What lives here: following a topic from positions, bounded in how many may do so at once. What does not: what
was before (``reading``), and how it is sent (``events``).

How it works: every follower has its own consumer, so that each can go on where it was and nobody loses a
record because of somebody else; the next batch is read when the last one has been taken. A page only wants to
see what passes: it jumps ahead when it is far behind, and says how many it left out. A program jumps never.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.cimpl import TopicPartition

from client.messaging.security import KafkaSecurity
from platform_ui.errors import BrokerError
from platform_ui.live.reading import Begin, consumer_settings, following, marks_of, starts_of
from platform_ui.live.sieve import Sieve
from platform_ui.systems.records import ConsumerSettings, TopicRecord, record_of

_log = logging.getLogger(__name__)

MOST_FOLLOWERS: Final = 64
"""So many may follow at once in this process, each with a consumer and a thread [1]."""
MOST_OF_ONE: Final = 16
"""So many of them may be those of one person, who must not hold up all others [1]."""
MOST_AT_ONCE: Final = 1_000
PERIOD_S: Final = 0.25
FAR_BEHIND: Final = 5_000
RETRY_S: Final = 2.0

_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class Batch:
    """What passed since the last one.

    Attributes:
        records: What matches, in the order of each partition.
        read: Records that were looked at [1].
        unusable: Those of them that the filter cannot judge [1].
        skipped: Records that were left out to keep up [1].
        lost: Records between where somebody was and the oldest that are still there [1].
        positions: Where to go on, by partition; nothing while it is not known.
        before: Where it began, by partition.
        is_live: Whether the broker answers.
    """

    records: list[TopicRecord] = field(default_factory=list)
    read: int = 0
    unusable: int = 0
    skipped: int = 0
    lost: int = 0
    positions: dict[int, int] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)
    is_live: bool = True


class FollowHub:
    """All who follow in this process."""

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity) -> None:
        self._settings = consumer_settings(bootstrap_servers, security)
        self._pool = ThreadPoolExecutor(MOST_FOLLOWERS, thread_name_prefix="live")
        self._counts: Counter[str] = Counter()
        self._is_stopping = False

    @property
    def followers(self) -> int:
        """How many follow now."""
        return self._counts.total()

    def stop(self) -> None:
        """End all: called when the process is told to stop, so that nobody holds it up."""
        self._is_stopping = True
        self._pool.shutdown(wait=False)

    def require_room(self, person: str) -> None:
        """Return when one more may follow.

        Args:
            person: who wants to.

        Raises:
            BrokerError: there are as many as there may be, of this person or of all.
        """
        if self.followers >= MOST_FOLLOWERS or self._is_stopping:
            said = f"{self.followers} pages and programs follow records here already"
        elif self._counts[person] >= MOST_OF_ONE:
            said = f"{self._counts[person]} of your pages and programs follow records here already"
        else:
            return
        raise BrokerError(
            f"{said}, which is as many as may.",
            code="live.too_many",
            hint="Close some of them, or try again in a minute.",
        )

    async def follow(
        self, topic: str, begin: Begin, sieve: Sieve, person: str, *, jumps: bool = False
    ) -> AsyncGenerator[Batch]:
        """Yield what passes, and an empty batch where nothing did, at least every two seconds.

        Args:
            topic: name of the topic.
            begin: where.
            sieve: what is wanted; nobody else may use it.
            person: who follows.
            jumps: whether to leave records out rather than fall far behind.

        Raises:
            BrokerError: as many follow as may.
        """
        self.require_room(person)
        follower = _Follower(self._settings, topic, begin, sieve, jumps=jumps)
        self._counts[person] += 1
        try:
            while not self._is_stopping:
                try:
                    batch = await self._call(follower.step)
                except KafkaException as error:
                    _log.warning("%s is not followed, tried again in %.0f s: %s", topic, RETRY_S, error)
                    if self._is_stopping:
                        return
                    await self._call(follower.close)
                    yield Batch(positions=dict(follower.positions), is_live=False)
                    await asyncio.sleep(RETRY_S)
                else:
                    yield batch
        finally:
            self._counts[person] -= 1
            self._counts += Counter()  # forgets who follows no more
            if not self._is_stopping:
                self._pool.submit(follower.close)
            else:
                await asyncio.to_thread(follower.close)

    async def _call(self, work: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


class _Follower:
    """One consumer, used by one thread at a time."""

    def __init__(
        self, settings: ConsumerSettings, topic: str, begin: Begin, sieve: Sieve, *, jumps: bool
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._begin = begin
        self._sieve = sieve
        self._jumps = jumps
        self._lock = threading.Lock()
        self._consumer: Consumer | None = None
        self.positions: dict[int, int] = {}

    def close(self) -> None:
        """Give the consumer back; the next step opens another one where this one was."""
        with self._lock:
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None

    def step(self) -> Batch:
        """Wait shortly for records and judge them.

        Raises:
            KafkaException: the broker does not give them.
        """
        with self._lock:
            if self._consumer is None:
                consumer = self._consumer = Consumer(self._settings)
                lost = self._open(consumer)
                positions = dict(self.positions)
                return Batch(lost=lost, positions=positions, before=positions)
            return self._read(self._consumer)

    def _open(self, consumer: Consumer) -> int:
        """Begin, or go on where it was; return how many records have been removed in between."""
        marks = marks_of(consumer, self._topic)
        begin: Begin = self.positions or self._begin
        lost = 0
        if isinstance(begin, Mapping):
            # A partition that is shorter than it was has been made anew: all of it is new.
            begin = {number: at for number, at in begin.items() if at <= marks.get(number, (0, 0))[1]}
            lost = sum(max(0, marks[number][0] - at) for number, at in begin.items())
        self.positions = starts_of(consumer, self._topic, begin, marks)
        consumer.assign(
            [TopicPartition(self._topic, number, offset) for number, offset in self.positions.items()]
        )
        return lost

    def _read(self, consumer: Consumer) -> Batch:
        batch = Batch(before=dict(self.positions))
        read: list[TopicRecord] = []
        for message in consumer.consume(MOST_AT_ONCE, PERIOD_S):
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            read.append(record_of(message))
        self.positions = following(self.positions, read)
        sifted = self._sieve.take(read)
        batch.records = [record for _, record in sifted.matched]
        batch.read, batch.unusable = len(sifted.visible), len(sifted.unusable)
        if self._jumps:
            batch.skipped = self._catch_up(consumer)
        batch.positions = dict(self.positions)
        return batch

    def _catch_up(self, consumer: Consumer) -> int:
        """Jump to the end of each partition that is far ahead; return how many records were left out."""
        skipped = 0
        for number, position in list(self.positions.items()):
            place = TopicPartition(self._topic, number)
            _, high = consumer.get_watermark_offsets(place, cached=True)
            if high - position > FAR_BEHIND:
                skipped += high - MOST_AT_ONCE - position
                self.positions[number] = high - MOST_AT_ONCE
                consumer.seek(TopicPartition(self._topic, number, high - MOST_AT_ONCE))
        return skipped
