"""The daemon: one loop over the apps of a directory.

What lives here: the lock, the signals, the loop. What does not: what happens to one app (`supervisor`).

Signals: SIGTERM and SIGINT stop all apps cleanly and end the daemon; what is wanted stays as it is, so the
    next daemon starts them again. SIGHUP ends the daemon and leaves the apps running; the next daemon adopts
    them, as after a `kill -9`.
"""

import contextlib
import fcntl
import json
import logging
import os
import queue
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from streamhub.beginning import beginning_of
from streamhub.engine.progress import write_atomically
from streamhub.errors import RunnerBusyError
from streamhub.runner.folder import AppFolder
from streamhub.runner.launchers.interface import Launcher
from streamhub.runner.launchers.processes import AppProcesses
from streamhub.runner.supervisor import RunnerSettings, Supervisor

_log = logging.getLogger(__name__)

APPS: Final = "apps"
RUNNER_FILE: Final = "runner.json"
_LOCK_FILE: Final = "runner.lock"


class Runner:
    """Looks after every app of a directory until it is told to leave."""

    def __init__(
        self,
        directory: Path,
        launcher: Launcher,
        settings: RunnerSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._launcher = launcher
        self._settings = settings
        self._clock = clock
        self._supervisors: dict[str, Supervisor] = {}
        # Signal handlers put into it: unlike an Event it cannot deadlock with the loop that it interrupts.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_leaving = False
        self._is_handing_over = False

    def stop_all(self) -> None:
        """Stop every app and leave; what is wanted of them stays as it is."""
        self._is_leaving = True
        self._wake.put(None)

    def hand_over(self) -> None:
        """Leave at once; the apps go on and are adopted by the next daemon."""
        self._is_handing_over = True
        self._wake.put(None)

    def run(self) -> None:
        """Work until told to leave."""
        (self._directory / APPS).mkdir(parents=True, exist_ok=True)
        while not self._is_handing_over:
            if not self._is_leaving and not (self._directory / APPS).is_dir():
                # Nobody could stop the apps any more, and they would go on for ever.
                _log.error("%s is gone: its apps are ended, and so is their runner", self._directory / APPS)
                self._is_leaving = True
            self.tick()
            if self._is_leaving and not any(each.has_process for each in self._supervisors.values()):
                return
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=self._settings.tick_s)

    def tick(self) -> None:
        """Look once at every app."""
        paths: list[Path] = []
        with contextlib.suppress(FileNotFoundError):  # what is known of them is not in the folder alone
            paths = sorted((self._directory / APPS).iterdir())
        for path in paths:
            if path.name not in self._supervisors and AppFolder(path).exists():
                self._supervisors[path.name] = Supervisor(
                    AppFolder(path), self._launcher, self._settings, self._clock
                )
        for app_id, supervisor in list(self._supervisors.items()):
            try:
                if not supervisor.tick(leaving=self._is_leaving):
                    del self._supervisors[app_id]
                    self._delete(app_id)
            except Exception:  # noqa: BLE001 - the watch loop: one app in trouble must not end the others
                _log.exception("looking after %s failed", app_id, extra={"action": "tick"})

    def _delete(self, app_id: str) -> None:
        """Delete the folder of a removed app, unless it is wanted again since a moment ago."""
        path, grave = self._directory / APPS / app_id, self._directory / f"removed-{app_id}"
        shutil.rmtree(grave, ignore_errors=True)
        if not path.is_dir():
            return
        # Out of reach first: a wish that comes later finds no folder and makes a new one.
        path.rename(grave)
        desired = AppFolder(grave).read_desired()
        if desired is not None and desired.state != "removed":
            with contextlib.suppress(OSError):
                grave.rename(path)
        shutil.rmtree(grave, ignore_errors=True)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory; the lock ends with the process, so none is ever stale.

    Raises:
        RunnerBusyError: another daemon holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / _LOCK_FILE).open("a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunnerBusyError(
                f"another runner already works on {directory}. Stop it first, or choose another --directory"
            ) from error
        yield


def run_daemon(
    directory: Path,
    settings: RunnerSettings,
    open_launcher: Callable[[Path], Launcher] = lambda _: AppProcesses(),
    serve: Callable[[Path], Callable[[], None]] = lambda _: _nothing,
) -> None:
    """Look after the apps of a directory until a signal comes.

    Args:
        directory: Where the apps are.
        settings: How they are supervised.
        open_launcher: Makes what runs them; called when the directory is held.
        serve: Begins to show figures of the apps, and returns what ends that; called when the directory is
            held.

    Raises:
        ConfigurationError: the figures cannot be shown there.
        RunnerBusyError: another daemon works on the directory.
        RunnerError: what runs the apps cannot be reached.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    directory = directory.resolve()
    with _locked(directory):
        stop_serving = serve(directory)
        launcher = open_launcher(directory)
        runner = Runner(directory, launcher, settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runner.stop_all())
        signal.signal(signal.SIGHUP, lambda *_: runner.hand_over())
        _introduce(directory, launcher.name)
        _log.info("looking after %s with %s", directory, launcher.name, extra={"action": "start"})
        runner.run()
        stop_serving()
        launcher.close()
        (directory / RUNNER_FILE).unlink(missing_ok=True)
        _log.info("left %s", directory, extra={"action": "leave"})


def _nothing() -> None:
    """No figures are shown."""


def _introduce(directory: Path, launcher: str) -> None:
    """Say who looks after the directory."""
    document = {
        "pid": os.getpid(),
        "began": beginning_of(os.getpid()),
        "started_at": datetime.now(UTC).isoformat(),
        "launcher": launcher,
    }
    write_atomically(directory / RUNNER_FILE, json.dumps(document))
