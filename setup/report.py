"""How a command tells what is going on: live on a terminal, as plain lines into a pipe.

The working code calls the two methods of `Report` from any thread and knows nothing of terminals.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_SIGNS = {
    "ready": Text("✓", style="green"),
    "given": Text("→", style="cyan"),
    "stopped": Text("■", style="dim"),
    "failed": Text("✗", style="red"),
}


class Report(Protocol):
    """Where progress goes."""

    def part(self, name: str, state: str, detail: str = "") -> None:
        """Tell the state of a part: `starting`, `ready`, `given`, `stopping`, `stopped` or `failed`."""

    def note(self, text: str) -> None:
        """Tell something that the user should know, once."""


class SilentReport:
    """Progress that nobody wants to see."""

    def part(self, name: str, state: str, detail: str = "") -> None:
        """Ignore the state of a part."""

    def note(self, text: str) -> None:
        """Ignore a note."""


class PlainReport:
    """One line per change, for pipes and logs."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._guard = threading.Lock()

    def part(self, name: str, state: str, detail: str = "") -> None:
        """Write a line with the seconds since the command began."""
        with self._guard:
            typer.echo(f"{time.monotonic() - self._started:6.1f} s  {name:<18} {state:<9} {detail}".rstrip())

    def note(self, text: str) -> None:
        """Write a line."""
        with self._guard:
            typer.echo(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class LiveReport:
    """A table that changes in place, notes below it."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._started = time.monotonic()
        self._rows: dict[str, tuple[str, str, float]] = {}
        self._spinners: dict[str, Spinner] = {}
        self._notes: list[str] = []
        self._guard = threading.Lock()
        self._live = Live(self, console=console, refresh_per_second=8)

    def part(self, name: str, state: str, detail: str = "") -> None:
        """Show the state of a part."""
        with self._guard:
            self._rows[name] = (state, detail, time.monotonic() - self._started)
            self._spinners.setdefault(name, Spinner("dots"))

    def note(self, text: str) -> None:
        """Show a note below the table."""
        with self._guard:
            self._notes.append(text)

    def __rich__(self) -> RenderableType:
        """Draw the present state; called by the display several times a second."""
        table = Table.grid(padding=(0, 2))
        with self._guard:
            for name, (state, detail, seconds) in self._rows.items():
                sign = _SIGNS.get(state, self._spinners[name])
                at = Text(f"{seconds:.1f} s" if state in _SIGNS else "", style="dim")
                table.add_row(sign, Text(name, style="bold"), Text(state), Text(detail), at)
            notes = [Text(note, style="yellow") for note in self._notes]
        elapsed = Text(f"{self._title}  {time.monotonic() - self._started:.0f} s", style="bold cyan")
        return Group(elapsed, table, *notes)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)


def report_on(console: Console, title: str) -> LiveReport | PlainReport:
    """Return the right way to tell progress on this console; a context manager."""
    return LiveReport(console, title) if console.is_terminal else PlainReport()
