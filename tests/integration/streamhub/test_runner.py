"""The real runner daemon: stop and start while records pass, stalls, failures, adoption, shutdown."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from streamhub.runner import AppStatus
from tests.integration.streamhub.conftest import Daemon
from tests.integration.streamhub.flows import Flow, eventually, matching


def _wait_caught_up(daemon: Daemon, app_id: str, timeout_s: float = 90.0) -> AppStatus:
    def caught_up() -> AppStatus | None:
        status = daemon.directory.status(app_id)
        if status is None or status.state != "running" or status.progress is None:
            return None
        return status if status.progress.pid == status.pid and status.progress.lag == 0 else None

    return eventually(caught_up, timeout_s, "catching up")


def _wait_for(flow: Flow, numbers: list[int]) -> None:
    """Wait until exactly these records are there: what an app without lag has read is not all committed."""
    eventually(lambda: len(flow.received_numbers()) >= len(numbers), what="its records")
    assert sorted(flow.received_numbers()) == numbers


@pytest.mark.extended
def test_records_that_arrive_while_an_app_is_stopped_are_neither_missing_nor_doubled(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    app_id = daemon.directory.deploy(flow.specification())
    producing = threading.Thread(target=flow.produce, args=(range(20_000), 2000.0))
    producing.start()
    daemon.directory.wait(app_id, {"running"}, 90)
    daemon.directory.stop(app_id, timeout_s=60)
    stopped = daemon.directory.status(app_id)
    assert stopped is not None
    assert (stopped.desired, stopped.state, stopped.pid, stopped.cause) == ("stopped", "stopped", None, None)
    before = len(flow.received())
    producing.join()
    assert len(flow.received()) == before
    daemon.directory.start(app_id)
    _wait_caught_up(daemon, app_id)
    _wait_for(flow, matching(range(20_000)))


def test_a_stalled_app_is_killed_and_started_again_and_says_why(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    flow.produce(range(160))
    daemon.start("--stall-timeout", "8")  # a busy machine holds a process up for a second or two
    app_id = daemon.directory.deploy(flow.specification())
    first = _wait_caught_up(daemon, app_id)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGSTOP)
    flow.produce(range(160, 320))

    def restarted() -> bool:
        status = daemon.directory.status(app_id)
        return status is not None and status.restarts == 1

    eventually(restarted, what="the restart")
    second = _wait_caught_up(daemon, app_id)
    assert second.pid != first.pid
    assert second.cause is not None
    assert second.cause.startswith("no sign of life for")
    ends = [line for line in daemon.directory.log_tail(app_id) if line.startswith("--- ended ")]
    assert len(ends) == 1
    assert "no sign of life for" in ends[0]
    _wait_for(flow, matching(range(320)))


@pytest.mark.extended
def test_one_page_has_the_figures_of_all_apps(
    new_flow: Callable[..., Flow], daemon: Daemon, free_port: int
) -> None:
    flow = new_flow()
    flow.produce(range(160))
    daemon.start("--metrics-port", str(free_port))
    app_id = daemon.directory.deploy(flow.specification())
    _wait_caught_up(daemon, app_id)

    def read_page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    # What was read counts when it is committed.
    consumed = f'dtwin_app_records_consumed_total{{app="{app_id}"}} 160.0'
    eventually(lambda: consumed in read_page(), what="all records of the app")
    page = read_page()
    for figure in ("records_consumed_total", "records_forwarded_total", "lag_records", "running"):
        assert f'dtwin_app_{figure}{{app="{app_id}"}}' in page
    assert f'dtwin_app_running{{app="{app_id}"}} 1.0' in page
    daemon.directory.stop(app_id, timeout_s=60)
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=30) as answer:
        assert app_id not in answer.read().decode()


def test_an_app_whose_topic_is_missing_is_tried_again_and_names_the_cause(
    new_flow: Callable[..., Flow], unique_system: Callable[[], str], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    missing = unique_system()
    app_id = daemon.directory.deploy(flow.specification(target_system=missing))
    status = daemon.directory.wait(app_id, {"backing_off"}, 90)
    assert status.cause is not None
    assert f"ended with exit code 5: the target topic {missing}.ext does not exist" in status.cause
    flow.create(f"{missing}.ext")
    daemon.directory.wait(app_id, {"running"}, 90)


@pytest.mark.extended
def test_a_changed_specification_restarts_the_app(new_flow: Callable[..., Flow], daemon: Daemon) -> None:
    flow = new_flow()
    daemon.start()
    app_id = daemon.directory.deploy(flow.specification())
    flow.produce(range(160))
    first = _wait_caught_up(daemon, app_id)
    daemon.directory.deploy(flow.specification(statement="SELECT * FROM * WHERE result >= 4;"))

    def renewed() -> bool:
        status = daemon.directory.status(app_id)
        return status is not None and status.state == "running" and status.pid != first.pid

    eventually(renewed, what="the restart")
    flow.produce(range(160, 320))
    _wait_caught_up(daemon, app_id)
    others = set(range(160, 320)) - set(matching(range(160, 320)))
    _wait_for(flow, [*matching(range(160)), *sorted(others)])


@pytest.mark.extended
def test_a_restart_that_was_asked_for_goes_on_in_the_same_place(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    app_id = daemon.directory.deploy(flow.specification())
    flow.produce(range(160))
    first = _wait_caught_up(daemon, app_id)
    daemon.directory.restart(app_id)

    def renewed() -> bool:
        status = daemon.directory.status(app_id)
        return status is not None and status.state == "running" and status.pid != first.pid

    eventually(renewed, what="the restart")
    flow.produce(range(160, 320))
    status = _wait_caught_up(daemon, app_id)
    assert (status.restarts, status.cause) == (0, None)
    assert status.end == "restarted because somebody asked for it"
    _wait_for(flow, matching(range(320)))


def test_a_runner_that_was_killed_finds_its_apps_running_and_adopts_them(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    app_id = daemon.directory.deploy(flow.specification())
    first = daemon.directory.wait(app_id, {"running"}, 90)
    daemon.end(signal.SIGKILL)
    orphaned = daemon.directory.status(app_id)
    assert orphaned is not None
    assert orphaned.state == "unknown"
    assert first.pid is not None
    assert psutil.pid_exists(first.pid)
    daemon.start()
    second = daemon.directory.wait(app_id, {"running"}, 90)
    assert second.pid == first.pid
    os.kill(first.pid, signal.SIGKILL)

    def replaced() -> bool:
        status = daemon.directory.status(app_id)
        return status is not None and status.state == "running" and status.pid not in (first.pid, None)

    eventually(replaced, what="the restart of the adopted app")


def test_a_shutdown_stops_all_apps_and_the_next_runner_starts_them_again(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    app_ids = [daemon.directory.deploy(flow.specification(name=f"app{number}")) for number in range(2)]
    pids = [daemon.directory.wait(app_id, {"running"}, 90).pid for app_id in app_ids]
    daemon.directory.shutdown(60)
    assert daemon.process.wait(120) == 0
    assert not any(pid is not None and psutil.pid_exists(pid) for pid in pids)
    daemon.start()
    for app_id in app_ids:
        daemon.directory.wait(app_id, {"running"}, 90)


def test_a_removed_app_is_stopped_and_its_folder_is_gone(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    app_id = daemon.directory.deploy(flow.specification())
    running = daemon.directory.wait(app_id, {"running"}, 90)
    daemon.directory.remove(app_id, timeout_s=60)
    assert daemon.directory.list() == []
    assert running.pid is not None
    assert not psutil.pid_exists(running.pid)


def test_a_second_runner_on_the_same_directory_refuses(daemon: Daemon) -> None:
    daemon.start()
    second = subprocess.run(
        [sys.executable, "-m", "streamhub", "runner", "--directory", str(daemon.directory.path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "another runner already works on" in second.stderr
    assert daemon.directory.is_alive()


def test_a_runner_whose_metrics_port_is_taken_ends_as_for_any_wrong_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "streamhub",
                "runner",
                f"--directory={tmp_path}",
                f"--metrics-port={port}",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert f"metrics cannot be served on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
