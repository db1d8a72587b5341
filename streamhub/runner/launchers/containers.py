"""Apps as containers: what all engines that are asked over a network have in common.

What lives here: the port to such an engine, names and mounts, and a launcher that never lets the loop over
all apps wait. What does not: the engines (`docker_engine`, `kubernetes_pods`).

    the loop ──start, send, apply──> a few threads ──> engine
    the loop <──what was seen last── one listing each second <── engine

A container has a name of its own each time, so that a record means this very one; labels tell which runner
and which app it belongs to, so that it is found again without any record. It sees the app's folder without
being able to write there, but for the folder `container`, where its log and its progress are.
"""

import contextlib
import hashlib
import logging
import os
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Protocol

from streamhub.errors import RunnerError
from streamhub.runner.folder import AppFolder, ProcessRecord
from streamhub.runner.launchers.interface import End
from streamhub.runner.limits import AppLimits, read_limits
from streamhub.runner.logs import append_mark

_log = logging.getLogger(__name__)

LABEL: Final = "digital-twin-stack.io"
RUNNER_LABEL: Final = f"{LABEL}/runner"
APP_LABEL: Final = f"{LABEL}/app"
SEEN_AT: Final = "/app"
"""Where a container finds the folder of its app, read-only."""
WRITABLE_AT: Final = "/run/app"
"""Where it finds the only folder that it may write, besides /tmp."""
PROGRAM: Final = ("python", "-m", "streamhub", "app", "run")
LISTING_S: Final = 1.0
_THREADS: Final = 8
_KEY_CHARACTERS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A container that is to be.

    Attributes:
        name: Its own name, never used before.
        app_id: Which app it runs.
        labels: Which runner and app it belongs to; values of at most 63 letters, digits, hyphens.
        notes: What a later runner has to know of it: digest, started_at, limits; any text.
        command: What it runs.
        environment: All of its environment, besides that of the image.
        limits: What it may take, as the app's folder says.
    """

    name: str
    app_id: str
    labels: Mapping[str, str]
    notes: Mapping[str, str]
    command: Sequence[str]
    environment: Mapping[str, str]
    limits: AppLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A container as its engine tells of it.

    Attributes:
        name: Its name.
        labels: Its labels.
        notes: Its notes.
        state: Whether it waits to begin, runs, or has ended.
        reason: Why it waits or has ended, in the engine's words.
        code: Exit code; None while it runs, or when it is not known.
        is_out_of_memory: Whether the engine ended it because of its memory.
    """

    name: str
    labels: Mapping[str, str]
    notes: Mapping[str, str]
    state: Literal["waiting", "running", "ended"]
    reason: str | None = None
    code: int | None = None
    is_out_of_memory: bool = False


class ContainerEngine(Protocol):
    """What is needed of an engine; every call may take its time, and is made in some thread."""

    @property
    def name(self) -> str:
        """The word by which it is chosen."""
        ...

    @property
    def can_update(self) -> bool:
        """Whether a container that runs can be held to other limits."""
        ...

    def listing(self, runner: str) -> Sequence[Seen]:
        """List the containers of a runner, those that have ended too.

        Raises:
            RunnerError: the engine does not answer, or does not permit it; so of all others.
        """
        ...

    def create(self, wanted: Wanted) -> None:
        """Make a container and let it run; of one that cannot run nothing is left."""
        ...

    def send(self, name: str, signal_number: int) -> None:
        """Ask a container to end, or end it; no error when there is none."""
        ...

    def update(self, name: str, limits: AppLimits) -> None:
        """Hold a container that runs to other limits."""
        ...

    def delete(self, name: str) -> None:
        """Delete a container, running or not; no error when there is none."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@dataclass(slots=True)
class _Making:
    """A container of this daemon, from the wish to its end."""

    made_at: float | None = None
    failure: str | None = None
    was_told: set[int] = field(default_factory=set)


class Containers:
    """Runs apps as containers of an engine.

    Args:
        engine: The engine.
        directory: The runner's folder; it tells this runner's containers from another's.
        user: User and group that the containers run as.
        program: What they run; an option for tests.
        listing_s: Time between two listings [s].

    Raises:
        RunnerError: the engine does not answer: without it nobody knows what runs already.
    """

    def __init__(
        self,
        engine: ContainerEngine,
        directory: Path,
        user: tuple[int, int],
        *,
        program: Sequence[str] = PROGRAM,
        listing_s: float = LISTING_S,
    ) -> None:
        self.name = engine.name
        self._engine = engine
        self._user = user
        self._program = program
        self._runner = key_of(str(directory.resolve()))
        self._lock = threading.Lock()
        self._made: dict[str, _Making] = {}
        self._seen: dict[str, Seen] = {}
        self._listed_at = 0.0
        self._trouble: str | None = None
        self._listing_s = listing_s
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")
        self._is_closed = threading.Event()
        self._list()
        self._lister = threading.Thread(target=self._keep_listing, name="listing", daemon=True)
        self._lister.start()

    def start(self, folder: AppFolder) -> ProcessRecord:
        """Let a container of an app be made; it begins by itself.

        Raises:
            OSError: the app's files cannot be written.
        """
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        digest, limits = folder.digest(), read_limits(folder.limits)
        environment = {**_ENVIRONMENT, **folder.credentials.environment(SEEN_AT)}
        folder.credentials.forget_old()
        prepare(folder, self._user)
        append_mark(folder.log, f"started {started_at}")
        key = key_of(folder.app_id)
        name = f"dtwin-{key}-{uuid.uuid4().hex[:8]}"
        record = ProcessRecord(0, "", digest, started_at, name, limits.to_json())
        wanted = Wanted(
            name=name,
            app_id=folder.app_id,
            labels={RUNNER_LABEL: self._runner, APP_LABEL: key},
            notes=_notes(folder.app_id, record),
            command=_command(self._program),
            environment=environment,
            limits=limits,
        )
        with self._lock:
            self._made[name] = _Making()
            former = [one.name for one in self._of(key) if one.name != name]
        self._pool.submit(self._make, wanted, former)
        return record

    def find(self, folder: AppFolder) -> ProcessRecord | None:
        """Find a container of an app that runs, by its labels: the one that was started last."""
        with self._lock:
            found = [_record(one) for one in self._of(key_of(folder.app_id)) if one.state != "ended"]
        return max(found, key=lambda record: record.started_at, default=None)

    def is_alive(self, record: ProcessRecord) -> bool:
        """Whether this very container runs, or is still to come; as before while the engine is away."""
        with self._lock:
            making = self._made.get(record.container)
            if making is not None and making.failure is not None:
                return False
            if making is not None and (making.made_at is None or making.made_at >= self._listed_at):
                return True
            seen = self._seen.get(record.container)
        return seen is not None and seen.state != "ended"

    def waits_for(self, record: ProcessRecord) -> str | None:
        """Why this container does not run yet; None when it does."""
        with self._lock:
            making = self._made.get(record.container)
            seen = self._seen.get(record.container)
            if making is not None and making.made_at is None:
                return self._trouble or f"waits for {self.name} to make its container"
        if seen is not None and seen.state == "waiting":
            return f"waits to begin: {seen.reason}" if seen.reason else "waits to begin"
        return None

    def end_of(self, record: ProcessRecord) -> End:
        """Tell how this container ended, and have it deleted."""
        with self._lock:
            making = self._made.pop(record.container, None)
            seen = self._seen.get(record.container)
        self._pool.submit(self._quietly, self._engine.delete, record.container)
        if making is not None and making.failure is not None:
            return End(cause=making.failure)
        if seen is None or seen.state != "ended":
            was_told = making is not None and making.was_told
            return End(cause=None if was_told else f"gone: somebody deleted its container in {self.name}")
        cause = seen.reason if seen.code is None else None
        return End(_signed(seen.code), seen.is_out_of_memory, cause)

    def send(self, record: ProcessRecord, signal_number: int) -> None:
        """Have this container asked to end, or ended."""
        with self._lock:
            self._made.setdefault(record.container, _Making(made_at=0.0)).was_told.add(signal_number)
        self._pool.submit(self._quietly, self._engine.send, record.container, signal_number)

    def memory_bytes(self, record: ProcessRecord) -> None:
        """The engine holds containers to their limits."""
        del record

    def apply(self, record: ProcessRecord, limits: AppLimits) -> bool:
        """Have the engine hold this container to other limits, where it can."""
        if self._engine.can_update:
            self._pool.submit(self._quietly, self._engine.update, record.container, limits)
        return self._engine.can_update

    def close(self) -> None:
        """Finish what was asked for; containers go on."""
        self._is_closed.set()
        self._pool.shutdown(wait=True)
        self._lister.join()
        self._engine.close()

    def _of(self, key: str) -> list[Seen]:
        return [one for one in self._seen.values() if one.labels.get(APP_LABEL) == key]

    def _make(self, wanted: Wanted, former: Sequence[str]) -> None:
        """Make a container, in a thread; whatever of the app runs without a record goes first."""
        failure = None
        try:
            for name in former:
                self._engine.delete(name)
            self._engine.create(wanted)
        except RunnerError as error:
            failure = f"the container could not be started: {error}"
        with self._lock:
            making = self._made.setdefault(wanted.name, _Making())
            making.failure = failure
            making.made_at = time.monotonic()
            told = sorted(making.was_told)
        for number in told:  # it was told before there was anybody to hear it
            self._quietly(self._engine.send, wanted.name, number)

    def _quietly(self, action: Callable[..., None], *arguments: object) -> None:
        """Do what is tried again by whoever wanted it."""
        try:
            action(*arguments)
        except RunnerError as error:
            _log.warning("%s: %s", self.name, error, extra={"action": "engine"})

    def _keep_listing(self) -> None:
        while not self._is_closed.wait(self._listing_s):
            with contextlib.suppress(RunnerError):
                self._list()

    def _list(self) -> None:
        began = time.monotonic()
        try:
            found = {seen.name: seen for seen in self._engine.listing(self._runner)}
        except RunnerError as error:
            if self._trouble is None:
                _log.warning("%s does not tell what runs: %s", self.name, error, extra={"action": "list"})
            self._trouble = f"{self.name} does not answer: {error}"
            raise
        self._trouble = None
        with self._lock:
            self._seen, self._listed_at = found, began


_ENVIRONMENT: Final = {
    "HOME": "/tmp",  # noqa: S108 - of the container alone
    "TMPDIR": "/tmp",  # noqa: S108 - as above
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}


def key_of(text: str) -> str:
    """Shorten any text to what names and labels of every engine take."""
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_CHARACTERS]


def prepare(folder: AppFolder, user: tuple[int, int]) -> None:
    """Make the folder that a container may write, and let the app's user read and write what it must.

    Raises:
        OSError: it cannot be made, or given to the user.
    """
    folder.container.mkdir(mode=0o700, exist_ok=True)
    for path in (folder.progress, folder.log):
        inside = folder.container / path.name
        if not path.is_symlink():
            if path.is_file():  # of processes, before
                shutil.move(path, inside)
            path.symlink_to(inside.relative_to(folder.path))
    # It would be taken for that of the new container: all have the same process id.
    (folder.container / folder.progress.name).unlink(missing_ok=True)
    folder.log.touch()
    if os.getuid() == 0:  # else the runner's user is the app's user
        generation = folder.path / (folder.credentials.generation or ".")
        for path in (folder.path, *folder.container.rglob("*"), folder.container, *generation.glob("*.pem")):
            os.chown(path, *user, follow_symlinks=False)
        os.chown(generation, *user)


def _command(program: Sequence[str]) -> list[str]:
    # Standard output goes where the runner looks for it, whatever the engine does with logs.
    return [
        *("/bin/sh", "-c", f'exec "$@" >>{WRITABLE_AT}/app.log 2>&1', "app", *program),
        *("--specification", f"{SEEN_AT}/specification.json"),
        *("--progress-file", f"{WRITABLE_AT}/progress.json"),
    ]


def _notes(app_id: str, record: ProcessRecord) -> dict[str, str]:
    return {
        f"{LABEL}/app-id": app_id,
        f"{LABEL}/digest": record.digest,
        f"{LABEL}/started-at": record.started_at,
        f"{LABEL}/limits": record.limits,
    }


def _record(seen: Seen) -> ProcessRecord:
    digest, started_at, limits = (
        seen.notes.get(f"{LABEL}/{name}", "") for name in ("digest", "started-at", "limits")
    )
    return ProcessRecord(0, "", digest, started_at, seen.name, limits)


def _signed(code: int | None) -> int | None:
    """Engines tell of signals as shells do, 128 and more; processes as negative numbers."""
    if code is not None and 128 < code <= 128 + signal.NSIG:  # noqa: PLR2004 - as in shells
        return 128 - code
    return code
