"""The derived values of Datastreams: phenomenonTime, resultTime, observedArea, kept right without triggers.

What lives here: widening after inserts and working out anew after updates and deletes, once for each request
and Datastream. What does not: deciding which Datastreams are touched.

Source: OGC 18-088, table 10 (properties of a Datastream entity).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Subquery,
    Update,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from sensorthings.model.tables import datastream, feature_of_interest, observation

_LOWER = ("phenomenon_start", "result_start", "west", "south")
_UPPER = ("phenomenon_end", "result_end", "east", "north")


@dataclass(slots=True)
class _Extent:
    phenomenon_start: datetime
    phenomenon_end: datetime
    result_start: datetime | None
    result_end: datetime | None
    features: set[int] = field(default_factory=set)


@dataclass(slots=True)
class ExtentLedger:
    """What one request did to the extents of Datastreams; settled once, at its end."""

    _grown: dict[int, _Extent] = field(default_factory=dict)
    _stale: set[int] = field(default_factory=set)

    def add(self, values: dict[str, Any]) -> None:
        """Note a new Observation, given its columns."""
        start, end, result = values["phenomenon_start"], values["phenomenon_end"], values.get("result_time")
        extent = self._grown.setdefault(values["datastream_id"], _Extent(start, end, result, result))
        extent.phenomenon_start = min(extent.phenomenon_start, start)
        extent.phenomenon_end = max(extent.phenomenon_end, end)
        if result is not None:
            extent.result_start = min(extent.result_start or result, result)
            extent.result_end = max(extent.result_end or result, result)
        extent.features.add(values["feature_of_interest_id"])

    def spoil(self, datastream_ids: Iterable[int]) -> None:
        """Note Datastreams whose extents may have shrunk."""
        self._stale.update(datastream_ids)

    async def settle(self, connection: AsyncConnection) -> None:
        """Write what was noted, ordered by id, so that requests cannot block each other."""
        for datastream_id in sorted(self._grown.keys() | self._stale):
            if datastream_id in self._stale:
                # Locked in a statement of its own, so that the next one sees what others committed meanwhile.
                await connection.execute(_LOCK, {"datastream_id": datastream_id})
                await connection.execute(_RECOMPUTE, {"datastream_id": datastream_id})
            else:
                extent = self._grown[datastream_id]
                await connection.execute(
                    _WIDEN,
                    {
                        "datastream_id": datastream_id,
                        "new_phenomenon_start": extent.phenomenon_start,
                        "new_phenomenon_end": extent.phenomenon_end,
                        "new_result_start": extent.result_start,
                        "new_result_end": extent.result_end,
                        "features": sorted(extent.features),
                    },
                )


async def shrinking_datastreams(connection: AsyncConnection, observation_id: int) -> list[int]:
    """List the Datastream of an Observation when its extent shrinks without it.

    It does when the Observation is at an end of a time, or the last one about its feature; looking spares
    working everything out anew for all others.
    """
    mine = observation.c
    own = select(datastream.c.id).join(observation, mine.datastream_id == datastream.c.id)
    lock = own.where(mine.id == observation_id).with_for_update(of=datastream, key_share=True)
    await connection.execute(lock)
    other = observation.alias()
    last_of_feature = ~exists().where(
        other.c.feature_of_interest_id == mine.feature_of_interest_id,
        other.c.datastream_id == mine.datastream_id,
        other.c.id != mine.id,
    )
    found = own.where(
        mine.id == observation_id,
        or_(
            mine.phenomenon_start == datastream.c.phenomenon_start,
            mine.phenomenon_end == datastream.c.phenomenon_end,
            mine.result_time == datastream.c.result_start,
            mine.result_time == datastream.c.result_end,
            last_of_feature,
        ),
    )
    return [int(one) for one in (await connection.execute(found)).scalars()]


_ID = bindparam("datastream_id", type_=BigInteger)


def _area_of_features(condition: ColumnElement[bool]) -> Subquery:
    columns = feature_of_interest.c
    return (
        select(
            # The id ties the one row found to the one row changed.
            _ID.label("datastream_id"),
            func.min(columns.west).label("west"),
            func.min(columns.south).label("south"),
            func.max(columns.east).label("east"),
            func.max(columns.north).label("north"),
        )
        .where(condition)
        .subquery()
    )


def _widen() -> Update:
    area = _area_of_features(feature_of_interest.c.id.in_(bindparam("features", expanding=True)))
    columns = datastream.c

    def new(name: str) -> ColumnElement[Any]:
        return area.c[name] if name in area.c else bindparam(f"new_{name}", type_=columns[name].type)

    changes = {name: func.least(columns[name], new(name)) for name in _LOWER}
    changes |= {name: func.greatest(columns[name], new(name)) for name in _UPPER}
    grows = [new(name) < columns[name] for name in _LOWER]
    grows += [new(name) > columns[name] for name in _UPPER]
    grows += [and_(columns[name].is_(None), new(name).is_not(None)) for name in _LOWER]
    return update(datastream).values(changes).where(columns.id == area.c.datastream_id, or_(*grows))


def _recompute() -> Update:
    columns = observation.c
    own = columns.datastream_id == _ID
    times = (
        select(
            _ID.label("datastream_id"),
            func.min(columns.phenomenon_start).label("phenomenon_start"),
            func.max(columns.phenomenon_end).label("phenomenon_end"),
            func.min(columns.result_time).label("result_start"),
            func.max(columns.result_time).label("result_end"),
        )
        .where(own)
        .subquery()
    )
    area = _area_of_features(feature_of_interest.c.id.in_(select(columns.feature_of_interest_id).where(own)))
    changes = {name: (area if name in area.c else times).c[name] for name in (*_LOWER, *_UPPER)}
    target = datastream.c.id
    return (
        update(datastream)
        .values(changes)
        .where(target == times.c.datastream_id, target == area.c.datastream_id)
    )


_LOCK = select(datastream.c.id).where(datastream.c.id == _ID).with_for_update(key_share=True)
_WIDEN = _widen()
_RECOMPUTE = _recompute()
