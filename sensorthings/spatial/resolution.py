"""Spatial calls of a request, resolved: each becomes a term that the statement can hold.

What lives here: which visible entities a call may meet, reading their geometries in portions, limits. What
does not: geometry (`spatial.geometries`) and PostGIS, which needs no reading (`spatial.postgis`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, Text, and_, bindparam, cast, select

from sensorthings.access.sight import Sight
from sensorthings.database import Session, prepare
from sensorthings.errors import QueryTypeError, RequestError
from sensorthings.model.entities import BY_NAME, EntityType, Kind
from sensorthings.odata.nodes import Call, GeographyLiteral
from sensorthings.spatial import geometries
from sensorthings.spatial.calls import NEEDS_CONTACT, Occurrence, Place, Result, SpatialCall, check_call
from sensorthings.spatial.postgis import Postgis
from sensorthings.spatial.terms import ClaimTerm, Columns, ConstantTerm, LookupTerm, Term, json_at

MAX_CANDIDATES = 200_000
"""Most entities whose geometry is looked at for one call, without PostGIS."""
PORTION = 5_000
"""Geometries read at once; bounds the memory, and the time between two answers to others."""

_Box = tuple[float, float, float, float]
_AREA = ("west", "south", "east", "north")


@dataclass(frozen=True, slots=True)
class Resolved:
    """The terms of a request.

    They hold values read from the database, or constants: a statement made with any is not to be kept.

    Attributes:
        terms: By the type that the option is about, and the call.
    """

    terms: Mapping[tuple[str, Call], Term]

    def term(self, root: EntityType, call: Call) -> Term:
        """Give the term of a call.

        Args:
            root: Type of the entities that the option with the call is about.
            call: The call.

        Raises:
            QueryTypeError: The call was not resolved: it stands where spatial calls are not looked for.
        """
        found = self.terms.get((root.name, call))
        if found is None:
            raise QueryTypeError(f"{call.name} cannot be used here.", "It fits $filter and $orderby.")
        return found


NOTHING_SPATIAL: Final = Resolved({})
"""What a request without spatial calls is resolved to."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How the database is read for one request.

    Attributes:
        session: Connection.
        sight: What the principal sees.
        parameters: Of the principal, for the conditions of the sight.
    """

    session: Session
    sight: Sight
    parameters: Mapping[str, Any]


@dataclass(slots=True)
class _Task:
    """One call to be computed over the entities of one type."""

    key: tuple[str, Call]
    call: SpatialCall
    arguments: tuple[Place | geometries.Geometry, ...]
    is_claim: bool
    values: dict[int, bool | float | str] = field(default_factory=dict)

    @property
    def box(self) -> _Box | None:
        """The box outside of which the call is false, when that is as good as null."""
        if not self.is_claim or self.call.operation not in NEEDS_CONTACT:
            return None
        constants = [one for one in self.arguments if not isinstance(one, Place)]
        return geometries.bounds_of(constants[0]) if constants else None


async def resolve(
    occurrences: Iterable[Occurrence], reader: Reader, postgis: Postgis | None = None
) -> Resolved:
    """Resolve the spatial calls of a request.

    Args:
        occurrences: From `find_calls` or `find_in`.
        reader: Read where PostGIS is not there.
        postgis: PostGIS of the database, when it is installed.

    Raises:
        QuerySyntaxError: A constant is no geometry.
        QueryTypeError: The arguments of a call do not fit.
        RequestError: A call would look at too many geometries.
    """
    calls = list(occurrences)
    if not calls:
        return NOTHING_SPATIAL
    terms: dict[tuple[str, Call], Term] = {}
    open_tasks: list[_Task] = []
    for task in _tasks(calls):
        if not task.call.places:
            terms[task.key] = ConstantTerm(task.call.result, geometries.compute(task.call, task.arguments)[0])
        elif postgis is not None:
            terms[task.key] = postgis.term(task.call, task.arguments)
        else:
            open_tasks.append(task)
    for group in _grouped(open_tasks):
        await _run(group, reader)
    terms |= {task.key: _term(task) for task in open_tasks}
    return Resolved(terms)


def _tasks(calls: Sequence[Occurrence]) -> list[_Task]:
    """Check all calls; one task for each, wherever it stands."""
    tasks: dict[tuple[str, Call], _Task] = {}
    for one in calls:
        key = (one.root.name, one.call)
        checked = check_call(one.call, one.root, one.names)
        if key not in tasks:
            arguments = tuple(_read(argument, one.option) for argument in checked.arguments)
            tasks[key] = _Task(key, checked, arguments, one.is_claim)
        elif tasks[key].call != checked:
            raise QueryTypeError(
                f"{one.call.name}: the same variable stands for different entities in two places.",
                "Give each any(...) and all(...) a variable of its own.",
            )
        tasks[key].is_claim &= one.is_claim
    return list(tasks.values())


def _read(argument: Place | GeographyLiteral, option: str) -> Place | geometries.Geometry:
    return argument if isinstance(argument, Place) else geometries.read_literal(argument, option)


def _grouped(tasks: Sequence[_Task]) -> list[list[_Task]]:
    """Put together what looks at the same entities, so that they are read once."""
    groups: dict[tuple[object, ...], list[_Task]] = {}
    for task in tasks:
        groups.setdefault((task.call.places[0].entity, task.box), []).append(task)
    return list(groups.values())


def _term(task: _Task) -> Term:
    prefix = task.call.places[0].prefix
    if task.is_claim and task.call.result is Result.BOOLEAN:
        return ClaimTerm(prefix, [identifier for identifier, value in task.values.items() if value])
    return LookupTerm(task.call.result, prefix, task.values)


async def _run(tasks: list[_Task], reader: Reader) -> None:
    """Compute the calls of one group, portion by portion."""
    entity = BY_NAME[tasks[0].call.places[0].entity]
    places = list(dict.fromkeys(place for task in tasks for place in task.call.places))
    statement = prepare(_candidates(entity, places, reader.sight, tasks[0].box))
    last, seen = -1, 0
    while True:
        rows = await reader.session.rows(statement, {**reader.parameters, "last_id": last})
        if not rows:
            return
        seen += len(rows)
        if seen > MAX_CANDIDATES:
            raise _too_many(entity)
        await asyncio.to_thread(partial(_compute, tasks, places, rows))
        if len(rows) < PORTION:
            return
        last = rows[-1][0]


def _too_many(entity: EntityType) -> RequestError:
    return RequestError(
        400,
        "query.too_many_geometries",
        f"The spatial functions would look at more than {MAX_CANDIDATES} {entity.set_name}.",
        "Install PostGIS in the service's database, which has no such limit.",
    )


def _candidates(entity: EntityType, places: Sequence[Place], sight: Sight, box: _Box | None) -> Select[Any]:
    source = sight.source(entity)
    shown = [sql for place in places for sql in _shown(place, source.c)]
    statement = (
        select(source.c.id, *shown)
        .where(source.c.id > bindparam("last_id", type_=BigInteger))
        .order_by(source.c.id)
        .limit(PORTION)
    )
    has_box = all(name in source.c for name in _AREA) and not any(place.keys for place in places)
    return statement.where(_meets(source.c, box)) if box is not None and has_box else statement


def _meets(columns: Columns, box: _Box) -> ColumnElement[bool]:
    west, south, east, north = box
    return and_(
        columns["west"] <= east,
        columns["east"] >= west,
        columns["south"] <= north,
        columns["north"] >= south,
    )


def _shown(place: Place, columns: Columns) -> list[ColumnElement[Any]]:
    if _is_area(place):
        return [columns[name] for name in _AREA]
    return [cast(json_at(place, columns), Text)]


def _is_area(place: Place) -> bool:
    described = BY_NAME[place.entity].find_property(place.name)
    return described is not None and described.kind is Kind.AREA


def _compute(tasks: Sequence[_Task], places: Sequence[Place], rows: Sequence[tuple[Any, ...]]) -> None:
    identifiers, *columns = zip(*rows, strict=True)
    found: dict[Place, geometries.Geometries] = {}
    for place in places:
        if _is_area(place):
            found[place] = geometries.make_boxes(list(zip(*columns[:4], strict=True)))
            columns = columns[4:]
        else:
            found[place] = geometries.read_geojson(columns.pop(0))
    for task in tasks:
        arguments = [found[one] if isinstance(one, Place) else one for one in task.arguments]
        computed = geometries.compute(task.call, arguments)
        task.values |= {
            identifier: value
            for identifier, value in zip(identifiers, computed, strict=True)
            if value is not None
        }
