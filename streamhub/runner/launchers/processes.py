"""Apps as processes of this machine: start one, recognise it again, end it.

What lives here: everything that touches the operating system's processes. What does not: when to do so
(`supervisor`). Their memory is watched by the supervisor; the operating system gives a process no share of
the processors that could be set without rights, so that limit is not held here.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from streamhub.beginning import beginning_of
from streamhub.runner.folder import AppFolder, ProcessRecord
from streamhub.runner.launchers.interface import End
from streamhub.runner.limits import AppLimits
from streamhub.runner.logs import append_mark

__all__ = ["APP", "AppProcesses", "find_process"]

APP: Final = ("-m", "streamhub", "app", "run")
"""What Python is asked to run."""

# Of the runner's environment an app gets what a Python program needs to start, to find its authorities and to
# write times and texts as its user does. Whatever else is there may be a secret of the runner or of the
# platform beside it: an app has credentials of its own.
_HANDED_DOWN: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ"),
        *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT", "VIRTUAL_ENV"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS", "PYTHONHASHSEED"),
        "PYTHONFAULTHANDLER",
    }
)
_LOCALE: Final = "LC_"


def find_process(record: ProcessRecord) -> psutil.Process | None:
    """Find a recorded process; None when it has ended, even if its pid was given to another."""
    try:
        process = psutil.Process(record.pid)
        if beginning_of(record.pid) != record.began:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


class AppProcesses:
    """Real processes: `python -m streamhub app run --specification ...`, each in a session of its own.

    They inherit nothing of the runner's environment that could be a secret; see `_HANDED_DOWN`.
    """

    name = "processes"

    def __init__(self, environment: Mapping[str, str] | None = None, program: Sequence[str] = APP) -> None:
        self._program = program
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
        append_mark(folder.log, f"started {started_at}")
        with folder.log.open("ab") as log:
            # Its own session: Ctrl-C in the terminal of the runner does not reach it.
            child = subprocess.Popen(
                self._command(folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**self._environment, **identity, "TMPDIR": str(folder.scratch)},
            )
        self._children[child.pid] = child
        # A child that has ended keeps its id, and its beginning, until it is buried.
        return ProcessRecord(child.pid, beginning_of(child.pid) or "", digest, started_at)

    def is_alive(self, record: ProcessRecord) -> bool:
        """Whether this very process still runs; a child that has ended is buried."""
        child = self._children.get(record.pid)
        if child is not None:
            return child.poll() is None
        return find_process(record) is not None

    def find(self, folder: AppFolder) -> None:
        """Find nothing: a process that nobody has recorded cannot be told from others."""
        del folder

    def waits_for(self, record: ProcessRecord) -> None:
        """A process runs as soon as it is started."""
        del record

    def end_of(self, record: ProcessRecord) -> End:
        """How a child ended, negative for a signal; only a parent learns that, so nothing when adopted."""
        child = self._children.pop(record.pid, None)
        return End(None if child is None else child.poll())

    def memory_bytes(self, record: ProcessRecord) -> int | None:
        """Resident memory of this very process; apps have no children [bytes]."""
        process = find_process(record)
        if process is None:
            return None
        try:
            return int(process.memory_info().rss)
        except psutil.Error:  # it has ended meanwhile
            return None

    def apply(self, record: ProcessRecord, limits: AppLimits) -> bool:
        """The supervisor compares with the limits of now; there is nothing to do."""
        del record, limits
        return True

    def close(self) -> None:
        """There is nothing to let go of."""

    def send(self, record: ProcessRecord, signal_number: int) -> None:
        """Send a signal to this very process and to no other."""
        process = find_process(record)
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.Signals(signal_number))

    def _command(self, folder: AppFolder) -> list[str]:
        return [
            sys.executable,
            *self._program,
            *("--specification", _text(folder.specification)),
            *("--progress-file", _text(folder.progress)),
        ]


def _text(path: Path) -> str:
    return str(path.resolve())
