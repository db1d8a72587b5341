"""Time buckets: which bucket an Observation falls into, and what is told of it.

What lives here: reading a bucket's length, and the statement that sums up any set of Observations. What does
not: who may see which of them (the source is given), the answer to a client (`sensorthings.http.aggregates`).

Buckets of a fixed length start at 1970-01-01T00:00:00Z. Calendar buckets are those of UTC: days, weeks from
Monday, months, quarters, years. An Observation falls into the bucket of its phenomenonTime's start. Only
results that are numbers take part. Buckets end with the years 1 and 9999, as times do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Double,
    FromClause,
    Interval,
    Select,
    String,
    case,
    cast,
    extract,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import array

from sensorthings.errors import QuerySyntaxError, QueryTypeError
from sensorthings.model.times import parse_duration

ORIGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Where buckets of a fixed length start."""
SHORTEST: Final = timedelta(milliseconds=1)
_CALENDAR: Final = {"P1D": "day", "P1W": "week", "P1M": "month", "P3M": "quarter", "P1Y": "year"}
_OPTION: Final = "bucket"
_TIME: Final = DateTime(timezone=True)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The length of time buckets.

    Attributes:
        text: As it was asked for, an ISO 8601 duration.
        length: Fixed length; None for a calendar bucket.
        unit: Calendar unit as Postgres names it; empty for a fixed length.
    """

    text: str
    length: timedelta | None
    unit: str = ""

    def start(self, moment: ColumnElement[Any]) -> ColumnElement[Any]:
        """Give the start of the bucket that a time falls into."""
        start: ColumnElement[Any] = (
            func.date_trunc(literal(self.unit, String), moment, literal("UTC", String), type_=_TIME)
            if self.length is None
            else func.date_bin(literal(self.length, Interval), moment, literal(ORIGIN, _TIME), type_=_TIME)
        )
        return func.greatest(start, literal(_FIRST, _TIME), type_=_TIME)

    def end(self, start: ColumnElement[Any]) -> ColumnElement[Any]:
        """Give the end of the bucket that starts at a time; it is outside the bucket."""
        months = {"month": 1, "quarter": 3, "year": 12}.get(self.unit, 0)
        days = {"day": 1, "week": 7}.get(self.unit, 0)
        # Sessions are in UTC, so that a day and a month are those of UTC.
        length = (
            func.make_interval(0, months, 0, days, type_=Interval)
            if self.length is None
            else literal(self.length, Interval)
        )
        return func.least(cast(start + length, _TIME), literal(_LAST, _TIME), type_=_TIME)


def parse_bucket(text: str) -> Bucket:
    """Read the length of buckets, as in `PT15M` or `P1M`.

    Raises:
        QuerySyntaxError: No length that buckets can have.

    >>> parse_bucket("PT1H").length
    datetime.timedelta(seconds=3600)
    """
    unit = _CALENDAR.get(text)
    if unit is not None:
        return Bucket(text, None, unit)
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise QuerySyntaxError(
            _OPTION, str(error), hint=f"As PT15M, PT1H, P2D, or one of {', '.join(_CALENDAR)}."
        ) from None
    if length < SHORTEST:
        raise QuerySyntaxError(_OPTION, f"{text!r} is shorter than a millisecond", hint="As PT15M or PT1H.")
    return Bucket(text, length)


def parse_functions(text: str) -> tuple[str, ...]:
    """Read a list of functions, as in `count,avg`.

    Raises:
        QueryTypeError: An unknown function.

    >>> parse_functions("avg, count")
    ('avg', 'count')
    """
    return _known(tuple(dict.fromkeys(part.strip() for part in text.split(","))))


def _known(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in FUNCTIONS:
            raise QueryTypeError(f"{name!r} is no function of buckets", f"Choose of {', '.join(FUNCTIONS)}.")
    return tuple(names)


def bucket_statement(
    source: FromClause,
    bucket: Bucket,
    functions: Sequence[str],
    *conditions: ColumnElement[bool],
    clause: FromClause | None = None,
) -> Select[Any]:
    """Sum up a set of Observations by Datastream and time bucket.

    Args:
        source: Observations, with their columns: a source of `Sight`, or a sub-select of one.
        bucket: Length of the buckets.
        functions: Of `FUNCTIONS`.
        conditions: On the columns of the source, or of what it is joined to.
        clause: The source with its joins, where conditions need any.

    Returns:
        A query of datastream_id, start and end of the bucket, and a column for each function, by its name;
        ordered by Datastream and time.

    Raises:
        QueryTypeError: An unknown function.
    """
    columns = source.c
    numbers = (
        select(
            columns.datastream_id,
            bucket.start(columns.phenomenon_start).label("start"),
            columns.result_number.label("number"),
            _places(columns).label("place"),
        )
        .select_from(source if clause is None else clause)
        .where(columns.result_number.is_not(None), *conditions)
        .subquery("numbers")
    )
    inside = numbers.c
    return (
        select(
            inside.datastream_id,
            inside.start,
            bucket.end(inside.start).label("end"),
            *(FUNCTIONS[name](inside.number, inside.place).label(name) for name in _known(functions)),
        )
        .group_by(inside.datastream_id, inside.start)
        .order_by(inside.datastream_id, inside.start)
    )


def _places(columns: Any) -> ColumnElement[Any]:  # noqa: ANN401 - the columns of a source
    # Arrays are compared element by element: the least one is the first Observation, its number in the third
    # place. So neither first nor last sorts a bucket.
    return array(
        [
            cast(extract("epoch", columns.phenomenon_start), Double),
            cast(columns.id, Double),
            columns.result_number,
        ]
    )


_MOST_ADDED: Final = 1e290
"""Numbers beyond this have no sum: the database fails as soon as one is too large, for all buckets."""


def _sum(number: ColumnElement[Any]) -> ColumnElement[Any]:
    fits = number.between(literal_column(f"{-_MOST_ADDED}"), literal_column(f"{_MOST_ADDED}"))
    return case((func.count(number) == func.count(number).filter(fits), func.sum(number).filter(fits)))


_Function = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[Any]]
FUNCTIONS: Final[dict[str, _Function]] = {
    "count": lambda number, _: func.count(number),
    "min": lambda number, _: func.min(number),
    "max": lambda number, _: func.max(number),
    "avg": lambda number, _: _sum(number) / func.count(number),
    "sum": lambda number, _: _sum(number),
    "first": lambda _, place: func.min(place, type_=place.type)[3],
    "last": lambda _, place: func.max(place, type_=place.type)[3],
}
"""What can be told of a bucket: expressions over the numbers, and their places in time."""
