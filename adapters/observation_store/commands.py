"""Commands of the recorder: `run`, `status` and `replay`.

What lives here: options, output, exit codes. What does not: any work (`running`). Mounted by `dtwin recorder`
and run by `python -m adapters.observation_store`.
"""

import logging
from pathlib import Path
from typing import Annotated, Final

import typer

from adapters.observation_store.running import run_recorder
from adapters.observation_store.settings import PREFIX, RecorderSettings
from streamhub.commands.outcome import explained
from streamhub.commands.standing import (
    Output,
    OutputForm,
    lag_text,
    read_standing,
    refused_text,
    reporting,
    set_up_logging,
    show_standing,
)
from streamhub.engine.progress import AppProgress
from streamhub.engine.sinks.settings import RunOptions

# News of its pool are the recorder's own.
_SILENT: Final = (("psycopg.pool", logging.ERROR),)

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
    set_up_logging(_SILENT)
    with explained():
        settings = RecorderSettings.from_environment(
            topics=tuple(topic) if topic else None, batch_records=batch_records, copy=copy
        )
        options = RunOptions(progress_file=progress_file, metrics_port=metrics_port)
        run_recorder(settings, options, reporting("recorder", _sentence))


@recorder.command()
def replay(topic: Topics = None, batch_records: BatchRecords = None) -> None:
    """Read everything that the topics still hold once more, store what is missing, and end.

    The running recorder may go on meanwhile. Records that cannot be stored are only counted: their dead
    letters are there already.
    """
    set_up_logging(_SILENT)
    with explained():
        settings = RecorderSettings.from_environment(
            topics=tuple(topic) if topic else None, batch_records=batch_records, grace_s=0.0
        )
        last = run_recorder(settings, RunOptions(is_replay=True), reporting("recorder", _sentence))
    typer.echo(f"{_sentence(last)}")


@recorder.command()
def status(
    *,
    progress_file: ProgressFile = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Show how far the recorder is; the exit code is 6 when it does not run."""
    missing = f"--progress-file is missing: give it, or set {PREFIX}PROGRESS_FILE"
    show_standing(read_standing(progress_file, "the recorder", missing), output, _sentence)


def _sentence(progress: AppProgress) -> str:
    # Records that were stored before, and forwarded ones whose originals are read too.
    known = progress.consumed - progress.forwarded - progress.dead_lettered - progress.held
    return (
        f"{progress.consumed} records read, {progress.forwarded} stored, {known} known already, "
        f"{refused_text(progress)}, {progress.held} held, {lag_text(progress)}, {progress.input_rate:g}/s"
    )
