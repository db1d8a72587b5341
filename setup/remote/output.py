"""How a command shows what it got: data on standard output, talk on standard error.

What lives here: the forms `table`, `json`, `yaml` and `name`. What does not: what is shown (``verbs``).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from setup.remote.errors import UsageError
from setup.remote.layout import to_yaml

_WIDTH_OF_A_PIPE: Final = 240


class OutputForm(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command writes.

    Attributes:
        form: Of what was asked for.
        is_quiet: Whether nothing is said besides.
    """

    form: OutputForm = OutputForm.TABLE
    is_quiet: bool = False

    def say(self, text: str) -> None:
        """Tell people something that is no data."""
        if text and not self.is_quiet:
            typer.echo(text, err=True)

    def show_list(
        self, items: Sequence[Mapping[str, Any]], columns: Sequence[str], key: Sequence[str]
    ) -> None:
        """Write items: a line each, or all of them as one document."""
        if self.form is OutputForm.NAME:
            for item in items:
                typer.echo(_name(item, key or columns[:1]))
        elif self.form is not OutputForm.TABLE:
            self._document(list(items))
        elif not items:
            self.say("There is nothing.")
        else:
            _console().print(_table(items, columns))

    def show(self, item: Any, columns: Sequence[str], key: Sequence[str]) -> None:  # noqa: ANN401 - JSON
        """Write one object: a line for each member, or all of it as a document."""
        if not isinstance(item, Mapping) or self.form in {OutputForm.JSON, OutputForm.YAML}:
            self._document(item)
        elif self.form is OutputForm.NAME:
            typer.echo(_name(item, key or columns[:1]))
        else:
            width = max(map(len, columns), default=0)
            for column in columns:
                text = _cell(member(item, column)).replace("\n", "\n" + " " * (width + 2))
                typer.echo(f"{column.ljust(width)}  {text}".rstrip())

    def write_file(self, content: bytes, to: Path | None) -> None:
        """Write what is no JSON to a file, or to standard output.

        Raises:
            UsageError: it cannot be written, or is nothing for a terminal.
        """
        if to is None:
            if sys.stdout.isatty() and b"\0" in content:
                raise UsageError("This is nothing that a terminal can show: name a file with --to.")
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        try:
            # What comes from a platform may hold a private key.
            descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError as error:
            raise UsageError(f"{to} cannot be written: {error.strerror}.") from error
        self.say(f"Written to {to}.")

    def _document(self, content: Any) -> None:  # noqa: ANN401 - JSON
        if self.form is OutputForm.YAML:
            typer.echo(to_yaml(content), nl=False)
        else:
            typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def member(item: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - JSON
    """Return a member; those of nested objects have dots in their path."""
    found: Any = item
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _name(item: Mapping[str, Any], key: Sequence[str]) -> str:
    return " ".join(_cell(member(item, one)) for one in key)


def _cell(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(round(value, 6)) if abs(value) >= 1 else f"{value:.6g}"
    if isinstance(value, list):
        return _listed(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _listed(values: Sequence[Any]) -> str:
    if not any(isinstance(one, dict | list) for one in values):
        return ", ".join(map(str, values))
    if all(isinstance(one, dict) and "text" in one for one in values):
        return "; ".join(str(one["text"]) for one in values)
    return json.dumps(values, ensure_ascii=False)


def _table(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for item in items:
        # Text: what people wrote is no markup.
        table.add_row(*(Text(_cell(member(item, column))) for column in columns))
    return table


def _console() -> Console:
    # Into a pipe, lines are as long as they are: a reader that wants to fold them can.
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_A_PIPE)
