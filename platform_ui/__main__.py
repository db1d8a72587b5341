"""The command line of the platform: ``python -m platform_ui serve|migrate|load-demo``."""

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn, Protocol

import typer
import uvicorn

from client.errors import ConfigurationError, DigitalTwinError
from platform_ui import db
from platform_ui.accounts.commands import add_commands as add_account_commands
from platform_ui.app import create_app
from platform_ui.audit.commands import add_commands as add_audit_commands
from platform_ui.browser.server import server_options, spare_pauses
from platform_ui.demo import load_demo, refuse_known_passwords
from platform_ui.demo_credentials import hand_out
from platform_ui.demo_world import companies_with
from platform_ui.settings import PlatformSettings, database_url

USAGE = 2
FAILURE = 1
GRACE_S = 3

command = typer.Typer(
    name="platform", help="The platform: pages and API of the Digital Twin Stack.", no_args_is_help=True
)
add_account_commands(command)
add_audit_commands(command)


class _Stoppable(Protocol):
    def stop(self) -> None: ...


class _Server(uvicorn.Server):
    """Ends the live streams as soon as the process is told to stop: they would last for ever."""

    def __init__(self, config: uvicorn.Config, streams: Sequence[_Stoppable]) -> None:
        super().__init__(config)
        self._streams = streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        for stream in self._streams:
            stream.stop()
        super().handle_exit(sig, frame)


@command.command()
def serve(
    *,
    migrate_first: Annotated[
        bool, typer.Option("--migrate/--no-migrate", help="Bring the schema up to date first.")
    ] = True,
) -> None:
    """Serve the site until the process is told to stop."""
    settings = _settings()
    if migrate_first:
        db.migrate(settings.database_url)
    try:
        asyncio.run(refuse_known_passwords(settings))
        app = create_app(settings)
    except ConfigurationError as error:
        _refuse(error, USAGE)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=GRACE_S,
        **server_options(),
    )
    spare_pauses()
    _Server(config, (app.state.tails, app.state.client_reports, app.state.live_hub)).run()


@command.command()
def migrate() -> None:
    """Bring the schema of the database up to date."""
    try:
        db.migrate(database_url(os.environ))
    except ConfigurationError as error:
        _refuse(error, USAGE)


@command.command("load-demo")
def load_demo_data(
    credentials: Annotated[
        Path | None, typer.Option(help="Issue certificates for its client apps into this folder.")
    ] = None,
    *,
    sink: Annotated[
        bool, typer.Option("--sink", help="With the client app that sends records to Elasticsearch.")
    ] = False,
) -> None:
    """Create the demo's people, companies, systems, client apps and stream apps; can be repeated."""
    companies = companies_with(is_sink=sink)
    settings = _settings()
    db.migrate(settings.database_url)
    try:
        summary = asyncio.run(load_demo(settings, companies=companies))
        if credentials is not None:
            issued = asyncio.run(hand_out(settings, credentials, companies))
            summary = f"{summary}, {issued} certificates issued"
    except ConfigurationError as error:
        _refuse(error, USAGE)
    except DigitalTwinError as error:
        _refuse(error, FAILURE)
    typer.echo(summary)


def _settings() -> PlatformSettings:
    try:
        return PlatformSettings.from_environment(os.environ)
    except ConfigurationError as error:
        _refuse(error, USAGE)


def _refuse(error: DigitalTwinError, status: int) -> NoReturn:
    typer.echo(f"platform: {error}", err=True)
    hint = getattr(error, "hint", "")
    if hint:
        typer.echo(hint, err=True)
    raise typer.Exit(status)


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("aiokafka.helpers", "httpx2"):  # lines for each connection would drown the rest
        logging.getLogger(chatty).setLevel(logging.WARNING)
    command(prog_name="python -m platform_ui")


if __name__ == "__main__":
    main()
