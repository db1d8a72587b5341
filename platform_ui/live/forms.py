"""What somebody asks the live browser for, as pages, files and the API take it.

What lives here: the fields, and reading where to begin. What does not: what is found (``service``).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from client.errors import InvalidTimeError
from client.messaging.topics import SystemTopics
from client.metadata.times import parse_time
from platform_ui.db import now
from platform_ui.fields import Form
from platform_ui.live.reading import Begin, Edge
from platform_ui.live.sieve import MAX_FILTER

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
MAX_PLACE: Final = 4_096
AT_A_TIME: Final = "time"
_AGO: Final = re.compile(r"-(\d{1,5})([smhd])")
_SPANS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FIELD: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?")
_POSITIONS: Final = re.compile(r"\d{1,6}:\d{1,18}(?:,\d{1,6}:\d{1,18})*")


class Tab(StrEnum):
    """A topic of a system."""

    INT = "int"
    EXT = "ext"
    LOG = "log"
    DLQ = "dlq"

    def of(self, topics: SystemTopics) -> str:
        """Return the topic's whole name."""
        names = {
            Tab.INT: topics.internal,
            Tab.EXT: topics.external,
            Tab.LOG: topics.log,
            Tab.DLQ: topics.dead_letters,
        }
        return names[self]


TAB_WORDS: Final = {
    Tab.INT: "Own",
    Tab.EXT: "Shared with it",
    Tab.DLQ: "Refused",
    Tab.LOG: "Log",
}


def parse_begin(text: str, at: str = "") -> Begin:
    """Read where to begin.

    Args:
        text: ``latest``, ``earliest``, a time, a span back from now such as ``-15m``, or the next offsets
            ``partition:offset,…`` that an answer gave; ``time`` for the time in `at`.
        at: A time; without an offset it is in UTC.

    Raises:
        ValueError: it is none of them; the message says what is.
    """
    wanted = at if text == AT_A_TIME else text
    if wanted in set(Edge):
        return Edge(wanted)
    ago = _AGO.fullmatch(wanted)
    if ago:
        return now() - timedelta(**{_SPANS[ago[2]]: int(ago[1])})
    if _POSITIONS.fullmatch(wanted):
        return read_positions(wanted)
    try:
        if _FIELD.fullmatch(wanted):  # as fields of browsers give it, without seconds and offset
            wanted = f"{wanted}{'' if wanted.count(':') > 1 else ':00'}Z"
        return parse_time(wanted, now=lambda: datetime.now(UTC))
    except (InvalidTimeError, OverflowError) as error:
        raise ValueError(
            "Use latest, earliest, a time such as 2026-01-31T12:00:00Z, or a span back such as -15m."
        ) from error


def read_positions(text: str) -> dict[int, int]:
    """Read the next offsets of partitions, ``partition:offset,…``.

    Raises:
        ValueError: they are none.
    """
    if not _POSITIONS.fullmatch(text):
        raise ValueError("Give positions as partition:offset, with commas, as the event's id has them.")
    pairs = (one.split(":") for one in text.split(","))
    return {int(partition): int(offset) for partition, offset in pairs}


def write_positions(positions: Mapping[int, int]) -> str:
    """Write the next offsets of partitions, ``partition:offset,…``."""
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(positions.items()))


def write_begin(begin: Begin) -> str:
    """Write where to begin so that it can be read again."""
    if isinstance(begin, datetime):
        return begin.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return begin.value if isinstance(begin, Edge) else write_positions(begin)


def _blank_is(default: object) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value == "" else value)


def _known_begin(text: str) -> str:
    if text != AT_A_TIME:
        parse_begin(text)
    return text


class LiveForm(Form):
    """Which records to show."""

    model_config = ConfigDict(populate_by_name=True)

    topic: Annotated[Tab, _blank_is(Tab.INT)] = Field(
        default=Tab.INT, description="`int`, `ext`, `dlq` or, for agents, `log`."
    )
    filter: str = Field(
        default="", max_length=MAX_FILTER, description="A condition as after WHERE; empty for all records."
    )
    begin: Annotated[str, _blank_is(Edge.LATEST.value), AfterValidator(_known_begin)] = Field(
        default=Edge.LATEST.value,
        alias="from",
        max_length=MAX_PLACE,
        description="`latest`, `earliest`, a time, a span back such as `-15m`, or `positions` of an answer.",
    )
    limit: Annotated[int, _blank_is(DEFAULT_LIMIT)] = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Records of an answer."
    )
    contract: str = Field(
        default="", max_length=40, description="By which contract, where several let you see the system."
    )


class PageForm(LiveForm):
    """The same as a page has it.

    Attributes:
        at: The time, where `begin` says ``time``.
        more: Whether additional attributes are shown.
    """

    at: str = Field(default="", max_length=40)
    more: bool = False


class FileKind(StrEnum):
    """The form of a file, as its ending."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


class ExportForm(LiveForm):
    """Which records to save, and how."""

    form: FileKind = Field(default=FileKind.CSV, description="`csv`, `jsonl` or `parquet`.")
