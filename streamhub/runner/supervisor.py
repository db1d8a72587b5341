"""One app under supervision: start, watch, stop, and start again with growing pauses.

What lives here: the state machine, with processes and clock given. What does not: the operating system
(`processes`), files (`folder`), the loop over all apps (`daemon`).

    wanted running:  starting -> running -> (ends, stalls, specification changed) -> backing_off -> starting
    ... an end with exit code 2 (the statement or the settings are wrong) or 7 (a contract has ended)
        -> failed, until asked again
    wanted stopped:  stopping (SIGTERM, after the grace SIGKILL) -> stopped
"""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from streamhub.runner.folder import AppFolder, Desired, Observed, ProcessRecord, State
from streamhub.runner.logs import last_complaint, rotate_log, tail
from streamhub.runner.processes import ProcessControl
from streamhub.runner.watch import StallWatch

_log = logging.getLogger(__name__)

_EXIT_WRONG_USE: Final = 2
_EXIT_ENDED: Final = 7
_RENEWED: Final = "restarted with a new specification or credentials"
_SEARCHED_LOG_LINES: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How apps are supervised; all times in seconds.

    Attributes:
        stall_timeout_s: Longest time without progress while records wait [s].
        stop_grace_s: Time between SIGTERM and SIGKILL [s].
        first_pause_s: Pause before the first restart; doubled each time [s].
        longest_pause_s: Longest pause before a restart [s].
        good_run_s: After this time of running the pause starts over [s].
        tick_s: Time between two looks at every app [s].
    """

    stall_timeout_s: float = 30.0
    stop_grace_s: float = 25.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    good_run_s: float = 60.0
    tick_s: float = 0.25


class Supervisor:
    """Brings one app to the state that is wanted; `tick` never blocks."""

    def __init__(
        self,
        folder: AppFolder,
        processes: ProcessControl,
        settings: RunnerSettings,
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._processes = processes
        self._settings = settings
        self._clock = clock
        self._process: ProcessRecord | None = None
        self._process_since = clock()
        self._watch = StallWatch(settings.stall_timeout_s, self._process_since)
        self._state: State = "stopped"
        self._cause: str | None = None
        self._restarts = 0
        self._desired: Desired | None = None
        self._is_readable = True
        self._request: str | None = None
        self._pause_s = settings.first_pause_s
        self._start_at = self._process_since
        self._kill_at: float | None = None
        self._end_cause: str | None = None
        self._written: Observed | None = None
        self._adopt()

    @property
    def has_process(self) -> bool:
        """Whether a process of the app runs, as far as the last tick knows."""
        return self._process is not None

    def _adopt(self) -> None:
        """Take over the process that a former daemon started, if it still runs."""
        former = self._folder.read_observed()
        if former is not None:
            self._restarts = former.restarts
            self._request = former.request
            if former.state == "failed":
                self._state, self._cause = former.state, former.cause
        record = self._folder.read_process()
        if record is not None and self._processes.is_alive(record):
            self._process = record
            self._state = "starting"
            _log.info("adopted %s, process %d", self._folder.app_id, record.pid, extra={"action": "adopt"})
        elif record is not None:
            self._folder.forget_process()

    def tick(self, *, leaving: bool = False) -> bool:
        """Look at the app and do what is due; say whether the app is still to be looked after.

        Args:
            leaving: Stop the app although it is wanted, because the daemon stops.

        Raises:
            OSError: its folder cannot be read or written.
        """
        desired = self._read_desired()
        if desired is None:
            return True
        now = self._clock()
        if desired.request != self._request:
            self._accept(desired.request, now)
        wanted = "stopped" if leaving else desired.state
        if self._process is not None and not self._processes.is_alive(self._process):
            self._bury(self._process, now, is_wanted=wanted == "running")
        if self._process is not None:
            self._look_after(self._process, now, is_wanted=wanted == "running")
        elif wanted != "running":
            self._state = "stopped"
        elif self._state != "failed" and now >= self._start_at:
            self._start(now)
        elif self._state == "stopped":
            self._state = "backing_off"
        self._write(desired.request)
        return self._process is not None or wanted != "removed"

    def _read_desired(self) -> Desired | None:
        """What is wanted; a file that cannot be read leaves the wish as it was, and never removes an app."""
        desired = self._folder.read_desired()
        if desired is None and not self._folder.path.is_dir():
            # Somebody took the whole folder away.
            desired = Desired("removed", self._request or "")
        if desired is None and self._desired is None and self._process is not None:
            # Adopted: it was wanted when it was started.
            desired = Desired("running", self._request or "")
        if desired is None and self._is_readable:
            _log.warning(
                "%s: desired.json cannot be read; ask for start or stop again to mend it",
                self._folder.app_id,
                extra={"action": "read_desired"},
            )
        self._is_readable = desired is not None
        if desired is not None:
            self._desired = desired
        return self._desired

    def _accept(self, request: str, now: float) -> None:
        """A new wish forgets former failures."""
        self._request = request
        self._pause_s = self._settings.first_pause_s
        self._start_at = now
        self._restarts = 0
        if self._process is None:
            self._state, self._cause = "stopped", None

    def _start(self, now: float) -> None:
        rotate_log(self._folder.log)
        try:
            self._process = self._processes.start(self._folder)
        except OSError as error:
            self._back_off(now, f"the process could not be started: {error}")
            return
        self._folder.write_process(self._process)
        self._process_since = now
        self._watch = StallWatch(self._settings.stall_timeout_s, now)
        self._state = "starting"
        self._kill_at = self._end_cause = None

    def _look_after(self, process: ProcessRecord, now: float, *, is_wanted: bool) -> None:
        if self._state == "stopping":
            if self._kill_at is not None and now >= self._kill_at:
                self._kill_at = None
                self._processes.send(process, signal.SIGKILL)
            return
        if not is_wanted or self._folder.digest() != process.digest:
            self._end_cause = None if not is_wanted else _RENEWED
            self._state = "stopping"
            self._kill_at = now + self._settings.stop_grace_s
            self._processes.send(process, signal.SIGTERM)
            return
        progress = self._folder.read_progress()
        if progress is not None and progress.pid != process.pid:
            progress = None
        stall = self._watch.judge(progress, now)
        if stall is not None:
            _log.warning("%s: %s; killed", self._folder.app_id, stall, extra={"action": "stall"})
            self._end_cause = stall
            self._state = "stopping"
            # It does not react anyway; what it had not committed is read again by its successor.
            self._processes.send(process, signal.SIGKILL)
            return
        if progress is not None:
            self._state = "running" if progress.state == "running" else "starting"
        if self._state == "running" and now - self._process_since >= self._settings.good_run_s:
            self._pause_s = self._settings.first_pause_s
            self._cause = None
        rotate_log(self._folder.log)

    def _bury(self, process: ProcessRecord, now: float, *, is_wanted: bool) -> None:
        code = self._processes.exit_code(process)
        self._process = None
        self._folder.forget_process()
        asked = self._state == "stopping" and self._end_cause is None
        if self._state == "stopping" and is_wanted and self._end_cause == _RENEWED:
            self._state, self._cause, self._start_at = "starting", None, now
        elif not is_wanted:
            self._state = "stopped"
            self._cause = None if code in (0, None) else _describe_end(code, self._complaint())
        elif asked:
            # Stopped, and wanted again before it had ended.
            self._state, self._start_at = "starting", now
        else:
            cause = self._end_cause or _describe_end(code, self._complaint())
            if code == _EXIT_ENDED:
                self._state, self._cause = "failed", self._complaint() or cause
            elif code == _EXIT_WRONG_USE:
                self._state, self._cause = "failed", cause
            else:
                self._back_off(now, cause)
        self._end_cause = self._kill_at = None

    def _back_off(self, now: float, cause: str) -> None:
        self._state, self._cause = "backing_off", cause
        self._restarts += 1
        self._start_at = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, self._settings.longest_pause_s)
        _log.warning("%s: %s", self._folder.app_id, cause, extra={"action": "restart"})

    def _complaint(self) -> str | None:
        return last_complaint(tail(self._folder.log, _SEARCHED_LOG_LINES))

    def _write(self, request: str) -> None:
        observed = Observed(
            state=self._state,
            request=request,
            cause=self._cause,
            pid=None if self._process is None else self._process.pid,
            restarts=self._restarts,
            started_at=None if self._process is None else self._process.started_at,
        )
        if observed != self._written and self._folder.path.is_dir():
            self._folder.write_observed(observed)
            self._written = observed


def _describe_end(code: int | None, complaint: str | None) -> str:
    if code is None:
        # Only a parent learns the exit code, and a former runner was the parent.
        how = "ended, nobody knows how: a former runner had started it"
    elif code < 0:
        how = f"killed by signal {-code} ({_signal_name(-code)})"
    else:
        how = f"ended with exit code {code}"
    return f"{how}: {complaint}" if complaint and (code is None or code >= 0) else how


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
