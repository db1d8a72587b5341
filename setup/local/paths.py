"""Where the local stack keeps its files: state, data and logs in one home, downloads in the user's cache.

Nothing here creates a service. The two places are independent: removing the home (`dtwin down --purge`) keeps
the downloads, so the next start needs no network.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CLONE = Path(__file__).resolve().parents[2]


def clone_folder() -> Path | None:
    """Return the folder of the clone that this package runs from, or None for an installed wheel."""
    return _CLONE if (_CLONE / "pyproject.toml").is_file() and (_CLONE / "dtwin").is_file() else None


def home_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of state, data and logs.

    `DTWIN_HOME` when set, else `.dtwin` in a clone, else `$XDG_DATA_HOME/dtwin`.
    """
    chosen = environment.get("DTWIN_HOME")
    if chosen:
        return Path(chosen).expanduser().resolve()
    clone = clone_folder()
    if clone is not None:
        return clone / ".dtwin"
    return Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "dtwin"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of downloads that every home of this user shares: `$XDG_CACHE_HOME/dtwin`."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dtwin"


@dataclass(frozen=True, slots=True)
class Home:
    """The folders and files inside one home of the stack."""

    folder: Path

    @property
    def state_file(self) -> Path:
        """What is running: process ids, start times, ports."""
        return self.folder / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held while a command changes what is running."""
        return self.folder / "lock"

    @property
    def demo_loaded_file(self) -> Path:
        """Tells which demo companies were loaded, and into which database."""
        return self.folder / "demo-loaded"

    @property
    def demo_lock_file(self) -> Path:
        """Held as long as a demo runs: there is one at a time."""
        return self.folder / "demo.lock"

    @property
    def secret_key_file(self) -> Path:
        """The platform's secret key, readable by its owner only."""
        return self.folder / "secrets" / "platform_secret_key"

    @property
    def sensorthings_token_file(self) -> Path:
        """The admin token of the SensorThings service, readable by its owner only."""
        return self.folder / "secrets" / "sensorthings_admin_token"

    @property
    def pki(self) -> Path:
        """The certificate authority, and the credentials of the services."""
        return self.folder / "pki"

    @property
    def pki_passphrase_file(self) -> Path:
        """The passphrase of the authority's key, readable by its owner only."""
        return self.folder / "secrets" / "pki_passphrase"

    @property
    def audit_key_file(self) -> Path:
        """The key that seals the audit log, readable by its owner only."""
        return self.folder / "secrets" / "audit_key.pem"

    @property
    def credentials(self) -> Path:
        """Certificates and keys of the demo's client apps, a folder each."""
        return self.folder / "credentials"

    def client_token_file(self, principal: str) -> Path:
        """Return the file of a client app's SensorThings token; the principal is `<system>.<client>`."""
        return self.folder / "secrets" / "tokens" / principal

    @property
    def kafka(self) -> Path:
        """Data and settings of the broker."""
        return self.folder / "kafka"

    @property
    def postgres(self) -> Path:
        """Data of the database server; started by root it may be elsewhere, see `postgres.py`."""
        return self.folder / "postgres"

    @property
    def elasticsearch(self) -> Path:
        """Data and settings of Elasticsearch."""
        return self.folder / "elasticsearch"

    @property
    def mqtt(self) -> Path:
        """What the MQTT broker and the bridge remember."""
        return self.folder / "mqtt"

    @property
    def mqtt_progress_file(self) -> Path:
        """How far the bridge between MQTT and Kafka is."""
        return self.mqtt / "bridge-progress.json"

    @property
    def runner(self) -> Path:
        """Desired and observed state of the stream apps."""
        return self.folder / "runner"

    @property
    def sink_progress_file(self) -> Path:
        """Where the demo's sink to Elasticsearch tells each second how far it is."""
        return self.folder / "sink-progress.json"

    @property
    def recorder_progress_file(self) -> Path:
        """How far the recorder is."""
        return self.folder / "recorder-progress.json"

    @property
    def logs(self) -> Path:
        """One file per part."""
        return self.folder / "logs"

    def log_file(self, part: str) -> Path:
        """Return the log file of a part."""
        return self.logs / f"{part}.log"

    def create(self) -> None:
        """Make the home; its folders are closed to other users, for they hold secrets and data.

        The home itself may be passed through: started by root, PostgreSQL runs as another user inside it.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        secrets = self.secret_key_file.parent
        for folder in (self.logs, self.runner, self.kafka, secrets, secrets / "tokens"):
            folder.mkdir(exist_ok=True, mode=0o700)


@contextlib.contextmanager
def exclusive_lock(path: Path, when_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock file for the duration of a block; another process waits. The lock dies with its process.

    Args:
        path: The lock file.
        when_waiting: Called once when another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            when_waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
