"""GET: from a request to one statement, and its answer.

What lives here: which shape of answer belongs to which address. What does not: the statement
(`sensorthings.queries`).

Source: OGC 18-088, clause 9.
"""

from contextlib import nullcontext
from dataclasses import replace

import psycopg
from sqlalchemy import select

from sensorthings.database import Row, Session
from sensorthings.errors import EntityMissingError
from sensorthings.http.formats.choice import ResultFormat, query_to_read, split_format
from sensorthings.http.formats.writer import make_wish, write_answer
from sensorthings.http.messages import JSON, Answer, Request
from sensorthings.http.paths import parse_path
from sensorthings.http.ports import Service
from sensorthings.model.entities import DATASTREAM, OBSERVATION, EntityType, Kind
from sensorthings.odata.options import parse_options
from sensorthings.queries.entity_json import ReadContext
from sensorthings.queries.plans import Plan
from sensorthings.queries.resources import Resource, Shape, Step
from sensorthings.queries.strict import check_filter
from sensorthings.spatial.engine import may_be_spatial
from sensorthings.spatial.resolution import Reader

_JSON_KINDS = (Kind.OBJECT, Kind.UNIT, Kind.UNITS, Kind.TYPES, Kind.AREA)


def context_of(service: Service, request: Request) -> ReadContext:
    """Describe a read."""
    settings = service.settings
    return ReadContext(request.root, settings.page_size, settings.max_page_size, request.principal.sight)


async def read(service: Service, request: Request, session: Session | None) -> Answer:
    """Answer a GET.

    Raises:
        RequestError: Nothing is there, or the options cannot be read or do not fit.
    """
    resource = parse_path(request.path)
    form, query = split_format(request.query)
    wish = None if form is ResultFormat.JSON else make_wish(form, resource, request.query)
    query = query_to_read(form, resource.entity, query)
    context = context_of(service, request)
    if service.settings.strict_types:
        await _check_types(service, request, resource, query, session)
    if may_be_spatial(query):
        context = await with_spatial(service, request, resource, context, session)
    plan = service.planner.read(resource, query, context)
    row = await _fetch(service, plan, request, session)
    if row is None or (len(row) > 1 and not row[1]):
        raise EntityMissingError(f"Nothing is at /{resource.text}.", "Check the ids and names in the path.")
    if row[0] is None:
        return Answer(204)
    if wish is not None:
        return write_answer(row[0].encode(), wish)
    return Answer(200, row[0].encode(), _media_type(resource))


async def with_spatial(
    service: Service, request: Request, resource: Resource, context: ReadContext, session: Session | None
) -> ReadContext:
    """Resolve the spatial calls of a request."""
    options = parse_options(split_format(request.query)[1])
    async with service.database.reading() if session is None else nullcontext(session) as own:
        reader = Reader(own, request.principal.sight, request.principal.parameters())
        spatial = await service.spatial.resolve(
            options, resource.entity, reader, is_inside=session is not None
        )
    return replace(context, spatial=spatial)


async def _check_types(
    service: Service, request: Request, resource: Resource, query: str, session: Session | None
) -> None:
    """Hold `$filter` to the observation type of the Datastream whose Observations are asked for.

    Raises:
        QueryTypeError: It compares `result` with what no result can be.
    """
    streams = [step.identifier for step in resource.steps if step.entity is DATASTREAM]
    where = parse_options(query).where
    if where is None or resource.entity is not OBSERVATION or not streams or streams[-1] is None:
        return
    source = request.principal.sight.source(DATASTREAM)
    kind = select(source.c.observation_type).where(source.c.id == streams[-1])
    async with service.database.reading() if session is None else nullcontext(session) as own:
        found = await own.scalar(kind, request.principal.parameters())
    if found is not None:
        check_filter(where, found)


async def _fetch(service: Service, plan: Plan, request: Request, session: Session | None) -> Row | None:
    """Run a read outside any transaction; once more when the connection turns out to be dead."""
    values = plan.values(request.principal.parameters())
    if session is not None:
        return await session.row(plan.statement, values)
    for is_last in (False, True):
        async with service.database.reading() as own:
            try:
                return await own.row(plan.statement, values)
            except psycopg.OperationalError:
                if is_last or not own.connection.closed:
                    raise
    return None


def _media_type(resource: Resource) -> str:
    if resource.shape is not Shape.VALUE:
        return JSON
    described = resource.described
    is_json = described is not None and described.kind in _JSON_KINDS
    return JSON if is_json and len(resource.members) == 1 else "text/plain"


async def entity_text(
    service: Service, request: Request, session: Session, entity: EntityType, identifier: int
) -> bytes:
    """Show one entity as GET does, from inside a transaction."""
    resource = Resource((Step(entity, None, identifier),), Shape.ENTITY, (), "")
    plan = service.planner.read(resource, "", context_of(service, request))
    text = await session.scalar(plan.statement, plan.values(request.principal.parameters()))
    return str(text).encode()


async def locate(
    service: Service, request: Request, session: Session, resource: Resource, steps: tuple[Step, ...]
) -> int:
    """Find the id of the entity at the end of a path, as far as the principal sees.

    Raises:
        EntityMissingError: Nothing is there.
    """
    plan = service.planner.locate(resource, steps, request.principal.sight)
    found = await session.scalar(plan.statement, plan.values(request.principal.parameters()))
    if found is None:
        raise EntityMissingError(f"Nothing is at /{resource.text}.", "Check the ids in the path.")
    return int(found)
