"""The live tail: records of a system on their way to the browsers that watch it.

What lives here: one consumer thread per watched system, shared by its watchers. What does not: who may watch
(``pages``) and what a record looks like (``sight``).

How it works: the thread assigns itself all partitions (no consumer group, no commits), a few records before
their ends, and reads committed records only. Four times a second it hands what arrived to the event loop,
at most the newest hundred per topic; when it falls far behind it jumps to the end. So neither a fast topic
nor a slow browser can fill the memory; what is left out is counted and shown.
"""

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import asdict
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.cimpl import Message, TopicPartition

from client.messaging.records import UNREADABLE_HEADERS, read_headers
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from platform_ui.systems.sight import Sight, see
from platform_ui.systems.units import UnitDirectory

_log = logging.getLogger(__name__)

ROWS: Final = 100  # per topic, on the page and in memory
HISTORY: Final = 20  # records before the end of each partition that a new tail begins with
BATCH: Final = 500
PERIOD_S: Final = 0.25
FAR_BEHIND: Final = 5_000  # records; beyond, the tail jumps to the end
QUEUE_EVENTS: Final = 40  # ten seconds of events wait for a slow browser, then the oldest go
RETRY_S: Final = 2.0
TIMEOUT_S: Final = 5.0
RECHECK_S: Final = 2.0  # how long somebody sees records after their part has been taken away
STOP_CHECK_S: Final = 1.0

Deliver = Callable[[list[Sight], int, str], None]


class TailHub:
    """All live tails of this process."""

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity, units: UnitDirectory) -> None:
        self._configuration = {
            **security.to_librdkafka(),
            "bootstrap.servers": bootstrap_servers,
            "group.id": "platform-tail",  # required by the library; never joined, never committed
            "client.id": "platform-tail",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "latest",
            "queued.max.messages.kbytes": 4096,
            "fetch.wait.max.ms": 200,
            "log_level": 2,
        }
        self._units = units
        self._tails: dict[str, _Tail] = {}
        self._is_stopping = False

    @property
    def watchers(self) -> int:
        """The number of browsers that watch."""
        return sum(len(tail.queues) for tail in self._tails.values())

    @property
    def is_stopping(self) -> bool:
        """Whether the process was told to stop: what lasts for a browser ends now."""
        return self._is_stopping

    def stop(self) -> None:
        """End all tails: called when the process is told to stop, so that no browser holds it up."""
        self._is_stopping = True
        for tail in self._tails.values():
            tail.stop()

    async def follow(self, system: str) -> AsyncGenerator[str | None, None]:
        """Yield server-sent events of a system's records, and nothing now and then to ask again who watches.

        Args:
            system: the full name of a system.
        """
        tail = self._tails.get(system)
        if tail is None:
            tail = _Tail(SystemName.parse(system), self._configuration, self._units)
            self._tails[system] = tail
            tail.start(asyncio.get_running_loop())
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_EVENTS)
        tail.queues.add(queue)
        try:
            yield tail.snapshot()
            last_check = time.monotonic()
            while not self._is_stopping:
                with contextlib.suppress(TimeoutError):
                    yield await asyncio.wait_for(queue.get(), STOP_CHECK_S)
                if time.monotonic() - last_check > RECHECK_S:
                    last_check = time.monotonic()
                    yield None
        finally:
            tail.queues.discard(queue)
            if not tail.queues and self._tails.get(system) is tail:
                del self._tails[system]
                tail.stop()


class _Tail:
    """The tail of one system: a thread that reads, and the queues of those who watch."""

    def __init__(self, system: SystemName, configuration: dict[str, object], units: UnitDirectory) -> None:
        topics = system.topics
        self.queues: set[asyncio.Queue[str]] = set()
        self._system = str(system)
        self._rows = {tab: deque[Sight](maxlen=ROWS) for tab in ("int", "ext", "dlq")}
        self._state = "connecting"
        self._units = units
        self._tasks: set[asyncio.Task[None]] = set()
        self._reader = _Reader(
            {topics.internal: "int", topics.external: "ext", topics.dead_letters: "dlq"}, configuration
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader.start(f"tail-{self._system}", self._from_thread)

    def stop(self) -> None:
        self._reader.stop()

    def snapshot(self) -> str:
        """Return the event that a new watcher begins with."""
        rows = [sight for lane in self._rows.values() for sight in lane]
        return self._event("records", self._payload(rows, 0))

    def _from_thread(self, sights: list[Sight], skipped: int, state: str) -> None:
        loop = self._loop
        if loop is None:
            self._reader.stop()
            return
        try:
            loop.call_soon_threadsafe(self._deliver, sights, skipped, state)
        except RuntimeError:  # it is closed, at any time: nobody watches any more
            self._reader.stop()

    def _deliver(self, sights: list[Sight], skipped: int, state: str) -> None:
        if not sights and state == self._state:
            return
        self._state = state
        for sight in sights:
            self._rows[sight.tab].append(sight)
        self._publish(self._event("records", self._payload(sights, skipped)))
        unknown = {sight.name for sight in sights if sight.thing and self._unit(sight) is None}
        if unknown:
            task = asyncio.get_running_loop().create_task(self._add_units(unknown))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _add_units(self, names: Iterable[str]) -> None:
        units = await self._units.resolve(names, self._system)
        if units:
            self._publish(self._event("units", units))

    def _unit(self, sight: Sight) -> str | None:
        return self._units.known(sight.name, self._system)

    def _payload(self, sights: list[Sight], skipped: int) -> dict[str, object]:
        records = [asdict(sight) | {"unit": self._unit(sight) or ""} for sight in sights]
        return {"state": self._state, "skipped": skipped, "records": records}

    def _publish(self, event: str) -> None:
        for queue in self.queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    @staticmethod
    def _event(kind: str, payload: object) -> str:
        return f"event: {kind}\ndata: {json.dumps(payload, ensure_ascii=False)}\n\n"


class _Reader:
    """The thread that reads the topics of one system."""

    def __init__(self, tabs: dict[str, str], configuration: dict[str, object]) -> None:
        self._tabs = tabs
        self._configuration = configuration
        self._stopping = threading.Event()

    def start(self, name: str, deliver: Deliver) -> None:
        threading.Thread(target=self._run, args=(deliver,), name=name, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self, deliver: Deliver) -> None:
        while not self._stopping.is_set():
            consumer = Consumer(self._configuration)
            try:
                self._read(consumer, deliver)
            except KafkaException as error:
                _log.warning("tail interrupted, tries again in %.0f s: %s", RETRY_S, error)
                deliver([], 0, "interrupted")
                self._stopping.wait(RETRY_S)
            finally:
                consumer.close()

    def _read(self, consumer: Consumer, deliver: Deliver) -> None:
        partitions = self._assign(consumer)
        deliver([], 0, "live")
        while not self._stopping.is_set():
            began = time.monotonic()
            sights, skipped = self._collect(consumer.consume(BATCH, timeout=PERIOD_S))
            skipped += _catch_up(consumer, partitions)
            if sights:
                deliver(sights, skipped, "live")
            # Pauses only when little arrived: a full batch means that more is waiting.
            self._stopping.wait(max(0.0, PERIOD_S - (time.monotonic() - began)))

    def _assign(self, consumer: Consumer) -> list[TopicPartition]:
        partitions = []
        for topic in self._tabs:
            metadata = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
            if metadata.error is not None:
                if metadata.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise KafkaException(metadata.error)
            for number in metadata.partitions:
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=TIMEOUT_S)
                partitions.append(TopicPartition(topic, number, max(low, high - HISTORY)))
        if not partitions:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        consumer.assign(partitions)
        return partitions

    def _collect(self, messages: list[Message]) -> tuple[list[Sight], int]:
        rows: dict[str, deque[Message]] = {topic: deque(maxlen=ROWS) for topic in self._tabs}
        count = 0
        for message in messages:
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            count += 1
            rows[str(message.topic())].append(message)
        sights = [self._see(message) for lane in rows.values() for message in lane]
        return sights, count - len(sights)

    def _see(self, message: Message) -> Sight:
        topic = str(message.topic())
        return see(
            tab=self._tabs[topic],
            topic=topic,
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            timestamp_ms=message.timestamp()[1],
            key=_bytes(message.key()),
            value=_bytes(message.value()),
            headers=[(str(name), _bytes(text)) for name, text in _headers(message)],
        )


def _headers(message: Message) -> Iterable[tuple[str, object]]:
    """Return the headers of a record; none when the name of one is not text."""
    try:
        return read_headers(message) or ()
    except UNREADABLE_HEADERS:
        return ()


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _catch_up(consumer: Consumer, partitions: list[TopicPartition]) -> int:
    """Jump to the end of each partition that is far ahead; return about how many records were left out."""
    skipped = 0
    for position in consumer.position(partitions):
        _, high = consumer.get_watermark_offsets(position, cached=True)
        if position.offset >= 0 and high - position.offset > FAR_BEHIND:
            skipped += high - HISTORY - position.offset
            consumer.seek(TopicPartition(position.topic, position.partition, high - HISTORY))
    return skipped
