"""The demo as `dtwin demo` starts it, in a home and on ports of its own; it leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from setup.local.ports import any_free_port
from setup.services import METRICS
from tests.acceptance.demo import Demo
from tests.processes import processes_of

CLONE = Path(__file__).parents[2]
READY_TIMEOUT_S = 480.0
_PARTS = ("KAFKA", "SENSORTHINGS", "PLATFORM", "MQTT")  # Elasticsearch takes one of its own range
_GIVEN = (
    "DTWIN_KAFKA__",
    "DTWIN_POSTGRES__URL",
    "DTWIN_SENSORTHINGS__",
    "DTWIN_ELASTICSEARCH__",
    "DTWIN_MQTT__",
)

EXTENDED = [
    pytest.mark.browser,
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.extended,
]
"""Marks of tests that look at a demo in a browser, and only in the long run of all tests."""


@contextmanager
def running_demo(home: Path, *options: str) -> Iterator[Demo]:
    """Run the demo until the block ends.

    Args:
        home: Its folder, which must not be there yet.
        options: Further ones of `dtwin demo`.
    """
    ports = {f"DTWIN_{part}__PORT": str(any_free_port()) for part in _PARTS}
    ports |= {name: str(any_free_port()) for name, _ in METRICS.values()}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_GIVEN)} | ports
    log = home.parent / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "setup", "demo", "--no-browser", "--purge", *options],
            env=environment | {"DTWIN_HOME": str(home)},
            cwd=CLONE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait_until_introduced(process, log, home)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=90)
    assert not home.exists(), "--purge left data"
    assert processes_of(home) == [], "the demo left processes"


def _wait_until_introduced(process: subprocess.Popen[bytes], log: Path, home: Path) -> Demo:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        said = log.read_text(encoding="utf-8", errors="replace")
        platform = re.search(r"Platform\s+(http\S+)", said)
        kafka = re.search(r"Kafka\s+(\S+:\d+)", said)
        things = re.search(r"SensorThings\s+(http\S+)/v1.1", said)
        search = re.search(r"Elasticsearch\s+(http\S+)", said)
        if "The stack runs" in said and platform and kafka and things and "crossed from one company" in said:
            return Demo(platform[1], kafka[1], things[1], home, search[1] if search else "", said)
        time.sleep(0.2)
    pytest.fail(f"the demo did not come up:\n{log.read_text(encoding='utf-8', errors='replace')}")
