"""Sets of entities as SQL: filtered, ordered, paged, expanded to any depth, all inside one statement.

What lives here: pages of a set, to-one and to-many expands as correlated sub-selects, counts, next links.
What does not: which address was asked for (`queries.statements`).
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, Text, case, func, literal, select

from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import EntityType, Relation, target_of
from sensorthings.odata.nodes import Options
from sensorthings.odata.writer import write_query
from sensorthings.queries.entity_json import (
    ReadContext,
    Sql,
    entity_json,
    fixed,
    joined,
    json_inside,
    reference_json,
    self_link,
)
from sensorthings.queries.expressions import compile_condition, compile_order
from sensorthings.queries.scope import Scope
from sensorthings.queries.values import Columns

_ONLY_SELECT = frozenset({"$select", "$expand"})


@dataclass(frozen=True, slots=True)
class SetRequest:
    """A set to be shown.

    Attributes:
        entity: Type of its members.
        options: Query options.
        origin: Relation that leads to it, and the columns it starts from; None for all entities of the type.
        address: Parts of its address, for the next link.
        is_reference: Whether only addresses are shown (`$ref`).
    """

    entity: EntityType
    options: Options
    origin: tuple[Relation, Columns] | None
    address: list[Sql]
    is_reference: bool = False


@dataclass(frozen=True, slots=True)
class _Parts:
    """Texts of the members, the next link (null on the last page) and the count (None: not asked for)."""

    members: Sql
    next_link: Sql
    count: Sql | None
    page: Any


def entity_text(
    entity: EntityType, columns: Columns, options: Options, context: ReadContext
) -> ColumnElement[str]:
    """Show one entity with its expands.

    Raises:
        QueryTypeError: An option names what is not there.
    """
    expanded = {
        name: _expand(entity, name, inner, columns, context) for name, inner in options.expand.items()
    }
    return entity_json(entity, columns, options, context, expanded)


def set_text(request: SetRequest, context: ReadContext) -> Select[str]:
    """Show a set as the answer to a request: count, next link, members.

    Raises:
        QueryTypeError: An option names what is not there.
    """
    parts = _parts(request, context)
    pieces: list[Sql] = [fixed("{")]
    if parts.count is not None:
        pieces += [fixed('"@iot.count":'), parts.count, fixed(",")]
    pieces += [
        fixed('"@iot.nextLink":"').concat(parts.next_link).concat(fixed('",')),
        fixed('"value":['),
        parts.members,
        fixed("]}"),
    ]
    return select(joined(*pieces)).select_from(parts.page)


def _expand(entity: EntityType, name: str, options: Options, columns: Columns, context: ReadContext) -> Sql:
    relation = entity.find_relation(name)
    if relation is None:
        relations = ", ".join(one.name for one in entity.relations)
        raise QueryTypeError(f"$expand: {entity.name} has no relation {name}.", f"It has {relations}.")
    target = target_of(relation)
    if relation.is_to_many:
        return _expand_many(entity, relation, options, columns, context)
    if not options.given <= _ONLY_SELECT:
        wrong = ", ".join(sorted(options.given - _ONLY_SELECT))
        raise QueryTypeError(f"$expand: {name} is one entity; {wrong} fits sets only.")
    far = target.table.alias()
    shown = select(entity_text(target, far.c, options, context))
    one = shown.where(far.c.id == columns[str(relation.own_column)]).correlate_except(far)
    return fixed(f',"{name}":').concat(one.scalar_subquery())


def _expand_many(
    entity: EntityType, relation: Relation, options: Options, columns: Columns, context: ReadContext
) -> Sql:
    address = [*self_link(entity, columns, context), fixed(f"/{relation.name}")]
    request = SetRequest(target_of(relation), options, (relation, columns), address)
    parts = _parts(request, context)
    pieces: list[Sql] = []
    if parts.count is not None:
        pieces += [fixed(f',"{relation.name}@iot.count":'), parts.count]
    pieces += [
        fixed(f',"{relation.name}":['),
        parts.members,
        fixed("]"),
        fixed(f',"{relation.name}@iot.nextLink":"').concat(parts.next_link).concat(fixed('"')),
    ]
    shown = select(joined(*pieces)).select_from(parts.page)
    return shown.correlate_except(parts.page).scalar_subquery()


def _scope(request: SetRequest) -> tuple[Scope, list[ColumnElement[bool]]]:
    scope = Scope(request.entity)
    if request.origin is not None:
        scope.attach(*request.origin)
    conditions = list(scope.ties)
    if request.options.where is not None:
        conditions.append(compile_condition(request.options.where, scope))
    return scope, conditions


def _parts(request: SetRequest, context: ReadContext) -> _Parts:
    options = request.options
    size = context.page_size if options.top is None else min(options.top, context.max_page_size)
    scope, conditions = _scope(request)
    order = compile_order(options.order, scope)
    rows = (
        select(scope.source)
        .select_from(scope.clause)
        .where(*conditions)
        .order_by(*order)
        .limit(literal(size + 1 if size else 0, BigInteger))
    )
    if options.skip:
        rows = rows.offset(literal(options.skip, BigInteger))
    inner = rows.correlate_except(*scope.own()).subquery()
    # Numbered above the ordered rows, so that the row beyond the page is seen but never shown.
    place = func.row_number(type_=Integer).over().label("place__")
    page = select(inner, place).subquery()
    if request.is_reference:
        shown: Sql = reference_json(request.entity, page.c, context)
    else:
        shown = entity_text(request.entity, page.c, options, context)
    last = literal(size, Integer)
    members = func.string_agg(case((page.c.place__ <= last, shown)), fixed(","), type_=Text)
    further = write_query(replace(options, skip=options.skip + size))
    next_link = case(
        (func.count() > last, joined(*request.address, fixed("?"), literal(json_inside(further), Text)))
    )
    # The address may hold columns of the outer row; an aggregate keeps them out of a GROUP BY.
    count = _count(request) if options.is_counted else None
    return _Parts(members, next_link, count, page)


def _count(request: SetRequest) -> Sql:
    scope, conditions = _scope(request)
    counted = select(func.count()).select_from(scope.clause).where(*conditions)
    return counted.correlate_except(*scope.own()).scalar_subquery()
