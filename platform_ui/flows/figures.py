"""Figures of what flows, and how they follow from counts that are read every few seconds.

What lives here: `FlowSnapshot` with its parts, and `History`, which turns counts into rates. What does not:
asking the broker (``offsets``) and the runner, and when (``sampler``). Pure: times come in as arguments.

Counts of topics are Kafka's end offsets. Each transaction of a stream app also writes a marker to every
partition that it touched, and a marker takes an offset: the rate of a topic that is written in transactions
(``.ext``) is a little high. Where it matters, take what the app says it has forwarded.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from platform_ui.streams.runner_port import Status

WINDOW: Final = timedelta(seconds=15)
STALE_AFTER: Final = timedelta(seconds=45)
GROWTH_WINDOW: Final = timedelta(seconds=60)
"""How long a lag must have grown before it is said to grow."""
LEAST_GROWTH: Final = 100
"""By how much [records]: a lag that breathes with the batches of a producer is no trouble."""


@dataclass(frozen=True, slots=True)
class TopicRate:
    """What happens on a topic.

    Attributes:
        rate_per_s: Records over the last 15 s [records/s]; nothing when it has been seen only once.
        total: Records that were ever written to it, as far as offsets tell [records].
        last_moved: When the last record came; nothing when none has, or it is not known.
        last_hour: Records of the last hour; measured for dead-letter topics alone.
    """

    rate_per_s: float | None = None
    total: int | None = None
    last_moved: datetime | None = None
    last_hour: int | None = None


@dataclass(frozen=True, slots=True)
class AppRate:
    """What a stream app does; counts are those since its process was started.

    Attributes:
        state: The runner's word for where it is.
        desired: ``running`` or ``stopped``.
        cause: Why it is not simply running.
        restarts: How often the runner has started it again by itself.
        consumed: Records read.
        forwarded: Records written to the target.
        dead_lettered: Records that could not be used.
        lag: Records that wait; nothing when it is not known.
        last_progress: When it last moved.
        consumed_per_s: Rate of reading over the last 15 s [records/s]; nothing when it is not known.
        forwarded_per_s: Rate of writing, likewise.
        is_falling_behind: Whether its lag has grown all through the last minute.
    """

    state: str
    desired: str = "running"
    cause: str | None = None
    restarts: int = 0
    consumed: int | None = None
    forwarded: int | None = None
    dead_lettered: int | None = None
    lag: int | None = None
    last_progress: datetime | None = None
    consumed_per_s: float | None = None
    forwarded_per_s: float | None = None
    is_falling_behind: bool = False


@dataclass(frozen=True, slots=True)
class FlowSnapshot:
    """What was last measured.

    Attributes:
        at: When; nothing when nothing has been measured yet.
        topics: By name; a topic that is not there has not been measured.
        apps: By id, ``<source system>.<name>``.
        trouble: Why figures are missing or old, for people; empty when all is well.
        is_stale: Whether the figures are too old to be taken for the present.
        took_s: How long measuring took [s].
    """

    at: datetime | None = None
    topics: Mapping[str, TopicRate] = field(default_factory=dict)
    apps: Mapping[str, AppRate] = field(default_factory=dict)
    trouble: str = ""
    is_stale: bool = True
    took_s: float = 0.0

    def topic(self, name: str) -> TopicRate:
        """Return what is known of a topic; empty figures when nothing is."""
        return self.topics.get(name, _UNKNOWN)

    def aged(self, present: datetime) -> "FlowSnapshot":
        """Return the same figures, marked as stale when they are too old at a time."""
        is_stale = self.at is None or present - self.at > STALE_AFTER
        return self if is_stale == self.is_stale else replace(self, is_stale=is_stale)


_UNKNOWN: Final = TopicRate()
_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Flows(Protocol):
    """What pages need of whoever measures."""

    def snapshot(self) -> FlowSnapshot:
        """Return what was last measured, at once."""


class History:
    """The counts of the last seconds, and the rates that follow from them."""

    def __init__(self) -> None:
        self._samples: deque[tuple[datetime, Mapping[str, int]]] = deque()
        self._moved: dict[str, datetime] = {}

    def add(self, at: datetime, totals: Mapping[str, int], moved: Mapping[str, datetime]) -> None:
        """Take in the counts of one moment.

        Args:
            at: The moment; later than any before.
            totals: Records by topic.
            moved: When topics last moved, where the broker has said so.
        """
        before = self._samples[-1][1] if self._samples else {}
        for name, total in totals.items():
            if name in before and total > before[name]:
                self._moved[name] = at
        known = {**moved, **self._moved}
        self._moved = {name: when for name, when in known.items() if name in totals}
        self._samples.append((at, totals))
        while len(self._samples) > 2 and at - self._samples[1][0] >= WINDOW:  # noqa: PLR2004 - two make a rate
            self._samples.popleft()

    def rates(self, last_hour: Mapping[str, int]) -> dict[str, TopicRate]:
        """Return the figures of all topics of the newest moment.

        Args:
            last_hour: Records of the last hour, by topic, where they are known.
        """
        if not self._samples:
            return {}
        at, totals = self._samples[-1]
        first_at, first = self._samples[0]
        elapsed_s = (at - first_at).total_seconds()
        return {
            name: TopicRate(
                _rate(first.get(name), total, elapsed_s),
                total,
                self._moved.get(name),
                last_hour.get(name),
            )
            for name, total in totals.items()
        }


class AppHistory:
    """What apps said of themselves in the last minute."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[datetime, Status]]] = {}

    def add(self, at: datetime, statuses: Mapping[str, Status]) -> dict[str, AppRate]:
        """Take in what all apps say at one moment, and return their figures."""
        kept = {app_id: self._samples.get(app_id, deque()) for app_id in statuses}
        self._samples = kept
        return {app_id: _app_rate(kept[app_id], at, status) for app_id, status in statuses.items()}


def app_rate_of(status: Status) -> AppRate:
    """Return the figures of an app that is looked at once: without rates."""
    return _app_rate(deque(), _ONCE, status)


def _app_rate(samples: deque[tuple[datetime, Status]], at: datetime, status: Status) -> AppRate:
    if samples and _has_begun_anew(samples[-1][1], status):
        samples.clear()
    samples.append((at, status))
    while at - samples[0][0] > GROWTH_WINDOW + WINDOW:
        samples.popleft()
    progress = status.progress
    figures = AppRate(status.state, status.desired, status.cause, status.restarts)
    if progress is None:
        return figures
    is_running = status.state == "running"
    consumed_per_s = forwarded_per_s = None if is_running else 0.0
    since = next((sample for sample in samples if at - sample[0] <= WINDOW), samples[-1])
    first, elapsed_s = since[1].progress, (at - since[0]).total_seconds()
    if is_running and first is not None:
        consumed_per_s = _rate(first.consumed, progress.consumed, elapsed_s)
        forwarded_per_s = _rate(first.forwarded, progress.forwarded, elapsed_s)
    return replace(
        figures,
        consumed=progress.consumed,
        forwarded=progress.forwarded,
        dead_lettered=progress.dead_lettered,
        lag=progress.lag,
        last_progress=progress.last_progress,
        consumed_per_s=consumed_per_s,
        forwarded_per_s=forwarded_per_s,
        is_falling_behind=is_running and _grows(samples, at),
    )


def _has_begun_anew(before: Status, status: Status) -> bool:
    """Whether counts of before tell nothing about the present process."""
    if before.started_at != status.started_at:
        return True
    earlier, progress = before.progress, status.progress
    return earlier is not None and progress is not None and progress.consumed < earlier.consumed


def _grows(samples: deque[tuple[datetime, Status]], at: datetime) -> bool:
    """Whether the lag is higher than in each third of the last minute before, and by more than a little."""
    if at - samples[0][0] < GROWTH_WINDOW:
        return False
    lags = [status.progress.lag for _, status in samples if status.progress is not None]
    known = [lag for lag in lags if lag is not None]
    third = len(known) // 3
    if third == 0 or known[-1] - known[0] < LEAST_GROWTH:
        return False
    lows = [min(known[first : first + third]) for first in (0, third, 2 * third)]
    return lows[0] < lows[1] < lows[2]


def _rate(first: int | None, last: int, elapsed_s: float) -> float | None:
    """Return a rate; nothing when there is no earlier count, or it was of a topic that is gone."""
    if first is None or elapsed_s <= 0 or last < first:
        return None
    return (last - first) / elapsed_s
