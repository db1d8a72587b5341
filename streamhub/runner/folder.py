"""The files of one app: what is wanted of it, what runs, what it says.

What lives here: names, reading and writing. What does not: deciding (`supervisor`).

Below `<directory>/apps/<app_id>/`:

- `specification.json`: what the app does; written by `RunnerDirectory`
- `credentials`: who the app is to Kafka; written by `RunnerDirectory`, see `credentials`
- `limits.json`: what it may take of the machine; written by `RunnerDirectory`
- `desired.json`: running, stopped or removed; written by `RunnerDirectory`
- `status.json`: what the daemon sees; written by the daemon
- `process.json`: the process that runs; written by the daemon
- `progress.json`: figures, each second; written by the app
- `app.log`, `app.log.1`: standard output and error; written by the app
- `tmp`: the temporary folder of the process that runs
- `container`: all that a container may write; `progress.json` and `app.log` are then links into it
"""

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from streamhub.engine.progress import AppProgress, read_progress, write_atomically
from streamhub.runner.credentials import CredentialFiles

Wanted = Literal["running", "stopped", "removed"]
State = Literal["starting", "running", "stopping", "stopped", "backing_off", "failed", "unknown"]
_Record = TypeVar("_Record")
WANTED: Final = frozenset({"running", "stopped", "removed"})


@dataclass(frozen=True, slots=True)
class Desired:
    """What is wanted; each request has an id of its own, so that the same wish can be made again.

    Attributes:
        state: What is wanted.
        request: Id of the wish.
        at: When somebody wished it, RFC 3339.
        anew: Whether a process that runs already is to be replaced.
    """

    state: Wanted
    request: str
    at: str | None = None
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """What the daemon sees of an app.

    Attributes:
        state: Where the app is.
        request: The request that the daemon had seen when it wrote this.
        cause: Why the app is not simply running; None when it is.
        pid: Process id while a process runs.
        restarts: Times the app was started again since it was last asked to run [1].
        started_at: When the process started, RFC 3339.
        failures: Ends in a row without a good run in between [1].
        next_start_at: When it is started again, RFC 3339; None when it is not waiting for that.
        ended_at: When its last process ended, RFC 3339.
        end: How its last process ended.
    """

    state: State
    request: str
    cause: str | None = None
    pid: int | None = None
    restarts: int = 0
    started_at: str | None = None
    failures: int = 0
    next_start_at: str | None = None
    ended_at: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """The process of an app: the pid alone may be reused, so when it began belongs to it.

    Attributes:
        pid: Process id; 0 for what is no process of this machine.
        began: When it began, as `streamhub.beginning` tells it; empty for what is no process.
        digest: Which specification and credentials it was started with.
        started_at: When it was started, RFC 3339.
        container: Name of the container or pod; empty for a process.
        limits: The limits that it is held to, as JSON; empty for none.
    """

    pid: int
    began: str
    digest: str
    started_at: str
    container: str = ""
    limits: str = ""


class AppFolder:
    """One app's folder; every write replaces a file as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.specification = path / "specification.json"
        self.progress = path / "progress.json"
        self.log = path / "app.log"
        self.scratch = path / "tmp"
        self.limits = path / "limits.json"
        self.container = path / "container"
        self.credentials = CredentialFiles(path)
        self.desired = path / "desired.json"
        self.status = path / "status.json"
        self._process = path / "process.json"

    @property
    def app_id(self) -> str:
        """The name of the folder is the id of the app."""
        return self.path.name

    def exists(self) -> bool:
        """Whether somebody has said what is wanted of the app."""
        return self.desired.is_file() and self.specification.is_file()

    def digest(self) -> str:
        """Fingerprint of specification and credentials; changes when the app has to be restarted."""
        try:
            content = self.specification.read_bytes() + self.credentials.generation.encode()
        except OSError:
            return ""
        return hashlib.sha256(content).hexdigest()

    def read_desired(self) -> Desired | None:
        """What is wanted; None when the folder is not complete yet."""
        return read_desired(self.desired)

    def write_desired(self, state: Wanted, *, anew: bool = False) -> None:
        """Make a new request.

        Args:
            state: What is wanted.
            anew: Replace a process that runs already.

        Raises:
            OSError: the folder cannot be written.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        request = Desired(state, uuid.uuid4().hex, at, anew)
        write_atomically(self.desired, json.dumps(asdict(request)), durable=True)

    def read_observed(self) -> Observed | None:
        """What the daemon saw last; None when it has not seen the app yet."""
        return read_observed(self.status)

    def write_observed(self, observed: Observed) -> None:
        """Say what the daemon sees.

        Raises:
            OSError: the folder cannot be written.
        """
        write_atomically(self.status, json.dumps(asdict(observed)))

    def read_process(self) -> ProcessRecord | None:
        """The process that was started last; it may have ended."""
        return _read_record(self._process, ProcessRecord)

    def write_process(self, record: ProcessRecord) -> None:
        """Remember a process, so that a daemon started later can adopt it.

        Raises:
            OSError: the folder cannot be written.
        """
        write_atomically(self._process, json.dumps(asdict(record)))

    def forget_process(self) -> None:
        """Forget the process: it has ended."""
        self._process.unlink(missing_ok=True)

    def read_progress(self) -> AppProgress | None:
        """What the app said last; it may be of a former process."""
        return read_progress(self.progress)


def read_desired(path: Path) -> Desired | None:
    """Read what is wanted from its file; None when it is not there or not complete."""
    document = _read_object(path)
    if document is None or document.get("state") not in WANTED:
        return None
    at = document.get("at")
    return Desired(
        document["state"],
        str(document.get("request", "")),
        at if isinstance(at, str) else None,
        document.get("anew") is True,
    )


def read_observed(path: Path) -> Observed | None:
    """Read what the daemon saw last from its file; None when it is not there or not understood."""
    return _read_record(path, Observed)


def _read_object(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _read_record(path: Path, kind: type[_Record]) -> _Record | None:
    document = _read_object(path)
    if document is None:
        return None
    try:
        return kind(**document)
    except TypeError:
        return None
