"""Sets of entities as SQL: filtered, ordered, paged, expanded to any depth, all inside one statement.

What lives here: pages of a set, to-one and to-many expands as correlated sub-selects, counts, next links.
What does not: which address was asked for (`queries.statements`), where a page begins (`queries.paging`).
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    func,
    literal,
    select,
)

from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import EntityType, Relation, target_of
from sensorthings.odata.nodes import Options
from sensorthings.odata.writer import write_further
from sensorthings.queries.comparisons import OrderTerm
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
from sensorthings.queries.paging import after_token, token_text
from sensorthings.queries.scope import Scope
from sensorthings.queries.values import Columns

_ONLY_SELECT = frozenset({"$select", "$expand"})
FURTHER = "further"
"""Bind name of the query part of the next link of the set that was asked for."""


@dataclass(frozen=True, slots=True)
class SetRequest:
    """A set to be shown.

    Attributes:
        entity: Type of its members.
        options: Query options.
        origin: Relation that leads to it, and the columns it starts from; None for all entities of the type.
        address: Parts of its address, for the next link.
        further: Query part of the next link, up to the place where the next page begins.
        is_reference: Whether only addresses are shown (`$ref`).
    """

    entity: EntityType
    options: Options
    origin: tuple[Relation, Columns] | None
    address: list[Sql]
    further: Sql
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


def further_bound() -> Sql:
    """Give the parameter for the query part of the next link of the set that was asked for."""
    return bindparam(FURTHER, "", type_=Text)


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
    far = context.sight.source(target)
    shown = select(entity_text(target, far.c, options, context))
    one = shown.where(far.c.id == columns[str(relation.own_column)]).correlate_except(far)
    return fixed(f',"{name}":').concat(one.scalar_subquery())


def _expand_many(
    entity: EntityType, relation: Relation, options: Options, columns: Columns, context: ReadContext
) -> Sql:
    address = [*self_link(entity, columns, context), fixed(f"/{relation.name}")]
    further = literal(json_inside(write_further(options)), Text)
    request = SetRequest(target_of(relation), options, (relation, columns), address, further)
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


def set_scope(request: SetRequest, context: ReadContext) -> tuple[Scope, list[ColumnElement[bool]]]:
    """Give the scope of a set and the conditions that its members meet."""
    scope = Scope(request.entity, context.sight, spatial=context.spatial)
    if request.origin is not None:
        scope.attach(*request.origin)
    conditions = list(scope.ties)
    if request.options.where is not None:
        conditions.append(compile_condition(request.options.where, scope))
    return scope, conditions


def _rows(request: SetRequest, context: ReadContext, size: int) -> tuple[Any, list[OrderTerm]]:
    """Give the rows of a page and one more, with the values of their order keys."""
    options = request.options
    scope, conditions = set_scope(request, context)
    terms = compile_order(options.order, scope)
    if options.token is not None:
        conditions.append(after_token(terms, options.token))
    keys = [term.sql.label(f"key__{place}") for place, term in enumerate(terms)]
    rows = (
        select(scope.source, *keys)
        .select_from(scope.clause)
        .where(*conditions)
        .order_by(*(term.directed() for term in terms))
        .limit(literal(size + 1 if size else 0, BigInteger))
    )
    if options.skip:
        rows = rows.offset(literal(options.skip, BigInteger))
    return rows.correlate_except(*scope.own()).subquery(), terms


def _parts(request: SetRequest, context: ReadContext) -> _Parts:
    options = request.options
    size = context.page_size if options.top is None else min(options.top, context.max_page_size)
    inner, terms = _rows(request, context, size)
    # Numbered above the ordered rows, so that the row beyond the page is seen but never shown.
    place = func.row_number(type_=Integer).over().label("place__")
    page = select(inner, place).subquery()
    if request.is_reference:
        shown: Sql = reference_json(request.entity, page.c, context)
    else:
        shown = entity_text(request.entity, page.c, options, context)
    last = literal(size, Integer)
    members = func.string_agg(case((page.c.place__ <= last, shown)), fixed(","), type_=Text)
    token = token_text([page.c[f"key__{number}"] for number in range(len(terms))])
    # Aggregates, because the address may hold columns of the outer row, which a GROUP BY would need.
    last_token = func.max(case((page.c.place__ == last, token)), type_=Text)
    link = joined(*request.address, fixed("?"), request.further, fixed("$skiptoken="), last_token)
    next_link = case((func.count() > last, link))
    count = _count(request, context) if options.is_counted else None
    return _Parts(members, next_link, count, page)


def _count(request: SetRequest, context: ReadContext) -> Sql:
    scope, conditions = set_scope(request, context)
    counted = select(func.count()).select_from(scope.clause).where(*conditions)
    return counted.correlate_except(*scope.own()).scalar_subquery()
