"""Fixtures of the stream app tests: flows, app processes, and a real runner daemon."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from setup.local.ports import any_free_port
from streamhub.runner import AppCredentials, RunnerDirectory
from streamhub.runner.limits import AppLimits
from streamhub.specification import StreamAppSpecification
from tests.integration.streamhub.flows import AppProcess, Flow, eventually
from tests.integration.streamhub.principals import Principal, operator_credentials


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


@pytest.fixture
def new_principal(kafka_bootstrap: str) -> Iterator[Callable[[str], Principal]]:
    """Makes a principal for an app, which may do nothing yet."""
    made: list[Principal] = []

    def create(app_id: str) -> Principal:
        made.append(Principal(kafka_bootstrap, app_id))
        return made[-1]

    yield create
    for principal in made:
        principal.withdraw_all()


class OperatorsDirectory(RunnerDirectory):
    """Deploys apps as the operator, who may do everything, unless they get credentials of their own."""

    def deploy(
        self,
        specification: StreamAppSpecification,
        credentials: AppCredentials | None = None,
        limits: AppLimits | None = None,
    ) -> str:
        return super().deploy(specification, credentials or operator_credentials(), limits)

    def deploy_without_credentials(self, specification: StreamAppSpecification) -> str:
        return super().deploy(specification)


class Daemon:
    """The real runner, `python -m streamhub runner`."""

    def __init__(self, path: Path) -> None:
        self.directory = OperatorsDirectory(path)
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
        return self.process.wait(60)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    runner = Daemon(tmp_path / "runner")
    yield runner
    runner.directory.shutdown(60)
    if runner.process.poll() is None:
        runner.process.wait(30)


@pytest.fixture
def free_port() -> int:
    return any_free_port()
