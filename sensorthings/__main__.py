"""The command line of the service: `python -m sensorthings serve` and `migrate`.

What lives here: options, exit codes. What does not: the application (`sensorthings.app`).
"""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Never

import psycopg
import typer
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from client.errors import ConfigurationError
from sensorthings.access.commands import access_cli
from sensorthings.app import create_app, make_database
from sensorthings.errors import BusyError
from sensorthings.http.tls import tls_options
from sensorthings.migrations import upgrade
from sensorthings.settings import PREFIX, Settings, read_settings
from sensorthings.store.observations import Retained
from sensorthings.store.retention import retain_alone
from sensorthings.store.timescale import use_hypertable

_USAGE = 2
_UNAVAILABLE = 6

_ACCESS = {
    "none": f"Everybody needs a token; {PREFIX}ANONYMOUS=read or write opens the service to strangers.",
    "read": "Strangers may read everything.",
    "write": "Strangers may read and change everything.",
}

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
        revision = upgrade(settings.database)
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        _fail(f"the database of {PREFIX}DATABASE_URL cannot be migrated: {reason}", _UNAVAILABLE)
    if settings.timescaledb == "auto":
        use_hypertable(settings.database)
    return revision


@cli.command()
def migrate() -> None:
    """Bring the database's tables to the newest revision."""
    revision = _migrate(_settings())
    typer.echo(f"tables are at revision {revision}")


@cli.command()
def retain() -> None:
    """Remove Observations older than their Datastream's retention, once; the service does so every hour."""
    settings = _settings()
    try:
        removed = asyncio.run(_retain(settings))
    except (psycopg.Error, BusyError) as error:
        _fail(f"the database of {PREFIX}DATABASE_URL does not answer: {error}", _UNAVAILABLE)
    if removed is None:
        typer.echo("another process is removing at this moment")
        return
    for name in removed.dropped:
        typer.echo(f"dropped {name}")
    typer.echo(f"deleted {removed.deleted} Observations; {len(removed.datastreams)} Datastreams changed")


async def _retain(settings: Settings) -> Retained | None:
    database = make_database(settings)
    await database.open()
    try:
        return await retain_alone(database, datetime.now(UTC))
    finally:
        await database.close()


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [8084].")] = None,
    root_url: Annotated[
        str | None, typer.Option(help="Address that clients use, without the version.")
    ] = None,
    *,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 1,
    certfile: Annotated[Path | None, typer.Option(help="Certificate to serve TLS with (PEM).")] = None,
    keyfile: Annotated[Path | None, typer.Option(help="Its key (PEM) [in the same file].")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(help="Authorities whose client certificates count (PEM).")
    ] = None,
    migrations: Annotated[bool, typer.Option(help="Bring the tables up to date first.")] = True,
) -> None:
    """Serve SensorThings 1.1 and 1.0 over HTTP until stopped."""
    settings = _settings(host=host, port=port, root_url=root_url, client_ca=client_ca)
    if migrations:
        _migrate(settings)
    scheme = "https" if certfile else "http"
    typer.echo(f"SensorThings at {scheme}://{settings.host}:{settings.port}/v1.1")
    typer.echo(_ACCESS[settings.anonymous])
    if workers > 1:
        # Worker processes read the settings themselves, so what the command line says goes the same way.
        os.environ |= {f"{PREFIX}ROOT_URL": settings.root_url}
        if settings.client_ca is not None:
            os.environ[f"{PREFIX}CLIENT_CA"] = str(settings.client_ca)
    uvicorn.run(
        "sensorthings.app:application" if workers > 1 else create_app(settings),
        factory=workers > 1,
        workers=workers,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        # The peer's address decides whose Client-Cert header is believed: no header may replace it.
        proxy_headers=False,
        **tls_options(certfile, keyfile, settings.client_ca),
        server_header=False,
    )


cli.add_typer(access_cli)

if __name__ == "__main__":
    cli(prog_name="python -m sensorthings")
