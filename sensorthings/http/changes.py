"""POST, PATCH, PUT and DELETE: from a request to a write, and its answer.

What lives here: which write belongs to which address, who may do it, and the status of the answer. What does
not: what a write does (`sensorthings.writes`), links as such (`sensorthings.http.references`).

Source: OGC 18-088, clause 10; statuses as the OGC test suite asks for them (200 for PATCH and DELETE).
"""

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Final

import orjson
import psycopg

from sensorthings.database import Session
from sensorthings.errors import MethodError, QuerySyntaxError, RequestError
from sensorthings.http import references, repeats
from sensorthings.http.messages import JSON, Answer, Request
from sensorthings.http.paths import parse_path
from sensorthings.http.ports import Service
from sensorthings.http.reads import context_of, entity_text, locate, with_spatial
from sensorthings.http.requests import one_entity, parse_json, read_json
from sensorthings.http.transactions import run
from sensorthings.model.entities import DATASTREAM, OBSERVATION
from sensorthings.odata.options import parse_options, query_pairs
from sensorthings.queries.resources import Resource, Shape
from sensorthings.spatial.engine import may_be_spatial
from sensorthings.store.partitions import ensure_partitions
from sensorthings.writes.bodies import Draft, Mode, read_body
from sensorthings.writes.change import change_entity
from sensorthings.writes.create import create_entity, parent_of, starts_of
from sensorthings.writes.filtered import matching_ids
from sensorthings.writes.json_patch import MEDIA_TYPE, patched_properties
from sensorthings.writes.owners import check_place
from sensorthings.writes.remove import delete_entities
from sensorthings.writes.rows import lock_row
from sensorthings.writes.single import insert_observation, observation_text, stream_of
from sensorthings.writes.work import Made, Work

_SHORT: Final = 2
_SHORT_STARTS: Final = (OBSERVATION, DATASTREAM)
"""Types that a path to the Observations of one Datastream, or to all, begins with."""


async def create(service: Service, request: Request, session: Session | None = None) -> Answer:
    """Answer a POST: create an entity, with everything its body describes.

    Raises:
        RequestError: It cannot be made.
        psycopg.Error: What the database says.
    """
    resource = parse_path(request.path)
    if resource.shape is Shape.REFERENCE:
        return await references.add(service, request, session, resource)
    if resource.shape is not Shape.SET:
        raise MethodError("POST", "GET, PATCH, PUT, DELETE", "Entities are created in sets.")
    entity, relation = resource.steps[-1].entity, resource.steps[-1].relation
    is_upsert = _is_upsert(request.query)
    via = relation.inverse if relation else None
    draft = read_body(entity, read_json(request), Mode.CREATE, via=via, ids=service.settings.ids)
    is_named = not is_upsert and repeats.take_id(request, draft)
    if not (is_upsert or is_named):
        answer = await _create_at_once(service, request, session, resource, draft)
        if answer is not None:
            return answer

    async def act(work: Work) -> Answer:
        if is_named:
            answer = await repeats.find_repeat(service, request, work.session, resource, draft)
            if answer is None:
                answer = await _create_at_once(service, request, work.session, resource, draft)
            if answer is not None:
                return answer
        parent = None
        if relation is not None:
            around = resource.steps[-2].entity
            parent_id = await locate(service, request, work.session, resource, resource.steps[:-1])
            system = await check_place(work.session, work.principal, around, parent_id, is_link=True)
            parent = parent_of(entity, relation, parent_id, system)
        made = await create_entity(work, draft, parent)
        # Settled here already: what is shown are the extents that this request leaves behind.
        await work.extents.settle(work.session)
        text = await entity_text(service, request, work.session, entity, made.identifier)
        address = f"{request.root}/{entity.set_name}({made.identifier})"
        return Answer(201 if made.is_new else 200, text, JSON, {"Location": address})

    return await run(service, request, session, act, starts_of(draft), is_upsert=is_upsert)


def _is_upsert(query: str) -> bool:
    for name, text in query_pairs(query):
        if name == "upsert":
            if text not in ("true", "false"):
                raise QuerySyntaxError(name, f"{text[:40]!r} is neither true nor false")
            return text == "true"
    return False


async def _create_at_once(
    service: Service, request: Request, session: Session | None, resource: Resource, draft: Draft
) -> Answer | None:
    """Create a plain Observation in one statement; None when that is not possible.

    Raises:
        psycopg.Error: What the database says, inside a given transaction, which has to begin again then.
    """
    steps = resource.steps
    if draft.entity is not OBSERVATION or len(steps) > _SHORT or steps[0].entity not in _SHORT_STARTS:
        return None
    stream_id = stream_of(draft, steps[0].identifier)
    if stream_id is None:
        return None
    now = datetime.now(UTC)
    await ensure_partitions(service.database, [draft.values.get("phenomenon_start") or now], session)
    try:
        async with service.database.reading() if session is None else nullcontext(session) as own:
            work = Work(own, request.principal, now, service.settings)
            made = await insert_observation(work, draft, stream_id)
    except (psycopg.errors.CheckViolation, psycopg.errors.AdminShutdown):
        if session is not None:
            raise
        return None  # the partition was dropped, or the connection ended before the statement began
    if made is None:
        return None
    identifier, values = made
    headers = {"Location": f"{request.root}/Observations({identifier})"}
    return Answer(201, observation_text(request.root, identifier, values), JSON, headers)


async def change(service: Service, request: Request, session: Session | None, mode: Mode) -> Answer:
    """Answer a PATCH (of properties and links, or a JSON Patch) or a PUT.

    Raises:
        RequestError: It cannot be done.
        psycopg.Error: What the database says.
    """
    if mode is Mode.REPLACE and (resource := parse_path(request.path)).shape is Shape.REFERENCE:
        return await references.replace(service, request, session, resource)
    resource = one_entity(request.path, request.method)
    entity = resource.entity
    is_json_patch = mode is Mode.PATCH and request.media_type == MEDIA_TYPE
    body = parse_json(request.body) if is_json_patch else read_json(request)
    given = Draft(entity) if is_json_patch else read_body(entity, body, mode)

    async def act(work: Work) -> Answer:
        identifier = await locate(service, request, work.session, resource, resource.steps)
        system = await check_place(work.session, work.principal, entity, identifier)
        draft = given
        if is_json_patch:
            await lock_row(work.session, entity, identifier)
            shown = orjson.loads(await entity_text(service, request, work.session, entity, identifier))
            draft = read_body(entity, patched_properties(entity, shown, body), mode)
            await ensure_partitions(service.database, _months(draft, work), work.session)
        await change_entity(work, Made(identifier, system, is_new=False), draft)
        await work.extents.settle(work.session)
        return Answer(200, await entity_text(service, request, work.session, entity, identifier), JSON)

    return await run(service, request, session, act, _starts(given))


def _starts(draft: Draft) -> list[datetime | None]:
    """List the phenomenonTime that a change gives an Observation, if any; None stands for now."""
    is_moved = draft.entity is OBSERVATION and "phenomenon_start" in draft.values
    return [draft.values["phenomenon_start"]] if is_moved else []


def _months(draft: Draft, work: Work) -> list[datetime]:
    return [start or work.now for start in _starts(draft)]


async def delete(service: Service, request: Request, session: Session | None) -> Answer:
    """Answer a DELETE: of an entity, of a link, or of what a filter finds.

    Raises:
        RequestError: It cannot be done.
        psycopg.Error: What the database says.
    """
    resource = parse_path(request.path)
    if resource.shape is Shape.REFERENCE:
        return await references.remove(service, request, session, resource)
    if resource.shape is Shape.SET and (service.settings.filtered_delete or request.query):
        return await _delete_found(service, request, session, resource)
    resource = one_entity(request.path, request.method)

    async def act(work: Work) -> Answer:
        identifier = await locate(service, request, work.session, resource, resource.steps)
        await check_place(work.session, work.principal, resource.entity, identifier)
        await delete_entities(work, resource.entity, [identifier])
        return Answer(200)

    return await run(service, request, session, act)


async def _delete_found(
    service: Service, request: Request, session: Session | None, resource: Resource
) -> Answer:
    """Delete the entities of a set that a filter finds, of those that the principal may change."""
    if not service.settings.filtered_delete:
        raise MethodError(
            "DELETE",
            "GET, POST",
            "Deleting by filter is off; the setting filtered_delete turns it on. Delete entities one by one.",
        )
    options = parse_options(request.query)
    if options.where is None or options.given != {"$filter"}:
        raise RequestError(
            400,
            "query.filter_needed",
            "DELETE of a set takes $filter, and nothing else.",
            f"As DELETE {resource.entity.set_name}?$filter=id lt 100.",
        )

    async def act(work: Work) -> Answer:
        relation = resource.steps[-1].relation
        origin = None
        if relation is not None:
            parent_id = await locate(service, request, work.session, resource, resource.steps[:-1])
            origin = (relation, parent_id)
        context = context_of(service, request)
        if may_be_spatial(request.query):
            context = await with_spatial(service, request, resource, context, work.session)
        found = await matching_ids(work, resource.entity, options, origin, context)
        count = await delete_entities(work, resource.entity, found) if found else 0
        return Answer(200, orjson.dumps({"@iot.count": count}), JSON)

    return await run(service, request, session, act)
