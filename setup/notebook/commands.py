"""The command `dtwin notebook`.

What lives here: options, the order of the steps, what is printed. What does not: each step.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from setup.interruption import ignore_further_signals, signals_interrupt
from setup.local.paths import Home, home_folder
from setup.local.ports import free_port_from
from setup.notebook.connection import Wanted, connected
from setup.notebook.examples import FIRST, default_folder, fill
from setup.notebook.server import Lab, LabSettings

PORT = 8888

notebook = typer.Typer(name="notebook", add_completion=False, rich_markup_mode="rich")


@notebook.command()
def open_notebook(
    *,
    port: Annotated[int, typer.Option(help="Where JupyterLab listens; the next one that is free.")] = PORT,
    browser: Annotated[bool, typer.Option(help="Open it in a browser.")] = True,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where notebooks are, ~/dtwin-notebooks when left out; examples go there when empty."
        ),
    ] = None,
    identity: Annotated[
        str,
        typer.Option(
            "--as", help="As whom: <system>.<client>, or an e-mail address known to the local stack."
        ),
    ] = "",
    as_admin: Annotated[
        bool, typer.Option("--as-admin", help="With the local stack's admin token: it sees everything.")
    ] = False,
    url: Annotated[
        str, typer.Option("--url", help="A platform elsewhere, to which you have logged in.")
    ] = "",
    profile: Annotated[str, typer.Option("--profile", help="Which profile of `dtwin login`.")] = "",
) -> None:
    """Open JupyterLab, connected: `dtwin.frame("Car1.*")` gives data, until Ctrl-C.

    It is connected to the stack on this machine, as the analysts of the demo unless --as says otherwise;
    where none runs, to the platform of `dtwin login`. It listens on this machine only.

    [bold]Examples[/bold]

      dtwin notebook
      dtwin notebook --port 9999 --no-browser --folder ~/roads
      dtwin notebook --as cz.icecars.iot4cps-wp5-CarFleet.Car1.car_1
      dtwin notebook --url https://twin.example.org
    """
    place = (folder or default_folder()).expanduser().resolve()
    wanted = Wanted(identity, is_admin=as_admin, url=url, profile=profile)
    with (
        signals_interrupt(),
        tempfile.TemporaryDirectory(prefix="dtwin-notebook-", ignore_cleanup_errors=True) as run,
        connected(Home(Path(home_folder())), Path(run), wanted) as found,
    ):
        is_new = fill(place)
        first = FIRST if (place / FIRST).is_file() else ""
        settings = LabSettings(
            Path(run), place, free_port_from(port), found.environment, opens_browser=browser, first=first
        )
        lab = Lab(settings)
        try:
            lab.start()
            typer.echo(f"Notebooks     {place}{' (examples, yours to change)' if is_new else ''}")
            typer.echo(f"Connected to  {found.place}")
            typer.echo(f"As            {found.identity}")
            typer.echo(f"JupyterLab    {settings.address}")
            typer.echo("Stop with Ctrl-C.")
            lab.wait()
            typer.echo("JupyterLab has ended.")
        except KeyboardInterrupt:
            typer.echo("Stopping.")
        finally:
            # A second Ctrl-C must not leave kernels or a token behind.
            ignore_further_signals()
            lab.end()
