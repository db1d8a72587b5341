"""Commands of the recorder: `run`, `status` and `replay`.

What lives here: options, output, exit codes. What does not: any work (`running`). Mounted by `dtwin recorder`
and run by `python -m adapters.observation_store`.
"""

import logging
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from adapters.observation_store.running import RunOptions, run_recorder
from adapters.observation_store.settings import PREFIX, RecorderSettings
from streamhub.commands.outcome import EXIT_UNAVAILABLE, explained, fail
from streamhub.engine.progress import AppProgress, read_progress

_REPORT_INTERVAL_S: Final = 30.0
_STALE_S: Final = 10.0

recorder = typer.Typer(
    name="recorder",
    help="Record what all systems send: fill the observation store from Kafka, every record once.",
    no_args_is_help=True,
    add_completion=False,
)

ProgressFile = Annotated[
    Path | None,
    typer.Option(envvar=f"{PREFIX}PROGRESS_FILE", help="File that progress is written to each second."),
]
Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", help="Topic, or pattern that begins with ^; all systems' .int and .ext if none."),
]
BatchRecords = Annotated[
    int | None, typer.Option(min=1, help="Most records in one transaction; 10000 when not given.")
]


class OutputForm(StrEnum):
    """How a command writes its result."""

    TABLE = "table"
    JSON = "json"


@recorder.command()
def run(
    *,
    topic: Topics = None,
    batch_records: BatchRecords = None,
    copy: Annotated[
        int | None,
        typer.Option(min=0, help="Number of this copy; after a crash it has its partitions back at once."),
    ] = None,
    progress_file: ProgressFile = None,
    metrics_port: Annotated[
        int,
        typer.Option(
            envvar=f"{PREFIX}METRICS_PORT", min=0, max=65535, help="Prometheus port on 127.0.0.1; 0: none."
        ),
    ] = 0,
) -> None:
    """Record until stopped; several copies share the work."""
    _set_up_logging()
    with explained():
        settings = RecorderSettings.from_environment(
            topics=tuple(topic) if topic else None, batch_records=batch_records, copy=copy
        )
        options = RunOptions(progress_file=progress_file, metrics_port=metrics_port)
        run_recorder(settings, options, _Reporter())


@recorder.command()
def replay(topic: Topics = None, batch_records: BatchRecords = None) -> None:
    """Read everything that the topics still hold once more, store what is missing, and end.

    The running recorder may go on meanwhile. Records that cannot be stored are only counted: their dead
    letters are there already.
    """
    _set_up_logging()
    with explained():
        settings = RecorderSettings.from_environment(
            topics=tuple(topic) if topic else None, batch_records=batch_records, grace_s=0.0
        )
        last = run_recorder(settings, RunOptions(is_replay=True), _Reporter())
    typer.echo(f"{_sentence(last)}")


@recorder.command()
def status(
    *,
    progress_file: ProgressFile = None,
    output: Annotated[OutputForm, typer.Option("-o", "--output", help="table or json.")] = OutputForm.TABLE,
) -> None:
    """Show how far the recorder is; the exit code is 6 when it does not run."""
    if progress_file is None:
        fail(f"--progress-file is missing: give it, or set {PREFIX}PROGRESS_FILE", 2)
    found = read_progress(progress_file)
    if found is None:
        fail(f"{progress_file} tells no progress: the recorder has not run yet", EXIT_UNAVAILABLE)
    age_s = (datetime.now(UTC) - found.updated_at).total_seconds()
    is_running = age_s < _STALE_S and found.state != "stopping"
    if output is OutputForm.JSON:
        typer.echo(found.to_json())
    else:
        typer.echo(f"{'running' if is_running else 'not running'}: {_sentence(found)}")
        if found.trouble is not None:
            typer.echo(f"  {found.trouble}")
    if not is_running:
        raise typer.Exit(EXIT_UNAVAILABLE)


class _Reporter:
    """Says on standard error how far it is, now and then."""

    def __init__(self) -> None:
        self._said_at = float("-inf")

    def __call__(self, progress: AppProgress) -> None:
        now = time.monotonic()
        if progress.consumed and now - self._said_at > _REPORT_INTERVAL_S:
            self._said_at = now
            typer.echo(f"recorder: {_sentence(progress)}", err=True)


def _sentence(progress: AppProgress) -> str:
    refused = ", ".join(f"{number} {code}" for code, number in sorted(progress.dead_letters.items()))
    lag = "unknown" if progress.lag is None else str(progress.lag)
    return (
        f"{progress.consumed} records read, {progress.forwarded} stored, "
        f"{progress.dead_lettered} refused{f' ({refused})' if refused else ''}, {progress.held} held, "
        f"{lag} waiting, {progress.input_rate:g}/s"
    )


def _set_up_logging() -> None:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # its news are the recorder's own
