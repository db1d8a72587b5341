"""Deleting entities, and taking links between them away.

What lives here: what a deletion takes along or leaves out of date. What does not: cascades that the foreign
keys do by themselves.

Source: OGC 18-088, clause 10.4 (delete, table 25).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    all_,
    any_,
    bindparam,
    delete,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from sensorthings.access.sight import WRITES
from sensorthings.database import prepare
from sensorthings.errors import BodyError, EntityMissingError, RequestError
from sensorthings.model.entities import (
    BY_NAME,
    FEATURE_OF_INTEREST,
    LOCATION,
    OBSERVATION,
    OBSERVED_PROPERTY,
    SENSOR,
    EntityType,
    Relation,
)
from sensorthings.model.tables import (
    datastream,
    datastream_observed_property,
    historical_location,
    historical_location_location,
    observation,
    thing,
)
from sensorthings.writes.extents import shrinking_datastreams
from sensorthings.writes.links import unpair
from sensorthings.writes.rules import move_thing, place_thing, places_of
from sensorthings.writes.work import Work


async def delete_entities(work: Work, entity: EntityType, identifiers: Sequence[int]) -> int:
    """Delete entities of one type and what cannot be without them.

    Returns:
        How many there were.
    """
    ids = {"ids": list(identifiers)}
    await _check_dependents(work, entity, ids)
    if entity is OBSERVATION and len(identifiers) == 1:
        work.extents.spoil(await shrinking_datastreams(work.session, identifiers[0]))
    elif entity in (OBSERVATION, FEATURE_OF_INTEREST):
        streams = _STREAMS_OF[entity.name]
        work.extents.spoil([row[0] for row in await work.session.rows(streams, ids)])
    elif entity is LOCATION:
        await work.session.run(_DELETE_PAST, ids)
    elif entity is OBSERVED_PROPERTY:
        await work.session.run(_DELETE_MULTI, ids)
    return await work.session.run(_DELETE[entity.name], ids)


async def _check_dependents(work: Work, entity: EntityType, ids: Mapping[str, object]) -> None:
    """Check that a deletion takes along nothing of systems that the principal may not write."""
    statement = _DEPENDENTS.get(entity.name)
    if statement is None or work.principal.is_admin:
        return
    if await work.session.row(statement, {**ids, **work.principal.parameters()}) is not None:
        raise RequestError(
            409,
            "entity.in_use",
            f"Something that another system owns hangs on this {entity.name}, and would be deleted with it.",
            "Ask an administrator.",
        )


async def unlink(work: Work, relation: Relation, near_id: int, far_id: int) -> None:
    """Take the link between two entities away.

    Raises:
        BodyError: One of them cannot be without the link.
        EntityMissingError: There is no such link.
    """
    if relation.link is None:
        raise BodyError(
            "body.mandatory_link",
            f"the link to {relation.target} {far_id} cannot be taken away, only replaced",
            hint="Link another entity by PUT or PATCH, or delete the entity.",
        )
    if relation.name in ("ObservedProperties", "MultiDatastreams"):
        raise BodyError(
            "body.ordered_link",
            "the ObservedProperties of a MultiDatastream belong to its units and types",
            hint="PATCH the MultiDatastream: ObservedProperties, unitOfMeasurements and types together.",
        )
    if not await unpair(work.session, relation, near_id, far_id):
        raise EntityMissingError(
            f"{relation.name} does not lead to {far_id}.", "Read the set to see its links."
        )
    if "HistoricalLocation" in (relation.target, relation.inverse.removesuffix("s")):
        history_id = far_id if relation.target == "HistoricalLocation" else near_id
        await _check_history(work, history_id)
    else:
        await _remember_move(work, far_id if relation.target == "Thing" else near_id)


async def _check_history(work: Work, history_id: int) -> None:
    if await work.session.row(_PLACES_OF_MOVE, {"id": history_id}) is None:
        raise BodyError(
            "body.mandatory_link",
            f"HistoricalLocation {history_id} needs a Location, and this is its last one",
            hint="Link another Location first, or delete the HistoricalLocation.",
        )


async def _remember_move(work: Work, thing_id: int) -> None:
    left = await places_of(work.session, thing_id)
    if left:
        await move_thing(work.session, thing_id, left, work.now)
    else:
        await place_thing(work.session, thing_id, left)


_ID = bindparam("id", type_=BigInteger)
_IDS = any_(bindparam("ids", type_=ARRAY(BigInteger)))
_PAIRS = historical_location_location.c
_STREAMS = select(observation.c.datastream_id).distinct()
_STREAMS_OF = {
    OBSERVATION.name: prepare(_STREAMS.where(observation.c.id == _IDS)),
    FEATURE_OF_INTEREST.name: prepare(_STREAMS.where(observation.c.feature_of_interest_id == _IDS)),
}


def _foreign(systems: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell what belongs to a system that the principal may not write, or to none."""
    return func.coalesce(systems != all_(bindparam(WRITES, type_=ARRAY(BigInteger))), true())


def _streams_by(condition: ColumnElement[bool]) -> Select[Any]:
    return select(datastream.c.id).where(condition, _foreign(datastream.c.system_id)).limit(1)


_OF_MULTI = select(datastream_observed_property.c.datastream_id).where(
    datastream_observed_property.c.observed_property_id == _IDS
)
_DEPENDENTS = {
    SENSOR.name: prepare(_streams_by(datastream.c.sensor_id == _IDS)),
    OBSERVED_PROPERTY.name: prepare(
        _streams_by(or_(datastream.c.observed_property_id == _IDS, datastream.c.id.in_(_OF_MULTI)))
    ),
    FEATURE_OF_INTEREST.name: prepare(
        _streams_by(datastream.c.id.in_(_STREAMS.where(observation.c.feature_of_interest_id == _IDS)))
    ),
    LOCATION.name: prepare(
        select(thing.c.id)
        .join(historical_location, historical_location.c.thing_id == thing.c.id)
        .join(historical_location_location, _PAIRS.historical_location_id == historical_location.c.id)
        .where(_PAIRS.location_id == _IDS, _foreign(thing.c.system_id))
        .limit(1)
    ),
}
_DELETE_MULTI = prepare(delete(datastream).where(datastream.c.id.in_(_OF_MULTI)))
_DELETE_PAST = prepare(
    delete(historical_location).where(
        historical_location.c.id.in_(select(_PAIRS.historical_location_id).where(_PAIRS.location_id == _IDS))
    )
)
_DELETE = {
    name: prepare(delete(entity.table).where(entity.id_column == _IDS)) for name, entity in BY_NAME.items()
}
_PLACES_OF_MOVE = prepare(select(_PAIRS.location_id).where(_PAIRS.historical_location_id == _ID).limit(1))
