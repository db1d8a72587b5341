"""The interface to the runner while no runner runs: wishes are written down and answers are honest."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamhub.errors import RunnerError
from streamhub.runner import RunnerDirectory
from streamhub.specification import StreamAppSpecification

SPECIFICATION = StreamAppSpecification(
    name="app",
    source_system="aa.bb.cc.dd",
    target_system="ee.ff.gg.hh",
    statement="SELECT * FROM *;",
    bootstrap_servers="127.0.0.1:9092",
)


@pytest.fixture
def directory(tmp_path: Path) -> RunnerDirectory:
    return RunnerDirectory(tmp_path / "runner")


def test_an_empty_directory_has_no_apps(directory: RunnerDirectory) -> None:
    assert directory.list() == []
    assert directory.status("aa.bb.cc.dd.app") is None
    assert directory.log_tail("aa.bb.cc.dd.app") == []
    assert not directory.is_alive()


def test_a_deployed_app_is_wanted_and_unknown_as_long_as_no_runner_runs(directory: RunnerDirectory) -> None:
    app_id = directory.deploy(SPECIFICATION)
    (status,) = directory.list()
    assert (status.app_id, status.desired, status.state) == (app_id, "running", "unknown")
    assert status.cause == "no runner looks after it and it does not run"
    assert directory.specification(app_id) == SPECIFICATION


def test_deploying_the_same_again_is_not_a_new_request(directory: RunnerDirectory) -> None:
    app_id = directory.deploy(SPECIFICATION)
    path = directory.path / "apps" / app_id / "desired.json"
    before = path.read_text()
    directory.deploy(SPECIFICATION)
    assert path.read_text() == before


def test_deploying_a_corrected_statement_is_a_new_request_so_a_failed_app_runs_again(
    directory: RunnerDirectory,
) -> None:
    app_id = directory.deploy(SPECIFICATION)
    path = directory.path / "apps" / app_id / "desired.json"
    before = path.read_text()
    directory.deploy(replace(SPECIFICATION, statement="SELECT * FROM * WHERE result < 5;"))
    assert path.read_text() != before


def test_stop_start_and_remove_change_what_is_wanted(directory: RunnerDirectory) -> None:
    app_id = directory.deploy(SPECIFICATION)
    directory.stop(app_id)
    stopped = directory.status(app_id)
    assert stopped is not None
    assert (stopped.desired, stopped.state) == ("stopped", "stopped")
    directory.start(app_id)
    started = directory.status(app_id)
    assert started is not None
    assert started.desired == "running"
    directory.remove(app_id)
    assert directory.list() == []


def test_an_unknown_app_is_refused_by_name(directory: RunnerDirectory) -> None:
    with pytest.raises(RunnerError, match="there is no stream app nobody: deploy it first"):
        directory.start("nobody")
    directory.remove("nobody")


@pytest.mark.parametrize("app_id", ["", "..", "../x", "a/b", "a\\b", "a\0b", ".hidden"])
def test_an_id_never_leaves_the_directory(directory: RunnerDirectory, app_id: str) -> None:
    with pytest.raises(RunnerError, match="is not the id of a stream app"):
        directory.status(app_id)


def test_waiting_says_what_it_waited_for(directory: RunnerDirectory) -> None:
    app_id = directory.deploy(SPECIFICATION)
    with pytest.raises(RunnerError, match="is not running after 0 s: unknown, no runner looks after it"):
        directory.wait(app_id, {"running"}, 0.0)


def test_a_shutdown_without_a_runner_is_no_error(directory: RunnerDirectory) -> None:
    directory.shutdown(1.0)
    directory.deploy(SPECIFICATION)
    directory.shutdown(1.0)
