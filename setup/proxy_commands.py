"""The commands of `dtwin proxy`: the TLS port in front of everything.

What lives here: options and what is printed. What does not: the proxy itself (`setup.proxy`).
"""

from __future__ import annotations

import shlex
import signal
import time
from pathlib import Path
from types import FrameType

import typer

from client.errors import ConfigurationError
from setup.errors import PartNotReadyError, SetupError
from setup.local.paths import Home, home_folder
from setup.proxy.behind import service_settings
from setup.proxy.home import keep_certificate, present_proxy, proxy_of, settings_of
from setup.proxy.local import LocalProxy
from setup.proxy.program import fetch_nginx

_POLL_S = 0.2
_RENEWAL_PERIOD_S = 3600.0

proxy = typer.Typer(
    name="proxy",
    help="Put one TLS port in front of platform and SensorThings (nginx). Settings: DTWIN_PROXY__...",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


@proxy.command()
def render() -> None:
    """Write nginx's configuration, and the certificate where none is given; print the file's name.

    [bold]Examples[/bold]

      dtwin proxy render
      DTWIN_PROXY__NAMES=twin.example.org DTWIN_PROXY__PORT=443 dtwin proxy render
    """
    typer.echo(proxy_of(_home()).write())


@proxy.command()
def check() -> None:
    """Write the configuration and let nginx read it (`nginx -t`).

    [bold]Examples[/bold]

      dtwin proxy check
    """
    found = proxy_of(_home())
    found.check()
    typer.echo(f"{found.places.configuration_file} is in order ({found.nginx.path}).")


@proxy.command()
def run() -> None:
    """Run the proxy until Ctrl-C or `dtwin proxy stop`; a renewed certificate is taken over by itself.

    [bold]Examples[/bold]

      dtwin proxy run
      DTWIN_PROXY__HOST=0.0.0.0 DTWIN_PROXY__NAMES=twin.example.org dtwin proxy run
    """
    found = proxy_of(_home())
    if found.process is not None:
        typer.echo(f"It runs already (process {found.process.pid}): dtwin proxy reload, or stop.")
        return
    found.start()
    try:
        found.wait_ready()
        typer.echo(f"Entry  {found.settings.public_url}")
        _keep(found)
    finally:
        found.stop()


@proxy.command()
def reload() -> None:
    """Let the running proxy go on with the present settings and certificates; no request is lost.

    [bold]Examples[/bold]

      dtwin proxy reload
    """
    proxy_of(_home()).reload()
    typer.echo("The proxy has taken over settings and certificates.")


@proxy.command()
def stop() -> None:
    """End the proxy that runs on this home; requests under way are finished.

    [bold]Examples[/bold]

      dtwin proxy stop
    """
    found = present_proxy(_home())
    if found.process is None:
        typer.echo("No proxy was running.")
        return
    found.stop()
    typer.echo("The proxy has ended.")


@proxy.command()
def environment() -> None:
    """Print the settings with which platform and SensorThings stand behind the proxy, for a shell.

    [bold]Examples[/bold]

      dtwin proxy environment
      eval "$(dtwin proxy environment)" && dtwin up
    """
    for name, value in service_settings(settings_of(_home())).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@proxy.command()
def fetch() -> None:
    """Unpack Debian's nginx into the user's cache where none is installed; needs no root.

    [bold]Examples[/bold]

      dtwin proxy fetch
    """
    found = fetch_nginx(say=typer.echo)
    typer.echo(f"{found.path} {'.'.join(str(number) for number in found.version)}")


def _home() -> Home:
    return Home(Path(home_folder()))


def _keep(found: LocalProxy) -> None:
    """Renew its certificate in time; return when the user or a signal ends it.

    Raises:
        PartNotReadyError: nginx has ended by itself.
    """
    asked = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    looked = time.monotonic()
    while not asked:
        if time.monotonic() - looked > _RENEWAL_PERIOD_S:
            looked = time.monotonic()
            _renew(found)
        if found.process is None or not found.process.is_running():
            if found.places.pid_file.exists():
                raise PartNotReadyError(f"The proxy has ended by itself: see {found.log_file}.")
            return
        time.sleep(_POLL_S)


def _renew(found: LocalProxy) -> None:
    try:
        if keep_certificate(_home(), found):
            typer.echo("The proxy has taken over new certificates.")
    except (ConfigurationError, SetupError) as error:
        # The present certificate still counts; the next hour may be better.
        typer.echo(f"The certificate of the proxy was not renewed: {error}", err=True)
