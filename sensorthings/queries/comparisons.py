"""Comparisons of typed values, and the keys that order by them.

What lives here: which sorts can be compared and how. What does not: functions and arithmetic
(`queries.functions`).

A JSON value is compared as what it stores: with a number as a number, with a text literal as text (numbers
too). An interval is less than a time (or interval) when it ends before it, greater when it starts after it,
equal when both ends are.

Source: OGC 18-088, clause 9.3.3.5 (built-in filter operations).
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Numeric, Text, and_, case, cast, false, func, or_

from sensorthings.errors import QueryTypeError
from sensorthings.queries.values import Sort, Value, as_sort, bare_text, json_type

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
COMPARISONS = frozenset(_OPERATORS)
"""Names of the comparison operators."""

_TIMES = (Sort.INSTANT, Sort.PERIOD, Sort.DAY)


def compare(name: str, left: Value, right: Value) -> ColumnElement[bool]:
    """Compare two values.

    Raises:
        QueryTypeError: The sorts cannot be compared.
    """
    if Sort.NULL in (left.sort, right.sort):
        return _compare_null(name, left, right)
    if left.sort is Sort.JSON and right.sort is Sort.JSON:
        same = json_type(left.sql) == json_type(right.sql)
        compared: ColumnElement[bool] = _OPERATORS[name](left.sql, right.sql)
        return (
            or_(and_(json_type(left.sql) != json_type(right.sql)), compared)
            if name == "ne"
            else and_(same, compared)
        )
    left, right = _matched(left, right)
    if left.sort is Sort.PERIOD:
        return _compare_periods(name, left, right)
    result: ColumnElement[bool] = _OPERATORS[name](left.sql, right.sql)
    return result


def _matched(left: Value, right: Value) -> tuple[Value, Value]:
    """Bring two values to one sort."""
    if left.sort is right.sort:
        return left, right
    if left.sort is Sort.JSON:
        return _json_as(left, right), right
    if right.sort is Sort.JSON:
        return left, _json_as(right, left)
    for sort in (Sort.PERIOD, Sort.INSTANT):
        if sort in (left.sort, right.sort):
            return as_sort(left, sort), as_sort(right, sort)
    raise QueryTypeError(f"{left.sort.value} cannot be compared with {right.sort.value}.".capitalize())


_EXACT = Decimal(2**53)
"""Beyond it a double does not tell whole numbers apart."""


def _is_small(constant: object) -> bool:
    return isinstance(constant, int | Decimal) and abs(Decimal(constant)) < _EXACT


def _json_as(value: Value, other: Value) -> Value:
    if value.number is not None and other.sort is Sort.NUMBER and _is_small(other.constant):
        return Value(Sort.NUMBER, value.number)
    if other.sort is Sort.DAY:
        return Value(Sort.DAY, func.date(func.timezone("UTC", as_sort(value, Sort.INSTANT).sql)))
    return as_sort(value, other.sort)


def _compare_null(name: str, left: Value, right: Value) -> ColumnElement[bool]:
    value = right if left.sort is Sort.NULL else left
    if name not in ("eq", "ne"):
        return false()
    if value.sort is Sort.JSON:
        is_null: ColumnElement[bool] = func.coalesce(json_type(value.sql), "null") == "null"
    else:
        is_null = value.sql.is_(None)
    return is_null if name == "eq" else ~is_null


def _compare_periods(name: str, left: Value, right: Value) -> ColumnElement[bool]:
    equal = and_(left.sql == right.sql, left.last == right.last)
    if name == "eq":
        return equal
    if name == "ne":
        return or_(left.sql != right.sql, left.last != right.last)
    # In each pair one condition follows from the other; it lets Postgres use the index on the start.
    if name == "lt":
        return and_(left.sql < right.sql, left.last < right.sql)
    if name == "le":
        return and_(left.sql <= right.last, left.last <= right.last)
    return left.sql > right.last if name == "gt" else left.sql >= right.sql


def member(value: Value, candidates: list[Value]) -> ColumnElement[bool]:
    """Claim that a value equals one of several."""
    return or_(*(compare("eq", value, candidate) for candidate in candidates))


def condition(value: Value) -> ColumnElement[bool]:
    """Take a value as a condition.

    Raises:
        QueryTypeError: It is none.
    """
    if value.sort not in (Sort.BOOLEAN, Sort.JSON, Sort.NULL):
        raise QueryTypeError(f"Found {value.sort.value} where a condition is needed.")
    return as_sort(value, Sort.BOOLEAN).sql


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One key that a set is ordered by: null first ascending, last descending.

    Source: OData 4.0 part 2, clause 5.1.1 ($orderby).

    Attributes:
        sql: The key.
        is_descending: Its direction.
    """

    sql: ColumnElement[Any]
    is_descending: bool

    @property
    def may_be_null(self) -> bool:
        """Whether the key can be null."""
        return getattr(self.sql, "nullable", True) is not False and not isinstance(self.sql.type, BigInteger)

    def directed(self) -> ColumnElement[Any]:
        """Give the key as ORDER BY takes it."""
        directed = self.sql.desc() if self.is_descending else self.sql.asc()
        if not self.may_be_null:
            return directed  # without a word on nulls the index can give the order
        return directed.nulls_last() if self.is_descending else directed.nulls_first()

    def same(self, value: ColumnElement[Any] | None) -> ColumnElement[bool]:
        """Claim that the key has a value (None: null)."""
        return self.sql.is_(None) if value is None else self.sql == value

    def beyond(self, value: ColumnElement[Any] | None) -> ColumnElement[bool]:
        """Claim that the key comes after a value (None: null)."""
        if value is None:
            return false() if self.is_descending else self.sql.is_not(None)
        if not self.is_descending:
            return self.sql > value
        return or_(self.sql < value, self.sql.is_(None)) if self.may_be_null else self.sql < value

    def not_before(self, value: ColumnElement[Any] | None) -> ColumnElement[bool] | None:
        """Claim that the key does not come before a value, where an index can use it; None elsewhere."""
        if value is None or (self.is_descending and self.may_be_null):
            return None
        return self.sql <= value if self.is_descending else self.sql >= value


def order_terms(value: Value, *, is_descending: bool) -> list[OrderTerm]:
    """Give the keys that order by a value."""
    return [OrderTerm(key, is_descending) for key in _plain_keys(value)]


def _plain_keys(value: Value) -> list[ColumnElement[Any]]:
    if value.sort is Sort.NULL:
        return []  # the same for every entity
    if value.sort is Sort.PERIOD:
        return [value.sql, value.last]
    if value.sort is not Sort.JSON:
        return [value.sql]
    kind = func.coalesce(json_type(value.sql), "null", type_=Text)
    rank = case({"null": 0, "boolean": 1, "number": 2, "string": 3}, value=kind, else_=4)
    truth = cast(cast(as_sort(value, Sort.BOOLEAN).sql, Integer), Numeric)
    number = case((kind == "boolean", truth), (kind == "number", as_sort(value, Sort.NUMBER).sql))
    return [rank, number, bare_text(value.sql)]
