"""What a principal sees: the only way to a table in any query.

What lives here: for each entity type the condition under which a row is visible, as a source to select from.
What does not: who the principal is (`sensorthings.access.principals`) and what is selected.

A source is an alias of the table, or of a sub-select with the condition, which Postgres pulls up into the
query around it: the plan is the one of a hand-written condition. The conditions hold only bind parameters
(`sight_systems`, `sight_writes`, `sight_shared`, from `Principal.parameters`), so that one compiled statement
serves every principal of the same sight.

Observations are seen through their Datastream and HistoricalLocations through their Thing. A contract shares
Datastreams, and with each what it leads to: its Thing and where that is now, its Sensor, its
ObservedProperties, its Observations and their features; not the history of the Thing's Locations.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    any_,
    bindparam,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

from sensorthings.model import tables
from sensorthings.model.entities import EntityType

SYSTEMS = "sight_systems"
"""Bind name of the ids of the systems that the principal reads."""
WRITES = "sight_writes"
"""Bind name of the ids of the systems that the principal writes."""
SHARED = "sight_shared"
"""Bind name of the ids of the Datastreams that contracts share with systems that the principal reads."""

_Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]
_Ids = Select[Any]


class Sight(Enum):
    """How far a principal sees; part of the key of every kept plan."""

    ALL = auto()
    """Everything: admins, and anonymous access where a setting opens it."""
    OWN = auto()
    """What belongs to the systems that the principal reads, and what is common."""
    SHARED = auto()
    """As OWN, and what contracts share with these systems."""
    WRITE = auto()
    """What the principal may change: of the systems that it writes."""

    def source(self, entity: EntityType) -> FromClause:
        """Give the visible rows of an entity type, to select from; each call is an alias of its own."""
        conditions: list[ColumnElement[bool]] = []
        if entity.is_multi is not None:
            conditions.append(entity.table.c.is_multi.is_(entity.is_multi))
        if self is not Sight.ALL:
            conditions.append(self._condition(entity.table.name, entity.table.c))
        return select(entity.table).where(*conditions).subquery() if conditions else entity.table.alias()

    def _condition(self, table: str, columns: _Columns) -> ColumnElement[bool]:
        if table == "observation":
            return columns["datastream_id"].in_(self.ids("datastream"))
        if table == "historical_location":
            # The history of where a Thing was is not part of a contract about its Datastreams.
            return columns["thing_id"].in_((Sight.OWN if self is Sight.SHARED else self).ids("thing"))
        if self is Sight.WRITE:
            return columns["system_id"] == _any_of(WRITES)
        own = or_(columns["system_id"].is_(None), columns["system_id"] == _any_of(SYSTEMS))
        return own if self is Sight.OWN else or_(own, _SHARED_ROWS[table](columns))

    def ids(self, table: str) -> _Ids:
        """Give the ids of the visible Datastreams or Things, for what is seen through them."""
        source = _PARENTS[table].alias()
        return select(source.c.id).where(self._condition(table, source.c))


def _any_of(name: str) -> ColumnElement[Any]:
    return any_(bindparam(name, type_=ARRAY(BigInteger)))


def _of_shared(column: str) -> _Ids:
    streams = tables.datastream.alias()
    return select(streams.c[column]).where(streams.c.id == _any_of(SHARED))


def _is_among(columns: _Columns, ids: _Ids) -> ColumnElement[bool]:
    # An array is computed once per statement and serves index scans, which a sub-select under OR does not.
    return columns["id"] == any_(func.array(ids.scalar_subquery(), type_=ARRAY(BigInteger)))


def _reached_by(column: str) -> Callable[[_Columns], ColumnElement[bool]]:
    return lambda columns: _is_among(columns, _of_shared(column))


def _shared_properties(columns: _Columns) -> ColumnElement[bool]:
    pairs = tables.datastream_observed_property.alias()
    of_multi = select(pairs.c.observed_property_id).where(pairs.c.datastream_id == _any_of(SHARED))
    return or_(_is_among(columns, _of_shared("observed_property_id")), _is_among(columns, of_multi))


def _shared_locations(columns: _Columns) -> ColumnElement[bool]:
    pairs = tables.thing_location.alias()
    places = select(pairs.c.location_id).where(pairs.c.thing_id.in_(_of_shared("thing_id")))
    return _is_among(columns, places)


def _shared_features(columns: _Columns) -> ColumnElement[bool]:
    seen = tables.observation.alias()
    return exists(
        select(seen.c.id).where(
            seen.c.feature_of_interest_id == columns["id"], seen.c.datastream_id == _any_of(SHARED)
        )
    )


_PARENTS = {"datastream": tables.datastream, "thing": tables.thing}
_SHARED_ROWS: dict[str, Callable[[_Columns], ColumnElement[bool]]] = {
    "datastream": lambda columns: columns["id"] == _any_of(SHARED),
    "thing": _reached_by("thing_id"),
    "sensor": _reached_by("sensor_id"),
    "observed_property": _shared_properties,
    "location": _shared_locations,
    "feature_of_interest": _shared_features,
}
