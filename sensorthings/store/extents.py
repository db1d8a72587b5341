"""The derived values of Datastreams: phenomenonTime, resultTime, observedArea, kept right without triggers.

What lives here: widening after inserts and working out anew after updates and deletes, once for each batch or
request. What does not: deciding which Datastreams are touched (`sensorthings.writes`, the store's own
operations).

Datastreams are locked in the order of their ids before anything is read, so that requests cannot block each
other, and what was committed meanwhile is seen.

Source: OGC 18-088, table 10 (properties of a Datastream entity).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, DateTime

from sensorthings.database import Session, prepare
from sensorthings.model.tables import SCHEMA
from sensorthings.store.batches import NewObservation


@dataclass(slots=True)
class Extent:
    """What some Observations of one Datastream span.

    Attributes:
        phenomenon_start: Earliest start of a phenomenonTime.
        phenomenon_end: Latest end of one.
        result_start: Earliest resultTime; None where none is known.
        result_end: Latest resultTime.
        features: Ids of the features they are about.
    """

    phenomenon_start: datetime
    phenomenon_end: datetime
    result_start: datetime | None = None
    result_end: datetime | None = None
    features: set[int] = field(default_factory=set)

    def add(self, row: NewObservation) -> None:
        """Take in a further Observation."""
        self.phenomenon_start = min(self.phenomenon_start, row.phenomenon_start)
        self.phenomenon_end = max(self.phenomenon_end, row.phenomenon_end)
        if row.result_time is not None:
            self.add_result_time(row.result_time)
        self.features.add(row.feature_of_interest_id)

    def add_result_time(self, moment: datetime) -> None:
        """Take in a further resultTime."""
        if self.result_start is None or moment < self.result_start:
            self.result_start = moment
        if self.result_end is None or moment > self.result_end:
            self.result_end = moment


def extents_of(rows: Iterable[NewObservation]) -> dict[int, Extent]:
    """Give what new Observations span, by the id of the Datastream."""
    found: dict[int, Extent] = {}
    for row in rows:
        extent = found.get(row.datastream_id)
        if extent is None:
            extent = found[row.datastream_id] = Extent(row.phenomenon_start, row.phenomenon_end)
        extent.add(row)
    return found


async def widen(session: Session, extents: Mapping[int, Extent]) -> None:
    """Widen Datastreams by what new Observations span; in one statement.

    Args:
        session: The transaction that stored them.
        extents: By the id of the Datastream.

    Raises:
        psycopg.Error: What the database says.
    """
    if not extents:
        return
    spans = extents.values()
    await session.run(
        _WIDEN,
        {
            "ids": list(extents),
            "phenomenon_starts": [one.phenomenon_start for one in spans],
            "phenomenon_ends": [one.phenomenon_end for one in spans],
            "result_starts": [one.result_start for one in spans],
            "result_ends": [one.result_end for one in spans],
            "paired_ids": [identifier for identifier, one in extents.items() for _ in one.features],
            "features": [feature for one in spans for feature in one.features],
        },
    )


async def recompute(session: Session, datastream_ids: Iterable[int]) -> None:
    """Work out Datastreams anew, after Observations were changed or deleted.

    Args:
        session: The transaction that changed them.
        datastream_ids: In any order; those that are gone are passed over.

    Raises:
        psycopg.Error: What the database says.
    """
    values = {"ids": sorted(set(datastream_ids))}
    if not values["ids"]:
        return
    # Locked in a statement of its own, so that the next one sees what others committed meanwhile, and against
    # those too who only insert: every new Observation holds a share of its Datastream until it is committed.
    await session.run(_LOCK, values)
    await session.run(_RECOMPUTE, values)


_LOWER: Final = ("phenomenon_start", "result_start", "west", "south")
_UPPER: Final = ("phenomenon_end", "result_end", "east", "north")
_NAMES: Final = (*_LOWER, *_UPPER)


def _widened(name: str) -> str:
    return f"{'least' if name in _LOWER else 'greatest'}(locked.{name}, new.{name})"


_CHANGED = ", ".join(f"{name} = {_widened(name)}" for name in _NAMES)
_GROWS = " OR ".join(f"{_widened(name)} IS DISTINCT FROM locked.{name}" for name in _NAMES)
_AREA = ", ".join(
    f"{'min' if name in _LOWER else 'max'}(feature.{name}) AS {name}"
    for name in ("west", "south", "east", "north")
)
_IDS = bindparam("ids", type_=ARRAY(BigInteger))
_TIMES = ARRAY(DateTime(timezone=True))

# The CTE's rows are the newest versions, which the statement's snapshot may not have.
_WIDEN = prepare(
    text(f"""
WITH area AS (
    SELECT paired.datastream_id, {_AREA}
    FROM unnest(:paired_ids, :features) AS paired (datastream_id, feature_id)
    JOIN {SCHEMA}.feature_of_interest AS feature ON feature.id = paired.feature_id
    GROUP BY paired.datastream_id
), new AS (
    SELECT span.*, area.west, area.south, area.east, area.north
    FROM unnest(:ids, :phenomenon_starts, :phenomenon_ends, :result_starts, :result_ends)
        AS span (id, phenomenon_start, phenomenon_end, result_start, result_end)
    LEFT JOIN area ON area.datastream_id = span.id
), locked AS MATERIALIZED (
    SELECT id, {", ".join(_NAMES)} FROM {SCHEMA}.datastream WHERE id = ANY(:ids)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE {SCHEMA}.datastream AS target SET {_CHANGED}
FROM locked JOIN new ON new.id = locked.id
WHERE target.id = locked.id AND ({_GROWS})
""").bindparams(  # noqa: S608 - names of our own columns only
        _IDS,
        bindparam("paired_ids", type_=ARRAY(BigInteger)),
        bindparam("features", type_=ARRAY(BigInteger)),
        *(
            bindparam(name, type_=_TIMES)
            for name in ("phenomenon_starts", "phenomenon_ends", "result_starts", "result_ends")
        ),
    )
)
_LOCK = prepare(
    text(
        f"SELECT id FROM {SCHEMA}.datastream WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"  # noqa: S608
    ).bindparams(_IDS)
)
_RECOMPUTE = prepare(
    text(f"""
UPDATE {SCHEMA}.datastream AS target SET
    {", ".join(f"{name} = now_there.{name}" for name in _NAMES)}
FROM unnest(:ids) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT min(phenomenon_start) AS phenomenon_start, max(phenomenon_end) AS phenomenon_end,
        min(result_time) AS result_start, max(result_time) AS result_end,
        array_agg(DISTINCT feature_of_interest_id) AS features
    FROM {SCHEMA}.observation WHERE datastream_id = wanted.id
) AS span
CROSS JOIN LATERAL (
    SELECT span.phenomenon_start, span.phenomenon_end, span.result_start, span.result_end, {_AREA}
    FROM {SCHEMA}.feature_of_interest AS feature WHERE feature.id = ANY(span.features)
) AS now_there
WHERE target.id = wanted.id
""").bindparams(_IDS)  # noqa: S608 - names of our own columns only
)
