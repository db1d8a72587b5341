"""Exactly once under fire: the app is killed while 100,000 records pass; the runner brings it back."""

import collections
import os
import random
import signal
import threading
import time
from collections.abc import Callable

import pytest

from tests.integration.streamhub.conftest import Daemon
from tests.integration.streamhub.flows import Flow, eventually, matching

RECORDS = 100_000
KILLS = 3
CHUNK = RECORDS // (KILLS + 1)
RATE = 10_000.0


@pytest.mark.slow
def test_every_matching_record_arrives_exactly_once_although_the_app_is_killed_three_times(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow(partitions=2)
    daemon.start()
    app_id = daemon.directory.deploy(flow.specification())
    moments = random.Random(20260102)
    killed: set[int] = set()
    for number in range(KILLS):
        pid = eventually(lambda: _running_process(daemon, app_id, killed), what="a process that runs")
        chunk = range(number * CHUNK, (number + 1) * CHUNK)
        producing = threading.Thread(target=flow.produce, args=(chunk, RATE))
        producing.start()
        # Somewhere among the records of this chunk: inside a transaction, between two, or during a commit.
        time.sleep(moments.uniform(0.2, CHUNK / RATE))
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
        producing.join()
    flow.produce(range(KILLS * CHUNK, RECORDS))

    def is_done() -> bool:
        status = daemon.directory.status(app_id)
        assert status is not None
        running = status.state == "running" and status.pid not in killed and status.progress is not None
        return running and status.progress is not None and status.progress.lag == 0

    eventually(is_done, 120, "the end of the lag")
    status = daemon.directory.status(app_id)
    assert status is not None
    assert status.restarts == KILLS
    assert status.cause == "killed by signal 9 (SIGKILL)"

    # The lag is some moments old, and what was read is not all committed yet.
    wanted = matching(range(RECORDS))
    eventually(lambda: len(set(flow.received_numbers())) >= len(wanted), 120, "the last records")
    counts = collections.Counter(flow.received_numbers())
    assert [number for number, count in counts.items() if count > 1] == []
    assert sorted(counts) == wanted
    assert flow.dead_letters() == []


def _running_process(daemon: Daemon, app_id: str, killed: set[int]) -> int | None:
    status = daemon.directory.status(app_id)
    if status is None or status.state != "running" or status.pid in killed or status.progress is None:
        return None
    return status.pid if status.progress.pid == status.pid else None
