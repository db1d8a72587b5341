"""The event time of a record, and back to text.

Lives here: ``event_time``, and times as text. Does not live here: times inside of conditions
(``streamhub.query.values``).
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast

from client.metadata.times import EPOCH, format_time, parse_time
from streamhub.query.values import MissingError

__all__ = ["event_time", "time_text"]

_MICROSECOND = timedelta(microseconds=1)


def event_time(value: object) -> tuple[int, datetime]:
    """Read the phenomenonTime of a record.

    Args:
        value: What the record holds: ISO 8601 text with an offset, an interval of two of them (the start
            counts), or an epoch number [s, ms, us or ns, by magnitude].

    Returns:
        The time since 1970 [us], and the moment in UTC.

    Raises:
        MissingError: There is no value.
        InvalidTimeError: It is no point in time.

    Source: OGC 18-088, TM_Instant and TM_Period; RFC 3339, section 5.6.
    """
    if value is None:
        raise MissingError
    if isinstance(value, str):
        value = value.partition("/")[0]
    moment = parse_time(cast("Any", value), now=_no_clock).astimezone(UTC)
    return (moment - EPOCH) // _MICROSECOND, moment


def time_text(microseconds: int) -> str:
    """Write a time since 1970 [us] as RFC 3339 text, ``2026-01-02T03:04:05.000006Z``."""
    return format_time(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds))


def _no_clock() -> NoReturn:
    raise TypeError("a record without a time has none; the clock is not asked")
