"""What the services of this machine that run in Java share: waiting for one, ending it, its log.

What lives here: `JavaPart`. What does not: how each is started and asked (`kafka.py`, `elasticsearch.py`),
which jars it is made of and where Java is (`jars.py`).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from setup.errors import PartNotReadyError
from setup.local.answers import Answer
from setup.local.processes import ProcessIdentity, log_tail

LOGGING_OPTION: Final = f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}"
"""With it, a Java program writes its log to its output."""


class JavaPart:
    """A service in a Java process with its data in one folder.

    Args:
        name: What messages call it.
        directory: Its data.
        log_file: Where its output goes.
        process: The identity of one that already runs on this directory.
    """

    def __init__(
        self, name: str, directory: Path, log_file: Path, process: ProcessIdentity | None = None
    ) -> None:
        self.directory = directory
        self.log_file = log_file
        self.process = process
        self._name = name

    def stop(self, timeout_s: float = 30.0) -> None:
        """End it in order: what it holds is written, so that the next start needs no recovery."""
        if self.process is not None:
            self.process.end(first_signal=signal.SIGTERM, timeout_s=timeout_s)
            self.process = None

    def kill(self) -> None:
        """End it as a power cut would (for tests of what others do then); `start` brings it back."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    def _wait_for(self, ask: Callable[[], Answer], address: str, timeout_s: float) -> None:
        """Ask until it is ready.

        Raises:
            PartNotReadyError: the process ended, or was not ready within `timeout_s` [s].
        """
        deadline = time.monotonic() + timeout_s
        answer = Answer(ready=False, detail="")
        while time.monotonic() < deadline:
            if self.process is None or not self.process.is_running():
                raise PartNotReadyError(
                    f"{self._name} ended while starting. Its log {self.log_file} ends:\n{self._log_end()}"
                )
            answer = ask()
            if answer.ready:
                return
            time.sleep(0.1)
        reason = f" ({answer.detail})" if answer.detail else ""
        raise PartNotReadyError(
            f"{self._name} did not answer on {address} within {timeout_s:g} s{reason}. "
            f"Its log {self.log_file} ends:\n{self._log_end()}"
        )

    def _log_end(self) -> str:
        # The causes, without the frames of Java's stack traces.
        lines = log_tail(self.log_file, 200).splitlines()
        return "\n".join([line for line in lines if not line.startswith(("\t", "WARNING:"))][-12:])
