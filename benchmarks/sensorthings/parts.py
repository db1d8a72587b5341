"""The parts under measurement: a PostgreSQL server and the service on it, with what they cost.

Processor time is what the operating system counts for a process, its living descendants and those that ended.
"""

import contextlib
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import psycopg

from setup.local.ports import any_free_port
from setup.local.postgres import LocalPostgres, create_database, database_url, libpq_url
from setup.local.processes import ProcessIdentity, log_tail, start_process

_READY_TIMEOUT_S: Final = 60.0
_DATABASE: Final = "bench"


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time so far.

    Attributes:
        service_s: Of the service, all its workers [s].
        database_s: Of PostgreSQL, all its processes [s].
    """

    service_s: float
    database_s: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.service_s - other.service_s, self.database_s - other.database_s)


@dataclass(frozen=True, slots=True)
class Parts:
    """A running service and its database.

    Attributes:
        host: `127.0.0.1:PORT`.
        url: Database URL of libpq.
    """

    host: str
    url: str
    _service: ProcessIdentity
    _database: ProcessIdentity

    @property
    def root(self) -> str:
        """Address of the service with its version."""
        return f"http://{self.host}/v1.1"

    def cost(self) -> Cost:
        """What both parts have used so far."""
        return Cost(_processor_time_s(self._service), _processor_time_s(self._database))

    def memory_mib(self) -> tuple[float, float]:
        """Resident memory of service and database, shared pages counted once per process [MiB]."""
        return self._service.memory_bytes() / 2**20, self._database.memory_bytes() / 2**20

    def settle(self) -> None:
        """Bring the planner's statistics up to date, as a database that has run for a while has them."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")


@contextlib.contextmanager
def running_parts(folder: Path, workers: int) -> Iterator[Parts]:
    """Start both parts; they live as long as the block.

    Args:
        folder: Data and logs.
        workers: Processes of the service.
    """
    database = LocalPostgres(folder / "postgres")  # durable, as the peers' was
    database.start()
    try:
        database.wait_ready(_READY_TIMEOUT_S)
        create_database(database.url(), _DATABASE)
        with _service(database_url(database.url(), _DATABASE), folder / "service.log", workers) as (
            host,
            service,
        ):
            if database.process is None:
                raise SystemExit("PostgreSQL has ended")
            yield Parts(host, libpq_url(database.url(_DATABASE)), service, database.process)
    finally:
        database.stop()
        database.remove()


@contextlib.contextmanager
def _service(url: str, log_file: Path, workers: int) -> Iterator[tuple[str, ProcessIdentity]]:
    port = any_free_port()
    host = f"127.0.0.1:{port}"
    process = start_process(
        [*(sys.executable, "-m", "sensorthings", "serve", "--port", str(port)), *_workers(workers)],
        log_file=log_file,
        environment=os.environ
        | {
            "DTWIN_SENSORTHINGS__DATABASE_URL": url,
            "DTWIN_SENSORTHINGS__ROOT_URL": f"http://{host}",
            "DTWIN_SENSORTHINGS__ANONYMOUS": "write",
        },
        folder=Path(__file__).parents[2],
    )
    try:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not _is_ready(f"http://{host}/health/ready"):
            if not process.is_running() or time.monotonic() > deadline:
                raise SystemExit(f"The service did not start:\n{log_tail(log_file, 40)}")
            time.sleep(0.1)
        yield host, process
    finally:
        process.end()


def _workers(count: int) -> list[str]:
    return ["--workers", str(count)] if count > 1 else []


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (an address made above)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _processor_time_s(identity: ProcessIdentity) -> float:
    root = identity.process()
    if root is None:
        raise SystemExit("a process under measurement has ended")
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            # A process counts its ended children once it has waited for them, the living ones never.
            total += times.user + times.system + times.children_user + times.children_system
    return total
