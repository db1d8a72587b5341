"""Makes a command of each row of the table: its arguments, its options, its request, its answer.

What lives here: what all of these commands have in common. What does not: the rows (``verbs``), commands with
more than one request (``agreements``, ``topics``).
"""

from __future__ import annotations

import inspect
import json
import keyword
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from setup.remote.configuration import configure
from setup.remote.connection import Body, Connection
from setup.remote.errors import PENDING, UsageError
from setup.remote.operations import Operation, Value, operations
from setup.remote.output import Output, OutputForm
from setup.remote.profiles import ProfileFile
from setup.remote.verbs import Verb

Callback = Callable[..., None]
Prepare = Callable[[Connection, Mapping[str, Any], Body], Body]
"""Completes a body, given the names in the path."""

UrlOption = Annotated[
    str, typer.Option("--url", help="The platform's address, else DTWIN_PLATFORM__URL or the profile's.")
]
ProfileOption = Annotated[
    str, typer.Option("--profile", help="Which profile, else DTWIN_PROFILE or the one in use.")
]
FormOption = Annotated[OutputForm, typer.Option("-o", "--output", help="table, json, yaml or name.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing besides the answer.")]
YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
TryOption = Annotated[bool, typer.Option("--dry-run", help="Check everything, but do nothing.")]
_TYPES: Final[Mapping[str, Any]] = {
    "text": str | None,
    "whole": int | None,
    "number": float | None,
    "truth": bool | None,
    "texts": list[str] | None,
    "object": str | None,
}
_PARTS: Final = {"company": ("domain", "enterprise"), "system": ("company", "workcenter", "station")}
_FROM_A_FILE: Final = "@"


@dataclass(frozen=True, slots=True)
class Common:
    """What every command takes.

    Attributes:
        output: Where it writes.
        url: The flag.
        profile: The flag.
    """

    output: Output
    url: str
    profile: str

    def connect(self) -> Connection:
        """Return a connection to the platform that counts.

        Raises:
            UsageError: the profiles or the environment cannot be meant.
        """
        file = ProfileFile()
        return Connection(configure(file, url=self.url, profile=self.profile), file)


def ask_first(question: str, *, yes: bool) -> None:
    """Ask before something is done that cannot be undone.

    Raises:
        UsageError: nobody can be asked.
        typer.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody can be asked here.\n  What to do: say --yes")
    typer.confirm(question, abort=True, err=True)


def make_command(verb: Verb, prepare: Prepare | None = None) -> Callback:
    """Return the function of a command, with a signature that typer reads.

    Args:
        verb: The row.
        prepare: Completes the body; what it completes is not asked for.
    """
    operation = operations()[verb.operation]
    maker = _Maker(verb, operation, prepare)

    def command(**given: Any) -> None:  # noqa: ANN401 - as the signature says
        maker.run(given)

    command.__signature__ = inspect.Signature(maker.parameters())  # type: ignore[attr-defined]
    command.__annotations__ = {}
    command.__name__ = verb.words.replace(" ", "_").replace("-", "_")
    command.__doc__ = maker.help()
    return command


class _Maker:
    """One row of the table as a command."""

    def __init__(self, verb: Verb, operation: Operation, prepare: Prepare | None) -> None:
        self.verb = verb
        self.operation = operation
        self._prepare = prepare
        self._places = verb.places.split()
        self._parts = _PARTS.get(verb.whole, ())

    def help(self) -> str:
        """What the command does, with an example."""
        example = f"dtwin {self.verb.words} {self.verb.example}".rstrip()
        summary = self.operation.summary
        if self.verb.always_tries:
            summary = "Show what an instances file would change; the exit code is 3 when it would."
        return f"{summary.rstrip('.')}.\n\n[bold]Examples[/bold]\n\n  {example}"

    def parameters(self) -> list[inspect.Parameter]:
        """What the command takes, arguments first."""
        operation = self.operation
        found: list[inspect.Parameter] = [
            _parameter(_place(name), str, typer.Argument(metavar=word.upper(), help=_said(word)))
            for name, word in operation.places.items()
        ]
        if self.verb.whole:
            shown = ".".join(part.upper() for part in _parts_of_name(self.verb.whole))
            found.append(
                _parameter("whole", str, typer.Argument(metavar=self.verb.whole.upper(), help=shown))
            )
        values = {value.name: value for value in (*operation.query, *operation.body)}
        for name in self._places:
            kind = int if values[name].kind == "whole" else str
            argument = typer.Argument(metavar=name.upper(), help=values[name].help or _said(name))
            found.append(_parameter(name, kind, argument))
        if operation.takes_document:
            found.append(
                _parameter("document", Path, typer.Argument(metavar="FILE", help="A JSON file; - for input."))
            )
        elsewhere = {*self._places, *self._parts, "limit"}
        options = [self._option(value) for value in values.values() if value.name not in elsewhere]
        return [*found, *options, *self._filters(), *self._switches(), *_common()]

    def _option(self, value: Value) -> inspect.Parameter:
        said = value.help or _said(value.name)
        if value.choices:
            said = f"{said.rstrip('.')}: {', '.join(value.choices)}."
        if value.kind in {"text", "object"} and not value.choices and value in self.operation.body:
            said = f"{said} @FILE reads it from a file."
        flag = f"--{value.name.replace('_', '-')}"
        names = [f"{flag}/--no-{flag[2:]}"] if value.kind == "truth" else [_singular(flag, value.kind)]
        is_needed = value.is_needed and self._prepare is None
        kind = _TYPES[value.kind]
        option = typer.Option(*names, help=said)
        return _parameter(value.name, kind, option, inspect.Parameter.empty if is_needed else None)

    def _filters(self) -> list[inspect.Parameter]:
        return [
            _parameter(name, _TYPES["text"], typer.Option(f"--{name}", help=_said(name)), None)
            for name in self.verb.filters.split()
        ]

    def _switches(self) -> list[inspect.Parameter]:
        operation, found = self.operation, []
        if operation.answer == "pages" or any(value.name == "limit" for value in operation.query):
            limit = typer.Option("--limit", min=0, help="The most items; 0 for all.")
            found.append(_parameter("limit", int, limit, 0))
        if operation.answer == "file":
            found.append(
                _parameter("to", Path | None, typer.Option("--to", help="Write it to a file."), None)
            )
        if operation.can_be_tried and operation.method != "GET" and not self.verb.always_tries:
            found.append(_annotated("dry_run", TryOption, default=False))
        if self.verb.asks:
            found.append(_annotated("yes", YesOption, default=False))
        return found

    def run(self, given: Mapping[str, Any]) -> None:
        """Do what was typed."""
        output = Output(given["output"], given["quiet"])
        common = Common(output, given["url"], given["profile"])
        names = {name: given[_place(name)] for name in self.operation.places}
        body = self._body(given)
        is_trial = bool(given.get("dry_run")) or self.verb.always_tries
        said = {**names, **body, "name": given.get("whole") or body.get("name") or names.get("name", "")}
        if self.verb.asks and not is_trial:
            ask_first(self.verb.asks.format(**said), yes=given["yes"])
        content = _document(given["document"]) if self.operation.takes_document else None
        with common.connect() as connection:
            if self._prepare is not None:
                body = self._prepare(connection, names, body)
            answer = self._answer(connection, names, body, content, given, is_trial=is_trial)
        self._show(output, answer, given)
        if is_trial and not self.verb.always_tries:
            output.say("This was a trial: nothing is changed.")
        elif self.verb.done:
            output.say(self.verb.done.format(**said))
        if isinstance(answer, dict) and any(answer.get(name) for name in self.verb.pending.split()):
            raise typer.Exit(PENDING)

    def _body(self, given: Mapping[str, Any]) -> Body:
        body = {
            value.name: _read(value, given[_key(value.name)])
            for value in self.operation.body
            if given.get(_key(value.name)) not in (None, [])
        }
        if self.verb.whole:
            body |= split_name(given["whole"], self.verb.whole)
        return body

    def _query(self, given: Mapping[str, Any], *, is_trial: bool) -> dict[str, Any]:
        names = [*(value.name for value in self.operation.query), *self.verb.filters.split()]
        query = {name: given[_key(name)] for name in names if given.get(_key(name)) not in (None, [], 0)}
        return query | ({"dry_run": "true"} if is_trial else {})

    def _answer(
        self,
        connection: Connection,
        names: Mapping[str, Any],
        body: Body,
        content: bytes | None,
        given: Mapping[str, Any],
        *,
        is_trial: bool,
    ) -> Any:  # noqa: ANN401 - whatever the operation answers
        operation = self.operation
        query = self._query(given, is_trial=is_trial)
        if operation.answer == "pages":
            path = operation.address(names)
            return list(connection.items(path, query, given["limit"], older=self.verb.older))
        request = operation.request(names, body, query, content)
        return connection.ask(request).content if operation.answer == "file" else connection.json(request)

    def _show(self, output: Output, answer: Any, given: Mapping[str, Any]) -> None:  # noqa: ANN401 - as above
        columns = self.verb.columns.split() or list(self.operation.members)
        key = self.verb.key.split()
        match self.operation.answer:
            case "file":
                output.write_file(answer, given["to"])
            case "pages":
                output.show_list(answer, columns, key)
            case "list":
                output.show_list(answer["items"], columns, key)
            case "object" if self.verb.is_whole and output.form in {OutputForm.JSON, OutputForm.YAML}:
                output.show(answer, columns, key)
            case "object" if self.verb.rows:
                output.show_list(answer[self.verb.rows], columns, key)
                for note in answer[self.verb.notes] if self.verb.notes else ():
                    output.say(note["text"])
            case "object" if answer is not None:
                output.show(answer, columns, key)


def split_name(name: str, kind: str) -> Body:
    """Return the parts of a dotted name as members of a body.

    Raises:
        UsageError: it has more or fewer.
    """
    words = _parts_of_name(kind)
    parts = name.split(".")
    if len(parts) != len(words):
        raise UsageError(f"{name} is no name of a {kind}: it has the form {'.'.join(words)}.")
    if kind == "company":
        return {"domain": parts[0], "enterprise": parts[1]}
    return {"company": ".".join(parts[:2]), "workcenter": parts[2], "station": parts[3]}


def _parts_of_name(kind: str) -> tuple[str, ...]:
    whole = ("domain", "enterprise", "workcenter", "station")
    return whole[:2] if kind == "company" else whole


def _read(value: Value, given: Any) -> Any:  # noqa: ANN401 - as typed
    """Return what was typed as the API takes it.

    Raises:
        UsageError: a file cannot be read, or is no JSON.
    """
    if isinstance(given, str) and given.startswith(_FROM_A_FILE) and value.kind in {"text", "object"}:
        given = read_text(Path(given[1:]))
    if value.kind != "object":
        return given
    try:
        return json.loads(given)
    except ValueError as error:
        raise UsageError(f"--{value.name.replace('_', '-')} is no JSON: {error}.") from error


def read_text(path: Path) -> str:
    """Return the text of a file, or of standard input for `-`.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} cannot be read: it is no text in UTF-8.") from error


def _document(path: Path) -> bytes:
    return read_text(path).encode()


def _place(name: str) -> str:
    """Return how a name in the path is called among the arguments: a body may have a member of its name."""
    return f"in_{name}"


def _said(name: str) -> str:
    return f"The {name.replace('_', ' ')}."


def _singular(flag: str, kind: str) -> str:
    return flag.removesuffix("s") if kind == "texts" else flag


def _common() -> Sequence[inspect.Parameter]:
    return [
        _annotated("output", FormOption, default=OutputForm.TABLE),
        _annotated("quiet", QuietOption, default=False),
        _annotated("url", UrlOption, default=""),
        _annotated("profile", ProfileOption, default=""),
    ]


def _parameter(
    name: str,
    kind: Any,  # noqa: ANN401 - a type
    info: Any,  # noqa: ANN401 - what typer makes of an option or argument
    default: Any = inspect.Parameter.empty,  # noqa: ANN401 - of that type
) -> inspect.Parameter:
    return _annotated(name, Annotated[kind, info], default=default)


def _annotated(name: str, annotation: Any, *, default: Any) -> inspect.Parameter:  # noqa: ANN401 - as above
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(_key(name), kind, default=default, annotation=annotation)


def _key(name: str) -> str:
    """Return how a value is called among the arguments: `from` is a word of the language."""
    return f"{name}_" if keyword.iskeyword(name) else name
