"""The real runner daemon with apps in trouble: what it says of them, in their state and in their log."""

import os
import signal
from datetime import UTC, datetime

from streamhub.runner import AppStatus
from streamhub.specification import StreamAppSpecification
from tests.integration.streamhub.conftest import Daemon
from tests.integration.streamhub.flows import eventually

ENDS = 10
WITHOUT_KAFKA = StreamAppSpecification(
    name="app1",
    source_system="at.test.Workcenter.One",
    target_system="at.test.Workcenter.Two",
    statement="SELECT * FROM *;",
    bootstrap_servers="127.0.0.1:9",
)


def _killed(daemon: Daemon, app_id: str, number: int) -> AppStatus:
    """Kill the process of an app as soon as it has one, and wait until the runner has noticed."""

    def running() -> AppStatus | None:
        status = daemon.directory.status(app_id)
        return status if status is not None and status.pid is not None else None

    before = eventually(running, what=f"start {number}")
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)

    def noticed() -> AppStatus | None:
        status = daemon.directory.status(app_id)
        return status if status is not None and status.failures == number else None

    return eventually(noticed, what=f"end {number}")


def test_an_app_killed_ten_times_in_a_row_backs_off_says_why_and_is_given_up(daemon: Daemon) -> None:
    daemon.start("--first-pause", "0.2", "--longest-pause", "0.4", "--most-failures", str(ENDS))
    app_id = daemon.directory.deploy(WITHOUT_KAFKA)
    for number in range(1, ENDS):
        status = _killed(daemon, app_id, number)
        assert status.end == "killed by signal 9 (SIGKILL)"
        if status.state == "backing_off":  # it may be over already
            assert status.cause == "killed by signal 9 (SIGKILL)"
            assert status.next_start_at is not None
    last = _killed(daemon, app_id, ENDS)
    assert (last.state, last.next_start_at, last.pid) == ("failed", None, None)
    assert last.cause == "given up after 10 ends in a row; the last one: killed by signal 9 (SIGKILL)"
    marks = [line for line in daemon.directory.log_tail(app_id) if line.startswith("--- ")]
    assert [mark.split()[1] for mark in marks] == ["started", "ended"] * ENDS
    assert marks[-1].endswith("killed by signal 9 (SIGKILL)")


def test_a_pause_is_long_enough_to_be_seen_with_the_time_of_the_next_start(daemon: Daemon) -> None:
    daemon.start("--first-pause", "600", "--longest-pause", "600")
    app_id = daemon.directory.deploy(WITHOUT_KAFKA)
    status = _killed(daemon, app_id, 1)
    assert status.state == "backing_off"
    assert status.next_start_at is not None
    assert 300 < (status.next_start_at - datetime.now(UTC)).total_seconds() <= 600
    daemon.directory.restart(app_id)  # whoever does not want to wait

    def started() -> bool:
        present = daemon.directory.status(app_id)
        return present is not None and present.pid is not None and present.failures == 0

    eventually(started, what="the start at once")
