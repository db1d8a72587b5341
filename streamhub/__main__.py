"""Command line of the room: `python -m streamhub app run ...`, `query run ...`, `runner --directory D`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from streamhub import commands
from streamhub.commands.outcome import explained
from streamhub.engine.sinks.metrics import serve_metrics
from streamhub.runner import RunnerDirectory
from streamhub.runner.daemon import run_daemon
from streamhub.runner.launchers.choosing import LauncherName, open_launcher
from streamhub.runner.metrics import RunnerCollector
from streamhub.runner.supervisor import RunnerSettings

main = typer.Typer(help="Stream apps between systems.", no_args_is_help=True, pretty_exceptions_enable=False)
main.add_typer(commands.app, name="app")
main.add_typer(commands.query, name="query")


@main.command("runner")
def runner(
    *,
    directory: Annotated[Path, typer.Option(envvar="DTWIN_RUNNER__DIRECTORY", help="Where the apps are.")],
    stall_timeout: Annotated[
        float,
        typer.Option(envvar="DTWIN_RUNNER__STALL_TIMEOUT_S", help="Restart an app that waits longer [s]."),
    ] = 30.0,
    stop_grace: Annotated[
        float, typer.Option(help="Time an app has to stop by itself before it is killed [s].")
    ] = 25.0,
    first_pause: Annotated[
        float, typer.Option(min=0.0, help="Pause before the first restart of an app; doubled each time [s].")
    ] = 0.5,
    longest_pause: Annotated[
        float, typer.Option(min=0.0, help="Longest pause before a restart of an app [s].")
    ] = 30.0,
    most_failures: Annotated[
        int,
        typer.Option(
            envvar="DTWIN_RUNNER__MOST_FAILURES",
            min=0,
            help="Ends in a row after which an app is not started again; 0 for no limit.",
        ),
    ] = 30,
    launcher: Annotated[
        LauncherName, typer.Option(envvar="DTWIN_RUNNER__LAUNCHER", help="What runs the apps.")
    ] = LauncherName.PROCESSES,
    metrics_port: Annotated[
        int,
        typer.Option(
            envvar="DTWIN_RUNNER__METRICS_PORT",
            min=0,
            max=65535,
            help="Prometheus port on 127.0.0.1 with the figures of all apps; 0 for none.",
        ),
    ] = 0,
) -> None:
    """Keep the apps of a directory running; SIGTERM stops them all, SIGHUP leaves without stopping them."""
    with explained():
        run_daemon(
            directory,
            RunnerSettings(
                stall_timeout_s=stall_timeout,
                stop_grace_s=stop_grace,
                first_pause_s=first_pause,
                longest_pause_s=longest_pause,
                most_failures=most_failures,
            ),
            lambda path: open_launcher(launcher, path, os.environ, stop_grace),
            lambda path: serve_metrics(metrics_port, RunnerCollector(RunnerDirectory(path))),
        )


if __name__ == "__main__":
    main()
