"""What trying a statement on recorded records gives: outputs, refused lines, counters.

Lives here: plain data. Does not live here: reading the lines (``replay``), joining them (``joined_replay``).
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

__all__ = ["JoinCounters", "OutputRecord", "Refusal", "RunCounters"]


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """A record that a statement lets through.

    Attributes:
        key: The full Datastream name, or None.
        value: The parsed value; with columns in SELECT, the value written anew.
        written: The bytes of the value, as a stream app would send them.
    """

    key: str | None
    value: Any
    written: bytes | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> str:
        """Write the record as one line of compact JSON, ``{"key", "value"}``, numbers as written."""
        key = msgspec.json.encode(self.key).decode()
        return f'{{"key":{key},"value":{_one_line(self.written, self.value)}}}'


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that could not be used.

    Attributes:
        line: Number of the line, counted from 1. code: Stable code, ``line.*`` for the line itself and
        ``record.*`` as a stream app would dead-letter it. detail: What is wrong, for people.
    """

    line: int
    code: str
    detail: str


@dataclass(slots=True)
class JoinCounters:
    """What became of the records on their way through a join.

    Attributes:
        pairs: Combinations of records that were joined, before WHERE judged them.
        late: Records left out because they came too late.
        unjoined: Records left out because they lack an attribute of the join key.
        dropped: Records that MAX LATENCY made the join forget.
    """

    pairs: int = 0
    late: int = 0
    unjoined: int = 0
    dropped: int = 0


@dataclass(slots=True)
class RunCounters:
    """What became of the lines; complete once the run is exhausted.

    Attributes:
        read: Lines seen, without blank ones.
        matched: Records that the statement lets through.
        other_sources: Records of topics that FROM does not name.
        rejected: Lines and records that cannot be used, by code.
        mismatches: Comparisons that were false because a value was of another kind or could not be computed.
        missing: Comparisons that were false because a record lacks an attribute.
        joins: The counters of a join; None when the statement has none.
    """

    read: int = 0
    matched: int = 0
    other_sources: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    mismatches: int = 0
    missing: int = 0
    joins: "JoinCounters | None" = None

    def to_dict(self) -> dict[str, object]:
        """Give the counters as plain data, for printing."""
        return {
            "read": self.read,
            "matched": self.matched,
            "rejected": dict(sorted(self.rejected.items())),
            "mismatches": self.mismatches,
            "missing": self.missing,
            "other_sources": self.other_sources,
            **({} if self.joins is None else asdict(self.joins)),
        }


def _one_line(written: bytes | None, value: object) -> str:
    """Write a value without the blanks between its tokens; one that is no JSON becomes a text."""
    if written is None:
        return "null"
    try:
        return msgspec.json.format(written, indent=-1).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.encode(value).decode()
