"""What the rows of a data array may lead to: Datastreams and features, each looked up in one statement.

What lives here: the look-ups, as far as the principal may change or link what they find. What does not: the
rows (`sensorthings.writes.arrays`).
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, any_, bindparam, case, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from sensorthings.access.principals import Principal
from sensorthings.access.sight import WRITES, Sight
from sensorthings.database import Prepared, Session, prepare
from sensorthings.errors import BodyError, RequestError
from sensorthings.model.entities import DATASTREAM, FEATURE_OF_INTEREST, MULTI_DATASTREAM, OBSERVATION
from sensorthings.model.tables import SCHEMA, location, observation_ids, system, thing, thing_location
from sensorthings.writes.arrays import FEATURE, Group, Targets
from sensorthings.writes.rules import GEOJSON, generated_feature
from sensorthings.writes.streams import Stream, record_key, topic_of

_IDS = any_(bindparam("ids", type_=ARRAY(BigInteger)))


async def find_targets(
    session: Session, principal: Principal, groups: Iterable[Group], *, takes_ids: bool
) -> tuple[Targets, list[int]]:
    """Look up what the rows of a request may lead to.

    Args:
        session: Any.
        principal: Who sends the request.
        groups: Of the request.
        takes_ids: Whether rows may choose their ids.

    Returns:
        What there is, and the ids of Datastreams that need a feature which has not been made yet.

    Raises:
        psycopg.Error: What the database says.
    """
    groups = list(groups)
    targets = Targets()
    for is_multi in {group.is_multi for group in groups}:
        ids = {group.stream_id for group in groups if group.is_multi is is_multi}
        found = await _rows(session, _streams(principal.write_sight, is_multi=is_multi), ids, principal)
        for row in found:
            targets.streams[row[0]] = Stream(row[0], is_multi, row[1], row[2], row[3], *row[4:])
    named = _numbers(groups, FEATURE)
    if named:
        found = await _rows(session, _features(principal.write_sight), named, principal)
        targets.features = {row[0] for row in found}
    if takes_ids and (chosen := _numbers(groups, "id")):
        targets.taken = {row[0] for row in await _rows(session, _TAKEN, chosen, principal)}
    return targets, await _find_generated(session, targets, groups)


async def make_features(session: Session, targets: Targets, stream_ids: Iterable[int]) -> None:
    """Make the features of the places of Datastreams; a Datastream whose place has gone gets none.

    Raises:
        psycopg.Error: What the database says.
    """
    for identifier in stream_ids:
        try:
            targets.generated[identifier] = await generated_feature(session, identifier, "")
        except BodyError:
            continue


async def claim_ids(session: Session, identifiers: Sequence[int]) -> None:
    """Make sure that ids which a client chose are free still, and that the database will not give them out.

    Args:
        session: The transaction that stores Observations with them.
        identifiers: The ids, each once.

    Raises:
        RequestError: One of them was taken meanwhile (409).
        psycopg.Error: What the database says.
    """
    if not identifiers:
        return
    await session.run(_LOCK_IDS)
    taken = await session.scalar(_TAKEN, {"ids": list(identifiers)})
    if taken is not None:
        raise RequestError(
            409,
            "entity.id_taken",
            f"The id {taken} belongs to another Observation already.",
            "Send it again.",
        )
    await session.run(_MOVE_SEQUENCE, {"highest": max(identifiers)})


async def _find_generated(session: Session, targets: Targets, groups: list[Group]) -> list[int]:
    """Find the features that were made of places; gives the Datastreams whose place has none yet."""
    lacking = {
        group.stream_id
        for group in groups
        if group.stream_id in targets.streams
        and (FEATURE not in group.columns or any(value is None for value in group.values(FEATURE)))
    }
    first: dict[int, int | None] = {}
    if lacking:
        for identifier, feature in await session.rows(_GENERATED, {"ids": sorted(lacking)}):
            first.setdefault(identifier, feature)
    targets.generated |= {one: feature for one, feature in first.items() if feature is not None}
    return [one for one, feature in first.items() if feature is None]


def _numbers(groups: Iterable[Group], component: str) -> set[int]:
    return {
        value
        for group in groups
        for value in group.values(component)
        if type(value) is int and 0 <= value < 2**63
    }


async def _rows(session: Session, statement: Prepared, ids: Iterable[int], principal: Principal) -> list[Any]:
    return await session.rows(statement, {"ids": sorted(ids), **principal.parameters()})


@cache
def _streams(sight: Sight, *, is_multi: bool) -> Prepared:
    source = sight.source(MULTI_DATASTREAM if is_multi else DATASTREAM)
    columns = source.c
    parts = func.jsonb_array_length(columns.unit_of_measurement)
    return prepare(
        select(
            columns.id,
            columns.observation_type,
            case((columns.is_multi, parts), else_=0),
            columns.multi_observation_data_types,
            columns.system_id,
            topic_of(system.c),
            record_key(columns, thing.c, system.c),
        )
        .select_from(
            source.join(thing, thing.c.id == columns.thing_id).outerjoin(
                system, system.c.id == columns.system_id
            )
        )
        .where(columns.id == _IDS)
    )


@cache
def _features(sight: Sight) -> Prepared:
    """Features that may be linked: those that may be changed, and common ones."""
    source = (Sight.OWN if sight is Sight.WRITE else sight).source(FEATURE_OF_INTEREST)
    found = select(source.c.id).where(source.c.id == _IDS)
    if sight is Sight.WRITE:
        writes = any_(bindparam(WRITES, type_=ARRAY(BigInteger)))
        found = found.where(or_(source.c.system_id.is_(None), source.c.system_id == writes))
    return prepare(found)


_SEQUENCE: Final = f"{SCHEMA}.{observation_ids.name}"
_LOCK_IDS = prepare(select(func.pg_advisory_xact_lock(7_482_170_370)))
_MOVE_SEQUENCE = prepare(
    text(
        f"SELECT setval('{_SEQUENCE}'::regclass, :highest)"  # noqa: S608 - constants
        f" FROM {_SEQUENCE} WHERE last_value < :highest"
    ).bindparams(bindparam("highest", type_=BigInteger))
)
# Of all Observations: an id is taken whoever has it.
_TAKEN = prepare(select(OBSERVATION.table.c.id).where(OBSERVATION.table.c.id == _IDS))
_STREAM = DATASTREAM.table
_IS_GEOJSON = [location.c.encoding_type == one for one in GEOJSON]
# The place that counts comes first.
_GENERATED = prepare(
    select(_STREAM.c.id, location.c.generated_feature_id)
    .select_from(
        _STREAM.join(thing_location, thing_location.c.thing_id == _STREAM.c.thing_id).join(
            location, location.c.id == thing_location.c.location_id
        )
    )
    .where(_STREAM.c.id == _IDS)
    .order_by(_STREAM.c.id, case((or_(*_IS_GEOJSON), 0), else_=1), location.c.id)
)
