"""The interface to the runner: deploy, stop, start, remove and look at apps, all through files.

What lives here: `RunnerDirectory`. What does not: the daemon, which need not run while these calls are made:
it does what is wanted when it comes.
"""

import builtins
import json
import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from operator import is_
from pathlib import Path
from typing import Final, Literal

from client.errors import DigitalTwinError
from streamhub.engine.progress import AppProgress, read_progress, write_atomically
from streamhub.errors import RunnerError
from streamhub.runner.credentials import AppCredentials
from streamhub.runner.daemon import APPS, RUNNER_FILE
from streamhub.runner.folder import (
    AppFolder,
    Desired,
    Observed,
    ProcessRecord,
    State,
    read_desired,
    read_observed,
)
from streamhub.runner.launchers.processes import find_process
from streamhub.runner.limits import AppLimits, write_limits
from streamhub.runner.logs import LogPart, read_on, tail
from streamhub.runner.remembering import Remembered
from streamhub.specification import StreamAppSpecification

_POLL_S: Final = 0.05
_KILL_AFTER_S: Final = 25.0
_GOING_DOWN: Final = frozenset({"starting", "running", "backing_off", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStatus:
    """What is wanted of an app, where it is, and what it has done.

    Attributes:
        app_id: `<source_system>.<name>`.
        desired: What is wanted.
        state: Where the app is; `unknown` when no runner looks after it.
        cause: Why it is not simply running.
        pid: Process id while a process runs.
        restarts: Times it was started again since it was last asked to run [1].
        started_at: When its process started.
        progress: Latest figures of the app; of its last process when none runs.
        asked_at: When somebody last said what is wanted.
        failures: Ends in a row without a good run in between [1].
        next_start_at: When it is started again, while it is backing off.
        ended_at: When its last process ended.
        end: How its last process ended.
    """

    app_id: str
    desired: Literal["running", "stopped"]
    state: State
    cause: str | None = None
    pid: int | None = None
    restarts: int = 0
    started_at: datetime | None = None
    progress: AppProgress | None = None
    asked_at: datetime | None = None
    failures: int = 0
    next_start_at: datetime | None = None
    ended_at: datetime | None = None
    end: str | None = None


class RunnerDirectory:
    """The apps of one runner; the same path is given to `python -m streamhub runner --directory`."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._folders: dict[str, _Known] = {}
        self._desired = Remembered(read_desired)
        self._observed = Remembered(read_observed)
        self._progress = Remembered(read_progress)

    def deploy(
        self,
        specification: StreamAppSpecification,
        credentials: AppCredentials | None = None,
        limits: AppLimits | None = None,
    ) -> str:
        """Want an app to run and return its id; what is new starts it anew, failed or not.

        Args:
            specification: What the app does.
            credentials: Who it is to Kafka; None leaves it those that it has. Without any it connects
                without a certificate: it never uses those of the runner.
            limits: What it may take; None leaves it those that it has.

        Raises:
            RunnerError: the directory cannot be written.
        """
        folder = self._folder(specification.app_id)
        text = specification.to_json()
        try:
            try:
                _want(folder, text, credentials, limits)
            except FileNotFoundError:
                # The daemon took the folder of a removed app of the same id away just now.
                _want(folder, text, credentials, limits)
        except OSError as error:
            raise RunnerError(f"{folder.path} cannot be written: {error}. Check the directory") from error
        return specification.app_id

    def limit(self, app_id: str, limits: AppLimits) -> None:
        """Hold an app to limits, also while it runs; nothing happens when there is no such app.

        Raises:
            RunnerError: the directory cannot be written.
        """
        folder = self._folder(app_id)
        try:
            if folder.exists():
                write_limits(folder.limits, limits)
        except FileNotFoundError:  # it was removed just now
            return
        except OSError as error:
            raise RunnerError(f"{folder.path} cannot be written: {error}. Check the directory") from error

    def start(self, app_id: str) -> None:
        """Want an app to run, also when it had failed.

        Raises:
            RunnerError: there is no such app.
        """
        self._known(app_id).write_desired("running")

    def restart(self, app_id: str) -> None:
        """Want an app to run in a new process: the present one commits and leaves first.

        Raises:
            RunnerError: there is no such app.
        """
        self._known(app_id).write_desired("running", anew=True)

    def stop(self, app_id: str, timeout_s: float = 0.0) -> None:
        """Want an app to stop: it commits and leaves its group.

        Args:
            app_id: Which app.
            timeout_s: Longest time to wait until it has stopped; 0 returns at once [s].

        Raises:
            RunnerError: there is no such app, or it has not stopped in time.
        """
        self._known(app_id).write_desired("stopped")
        if timeout_s:
            self.wait(app_id, {"stopped"}, timeout_s)

    def remove(self, app_id: str, timeout_s: float = 0.0) -> None:
        """Stop an app and forget it, its credentials at once; no error when there is none.

        Args:
            app_id: Which app.
            timeout_s: Longest time to wait until it is gone; 0 returns at once [s].

        Raises:
            RunnerError: it is not gone in time.
        """
        folder = self._folder(app_id)
        if not folder.exists():
            return
        folder.write_desired("removed")
        # Its process needs them no more: it read them when it started, and is about to stop.
        folder.credentials.delete()
        deadline = time.monotonic() + timeout_s
        while timeout_s and folder.exists():
            if time.monotonic() > deadline:
                raise RunnerError(
                    f"stream app {app_id} is not gone after {timeout_s:g} s: does the runner run?"
                )
            time.sleep(_POLL_S)

    def wait(self, app_id: str, states: Collection[State], timeout_s: float) -> AppStatus:
        """Wait until an app is in one of some states.

        Raises:
            RunnerError: it is not in time, or there is no such app.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status(app_id)
            if status is not None and status.state in states:
                return status
            if time.monotonic() > deadline:
                raise RunnerError(
                    f"stream app {app_id} is not {' or '.join(sorted(states))} after {timeout_s:g} s: "
                    f"{'it does not exist' if status is None else f'{status.state}, {status.cause}'}"
                )
            time.sleep(_POLL_S)

    def list(self) -> list[AppStatus]:
        """All apps, by id; those being removed are left out."""
        try:
            app_ids = sorted(os.listdir(self.path / APPS))  # noqa: PTH208 - names are enough
        except OSError:
            return []
        is_alive = self.is_alive()
        for gone in self._folders.keys() - set(app_ids):
            self._forget(gone)
        found = (self._status(self._known_folder(app_id), is_alive=is_alive) for app_id in app_ids)
        return [status for status in found if status is not None]

    def status(self, app_id: str) -> AppStatus | None:
        """One app; None when there is none, or it is being removed."""
        self._folder(app_id)
        return self._status(self._known_folder(app_id), is_alive=self.is_alive())

    def _known_folder(self, app_id: str) -> "_Known":
        known = self._folders.get(app_id)
        if known is None:
            known = self._folders[app_id] = _Known(AppFolder(self.path / APPS / app_id))
        return known

    def _forget(self, app_id: str) -> None:
        known = self._folders.pop(app_id, None)
        if known is not None:
            self._desired.forget(known.desired)
            self._observed.forget(known.observed)
            self._progress.forget(known.progress)

    def _status(self, known: "_Known", *, is_alive: bool) -> AppStatus | None:
        """Put together what the files say; the same object as before while they say the same."""
        desired = self._desired.of(known.desired)
        if desired is None or desired.state == "removed":
            return None
        observed, progress = self._observed.of(known.observed), self._progress.of(known.progress)
        said = (desired, observed, progress)
        former = known.status
        if is_alive and former is not None and all(map(is_, former[0], said)):
            return former[1]
        status = self._put_together(known.folder, desired, observed, progress, is_alive=is_alive)
        known.status = (said, status) if is_alive else None
        return status

    def _put_together(
        self,
        folder: AppFolder,
        desired: Desired,
        observed: Observed | None,
        progress: AppProgress | None,
        *,
        is_alive: bool,
    ) -> AppStatus:
        observed = observed or Observed("stopped", "")
        is_current = observed.request == desired.request
        state, cause = observed.state, observed.cause
        if not is_alive:
            state, cause = _without_runner(folder, desired)
        elif not is_current:
            state, cause = _on_the_way(observed.state, desired), None
        return AppStatus(
            app_id=folder.app_id,
            desired="running" if desired.state == "running" else "stopped",
            state=state,
            cause=cause,
            pid=observed.pid,
            restarts=observed.restarts,
            started_at=_moment(observed.started_at),
            progress=progress,
            asked_at=_moment(desired.at),
            failures=observed.failures,
            next_start_at=_moment(observed.next_start_at) if state == "backing_off" else None,
            ended_at=_moment(observed.ended_at),
            end=observed.end,
        )

    def specification(self, app_id: str) -> StreamAppSpecification | None:
        """What an app does; None when there is no such app or its file is damaged."""
        try:
            return StreamAppSpecification.from_json(
                self._folder(app_id).specification.read_text(encoding="utf-8")
            )
        except (OSError, DigitalTwinError):
            return None

    def log_tail(self, app_id: str, lines: int = 200) -> "builtins.list[str]":
        """The last lines of an app's log, oldest first; empty when there is none."""
        return tail(self._folder(app_id).log, lines)

    def read_log(self, app_id: str, cursor: str = "", lines: int = 200) -> LogPart:
        """What an app's log has got since a cursor; its last lines when there is none yet."""
        return read_on(self._folder(app_id).log, cursor, lines)

    def is_alive(self) -> bool:
        """Whether a daemon looks after this directory."""
        return self._daemon() is not None

    def shutdown(self, timeout_s: float = 60.0) -> None:
        """Stop every app and the daemon; what is wanted stays, so the next daemon starts the apps again.

        Works also when the daemon is gone and apps were left behind.

        Args:
            timeout_s: Longest time to wait [s].

        Raises:
            RunnerError: something still runs after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        daemon = self._daemon()
        if daemon is not None:
            _signal(daemon, signal.SIGTERM)
            _wait_for_end([daemon], deadline)
        orphans = self._processes()
        for orphan in orphans:
            _signal(orphan, signal.SIGTERM)
        _wait_for_end(orphans, min(deadline, time.monotonic() + _KILL_AFTER_S), is_final=False)
        for orphan in orphans:
            _signal(orphan, signal.SIGKILL)
        _wait_for_end(orphans, deadline)

    def _processes(self) -> "builtins.list[ProcessRecord]":
        apps = self.path / APPS
        folders = [AppFolder(path) for path in apps.iterdir()] if apps.is_dir() else []
        records = (folder.read_process() for folder in folders)
        return [record for record in records if record is not None]

    def _daemon(self) -> ProcessRecord | None:
        try:
            document = json.loads((self.path / RUNNER_FILE).read_text(encoding="utf-8"))
            record = ProcessRecord(document["pid"], document["began"], "", document["started_at"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record if find_process(record) is not None else None

    def _folder(self, app_id: str) -> AppFolder:
        if not app_id or app_id.startswith(".") or "/" in app_id or "\\" in app_id or "\0" in app_id:
            raise RunnerError(f"{app_id[:80]!r} is not the id of a stream app")
        return AppFolder(self.path / APPS / app_id)

    def _known(self, app_id: str) -> AppFolder:
        folder = self._folder(app_id)
        if not folder.exists():
            raise RunnerError(f"there is no stream app {app_id}: deploy it first")
        return folder


class _Known:
    """One app's files by name, and what they last said."""

    __slots__ = ("desired", "folder", "observed", "progress", "status")

    def __init__(self, folder: AppFolder) -> None:
        self.folder = folder
        self.desired, self.observed = str(folder.desired), str(folder.status)
        self.progress = str(folder.progress)
        self.status: tuple[tuple[object, ...], AppStatus] | None = None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _want(
    folder: AppFolder, specification: str, credentials: AppCredentials | None, limits: AppLimits | None
) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    if limits is not None:
        write_limits(folder.limits, limits)
    file = folder.specification
    has_changed = not file.is_file() or file.read_text(encoding="utf-8") != specification
    if has_changed:
        write_atomically(file, specification, durable=True)
    if credentials is not None:
        has_changed |= folder.credentials.write(credentials)
    desired = folder.read_desired()
    if has_changed or desired is None or desired.state != "running":
        folder.write_desired("running")


def _on_the_way(state: State, desired: Desired) -> State:
    """Where an app is whose latest request the daemon has not seen yet."""
    if desired.state == "running":
        if desired.anew and state in ("starting", "running"):
            return "stopping"
        return "starting" if state in ("stopped", "failed", "backing_off") else state
    return "stopping" if state in _GOING_DOWN else state


def _without_runner(folder: AppFolder, desired: Desired) -> tuple[State, str | None]:
    record = folder.read_process()
    if record is not None and find_process(record) is not None:
        return "unknown", f"no runner looks after it; its process {record.pid} still runs"
    if desired.state == "running":
        return "unknown", "no runner looks after it and it does not run"
    return "stopped", None


def _signal(record: ProcessRecord, number: signal.Signals) -> None:
    process = find_process(record)
    if process is not None:
        process.send_signal(number)


def _wait_for_end(records: Collection[ProcessRecord], deadline: float, *, is_final: bool = True) -> None:
    while any(find_process(record) is not None for record in records):
        if time.monotonic() > deadline:
            if is_final:
                raise RunnerError("the runner or one of its apps still runs: look at its log")
            return
        time.sleep(_POLL_S)
