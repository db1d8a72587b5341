"""`dtwin demo` from outside: data crosses companies, and however it ends nothing is left."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from setup.local.ports import any_free_port
from setup.services import GIVEN_BY, METRICS
from tests.processes import processes_of

CLONE = Path(__file__).parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.postgres]


def start_demo(home: Path, *arguments: str) -> subprocess.Popen[str]:
    given = {*GIVEN_BY.values(), "DTWIN_WITH"}
    environment = {name: value for name, value in os.environ.items() if name not in given}
    ports = {f"DTWIN_{part}__PORT": str(any_free_port()) for part in ("KAFKA", "SENSORTHINGS", "PLATFORM")}
    ports |= {name: str(any_free_port()) for name, _ in METRICS.values()}
    return subprocess.Popen(
        [sys.executable, "-m", "setup", "demo", "--no-browser", *arguments],
        env=environment | ports | {"DTWIN_HOME": str(home), "PYTHONPATH": str(CLONE)},
        cwd=CLONE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.extended
def test_data_crosses_companies_and_purge_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    demo = start_demo(home, "--duration", "3", "--purge")
    said, _ = demo.communicate(timeout=400)
    assert demo.returncode == 0, said
    assert re.search(r"Air Temperature = .* °C at .* is\.iceland Stations → cz\.icecars Car1", said), said
    assert re.search(r"Acceleration = .* cz\.icecars Car1 → at\.datahouse RoadAnalytics", said), said
    assert "sue.smith@example.com" in said
    assert "password asdf" in said
    assert processes_of(home) == []
    assert not home.exists()


@pytest.mark.extended
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    home = tmp_path / "home"
    demo = start_demo(home, "--purge")
    deadline = time.monotonic() + 180
    while not (home / "logs" / "kafka.log").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    demo.send_signal(number)
    said, _ = demo.communicate(timeout=180)
    assert "Interrupted" in said
    assert processes_of(home) == []
    assert not home.exists()
