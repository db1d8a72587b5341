"""Fixtures of the stream app tests: flows, app processes, and a real runner daemon."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamhub.runner import RunnerDirectory
from tests.integration.streamhub.flows import AppProcess, Flow, eventually


@pytest.fixture
def new_flow(kafka_bootstrap: str, unique_system: Callable[[], str]) -> Callable[..., Flow]:
    def create(partitions: int = 1) -> Flow:
        return Flow(kafka_bootstrap, unique_system(), unique_system(), partitions)

    return create


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[..., AppProcess]]:
    started: list[AppProcess] = []

    def start(flow: Flow, *more: str, folder: Path = tmp_path, **options: str) -> AppProcess:
        started.append(AppProcess(flow, folder, *more, **options))
        return started[-1]

    yield start
    for app in started:
        app.end(signal.SIGKILL)


class Daemon:
    """The real runner, `python -m streamhub runner`."""

    def __init__(self, path: Path) -> None:
        self.directory = RunnerDirectory(path)
        self.log = path / "runner.log"
        self.process: subprocess.Popen[bytes]

    def start(self, *more: str) -> None:
        self.directory.path.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamhub", "runner", "--directory", str(self.directory.path), *more],
                stdout=log,
                stderr=log,
            )
        eventually(self.directory.is_alive, what="the start of the runner")

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    runner = Daemon(tmp_path / "runner")
    yield runner
    runner.directory.shutdown(60)
    if runner.process.poll() is None:
        runner.process.wait(10)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
