"""Points in time as users give them, and as records carry them; pure: the clock comes in as an argument.

What lives here: every accepted form of a time becomes an aware `datetime` in UTC, and a `datetime` becomes
RFC 3339 text. What does not: intervals of a phenomenonTime (the SensorThings service).

How it works: text is ISO 8601 with an offset (`Z`, `+02:00`, `+0200`, `+02`) and any number of fraction
digits, of which six are kept. A number is seconds, milliseconds, microseconds or nanoseconds since
1970-01-01T00:00:00Z; which of them is told by its magnitude, because the bounds are years 5138 and 1973 on
the two sides:

>>> now = lambda: datetime(2026, 1, 2, tzinfo=UTC)
>>> [format_time(parse_time(number, now=now)) for number in (1767323045, 1767323045e3, 1767323045000000007)]
['2026-01-02T03:04:05.000000Z', '2026-01-02T03:04:05.000000Z', '2026-01-02T03:04:05.000000Z']
>>> format_time(parse_time("2026-01-02T05:04:05.000006789+02:00", now=now))
'2026-01-02T03:04:05.000006Z'
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from numbers import Integral, Real
from typing import Final

from client.errors import InvalidTimeError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Largest magnitude read as that unit: 1e11 s is the year 5138, 1e11 ms is March 1973.
_MAX_SECONDS: Final = 10**11
_MAX_MILLISECONDS: Final = 10**14
_MAX_MICROSECONDS: Final = 10**17

_EXAMPLE: Final = "for example 2026-01-02T03:04:05.678Z"
_LONGEST_TEXT: Final = 64
# A date, then T or a blank, then a time; the standard library judges the details.
_FORM: Final = re.compile(r"[0-9W-]{7,10}[T ][0-9:.,]+(?P<offset>Z|[+-][0-9:]+)?", re.ASCII)
# Records of one second share most of their text.
_SECONDS_CACHE_ENTRIES: Final = 4096
_LEAP_SECOND: Final = re.compile(r"(?<=[T ]\d\d:\d\d:)60", re.ASCII)


def parse_time(value: datetime | str | float | None, *, now: Callable[[], datetime]) -> datetime:
    """Turn any accepted form of a time into an aware `datetime` in UTC.

    Args:
        value: An aware datetime, ISO 8601 text with an offset, an epoch number [s, ms, us or ns, by
            magnitude], or None for the present.
        now: The clock; asked only for None.

    Raises:
        InvalidTimeError: when the value is none of these, or leaves the UTC offset open.

    Source: ISO 8601; RFC 3339, section 5.6 (a leap second counts as the second after it).
    """
    if value is None:
        return _in_utc(now())
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, bool):
        raise InvalidTimeError(
            f"{value!r} is a boolean, not a time. Pass a datetime, {_EXAMPLE}, or epoch seconds"
        )
    if isinstance(value, Integral):
        return _parse_integer(int(value))
    if isinstance(value, Real):
        return _parse_float(float(value))
    kind = type(value).__name__
    raise InvalidTimeError(
        f"a {kind} is not a time. Pass a datetime, ISO 8601 text ({_EXAMPLE}), or an epoch number"
    )


def format_time(t: datetime) -> str:
    """Write an aware time as RFC 3339 text in UTC with six fraction digits, `2026-01-02T03:04:05.000006Z`.

    Raises:
        InvalidTimeError: when the time has no UTC offset.
    """
    t = _in_utc(t)
    return f"{_second_text((t.year, t.month, t.day, t.hour, t.minute, t.second))}.{t.microsecond:06d}Z"


@lru_cache(maxsize=_SECONDS_CACHE_ENTRIES)
def _second_text(parts: tuple[int, ...]) -> str:
    year, month, day, hour, minute, second = parts
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def _in_utc(t: datetime) -> datetime:
    if t.tzinfo is UTC:
        return t
    if t.utcoffset() is None:
        raise InvalidTimeError(
            f"{t!r} has no UTC offset, so it names no point in time. Use datetime.now(tz=UTC) or set tzinfo"
        )
    try:
        return t.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTimeError(f"{t!r} lies outside the years 1 to 9999 in UTC") from error


def _parse_text(text: str) -> datetime:
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
    normal = text.strip().upper()
    form = _FORM.fullmatch(normal) if len(normal) <= _LONGEST_TEXT else None
    if form is None:
        raise InvalidTimeError(f"{shown!r} is not an ISO 8601 time with date and time of day, {_EXAMPLE}")
    if form["offset"] is None:
        raise InvalidTimeError(
            f"{shown!r} has no UTC offset, so it names no point in time. Append Z or +HH:MM"
        )
    without_leap, leaps = _LEAP_SECOND.subn("59", normal)
    try:
        parsed = datetime.fromisoformat(without_leap)
        return _in_utc(parsed) + timedelta(seconds=leaps)
    except (ValueError, OverflowError) as error:
        raise InvalidTimeError(f"{shown!r} is not an ISO 8601 time: {error}") from error


def _parse_integer(number: int) -> datetime:
    magnitude = abs(number)
    if magnitude < _MAX_SECONDS:
        microseconds = number * 1_000_000
    elif magnitude < _MAX_MILLISECONDS:
        microseconds = number * 1000
    elif magnitude < _MAX_MICROSECONDS:
        microseconds = number
    else:
        microseconds = number // 1000
    return _since_epoch(microseconds, number)


def _parse_float(number: float) -> datetime:
    if not math.isfinite(number):
        raise InvalidTimeError(f"{number} is not a point in time")
    magnitude = abs(number)
    if magnitude < _MAX_SECONDS:
        microseconds = round(number * 1e6)
    elif magnitude < _MAX_MILLISECONDS:
        microseconds = round(number * 1e3)
    elif magnitude < _MAX_MICROSECONDS:
        microseconds = round(number)
    else:
        microseconds = round(number / 1e3)
    return _since_epoch(microseconds, number)


def _since_epoch(microseconds: int, number: float) -> datetime:
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise InvalidTimeError(
            f"{number!r} is no epoch time [s, ms, us or ns] between the years 1 and 9999"
        ) from error
