"""Terms: what stands for a spatial call in a statement.

What lives here: SQL of places, of constants and of look-ups by id. What does not: SQL of PostGIS
(`spatial.postgis`), sorts of values and the rest of an expression (`sensorthings.queries`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    Text,
    any_,
    cast,
    false,
    func,
    literal,
    null,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

from sensorthings.model.entities import BY_NAME
from sensorthings.spatial.calls import Place, Result

Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]
"""Columns of a table, an alias or a sub-select."""

SQL_TYPES: Mapping[Result, Any] = {
    Result.BOOLEAN: Boolean,
    Result.NUMBER: Double,
    Result.TEXT: Text(collation="C"),
}
"""SQL types of results."""


class Term(Protocol):
    """What stands for a call: takes the columns of the entity that its paths end in."""

    @property
    def prefix(self) -> tuple[str, ...]:
        """Relations from the entities of the option to that entity; empty for themselves."""

    @property
    def result(self) -> Result:
        """What it gives."""

    def sql(self, columns: Columns) -> ColumnElement[Any]:
        """Give the SQL, typed by the result: Boolean, Double or Text."""


@dataclass(frozen=True, slots=True)
class ConstantTerm:
    """A call without paths, computed.

    Attributes:
        result: What it gives.
        value: The value; None for null.
        prefix: Always empty.
    """

    result: Result
    value: bool | float | str | None
    prefix: tuple[str, ...] = ()

    def sql(self, columns: Columns) -> ColumnElement[Any]:  # noqa: ARG002 - as every term
        """Give the value as a bound parameter."""
        sql_type = SQL_TYPES[self.result]
        return cast(null(), sql_type) if self.value is None else literal(self.value, sql_type)


@dataclass(frozen=True, slots=True)
class LookupTerm:
    """A call computed for every entity that it may meet: a look-up by id, null where nothing is known.

    One JSON object holds all values, because Postgres finds a key in it by bisection.

    Attributes:
        result: What it gives.
        prefix: Relations to the entity.
        values: Values by id.
    """

    result: Result
    prefix: tuple[str, ...]
    values: Mapping[int, bool | float | str]

    def sql(self, columns: Columns) -> ColumnElement[Any]:
        """Give the look-up."""
        sql_type = SQL_TYPES[self.result]
        if not self.values:
            return cast(null(), sql_type)
        by_id: Any = literal({str(identifier): value for identifier, value in self.values.items()}, JSONB)
        key = cast(columns["id"], Text)
        if self.result is Result.TEXT:
            text: ColumnElement[str] = by_id.op("->>", return_type=sql_type)(key)
            return text
        return cast(by_id.op("->", return_type=JSONB)(key), sql_type)


@dataclass(frozen=True, slots=True)
class ClaimTerm:
    """A condition computed for every entity that it may meet; where null and false are alike.

    Attributes:
        prefix: Relations to the entity.
        ids: Entities for which it is true.
        result: Always BOOLEAN.
    """

    prefix: tuple[str, ...]
    ids: Sequence[int]
    result: Result = Result.BOOLEAN

    def sql(self, columns: Columns) -> ColumnElement[Any]:
        """Give the condition; an index on the id can serve it."""
        if not self.ids:
            return false()
        matches: ColumnElement[bool] = columns["id"] == any_(literal(list(self.ids), ARRAY(BigInteger)))
        return matches


def json_at(place: Place, columns: Columns) -> ColumnElement[Any]:
    """Give the JSON value at a place that is no area.

    Args:
        place: The place.
        columns: Columns of the entity that holds it.
    """
    described = BY_NAME[place.entity].find_property(place.name)
    if described is None:
        raise AssertionError(f"{place.entity} has no {place.name}; calls are checked before")
    whole = next(columns[one] for one in described.columns if isinstance(columns[one].type, JSONB))
    if not place.keys:
        return whole
    found: ColumnElement[Any] = func.jsonb_extract_path(
        whole, *(literal(key, Text) for key in place.keys), type_=JSONB
    )
    return found
