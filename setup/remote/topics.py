"""Records of a system as they pass: `dtwin topic tail`.

What lives here: following, and going on where a connection broke off. What does not: records of the past,
which take one request (``verbs``).

Source: HTML Living Standard, clause 9.2 "Server-sent events".
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from setup.remote.commands import Common, FormOption, ProfileOption, QuietOption, UrlOption
from setup.remote.connection import Connection, Request, quoted
from setup.remote.errors import PlatformUnreachableError
from setup.remote.output import Output, OutputForm

COLUMNS: Final = ("time", "thing", "datastream", "result", "unit")
_PAUSE_S: Final = 1.0
_TRIES: Final = 30


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event.

    Attributes:
        kind: `record`, `position`, `gap` or `closed`.
        place: Where to go on; empty when it does not say.
        data: What it holds.
    """

    kind: str
    place: str
    data: Mapping[str, Any]


def tail(
    *,
    system: Annotated[str, typer.Argument(help="The system.", metavar="SYSTEM")],
    topic: Annotated[str, typer.Option("--topic", help="int, ext, dlq or log.")] = "int",
    condition: Annotated[str, typer.Option("--filter", help="Which records: result < 4")] = "",
    begin: Annotated[
        str, typer.Option("--from", help="latest, earliest, a time, or a span back such as -15m.")
    ] = "latest",
    limit: Annotated[int, typer.Option("--limit", min=0, help="End after so many records; 0 for never.")] = 0,
    output: FormOption = OutputForm.TABLE,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Show records as they pass, until Ctrl-C; nothing is lost when the connection breaks off.

    With -o json there is one JSON object a line.

    [bold]Examples[/bold]

      dtwin topic tail cz.icecars.Fleet.Car1
      dtwin topic tail cz.icecars.Fleet.Car1 --topic ext --filter 'result < 4' -o json
    """
    common = Common(Output(output, quiet), url, profile)
    query = {"topic": topic, "filter": condition, "from": begin}
    asked = Request("GET", f"/systems/{quoted(system)}/records/tail", {k: v for k, v in query.items() if v})
    shown = 0
    with common.connect() as connection:
        for event in follow(connection, asked, common.output):
            if event.kind == "gap":
                common.output.say(
                    f"{event.data.get('lost', 'Some')} records were gone before they came here."
                )
            if event.kind == "record":
                _show(event.data, common.output)
                shown += 1
            if event.kind == "closed" or (limit and shown >= limit):
                return


def follow(connection: Connection, asked: Request, output: Output) -> Iterator[Event]:
    """Give the events of a stream; after a break it goes on where it was.

    Raises:
        PlatformUnreachableError: the platform stays away.
        ProblemError: it was refused.
    """
    place, misses = "", 0
    while True:
        try:
            with connection.stream(asked, place) as answer:
                for event in events(answer.iter_lines()):
                    place, misses = event.place or place, 0
                    yield event
                    if event.kind == "closed":
                        return
        except PlatformUnreachableError:
            if not place or misses >= _TRIES:
                raise
        misses += 1
        output.say("The connection broke off: going on where it was.")
        time.sleep(_PAUSE_S)


def events(lines: Iterable[str]) -> Iterator[Event]:
    """Read events; comments, which show that the line is open, are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line and name:
            fields[name] = value.removeprefix(" ")
        elif not line and "data" in fields:
            data = json.loads(fields["data"])
            yield Event(fields.get("event", "message"), fields.get("id", ""), data)
            fields = {}
        elif not line:
            fields = {}


def _show(record: Mapping[str, Any], output: Output) -> None:
    if output.form is OutputForm.TABLE:
        typer.echo("  ".join(str(record.get(name, "")) for name in COLUMNS))
    elif output.form is OutputForm.NAME:
        typer.echo(record.get("position", ""))
    else:
        typer.echo(json.dumps(record, ensure_ascii=False))
