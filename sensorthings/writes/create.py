"""Creating entities: one, or a whole tree of them (deep insert), inside the caller's transaction.

What lives here: the order in which rows and links are made, so that every rule finds what it needs. What does
not: checks of the body (`writes.bodies`), the rules themselves (`writes.rules`).

How it works: entities that the row points to are made first, then the row, then its pair with the entity
around it, then the entities that point to the row: Locations before Datastreams, because Observations need
them.

Source: OGC 18-088, clause 10.2.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_keep
from sqlalchemy.ext.asyncio import AsyncConnection

from sensorthings.errors import BodyError
from sensorthings.model.entities import (
    FEATURE_OF_INTEREST,
    HISTORICAL_LOCATION,
    OBSERVATION,
    THING,
    EntityType,
    Relation,
    target_of,
)
from sensorthings.model.tables import observation
from sensorthings.writes.bodies import Draft, Reference
from sensorthings.writes.extents import ExtentLedger
from sensorthings.writes.rules import feature_area, follow_history, generated_feature, move_thing


@dataclass(frozen=True, slots=True)
class Parent:
    """The entity around a new one.

    Attributes:
        relation: The relation, seen from the new entity.
        identifier: Id of the entity around it.
    """

    relation: Relation
    identifier: int


def parent_of(entity: EntityType, relation: Relation, identifier: int) -> Parent:
    """Describe the entity around a new one.

    Args:
        entity: Type of the new entity.
        relation: Relation from the entity around it to the new one.
        identifier: Id of the entity around it.
    """
    inverse = entity.find_relation(relation.inverse)
    if inverse is None:
        raise AssertionError(f"{entity.name} lacks {relation.inverse}")
    return Parent(inverse, identifier)


@dataclass(slots=True)
class Creation:
    """One request that creates entities.

    Attributes:
        connection: Open transaction.
        now: Time of the request, for everything it makes.
        extents: What it does to Datastreams.
    """

    connection: AsyncConnection
    now: datetime
    extents: ExtentLedger = field(default_factory=ExtentLedger)

    async def create(self, draft: Draft, parent: Parent | None = None) -> int:
        """Create an entity with everything its draft holds.

        Returns:
            Its id.

        Raises:
            BodyError: A rule cannot be kept.
        """
        values = dict(draft.values)
        for relation in draft.entity.relations:
            if relation.own_column is not None:
                await self._point(values, relation, draft, parent)
        await self._derive(values, draft)
        made = insert(draft.entity.table).values(values).returning(draft.entity.id_column)
        identifier = int((await self.connection.execute(made)).scalar_one())
        if draft.entity is OBSERVATION:
            self.extents.add(values)
        await self._pair_with_parent(draft, parent, identifier)
        for relation in draft.entity.relations:
            if relation.is_to_many and relation.name in draft.links:
                await self._gather(relation, draft, parent, identifier)
        if draft.entity is HISTORICAL_LOCATION:
            await follow_history(self.connection, identifier)
        return identifier

    async def _point(
        self, values: dict[str, Any], relation: Relation, draft: Draft, parent: Parent | None
    ) -> None:
        column = str(relation.own_column)
        if parent is not None and parent.relation == relation:
            values[column] = parent.identifier
            return
        for link in draft.links.get(relation.name, ()):
            values[column] = await self._resolve(link)

    async def _resolve(self, link: Reference | Draft, parent: Parent | None = None) -> int:
        return link.identifier if isinstance(link, Reference) else await self.create(link, parent)

    async def _derive(self, values: dict[str, Any], draft: Draft) -> None:
        if draft.entity is FEATURE_OF_INTEREST:
            values.update(feature_area(values["feature"]))
        elif draft.entity is OBSERVATION:
            if values.get("phenomenon_start") is None:
                values["phenomenon_start"] = values["phenomenon_end"] = self.now
            if "feature_of_interest_id" not in values:
                values["feature_of_interest_id"] = await generated_feature(
                    self.connection, values["datastream_id"], draft.place
                )

    async def _pair_with_parent(self, draft: Draft, parent: Parent | None, identifier: int) -> None:
        if parent is None or parent.relation.link is None:
            return
        is_move = parent.relation.name in ("Things", "Locations") and draft.entity is not HISTORICAL_LOCATION
        if not is_move:
            await self._pair(parent.relation, identifier, [parent.identifier])
        elif draft.entity is not THING:
            await move_thing(self.connection, parent.identifier, [identifier], self.now)
        elif not draft.links.get("Locations"):
            await move_thing(self.connection, identifier, [parent.identifier], self.now)

    async def _gather(self, relation: Relation, draft: Draft, parent: Parent | None, identifier: int) -> None:
        links = draft.links[relation.name]
        target = target_of(relation)
        if draft.entity is THING and relation.name == "Locations":
            location_ids = [await self._resolve(link) for link in links]
            if parent is not None and parent.relation == relation:
                location_ids.append(parent.identifier)
            if location_ids:
                await move_thing(self.connection, identifier, location_ids, self.now)
            return
        here = parent_of(target, relation, identifier)
        for link in links:
            if isinstance(link, Draft):
                await self.create(link, here)
            else:
                await self.connect(relation, identifier, link.identifier, place=draft.place)

    async def connect(self, relation: Relation, near_id: int, far_id: int, *, place: str) -> None:
        """Link an entity to one that is there, over a to-many relation.

        Raises:
            BodyError: The other entity is not there.
        """
        target = target_of(relation)
        if target is OBSERVATION:
            self.extents.spoil(await self.datastreams_of(target, far_id))
        if relation.foreign_column is not None:
            changed = (
                update(target.table)
                .where(target.id_column == far_id)
                .values({relation.foreign_column: near_id})
            )
            if (await self.connection.execute(changed)).rowcount == 0:
                raise BodyError("body.link_missing", f"there is no {target.name} {far_id}", place=place)
            if target is OBSERVATION:
                self.extents.spoil(await self.datastreams_of(target, far_id))
        elif relation.name == "Things":
            await move_thing(self.connection, far_id, [near_id], self.now)
        else:
            await self._pair(relation, near_id, [far_id])

    async def _pair(self, relation: Relation, near_id: int, far_ids: list[int]) -> None:
        if relation.link is None:
            raise AssertionError(f"{relation.name} has no table of pairs")
        table, own, other = relation.link
        rows = [{own: near_id, other: far_id} for far_id in far_ids]
        await self.connection.execute(insert_or_keep(table).on_conflict_do_nothing(), rows)

    async def datastreams_of(self, entity: EntityType, identifier: int) -> list[int]:
        """List the Datastreams whose extents hang on an Observation or a FeatureOfInterest."""
        if entity is OBSERVATION:
            own = observation.c.id == identifier
        elif entity is FEATURE_OF_INTEREST:
            own = observation.c.feature_of_interest_id == identifier
        else:
            return []
        found = await self.connection.execute(select(observation.c.datastream_id).where(own).distinct())
        return [int(one) for one in found.scalars()]
