"""Statements for addresses: one SELECT for an entity, a set, a property or references, at any depth.

What lives here: the chain of entities in the path, each checked against its parent by joins, and what is
shown at its end. What does not: reading the URL (`sensorthings.http.paths`).
"""

from dataclasses import dataclass
from enum import Enum, auto
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

from sensorthings.errors import RequestError
from sensorthings.model.entities import EntityType, Kind, Property, Relation
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
from sensorthings.queries.pages import SetRequest, entity_text, set_text
from sensorthings.queries.scope import tie
from sensorthings.queries.values import Columns, bare_text

_JSON_KINDS = (Kind.ANY, Kind.OBJECT, Kind.RESULT, Kind.UNIT)


class Shape(Enum):
    """What is shown at the end of a path."""

    ENTITY = auto()
    SET = auto()
    PROPERTY = auto()
    VALUE = auto()
    """A property's bare value (`$value`)."""
    REFERENCE = auto()
    """Addresses only (`$ref`)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path.

    Attributes:
        entity: Type at this step.
        relation: Relation that led here; None for the first step.
        identifier: Id in parentheses; None for a set, or for a to-one relation.
    """

    entity: EntityType
    relation: Relation | None
    identifier: int | None

    @property
    def is_set(self) -> bool:
        """Whether the step stands for a whole set."""
        return self.identifier is None and (self.relation is None or self.relation.is_to_many)


@dataclass(frozen=True, slots=True)
class Resource:
    """An address, understood.

    Attributes:
        steps: Entities along the path; only the last one may be a set.
        shape: What is shown.
        members: Property and keys inside its JSON value, for PROPERTY and VALUE.
        text: The path as it was written, for links.
    """

    steps: tuple[Step, ...]
    shape: Shape
    members: tuple[str, ...]
    text: str

    @property
    def entity(self) -> EntityType:
        """Type at the end of the path."""
        return self.steps[-1].entity

    @property
    def described(self) -> Property | None:
        """The property asked for; None for the id."""
        return self.entity.find_property(self.members[0]) if self.members else None


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
    clause, columns, conditions = _chain(resource.steps)
    shown = _shown(resource, columns, options, context)
    return select(*shown).select_from(clause).where(*conditions)


def path_parameters(resource: Resource) -> dict[str, object]:
    """Give the parameters that come from the path: all that differs between plans of one shape."""
    identifiers = {f"id_{place}": step.identifier for place, step in enumerate(resource.steps)}
    return {**identifiers, _ADDRESS: _address(resource)}


_ADDRESS = "address"


def _address(resource: Resource) -> str:
    return f"/{quote(resource.text, safe='/()$')}"


def locate_statement(steps: tuple[Step, ...]) -> Select[int]:
    """Give the statement that finds the id of the entity at the end of a path."""
    clause, columns, conditions = _chain(steps)
    return select(columns["id"]).select_from(clause).where(*conditions)


def _set_statement(resource: Resource, options: Options, context: ReadContext) -> Select[Any]:
    last = resource.steps[-1]
    address: list[ColumnElement[Any]] = [
        context.root_sql,
        bindparam(_ADDRESS, _address(resource), type_=Text),
    ]
    is_reference = resource.shape is Shape.REFERENCE
    if last.relation is None:
        return set_text(SetRequest(last.entity, options, None, address, is_reference), context)
    clause, columns, conditions = _chain(resource.steps[:-1])
    request = SetRequest(last.entity, options, (last.relation, columns), address, is_reference)
    shown = set_text(request, context).correlate(*_tables(clause)).scalar_subquery()
    return select(shown).select_from(clause).where(*conditions)


def _tables(clause: FromClause) -> list[FromClause]:
    found: list[FromClause] = []
    pending: list[Any] = [clause]
    while pending:
        part = pending.pop()
        if hasattr(part, "left") and hasattr(part, "right"):
            pending += [part.left, part.right]
        else:
            found.append(part)
    return found


def _chain(steps: tuple[Step, ...]) -> tuple[FromClause, Columns, list[ColumnElement[bool]]]:
    first = steps[0].entity.table.alias()
    clause: FromClause = first
    columns: Columns = first.c
    conditions: list[ColumnElement[bool]] = []
    for place, step in enumerate(steps):
        if step.relation is not None:
            table = step.entity.table.alias()
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
    return _json_shown(resource, columns[described.columns[0]], is_bare=is_bare)


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
