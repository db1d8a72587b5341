"""The log of a stream app as people search it; pure.

What lives here: what a line says about itself, and which lines somebody wants. What does not: reading the
file (the runner), pages (``log_pages``).

A line of a process begins with its time (UTC) and its level. What follows without them, for instance a
traceback, belongs to it. Lines that begin with ``---`` are the runner's: where a process began, and how it
ended.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MARK: Final = "--- "
_HEAD: Final = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)[,.](?P<ms>\d{3}) (?P<level>[A-Z]+) ", re.ASCII
)
_MARK_TIME: Final = re.compile(r"--- (?:started|ended) (?P<at>\S+)", re.ASCII)
_TROUBLE: Final = re.compile(r"^(?:error:|Traceback \(most recent call last\))")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log.

    Attributes:
        text: As it was written.
        level: Of itself, or of the line that it belongs to; one of `LEVELS`.
        at: When it was written, or the line that it belongs to; nothing when the log does not tell.
        is_mark: Whether the runner wrote it, between two processes.
    """

    text: str
    level: str = "INFO"
    at: datetime | None = None
    is_mark: bool = False


@dataclass(frozen=True, slots=True)
class LogSearch:
    """Which lines somebody wants.

    Attributes:
        text: What must be in them, in any case.
        level: The least level; empty for all.
        since: Not before this time, aware.
        until: Before this time, aware.
    """

    text: str = ""
    level: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether all lines are wanted."""
        return not (self.text or self.level or self.since or self.until)

    def wants(self, line: LogLine) -> bool:
        """Tell whether a line is one of them; the runner's marks are, whatever the level."""
        if self.text and self.text.casefold() not in line.text.casefold():
            return False
        if self.level and not line.is_mark and LEVELS.index(line.level) < LEVELS.index(self.level):
            return False
        if self.since is not None and (line.at is None or line.at < self.since):
            return False
        return self.until is None or (line.at is not None and line.at < self.until)


def read_lines(lines: Iterable[str]) -> Iterator[LogLine]:
    """Say of each line what it is.

    Args:
        lines: Oldest first; those before the first time are of no time.
    """
    at: datetime | None = None
    level = "INFO"
    for text in lines:
        mark = _MARK_TIME.match(text)
        head = _HEAD.match(text)
        if mark is not None:
            at, level = _moment(mark["at"]) or at, "INFO"
        elif head is not None:
            at = _moment(f"{head['at']}.{head['ms']}") or at
            level = head["level"] if head["level"] in LEVELS else "INFO"
        elif _TROUBLE.match(text):
            level = "ERROR"
        yield LogLine(text, level, at, text.startswith(MARK))


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def search(lines: Iterable[str], wanted: LogSearch) -> list[LogLine]:
    """Return the lines that somebody wants, oldest first."""
    return [line for line in read_lines(lines) if wanted.wants(line)]
