"""How far a long-running program is, said by its commands: now and then while it runs, and when asked.

What lives here: what `run` and `status` of sinks, recorders and bridges share. What does not: the sentences,
which each of them makes itself, and the progress file (`streamhub.engine.progress`).
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from streamhub.commands.outcome import EXIT_UNAVAILABLE, EXIT_USAGE, fail
from streamhub.engine.progress import AppProgress, read_progress

_INTERVAL_S: Final = 30.0
_STALE_S: Final = 10.0


class OutputForm(StrEnum):
    """How a command writes its result."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[OutputForm, typer.Option("-o", "--output", help="table or json.")]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a progress file tells.

    Attributes:
        progress: The figures.
        is_running: Whether they are fresh, and of a program that goes on.
    """

    progress: AppProgress
    is_running: bool

    def end(self) -> None:
        """End a command by whether the program runs.

        Raises:
            typer.Exit: It does not; with exit code 6.
        """
        if not self.is_running:
            raise typer.Exit(EXIT_UNAVAILABLE)


def read_standing(progress_file: Path | None, who: str, missing: str) -> Standing:
    """Read how far a program is.

    Args:
        progress_file: Its file; None where nobody has named one.
        who: What it is called, with its article.
        missing: What to say when nobody has named a file.

    Raises:
        typer.Exit: There is nothing to read; the reason is on standard error.
    """
    if progress_file is None:
        fail(missing, EXIT_USAGE)
    found = read_progress(progress_file)
    if found is None:
        fail(f"{progress_file} tells no progress: {who} has not run yet", EXIT_UNAVAILABLE)
    age_s = (datetime.now(UTC) - found.updated_at).total_seconds()
    return Standing(found, age_s < _STALE_S and found.state != "stopping")


def show_standing(standing: Standing, output: OutputForm, sentence: Callable[[AppProgress], str]) -> None:
    """Say how far a program is, then end by whether it runs.

    Raises:
        typer.Exit: It does not run.
    """
    found = standing.progress
    if output is OutputForm.JSON:
        typer.echo(found.to_json())
    else:
        typer.echo(f"{'running' if standing.is_running else 'not running'}: {sentence(found)}")
        if found.trouble is not None:
            typer.echo(f"  {found.trouble}")
    standing.end()


class Reporter:
    """Says on standard error how far a program is, now and then.

    Args:
        name: What its lines begin with.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._said_at = float("-inf")

    def say(self, progress: AppProgress, sentence: Callable[[AppProgress], str]) -> None:
        """Say it, unless nothing was read yet or it was said a moment ago."""
        now = time.monotonic()
        if progress.consumed and now - self._said_at > _INTERVAL_S:
            self._said_at = now
            typer.echo(f"{self._name}: {sentence(progress)}", err=True)


def reporting(name: str, sentence: Callable[[AppProgress], str]) -> Callable[[AppProgress], None]:
    """Return what says a sentence on standard error, now and then.

    Args:
        name: What its lines begin with.
        sentence: Makes it of the figures.
    """
    reporter = Reporter(name)
    return lambda progress: reporter.say(progress, sentence)


def refused_text(progress: AppProgress) -> str:
    """Say how many records were refused, and why."""
    reasons = ", ".join(f"{number} {code}" for code, number in sorted(progress.dead_letters.items()))
    return f"{progress.dead_lettered} refused{f' ({reasons})' if reasons else ''}"


def lag_text(progress: AppProgress) -> str:
    """Say how many records wait."""
    return f"{'unknown' if progress.lag is None else progress.lag} waiting"


def set_up_logging(silent: Iterable[tuple[str, int]] = ()) -> None:
    """Log to standard error.

    Args:
        silent: Names of loggers whose lines below a level would hide what the program itself says.
    """
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name, level in silent:
        logging.getLogger(name).setLevel(level)
