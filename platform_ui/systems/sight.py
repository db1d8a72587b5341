"""What a person sees of a record: from Kafka's bytes to a line of a table.

What lives here: a pure function and its result. What does not: reading from Kafka (``tail``). Records come
from other people's programs, so nothing about them is taken for granted.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from client.errors import InvalidTimeError
from client.messaging.records import HEADER_APP, HEADER_ERROR
from client.metadata.times import format_time, parse_time

MAX_TEXT = 120
SYSTEM_LEVELS = 4
DATASTREAM_LEVELS = 5  # levels before the Datastream's own name
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 253_370_764_800_000  # the year 9999 begins: every time zone can still write it


@dataclass(frozen=True, slots=True)
class Sight:
    """One record as a line of the live tail.

    Attributes:
        tab: ``int``, ``ext`` or ``dlq``.
        time: phenomenon time as RFC 3339, or what stood there, or Kafka's time.
        name: the full Datastream name, from the key.
        thing: its Thing, empty when the key is no Datastream name.
        datastream: the Datastream's own name, or the whole key.
        result: the result as text.
        origin: the stream app that forwarded the record, or the system it was made in.
        problem: why the record cannot be used; empty for a good one.
    """

    tab: str
    topic: str
    partition: int
    offset: int
    time: str
    name: str
    thing: str
    datastream: str
    result: str
    origin: str
    problem: str


def see(
    *,
    tab: str,
    topic: str,
    partition: int,
    offset: int,
    timestamp_ms: int,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
) -> Sight:
    """Return a record as a person sees it; never fails, whatever the bytes are."""
    name = (key or b"").decode("utf-8", "replace")[: 4 * MAX_TEXT]
    levels = name.split(".", DATASTREAM_LEVELS)
    is_named = len(levels) == DATASTREAM_LEVELS + 1
    found = {header: (text or b"").decode("utf-8", "replace") for header, text in headers}
    document, problem = _document(value)
    return Sight(
        tab=tab,
        topic=topic,
        partition=partition,
        offset=offset,
        time=_time(document.get("phenomenonTime"), timestamp_ms),
        name=name,
        thing=levels[SYSTEM_LEVELS] if is_named else "",
        datastream=levels[DATASTREAM_LEVELS] if is_named else name,
        result=_result(document) if not problem else _shorten((value or b"").decode("utf-8", "replace")),
        origin=found.get(HEADER_APP) or (".".join(levels[:SYSTEM_LEVELS]) if is_named else ""),
        problem=found.get(HEADER_ERROR) or problem,
    )


def _document(value: bytes | None) -> tuple[dict[str, object], str]:
    if not value:
        return {}, "no value"
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return {}, "not JSON"
    return (document, "") if isinstance(document, dict) else ({}, "not a JSON object")


def kafka_time(timestamp_ms: int) -> datetime:
    """Return the time that Kafka keeps with a record; writers set it, so it may be beyond all calendars.

    Args:
        timestamp_ms: As Kafka gives it [ms since 1970]; below 0 when there is none.
    """
    return _EPOCH + timedelta(milliseconds=min(max(0, timestamp_ms), _LATEST_MS))


def _time(value: object, timestamp_ms: int) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return format_time(parse_time(value, now=lambda: datetime.now(UTC)))
        except (InvalidTimeError, OverflowError):
            return _shorten(str(value))
    return format_time(kafka_time(timestamp_ms))


def _result(document: dict[str, object]) -> str:
    if "result" not in document:
        return ""
    result = document["result"]
    if isinstance(result, float):
        return f"{result:.6g}"
    return _shorten(result if isinstance(result, str) else json.dumps(result, ensure_ascii=False))


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
