"""The command line of the service: `python -m sensorthings serve` and `migrate`.

What lives here: options, exit codes. What does not: the application (`sensorthings.app`).
"""

from typing import Annotated, Never

import typer
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from client.errors import ConfigurationError
from sensorthings.app import create_app
from sensorthings.migrations import upgrade
from sensorthings.settings import PREFIX, Settings, read_settings

_USAGE = 2
_UNAVAILABLE = 6

cli = typer.Typer(
    name="sensorthings",
    help=f"The SensorThings service. Settings come from the environment: {PREFIX}DATABASE_URL and others.",
    no_args_is_help=True,
    add_completion=False,
)


def _fail(message: str, code: int) -> Never:
    typer.echo(f"sensorthings: {message}", err=True)
    raise typer.Exit(code)


def _settings(**changes: object) -> Settings:
    try:
        settings = read_settings(**changes)
        _ = settings.database
    except ConfigurationError as error:
        _fail(str(error), _USAGE)
    return settings


def _migrate(settings: Settings) -> str:
    try:
        return upgrade(settings.database)
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        _fail(f"the database of {PREFIX}DATABASE_URL cannot be migrated: {reason}", _UNAVAILABLE)


@cli.command()
def migrate() -> None:
    """Bring the database's tables to the newest revision."""
    revision = _migrate(_settings())
    typer.echo(f"tables are at revision {revision}")


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [8084].")] = None,
    root_url: Annotated[
        str | None, typer.Option(help="Address that clients use, without the version.")
    ] = None,
    *,
    migrations: Annotated[bool, typer.Option(help="Bring the tables up to date first.")] = True,
) -> None:
    """Serve SensorThings 1.1 and 1.0 over HTTP until stopped."""
    settings = _settings(host=host, port=port, root_url=root_url)
    if migrations:
        _migrate(settings)
    typer.echo(f"SensorThings at http://{settings.host}:{settings.port}/v1.1")
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    cli(prog_name="python -m sensorthings")
