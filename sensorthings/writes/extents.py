"""What a request does to the derived values of Datastreams: phenomenonTime, resultTime, observedArea.

What lives here: taking note while the request runs, so that every Datastream is brought up to date once, at
its end. What does not: the statements that do it (`sensorthings.store.extents`).

Source: OGC 18-088, table 10 (properties of a Datastream entity).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, exists, or_, select

from sensorthings.database import Session, prepare
from sensorthings.model.tables import datastream, observation
from sensorthings.store.extents import Extent, recompute, widen


@dataclass(slots=True)
class ExtentLedger:
    """What one request did to the extents of Datastreams; settled once, at its end."""

    _grown: dict[int, Extent] = field(default_factory=dict)
    _stale: set[int] = field(default_factory=set)

    def add(self, values: dict[str, Any]) -> None:
        """Note a new Observation, given its columns."""
        start, end, result = values["phenomenon_start"], values["phenomenon_end"], values.get("result_time")
        extent = self._grown.setdefault(values["datastream_id"], Extent(start, end))
        extent.phenomenon_start = min(extent.phenomenon_start, start)
        extent.phenomenon_end = max(extent.phenomenon_end, end)
        if result is not None:
            extent.add_result_time(result)
        extent.features.add(values["feature_of_interest_id"])

    def spoil(self, datastream_ids: Iterable[int]) -> None:
        """Note Datastreams whose extents may have shrunk."""
        self._stale.update(datastream_ids)

    async def settle(self, session: Session) -> None:
        """Write what was noted."""
        await recompute(session, self._stale)
        await widen(session, {one: self._grown[one] for one in sorted(self._grown.keys() - self._stale)})


async def shrinking_datastreams(session: Session, observation_id: int) -> list[int]:
    """List the Datastream of an Observation when its extent shrinks without it.

    It does when the Observation is at an end of a time, or the last one about its feature; looking spares
    working everything out anew for all others.
    """
    await session.run(_LOCK_STREAM_OF, {"id": observation_id})
    return [int(row[0]) for row in await session.rows(_SHRINKING, {"id": observation_id})]


def _shrinking() -> tuple[Select[Any], Select[Any]]:
    mine = observation.c
    identifier = bindparam("id", type_=BigInteger)
    own = select(datastream.c.id).join(observation, mine.datastream_id == datastream.c.id)
    lock = own.where(mine.id == identifier).with_for_update(of=datastream)
    other = observation.alias()
    last_of_feature = ~exists().where(
        other.c.feature_of_interest_id == mine.feature_of_interest_id,
        other.c.datastream_id == mine.datastream_id,
        other.c.id != mine.id,
    )
    found = own.where(
        mine.id == identifier,
        or_(
            mine.phenomenon_start == datastream.c.phenomenon_start,
            mine.phenomenon_end == datastream.c.phenomenon_end,
            mine.result_time == datastream.c.result_start,
            mine.result_time == datastream.c.result_end,
            last_of_feature,
        ),
    )
    return lock, found


_LOCK_STREAM_OF, _SHRINKING = (prepare(one) for one in _shrinking())
