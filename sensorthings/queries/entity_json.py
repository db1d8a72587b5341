"""The JSON text of one entity, as an SQL expression.

What lives here: how each kind of property is shown, links, `$select`. What does not: sets and paging
(`queries.pages`).

Everything is text concatenation: Postgres' `concat` leaves nulls out, and `||` gives null when one side is,
so a property without a value disappears with its name, without any CASE.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, func, literal, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from sensorthings.access.sight import Sight
from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import EntityType, Kind, Property, target_of
from sensorthings.odata.nodes import Options
from sensorthings.queries.values import Columns, bare_text, json_value
from sensorthings.spatial.resolution import NOTHING_SPATIAL, Resolved

Sql = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a read needs besides the options.

    Attributes:
        root: Address of the service and version, as in `http://host/v1.1`.
        page_size: Entities on a page when `$top` is not given.
        max_page_size: Most entities on a page.
        sight: What may be seen.
        spatial: What stands for the spatial calls in the options; not part of any key, because a statement
            with such calls is not kept.
    """

    root: str
    page_size: int
    max_page_size: int
    sight: Sight
    spatial: Resolved = field(default=NOTHING_SPATIAL, compare=False)

    @property
    def root_sql(self) -> Sql:
        """The root as a bound parameter, escaped for JSON."""
        return literal(json_inside(self.root), Text)


def json_inside(text: str) -> str:
    """Escape a text for the inside of a JSON string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def fixed(text: str) -> ColumnElement[str]:
    """Write a text of the entity description (never of a client) into the statement."""
    return literal_column("'" + text.replace("'", "''") + "'", Text)


def self_link(entity: EntityType, columns: Columns, context: ReadContext) -> list[Sql]:
    """Give the parts of an entity's absolute address."""
    return [context.root_sql, fixed(f"/{entity.set_name}("), columns["id"], fixed(")")]


def instant_text(sql: Sql) -> ColumnElement[str]:
    """Show a time as RFC 3339 in UTC, in quotes."""
    local = cast(func.to_json(func.timezone("UTC", sql)), Text)
    return func.rtrim(local, '"', type_=Text).concat(fixed('Z"'))


def _period_text(start: Sql, end: Sql) -> ColumnElement[str]:
    first = func.rtrim(instant_text(start), '"', type_=Text)
    return first.concat(fixed("/")).concat(func.ltrim(instant_text(end), '"', type_=Text))


def _area_text(west: Sql, south: Sql, east: Sql, north: Sql) -> ColumnElement[str]:
    def position(longitude: Sql, latitude: Sql) -> ColumnElement[str]:
        return func.jsonb_build_array(longitude, latitude, type_=JSONB)

    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    ring = func.jsonb_build_array(*(position(*corner) for corner in corners))
    polygon = func.jsonb_build_object(
        fixed("type"), fixed("Polygon"), fixed("coordinates"), func.jsonb_build_array(ring)
    )
    # A polygon also around a single place: that is the type that the standard gives, and clients read.
    return cast(case((west.is_(None), None), else_=polygon), Text)


def property_json(described: Property, columns: Columns) -> ColumnElement[str]:
    """Show a property's value as JSON text; SQL NULL when it has none."""
    sql: list[Any] = [columns[name] for name in described.columns]
    show = _SHOWN.get(described.kind)
    return cast(sql[0], Text) if show is None else show(*sql)


_SHOWN: dict[Kind, Callable[..., ColumnElement[str]]] = {
    Kind.TEXT: lambda text: cast(func.to_json(text), Text),
    Kind.INSTANT: instant_text,
    Kind.PERIOD: _period_text,
    Kind.MOMENT: lambda start, end: case((start == end, instant_text(start)), else_=_period_text(start, end)),
    Kind.AREA: _area_text,
    Kind.RESULT: lambda value, number: func.coalesce(cast(value, Text), cast(number, Text), type_=Text),
}


def property_bare(described: Property, columns: Columns) -> ColumnElement[str]:
    """Show a property's value without JSON quotes; SQL NULL when it has none."""
    if described.kind is Kind.TEXT:
        return cast(columns[described.columns[0]], Text)
    if described.kind in (Kind.INSTANT, Kind.PERIOD, Kind.MOMENT):
        return func.btrim(property_json(described, columns), '"', type_=Text)
    if described.kind is Kind.AREA:
        return property_json(described, columns)
    return bare_text(json_value(described, columns))


def joined(*parts: Sql) -> ColumnElement[str]:
    """Concatenate, leaving nulls out; nests where Postgres' limit of 100 arguments would be passed."""
    if len(parts) > _MAX_ARGUMENTS:
        groups = [parts[at : at + _MAX_ARGUMENTS] for at in range(0, len(parts), _MAX_ARGUMENTS)]
        return joined(*(joined(*group) for group in groups))
    return func.concat(*parts, type_=Text)


_MAX_ARGUMENTS = 90


def entity_json(
    entity: EntityType, columns: Columns, options: Options, context: ReadContext, expanded: dict[str, Sql]
) -> ColumnElement[str]:
    """Show one entity as a JSON object.

    Args:
        entity: Its type.
        columns: Columns of its table.
        options: `$select` counts here.
        context: Root of the links.
        expanded: Text of each expanded relation, beginning with a comma.

    Raises:
        QueryTypeError: `$select` names what the entity type does not have.
    """
    _check_select(entity, options)
    chosen = _chosen(entity, columns, options, context, expanded)
    return joined(fixed("{"), func.substr(joined(*chosen), 2, type_=Text), fixed("}"))


def _check_select(entity: EntityType, options: Options) -> None:
    known = {"id", "@iot.id", "selfLink", "@iot.selfLink", *entity.names()}
    for name in options.select or ():
        if name not in known:
            raise QueryTypeError(
                f"$select: {entity.name} has no property or relation {name}.",
                f"It has id, {', '.join(entity.names())}.",
            )


def _chosen(
    entity: EntityType, columns: Columns, options: Options, context: ReadContext, expanded: dict[str, Sql]
) -> Iterator[Sql]:
    select = options.select

    def is_chosen(*names: str) -> bool:
        return select is None or any(name in select for name in names)

    if is_chosen("id", "@iot.id"):
        yield from (fixed(',"@iot.id":'), columns["id"])
    if is_chosen("selfLink", "@iot.selfLink"):
        yield from (fixed(',"@iot.selfLink":"'), *self_link(entity, columns, context), fixed('"'))
    for described in entity.properties:
        if is_chosen(described.name):
            shown = property_json(described, columns)
            text = func.coalesce(shown, fixed("null")) if described.shows_null else shown
            yield fixed(f',"{described.name}":').concat(text)
    for relation in entity.relations:
        if relation.name in expanded:
            yield expanded[relation.name]
        elif is_chosen(relation.name):
            link = [fixed(f',"{relation.name}@iot.navigationLink":"'), *self_link(entity, columns, context)]
            link.append(fixed(f'/{relation.name}"'))
            target = target_of(relation)
            if relation.own_column is not None and target.is_multi is not None:
                # An Observation has one of the two; the other leads nowhere.
                yield case((columns["is_multi"].is_(target.is_multi), joined(*link)))
            else:
                yield from link


def reference_json(entity: EntityType, columns: Columns, context: ReadContext) -> ColumnElement[str]:
    """Show an entity as its address only (`$ref`)."""
    return joined(fixed('{"@iot.selfLink":"'), *self_link(entity, columns, context), fixed('"}'))
