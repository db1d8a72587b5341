"""The app under test: copy 0 under the real runner daemon, copy 1 as a process that comes and goes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from streamhub.runner import RunnerDirectory
from streamhub.specification import StreamAppSpecification

_START_S: Final = 60.0
_END_S: Final = 60.0


class AppUnderRunner:
    """Copy 0, deployed to a runner of its own."""

    def __init__(self, folder: Path, specification: StreamAppSpecification) -> None:
        self.directory = RunnerDirectory(folder / "runner")
        self.directory.path.mkdir(parents=True)
        self.log = folder / "runner.log"
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "streamhub", "runner", "--directory", str(self.directory.path)],
                stdout=log,
                stderr=log,
            )
        self.app_id = self.directory.deploy(specification)
        self._killed: set[int] = set()

    def process(self, *, is_running: bool) -> int | None:
        """The present process, unless it was killed already; None also while it starts, if so wished."""
        if self._daemon.poll() is not None:
            raise SystemExit(f"the runner ended with exit code {self._daemon.returncode}: see {self.log}")
        status = self.directory.status(self.app_id)
        if status is None or status.pid is None or status.pid in self._killed:
            return None
        if status.state not in {"running", "starting"}:
            return None
        if is_running and (status.state != "running" or status.progress is None):
            return None
        return status.pid

    def wait_process(self, *, is_running: bool = True) -> int:
        """Wait for a process.

        Raises:
            SystemExit: none comes up.
        """
        deadline = time.monotonic() + _START_S
        while True:
            pid = self.process(is_running=is_running)
            if pid is not None:
                return pid
            if time.monotonic() > deadline:
                tail = "\n".join(self.directory.log_tail(self.app_id, 20))
                raise SystemExit(f"the app does not run: {self.directory.status(self.app_id)}\n{tail}")
            time.sleep(0.02)

    def kill(self, pid: int) -> None:
        """Kill -9; the runner is told to start it again at once, not after its growing pause."""
        self._killed.add(pid)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.directory.start(self.app_id)

    def end(self) -> None:
        """Stop the app and the runner."""
        self.directory.shutdown(_END_S)
        self._daemon.wait(_END_S)


class SecondCopy:
    """Copy 1 of the app: a process that joins the group and leaves it."""

    def __init__(self, folder: Path, specification: StreamAppSpecification) -> None:
        self._file = folder / "second-copy.json"
        self._file.write_text(specification.to_json(), encoding="utf-8")
        self._log = folder / "second-copy.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; it joins a second or two later."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamhub", "app", "run", "--copy", "1"),
                    *("--specification", str(self._file), "--broker-wait", "60"),
                ],
                stdout=log,
                stderr=log,
            )

    def end(self, number: signal.Signals) -> int | None:
        """Send a signal and wait; its exit code, None when none ran.

        Raises:
            SystemExit: it does not end.
        """
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise SystemExit(f"the second copy did not end in {_END_S:g} s: see {self._log}") from None
