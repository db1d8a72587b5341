"""Typed SQL values: what an expression of the query language becomes.

What lives here: the sorts of values, constants, and how a JSON value is taken as a number, a text, a truth
value or a time by what is stored in it (anything else becomes SQL NULL, never an error). What does not:
operators and functions.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Interval,
    Numeric,
    Text,
    Time,
    and_,
    bindparam,
    case,
    cast,
    collate,
    func,
    literal,
    literal_column,
    null,
    or_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import Kind, Property
from sensorthings.model.times import parse_instant, parse_period
from sensorthings.odata.nodes import GeographyLiteral, Literal, PeriodLiteral

Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]
"""Columns of a table, an alias or a sub-select."""

_INT64 = 2**63
_SPATIAL_HINT = "As in st_within(location,geography'POLYGON((...))')."
_INSTANT = DateTime(timezone=True)
TEXT_C = Text(collation="C")
"""Text that is compared by code point."""


class Sort(Enum):
    """Sort of a value; the text names it in error messages."""

    NUMBER = "a number"
    TEXT = "a text"
    BOOLEAN = "a truth value"
    INSTANT = "a time"
    PERIOD = "a time interval"
    DAY = "a date"
    CLOCK = "a time of day"
    DURATION = "a duration"
    JSON = "a JSON value"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Value:
    """An SQL expression and its sort.

    Attributes:
        sort: What it is.
        sql: The expression; for an interval its start.
        end: For an interval its end.
        constant: The constant it was made of, when it was.
        number: For a result, the column that holds it as a double when it is a number.
        slot: Number of the place in the query that the constant came from, when it may change.
    """

    sort: Sort
    sql: ColumnElement[Any]
    end: ColumnElement[Any] | None = None
    constant: object = None
    number: ColumnElement[Any] | None = None
    slot: int | None = None

    @property
    def last(self) -> ColumnElement[Any]:
        """The end of an interval, the value itself otherwise."""
        return self.sql if self.end is None else self.end


def constant(node: Literal | PeriodLiteral | GeographyLiteral) -> Value:
    """Turn a constant into a bound parameter.

    Raises:
        QueryTypeError: A geometry, outside of a spatial function.
    """
    if isinstance(node, PeriodLiteral):
        return Value(Sort.PERIOD, literal(node.start, _INSTANT), literal(node.end, _INSTANT), node)
    if isinstance(node, GeographyLiteral):
        raise QueryTypeError("A geometry fits spatial functions only.", _SPATIAL_HINT)
    return _plain(node.value, node.slot)


def _plain(value: object, slot: int | None) -> Value:
    if value is None:
        return Value(Sort.NULL, null())
    for type_, sort, sql_type in _CONSTANTS:
        if isinstance(value, type_):
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _INT64:
                return Value(sort, literal(Decimal(value), Numeric), constant=value)
            return Value(sort, _bound(value, sql_type, slot, sort), constant=value, slot=slot)
    raise QueryTypeError(f"{value!r} cannot be used here")


def _bound(value: object, sql_type: Any, slot: int | None, sort: Sort) -> ColumnElement[Any]:  # noqa: ANN401
    """Bind a constant; by the name of its slot where another request may put another value there."""
    if slot is None:
        return literal(value, sql_type)
    return bindparam(slot_name(slot, sort), value, type_=sql_type)


def slot_name(slot: int, sort: Sort) -> str:
    """Name the parameter of a constant that may change, as it is taken there."""
    return f"slot_{slot}_{sort.name}"


_CONSTANTS: tuple[tuple[type, Sort, Any], ...] = (
    (bool, Sort.BOOLEAN, Boolean),
    (int, Sort.NUMBER, BigInteger),
    (Decimal, Sort.NUMBER, Numeric),
    (str, Sort.TEXT, TEXT_C),
    (datetime, Sort.INSTANT, _INSTANT),
    (date, Sort.DAY, Date),
    (time, Sort.CLOCK, Time),
    (timedelta, Sort.DURATION, Interval),
)

_SORT_OF_KIND = {
    Kind.TEXT: Sort.TEXT,
    Kind.INSTANT: Sort.INSTANT,
    Kind.PERIOD: Sort.PERIOD,
    Kind.MOMENT: Sort.PERIOD,
}


def property_value(described: Property, columns: Columns) -> Value:
    """Take a property of an entity, given the columns of its table.

    Raises:
        QueryTypeError: An area, outside of a spatial function.
    """
    if described.kind is Kind.AREA:
        raise QueryTypeError(f"{described.name} fits spatial functions only.", _SPATIAL_HINT)
    if described.kind is Kind.RESULT:
        return Value(Sort.JSON, json_value(described, columns), number=columns[described.columns[1]])
    sort = _SORT_OF_KIND.get(described.kind, Sort.JSON)
    end = columns[described.columns[1]] if sort is Sort.PERIOD else None
    return Value(sort, columns[described.columns[0]], end)


def json_value(described: Property, columns: Columns) -> ColumnElement[Any]:
    """Take a property that is stored as JSON; a result is JSON or a double."""
    first = columns[described.columns[0]]
    if described.kind is not Kind.RESULT:
        return first
    return func.coalesce(first, func.to_jsonb(columns[described.columns[1]], type_=JSONB), type_=JSONB)


def json_member(value: Value, keys: tuple[str, ...]) -> Value:
    """Take what a JSON value holds under the keys; SQL NULL when there is nothing."""
    keys_sql = [literal(key, Text) for key in keys]
    return Value(Sort.JSON, func.jsonb_extract_path(value.sql, *keys_sql, type_=JSONB))


def json_type(sql: ColumnElement[Any]) -> ColumnElement[str]:
    """Give the JSON type stored in a value, as Postgres names it."""
    return func.jsonb_typeof(sql, type_=Text)


def bare_text(sql: ColumnElement[Any]) -> ColumnElement[str]:
    """Give a JSON value as text, strings without quotes."""
    return collate(sql.op("#>>", return_type=Text())(literal_column("'{}'")), "C")


def as_sort(value: Value, sort: Sort) -> Value:
    """Take a value as another sort where it can be: JSON by what is stored, texts that are times as times.

    Raises:
        QueryTypeError: The value can never be of that sort.
    """
    if value.sort in (sort, Sort.NULL):
        return value
    if value.sort is Sort.JSON and sort in _FROM_JSON:
        return _FROM_JSON[sort](value.sql)
    if sort in (Sort.INSTANT, Sort.PERIOD):
        return _as_time(value, sort)
    raise QueryTypeError(f"Found {value.sort.value} where {sort.value} is needed.")


def _as_time(value: Value, sort: Sort) -> Value:
    found = value.constant
    if value.sort is Sort.PERIOD:
        return Value(Sort.INSTANT, value.sql)
    if value.sort is Sort.INSTANT:
        return Value(Sort.PERIOD, value.sql, value.sql)
    if isinstance(found, str):
        try:
            if sort is Sort.PERIOD and ("/" in found or value.slot is None):
                return constant(PeriodLiteral(*parse_period(found)))
            if sort is Sort.PERIOD:
                instant = constant(Literal(parse_instant(found), value.slot))
                return Value(Sort.PERIOD, instant.sql, instant.sql)
            return constant(Literal(parse_instant(found), value.slot))
        except ValueError as error:
            raise QueryTypeError(f"{found!r} is no time: {error}.") from None
    if isinstance(found, date):
        midnight = constant(Literal(datetime(found.year, found.month, found.day, tzinfo=UTC)))
        return as_sort(midnight, sort)
    raise QueryTypeError(f"Found {value.sort.value} where {sort.value} is needed.")


def _json_number(sql: ColumnElement[Any]) -> Value:
    return Value(Sort.NUMBER, case((json_type(sql) == "number", cast(sql, Numeric))))


def _json_text(sql: ColumnElement[Any]) -> Value:
    is_scalar = or_(json_type(sql) == "string", json_type(sql) == "number")
    return Value(Sort.TEXT, case((is_scalar, bare_text(sql))))


def _json_boolean(sql: ColumnElement[Any]) -> Value:
    return Value(Sort.BOOLEAN, case((json_type(sql) == "boolean", cast(sql, Boolean))))


def _json_instant(sql: ColumnElement[Any]) -> Value:
    text = bare_text(sql)
    is_time = and_(
        json_type(sql) == "string",
        text.regexp_match(r"^\d{4}-\d\d-\d\d([T ]|$)"),
        func.pg_input_is_valid(text, "timestamptz", type_=Boolean),
    )
    return Value(Sort.INSTANT, case((is_time, cast(text, _INSTANT))))


def _json_period(sql: ColumnElement[Any]) -> Value:
    instant = _json_instant(sql).sql
    return Value(Sort.PERIOD, instant, instant)


_FROM_JSON = {
    Sort.NUMBER: _json_number,
    Sort.TEXT: _json_text,
    Sort.BOOLEAN: _json_boolean,
    Sort.INSTANT: _json_instant,
    Sort.PERIOD: _json_period,
}
