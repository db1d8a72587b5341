"""Logs of apps: kept small, read from the end, searched for the reason of an end.

What lives here: rotation and reading. What does not: writing, which the app does itself.
"""

import os
import re
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MAX_LOG_BYTES: Final = 5_000_000
_AVERAGE_LINE_BYTES: Final = 400
_LONGEST_CAUSE: Final = 500
_SEARCHED_LINES: Final = 60
_START_MARK: Final = "--- started "
_COMPLAINT: Final = re.compile(r"^error:|\b(ERROR|CRITICAL)\b|^\w*(Error|Exception)\b", re.ASCII)


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


def tail(path: Path, lines: int) -> list[str]:
    """Read the last lines of a log, oldest first; empty when there is none.

    Args:
        path: The log; what was rotated away is read too when the log is short.
        lines: Number of lines [1].
    """
    found: list[str] = []
    for part in (path, path.with_name(f"{path.name}.1")):
        if len(found) < lines and part.exists():
            found = _last_lines(part, lines - len(found)) + found
    return found


def _last_lines(path: Path, lines: int) -> list[str]:
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        start = max(size - lines * _AVERAGE_LINE_BYTES, 0)
        log.seek(start)
        text = log.read().decode(errors="replace").splitlines()
    if start:
        # The first one is a part of a line.
        text = text[1:]
    return text[-lines:] if lines > 0 else []


def last_complaint(lines: Sequence[str]) -> str | None:
    """Find why the latest process ended: its last error line, or its last line.

    Args:
        lines: End of the log, oldest first.
    """
    latest: list[str] = []
    for line in reversed(lines[-_SEARCHED_LINES:]):
        if line.startswith(_START_MARK):
            break
        if line.strip():
            latest.append(line.strip())
    complaints = [line for line in latest if _COMPLAINT.search(line)]
    chosen = (complaints or latest)[:1]
    if not chosen:
        return None
    return textwrap.shorten(chosen[0].removeprefix("error: "), _LONGEST_CAUSE, placeholder=" ...")
