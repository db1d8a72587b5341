"""Changing entities, with everything the standard has follow from it.

What lives here: PATCH and PUT of one entity inside the caller's transaction. What does not: deleting
(`writes.remove`), making (`writes.create`).

Source: OGC 18-088, clause 10.3 (update).
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Text, bindparam, func, or_, select, update

from sensorthings.database import prepare
from sensorthings.errors import BodyError
from sensorthings.model.entities import (
    BY_NAME,
    FEATURE_OF_INTEREST,
    HISTORICAL_LOCATION,
    LOCATION,
    MULTI_DATASTREAM,
    OBSERVATION,
    THING,
    EntityType,
    Relation,
)
from sensorthings.model.tables import datastream, observation
from sensorthings.model.tables import location as places
from sensorthings.writes.bodies import Draft, Reference
from sensorthings.writes.extents import shrinking_datastreams
from sensorthings.writes.links import check_parts, connect, order_properties, properties_of, streams_of
from sensorthings.writes.owners import check_link
from sensorthings.writes.rows import update_row
from sensorthings.writes.rules import feature_area, follow_history, move_thing
from sensorthings.writes.streams import check_result, find_stream
from sensorthings.writes.work import Made, Work

_SPANS: Final = (
    "datastream_id",
    "feature_of_interest_id",
    "phenomenon_start",
    "phenomenon_end",
    "result_time",
)
"""Columns of an Observation that the extents of Datastreams hang on."""


async def change_entity(work: Work, found: Made, draft: Draft) -> None:
    """Change an entity: properties are replaced whole, to-one links replaced, to-many links added.

    A Thing's Locations are replaced as a set, and the move is remembered.

    Args:
        work: The request.
        found: The entity, and the system it belongs to.
        draft: What changes.

    Raises:
        BodyError: A linked entity is not there, or a rule would be broken.
    """
    values, identifier = dict(draft.values), found.identifier
    for relation in draft.entity.relations:
        if relation.own_column is not None:
            await _point(work, values, relation, draft, found)
    await change_values(work, draft.entity, identifier, values, draft.place)
    await _add_links(work, found, draft)
    if draft.entity is MULTI_DATASTREAM:
        await _check_multi(work, identifier, draft)
    if draft.entity is HISTORICAL_LOCATION:
        await follow_history(work.session, identifier)


async def change_values(
    work: Work, entity: EntityType, identifier: int, values: dict[str, Any], place: str
) -> None:
    """Change columns of an entity, and what is derived from them.

    Raises:
        BodyError: A rule would be broken.
    """
    if not values:
        return
    if entity is OBSERVATION:
        await _change_observation(work, identifier, values, place)
        return
    if entity is FEATURE_OF_INTEREST and "feature" in values:
        values = values | feature_area(values["feature"])
        work.extents.spoil(await streams_of(work.session, entity, identifier))
    if entity is LOCATION:
        await _forget_feature(work, identifier, values)
    await update_row(work.session, entity, identifier, values)


async def _point(work: Work, values: dict[str, Any], relation: Relation, draft: Draft, found: Made) -> None:
    for link in draft.links.get(relation.name, ()):
        if isinstance(link, Reference):
            place = f"{draft.place}/{relation.name}"
            target = BY_NAME[relation.target]
            system = await check_link(
                work.session, work.principal, target, link.identifier, place, beside=found.system
            )
            values[str(relation.own_column)] = link.identifier
            if relation.target == "Thing" and "system_id" in draft.entity.table.c:
                values["system_id"] = system  # a Datastream belongs where its Thing does


async def _forget_feature(work: Work, identifier: int, values: dict[str, Any]) -> None:
    """Let the next Observation make a new feature, because the Location is changed."""
    given = {"id": identifier, "encoding": values.get("encoding_type")}
    if "location" in values:
        given["location"] = values["location"]
    await work.session.run(_FORGET_FEATURE, given)


async def _change_observation(work: Work, identifier: int, values: dict[str, Any], place: str) -> None:
    if "phenomenon_start" in values and values["phenomenon_start"] is None:
        values["phenomenon_start"] = values["phenomenon_end"] = work.now
    row = await work.session.row(_OBSERVATION, {"id": identifier})
    if row is None:
        return
    before = dict(zip((*_SPANS, "result"), row, strict=True))
    after = before | values
    if "datastream_id" in values or "result" in values:
        stream = await find_stream(work.session, work.streams, after["datastream_id"], place)
        check_result(stream, after["result"], place, is_strict=work.rules.strict_types)
        values["is_multi"] = stream.is_multi
    if any(before[name] != after[name] for name in _SPANS):
        work.extents.spoil(await shrinking_datastreams(work.session, identifier))
        work.extents.add(after)
    await update_row(work.session, OBSERVATION, identifier, values)


async def _check_multi(work: Work, identifier: int, draft: Draft) -> None:
    await check_parts(work.session, identifier, draft.place)
    if "unit_of_measurement" not in draft.values:
        return
    if await work.session.row(_MISFIT, {"id": identifier}) is not None:
        raise BodyError(
            "body.parts",
            "the Observations of this MultiDatastream have another number of values",
            place=f"{draft.place}/unitOfMeasurements",
            hint="Make a new MultiDatastream.",
        )


async def _add_links(work: Work, found: Made, draft: Draft) -> None:
    for relation in draft.entity.relations:
        given = draft.links.get(relation.name, ())
        links = [link.identifier for link in given if isinstance(link, Reference)]
        if not relation.is_to_many or not links:
            continue
        place = f"{draft.place}/{relation.name}"
        if draft.entity is THING and relation.name == "Locations":
            for link in links:
                await check_link(work.session, work.principal, LOCATION, link, place, beside=found.system)
            await move_thing(work.session, found.identifier, links, work.now)
        elif relation.order_column is not None:
            await _change_order(work, found, relation, links, place)
        else:
            for link in links:
                await connect(work, relation, found, link, place=place)


async def _change_order(work: Work, found: Made, relation: Relation, links: list[int], place: str) -> None:
    """Replace the ObservedProperties of a MultiDatastream when all are given, else add some at the end."""
    for link in links:
        await check_link(
            work.session, work.principal, BY_NAME[relation.target], link, place, beside=found.system
        )
    identifier = found.identifier
    known = await properties_of(work.session, identifier)
    parts = await work.session.scalar(_PARTS, {"id": identifier})
    await order_properties(work.session, identifier, links if len(links) == parts else known + links, place)


_ID = bindparam("id", type_=BigInteger)
_OBSERVATION = prepare(
    select(
        *(observation.c[name] for name in _SPANS),
        func.coalesce(observation.c.result, func.to_jsonb(observation.c.result_number)),
    ).where(observation.c.id == _ID)
)
_PARTS = prepare(
    select(func.jsonb_array_length(datastream.c.unit_of_measurement)).where(datastream.c.id == _ID)
)
_MISFIT = prepare(
    select(observation.c.id)
    .join(datastream, datastream.c.id == observation.c.datastream_id)
    .where(
        observation.c.datastream_id == _ID,
        func.jsonb_array_length(observation.c.result)
        != func.jsonb_array_length(datastream.c.unit_of_measurement),
    )
    .limit(1)
)
_FORGET_FEATURE = prepare(
    update(places)
    .values(generated_feature_id=None)
    .where(
        places.c.id == _ID,
        or_(
            places.c.location
            != func.coalesce(bindparam("location", None, type_=places.c.location.type), places.c.location),
            places.c.encoding_type
            != func.coalesce(bindparam("encoding", None, type_=Text), places.c.encoding_type),
        ),
    )
)
