"""Processes of apps: start one, recognise it again, end it.

What lives here: everything that touches the operating system's processes. What does not: when to do so
(`supervisor`).
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import psutil

from streamhub.runner.folder import AppFolder, ProcessRecord

# The operating system rounds creation times, and clocks are corrected.
_SAME_CREATION_S: Final = 2.0


# Of the runner's environment an app gets what a Python program needs to start, to find its authorities and to
# write times and texts as its user does. Whatever else is there may be a secret of the runner or of the
# platform beside it: an app has credentials of its own.
_HANDED_DOWN: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ"),
        *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT", "VIRTUAL_ENV"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS", "PYTHONHASHSEED", "PYTHONFAULTHANDLER"),
    }
)
_LOCALE: Final = "LC_"


class ProcessControl(Protocol):
    """What the supervisor needs of processes; tests bring their own."""

    def start(self, folder: AppFolder) -> ProcessRecord:
        """Start the app of a folder."""

    def is_alive(self, record: ProcessRecord) -> bool:
        """Whether this very process still runs."""

    def exit_code(self, record: ProcessRecord) -> int | None:
        """How it ended; None when that cannot be known, for an adopted process."""

    def send(self, record: ProcessRecord, signal_number: int) -> None:
        """Send a signal, if it still runs."""


def find_process(record: ProcessRecord) -> psutil.Process | None:
    """Find a recorded process; None when it has ended, even if its pid was given to another."""
    try:
        process = psutil.Process(record.pid)
        if abs(process.create_time() - record.created) > _SAME_CREATION_S:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


class AppProcesses:
    """Real processes: `python -m streamhub app run --specification ...`, each in a session of its own.

    They inherit nothing of the runner's environment that could be a secret; see `_HANDED_DOWN`.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        source = os.environ if environment is None else environment
        self._environment = {
            name: value for name, value in source.items() if name in _HANDED_DOWN or name.startswith(_LOCALE)
        }
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, folder: AppFolder) -> ProcessRecord:
        """Start the app of a folder; its output is appended to the log.

        Raises:
            OSError: the log cannot be opened or the process cannot be started.
        """
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        digest = folder.digest()
        identity = folder.credentials.environment()
        folder.credentials.forget_old()
        # A killed process leaves temporary files; here the next start, or the app's removal, takes them away.
        shutil.rmtree(folder.scratch, ignore_errors=True)
        folder.scratch.mkdir()
        with folder.log.open("ab") as log:
            log.write(f"--- started {started_at}\n".encode())
            log.flush()
            # Its own session: Ctrl-C in the terminal of the runner does not reach it.
            child = subprocess.Popen(
                _command(folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**self._environment, **identity, "TMPDIR": str(folder.scratch)},
            )
        self._children[child.pid] = child
        try:
            created = psutil.Process(child.pid).create_time()
        except psutil.NoSuchProcess:
            created = datetime.now(UTC).timestamp()
        return ProcessRecord(child.pid, created, digest, started_at)

    def is_alive(self, record: ProcessRecord) -> bool:
        """Whether this very process still runs; a child that has ended is buried."""
        child = self._children.get(record.pid)
        if child is not None:
            return child.poll() is None
        return find_process(record) is not None

    def exit_code(self, record: ProcessRecord) -> int | None:
        """How a child ended, negative for a signal; None for an adopted process."""
        child = self._children.pop(record.pid, None)
        return None if child is None else child.poll()

    def send(self, record: ProcessRecord, signal_number: int) -> None:
        """Send a signal to this very process and to no other."""
        process = find_process(record)
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.Signals(signal_number))


def _command(folder: AppFolder) -> list[str]:
    return [
        sys.executable,
        *("-m", "streamhub", "app", "run"),
        *("--specification", _text(folder.specification)),
        *("--progress-file", _text(folder.progress)),
    ]


def _text(path: Path) -> str:
    return str(path.resolve())
