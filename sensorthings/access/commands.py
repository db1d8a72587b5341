"""The command line of access: `python -m sensorthings access ...`, beside the service, on its database.

What lives here: options and what is printed. What does not: what is kept (`sensorthings.access.registry`).
For the first principals, and for a service without a platform; the platform uses HTTP.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Never, TypeVar

import psycopg
import typer

from client.errors import ConfigurationError
from sensorthings.access import registry
from sensorthings.access.registry import Grant, PrincipalState
from sensorthings.database import Database, Session
from sensorthings.errors import RequestError
from sensorthings.settings import read_settings

_FAILURE, _USAGE, _UNAVAILABLE = 1, 2, 6
_Result = TypeVar("_Result")

access_cli = typer.Typer(name="access", help="Principals and their tokens.", no_args_is_help=True)


@access_cli.command("principal")
def put_principal(
    name: Annotated[str, typer.Argument(help="Unique name.")],
    read: Annotated[list[str] | None, typer.Option(help="A system that it reads; repeatable.")] = None,
    write: Annotated[list[str] | None, typer.Option(help="A system that it reads and writes.")] = None,
    home: Annotated[str | None, typer.Option(help="System of its new entities [the first --write].")] = None,
    *,
    admin: Annotated[bool, typer.Option(help="May do everything.")] = False,
) -> None:
    """Make a principal be exactly so; its tokens stay."""
    writes = write or []
    grants = [Grant(one) for one in read or [] if one not in writes] + [
        Grant(one, write=True) for one in writes
    ]
    chosen = home or (writes[0] if writes else None)
    is_new = _run(
        lambda session: registry.put_principal(session, PrincipalState(name, admin, chosen, tuple(grants)))
    )
    typer.echo(f"{name} is {'made' if is_new else 'changed'}")


@access_cli.command("token")
def create_token(
    name: Annotated[str, typer.Argument(help="Name of the principal.")],
    label: Annotated[str, typer.Option(help="What to write on it.")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="How long it counts [days; for ever].")] = None,
) -> None:
    """Make a token and print it; it cannot be read again."""
    expires = None if days is None else datetime.now(tz=UTC) + timedelta(days=days)
    _, token = _run(lambda session: registry.create_token(session, name, label=label, expires=expires))
    typer.echo(token)


@access_cli.command("revoke")
def revoke_tokens(
    name: Annotated[str, typer.Argument(help="Name of the principal.")],
    number: Annotated[int | None, typer.Argument(help="Number of the token [all].")] = None,
) -> None:
    """Revoke a token of a principal, or all of them."""
    _run(lambda session: registry.revoke_tokens(session, name, number))
    typer.echo("revoked")


@access_cli.command("list")
def list_principals() -> None:
    """List principals with what they may do."""
    for one in _run(registry.list_principals):
        rights = [f"{grant.system} ({'write' if grant.write else 'read'})" for grant in one.grants]
        typer.echo(f"{one.name}: {'admin' if one.is_admin else ', '.join(rights) or 'nothing'}")


@access_cli.command("remove")
def delete_principal(name: Annotated[str, typer.Argument(help="Name of the principal.")]) -> None:
    """Remove a principal with its tokens."""
    _run(lambda session: registry.delete_principal(session, name))
    typer.echo(f"{name} is removed")


def _run(work: Callable[[Session], Awaitable[_Result]]) -> _Result:
    try:
        url = read_settings().database
    except ConfigurationError as error:
        _fail(str(error), _USAGE)

    async def main() -> _Result:
        database = Database(url, pool_size=1, wait_s=10)
        await database.open()
        try:
            async with database.writing() as session:
                return await work(session)
        finally:
            await database.close()

    try:
        return asyncio.run(main())
    except psycopg.Error as error:
        _fail(f"the database does not do it: {str(error).splitlines()[0]}", _UNAVAILABLE)
    except RequestError as error:
        _fail(f"{error.detail} {error.hint}", _FAILURE)


def _fail(message: str, code: int) -> Never:
    typer.echo(f"sensorthings: {message}", err=True)
    raise typer.Exit(code)
