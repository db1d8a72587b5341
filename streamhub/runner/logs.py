"""Logs of apps: kept small, read from the end, followed while they grow, searched for the reason of an end.

What lives here: rotation, reading, and the marks between the processes of one app. What does not: writing
anything else, which the app does itself.
"""

import os
import re
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_LOG_BYTES: Final = 10_000_000
MARK: Final = "--- "  # begins the lines between two processes
_AVERAGE_LINE_BYTES: Final = 400
_LONGEST_CAUSE: Final = 500
_SEARCHED_LINES: Final = 60
_MOST_FOLLOWED_BYTES: Final = 1_000_000  # in one go; the rest comes with the next
_LONGEST_LINE_BYTES: Final = 65_536
_COMPLAINT: Final = re.compile(r"^error:|\b(ERROR|CRITICAL)\b|^\w*(Error|Exception)\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogPart:
    """Some lines of a log, and where to go on.

    Attributes:
        lines: Oldest first.
        cursor: Where they end; what is asked for next begins there.
    """

    lines: Sequence[str]
    cursor: str


def append_mark(path: Path, text: str) -> None:
    """Write a line between two processes into a log.

    Raises:
        OSError: the log cannot be written.
    """
    with path.open("ab") as log:
        log.write(f"{MARK}{text}\n".encode())


def rotate_log(path: Path, max_bytes: int = MAX_LOG_BYTES) -> bool:
    """Move a log that has grown too large to `<name>.1`; say whether it was done.

    The app keeps its file open and appends, so the content is copied and the file emptied.

    Raises:
        OSError: the folder cannot be written.
    """
    if not path.exists() or path.stat().st_size <= max_bytes:
        return False
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int, end: int | None = None) -> list[str]:
    """Read the last lines of a log, oldest first; empty when there is none.

    Args:
        path: The log; what was rotated away is read too when the log is short.
        lines: Number of lines [1].
        end: Where they end in the log [bytes]; at its end when left out.
    """
    found: list[str] = []
    for part, size in ((path, end), (path.with_name(f"{path.name}.1"), None)):
        if len(found) < lines and part.exists():
            found = _last_lines(part, lines - len(found), size) + found
    return found


def _last_lines(path: Path, lines: int, end: int | None) -> list[str]:
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END) if end is None else end
        start = max(size - lines * _AVERAGE_LINE_BYTES, 0)
        log.seek(start)
        text = log.read(size - start).decode(errors="replace").splitlines()
    if start:
        # The first one is a part of a line.
        text = text[1:]
    return text[-lines:] if lines > 0 else []


# Two numbers of 64 bits with a dash between them.
_LONGEST_CURSOR: Final = 39


def read_on(path: Path, cursor: str, lines: int) -> LogPart:
    """Read what a log has got since a cursor, in whole lines; also across a rotation.

    Args:
        path: The log.
        cursor: Where to begin, as a former answer told; empty or unknown for its last lines.
        lines: Number of last lines to begin with [1].
    """
    generation = _generation(path)
    former, _, number = cursor.partition("-")
    if not (former.isdecimal() and number.isdecimal()) or len(cursor) > _LONGEST_CURSOR:
        end = _last_line_end(path)
        return LogPart(tail(path, lines, end), f"{generation}-{end}")
    offset = int(number)
    text = b""
    if int(former) != generation:
        text, _ = _lines_after(path.with_name(f"{path.name}.1"), offset)
        offset = 0
    more, end = _lines_after(path, offset)
    return LogPart((text + more).decode(errors="replace").splitlines(), f"{generation}-{end}")


def _generation(path: Path) -> int:
    """Tell one content of a log from the next: the copy that is moved aside changes with each rotation."""
    try:
        return path.with_name(f"{path.name}.1").stat().st_mtime_ns
    except OSError:
        return 0


def _lines_after(path: Path, offset: int) -> tuple[bytes, int]:
    try:
        with path.open("rb") as log:
            log.seek(offset)
            text = log.read(_MOST_FOLLOWED_BYTES)
    except (OSError, ValueError, OverflowError):  # no file, or a place that no file reaches
        return b"", offset
    whole = text[: text.rfind(b"\n") + 1]
    return whole, offset + len(whole)


def _last_line_end(path: Path) -> int:
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            start = max(size - _LONGEST_LINE_BYTES, 0)
            log.seek(start)
            found = log.read(size - start).rfind(b"\n")
    except OSError:
        return 0
    return start + found + 1 if found >= 0 else size


def last_complaint(lines: Sequence[str]) -> str | None:
    """Find why the latest process ended: its last error line, or its last line.

    Args:
        lines: End of the log, oldest first.
    """
    latest: list[str] = []
    for line in reversed(lines[-_SEARCHED_LINES:]):
        if line.startswith(MARK):
            break
        if line.strip():
            latest.append(line.strip())
    complaints = [line for line in latest if _COMPLAINT.search(line)]
    chosen = (complaints or latest)[:1]
    if not chosen:
        return None
    return textwrap.shorten(chosen[0].removeprefix("error: "), _LONGEST_CAUSE, placeholder=" ...")
