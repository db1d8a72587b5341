"""One app under supervision: start, watch, stop, and start again with growing pauses.

What lives here: the state machine, with launcher and clock given. What does not: what runs the app, process,
container or pod (`launchers`), files (`folder`), the loop over all apps (`daemon`).

    wanted running:  starting -> running -> (ends, stalls, takes too much memory) -> backing_off -> starting
    ... other specification, credentials or limits that only a new one can be held to: stopping -> starting
    ... an end with exit code 2 (the statement or the settings are wrong) or 7 (a contract has ended),
        or the last of too many ends in a row -> failed, until asked again
    wanted anew:     running -> stopping -> starting
    wanted stopped:  stopping (SIGTERM, after the grace SIGKILL) -> stopped
"""

import contextlib
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from streamhub.runner.folder import AppFolder, Desired, Observed, ProcessRecord, State
from streamhub.runner.launchers.interface import End, Launcher
from streamhub.runner.limits import MEGABYTE, AppLimits, read_limits
from streamhub.runner.logs import append_mark, last_complaint, rotate_log, tail
from streamhub.runner.watch import StallWatch

_log = logging.getLogger(__name__)

_EXIT_WRONG_USE: Final = 2
_EXIT_ENDED: Final = 7
_RENEWED: Final = "restarted with a new specification or credentials"
_ASKED_ANEW: Final = "restarted because somebody asked for it"
_LIMITED: Final = "restarted with other limits"
_PLANNED: Final = frozenset({_RENEWED, _ASKED_ANEW, _LIMITED})
_LIMITS_EACH_S: Final = 1.0
_STOPPED: Final = "stopped, as asked"
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
        most_failures: Ends in a row after which it is not started again; 0 for no limit [1].
        tick_s: Time between two looks at every app [s].
    """

    stall_timeout_s: float = 30.0
    stop_grace_s: float = 25.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    good_run_s: float = 60.0
    most_failures: int = 30
    tick_s: float = 0.25


class Supervisor:
    """Brings one app to the state that is wanted; `tick` never blocks."""

    def __init__(
        self,
        folder: AppFolder,
        launcher: Launcher,
        settings: RunnerSettings,
        clock: Callable[[], float],
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = folder
        self._wall = wall
        self._launcher = launcher
        self._settings = settings
        self._clock = clock
        self._process: ProcessRecord | None = None
        self._process_since = clock()
        self._watch = StallWatch(settings.stall_timeout_s, self._process_since)
        self._state: State = "stopped"
        self._cause: str | None = None
        self._restarts = 0
        self._failures = 0
        self._next_start_at: str | None = None
        self._ended_at: str | None = None
        self._end: str | None = None
        self._is_wanted_anew = False
        self._desired: Desired | None = None
        self._is_readable = True
        self._request: str | None = None
        self._pause_s = settings.first_pause_s
        self._start_at = self._process_since
        self._kill_at: float | None = None
        self._end_cause: str | None = None
        self._limits = AppLimits()
        self._limits_due = self._process_since
        self._is_waiting = False
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
            self._restarts, self._failures = former.restarts, former.failures
            self._ended_at, self._end = former.ended_at, former.end
            self._request = former.request
            if former.state == "failed":
                self._state, self._cause = former.state, former.cause
        record = self._folder.read_process()
        if record is None:
            record = self._launcher.find(self._folder)
            if record is not None:
                self._folder.write_process(record)
        # The end of a container is still told by its engine; the end of a process only its parent learns.
        if record is not None and (self._launcher.is_alive(record) or record.container):
            self._process = record
            self._limits = AppLimits.from_json(record.limits or "{}")
            self._state = "starting"
            which = record.container or f"process {record.pid}"
            _log.info("adopted %s, %s", self._folder.app_id, which, extra={"action": "adopt"})
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
            self._accept(desired, now)
        wanted = "stopped" if leaving else desired.state
        if self._process is not None and not self._launcher.is_alive(self._process):
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

    def _accept(self, desired: Desired, now: float) -> None:
        """A new wish forgets former failures."""
        self._request = desired.request
        self._pause_s = self._settings.first_pause_s
        self._start_at = now
        self._restarts = self._failures = 0
        self._next_start_at = None
        self._is_wanted_anew = desired.anew
        if self._process is None:
            self._state, self._cause = "stopped", None

    def _start(self, now: float) -> None:
        rotate_log(self._folder.log)
        try:
            self._process = self._launcher.start(self._folder)
        except OSError as error:
            self._back_off(now, f"the process could not be started: {error}")
            return
        self._limits = AppLimits.from_json(self._process.limits or "{}")
        self._limits_due = now
        self._folder.write_process(self._process)
        self._process_since = now
        self._watch = StallWatch(self._settings.stall_timeout_s, now)
        self._state = "starting"
        self._is_wanted_anew = self._is_waiting = False
        self._kill_at = self._end_cause = self._next_start_at = None

    def _look_after(self, process: ProcessRecord, now: float, *, is_wanted: bool) -> None:
        if self._state == "stopping":
            if self._kill_at is not None and now >= self._kill_at:
                self._kill_at = None
                self._launcher.send(process, signal.SIGKILL)
            return
        if not is_wanted or self._is_wanted_anew or self._folder.digest() != process.digest:
            renewal = _ASKED_ANEW if self._is_wanted_anew else _RENEWED
            self._ask_to_end(process, now, renewal if is_wanted else None)
            return
        if self._hold_to_limits(process, now):
            return
        waits = self._launcher.waits_for(process)
        if waits is not None or self._is_waiting:
            self._cause, self._is_waiting = waits, waits is not None
            self._process_since = now
            self._watch = StallWatch(self._settings.stall_timeout_s, now)
            return
        progress = self._folder.read_progress()
        if progress is not None and process.pid and progress.pid != process.pid:
            progress = None
        stall = self._watch.judge(progress, now)
        if stall is not None:
            _log.warning("%s: %s; killed", self._folder.app_id, stall, extra={"action": "stall"})
            self._kill(process, stall)
            return
        if progress is not None:
            self._state = "running" if progress.state == "running" else "starting"
        if self._state == "running" and now - self._process_since >= self._settings.good_run_s:
            self._pause_s = self._settings.first_pause_s
            self._failures = 0
            self._cause = None
        rotate_log(self._folder.log)

    def _kill(self, process: ProcessRecord, cause: str) -> None:
        """End it at once: what it had not committed is read again by its successor."""
        self._end_cause = cause
        self._state = "stopping"
        self._launcher.send(process, signal.SIGKILL)

    def _hold_to_limits(self, process: ProcessRecord, now: float) -> bool:
        """Compare with what is allowed now, once a second; say whether it has to go."""
        if now < self._limits_due:
            return False
        self._limits_due = now + _LIMITS_EACH_S
        limits = read_limits(self._folder.limits)
        if limits != self._limits:
            if not self._launcher.apply(process, limits):
                self._ask_to_end(process, now, _LIMITED)
                return True
            self._limits = limits
            self._process = replace(process, limits=limits.to_json())
            self._folder.write_process(self._process)
        most = limits.memory_bytes
        taken = self._launcher.memory_bytes(process) if most is not None else None
        if most is None or taken is None or taken <= most:
            return False
        cause = f"{_too_much_memory(limits)}: it had {taken / MEGABYTE:.0f} MB"
        _log.warning("%s: %s; killed", self._folder.app_id, cause, extra={"action": "limit"})
        self._kill(process, cause)
        return True

    def _ask_to_end(self, process: ProcessRecord, now: float, cause: str | None) -> None:
        """Ask it to end; it is killed after the grace."""
        self._end_cause = cause
        self._state = "stopping"
        self._kill_at = now + self._settings.stop_grace_s
        self._launcher.send(process, signal.SIGTERM)

    def _bury(self, process: ProcessRecord, now: float, *, is_wanted: bool) -> None:
        end = self._launcher.end_of(process)
        code = end.code
        self._process = None
        self._folder.forget_process()
        complaint = last_complaint(tail(self._folder.log, _SEARCHED_LOG_LINES))
        asked = self._state == "stopping" and self._end_cause is None
        described = self._describe(end, complaint)
        how = self._end_cause or (_STOPPED if asked and code in (0, None) else described)
        self._mark_end(how)
        if self._state == "stopping" and is_wanted and self._end_cause in _PLANNED:
            self._state, self._cause, self._start_at = "starting", None, now
        elif not is_wanted:
            self._state = "stopped"
            self._cause = None if code in (0, None) else described
        elif asked:
            # Stopped, and wanted again before it had ended.
            self._state, self._start_at = "starting", now
        elif code == _EXIT_ENDED:
            self._state, self._cause = "failed", complaint or how
        elif code == _EXIT_WRONG_USE:
            self._state, self._cause = "failed", how
        else:
            self._back_off(now, how)
        self._end_cause = self._kill_at = None

    def _describe(self, end: End, complaint: str | None) -> str:
        if end.is_out_of_memory:
            return _too_much_memory(self._limits)
        if end.cause is not None and end.code is None:
            return end.cause
        return _describe_end(end.code, complaint)

    def _mark_end(self, how: str) -> None:
        """Say in the log of the app, and beside its state, how its process ended."""
        self._ended_at = self._wall().isoformat(timespec="milliseconds")
        self._end = how
        with contextlib.suppress(OSError):  # its end counts, and a full disk must not hide it
            append_mark(self._folder.log, f"ended {self._ended_at} {how}")

    def _back_off(self, now: float, cause: str) -> None:
        self._failures += 1
        _log.warning("%s: %s", self._folder.app_id, cause, extra={"action": "restart"})
        if 0 < self._settings.most_failures <= self._failures:
            self._state = "failed"
            self._cause = f"given up after {self._failures} ends in a row; the last one: {cause}"
            return
        self._state, self._cause = "backing_off", cause
        self._restarts += 1
        self._start_at = now + self._pause_s
        due = self._wall() + timedelta(seconds=self._pause_s)
        self._next_start_at = due.isoformat(timespec="milliseconds")
        self._pause_s = min(self._pause_s * 2, self._settings.longest_pause_s)

    def _write(self, request: str) -> None:
        observed = Observed(
            state=self._state,
            request=request,
            cause=self._cause,
            pid=None if self._process is None else self._process.pid or None,
            restarts=self._restarts,
            started_at=None if self._process is None else self._process.started_at,
            failures=self._failures,
            next_start_at=self._next_start_at if self._state == "backing_off" else None,
            ended_at=self._ended_at,
            end=self._end,
        )
        if observed != self._written and self._folder.path.is_dir():
            self._folder.write_observed(observed)
            self._written = observed


def _too_much_memory(limits: AppLimits) -> str:
    if limits.memory_mb is None:
        return "took more than the memory that the runner gives each app"
    return f"took more than its company's {limits.memory_mb} MB"


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
