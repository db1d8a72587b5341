"""A SensorThings service as a process of its own, for tests that need one of their own."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from setup.local.ports import any_free_port
from setup.local.processes import log_tail, start_process

_READY_TIMEOUT_S = 300.0  # on a machine that has much else to do


@contextmanager
def running_service(database_url: str, folder: Path, *arguments: str, **settings: str) -> Iterator[str]:
    """Run the service on an empty database; yield its address without the version, `http://127.0.0.1:PORT`.

    Args:
        database_url: SQLAlchemy URL of its database; tables are made.
        folder: Where its log goes (`service.log`).
        arguments: More words of its command line, as `--workers 2`.
        settings: Its settings by name, as `anonymous="write"`; a free port unless `port` is among them.

    Raises:
        RuntimeError: it did not start; the message ends with its log.
    """
    port = int(settings.pop("port", 0)) or any_free_port()
    address = f"http://127.0.0.1:{port}"
    log_file = folder / "service.log"
    chosen = {"database_url": database_url, "root_url": address, "anonymous": "write"} | settings
    process = start_process(
        [sys.executable, "-m", "sensorthings", "serve", "--port", str(port), *arguments],
        log_file=log_file,
        environment=os.environ
        | {f"DTWIN_SENSORTHINGS__{name.upper()}": value for name, value in chosen.items()},
        folder=Path(__file__).parents[1],
    )
    try:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not _is_ready(f"{address}/health/ready"):
            if not process.is_running() or time.monotonic() > deadline:
                raise RuntimeError(f"The SensorThings service did not start:\n{log_tail(log_file, 40)}")
            time.sleep(0.1)
        yield address
    finally:
        process.end()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (an address made above)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
