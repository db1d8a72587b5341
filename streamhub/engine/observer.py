"""Watches a running lane from outside: lag, rates, progress file, Prometheus metrics.

What lives here: measuring. What does not: the lane itself, which is only read; judging the figures (the
runner). The ends of the partitions are asked over a connection of their own, so a lane that hangs is seen to
lag.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import psutil
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AdminClient,
    ListOffsetsResultInfo,
    OffsetSpec,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streamhub.engine.counters import RecordCounts
from streamhub.engine.metrics import progress_families
from streamhub.engine.progress import AppProgress, write_atomically
from streamhub.engine.work import Partition

_log = logging.getLogger(__name__)

_ASK_TIMEOUT_S: Final = 5.0
_RATE_WINDOW_S: Final = 5.0
# Older ends say nothing about now.
_STALE_END_S: Final = 10.0


class Observed(Protocol):
    """What is read of a lane, or of whatever else works on records; see `streamhub.engine.lane.BatchLane`."""

    @property
    def committed(self) -> RecordCounts:
        """What was done for good."""

    @property
    def positions(self) -> Mapping[Partition, int]:
        """Next offset to read, by partition."""

    @property
    def is_assigned(self) -> bool:
        """Whether the group has said what is read."""

    @property
    def newest_ms(self) -> int:
        """When the record read last was written to its topic [ms since 1970]; 0 before the first."""

    @property
    def turned_at(self) -> float:
        """When the loop last turned, by a monotonic clock [s]."""

    @property
    def trouble(self) -> str | None:
        """Why it waits; None when it does not."""


class LaneObserver:
    """Makes an `AppProgress` of a lane, once per `observe`; never blocks on Kafka."""

    def __init__(
        self,
        lane: Observed,
        admin: AdminClient,
        progress_file: Path | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._lane = lane
        self._file = progress_file
        self._monotonic = monotonic
        self._now = now
        self._admin = admin
        self._process = psutil.Process()
        self._asked: dict[TopicPartition, Future[ListOffsetsResultInfo]] = {}
        self._ends: Mapping[Partition, int] = {}
        self._ends_at = float("-inf")
        self._history: deque[tuple[float, RecordCounts]] = deque()
        self._moved: tuple[int, int] | None = None
        self._last_progress: datetime | None = None
        self._is_stopping = False
        self.latest = self._describe()

    def stopping(self) -> None:
        """Say in the next progress that the app is about to stop."""
        self._is_stopping = True

    def observe(self) -> AppProgress:
        """Measure now; write the progress file when there is one."""
        self._collect_ends()
        self._ask_ends()
        self.latest = self._describe()
        if self._file is not None:
            try:
                write_atomically(self._file, self.latest.to_json())
            except OSError as error:
                _log.warning("progress file %s: %s", self._file, error, extra={"action": "progress"})
        return self.latest

    def _collect_ends(self) -> None:
        if not self._asked or not all(future.done() for future in self._asked.values()):
            return
        try:
            self._ends = {
                (place.topic, place.partition): future.result(timeout=0).offset
                for place, future in self._asked.items()
            }
            self._ends_at = self._monotonic()
        except KafkaException as error:
            _log.debug("ends of the partitions: %s", error, extra={"action": "measure"})
        self._asked = {}

    def _ask_ends(self) -> None:
        places = list(self._lane.positions)
        if self._asked or not places:
            return
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        self._asked = self._admin.list_offsets(
            {TopicPartition(topic, partition): latest for topic, partition in places},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_ASK_TIMEOUT_S,
        )

    def _lag(self, positions: Mapping[Partition, int]) -> int | None:
        if not positions:
            # A copy without partitions has nothing to do.
            return 0 if self._lane.is_assigned else None
        if self._monotonic() - self._ends_at > _STALE_END_S:
            return None
        return sum(max(self._ends.get(place, offset) - offset, 0) for place, offset in positions.items())

    def _describe(self) -> AppProgress:
        lane, now, clock = self._lane, self._now(), self._monotonic()
        counts, positions = lane.committed, lane.positions
        position = sum(positions.values())
        if self._moved != (counts.consumed, position):
            self._moved = (counts.consumed, position)
            self._last_progress = now
        input_rate, output_rate, hit_rate = self._rates(clock, counts)
        lag = self._lag(positions)
        state = "stopping" if self._is_stopping else "running" if lane.is_assigned else "starting"
        return AppProgress(
            pid=os.getpid(),
            state=state,
            updated_at=now,
            consumed=counts.consumed,
            forwarded=counts.forwarded,
            dead_lettered=counts.dead_lettered,
            dead_letters=dict(counts.dead_letters),
            mismatches=counts.mismatches,
            missing=counts.missing,
            joined=counts.joined,
            tuples=counts.tuples,
            late=counts.late,
            dropped=counts.dropped,
            failed=counts.failed,
            held=counts.held,
            hit_rate=hit_rate,
            lag=lag,
            lag_s=self._lag_s(lag, now),
            position=position,
            input_rate=input_rate,
            output_rate=output_rate,
            turn_age_s=round(max(clock - lane.turned_at, 0.0), 3),
            cpu_s=round(time.process_time(), 3),
            memory_bytes=self._process.memory_info().rss,
            trouble=lane.trouble,
            last_progress=self._last_progress,
        )

    def _lag_s(self, lag: int | None, now: datetime) -> float | None:
        if not lag:
            return None if lag is None else 0.0
        newest_ms = self._lane.newest_ms
        return round(max(now.timestamp() - newest_ms / 1000, 0.0), 3) if newest_ms else None

    def _rates(self, clock: float, counts: RecordCounts) -> tuple[float, float, float | None]:
        """Give records in and out per second, and groups found per record joined, over the last seconds."""
        self._history.append((clock, counts))
        while len(self._history) > 1 and clock - self._history[0][0] > _RATE_WINDOW_S:
            self._history.popleft()
        then, before = self._history[0]
        span, joined = clock - then, counts.joined - before.joined
        hit_rate = round((counts.tuples - before.tuples) / joined, 4) if joined else None
        if span <= 0:
            return 0.0, 0.0, hit_rate
        consumed, forwarded = counts.consumed - before.consumed, counts.forwarded - before.forwarded
        return round(consumed / span, 1), round(forwarded / span, 1), hit_rate


class ProgressCollector(Collector):
    """Prometheus metrics made from the latest progress when they are asked for: no cost per record."""

    def __init__(self, app_id: str, observer: LaneObserver) -> None:
        self._app_id = app_id
        self._observer = observer

    def collect(self) -> Iterator[Metric]:
        """Make the metric families."""
        return progress_families({self._app_id: self._observer.latest})
