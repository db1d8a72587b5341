"""Reports of client apps as they come: one thread per watched system, shared by those who watch.

What lives here: following the end of a log topic. What does not: what is there already (``reading``), and who
may watch (``pages``). A watcher that is too slow loses the oldest, never the memory of this process.

A watcher begins with the last few reports, which the page may show already: so none is missed in between, and
whoever shows them tells them by their positions.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.cimpl import TopicPartition

from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from platform_ui.client_logs.reading import NAME
from platform_ui.client_logs.reports import Report, read_report
from platform_ui.systems.records import reading_settings, record_of

_log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 200
PERIOD_S: Final = 0.3
HISTORY: Final = 50
QUEUED: Final = 40
RETRY_S: Final = 2.0
RECHECK_S: Final = 2.0
TIMEOUT_S: Final = 5.0


class ReportHub:
    """All that is watched in this process."""

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity) -> None:
        self._settings = reading_settings(bootstrap_servers, security, NAME) | {"auto.offset.reset": "latest"}
        self._followed: dict[str, _Followed] = {}
        self._is_stopping = False

    def stop(self) -> None:
        """End all: called when the process is told to stop, so that no browser holds it up."""
        self._is_stopping = True
        for followed in self._followed.values():
            followed.stop()

    async def follow(self, system: str) -> AsyncGenerator[list[Report]]:
        """Yield reports of a system as they come, and an empty list now and then to ask who still may watch.

        Args:
            system: its full name.
        """
        followed = self._followed.get(system)
        if followed is None:
            topic = SystemName.parse(system).topics.log
            followed = self._followed[system] = _Followed(topic, self._settings, asyncio.get_running_loop())
        queue: asyncio.Queue[list[Report]] = asyncio.Queue(QUEUED)
        followed.queues.add(queue)
        try:
            yield list(followed.history)
            checked_at = time.monotonic()
            while not self._is_stopping:
                with contextlib.suppress(TimeoutError):
                    yield await asyncio.wait_for(queue.get(), RECHECK_S / 2)
                if time.monotonic() - checked_at > RECHECK_S:
                    checked_at = time.monotonic()
                    yield []
        finally:
            followed.queues.discard(queue)
            if not followed.queues and self._followed.get(system) is followed:
                del self._followed[system]
                followed.stop()


class _Followed:
    """One log topic: a thread that reads, and the queues of those who watch."""

    def __init__(
        self, topic: str, settings: dict[str, str | int | float | bool], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.queues: set[asyncio.Queue[list[Report]]] = set()
        self.history: deque[Report] = deque(maxlen=HISTORY)
        self._topic = topic
        self._settings = settings
        self._loop = loop
        self._stopping = threading.Event()
        threading.Thread(target=self._run, name=f"client-logs-{topic}", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        positions: dict[int, int] = {}
        while not self._stopping.is_set():
            consumer = Consumer(self._settings)
            try:
                self._read(consumer, positions)
            except KafkaException as error:
                _log.warning("%s is not read, tried again in %.0f s: %s", self._topic, RETRY_S, error)
                self._stopping.wait(RETRY_S)
            finally:
                consumer.close()

    def _read(self, consumer: Consumer, positions: dict[int, int]) -> None:
        metadata = consumer.list_topics(self._topic, timeout=TIMEOUT_S).topics[self._topic]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        starts = [self._start(consumer, number, positions) for number in metadata.partitions]
        consumer.assign(starts)
        while not self._stopping.is_set():
            messages = consumer.consume(MOST_AT_ONCE, PERIOD_S)
            for message in messages:
                error = message.error()
                if error is not None:
                    raise KafkaException(error)
                positions[message.partition() or 0] = (message.offset() or 0) + 1
            if messages:
                self._hand_over([read_report(record_of(message)) for message in messages])

    def _start(self, consumer: Consumer, number: int, positions: dict[int, int]) -> TopicPartition:
        if number in positions:  # after an interruption it goes on where it was
            return TopicPartition(self._topic, number, positions[number])
        low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=TIMEOUT_S)
        return TopicPartition(self._topic, number, max(low, high - HISTORY))

    def _hand_over(self, reports: list[Report]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._publish, reports)
        except RuntimeError:  # it is closed, at any time: nobody watches any more
            self.stop()

    def _publish(self, reports: list[Report]) -> None:
        self.history.extend(reports)
        for queue in self.queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(reports)
