"""Ending processes that are not our children."""

import subprocess
import sys

from setup.local.processes import ProcessIdentity

# A parent that never asks what became of its child, as a demo does with the parts that it started.
CARELESS_PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def test_a_process_whose_parent_does_not_bury_it_counts_as_ended() -> None:
    parent = subprocess.Popen([sys.executable, "-c", CARELESS_PARENT], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        identity = ProcessIdentity.of(int(parent.stdout.readline()))
        assert identity is not None
        assert identity.end(timeout_s=30.0), "its pid goes only when the parent ends, after a minute"
    finally:
        parent.kill()
        parent.communicate()
