"""`dtwin test`: every check of the house in the order of its price, with one summary at the end.

Style and types first, then unit tests, then tests with real services. Nothing is installed here: the start
script has put the development lock into the environment.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from client.errors import ConfigurationError
from setup.errors import PartMissingError
from setup.local.paths import clone_folder

_TEST_FOLDERS = ("unit", "house", "conformance", "integration", "acceptance")
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


def all_steps(clone: Path) -> list[Step]:
    """Return the checks in the order in which they run; test folders without tests are left out."""
    python = sys.executable
    steps = [
        Step("lint", (python, "-m", "ruff", "check", ".")),
        Step("format", (python, "-m", "ruff", "format", "--check", ".")),
        Step("types", (python, "-m", "mypy")),
        # The tool's own start: it has no `python -m` form.
        Step("imports", (python, "-c", "from importlinter.cli import lint_imports_command as run; run()")),
    ]
    for name in _TEST_FOLDERS:
        folder = Path("tests") / name
        if any((clone / folder).rglob("test_*.py")):
            steps.append(Step(name, (python, "-m", "pytest", str(folder)), takes_pytest_arguments=True))
    return steps


def run_checks(
    only: str | None, pytest_arguments: Sequence[str], run: Callable[[Sequence[str], Path], int] | None = None
) -> int:
    """Run all checks, or one; return 0 when every one passed, else 1.

    Args:
        only: Name of the one step to run; all when None.
        pytest_arguments: Further arguments for every pytest step.
        run: Runs a command in a folder and returns its exit code; a subprocess when None.

    Raises:
        ConfigurationError: there is no such step.
        PartMissingError: this is not a clone, or the development tools are not installed.
    """
    clone = clone_folder()
    if clone is None:
        raise PartMissingError(
            "`dtwin test` checks a clone of the repository: clone it and run ./dtwin test there."
        )
    steps = _chosen_steps(only, clone)
    _need_tools()
    _prepare_browser()
    outcomes = []
    for step in steps:
        typer.echo(f"\n=== {step.name} " + "=" * max(0, 70 - len(step.name)))
        arguments = pytest_arguments if step.takes_pytest_arguments else ()
        started = time.monotonic()
        code = (run or _run)([*step.command, *arguments], clone)
        if code == _NO_TESTS_COLLECTED and pytest_arguments:
            code = 0  # the user's selection (-k) matched nothing here
        outcomes.append(Outcome(step.name, code, time.monotonic() - started))
    return _summarise(outcomes)


def _chosen_steps(only: str | None, clone: Path) -> list[Step]:
    steps = all_steps(clone)
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


def _run(command: Sequence[str], folder: Path) -> int:
    return subprocess.run(command, cwd=folder, check=False).returncode


def _summarise(outcomes: Sequence[Outcome]) -> int:
    typer.echo("\n=== summary " + "=" * 63)
    for outcome in outcomes:
        typer.echo(
            f"  {'passed' if outcome.code == 0 else 'FAILED'}  {outcome.step:<12} {outcome.seconds:7.1f} s"
        )
    failed = [outcome.step for outcome in outcomes if outcome.code]
    typer.echo(f"  {'all passed' if not failed else 'failed: ' + ', '.join(failed)}")
    return 1 if failed else 0
