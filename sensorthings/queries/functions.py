"""The functions and the arithmetic of the query language.

What lives here: one entry for each function, with the sorts of its arguments. What does not: spatial
functions (`sensorthings.spatial`).

Source: OGC 18-088, table 23 (built-in query functions).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Integer,
    Interval,
    Numeric,
    Text,
    Time,
    cast,
    collate,
    extract,
    func,
    literal,
)
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.sql.elements import Grouping

from sensorthings.errors import QueryTypeError
from sensorthings.queries.values import TEXT_C, Sort, Value, as_sort

_INSTANT = SqlDateTime(timezone=True)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

_Sql = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class _Function:
    arguments: tuple[Sort, ...]
    result: Sort
    build: Callable[..., _Sql]
    optional: int = 0


def call(name: str, arguments: list[Value]) -> Value:
    """Apply a function.

    Raises:
        QueryTypeError: The function is unknown, or its arguments do not fit.
    """
    function = _FUNCTIONS.get(name)
    if function is None:
        known = ", ".join(sorted(_FUNCTIONS))
        raise QueryTypeError(f"There is no function {name}.", f"Known are {known}.")
    most = len(function.arguments)
    if not most - function.optional <= len(arguments) <= most:
        raise QueryTypeError(f"{name} takes {most} arguments, not {len(arguments)}.")
    taken = [as_sort(argument, sort) for argument, sort in zip(arguments, function.arguments, strict=False)]
    if any(value.sort is Sort.PERIOD for value in taken):
        return Value(
            function.result, function.build(*(part for value in taken for part in (value.sql, value.last)))
        )
    return Value(function.result, function.build(*(value.sql for value in taken)))


def calculate(operator: str, left: Value, right: Value) -> Value:
    """Apply `add`, `sub`, `mul`, `div` or `mod`; times take durations. A division by zero gives null.

    Raises:
        QueryTypeError: The operands do not fit.
    """
    if {left.sort, right.sort} & {Sort.INSTANT, Sort.PERIOD, Sort.DURATION, Sort.DAY}:
        return _calculate_times(operator, left, right)
    first: Any = as_sort(left, Sort.NUMBER).sql
    second: Any = as_sort(right, Sort.NUMBER).sql
    if isinstance(first.type, BigInteger | Integer):
        first = cast(first, Numeric)
    return Value(Sort.NUMBER, _ARITHMETIC[operator](first, second))


_ARITHMETIC: dict[str, Callable[[Any, Any], _Sql]] = {
    "add": lambda first, second: first + second,
    "sub": lambda first, second: first - second,
    "mul": lambda first, second: first * second,
    "div": lambda first, second: first / func.nullif(second, 0, type_=Numeric),
    "mod": lambda first, second: first % func.nullif(second, 0, type_=Numeric),
}


def _calculate_times(operator: str, left: Value, right: Value) -> Value:
    if operator not in ("add", "sub"):
        raise QueryTypeError(f"{operator} does not fit {left.sort.value} and {right.sort.value}.")
    if left.sort is Sort.DURATION and right.sort is not Sort.DURATION:
        if operator == "sub":
            raise QueryTypeError("A time cannot be taken from a duration.")
        left, right = right, left
    first: Any = left.sql if left.sort is Sort.DURATION else as_sort(left, Sort.INSTANT).sql
    if right.sort is Sort.DURATION:
        second: Any = cast(right.sql, Interval)
        result = Sort.DURATION if left.sort is Sort.DURATION else Sort.INSTANT
        sql_type: Any = Interval() if result is Sort.DURATION else _INSTANT
        return Value(result, cast(first + second if operator == "add" else first - second, sql_type))
    if operator == "add" or left.sort is Sort.DURATION:
        raise QueryTypeError("Two times cannot be added.")
    return Value(Sort.DURATION, cast(first - as_sort(right, Sort.INSTANT).sql, Interval()))


def _folded(name: str) -> Callable[[_Sql], _Sql]:
    def build(text: _Sql) -> _Sql:
        # Letters beyond ASCII have cases in the database's own collation, not in "C".
        # Grouped, because COLLATE binds tighter than ||.
        return collate(getattr(func, name)(collate(Grouping(text), "default"), type_=Text), "C")

    return build


def _part(name: str) -> Callable[[_Sql], _Sql]:
    def build(instant: _Sql) -> _Sql:
        return extract(name, func.timezone("UTC", instant))

    return build


def _whole_second(instant: _Sql) -> _Sql:
    return func.floor(extract("second", func.timezone("UTC", instant)), type_=Numeric)


def _fraction_of_second(instant: _Sql) -> _Sql:
    return func.mod(extract("second", func.timezone("UTC", instant)), 1, type_=Numeric)


def _position(text: _Sql, needle: _Sql) -> _Sql:
    return func.strpos(text, needle, type_=Integer) - 1


def _cut(text: _Sql, start: _Sql, length: _Sql | None = None) -> _Sql:
    first = _place(start, -_FAR) + 1
    if length is None:
        return func.substr(text, first, type_=TEXT_C)
    return func.substr(text, first, _place(length, 0), type_=TEXT_C)


_FAR = 2**30
"""Beyond every text [characters]; keeps places inside Postgres' integers."""


def _place(number: _Sql, least: int) -> _Sql:
    return cast(func.least(func.greatest(number, least), _FAR), Integer)


def _starts_with(text: _Sql, start: _Sql) -> _Sql:
    return func.starts_with(text, start, type_=Boolean)


def _ends_with(text: _Sql, end: _Sql) -> _Sql:
    return func.right(text, func.char_length(end), type_=TEXT_C) == end


_TEXT, _NUMBER, _BOOLEAN, _TIME, _PERIOD = Sort.TEXT, Sort.NUMBER, Sort.BOOLEAN, Sort.INSTANT, Sort.PERIOD
_FUNCTIONS: dict[str, _Function] = {
    "substringof": _Function((_TEXT, _TEXT), _BOOLEAN, lambda needle, text: func.strpos(text, needle) > 0),
    "contains": _Function((_TEXT, _TEXT), _BOOLEAN, lambda text, needle: func.strpos(text, needle) > 0),
    "startswith": _Function((_TEXT, _TEXT), _BOOLEAN, _starts_with),
    "endswith": _Function((_TEXT, _TEXT), _BOOLEAN, _ends_with),
    "length": _Function((_TEXT,), _NUMBER, lambda text: func.char_length(text, type_=Integer)),
    "indexof": _Function((_TEXT, _TEXT), _NUMBER, _position),
    "substring": _Function((_TEXT, _NUMBER, _NUMBER), _TEXT, _cut, optional=1),
    "tolower": _Function((_TEXT,), _TEXT, _folded("lower")),
    "toupper": _Function((_TEXT,), _TEXT, _folded("upper")),
    "trim": _Function((_TEXT,), _TEXT, lambda text: func.btrim(text, type_=TEXT_C)),
    "concat": _Function((_TEXT, _TEXT), _TEXT, lambda first, second: first.concat(second)),
    "year": _Function((_TIME,), _NUMBER, _part("year")),
    "month": _Function((_TIME,), _NUMBER, _part("month")),
    "day": _Function((_TIME,), _NUMBER, _part("day")),
    "hour": _Function((_TIME,), _NUMBER, _part("hour")),
    "minute": _Function((_TIME,), _NUMBER, _part("minute")),
    "second": _Function((_TIME,), _NUMBER, _whole_second),
    "fractionalseconds": _Function((_TIME,), _NUMBER, _fraction_of_second),
    "date": _Function((_TIME,), Sort.DAY, lambda instant: cast(func.timezone("UTC", instant), Date)),
    "time": _Function((_TIME,), Sort.CLOCK, lambda instant: cast(func.timezone("UTC", instant), Time)),
    # Times are stored as UTC, so the offset of every time shown is 0.
    "totaloffsetminutes": _Function(
        (_TIME,), _NUMBER, lambda instant: func.date_part("timezone", instant) * 0
    ),
    "now": _Function((), _TIME, func.now),
    "mindatetime": _Function((), _TIME, lambda: literal(_FIRST, _INSTANT)),
    "maxdatetime": _Function((), _TIME, lambda: literal(_LAST, _INSTANT)),
    "round": _Function((_NUMBER,), _NUMBER, lambda number: func.round(cast(number, Numeric), type_=Numeric)),
    "floor": _Function((_NUMBER,), _NUMBER, lambda number: func.floor(cast(number, Numeric), type_=Numeric)),
    "ceiling": _Function((_NUMBER,), _NUMBER, lambda number: func.ceil(cast(number, Numeric), type_=Numeric)),
    "before": _Function((_PERIOD, _PERIOD), _BOOLEAN, lambda a, b, c, d: b < c),  # noqa: ARG005
    "after": _Function((_PERIOD, _PERIOD), _BOOLEAN, lambda a, b, c, d: a > d),  # noqa: ARG005
    "meets": _Function((_PERIOD, _PERIOD), _BOOLEAN, lambda a, b, c, d: (b == c) | (a == d)),
    "during": _Function((_PERIOD, _PERIOD), _BOOLEAN, lambda a, b, c, d: (a >= c) & (b <= d)),
    "overlaps": _Function((_PERIOD, _PERIOD), _BOOLEAN, lambda a, b, c, d: (a <= d) & (c <= b)),
    "starts": _Function((_PERIOD, _PERIOD), _BOOLEAN, lambda a, b, c, d: a == c),  # noqa: ARG005
    "finishes": _Function((_PERIOD, _PERIOD), _BOOLEAN, lambda a, b, c, d: b == d),  # noqa: ARG005
}
