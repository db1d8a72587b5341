"""A process is told from others that have had its id, whatever happens to the clock of the machine."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from setup.local.processes import ProcessIdentity
from streamhub.beginning import beginning_of
from streamhub.runner.folder import ProcessRecord
from streamhub.runner.launchers.processes import find_process


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_a_process_is_the_same_as_long_as_it_runs_and_no_other(other: subprocess.Popen[bytes]) -> None:
    began = beginning_of(other.pid)
    assert began == beginning_of(other.pid)
    assert began != beginning_of(os.getpid())
    assert beginning_of(2**22 + 1) is None
    other.kill()
    other.wait()
    assert beginning_of(other.pid) is None


def test_setting_the_clock_makes_no_process_another_one(
    other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = beginning_of(other.pid)
    assert began is not None
    identity, record = ProcessIdentity(other.pid, began), ProcessRecord(other.pid, began, "", "")
    create_time = psutil.Process.create_time
    # What psutil tells after somebody has set the clock an hour ahead.
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + 3600)
    assert identity.is_running()
    assert find_process(record) is not None
    assert identity.end(timeout_s=60)
    assert find_process(record) is None
