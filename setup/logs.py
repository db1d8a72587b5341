"""Reading the log files of the parts: the last lines, and new ones as they come."""

from __future__ import annotations

import time
from pathlib import Path
from typing import BinaryIO

import typer

from client.errors import ConfigurationError
from setup.local.paths import Home

_PAUSE_S = 0.3
_BLOCK_BYTES = 256 * 1024


def show_logs(home: Home, part: str | None, *, follow: bool, lines: int) -> None:
    """Write the last lines of one part or of all, each with the part's name before it when there are several.

    Args:
        home: Where the logs are.
        part: Name of a part; all when None.
        follow: Go on with new lines until interrupted.
        lines: How many past lines of each part.

    Raises:
        ConfigurationError: there is no log of that part, or none at all.
    """
    files = sorted(home.logs.glob("*.log")) if home.logs.exists() else []
    if not files and part is None:
        raise ConfigurationError(f"There are no logs in {home.logs} yet: dtwin up, or dtwin demo.")
    if part is not None:
        known = ", ".join(file.stem for file in files) or "none yet: dtwin up"
        files = [file for file in files if file.stem == part]
        if not files:
            raise ConfigurationError(f"There is no log of {part!r}. Logs: {known}.")
    width = max((len(file.stem) for file in files), default=0)
    labels = {file: f"{file.stem:<{width}}  " if len(files) > 1 else "" for file in files}
    ends = {file: _show_tail(file, labels[file], lines) for file in files}
    while follow:
        time.sleep(_PAUSE_S)
        for file in files:
            ends[file] = _show_news(file, labels[file], ends[file])


def _show_tail(path: Path, label: str, lines: int) -> int:
    """Write the last lines; return the position up to which the file was read."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - _BLOCK_BYTES))
        text = file.read(size - file.tell())
    for line in text.decode("utf-8", "replace").splitlines()[-lines:] if lines else []:
        typer.echo(label + line)
    return size


def _show_news(path: Path, label: str, start: int) -> int:
    """Write the whole lines after a position; return the new position."""
    with path.open("rb") as file:
        if path.stat().st_size < start:  # moved away for being too long, and begun anew
            start = 0
        return _write_lines(file, label, start)


def _write_lines(file: BinaryIO, label: str, start: int) -> int:
    file.seek(start)
    for raw in file:
        if not raw.endswith(b"\n"):
            break
        start += len(raw)
        typer.echo(label + raw.decode("utf-8", "replace").rstrip("\n"))
    return start
