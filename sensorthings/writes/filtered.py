"""Entities that a filter finds and a principal may change.

What lives here: the search. What does not: deleting them (`sensorthings.writes.remove`).
"""

from sqlalchemy import BigInteger, literal, select

from sensorthings.model.entities import EntityType, Relation
from sensorthings.odata.nodes import Options
from sensorthings.queries.entity_json import ReadContext, fixed
from sensorthings.queries.pages import SetRequest, set_scope
from sensorthings.writes.work import Work


async def matching_ids(
    work: Work,
    entity: EntityType,
    options: Options,
    origin: tuple[Relation, int] | None,
    context: ReadContext,
) -> list[int]:
    """List the ids of the entities that `$filter` finds, of those that the principal may change.

    Args:
        work: The request.
        entity: Their type.
        options: Query options; only `$filter` counts.
        origin: Relation that leads to the set, and the id it starts from; None for all entities.
        context: What may be seen.

    Raises:
        QueryTypeError: The filter names what is not there.
    """
    start = None
    if origin is not None:
        relation, parent_id = origin
        start = (relation, select(literal(parent_id, BigInteger).label("id")).subquery().c)
    request = SetRequest(entity, options, start, [], fixed(""))
    scope, conditions = set_scope(request, context)
    writable = work.principal.write_sight.source(entity)
    found = (
        select(scope.source.c.id)
        .select_from(scope.clause)
        .where(*conditions, scope.source.c.id.in_(select(writable.c.id)))
        .distinct()
    )
    return [row[0] for row in await work.session.rows(found, work.principal.parameters())]
