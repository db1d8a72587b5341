"""Creating entities: one, or a whole tree of them (deep insert), inside the caller's transaction.

What lives here: the order in which rows and links are made, so that every rule finds what it needs. What does
not: checks of the body (`writes.bodies`), the rules themselves (`writes.rules`), whom entities belong to
(`writes.owners`).

How it works: entities that the row points to are made first, then the row, then its pair with the entity
around it, then the entities that point to the row: Locations before Datastreams, because Observations need
them.

Source: OGC 18-088, clause 10.2.
"""

from dataclasses import dataclass
from typing import Any

from sensorthings.model.entities import (
    FEATURE_OF_INTEREST,
    HISTORICAL_LOCATION,
    MULTI_DATASTREAM,
    OBSERVATION,
    THING,
    EntityType,
    Relation,
    target_of,
)
from sensorthings.writes.bodies import Draft, Reference
from sensorthings.writes.change import change_values
from sensorthings.writes.identities import claim_id, find_twin
from sensorthings.writes.links import connect, order_properties, pair
from sensorthings.writes.outbox_rows import OutboxRow, new_dt_id, record_value
from sensorthings.writes.owners import check_link, system_of_new
from sensorthings.writes.rows import insert_row
from sensorthings.writes.rules import feature_area, follow_history, generated_feature, move_thing, places_of
from sensorthings.writes.streams import check_result, find_stream
from sensorthings.writes.work import Made, Work


@dataclass(frozen=True, slots=True)
class Parent:
    """The entity around a new one.

    Attributes:
        relation: The relation, seen from the new entity.
        identifier: Id of the entity around it.
        system: Id of the system that it belongs to; None for what is common.
    """

    relation: Relation
    identifier: int
    system: int | None


def parent_of(entity: EntityType, relation: Relation, identifier: int, system: int | None) -> Parent:
    """Describe the entity around a new one.

    Args:
        entity: Type of the new entity.
        relation: Relation from the entity around it to the new one.
        identifier: Id of the entity around it.
        system: Id of the system that it belongs to.
    """
    inverse = entity.find_relation(relation.inverse)
    if inverse is None:
        raise AssertionError(f"{entity.name} lacks {relation.inverse}")
    return Parent(inverse, identifier, system)


async def create_entity(
    work: Work, draft: Draft, parent: Parent | None = None, inherited: int | None = None
) -> Made:
    """Create an entity with everything its draft holds.

    Args:
        work: The request.
        draft: What to make.
        parent: The entity around it, where one points to the other by a link of its own.
        inherited: System of the entity that will point to it.

    Raises:
        BodyError: A rule cannot be kept.
        ForbiddenError: The principal may not make it.
    """
    values, system = await _row(work, draft, parent, inherited)
    if work.is_upsert:
        twin = await find_twin(work.session, draft.entity, values)
        if twin is not None:
            made = Made(twin, system, is_new=False)
            await change_values(work, draft.entity, twin, values, draft.place)
            return await _surround(work, draft, parent, made)
    await _derive(work, values, draft)
    if draft.identifier is not None:
        await claim_id(work.session, draft.entity, draft.identifier)
        values["id"] = draft.identifier
    made = Made(await insert_row(work.session, draft.entity, values), system)
    if draft.entity is OBSERVATION:
        work.extents.add(values)
    return await _surround(work, draft, parent, made)


async def _row(
    work: Work, draft: Draft, parent: Parent | None, inherited: int | None
) -> tuple[dict[str, Any], int | None]:
    """Give the columns of the row and its system, once everything that it points to is there."""
    values = dict(draft.values)
    system = parent.system if parent is not None else inherited
    for relation in draft.entity.relations:
        if relation.own_column is not None:
            target = await _point(work, relation, draft, parent, system)
            if target is None:
                continue
            values[relation.own_column] = target.identifier
            if relation.target in _OWNERS:
                system = target.system
    if "system_id" in draft.entity.table.c:
        system = await system_of_new(work.session, work.principal, values.get("name"), system)
        values["system_id"] = system
    if draft.entity is OBSERVATION and values.get("phenomenon_start") is None:
        values["phenomenon_start"] = values["phenomenon_end"] = work.now
    return values, system


async def _surround(work: Work, draft: Draft, parent: Parent | None, made: Made) -> Made:
    """Link the entity with those around it, and make those inside it."""
    await _pair_with_parent(work, draft, parent, made)
    await _gather(work, draft, parent, made)
    if draft.entity is HISTORICAL_LOCATION:
        await follow_history(work.session, made.identifier)
    return made


_OWNERS = ("Thing", "Datastream", "MultiDatastream")
"""Types whose system is that of what points to them."""


async def _point(
    work: Work, relation: Relation, draft: Draft, parent: Parent | None, system: int | None
) -> Made | None:
    """Give the entity that a to-one relation points to; make it if need be."""
    if parent is not None and parent.relation == relation:
        return Made(parent.identifier, parent.system, is_new=False)
    target = None
    for link in draft.links.get(relation.name, ()):
        target = await _resolve(work, relation, link, f"{draft.place}/{relation.name}", system)
    return target


async def _resolve(
    work: Work, relation: Relation, link: Reference | Draft, place: str, system: int | None
) -> Made:
    if isinstance(link, Draft):
        return await create_entity(work, link, inherited=system)
    target = target_of(relation)
    found = await check_link(work.session, work.principal, target, link.identifier, place, beside=system)
    return Made(link.identifier, found, is_new=False)


async def _derive(work: Work, values: dict[str, Any], draft: Draft) -> None:
    if draft.entity is FEATURE_OF_INTEREST:
        values.update(feature_area(values["feature"]))
    elif draft.entity is OBSERVATION:
        stream = await find_stream(work.session, work.streams, values["datastream_id"], draft.place)
        check_result(stream, values["result"], draft.place, is_strict=work.rules.strict_types)
        values["is_multi"] = stream.is_multi
        if "feature_of_interest_id" not in values:
            values["feature_of_interest_id"] = await generated_feature(
                work.session, values["datastream_id"], draft.place
            )
        if work.rules.outbox and stream.topic is not None and stream.key is not None:
            values.setdefault("dt_id", new_dt_id())
            value = record_value(stream.identifier, values, is_multi=stream.is_multi)
            work.outgoing.append(OutboxRow(stream.topic, stream.key, value, values["dt_id"]))


async def _pair_with_parent(work: Work, draft: Draft, parent: Parent | None, made: Made) -> None:
    if parent is None or parent.relation.link is None or draft.entity is MULTI_DATASTREAM:
        return
    is_move = parent.relation.name in ("Things", "Locations") and draft.entity is not HISTORICAL_LOCATION
    if not is_move:
        await pair(work.session, parent.relation, made.identifier, [parent.identifier])
    elif draft.entity is not THING:
        await _move(work, parent.identifier, [made.identifier])
    elif not draft.links.get("Locations"):
        await _move(work, made.identifier, [parent.identifier])


async def _gather(work: Work, draft: Draft, parent: Parent | None, made: Made) -> None:
    """Make or link the entities that hang on the new one."""
    for relation in draft.entity.relations:
        if not relation.is_to_many:
            continue
        links = draft.links.get(relation.name, [])
        place = f"{draft.place}/{relation.name}"
        if relation.order_column is not None:
            known = [parent.identifier] if parent is not None and parent.relation == relation else []
            ids = known + [
                (await _resolve(work, relation, link, place, made.system)).identifier for link in links
            ]
            await order_properties(work.session, made.identifier, ids, draft.place)
        elif draft.entity is THING and relation.name == "Locations":
            await _place(work, links, parent, made, place)
        else:
            await _gather_one(work, relation, links, made, place)


async def _place(
    work: Work, links: "list[Reference | Draft]", parent: Parent | None, made: Made, place: str
) -> None:
    relation = THING.find_relation("Locations")
    if relation is None or not links:
        return
    ids = [(await _resolve(work, relation, link, place, made.system)).identifier for link in links]
    if parent is not None and parent.relation == relation:
        ids.append(parent.identifier)
    await _move(work, made.identifier, ids)


async def _move(work: Work, thing_id: int, location_ids: list[int]) -> None:
    """Move a Thing; an upsert that finds it there already changes nothing."""
    if work.is_upsert and set(await places_of(work.session, thing_id)) == set(location_ids):
        return
    await move_thing(work.session, thing_id, location_ids, work.now)


async def _gather_one(
    work: Work, relation: Relation, links: "list[Reference | Draft]", made: Made, place: str
) -> None:
    target = target_of(relation)
    here = parent_of(target, relation, made.identifier, made.system)
    for link in links:
        if isinstance(link, Draft):
            await create_entity(work, link, here)
        else:
            await connect(work, relation, made, link.identifier, place=place)


def starts_of(draft: Draft) -> list[Any]:
    """List the starts of the phenomenonTimes of all Observations in a draft; None for one made now."""
    pending: list[Reference | Draft] = [draft]
    found = []
    while pending:
        one = pending.pop()
        if isinstance(one, Draft):
            if one.entity is OBSERVATION:
                found.append(one.values.get("phenomenon_start"))
            pending += [link for links in one.links.values() for link in links]
    return found
