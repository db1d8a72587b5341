"""The runner and its stream apps as processes of this machine: are they up, and end them all.

What an app is and how it is supervised belongs to `streamhub.runner`; here only its public interface is used.
"""

from __future__ import annotations

import time
from pathlib import Path

from setup.errors import PartNotReadyError
from setup.local.processes import ProcessIdentity
from streamhub.errors import RunnerError
from streamhub.runner import AppStatus, RunnerDirectory

_PAUSE_S = 0.05
_SHUTDOWN_TIMEOUT_S = 60.0


def wait_for_runner(directory: Path, process: ProcessIdentity, timeout_s: float) -> None:
    """Wait until a runner looks after the folder.

    Raises:
        PartNotReadyError: the runner ended, or did not take over within `timeout_s` [s].
    """
    deadline = time.monotonic() + timeout_s
    while not RunnerDirectory(directory).is_alive():
        if not process.is_running():
            raise PartNotReadyError("The stream apps' runner ended while starting: dtwin logs runner")
        if time.monotonic() > deadline:
            raise PartNotReadyError(f"The stream apps' runner did not start within {timeout_s:g} s.")
        time.sleep(_PAUSE_S)


def shut_runner_down(directory: Path) -> None:
    """End every stream app and the runner, also apps whose runner is gone.

    What is wanted of the apps stays recorded, so the next runner starts them again.

    Raises:
        PartNotReadyError: something still runs after a minute.
    """
    try:
        RunnerDirectory(directory).shutdown(_SHUTDOWN_TIMEOUT_S)
    except RunnerError as error:
        raise PartNotReadyError(f"The stream apps could not be ended: {error}") from error


def stream_apps(directory: Path) -> list[AppStatus]:
    """Return the stream apps of a runner's folder; empty when there is none."""
    return RunnerDirectory(directory).list()
