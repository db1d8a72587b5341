"""What stream apps did in the last minutes: a bounded history in memory, for small curves on their pages.

What lives here: reading the figures of all apps every few seconds, and what follows from two of them. What
does not: the present figures, which the runner tells (``views``), and those of topics.

The history is that of this process: it begins empty, and is gone when the process ends. It holds at most
`KEPT` samples for each app that the runner knows, a few hundred bytes each.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from platform_ui.db import now
from platform_ui.errors import RunnerError
from platform_ui.streams.runner_port import Progress, Status, StreamRunner
from platform_ui.streams.running import states_of

_log = logging.getLogger(__name__)

PERIOD_S: Final = 5.0
KEPT: Final = 120
"""Samples: ten minutes."""
_WIDTH: Final = 120
_HEIGHT: Final = 28


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures of an app at one time.

    Attributes:
        at: When they were read.
        input_rate: Records read per second [1/s].
        output_rate: Records written per second [1/s].
        lag: Records that wait [1]; nothing when it was not known.
        lag_s: Age of the record read last, while others wait [s]; nothing when it was not known.
        pid: The process.
        cpu_s: Processor time that it had used [s].
        measured_at: When it said so itself.
    """

    at: datetime
    input_rate: float
    output_rate: float
    lag: int | None
    lag_s: float | None
    pid: int
    cpu_s: float
    measured_at: datetime

    @classmethod
    def of(cls, at: datetime, progress: Progress) -> "Sample":
        """Take the figures that matter here."""
        return cls(
            at,
            progress.input_rate,
            progress.output_rate,
            progress.lag,
            progress.lag_s,
            progress.pid,
            progress.cpu_s,
            progress.updated_at,
        )


class FigureHistory:
    """Keeps the samples of all apps for as long as it runs.

    Args:
        runner: The runner of stream apps.
        clock: The present time.
    """

    def __init__(self, runner: StreamRunner, *, clock: Callable[[], datetime] = now) -> None:
        self._runner = runner
        self._clock = clock
        self._samples: dict[str, deque[Sample]] = {}

    async def run(self) -> None:
        """Read the figures until cancelled."""
        while True:
            try:
                self.note((await states_of(self._runner)).values())
            except RunnerError as error:
                _log.debug("figures of stream apps cannot be read: %s", error)
            await asyncio.sleep(PERIOD_S)

    def note(self, statuses: Iterable[Status]) -> None:
        """Keep the figures of all apps, and forget those of apps that are gone."""
        at = self._clock()
        former, self._samples = self._samples, {}
        for status in statuses:
            samples = self._samples[status.app_id] = former.get(status.app_id) or deque(maxlen=KEPT)
            progress = status.progress
            if progress is not None and (not samples or samples[-1].measured_at != progress.updated_at):
                samples.append(Sample.of(at, progress))

    def of(self, app_id: str) -> tuple[Sample, ...]:
        """Return the samples of an app, oldest first; none when nothing was seen of it yet."""
        return tuple(self._samples.get(app_id, ()))


def cpu_share(samples: Sequence[Sample]) -> float | None:
    """Return the part of one processor core that an app used between its last two samples [1].

    Nothing when there are not two of the same process.
    """
    if len(samples) < 2:  # noqa: PLR2004 - a difference takes two
        return None
    before, after = samples[-2:]
    span = (after.measured_at - before.measured_at).total_seconds()
    if before.pid != after.pid or span <= 0:
        return None
    return max(after.cpu_s - before.cpu_s, 0.0) / span


@dataclass(frozen=True, slots=True)
class Curve:
    """A small curve, ready to be drawn.

    Attributes:
        points: Its corners as SVG wants them, in a field of 120 by 28.
        least: The smallest value.
        most: The largest value.
    """

    points: str
    least: float
    most: float


def curve(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> Curve | None:
    """Draw one figure of the samples over their time; nothing when there are not two of it.

    Args:
        samples: Oldest first.
        value: The figure; samples without it are left out.
    """
    found = [(one.at.timestamp(), float(known)) for one in samples if (known := value(one)) is not None]
    if len(found) < 2 or all(later == earlier for (earlier, _), (later, _) in pairwise(found)):  # noqa: PLR2004
        return None
    begin, span = found[0][0], found[-1][0] - found[0][0]
    most = max(figure for _, figure in found)
    points = " ".join(
        f"{(at - begin) / span * _WIDTH:.1f},{_HEIGHT - 1 - figure / (most or 1) * (_HEIGHT - 2):.1f}"
        for at, figure in found
    )
    return Curve(points, min(figure for _, figure in found), most)


def curves(samples: Sequence[Sample]) -> dict[str, Curve | None]:
    """Draw the figures that a page shows, by their names."""
    return {
        "input_rate": curve(samples, lambda one: one.input_rate),
        "output_rate": curve(samples, lambda one: one.output_rate),
        "lag": curve(samples, lambda one: one.lag),
        "lag_s": curve(samples, lambda one: one.lag_s),
    }
