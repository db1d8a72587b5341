"""Links between entities that are there: over pairs, over columns, and the ordered ones of a MultiDatastream.

What lives here: linking and unlinking. What does not: making entities (`writes.create`).

Source: OGC 18-088, clauses 10.2.1 (link to existing entities) and 11.2 (ObservedProperties in order).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SmallInteger,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as insert_or_keep

from sensorthings.database import Prepared, Session, prepare
from sensorthings.errors import BodyError
from sensorthings.model.entities import (
    BY_NAME,
    FEATURE_OF_INTEREST,
    MULTI_DATASTREAM,
    OBSERVATION,
    EntityType,
    Relation,
    target_of,
)
from sensorthings.model.tables import datastream, datastream_observed_property, observation, thing
from sensorthings.writes.owners import check_link
from sensorthings.writes.rules import move_thing, places_beside
from sensorthings.writes.work import Made, Work

_ID = bindparam("id", type_=BigInteger)
_NEAR = bindparam("near", type_=BigInteger)
_FAR = bindparam("far", type_=ARRAY(BigInteger))


async def connect(work: Work, relation: Relation, near: Made, far_id: int, *, place: str) -> None:
    """Link an entity to one that is there, over a to-many relation.

    Raises:
        BodyError: The other entity is not there, or not the principal's, or cannot be linked so.
    """
    target = target_of(relation)
    await check_link(work.session, work.principal, target, far_id, place, beside=near.system)
    near_id = near.identifier
    if relation.link is not None and target is MULTI_DATASTREAM:
        raise BodyError(
            "body.ordered_link",
            "the ObservedProperties of a MultiDatastream have an order",
            place=place,
            hint="Change the MultiDatastream: its ObservedProperties, unitOfMeasurements and types together.",
        )
    if relation.foreign_column is not None:
        if target is OBSERVATION:
            await check_kind(work.session, relation, far_id, place)
            work.extents.spoil(await streams_of(work.session, target, far_id))
        await work.session.run(_adopt(target.name, relation.foreign_column), {"id": far_id, "near": near_id})
        if target is OBSERVATION:
            work.extents.spoil(await streams_of(work.session, target, far_id))
    elif relation.name == "Things":
        await move_thing(work.session, far_id, [near_id], work.now)
    else:
        await pair(work.session, relation, near_id, [far_id])


async def join(work: Work, relation: Relation, near: Made, far_id: int) -> None:
    """Add an entity to a set by its link alone.

    A Location is added to those of a Thing, where it takes the place of one with the same encodingType.

    Raises:
        BodyError: The other entity is not there, or not the principal's, or cannot be linked so.
    """
    if {relation.name, relation.inverse} != {"Things", "Locations"}:
        await connect(work, relation, near, far_id, place="")
        return
    await check_link(work.session, work.principal, target_of(relation), far_id, "", beside=near.system)
    near_id = near.identifier
    thing_id, location_id = (far_id, near_id) if relation.name == "Things" else (near_id, far_id)
    known = await places_beside(work.session, thing_id, location_id)
    await move_thing(work.session, thing_id, [*known, location_id], work.now)


async def check_kind(session: Session, relation: Relation, observation_id: int, place: str) -> None:
    """Check that an Observation can move under a Datastream or MultiDatastream: its kind stays.

    Raises:
        BodyError: It is of the other kind.
    """
    if relation.foreign_column != "datastream_id":
        return
    is_multi = await session.scalar(_IS_MULTI, {"id": observation_id})
    if is_multi is not (relation.inverse == "MultiDatastream"):
        raise BodyError(
            "body.link", f"Observation {observation_id} is not of a {relation.inverse}", place=place
        )


async def pair(session: Session, relation: Relation, near_id: int, far_ids: Sequence[int]) -> None:
    """Link two entities of a many-to-many relation; a link that is there stays."""
    await session.run(_pairing(*_owner_of(relation)), {"near": near_id, "far": list(far_ids)})


async def unpair(session: Session, relation: Relation, near_id: int, far_id: int) -> bool:
    """Take a link of a many-to-many relation away; gives whether it was there."""
    values = {"near": near_id, "far": [far_id]}
    return await session.run(_parting(*_owner_of(relation)), values) > 0


async def order_properties(session: Session, stream_id: int, property_ids: Sequence[int], place: str) -> None:
    """Give a MultiDatastream its ObservedProperties, in order; one may be there twice.

    Raises:
        BodyError: There are not as many as unitOfMeasurements and multiObservationDataTypes.
    """
    await session.run(_FORGET_PROPERTIES, {"id": stream_id})
    await session.run(_ORDER_PROPERTIES, {"id": stream_id, "far": list(property_ids)})
    await check_parts(session, stream_id, place)


async def properties_of(session: Session, stream_id: int) -> list[int]:
    """List the ids of the ObservedProperties of a MultiDatastream, in order."""
    return [row[0] for row in await session.rows(_PROPERTIES_OF, {"id": stream_id})]


async def check_parts(session: Session, stream_id: int, place: str) -> None:
    """Check that a MultiDatastream has as many units as types as ObservedProperties.

    Raises:
        BodyError: It has not.
    """
    units, types, properties = await session.row(_PARTS, {"id": stream_id}) or (0, 0, 0)
    if not units == types == properties:
        raise BodyError(
            "body.parts",
            f"a MultiDatastream has as many unitOfMeasurements ({units}) as"
            f" multiObservationDataTypes ({types}) and ObservedProperties ({properties})",
            place=place,
        )


async def streams_of(session: Session, entity: EntityType, identifier: int) -> list[int]:
    """List the Datastreams whose extents hang on an Observation or a FeatureOfInterest."""
    if entity is OBSERVATION:
        rows = await session.rows(_STREAM_OF_OBSERVATION, {"id": identifier})
    elif entity is FEATURE_OF_INTEREST:
        rows = await session.rows(_STREAMS_OF_FEATURE, {"id": identifier})
    else:
        return []
    return [row[0] for row in rows]


def _owner_of(relation: Relation) -> tuple[str, str]:
    """Name a relation so that its statements can be kept."""
    owner = target_of(relation)
    return owner.name, relation.inverse


def _link_of(target: str, inverse: str) -> tuple[Relation, str, str]:
    back = BY_NAME[target].find_relation(inverse)
    if back is None or back.link is None:
        raise AssertionError(f"{target} has no pairs as {inverse}")
    _, far, near = back.link
    return back, near, far


@cache
def _pairing(target: str, inverse: str) -> Prepared:
    back, near, far = _link_of(target, inverse)
    table = back.link[0] if back.link else datastream_observed_property
    rows = select(_NEAR, func.unnest(_FAR).column_valued("far_id"))
    return prepare(insert_or_keep(table).from_select([near, far], rows).on_conflict_do_nothing())


@cache
def _parting(target: str, inverse: str) -> Prepared:
    back, near, far = _link_of(target, inverse)
    table = back.link[0] if back.link else datastream_observed_property
    return prepare(delete(table).where(table.c[near] == _NEAR, table.c[far] == func.any(_FAR)))


@cache
def _adopt(target: str, column: str) -> Prepared:
    entity = BY_NAME[target]
    values: dict[str, ColumnElement[Any]] = {column: _NEAR}
    if column == "thing_id" and "system_id" in entity.table.c:
        # A Datastream belongs where its Thing does.
        values["system_id"] = select(thing.c.system_id).where(thing.c.id == _NEAR).scalar_subquery()
    return prepare(update(entity.table).values(values).where(entity.id_column == _ID))


_OWN_PROPERTIES = datastream_observed_property.c
_RANKED = (
    func.unnest(_FAR).table_valued("property_id", with_ordinality="position", name="ranked").render_derived()
)
_FORGET_PROPERTIES = prepare(delete(datastream_observed_property).where(_OWN_PROPERTIES.datastream_id == _ID))
_ORDER_PROPERTIES = prepare(
    insert(datastream_observed_property).from_select(
        ["datastream_id", "position", "observed_property_id"],
        select(_ID, _RANKED.c.position.cast(SmallInteger), _RANKED.c.property_id),
    )
)
_PROPERTIES_OF = prepare(
    select(_OWN_PROPERTIES.observed_property_id)
    .where(_OWN_PROPERTIES.datastream_id == _ID)
    .order_by(_OWN_PROPERTIES.position)
)
_PARTS = prepare(
    select(
        func.jsonb_array_length(datastream.c.unit_of_measurement),
        func.jsonb_array_length(datastream.c.multi_observation_data_types),
        select(func.count())
        .select_from(datastream_observed_property)
        .where(_OWN_PROPERTIES.datastream_id == datastream.c.id)
        .scalar_subquery(),
    ).where(datastream.c.id == _ID, datastream.c.is_multi)
)
_IS_MULTI = prepare(select(observation.c.is_multi).where(observation.c.id == _ID))
_STREAM_OF_OBSERVATION = prepare(select(observation.c.datastream_id).where(observation.c.id == _ID))
_STREAMS_OF_FEATURE = prepare(
    select(observation.c.datastream_id).where(observation.c.feature_of_interest_id == _ID).distinct()
)
