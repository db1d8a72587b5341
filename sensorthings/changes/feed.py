"""Reading what was created or changed, in order, by name of the reader.

What lives here: the statements around the tables `change` and `change_reader`. What does not: writing notes
(triggers of revision 0005, `sensorthings.changes.notes`), HTTP (`sensorthings.changes.routes`).

How it works: a note may be read when no transaction is open any more that could still write one before it,
as in the outbox; notes are ordered by transaction and id, so that a place never passes one that shows later.
A reader gets a number with each answer; by asking with it, it says that it is done with that answer, and what
all readers are done with is removed. Places stay in the database: they would tell a reader how much others
write. A reader that does not ask for long, or stays behind for long, is forgotten, else its notes would fill
the database; when it comes back, it begins anew and is told so until it has heard it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Double, Text, any_, bindparam, select, text

from sensorthings.access.principals import Principal
from sensorthings.access.sight import LIMITED_COLUMNS
from sensorthings.database import Session, prepare
from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import ENTITY_TYPES, EntityType
from sensorthings.model.tables import datastream

MAX_READERS: Final = 8
"""Most readers of one principal."""
_CURSOR_DIGITS: Final = 18
_PAGE: Final = 500
"""Notes read at once."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the order of changes.

    Attributes:
        transaction: Number of the transaction.
        identifier: Number of the note in it.
    """

    transaction: int
    identifier: int


@dataclass(frozen=True, slots=True)
class Following:
    """A reader as the database knows it.

    Attributes:
        number: Of the last answer that told of changes.
        place: Where it goes on.
        is_new: Whether it has not heard yet that what was before is not in its changes.
    """

    number: int
    place: Place
    is_new: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Entities of one type that were created or changed alike.

    Attributes:
        entity: Their type.
        ids: Their ids.
        properties: Names of the properties that changed; None when they are new.
    """

    entity: EntityType
    ids: tuple[int, ...]
    properties: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the changes.

    Attributes:
        place: Where it ends.
        changes: In order, as far as the principal sees them; ids that are gone meanwhile may be among them.
        has_more: Whether there is more already.
    """

    place: Place
    changes: tuple[Change, ...]
    has_more: bool


def parse_cursor(written: str) -> int:
    """Read the number of an answer as it was given out.

    Raises:
        QueryTypeError: It is none.
    """
    if not (written.isascii() and written.isdigit() and len(written) <= _CURSOR_DIGITS):
        raise QueryTypeError(f"{written[:40]!r} is no cursor", "Send the cursor of the last answer.")
    return int(written)


async def follow(session: Session, principal: Principal, name: str, after: int | None) -> Following:
    """Note what a reader is done with, and give where it goes on.

    Args:
        session: Inside a transaction.
        principal: Whose reader it is.
        name: Of the reader.
        after: Number of the answer that it is done with; None for what it said last.

    Raises:
        QueryTypeError: The principal has too many readers.
        psycopg.Error: What the database says.
    """
    who = {"principal": principal.name, "name": name}
    row = await session.row(_MOVE, {**who, "number": after})
    if row is not None:
        await session.run(_PURGE)
    else:
        if await session.scalar(_COUNT, who) >= MAX_READERS:
            raise QueryTypeError(
                f"{principal.name} has {MAX_READERS} readers already",
                "Use one of their names, or DELETE one of them.",
            )
        row = await session.row(_BEGIN, who)
    if row is None:
        raise AssertionError("an insert that returns gives its row")
    return Following(row[0], Place(row[2], row[3]), row[1])


async def has_begun(session: Session, known: Following) -> bool:
    """Tell whether all transactions that may not have known of a new reader have ended.

    What they did is not in its changes: it has to be there before the reader is told to look around.

    Raises:
        psycopg.Error: What the database says.
    """
    return bool(await session.scalar(_HAS_BEGUN, {"transaction": known.place.transaction}))


async def note_answer(session: Session, principal: Principal, name: str, known: Following, told: Part) -> int:
    """Note how far an answer goes; gives its number.

    A reader that was told of nothing goes on behind what it does not see, under the number that it has: so
    the numbers tell of its own changes only.

    Raises:
        psycopg.Error: What the database says.
    """
    if not told.changes and told.place == known.place:
        return known.number
    who = {"principal": principal.name, "name": name, "number": known.number}
    values = {**who, "transaction": told.place.transaction, "id": told.place.identifier}
    number = await session.scalar(_TELL if told.changes else _SKIP, values)
    return known.number if number is None else int(number)


async def changes_after(session: Session, principal: Principal, place: Place, most: int) -> Part:
    """Read what comes after a place, as far as the principal sees it.

    Args:
        session: Any.
        principal: Who asks.
        place: Where the last read ended.
        most: About how many entities to give.

    Raises:
        psycopg.Error: What the database says.
    """
    rows = await session.rows(_NEXT, {"transaction": place.transaction, "id": place.identifier})
    taken, number = [], 0
    for transaction, identifier, table, ids, columns in rows:
        taken.append((table, ids, columns))
        place = Place(transaction, identifier)
        number += len(ids)
        if number >= most:
            break
    has_more = len(taken) < len(rows) or len(rows) == _PAGE
    return Part(place, await _described(session, principal, taken), has_more)


async def forget_reader(session: Session, principal: Principal, name: str) -> bool:
    """Forget a reader; tells whether there was one.

    Raises:
        psycopg.Error: What the database says.
    """
    found = await session.run(_FORGET, {"principal": principal.name, "name": name})
    await _purge(session)
    return bool(found)


async def forget_idle(session: Session, kept_s: float) -> int:
    """Forget readers that have not asked, or not gone on, for `kept_s` [s]; gives how many.

    What nobody waits for goes, too, and what was restored from another database's backup.

    Raises:
        psycopg.Error: What the database says.
    """
    forgotten = await session.run(_FORGET_IDLE, {"kept_s": kept_s})
    await session.run(_PURGE_FOREIGN)
    await _purge(session)
    return forgotten


async def _purge(session: Session) -> None:
    await session.run(_PURGE)
    await session.run(_PURGE_ALL)


async def owner_of(session: Session, stream_id: int) -> str | None:
    """Name the system that a Datastream or MultiDatastream belongs to; None where there is none.

    Raises:
        psycopg.Error: What the database says.
    """
    name = await session.scalar(_OWNER, {"id": stream_id})
    return None if name is None else str(name)


Row = tuple[str, Sequence[int], Sequence[str] | None]


async def _described(session: Session, principal: Principal, rows: Sequence[Row]) -> tuple[Change, ...]:
    wanted: dict[str, set[int]] = {}
    for table, ids, _ in rows:
        wanted.setdefault(table, set()).update(ids)
    seen = {
        entity.name: await _seen(session, principal, entity, wanted[entity.table.name])
        for entity in ENTITY_TYPES
        if entity.table.name in wanted
    }
    changes: list[Change] = []
    for table, ids, columns in rows:
        for entity in _BY_TABLE[table]:
            shown = [one for one in ids if one in seen[entity.name]]
            changes += _told(principal, entity, shown, columns)
    return tuple(changes)


def _told(
    principal: Principal, entity: EntityType, ids: Sequence[int], columns: Sequence[str] | None
) -> Iterator[Change]:
    if columns is None:
        if ids:
            yield Change(entity, tuple(ids), None)
        return
    # Times and area of a limited Datastream follow from Observations that are hidden, too.
    limited = set(principal.limited) if entity.table is datastream else set()
    for is_limited, hidden in ((False, frozenset[str]()), (True, LIMITED_COLUMNS)):
        shown = tuple(one for one in ids if (one in limited) is is_limited)
        properties = _properties(entity, set(columns) - hidden)
        if shown and properties:
            yield Change(entity, shown, properties)


async def _seen(session: Session, principal: Principal, entity: EntityType, ids: set[int]) -> set[int]:
    """Give those of some ids that are of a type and that the principal sees."""
    if principal.is_admin and entity.is_multi is None:
        return ids
    source = principal.sight.source(entity)
    statement = select(source.c.id).where(source.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    rows = await session.rows(prepare(statement), {**principal.parameters(), "ids": list(ids)})
    return {row[0] for row in rows}


def _properties(entity: EntityType, changed: set[str]) -> tuple[str, ...]:
    return tuple(one.name for one in entity.properties if not changed.isdisjoint(one.columns))


_BY_TABLE: Mapping[str, Sequence[EntityType]] = {
    entity.table.name: [one for one in ENTITY_TYPES if one.table is entity.table] for entity in ENTITY_TYPES
}


def _statement(written: str, *numbers: str) -> Any:  # noqa: ANN401 - a compiled statement
    known = {"principal": Text(), "name": Text(), "kept_s": Double()} | dict.fromkeys(numbers, BigInteger())
    bound = [bindparam(name, type_=kind) for name, kind in known.items() if f":{name}" in written]
    return prepare(text(written).bindparams(*bound))


# A place beyond every transaction was restored from another database's backup: such a reader begins anew.
_XMAX: Final = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_MOVE = _statement(
    "UPDATE sensorthings.change_reader SET seen = now(),"  # noqa: S608 - constants
    " is_new = is_new AND number IS DISTINCT FROM :number,"
    " transaction = CASE WHEN number = :number THEN next_transaction ELSE transaction END,"
    " change_id = CASE WHEN number = :number THEN next_change_id ELSE change_id END"
    f" WHERE principal = :principal AND name = :name AND transaction <= {_XMAX}"
    " RETURNING number, is_new, transaction, change_id",
    "number",
)
_HAS_BEGUN = _statement(
    "SELECT :transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint", "transaction"
)
_TELL = _statement(
    "UPDATE sensorthings.change_reader SET next_transaction = :transaction, next_change_id = :id, number ="
    " number + ((next_transaction, next_change_id) IS DISTINCT FROM (:transaction, :id))::integer"
    " WHERE principal = :principal AND name = :name RETURNING number",
    "transaction",
    "id",
)
_SKIP = _statement(
    "UPDATE sensorthings.change_reader SET transaction = :transaction, change_id = :id,"
    " next_transaction = :transaction, next_change_id = :id"
    " WHERE principal = :principal AND name = :name AND number = :number"
    " AND (transaction, change_id) < (:transaction, :id) RETURNING number",
    "number",
    "transaction",
    "id",
)
_COUNT = _statement("SELECT count(*) FROM sensorthings.change_reader WHERE principal = :principal")
# Numbers begin anywhere, so that one of a forgotten reader is none of its successor's.
_BEGIN = _statement(
    "INSERT INTO sensorthings.change_reader AS known"
    " (principal, name, number, transaction, change_id, next_transaction, next_change_id)"
    " SELECT :principal, :name, (random() * 2 ^ 40)::bigint, first, 0, first, 0"
    " FROM (VALUES (pg_current_xact_id()::text::bigint)) AS place (first)"
    " ON CONFLICT (principal, name) DO UPDATE SET seen = now(), is_new = true, number = excluded.number,"
    " transaction = excluded.transaction, change_id = 0,"
    " next_transaction = excluded.transaction, next_change_id = 0"
    " RETURNING number, is_new, transaction, change_id"
)
_NEXT = _statement(
    "SELECT transaction, id, entity, ids, columns FROM sensorthings.change"  # noqa: S608 - constants
    " WHERE (transaction, id) > (:transaction, :id)"
    " AND transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    f" ORDER BY transaction, id LIMIT {_PAGE}",
    "transaction",
    "id",
)
_FORGET = _statement("DELETE FROM sensorthings.change_reader WHERE principal = :principal AND name = :name")
_FORGET_IDLE = _statement(
    "DELETE FROM sensorthings.change_reader AS known"  # noqa: S608 - constants
    " WHERE seen < now() - make_interval(secs => :kept_s)"
    f" OR transaction > {_XMAX} OR now() - make_interval(secs => :kept_s) > (SELECT made"
    " FROM sensorthings.change WHERE (transaction, id) > (known.transaction, known.change_id)"
    " ORDER BY transaction, id LIMIT 1)"
)
_PURGE_FOREIGN = _statement(f"DELETE FROM sensorthings.change WHERE transaction > {_XMAX}")  # noqa: S608
_PURGE = _statement(
    "DELETE FROM sensorthings.change WHERE (transaction, id) <= ("
    "SELECT transaction, change_id FROM sensorthings.change_reader ORDER BY transaction, change_id LIMIT 1)"
)
_PURGE_ALL = _statement(
    "DELETE FROM sensorthings.change WHERE NOT EXISTS (SELECT FROM sensorthings.change_reader)"
)
_OWNER = _statement(
    "SELECT system.name FROM sensorthings.datastream"
    " JOIN sensorthings.system ON system.id = datastream.system_id WHERE datastream.id = :id",
    "id",
)
