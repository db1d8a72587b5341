"""The command `dtwin acl`: what access rules there should be, and bringing a broker there.

What lives here: arguments, output and exit codes. What does not: the rules (``compiling``) and the broker
(``kafka_port``).
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from platform_ui import db
from platform_ui.acl_settings import AclSettings, Principals
from platform_ui.acls import keeper
from platform_ui.acls.kafka_port import AclPort, KafkaAcls
from platform_ui.acls.planning import Plan
from platform_ui.acls.quotas import KafkaQuotas
from platform_ui.errors import BrokerError, BrokerRefusedError
from platform_ui.settings import database_url

FAILURE: Final = 1
USAGE: Final = 2
DRIFT: Final = 3
NOT_ALLOWED: Final = 4
UNAVAILABLE: Final = 6
_BROKERS: Final = "DTWIN_KAFKA__BOOTSTRAP_SERVERS"

acl = typer.Typer(
    name="acl",
    help="Bring the broker's access rules to what is registered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]
_Work = Callable[[AsyncSession, AclPort, Principals], Awaitable[keeper.Comparison]]


@acl.command()
def plan(*, as_json: AsJson = False) -> None:
    """Show what `apply` would do, and which rules of others concern what is ours.

    [bold]Examples[/bold]

      dtwin acl plan
      dtwin acl plan --json
    """
    _show(_run(keeper.drift), as_json=as_json)


@acl.command()
def apply(*, as_json: AsJson = False) -> None:
    """Bring the broker to what is registered; can be interrupted and repeated at any time.

    [bold]Examples[/bold]

      dtwin acl apply
    """
    comparison = _run(keeper.apply, with_quotas=True)
    _show(comparison, as_json=as_json)


@acl.command()
def drift(*, as_json: AsJson = False) -> None:
    """Tell whether the broker has other rules than it should have; the exit code is 3 then.

    [bold]Examples[/bold]

      dtwin acl drift || dtwin acl apply
    """
    comparison = _run(keeper.drift)
    _show(comparison, as_json=as_json)
    if not comparison.plan.is_empty:
        raise typer.Exit(DRIFT)


def _run(work: _Work, *, with_quotas: bool = False) -> keeper.Comparison:
    try:
        url, brokers, security, settings = _settings()
        port = KafkaAcls(brokers, security)
        comparison = asyncio.run(_in_session(url, work, port, settings.principals))
        if with_quotas:
            KafkaQuotas(brokers, security).bring(settings)
    except ConfigurationError as error:
        _refuse(str(error), "", USAGE)
    except BrokerRefusedError as error:
        _refuse(error.detail, error.hint, NOT_ALLOWED)
    except BrokerError as error:
        _refuse(error.detail, error.hint, UNAVAILABLE if error.code != "broker.rules_failed" else FAILURE)
    except SQLAlchemyError as error:
        _refuse(
            f"The platform's database cannot be used: {error}",
            "Check DTWIN_PLATFORM__DATABASE_URL, or start the local stack with: dtwin up",
            UNAVAILABLE,
        )
    return comparison


def _settings() -> tuple[str, str, KafkaSecurity, AclSettings]:
    brokers = os.environ.get(_BROKERS)
    if not brokers:
        raise ConfigurationError(f"{_BROKERS} is not set. For example 127.0.0.1:9092", setting=_BROKERS)
    settings = AclSettings.from_environment(os.environ)
    return database_url(os.environ), brokers, KafkaSecurity.from_environment(), settings


async def _in_session(url: str, work: _Work, port: AclPort, principals: Principals) -> keeper.Comparison:
    engine = db.create_engine(url)
    try:
        async with db.create_sessions(engine)() as session:
            return await work(session, port, principals)
    finally:
        await engine.dispose()


def _show(comparison: keeper.Comparison, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_document(comparison), indent=2))
        return
    found = comparison.plan
    for line in found.lines():
        typer.echo(line)
    for entry in found.foreign:
        mark = "! everybody" if entry in found.voiding else "  foreign"
        typer.echo(f"{mark}: {entry}")
    if found.voiding:
        typer.echo("Rules marked with ! let everybody in: remove them, or ours are worth nothing.")
    typer.echo(
        f"{len(comparison.wanted)} rules; {len(found.creations)} to make, {len(found.deletions)} to remove, "
        f"{len(found.foreign)} of others."
    )


def _document(comparison: keeper.Comparison) -> dict[str, Any]:
    found: Plan = comparison.plan
    return {
        "rules": len(comparison.wanted),
        "make": [entry._asdict() for entry in [*sorted(found.refusals), *sorted(found.grants)]],
        "remove": [entry._asdict() for entry in [*sorted(found.removals), *sorted(found.pardons)]],
        "foreign": [entry._asdict() for entry in found.foreign],
        "voiding": [entry._asdict() for entry in found.voiding],
    }


def _refuse(detail: str, hint: str, status: int) -> NoReturn:
    typer.echo(f"acl: {detail}", err=True)
    if hint:
        typer.echo(hint, err=True)
    raise typer.Exit(status)
