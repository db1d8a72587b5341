"""Commands of the bridge: `run` and `status`.

What lives here: options, output, exit codes. What does not: any work (`running`). Mounted by
`dtwin bridge mqtt` and run by `python -m adapters.mqtt`.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from adapters.mqtt.progress import BridgeFigures, read_figures, sentence
from adapters.mqtt.running import RunOptions, run_bridge
from adapters.mqtt.sensorthings.settings import ExtensionSettings
from adapters.mqtt.settings import PREFIX, BridgeSettings
from streamhub.commands.outcome import explained
from streamhub.commands.standing import (
    Output,
    OutputForm,
    Reporter,
    Standing,
    read_standing,
    set_up_logging,
)
from streamhub.engine.progress import AppProgress

_PROGRESS_NAME: Final = "progress.json"
# One line for each request would hide what the bridge says; the Kafka client says several times a second what
# the bridge says once in its own words.
_SILENT: Final = (("httpx2", logging.WARNING), ("adapters.kafka", logging.CRITICAL))

mqtt = typer.Typer(
    name="mqtt",
    help="Bridge an MQTT broker and Kafka, both ways.",
    no_args_is_help=True,
    add_completion=False,
)

ProgressFile = Annotated[
    Path | None,
    typer.Option(
        envvar=f"{PREFIX}PROGRESS_FILE",
        help="File that progress is written to each second; else progress.json in its folder.",
    ),
]


@mqtt.command()
def run(
    *,
    system: Annotated[
        str | None,
        typer.Option(envvar=f"{PREFIX}SYSTEM", help="Serve this system only, at a site; all when not given."),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(
            envvar=f"{PREFIX}CLIENT", help="Name of the client app of that system as which it works."
        ),
    ] = None,
    buffered: Annotated[
        bool | None,
        typer.Option(
            "--buffer/--no-buffer",
            help="Keep messages on disk while Kafka is away; as a rule with --system only.",
        ),
    ] = None,
    progress_file: ProgressFile = None,
    metrics_port: Annotated[
        int,
        typer.Option(
            envvar=f"{PREFIX}METRICS_PORT", min=0, max=65535, help="Prometheus port on 127.0.0.1; 0: none."
        ),
    ] = 0,
) -> None:
    """Carry messages of the MQTT broker into Kafka, and back what is shared, until stopped.

    With --system it works at a site, as a client app of that system. In the folder of that client's archive,
    begin with `set -a; . ./client.env; set +a`; then name your broker by DTWIN_MQTT__URL, and by
    DTWIN_MQTT__FOLDER a folder where it keeps what must not get lost.

    [bold]Examples[/bold]

      dtwin bridge mqtt run --system cz.icecars.Fleet.Car1 --client gateway
      dtwin bridge mqtt run --system cz.icecars.Fleet.Car1 --client gateway --no-buffer
    """
    set_up_logging(_SILENT)
    with explained():
        settings = BridgeSettings.from_environment(system=system, client=client, buffered=buffered)
        written = progress_file or settings.folder / _PROGRESS_NAME
        options = RunOptions(progress_file=written, metrics_port=metrics_port)
        run_bridge(settings, ExtensionSettings.from_environment(), options, _report())


@mqtt.command()
def status(
    *,
    progress_file: ProgressFile = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Show how far the bridge is and what is wrong; the exit code is 6 when it does not run.

    It is the bridge of the local stack, or the one whose folder DTWIN_MQTT__FOLDER names.

    [bold]Examples[/bold]

      dtwin bridge mqtt status
      DTWIN_MQTT__FOLDER=/var/lib/dtwin/mqtt dtwin bridge mqtt status -o json
    """
    progress_file = progress_file or _progress_file_in_folder()
    missing = f"no bridge is known here: set {PREFIX}FOLDER as it has it, or give --progress-file"
    standing = read_standing(progress_file, "the bridge", missing)
    if progress_file is not None:
        _show(standing, progress_file, output)
    standing.end()


def _progress_file_in_folder() -> Path | None:
    folder = os.environ.get(f"{PREFIX}FOLDER")
    return Path(folder) / _PROGRESS_NAME if folder else None


def _show(standing: Standing, progress_file: Path, output: OutputForm) -> None:
    if output is OutputForm.JSON:
        typer.echo(progress_file.read_text(encoding="utf-8"))
        return
    figures = read_figures(progress_file)
    state = standing.progress.state if standing.is_running else "not running"
    typer.echo(f"{state}: {sentence(standing.progress, figures)}")
    for trouble in figures.get("troubles", ()):
        typer.echo(f"  {trouble}")


def _report() -> Callable[[AppProgress, BridgeFigures], None]:
    reporter = Reporter("mqtt")

    def say(progress: AppProgress, figures: BridgeFigures) -> None:
        shown = {"published": figures.published, "buffer_bytes": figures.buffer_bytes}
        reporter.say(progress, lambda one: sentence(one, shown))

    return say
