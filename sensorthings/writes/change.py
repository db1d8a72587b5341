"""Changing and deleting entities, with everything the standard has follow from it.

What lives here: PATCH, PUT and DELETE of one entity inside the caller's transaction. What does not: cascades
that the foreign keys do by themselves.

Source: OGC 18-088, clauses 10.3 (update) and 10.4 (delete, table 25).
"""

from sqlalchemy import delete, select, update

from sensorthings.model.entities import FEATURE_OF_INTEREST, LOCATION, OBSERVATION, THING, EntityType
from sensorthings.model.tables import historical_location, historical_location_location
from sensorthings.writes.bodies import Draft, Reference
from sensorthings.writes.create import Creation
from sensorthings.writes.extents import shrinking_datastreams
from sensorthings.writes.rules import feature_area, move_thing


async def change_entity(request: Creation, identifier: int, draft: Draft) -> None:
    """Change an entity: properties are replaced whole, to-one links replaced, to-many links added.

    A Thing's Locations are replaced as a set, and the move is remembered.

    Raises:
        BodyError: A linked entity is not there.
    """
    entity = draft.entity
    values = dict(draft.values)
    for relation in entity.relations:
        for link in draft.links.get(relation.name, ()):
            if relation.own_column is not None and isinstance(link, Reference):
                values[relation.own_column] = link.identifier
    if entity is FEATURE_OF_INTEREST and "feature" in values:
        values.update(feature_area(values["feature"]))
    if entity is LOCATION and ("location" in values or "encoding_type" in values):
        values["generated_feature_id"] = None  # a changed Location needs a new feature
    if entity is OBSERVATION and "phenomenon_start" in values and values["phenomenon_start"] is None:
        values["phenomenon_start"] = values["phenomenon_end"] = request.now
    before = await request.datastreams_of(entity, identifier)
    if values:
        changed = update(entity.table).where(entity.id_column == identifier).values(values)
        await request.connection.execute(changed)
    await _add_links(request, identifier, draft)
    request.extents.spoil(before)
    request.extents.spoil(await request.datastreams_of(entity, identifier))


async def _add_links(request: Creation, identifier: int, draft: Draft) -> None:
    for relation in draft.entity.relations:
        links = [link for link in draft.links.get(relation.name, ()) if isinstance(link, Reference)]
        if not relation.is_to_many or not links:
            continue
        if draft.entity is THING and relation.name == "Locations":
            location_ids = [link.identifier for link in links]
            await move_thing(request.connection, identifier, location_ids, request.now)
            continue
        for link in links:
            await request.connect(relation, identifier, link.identifier, place=f"/{relation.name}")


async def delete_entity(request: Creation, entity: EntityType, identifier: int) -> None:
    """Delete an entity and what cannot be without it."""
    if entity is OBSERVATION:
        stale = await shrinking_datastreams(request.connection, identifier)
    else:
        stale = await request.datastreams_of(entity, identifier)
    if entity is LOCATION:
        pairs = historical_location_location
        past = select(pairs.c.historical_location_id).where(pairs.c.location_id == identifier)
        await request.connection.execute(
            delete(historical_location).where(historical_location.c.id.in_(past))
        )
    await request.connection.execute(delete(entity.table).where(entity.id_column == identifier))
    request.extents.spoil(stale)
