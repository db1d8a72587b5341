"""The lane as a mode service: its loop in a thread of its own, its figures written each second.

What lives here: starting, watching and stopping the thread. What does not: the loop (`streamhub.engine.lane`)
and the Faust app around it (`filter_app`).
"""

import signal
import threading
import time
from collections.abc import Callable
from typing import Final

import mode

from client.errors import DigitalTwinError
from streamhub.engine.lane import BatchLane
from streamhub.engine.observer import LaneObserver
from streamhub.engine.progress import AppProgress
from streamhub.errors import StreamAppError

_OBSERVE_INTERVAL_S: Final = 1.0
_WATCH_INTERVAL_S: Final = 0.1
# More than the lane's own grace: leaving the group takes a moment too.
_JOIN_TIMEOUT_S: Final = 20.0


class LaneService(mode.Service):  # type: ignore[misc] # mode is untyped
    """Runs a lane while the worker runs; a lane that fails stops the worker and is kept in `failure`."""

    def __init__(
        self, lane: BatchLane, observer: LaneObserver, report: Callable[[AppProgress], None]
    ) -> None:
        super().__init__()
        self._lane = lane
        self._observer = observer
        self._report = report
        self._thread = threading.Thread(target=self._run, name="lane", daemon=True)
        self._failure: DigitalTwinError | None = None

    @property
    def failure(self) -> DigitalTwinError | None:
        """Why the lane, or the watching of it, ended by itself; None when it did not."""
        if self._failure is None and self.crash_reason is not None:
            # The worker then stops the lane in order, but nobody had asked for it.
            return StreamAppError(
                f"watching the lane failed: {self.crash_reason!r}. What was read is committed; start it again"
            )
        return self._failure

    def _run(self) -> None:
        # Stays when an error comes that nobody foresaw; the interpreter then prints its traceback.
        self._failure = StreamAppError("the lane ended by itself: see the traceback in the log")
        try:
            self._lane.run()
        except DigitalTwinError as error:
            self._failure = error
        else:
            self._failure = None

    async def on_start(self) -> None:
        """Start the thread of the lane."""
        self._observer.observe()
        self._thread.start()
        self.add_future(self._watch())

    async def on_stop(self) -> None:
        """Commit, leave the group, write the last figures."""
        self._observer.stopping()
        self._lane.stop()
        waited_until = time.monotonic() + _JOIN_TIMEOUT_S
        while self._thread.is_alive() and time.monotonic() < waited_until:
            await self.sleep(_WATCH_INTERVAL_S / 2)
            self._thread.join(_WATCH_INTERVAL_S / 2)
        self._report(self._observer.observe())

    async def _watch(self) -> None:
        observed_at = time.monotonic()
        while not self.should_stop:
            await self.sleep(_WATCH_INTERVAL_S)
            if not self._thread.is_alive():
                # As if asked from outside: the worker stops everything in order, then `failure` is raised.
                signal.raise_signal(signal.SIGTERM)
                return
            if time.monotonic() - observed_at >= _OBSERVE_INTERVAL_S:
                observed_at = time.monotonic()
                self._report(self._observer.observe())
