"""Rows of entities: inserting and updating them with statements compiled once.

What lives here: the columns of a row and how a result is stored. What does not: which row is written when
(`writes.create`, `writes.change`).
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, cast, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from sensorthings.changes.notes import note_observations
from sensorthings.database import Prepared, Session, prepare
from sensorthings.model.entities import BY_NAME, OBSERVATION, EntityType
from sensorthings.model.results import MISSING, split_result

Values = Mapping[str, Any]


async def insert_row(session: Session, entity: EntityType, values: Values) -> int:
    """Insert a row; columns that are not given are null, except the id, which the database chooses.

    Returns:
        Its id.
    """
    statement = _insert(entity.name, has_id="id" in values)
    identifier = int(await session.scalar(statement, stored(entity, values)))
    if entity is OBSERVATION:
        await note_observations(session, [identifier])
    return identifier


async def update_row(session: Session, entity: EntityType, identifier: int, values: Values) -> None:
    """Change some columns of a row."""
    row = stored(entity, values)
    statement = _update(entity.name, frozenset(row))
    await session.run(statement, {**{f"new_{name}": row[name] for name in row}, "id": identifier})


async def lock_row(session: Session, entity: EntityType, identifier: int) -> None:
    """Keep others from changing a row until the transaction ends."""
    await session.run(_lock(entity.name), {"id": identifier})


def stored(entity: EntityType, values: Values) -> dict[str, Any]:
    """Give the columns of a row as they are stored: the result of an Observation is split."""
    if entity is not OBSERVATION or "result" not in values:
        return dict(values)
    number, other = split_result(values["result"])
    result = None if other is MISSING else orjson.dumps(other).decode()
    return {**values, "result_number": number, "result": result}


@cache
def _insert(name: str, *, has_id: bool) -> Prepared:
    entity = BY_NAME[name]
    table = entity.table
    columns = [one for one in table.c if has_id or one.name != "id"]
    row = {one.name: _bound(entity, one.name, one.name) for one in columns}
    if entity.is_multi is not None:
        row["is_multi"] = bindparam("is_multi", entity.is_multi, type_=table.c.is_multi.type)
    elif entity is OBSERVATION:
        row["is_multi"] = bindparam("is_multi", value=False, type_=table.c.is_multi.type)
    return prepare(insert(table).values(row).returning(entity.id_column))


@cache
def _lock(name: str) -> Prepared:
    entity = BY_NAME[name]
    mine = entity.id_column == bindparam("id", type_=BigInteger)
    return prepare(select(entity.id_column).where(mine).with_for_update(key_share=True))


@lru_cache(maxsize=512)
def _update(name: str, columns: frozenset[str]) -> Prepared:
    entity = BY_NAME[name]
    changed = {one: _bound(entity, one, f"new_{one}") for one in sorted(columns)}
    return prepare(
        update(entity.table).values(changed).where(entity.id_column == bindparam("id", type_=BigInteger))
    )


def _bound(entity: EntityType, column: str, name: str) -> ColumnElement[Any]:
    if entity is OBSERVATION and column == "result":
        # As text: only so JSON null and no JSON at all differ.
        return cast(bindparam(name, None, type_=Text), JSONB)
    return bindparam(name, None, type_=entity.table.c[column].type)
