"""Statements for addresses: one SELECT for an entity, a set, a property or references, at any depth.

What lives here: the chain of entities in the path, each checked against its parent by joins, and what is
shown at its end. What does not: reading the URL (`sensorthings.http.paths`).
"""

from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    bindparam,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from sensorthings.access.sight import Sight
from sensorthings.errors import RequestError
from sensorthings.model.entities import Kind
from sensorthings.odata.nodes import Options
from sensorthings.queries.entity_json import (
    ReadContext,
    fixed,
    joined,
    property_bare,
    property_json,
    reference_json,
    self_link,
)
from sensorthings.queries.pages import SetRequest, entity_text, further_bound, set_text
from sensorthings.queries.resources import Resource, Shape, Step
from sensorthings.queries.scope import parts_of, tie
from sensorthings.queries.values import Columns, bare_text, json_value

_JSON_KINDS = (Kind.ANY, Kind.OBJECT, Kind.RESULT, Kind.UNIT, Kind.UNITS, Kind.TYPES)


def read_statement(resource: Resource, options: Options, context: ReadContext) -> Select[Any]:
    """Give the statement that answers a GET: one row with one text, or no row when the path leads nowhere.

    For a property there is a second column: whether the key inside a JSON value is there.

    Raises:
        RequestError: The options do not fit the address, or name what is not there.
    """
    last = resource.steps[-1]
    if last.is_set:
        return _set_statement(resource, options, context)
    allowed = {"$select", "$expand"} if resource.shape is Shape.ENTITY else set()
    if not options.given <= allowed:
        wrong = ", ".join(sorted(options.given - allowed))
        raise RequestError(
            400,
            "query.option_not_here",
            f"{wrong} does not fit this address.",
            "It fits addresses of sets." if resource.shape is Shape.ENTITY else "Leave it out.",
        )
    clause, columns, conditions = _chain(resource.steps, context.sight)
    shown = _shown(resource, columns, options, context)
    return select(*shown).select_from(clause).where(*conditions)


def path_parameters(resource: Resource) -> dict[str, object]:
    """Give the parameters that come from the path: all that differs between plans of one shape."""
    identifiers = {f"id_{place}": step.identifier for place, step in enumerate(resource.steps)}
    return {**identifiers, _ADDRESS: _address(resource)}


_ADDRESS = "address"


def _address(resource: Resource) -> str:
    return f"/{quote(resource.text, safe='/()$')}"


def locate_statement(steps: tuple[Step, ...], sight: Sight) -> Select[int]:
    """Give the statement that finds the id of the entity at the end of a path."""
    clause, columns, conditions = _chain(steps, sight)
    return select(columns["id"]).select_from(clause).where(*conditions)


def _set_statement(resource: Resource, options: Options, context: ReadContext) -> Select[Any]:
    last = resource.steps[-1]
    address: list[ColumnElement[Any]] = [
        context.root_sql,
        bindparam(_ADDRESS, _address(resource), type_=Text),
    ]
    is_reference = resource.shape is Shape.REFERENCE
    further = further_bound()
    if last.relation is None:
        return set_text(SetRequest(last.entity, options, None, address, further, is_reference), context)
    clause, columns, conditions = _chain(resource.steps[:-1], context.sight)
    request = SetRequest(last.entity, options, (last.relation, columns), address, further, is_reference)
    shown = set_text(request, context).correlate(*parts_of(clause)).scalar_subquery()
    return select(shown).select_from(clause).where(*conditions)


def _chain(steps: tuple[Step, ...], sight: Sight) -> tuple[FromClause, Columns, list[ColumnElement[bool]]]:
    first = sight.source(steps[0].entity)
    clause: FromClause = first
    columns: Columns = first.c
    conditions: list[ColumnElement[bool]] = []
    for place, step in enumerate(steps):
        if step.relation is not None:
            table = sight.source(step.entity)
            side, condition = tie(step.relation, columns, table)
            clause, columns = clause.join(side, condition), table.c
        if step.identifier is not None:
            conditions.append(columns["id"] == bindparam(f"id_{place}", step.identifier, type_=BigInteger))
    return clause, columns, conditions


def _shown(
    resource: Resource, columns: Columns, options: Options, context: ReadContext
) -> list[ColumnElement[Any]]:
    if resource.shape is Shape.ENTITY:
        return [entity_text(resource.entity, columns, options, context)]
    if resource.shape is Shape.REFERENCE:
        return [reference_json(resource.entity, columns, context)]
    is_bare = resource.shape is Shape.VALUE
    described = resource.described
    if described is None:
        return _named(resource, *_id_or_link(resource, columns, context), is_bare=is_bare)
    if described.kind not in _JSON_KINDS:
        bare = property_bare(described, columns)
        return _named(resource, bare, property_json(described, columns), is_bare=is_bare)
    return _json_shown(resource, json_value(described, columns), is_bare=is_bare)


def _id_or_link(
    resource: Resource, columns: Columns, context: ReadContext
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    if resource.members[0].endswith("selfLink"):
        link = joined(*self_link(resource.entity, columns, context))
        return link, cast(func.to_json(link), Text)
    return cast(columns["id"], Text), cast(columns["id"], Text)


def _json_shown(resource: Resource, whole: ColumnElement[Any], *, is_bare: bool) -> list[ColumnElement[Any]]:
    keys = [literal(key, Text) for key in resource.members[1:]]
    found: Any = func.jsonb_extract_path(whole, *keys, type_=JSONB) if keys else whole
    # JSON null is shown as no value (204) everywhere; only a missing key inside a value is missing (404).
    value = func.nullif(found, cast(literal("null", Text), JSONB))
    bare = bare_text(value)
    shown = _named(resource, bare, cast(value, Text), is_bare=is_bare)
    is_there = found.is_not(None) if keys else literal(True)
    return [*shown, is_there]


def _named(
    resource: Resource, bare: ColumnElement[Any], json: ColumnElement[Any], *, is_bare: bool
) -> list[ColumnElement[Any]]:
    if is_bare:
        return [bare]
    name = {"id": "@iot.id", "selfLink": "@iot.selfLink"}.get(resource.members[-1], resource.members[-1])
    # The name is a client's text when it is a key inside a JSON value, so it is bound.
    key = literal(name, Text)
    return [
        fixed("{").concat(cast(func.to_json(key), Text)).concat(fixed(":")).concat(json).concat(fixed("}"))
    ]
