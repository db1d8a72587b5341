"""The command `dtwin explain`: why somebody may do something, or the smallest thing that is missing.

What lives here: arguments, output and exit codes. What does not: the answers (`platform_ui.explain`).
"""

from __future__ import annotations

import asyncio
import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from client.errors import ConfigurationError
from platform_ui import db
from platform_ui.acl_settings import AclSettings
from platform_ui.errors import FormError, RunnerError
from platform_ui.explain import asking
from platform_ui.explain.asking import RECEIVE, Knowledge, Question
from platform_ui.explain.rulings import Answer, Ruling
from platform_ui.settings import database_url
from setup.local.paths import Home, home_folder
from streamhub.runner import RunnerDirectory

ALLOWED: Final = 0
USAGE: Final = 2
REFUSED: Final = 4
UNKNOWN: Final = 5
UNAVAILABLE: Final = 6
_STATUS: Final = {Answer.ALLOWED: ALLOWED, Answer.REFUSED: REFUSED, Answer.UNKNOWN: UNKNOWN}
_RUNNER: Final = "DTWIN_RUNNER__DIRECTORY"
_FIELDS: Final = {"who": "--as", "action": "the action", "resource": "the resource", "record": "--record"}

explain = typer.Typer(
    name="explain",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)


class OutputForm(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


@explain.command()
def answer(
    question: Annotated[
        list[str], typer.Argument(help="An action and a resource.", metavar="ACTION RESOURCE")
    ],
    *,
    who: Annotated[
        str, typer.Option("--as", help="Whose right: a Kafka principal, an e-mail address, or a system.")
    ],
    record: Annotated[
        str, typer.Option("--record", help='The value of a record, for receive: {"result": 7}')
    ] = "",
    output: Annotated[OutputForm, typer.Option("-o", "--output", help="text or json.")] = OutputForm.TEXT,
) -> None:
    """Say whether somebody may do something: which rule, part or contract allows it, or what is missing.

    Of client apps, stream apps and services: produce, consume, describe, join-group, use-transactional-id. Of
    people: see, operate a system; see, administer, own a company; see, change, sign a contract; see, change,
    deploy, stop an app. Of a system: receive a Datastream.

    The exit code is 0 when it is allowed, 4 when it is refused, 5 when there is no such principal or object.

    [bold]Examples[/bold]

      dtwin explain --as client.cz.icecars.Fleet.Car1.car_1 produce cz.icecars.Fleet.Car1.int
      dtwin explain --as sue@example.com operate system cz.icecars.Fleet.Car1
      dtwin explain --as cz.icecars.Fleet.Car1 receive is.iceland.Weather.Stations.s1.temp
    """
    action, resource = _parted(question)
    ruling = _ask(Question(who, action, resource, record))
    typer.echo(
        json.dumps(ruling.document(), indent=2) if output is OutputForm.JSON else "\n".join(ruling.lines())
    )
    raise typer.Exit(_STATUS[ruling.answer])


def _parted(words: list[str]) -> tuple[str, str]:
    """Part the words into action and resource; names of Datastreams may hold blanks."""
    is_person = len(words) > 2 and words[0] != RECEIVE  # noqa: PLR2004 - verb, kind of the object, name
    first = 2 if is_person else 1
    if len(words) <= first:
        raise typer.BadParameter("name an action and a resource, such as: operate system NAME")
    return " ".join(words[:first]), " ".join(words[first:])


def _ask(question: Question) -> Ruling:
    try:
        return asyncio.run(_in_session(question))
    except FormError as error:
        text = "; ".join(f"{_FIELDS.get(name, name)}: {text}" for name, text in error.fields.items())
        _refuse(text, "See: dtwin explain --help", USAGE)
    except ConfigurationError as error:
        _refuse(str(error), "", USAGE)
    except RunnerError as error:
        _refuse(error.detail, error.hint, UNAVAILABLE)
    except SQLAlchemyError as error:
        _refuse(
            f"The platform's database cannot be used: {error}",
            "Check DTWIN_PLATFORM__DATABASE_URL, or start the local stack with: dtwin up",
            UNAVAILABLE,
        )


async def _in_session(question: Question) -> Ruling:
    settings = AclSettings.from_environment(os.environ)
    folder = os.environ.get(_RUNNER) or Home(Path(home_folder())).runner
    engine = db.create_engine(database_url(os.environ))
    try:
        async with db.create_sessions(engine)() as session:
            knowledge = Knowledge(session, RunnerDirectory(Path(folder)), settings.principals)
            return await asking.answer(question, knowledge)
    finally:
        await engine.dispose()


def _refuse(detail: str, hint: str, status: int) -> NoReturn:
    typer.echo(f"explain: {detail}", err=True)
    if hint:
        typer.echo(hint, err=True)
    raise typer.Exit(status)
