"""Ids that clients choose, and entities found again by their natural key.

What lives here: claiming an id, and the search for what an upsert means. What does not: who may choose ids
(`sensorthings.writes.bodies`), what an upsert changes (`sensorthings.writes.create`).

The natural key is the name within the system (of Datastreams: within the Thing); of a HistoricalLocation its
time within the Thing; of an Observation its phenomenonTime within the Datastream. Who looks for a key holds
its lock until the transaction ends, so that two upserts of one key make one entity.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam, column, func, literal_column, select, table

from sensorthings.database import Prepared, Session, prepare
from sensorthings.errors import RequestError
from sensorthings.model.entities import BY_NAME, OBSERVATION, EntityType
from sensorthings.model.tables import SCHEMA

_LOCK = prepare(
    select(
        func.pg_advisory_xact_lock(func.hashtextextended(bindparam("key", type_=Text), literal_column("0")))
    )
)
_ID = bindparam("id", type_=BigInteger)


async def claim_id(session: Session, entity: EntityType, identifier: int) -> None:
    """Make sure that an id which a client chose is free, and that the database will not give it out itself.

    Raises:
        RequestError: It is taken (409).
    """
    await session.run(_LOCK, {"key": f"id {entity.table.name} {identifier}"})
    if await session.row(_taken(entity.name), {"id": identifier}) is not None:
        raise RequestError(
            409,
            "entity.id_taken",
            f"The id {identifier} belongs to another {entity.name} already.",
            "Choose another one, or leave it out; PATCH or PUT changes the entity that has it.",
        )
    await session.run(_move_sequence(entity.name), {"id": identifier})


async def find_twin(session: Session, entity: EntityType, values: Mapping[str, Any]) -> int | None:
    """Find the entity that has the natural key of a new one, and keep others from making it meanwhile.

    Args:
        session: Open transaction.
        entity: Type of the new one.
        values: Its values by column, with whom it belongs to.

    Returns:
        Id of the one that is there; None when there is none.
    """
    names = (_scope_column(entity), *entity.natural_key)
    key = {name: values.get(name) for name in names}
    text = " ".join((entity.name, *(str(value) for value in key.values())))
    await session.run(_LOCK, {"key": text})
    found = await session.scalar(_twin(entity.name), key)
    return None if found is None else int(found)


def _scope_column(entity: EntityType) -> str:
    if entity is OBSERVATION:
        return "datastream_id"
    return "thing_id" if "thing_id" in entity.table.c else "system_id"


@cache
def _taken(name: str) -> Prepared:
    entity = BY_NAME[name]
    return prepare(select(entity.id_column).where(entity.id_column == _ID))


@cache
def _move_sequence(name: str) -> Prepared:
    sequence = table(f"{BY_NAME[name].table.name}_id_seq", column("last_value", BigInteger), schema=SCHEMA)
    moved = func.setval(literal_column(f"'{sequence.fullname}'::regclass"), _ID)
    return prepare(select(moved).select_from(sequence).where(sequence.c.last_value < _ID))


@cache
def _twin(name: str) -> Prepared:
    entity = BY_NAME[name]
    columns = entity.table.c
    names = (_scope_column(entity), *entity.natural_key)
    found = select(entity.id_column).where(
        *(columns[one].is_not_distinct_from(bindparam(one, type_=columns[one].type)) for one in names)
    )
    if entity.is_multi is not None:
        found = found.where(columns.is_multi.is_(entity.is_multi))
    return prepare(found.order_by(entity.id_column).limit(literal_column("1")))
