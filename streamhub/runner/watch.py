"""Watch progress, not liveness: a process that exists but does not move is found here.

What lives here: the judgement, pure, with the clock given. What does not: ending the process (`supervisor`).
"""

from dataclasses import dataclass
from typing import Final

from streamhub.engine.progress import AppProgress

# Importing, reaching the broker and joining the group come before the first sign.
_SHORTEST_START_S: Final = 45.0


@dataclass(slots=True)
class _Seen:
    sign: object
    since: float


class StallWatch:
    """Judges one process by its progress file.

    Three things are a stall, each for longer than `timeout_s`: records wait and neither the number consumed
    nor the position changes; the file is not written any more; the loop of the lane does not turn. An app
    whose lag is 0 or unknown (Kafka away) may rest as long as it likes.
    """

    def __init__(self, timeout_s: float, started: float) -> None:
        """Begin to watch.

        Args:
            timeout_s: Longest time without progress [s].
            started: When the process started, on the clock that `judge` is given [s].
        """
        self._timeout_s = timeout_s
        self._written = _Seen(None, started)
        self._moved = _Seen(None, started)

    def judge(self, progress: AppProgress | None, now: float) -> str | None:
        """Say why the process has to be restarted; None while it may go on.

        Args:
            progress: The latest progress of this process; None when there is none yet.
            now: Time of a monotonic clock [s].
        """
        if progress is None:
            waited = now - self._written.since
            limit = max(self._timeout_s, _SHORTEST_START_S)
            return f"no sign of life {waited:.0f} s after its start" if waited > limit else None
        if self._written.sign != progress.updated_at:
            self._written = _Seen(progress.updated_at, now)
        moved = (progress.consumed, progress.position)
        if self._moved.sign != moved or not progress.lag:
            self._moved = _Seen(moved, now)
        return self._stall(progress, now)

    def _stall(self, progress: AppProgress, now: float) -> str | None:
        waiting = f" while {progress.lag} records wait" if progress.lag else ""
        silent = now - self._written.since
        if silent > self._timeout_s:
            return f"no sign of life for {silent:.0f} s{waiting}"
        still = now - self._moved.since
        if progress.lag and still > self._timeout_s:
            trouble = f" ({progress.trouble})" if progress.trouble else ""
            return f"no progress for {still:.0f} s{waiting}{trouble}"
        if progress.turn_age_s > self._timeout_s:
            return f"its loop has not turned for {progress.turn_age_s:.0f} s{waiting}"
        return None
