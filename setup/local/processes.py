"""Start, recognise and end processes that outlive the command that started them.

A process is known by its id *and* its start time, so that an id which the system has given to another program
is never signalled. What the processes do is the business of the modules that start them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from setup.errors import PartMissingError
from streamhub.beginning import beginning_of

_POLL_S = 0.05
_LOG_LIMIT_BYTES = 8 * 1024 * 1024

# Children of this very process, kept so that they are reaped when they end.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process of this machine, now or in the past.

    Attributes:
        pid: Process id.
        began: When it began, as `streamhub.beginning` tells it.
    """

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of a running process, or None when there is none with this id."""
        began = beginning_of(pid)
        return None if began is None else cls(pid, began)

    @property
    def since(self) -> datetime | None:
        """The start time as an aware datetime, by the clock of now; None when the process has ended."""
        process = self.process()
        try:
            return None if process is None else datetime.fromtimestamp(process.create_time(), UTC)
        except psutil.NoSuchProcess:
            return None

    def process(self) -> psutil.Process | None:
        """Return the process while it runs and is the same one; None when it ended or its id was reused."""
        child = _children.get(self.pid)
        if child is not None and child.poll() is not None:
            del _children[self.pid]
            return None
        try:
            process = psutil.Process(self.pid)
            if beginning_of(self.pid) != self.began:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None

    def is_running(self) -> bool:
        """Tell whether the process runs."""
        return self.process() is not None

    def memory_bytes(self) -> int:
        """Return the resident memory of the process and its children [bytes]; 0 when it ended."""
        process = self.process()
        if process is None:
            return 0
        total = 0
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += member.memory_info().rss
        return total

    def descendants(self) -> list[ProcessIdentity]:
        """Return the processes that this one has started, and theirs."""
        process = self.process()
        if process is None:
            return []
        members: list[ProcessIdentity] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for member in process.children(recursive=True):
                identity = ProcessIdentity.of(member.pid)
                if identity is not None:
                    members.append(identity)
        return members

    def end(self, *, first_signal: int = signal.SIGTERM, timeout_s: float = 20.0) -> bool:
        """Ask the process to end, wait, and kill it when it does not.

        Args:
            first_signal: The polite signal.
            timeout_s: How long it may take before SIGKILL [s].

        Returns:
            Whether the polite signal was enough (also when the process had already ended).
        """
        process = self.process()
        if process is None:
            return True
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(first_signal)
        if self.wait_ended(timeout_s):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        process = self.process()
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
        self.wait_ended(10.0)

    def wait_ended(self, timeout_s: float) -> bool:
        """Wait until the process has ended; return whether it did [s]."""
        child = _children.get(self.pid)
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout_s)
        else:
            # Not psutil's wait: another program's child that has ended keeps its pid until that program asks.
            deadline = time.monotonic() + timeout_s
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        return not self.is_running()


def start_process(
    command: Sequence[str],
    *,
    log_file: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    user_id: int | None = None,
    group_id: int | None = None,
) -> ProcessIdentity:
    """Start a program in a session of its own, its output appended to a log file.

    Args:
        command: Program and arguments; never a shell line.
        log_file: Where its output goes; moved to `<name>.1` first when larger than 8 MiB.
        environment: The whole environment of the program; this process's own when None.
        folder: Its working folder.
        user_id: Run as this user (root only).
        group_id: Run as this group (root only).

    Raises:
        PartMissingError: the program does not exist or may not be executed.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if log_file.exists() and log_file.stat().st_size > _LOG_LIMIT_BYTES:
        log_file.replace(log_file.with_name(log_file.name + ".1"))
    with log_file.open("ab") as output:
        try:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ if environment is None else environment),
                cwd=folder,
                start_new_session=True,
                user=user_id,
                group=group_id,
                extra_groups=None if user_id is None else [],
            )
        except OSError as error:
            raise PartMissingError(f"Cannot start {command[0]}: {error.strerror or error}.") from error
    _children[child.pid] = child
    identity = ProcessIdentity.of(child.pid)
    # A program that ended at once is still a zombie of ours, so it has an identity until it is polled.
    return identity if identity is not None else ProcessIdentity(child.pid, "")


def log_tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log file, for an error message."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64 * 1024))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(empty log)"
