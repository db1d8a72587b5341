"""Commands of the sink: `run`, `status` and `replay`.

What lives here: options, output, exit codes. What does not: any work (`running`). Mounted by
`dtwin sink elasticsearch` and run by `python -m adapters.elasticsearch`.
"""

import logging
from pathlib import Path
from typing import Annotated, Final

import typer

from adapters.elasticsearch.running import run_sink
from adapters.elasticsearch.settings import ElasticsearchSinkSettings
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

# The libraries tell of each request; the sink tells of an outage once.
_SILENT: Final = (("elastic_transport", logging.ERROR), ("httpx2", logging.WARNING))
_PROGRESS_FILE: Final = "DTWIN_ELASTICSEARCH__PROGRESS_FILE"

elasticsearch = typer.Typer(
    name="elasticsearch",
    help="Put the records of a system into Elasticsearch, every record once.",
    no_args_is_help=True,
    add_completion=False,
)

System = Annotated[
    str | None,
    typer.Option(envvar="DTWIN_ELASTICSEARCH__SYSTEM", help="System whose records are copied."),
]
Client = Annotated[
    str | None,
    typer.Option(
        envvar="DTWIN_ELASTICSEARCH__CLIENT", help="Name of the client app of that system as which it reads."
    ),
]
Sources = Annotated[
    str | None,
    typer.Option("--from", help="int, ext (received records), or both, with a comma."),
]
Url = Annotated[
    str | None,
    typer.Option("--url", help="Address of Elasticsearch; DTWIN_ELASTICSEARCH__URL when not given."),
]
ProgressFile = Annotated[
    Path | None,
    typer.Option(envvar=_PROGRESS_FILE, help="File that progress is written to each second."),
]


@elasticsearch.command()
def run(
    *,
    system: System = None,
    client: Client = None,
    sources: Sources = None,
    url: Url = None,
    copy: Annotated[
        int | None,
        typer.Option(min=0, help="Number of this copy; after a crash it has its partitions back at once."),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Read everything from the beginning once more, and end.")
    ] = False,
    progress_file: ProgressFile = None,
    metrics_port: Annotated[
        int,
        typer.Option(
            envvar="DTWIN_ELASTICSEARCH__METRICS_PORT",
            min=0,
            max=65535,
            help="Prometheus port on 127.0.0.1; 0: none.",
        ),
    ] = 0,
) -> None:
    """Index until stopped; several copies share the work.

    Certificate and token are those of the client app: in the folder of its archive, begin with
    `set -a; . ./client.env; set +a`.

    [bold]Examples[/bold]

      dtwin sink elasticsearch run --system cz.icecars.Fleet.Car1 --client search --progress-file sink.json
      dtwin sink elasticsearch run --system cz.icecars.Fleet.Car1 --client search --from int
    """
    options = RunOptions(is_replay=replay, progress_file=progress_file, metrics_port=metrics_port)
    _work(options, sources, system=system, client=client, url=url, copy=copy)


@elasticsearch.command()
def replay(
    *,
    system: System = None,
    client: Client = None,
    sources: Sources = None,
    url: Url = None,
    progress_file: Annotated[
        Path | None, typer.Option(help="File that its own progress is written to each second.")
    ] = None,
) -> None:
    """Read everything that the topics still hold once more, index what is missing, and end.

    The running sink may go on meanwhile. Records that are refused are only counted: their dead letters are
    there already.

    [bold]Examples[/bold]

      dtwin sink elasticsearch replay --system cz.icecars.Fleet.Car1 --client search
    """
    options = RunOptions(is_replay=True, progress_file=progress_file)
    _work(options, sources, system=system, client=client, url=url)


def _work(
    options: RunOptions,
    sources: str | None,
    *,
    system: str | None,
    client: str | None,
    url: str | None,
    copy: int | None = None,
) -> None:
    set_up_logging(_SILENT)
    with explained():
        chosen = tuple(part.strip() for part in sources.split(",")) if sources else None
        settings = ElasticsearchSinkSettings.from_environment(
            system=system, client=client, sources=chosen, url=url, copy=copy
        )
        last = run_sink(settings, options, reporting("elasticsearch", _sentence))
    if options.is_replay:
        typer.echo(_sentence(last))


@elasticsearch.command()
def status(
    *,
    progress_file: ProgressFile = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Show how far the sink is; the exit code is 6 when it does not run.

    [bold]Examples[/bold]

      dtwin sink elasticsearch status --progress-file sink.json
    """
    missing = f"--progress-file is missing: give it, or set {_PROGRESS_FILE}"
    show_standing(read_standing(progress_file, "the sink", missing), output, _sentence)


def _sentence(progress: AppProgress) -> str:
    present = progress.consumed - progress.forwarded - progress.dead_lettered
    return (
        f"{progress.consumed} records read, {progress.forwarded} indexed, {present} there already, "
        f"{refused_text(progress)}, {progress.missing} without metadata, {progress.held} on their way, "
        f"{lag_text(progress)}, {progress.input_rate:g}/s"
    )
