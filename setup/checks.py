"""`dtwin test`: every check of the house in the order of its price, with one summary at the end.

Style and floors first, then the audit of dependencies, then types and all tests: three lanes of them run at
a time, and what a step printed appears when it has ended. Tests that are marked `extended` take long and
show in another way what others show too; they run with `--all`. Nothing is installed here: the start script
has put the development lock into the environment.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import typer

from client.errors import ConfigurationError
from setup.errors import PartMissingError
from setup.local.paths import clone_folder

_TESTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("unit", ("tests/unit",)),
    ("house", ("tests/house",)),
    ("conformance", ("tests/conformance",)),
    ("sensorthings", ("tests/integration/sensorthings", "tests/integration/adapters")),
    ("platform", ("tests/integration/platform_ui",)),
    ("streamhub", ("tests/integration/streamhub",)),
    (
        "integration",
        (
            "tests/integration",
            "--ignore=tests/integration/sensorthings",
            "--ignore=tests/integration/adapters",
            "--ignore=tests/integration/platform_ui",
            "--ignore=tests/integration/streamhub",
        ),
    ),
    ("acceptance", ("tests/acceptance",)),
)
_LANES = {
    "types": 2,
    "unit": 1,
    "house": 1,
    "conformance": 2,
    "sensorthings": 1,
    "integration": 1,
    "platform": 2,
    "streamhub": 3,
    "acceptance": 3,
}
"""Steps that run at the same time as those of the other lanes."""
Run = Callable[[Sequence[str], Path, IO[str] | None], int]
_QUICK_JAVA = "-XX:TieredStopAtLevel=1"
"""Brokers of tests live for seconds: compiling their code thoroughly takes longer than they run."""
_NO_TESTS_COLLECTED = 5  # pytest's exit code
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_TOOLS = ("ruff", "mypy", "importlinter", "pytest")


@dataclass(frozen=True, slots=True)
class Step:
    """One check.

    Attributes:
        name: What `--only` calls it.
        command: Program and arguments.
        takes_pytest_arguments: Whether further arguments of the user belong to it.
    """

    name: str
    command: tuple[str, ...]
    takes_pytest_arguments: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check ended.

    Attributes:
        step: Its name.
        code: Exit code.
        seconds: How long it took [s].
    """

    step: str
    code: int
    seconds: float


def all_steps(clone: Path, *, with_extended: bool = False) -> list[Step]:
    """Return the checks in the order in which they begin; test folders without tests are left out.

    Args:
        clone: Where the repository is.
        with_extended: Take in the tests that are marked `extended`.
    """
    python = sys.executable
    steps = [
        Step("lint", (python, "-m", "ruff", "check", ".")),
        Step("format", (python, "-m", "ruff", "format", "--check", ".")),
        # The tool's own start: it has no `python -m` form.
        Step("imports", (python, "-c", "from importlinter.cli import lint_imports_command as run; run()")),
        Step("audit", (python, "-m", "setup.audit")),
        Step("types", (python, "-m", "mypy")),
    ]
    chosen = () if with_extended else ("-m", "not extended")
    for name, arguments in _TESTS:
        if any((clone / arguments[0]).rglob("test_*.py")):
            command = (python, "-m", "pytest", "--durations=10", *chosen, *arguments)
            steps.append(Step(name, command, takes_pytest_arguments=True))
    return steps


def run_checks(
    only: str | None,
    pytest_arguments: Sequence[str],
    run: Run | None = None,
    *,
    with_extended: bool = False,
) -> int:
    """Run all checks, or one; return 0 when every one passed, else 1.

    Args:
        only: Name of the one step to run; all when None.
        pytest_arguments: Further arguments for every pytest step.
        with_extended: Take in the tests that are marked `extended`.
        run: Runs a command in a folder, prints to a file (None: to the terminal) and returns its exit code; a
            subprocess when None.

    Raises:
        ConfigurationError: there is no such step.
        PartMissingError: this is not a clone, or the development tools are not installed.
    """
    clone = clone_folder()
    if clone is None:
        raise PartMissingError(
            "`dtwin test` checks a clone of the repository: clone it and run ./dtwin test there."
        )
    steps = _chosen_steps(only, all_steps(clone, with_extended=with_extended))
    _need_tools()
    _prepare_browser()
    runner = _Runner(run or _run, clone, pytest_arguments)
    numbers = sorted(set(_LANES.values()))
    lanes = [[step for step in steps if _LANES.get(step.name) == lane] for lane in numbers]
    first = next((at for at, step in enumerate(steps) if step.name in _LANES), len(steps))
    last = next((at for at, step in enumerate(steps) if at > first and step.name not in _LANES), len(steps))
    outcomes = [runner.run(step) for step in steps[:first]]
    if all(lanes):
        with ThreadPoolExecutor(len(lanes)) as pool:
            found = pool.map(lambda lane: [runner.run_quietly(step) for step in lane], lanes)
            outcomes += [outcome for lane in found for outcome in lane]
    else:
        outcomes += [runner.run(step) for step in steps[first:last]]
    outcomes += [runner.run(step) for step in steps[last:]]
    return _summarise(outcomes)


class _Runner:
    """Runs steps and notes how they ended."""

    def __init__(self, run: Run, clone: Path, pytest_arguments: Sequence[str]) -> None:
        self._run = run
        self._clone = clone
        self._pytest_arguments = pytest_arguments
        self._printing = threading.Lock()

    def run(self, step: Step) -> Outcome:
        """Run a step; what it prints appears at once."""
        _announce(step)
        return self._outcome(step, None)

    def run_quietly(self, step: Step) -> Outcome:
        """Run a step beside others; what it prints appears when it has ended."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            outcome = self._outcome(step, output)
            output.seek(0)
            with self._printing:
                _announce(step)
                typer.echo(output.read(), nl=False)
        return outcome

    def _outcome(self, step: Step, output: IO[str] | None) -> Outcome:
        arguments = self._pytest_arguments if step.takes_pytest_arguments else ()
        started = time.monotonic()
        code = self._run([*step.command, *arguments], self._clone, output)
        if code == _NO_TESTS_COLLECTED and self._pytest_arguments:
            code = 0  # the user's selection (-k) matched nothing here
        return Outcome(step.name, code, time.monotonic() - started)


def _announce(step: Step) -> None:
    typer.echo(f"\n=== {step.name} " + "=" * max(0, 70 - len(step.name)))


def _chosen_steps(only: str | None, steps: list[Step]) -> list[Step]:
    if only is None:
        return steps
    chosen = [step for step in steps if step.name == only]
    if not chosen:
        raise ConfigurationError(
            f"There is no step {only!r}. Steps: {', '.join(step.name for step in steps)}."
        )
    return chosen


def _need_tools() -> None:
    missing = [tool for tool in _TOOLS if importlib.util.find_spec(tool) is None]
    if missing:
        raise PartMissingError(
            f"{', '.join(missing)} are not installed: run ./dtwin test from the clone, which installs them."
        )


def _prepare_browser() -> None:
    """Find Chromium; on a build machine (CI=true, root) try to install it, else browser tests are skipped."""
    if (
        _browser() is None
        and os.environ.get("CI") == "true"
        and os.geteuid() == 0
        and shutil.which("apt-get")
    ):
        typer.echo("Installing Chromium for the browser tests.")
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
            subprocess.run(
                command,
                stdout=subprocess.DEVNULL,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                check=False,
            )
    if _browser() is None:
        typer.echo(
            "No Chromium on this machine: browser tests are skipped. Install it with: apt install chromium"
        )


def _browser() -> str | None:
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


def _run(command: Sequence[str], folder: Path, output: IO[str] | None) -> int:
    printed = subprocess.STDOUT if output is not None else None
    environment = {"JDK_JAVA_OPTIONS": _QUICK_JAVA, **os.environ}
    return subprocess.run(
        command, cwd=folder, check=False, stdout=output, stderr=printed, env=environment
    ).returncode


def _summarise(outcomes: Sequence[Outcome]) -> int:
    typer.echo("\n=== summary " + "=" * 63)
    for outcome in outcomes:
        typer.echo(
            f"  {'passed' if outcome.code == 0 else 'FAILED'}  {outcome.step:<12} {outcome.seconds:7.1f} s"
        )
    failed = [outcome.step for outcome in outcomes if outcome.code]
    typer.echo(f"  {'all passed' if not failed else 'failed: ' + ', '.join(failed)}")
    return 1 if failed else 0
