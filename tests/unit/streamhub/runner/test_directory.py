"""The interface to the runner while no runner runs: wishes are written down and answers are honest."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from streamhub.beginning import beginning_of
from streamhub.errors import RunnerError
from streamhub.runner import RunnerDirectory
from streamhub.runner.folder import AppFolder, Observed
from streamhub.runner.limits import AppLimits, read_limits
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


def test_asking_for_a_new_process_is_a_new_request_with_its_time(directory: RunnerDirectory) -> None:
    app_id = directory.deploy(SPECIFICATION)
    before = directory.status(app_id)
    directory.restart(app_id)
    after = directory.status(app_id)
    assert before is not None
    assert after is not None
    assert after.desired == "running"
    assert before.asked_at is not None
    assert after.asked_at is not None
    assert after.asked_at >= before.asked_at
    with pytest.raises(RunnerError, match="there is no stream app"):
        directory.restart("aa.bb.cc.dd.other")


def test_the_same_files_are_not_read_again_and_changed_ones_are(directory: RunnerDirectory) -> None:
    app_id = directory.deploy(SPECIFICATION, limits=AppLimits(200, 0.5))
    folder = AppFolder(directory.path / "apps" / app_id)
    assert directory.list() == [directory.status(app_id)]
    desired = folder.read_desired()
    assert desired is not None
    folder.write_observed(Observed("running", desired.request, pid=7))
    own = os.getpid()
    document = {"pid": own, "began": beginning_of(own), "started_at": "2026-01-01T00:00:00+00:00"}
    (directory.path / "runner.json").write_text(json.dumps(document))
    (before,) = directory.list()
    assert (before.state, before.pid) == ("running", 7)
    (same,) = directory.list()
    assert same == before
    directory.stop(app_id)
    assert [one.state for one in directory.list()] == ["stopping"]
    directory.remove(app_id)
    assert directory.list() == []


def test_limits_are_written_beside_the_specification_and_only_for_apps_that_are_there(
    directory: RunnerDirectory,
) -> None:
    app_id = directory.deploy(SPECIFICATION, limits=AppLimits(200, 0.5))
    path = directory.path / "apps" / app_id / "limits.json"
    assert read_limits(path) == AppLimits(200, 0.5)
    directory.deploy(SPECIFICATION)
    assert read_limits(path) == AppLimits(200, 0.5), "deploying without limits leaves them"
    directory.limit(app_id, AppLimits(100))
    assert read_limits(path) == AppLimits(100)
    directory.limit("aa.bb.cc.dd.other", AppLimits(100))
    assert not (directory.path / "apps" / "aa.bb.cc.dd.other").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"memory_mb": "much", "cpus": -1}', '{"memory_mb": 0}'])
def test_limits_that_cannot_be_understood_limit_nothing(text: str) -> None:
    assert AppLimits.from_json(text) == AppLimits()
