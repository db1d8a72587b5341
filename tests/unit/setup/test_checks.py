from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest

from client.errors import ConfigurationError
from setup import checks


class Recorder:
    """Stands for running commands: notes them, and fails those whose text contains a word."""

    def __init__(self, failing: str = "") -> None:
        self.commands: list[list[str]] = []
        self._failing = failing

    def __call__(self, command: Sequence[str], _folder: Path, output: IO[str] | None) -> int:
        self.commands.append(list(command))
        if output is not None:
            output.write(f"ran {command[-1]}\n")
        return 1 if self._failing and self._failing in " ".join(command) else 0


def test_cheap_checks_come_before_tests_and_unit_tests_before_others() -> None:
    names = [step.name for step in checks.all_steps(Path(__file__).parents[3])]
    assert names[:5] == ["lint", "format", "imports", "audit", "types"]
    assert names[5] == "unit"


def test_extended_tests_run_when_all_are_asked_for() -> None:
    clone = Path(__file__).parents[3]
    chosen = [step.command for step in checks.all_steps(clone) if step.takes_pytest_arguments]
    everything = [
        step.command for step in checks.all_steps(clone, with_extended=True) if step.takes_pytest_arguments
    ]
    assert all("not extended" in command for command in chosen)
    assert not any("not extended" in command for command in everything)


def test_one_failure_fails_the_whole_and_the_rest_still_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run = Recorder(failing="mypy")
    assert checks.run_checks(None, [], run) == 1
    assert len(run.commands) == len(checks.all_steps(Path(__file__).parents[3]))
    assert "failed: types" in capsys.readouterr().out


def test_all_passed_is_said_and_returns_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.run_checks(None, [], Recorder()) == 0
    assert "all passed" in capsys.readouterr().out


def test_what_runs_beside_others_is_printed_under_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    checks.run_checks(None, [], Recorder())

    printed = capsys.readouterr().out
    for name, last in (("conformance", "tests/conformance"), ("sensorthings", "tests/integration/adapters")):
        assert f"ran {last}" in printed.partition(f"=== {name} ")[2].partition("===\n")[2][:60]


def test_tests_through_the_browser_come_after_those_of_their_lane() -> None:
    run = Recorder()
    checks.run_checks(None, [], run)
    folders = [command[-1] for command in run.commands]
    assert folders.index("tests/acceptance") > folders.index("tests/integration/streamhub")


def test_further_arguments_go_to_pytest_only() -> None:
    run = Recorder()
    checks.run_checks(None, ["-k", "station"], run)
    assert all(command[-2:] == ["-k", "station"] for command in run.commands if "pytest" in command)
    assert not any("station" in command for command in run.commands if "pytest" not in command)


def test_only_one_step_can_be_chosen() -> None:
    run = Recorder()
    checks.run_checks("lint", [], run)
    assert len(run.commands) == 1


def test_an_unknown_step_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="Steps: lint, format"):
        checks.run_checks("everything", [], Recorder())
