"""What a principal sees: the only way to a table in any query.

What lives here: for each entity type the condition under which a row is visible, as a source to select from.
What does not: who the principal is (`sensorthings.access.principals`) and what is selected.

A source is an alias of the table, or of a sub-select with the condition, which Postgres pulls up into the
query around it: the plan is the one of a hand-written condition. The conditions hold only bind parameters
(`sight_systems`, `sight_writes`, `sight_shared` and so on, from `Principal.parameters`), so that one compiled
statement serves every principal of the same sight.

Observations are seen through their Datastream and HistoricalLocations through their Thing. A contract shares
Datastreams, and with each what it leads to: its Thing and where that is now, its Sensor, its
ObservedProperties, its Observations and their features; not the history of the Thing's Locations. Of a
Datastream that is shared without its Observations, or with those from some time on, what follows from hidden
ones is hidden, too: the observed area and the times, the latter as far as they lie before that time.
Principals to whom nothing is shared so have plans without these conditions.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import Grouping, KeyedColumnElement

from sensorthings.model import tables
from sensorthings.model.entities import EntityType

SYSTEMS = "sight_systems"
"""Bind name of the ids of the systems that the principal reads."""
WRITES = "sight_writes"
"""Bind name of the ids of the systems that the principal writes."""
SHARED = "sight_shared"
"""Bind name of the ids of the Datastreams that contracts share with systems that the principal reads."""
OBSERVED = "sight_observed"
"""Bind name of the ids of those of them of which the principal sees Observations."""
LIMITED = "sight_limited"
"""Bind name of the ids of those of which the principal does not see all Observations."""
SINCE_IDS = "sight_since_ids"
"""Bind name of the ids of those of which the principal sees Observations from some time on."""
SINCE_TIMES = "sight_since_times"
"""Bind name of these times, in the order of the ids."""

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
    LIMITED = auto()
    """As SHARED, where not all Observations of some shared Datastreams may be seen."""
    WRITE = auto()
    """What the principal may change: of the systems that it writes."""

    def source(self, entity: EntityType) -> FromClause:
        """Give the visible rows of an entity type, to select from; each call is an alias of its own."""
        conditions: list[ColumnElement[bool]] = []
        if entity.is_multi is not None:
            conditions.append(entity.table.c.is_multi.is_(entity.is_multi))
        if self is not Sight.ALL:
            conditions.append(self._condition(entity.table.name, entity.table.c))
        if not conditions:
            return entity.table.alias()
        return select(*self._columns(entity.table)).where(*conditions).subquery()

    def _columns(self, table: FromClause) -> list[ColumnElement[Any]]:
        if self is not Sight.LIMITED or table is not tables.datastream:
            return list(table.c)
        is_limited = table.c.id == _any_of(LIMITED)
        shown = _limited_columns(table.c)
        return [
            case((is_limited, shown[one.key]), else_=one).label(one.key) if one.key in shown else one
            for one in table.c
        ]

    def _condition(self, table: str, columns: _Columns) -> ColumnElement[bool]:
        through = _SEEN_THROUGH.get(table)
        if through is not None:
            return through(self, columns)
        if self is Sight.WRITE:
            return columns["system_id"] == _any_of(WRITES)
        if self is Sight.OWN:
            return _is_own(columns)
        if self is Sight.LIMITED and table == "feature_of_interest":
            return or_(_is_own(columns), _shared_features(columns, OBSERVED, _has_begun))
        return or_(_is_own(columns), _SHARED_ROWS[table](columns))

    def ids(self, table: str) -> _Ids:
        """Give the ids of the visible Datastreams or Things, for what is seen through them."""
        source = _PARENTS[table].alias()
        return select(source.c.id).where(self._condition(table, source.c))


def _any_of(name: str) -> ColumnElement[Any]:
    return any_(bindparam(name, type_=ARRAY(BigInteger)))


def _is_own(columns: _Columns) -> ColumnElement[bool]:
    return or_(columns["system_id"].is_(None), columns["system_id"] == _any_of(SYSTEMS))


def _since(datastream_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the time from which on Observations of a Datastream are seen; NULL when nothing says so."""
    times = bindparam(SINCE_TIMES, type_=ARRAY(DateTime(timezone=True)))
    place = func.array_position(bindparam(SINCE_IDS, type_=ARRAY(BigInteger)), datastream_id)
    # Parentheses: an index binds closer than the cast that the driver's dialect writes behind a parameter.
    return Grouping(times)[place]


def _has_begun(observations: _Columns) -> ColumnElement[bool]:
    # An expression over one row and no join, so that it never changes from which side a plan begins.
    since = _since(observations["datastream_id"])
    return func.coalesce(observations["phenomenon_start"] >= since, true())


def _limited_columns(streams: _Columns) -> dict[str, ColumnElement[Any]]:
    """Give what is shown of a limited Datastream where the columns tell of all its Observations."""
    since = _since(streams["id"])
    reaches = streams["phenomenon_end"] >= since
    hidden = ("result_start", "result_end", "west", "south", "east", "north")
    return {
        "phenomenon_start": case((reaches, func.greatest(streams["phenomenon_start"], since))),
        "phenomenon_end": case((reaches, streams["phenomenon_end"])),
    } | dict.fromkeys(hidden, null())


LIMITED_COLUMNS = frozenset(_limited_columns(tables.datastream.c))
"""Columns of a Datastream that tell of all its Observations, also of those that are hidden from some."""


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


def _shared_features(
    columns: _Columns, streams: str = SHARED, *further: Callable[[_Columns], ColumnElement[bool]]
) -> ColumnElement[bool]:
    seen = tables.observation.alias()
    return exists(
        select(seen.c.id).where(
            seen.c.feature_of_interest_id == columns["id"],
            seen.c.datastream_id == _any_of(streams),
            *(condition(seen.c) for condition in further),
        )
    )


def _observations(sight: Sight, columns: _Columns) -> ColumnElement[bool]:
    if sight is not Sight.LIMITED:
        return columns["datastream_id"].in_(sight.ids("datastream"))
    streams = tables.datastream.alias()
    seen = or_(_is_own(streams.c), streams.c.id == _any_of(OBSERVED))
    return and_(columns["datastream_id"].in_(select(streams.c.id).where(seen)), _has_begun(columns))


def _history(sight: Sight, columns: _Columns) -> ColumnElement[bool]:
    # The history of where a Thing was is not part of a contract about its Datastreams.
    is_shared = sight in {Sight.SHARED, Sight.LIMITED}
    return columns["thing_id"].in_((Sight.OWN if is_shared else sight).ids("thing"))


_SEEN_THROUGH: dict[str, Callable[[Sight, _Columns], ColumnElement[bool]]] = {
    "observation": _observations,
    "historical_location": _history,
}
_PARENTS = {"datastream": tables.datastream, "thing": tables.thing}
_SHARED_ROWS: dict[str, Callable[[_Columns], ColumnElement[bool]]] = {
    "datastream": lambda columns: columns["id"] == _any_of(SHARED),
    "thing": _reached_by("thing_id"),
    "sensor": _reached_by("sensor_id"),
    "observed_property": _shared_properties,
    "location": _shared_locations,
    "feature_of_interest": _shared_features,
}
