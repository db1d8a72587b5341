"""Whom entities belong to: the system of a new one, and what a principal may link or change.

What lives here: the rules of tenancy for writes. What does not: which rows a principal sees
(`sensorthings.access.sight`), where reads apply it.

An entity belongs to the system of the entity it hangs on (the Thing of a Datastream), else to the registered
system that the first four parts of its name name, else to the home of whoever makes it. What belongs to no
system is common: seen by all, made and changed by administrators only.
"""

from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Text,
    any_,
    bindparam,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from sensorthings.access.principals import Principal
from sensorthings.access.sight import WRITES, Sight
from sensorthings.database import Prepared, Session, prepare
from sensorthings.errors import BodyError, ForbiddenError
from sensorthings.model.entities import (
    BY_NAME,
    FEATURE_OF_INTEREST,
    OBSERVED_PROPERTY,
    SENSOR,
    EntityType,
)
from sensorthings.model.tables import datastream, system, thing

_SHARED_BY_ALL: Final = (SENSOR.name, OBSERVED_PROPERTY.name, FEATURE_OF_INTEREST.name)
"""Types whose common entities everybody may link."""
_SYSTEM_PARTS: Final = 4
_ID = bindparam("id", type_=BigInteger)
_SYSTEM_OF_NAME = prepare(select(system.c.id).where(system.c.name == bindparam("name", type_=Text)))


def linkable(entity: EntityType, sight: Sight) -> tuple[FromClause, ColumnElement[bool]]:
    """Give a source of entities and the condition under which they may be linked.

    Args:
        entity: Their type.
        sight: What the principal may change.
    """
    if sight is not Sight.WRITE or entity.name not in _SHARED_BY_ALL:
        return sight.source(entity), true()
    source = Sight.OWN.source(entity)
    writes = any_(bindparam(WRITES, type_=ARRAY(BigInteger)))
    return source, or_(source.c.system_id.is_(None), source.c.system_id == writes)


@cache
def _find(name: str, sight: Sight, *, is_link: bool) -> Prepared:
    entity = BY_NAME[name]
    source, condition = linkable(entity, sight) if is_link else (sight.source(entity), true())
    return prepare(select(source.c.id, _owner(source)).where(source.c.id == _ID, condition))


def _owner(source: FromClause) -> ColumnElement[Any]:
    """Give the system that entities belong to, by themselves or by the Datastream or Thing they hang on."""
    if "system_id" in source.c:
        return source.c.system_id
    around, column = (datastream, "datastream_id") if "datastream_id" in source.c else (thing, "thing_id")
    return select(around.c.system_id).where(around.c.id == source.c[column]).scalar_subquery()


async def check_link(
    session: Session,
    principal: Principal,
    entity: EntityType,
    identifier: int,
    place: str,
    *,
    beside: int | None = None,
) -> int | None:
    """Check that an entity is there and may be linked.

    Args:
        session: Open transaction.
        principal: Who links it.
        entity: Its type.
        identifier: Its id.
        place: JSON pointer to the link.
        beside: Id of the system of the entity that it is linked to; None for a common one.

    Returns:
        Id of the system it belongs to; None for what is common.

    Raises:
        BodyError: It is not there, or is none of the principal's (both look alike), or is of another system:
            what hangs together belongs to one, so that nobody of only one of two finds half of it.
    """
    statement = _find(entity.name, principal.write_sight, is_link=True)
    row = await session.row(statement, {"id": identifier, **principal.parameters()})
    if row is None:
        raise BodyError("body.link_missing", f"there is no {entity.name} {identifier}", place=place)
    if beside is not None and row[1] is not None and row[1] != beside:
        raise BodyError(
            "body.link_foreign",
            f"{entity.name} {identifier} belongs to another system",
            place=place,
            hint="Link entities of one system, or common ones.",
        )
    return None if row[1] is None else int(row[1])


async def check_place(
    session: Session, principal: Principal, entity: EntityType, identifier: int, *, is_link: bool = False
) -> int | None:
    """Check that an entity which the principal sees may be changed, or may be linked (is_link).

    Returns:
        Id of the system it belongs to; None for what is common.

    Raises:
        ForbiddenError: It may not.
    """
    statement = _find(entity.name, principal.write_sight, is_link=is_link)
    row = await session.row(statement, {"id": identifier, **principal.parameters()})
    if row is None:
        raise ForbiddenError(
            f"{principal.name} may read {entity.set_name}({identifier}), but not change it.",
            "Ask an agent of the system that it belongs to for the right to write.",
        )
    return None if row[1] is None else int(row[1])


async def system_of_new(
    session: Session, principal: Principal, name: object, inherited: int | None
) -> int | None:
    """Give the system of a new entity.

    Args:
        session: Open transaction.
        principal: Who makes it.
        name: Its name.
        inherited: System of the entity it hangs on; None when that is common, or there is none.

    Raises:
        ForbiddenError: Only an administrator may make what belongs to no system.
    """
    if inherited is not None:
        return inherited
    parts = name.split(".") if isinstance(name, str) else []
    if len(parts) >= _SYSTEM_PARTS and "\0" not in parts:
        found = await session.scalar(_SYSTEM_OF_NAME, {"name": ".".join(parts[:_SYSTEM_PARTS])})
        if found is not None and principal.may_write(found):
            return int(found)
    if principal.home is not None and principal.may_write(principal.home):
        return principal.home
    if principal.is_admin:
        return None
    raise ForbiddenError(
        f"{principal.name} has no system that this entity could belong to.",
        "Begin its name with the name of a system that you may write, or link it to an entity of one.",
    )
