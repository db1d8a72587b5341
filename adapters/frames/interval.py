"""The interval that a user asks for, and the length of steps in it; pure: the clock comes in as an argument.

What lives here: reading `-24h`, `now`, `1min` and the times that the client takes. What does not: those times
themselves (`client.metadata.times`).

>>> noon = lambda: datetime(2026, 1, 2, 12, tzinfo=UTC)
>>> str(Interval.read("-24h", None, now=noon))
'2026-01-01T12:00:00Z to 2026-01-02T12:00:00Z'
>>> length("1h30min"), iso_duration(length("90s"))
(datetime.timedelta(seconds=5400), 'PT90S')
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from client.errors import InvalidTimeError
from client.metadata.times import parse_time

_LENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)", re.ASCII | re.IGNORECASE)
_UNITS_S: Final = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH_EXAMPLE: Final = "for example 10s, 5min, 1h, 7d"

Time = datetime | str | float | None


@dataclass(frozen=True, slots=True)
class Interval:
    """A half-open interval: its start belongs to it, its end does not.

    Attributes:
        start: In UTC.
        end: In UTC.
    """

    start: datetime
    end: datetime

    @classmethod
    def read(cls, start: Time, end: Time, *, now: Callable[[], datetime]) -> Interval:
        """Read what a user gave.

        Args:
            start: Any form that the client takes, or a length before the present, `-24h`.
            end: The same; None for the present.
            now: The clock.

        Raises:
            InvalidTimeError: One is none of these, or the end does not follow the start.
        """
        present = now()
        found = cls(_moment(start, present), _moment(end, present))
        if found.start >= found.end:
            raise InvalidTimeError(f"the interval {found} is empty: the end has to follow the start")
        return found

    def __str__(self) -> str:
        return f"{short(self.start)} to {short(self.end)}"


def short(moment: datetime) -> str:
    """Write a time for people to read, without a fraction that is zero."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def length(text: str | timedelta) -> timedelta:
    """Read a length of time [any of ms, s, min, h, d, w].

    Raises:
        InvalidTimeError: It is none, or zero.
    """
    if isinstance(text, timedelta):
        found = text
    else:
        parts = _LENGTH.findall(text)
        if not parts or _LENGTH.sub("", text).strip():
            raise InvalidTimeError(f"{text!r} is no length of time, {_LENGTH_EXAMPLE}")
        try:
            found = timedelta(seconds=sum(float(number) * _UNITS_S[unit.lower()] for number, unit in parts))
        except OverflowError as error:
            raise InvalidTimeError(f"{text!r} is longer than all time there is") from error
    if found <= timedelta(0):
        raise InvalidTimeError(f"{text!r} is no length of time: it is not positive")
    return found


def iso_duration(span: timedelta) -> str:
    """Write a length as ISO 8601 does, in seconds: no unit of it depends on a calendar."""
    return f"PT{span // timedelta(seconds=1)}{_fraction(span)}S"


def _fraction(span: timedelta) -> str:
    return f".{span.microseconds:06d}".rstrip("0") if span.microseconds else ""


def _moment(value: Time, present: datetime) -> datetime:
    if isinstance(value, str):
        text = value.strip()
        if text.lower() == "now":
            return present
        if text.startswith("-") and _LENGTH.match(text[1:].strip()):
            try:
                return present - length(text[1:].strip())
            except OverflowError as error:
                raise InvalidTimeError(f"{value!r} lies before the year 1") from error
    found = parse_time(value, now=lambda: present)
    # Times of pandas have nanoseconds, which nothing else has.
    return datetime.combine(found.date(), found.time().replace(fold=0), UTC)
