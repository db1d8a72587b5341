"""The interface to the runner: deploy, stop, start, remove and look at apps, all through files.

What lives here: `RunnerDirectory`. What does not: the daemon, which need not run while these calls are made:
it does what is wanted when it comes.
"""

import builtins
import json
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from client.errors import DigitalTwinError
from streamhub.engine.progress import AppProgress, write_atomically
from streamhub.errors import RunnerError
from streamhub.runner.credentials import AppCredentials
from streamhub.runner.daemon import APPS, RUNNER_FILE
from streamhub.runner.folder import AppFolder, Desired, Observed, ProcessRecord, State
from streamhub.runner.logs import tail
from streamhub.runner.processes import find_process
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
    """

    app_id: str
    desired: Literal["running", "stopped"]
    state: State
    cause: str | None = None
    pid: int | None = None
    restarts: int = 0
    started_at: datetime | None = None
    progress: AppProgress | None = None


class RunnerDirectory:
    """The apps of one runner; the same path is given to `python -m streamhub runner --directory`."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def deploy(self, specification: StreamAppSpecification, credentials: AppCredentials | None = None) -> str:
        """Want an app to run and return its id; what is new starts it anew, failed or not.

        Args:
            specification: What the app does.
            credentials: Who it is to Kafka; None leaves it those that it has. Without any it connects
                without a certificate: it never uses those of the runner.

        Raises:
            RunnerError: the directory cannot be written.
        """
        folder = self._folder(specification.app_id)
        text = specification.to_json()
        try:
            try:
                _want(folder, text, credentials)
            except FileNotFoundError:
                # The daemon took the folder of a removed app of the same id away just now.
                _want(folder, text, credentials)
        except OSError as error:
            raise RunnerError(f"{folder.path} cannot be written: {error}. Check the directory") from error
        return specification.app_id

    def start(self, app_id: str) -> None:
        """Want an app to run, also when it had failed.

        Raises:
            RunnerError: there is no such app.
        """
        self._known(app_id).write_desired("running")

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
        apps = self.path / APPS
        if not apps.is_dir():
            return []
        found = (self.status(path.name) for path in sorted(apps.iterdir()))
        return [status for status in found if status is not None]

    def status(self, app_id: str) -> AppStatus | None:
        """One app; None when there is none, or it is being removed."""
        folder = self._folder(app_id)
        desired = folder.read_desired()
        if desired is None or desired.state == "removed":
            return None
        observed = folder.read_observed() or Observed("stopped", "")
        is_current = observed.request == desired.request
        state, cause = observed.state, observed.cause
        if not self.is_alive():
            state, cause = _without_runner(folder, desired)
        elif not is_current:
            state, cause = _on_the_way(observed.state, desired), None
        return AppStatus(
            app_id=app_id,
            desired="running" if desired.state == "running" else "stopped",
            state=state,
            cause=cause,
            pid=observed.pid,
            restarts=observed.restarts,
            started_at=None if observed.started_at is None else datetime.fromisoformat(observed.started_at),
            progress=folder.read_progress(),
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
            record = ProcessRecord(document["pid"], document["created"], "", document["started_at"])
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


def _want(folder: AppFolder, specification: str, credentials: AppCredentials | None) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    file = folder.specification
    has_changed = not file.is_file() or file.read_text(encoding="utf-8") != specification
    if has_changed:
        write_atomically(file, specification)
    if credentials is not None:
        has_changed |= folder.credentials.write(credentials)
    desired = folder.read_desired()
    if has_changed or desired is None or desired.state != "running":
        folder.write_desired("running")


def _on_the_way(state: State, desired: Desired) -> State:
    """Where an app is whose latest request the daemon has not seen yet."""
    if desired.state == "running":
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
