"""Times as SensorThings writes them: ISO 8601 instants and intervals, read into aware datetimes.

What lives here: reading; pure functions without clock. What does not: writing, which Postgres does while it
builds JSON.

Source: OGC 18-088, clause 8.2 (TM_Instant, TM_Period, TM_Object), ISO 8601.
"""

import re
from datetime import UTC, date, datetime, time, timedelta

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
MAX_DURATION = timedelta(days=366 * 10_000)
"""Longest duration taken: longer than the calendar."""


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant; a time without an offset is taken as UTC.

    Raises:
        ValueError: The text is no instant of the years 1 to 9999.
    """
    found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
    if found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is outside the years 1 to 9999") from None


def parse_period(text: str) -> tuple[datetime, datetime]:
    """Read an instant or an interval `start/end` (end may be a duration); an instant gives equal ends.

    Raises:
        ValueError: The text is neither, or its end is before its start.
    """
    first, slash, second = text.partition("/")
    start = parse_instant(first)
    if not slash:
        return start, start
    try:
        end = start + parse_duration(second) if second.startswith("P") else parse_instant(second)
    except OverflowError:
        raise ValueError(f"{text!r} ends outside the years 1 to 9999") from None
    if end < start:
        raise ValueError(f"{text!r} ends before it starts")
    return start, end


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration in weeks, days, hours, minutes and seconds.

    Raises:
        ValueError: The text is no such duration (years and months have no fixed length).
    """
    found = _DURATION.fullmatch(text)
    if found is None or text.rstrip("T").rstrip("P") in ("", "-"):
        raise ValueError(f"{text!r} is no duration such as P1D or PT1H30M")
    parts = {name: float(part) for name, part in found.groupdict().items() if part and name != "sign"}
    try:
        length = timedelta(**parts)
    except OverflowError:
        length = MAX_DURATION + timedelta(days=1)
    if length > MAX_DURATION:
        raise ValueError(f"{text!r} is longer than the calendar")
    return -length if found["sign"] else length


def parse_date(text: str) -> date:
    """Read a calendar date `YYYY-MM-DD`.

    Raises:
        ValueError: The text is no date.
    """
    return date.fromisoformat(text)


def parse_clock(text: str) -> time:
    """Read a time of day `HH:MM[:SS[.ffffff]]`.

    Raises:
        ValueError: The text is no time of day.
    """
    return time.fromisoformat(text)
