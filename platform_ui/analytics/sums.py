"""Sums over results: by Datastream, by bucket of time, by hour of the day and day of the week.

What lives here: pure values and how they are put together, so that a page, a file and the API show the same
numbers. What does not: where they come from (``reading``). Days and hours are those of UTC; a day of the week
is counted as ISO 8601 does, from 1 for Monday to 7 for Sunday.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Final

HOURS: Final = range(24)
WEEKDAYS: Final = range(1, 8)
WEEKDAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEVELS: Final = 7
"""Shades of a heat map."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Count, sum, lowest and highest of some numbers; of one at least."""

    count: int
    total: float
    low: float
    high: float

    @property
    def mean(self) -> float:
        """Their arithmetic mean."""
        return self.total / self.count

    def __add__(self, other: "Sums") -> "Sums":
        """Return the sums of both."""
        return Sums(
            self.count + other.count,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
        )


@dataclass(frozen=True, slots=True)
class Bucket:
    """The numbers of a Datastream within some time.

    Attributes:
        datastream: Id of the Datastream.
        start: Where the time begins.
        end: Where it ends; this moment belongs to the next one.
        sums: Of the numbers.
    """

    datastream: int | str
    start: datetime
    end: datetime
    sums: Sums


@dataclass(frozen=True, slots=True)
class Cell:
    """The numbers of one hour of one day of the week.

    Attributes:
        weekday: From 1, Monday, to 7.
        hour: From 0 to 23.
        sums: Of the numbers.
        level: Shade, from 0 for the lowest mean of the map to ``LEVELS - 1`` for the highest.
    """

    weekday: int
    hour: int
    sums: Sums
    level: int = 0


def combined(parts: Iterable[Sums]) -> Sums | None:
    """Return the sums of all parts; None for no part."""
    known = list(parts)
    return reduce(lambda one, other: one + other, known) if known else None


def by_datastream(buckets: Iterable[Bucket]) -> dict[int | str, Sums]:
    """Return the sums of each Datastream, by its id."""
    found: dict[int | str, Sums] = {}
    for one in buckets:
        found[one.datastream] = found[one.datastream] + one.sums if one.datastream in found else one.sums
    return found


def by_hour(buckets: Iterable[Bucket]) -> list[Cell]:
    """Return the numbers of each hour of each day of the week, where there are any; Monday first.

    Args:
        buckets: Of one Datastream; each lies within an hour.
    """
    found: dict[tuple[int, int], Sums] = {}
    for one in buckets:
        start = one.start.astimezone(UTC)
        place = (start.isoweekday(), start.hour)
        found[place] = found[place] + one.sums if place in found else one.sums
    level = _shades([sums.mean for sums in found.values()])
    return [Cell(*place, sums, level(sums.mean)) for place, sums in sorted(found.items())]


def of_hours(cells: Sequence[Cell]) -> Mapping[int, Sums]:
    """Return the sums of each hour of the day, over all days."""
    found = {hour: combined(cell.sums for cell in cells if cell.hour == hour) for hour in HOURS}
    return {hour: sums for hour, sums in found.items() if sums is not None}


def of_weekdays(cells: Sequence[Cell]) -> Mapping[int, Sums]:
    """Return the sums of each day of the week, over all hours."""
    found = {day: combined(cell.sums for cell in cells if cell.weekday == day) for day in WEEKDAYS}
    return {day: sums for day, sums in found.items() if sums is not None}


class _shades:  # noqa: N801 - a function with a memory
    """Tells the shade of a number between the lowest and the highest of some."""

    def __init__(self, numbers: Sequence[float]) -> None:
        self._low, self._high = min(numbers, default=0.0), max(numbers, default=0.0)

    def __call__(self, number: float) -> int:
        width = self._high - self._low
        return min(LEVELS - 1, int((number - self._low) / width * LEVELS)) if width > 0 else 0
