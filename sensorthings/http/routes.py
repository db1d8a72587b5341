"""The routes of SensorThings itself, the same for every version of the address.

What lives here: from a request to a statement or a transaction, and back to an answer with its status. What
does not: what the statement or the transaction does.

Source: OGC 18-088, clauses 9 and 10; statuses as the OGC test suite asks for them (200 for PATCH and DELETE).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.responses import Response

from sensorthings.errors import EntityMissingError, MethodError
from sensorthings.http.paths import parse_path
from sensorthings.http.requests import read_json, root_of
from sensorthings.model.entities import ENTITY_TYPES, EntityType, Kind
from sensorthings.queries.entity_json import ReadContext
from sensorthings.queries.plans import Plan, Planner
from sensorthings.queries.statements import Resource, Shape, Step
from sensorthings.settings import Settings
from sensorthings.writes.bodies import Mode, read_body
from sensorthings.writes.change import change_entity, delete_entity
from sensorthings.writes.create import Creation, parent_of

VERSIONS = ("v1.1", "v1.0")
"""Versions served, from the same data."""
JSON = "application/json"
_CONFORMANCE = [
    f"http://www.opengis.net/spec/iot_sensing/1.1/req/{name}"
    for name in (
        "datamodel",
        "resource-path",
        "resource-path/resource-path-to-entities",
        "request-data",
        "create-update-delete/create-entity",
        "create-update-delete/link-to-existing-entities",
        "create-update-delete/deep-insert",
        "create-update-delete/deep-insert-status-code",
        "create-update-delete/update-entity",
        "create-update-delete/update-entity-put",
        "create-update-delete/delete-entity",
        "create-update-delete/historical-location-auto-creation",
    )
]


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes need.

    Attributes:
        engine: Database.
        settings: Settings.
        planner: Plans of reads.
    """

    engine: AsyncEngine
    settings: Settings
    planner: Planner

    def context(self, request: Request, version: str) -> ReadContext:
        """Describe a read."""
        _check_version(version)
        root = root_of(request, self.settings, version)
        return ReadContext(root, self.settings.page_size, self.settings.max_page_size)


def _check_version(version: str) -> None:
    if version not in VERSIONS:
        raise EntityMissingError(f"Nothing is at /{version}.", f"The versions are {', '.join(VERSIONS)}.")


def make_router(service: Service) -> APIRouter:
    """Make the routes of all versions."""
    router = APIRouter()

    @router.api_route("/{version}", methods=["GET", "HEAD"])
    @router.api_route("/{version}/", methods=["GET", "HEAD"], include_in_schema=False)
    async def landing_page(request: Request, version: str) -> Response:
        """List the entity sets and what the service conforms to."""
        return _landing_page(service.context(request, version))

    @router.api_route("/{version}/{path:path}", methods=["GET", "HEAD"])
    async def read(request: Request, version: str, path: str) -> Response:
        """Read an entity, a set, a property or references."""
        return await _read(service, request, version, path)

    @router.post("/{version}/{path:path}")
    async def create(request: Request, version: str, path: str) -> Response:
        """Create an entity, with everything its body describes."""
        return await _create(service, request, version, path)

    @router.patch("/{version}/{path:path}")
    async def patch(request: Request, version: str, path: str) -> Response:
        """Change some properties or links of an entity."""
        return await _change(service, request, version, path, Mode.PATCH)

    @router.put("/{version}/{path:path}")
    async def replace(request: Request, version: str, path: str) -> Response:
        """Replace all properties of an entity."""
        return await _change(service, request, version, path, Mode.REPLACE)

    @router.delete("/{version}/{path:path}")
    async def delete(version: str, path: str) -> Response:
        """Delete an entity and what cannot be without it."""
        _check_version(version)
        return await _delete(service, path)

    return router


def _landing_page(context: ReadContext) -> Response:
    sets = [{"name": one.set_name, "url": f"{context.root}/{one.set_name}"} for one in ENTITY_TYPES]
    return Response(
        orjson.dumps({"value": sets, "serverSettings": {"conformance": _CONFORMANCE}}), media_type=JSON
    )


async def _read(service: Service, request: Request, version: str, path: str) -> Response:
    context = service.context(request, version)
    resource = parse_path(path)
    query = request.scope["query_string"].decode("ascii", "replace")
    row = await _fetch(service, service.planner.read(resource, query, context))
    if row is None or (len(row) > 1 and not row[1]):
        raise EntityMissingError(f"Nothing is at /{resource.text}.", "Check the ids and names in the path.")
    if row[0] is None:
        return Response(status_code=204)
    return Response(row[0].encode(), media_type=_media_type(resource))


async def _fetch(service: Service, plan: Plan) -> Sequence[Any] | None:
    """Run a read outside any transaction; once more when the connection turns out to be dead."""
    reader = service.engine.execution_options(isolation_level="AUTOCOMMIT")
    for is_last in (False, True):
        try:
            async with reader.connect() as connection:
                return (await connection.exec_driver_sql(plan.sql, plan.parameters)).first()
        except DBAPIError as error:
            if is_last or not error.connection_invalidated:
                raise
    return None


def _media_type(resource: Resource) -> str:
    if resource.shape is not Shape.VALUE:
        return JSON
    described = resource.described
    is_json = described is not None and described.kind in (Kind.OBJECT, Kind.UNIT, Kind.AREA)
    return JSON if is_json and len(resource.members) == 1 else "text/plain"


async def _entity_text(
    service: Service, connection: AsyncConnection, entity: EntityType, identifier: int, context: ReadContext
) -> bytes:
    resource = Resource((Step(entity, None, identifier),), Shape.ENTITY, (), "")
    plan = service.planner.read(resource, "", context)
    row = (await connection.exec_driver_sql(plan.sql, plan.parameters)).one()
    return str(row[0]).encode()


async def _create(service: Service, request: Request, version: str, path: str) -> Response:
    context = service.context(request, version)
    resource = parse_path(path)
    last = resource.steps[-1]
    if resource.shape is not Shape.SET:
        raise MethodError("POST", "GET, PATCH, PUT, DELETE", "Entities are created in sets.")
    entity, relation = last.entity, last.relation
    body = await read_json(request, service.settings)
    draft = read_body(entity, body, Mode.CREATE, via=relation.inverse if relation else None)
    async with service.engine.begin() as connection:
        creation = Creation(connection, datetime.now(UTC))
        parent = None
        if relation is not None:
            parent_id = await _locate(service, connection, resource, resource.steps[:-1])
            parent = parent_of(entity, relation, parent_id)
        identifier = await creation.create(draft, parent)
        await creation.extents.settle(connection)
        text = await _entity_text(service, connection, entity, identifier, context)
    location = f"{context.root}/{entity.set_name}({identifier})"
    return Response(text, 201, headers={"Location": location}, media_type=JSON)


async def _change(service: Service, request: Request, version: str, path: str, mode: Mode) -> Response:
    context = service.context(request, version)
    resource = _one_entity(path, "PATCH" if mode is Mode.PATCH else "PUT")
    entity = resource.entity
    draft = read_body(entity, await read_json(request, service.settings), mode)
    async with service.engine.begin() as connection:
        identifier = await _locate(service, connection, resource, resource.steps)
        change = Creation(connection, datetime.now(UTC))
        await change_entity(change, identifier, draft)
        await change.extents.settle(connection)
        text = await _entity_text(service, connection, entity, identifier, context)
    return Response(text, media_type=JSON)


async def _delete(service: Service, path: str) -> Response:
    resource = _one_entity(path, "DELETE")
    async with service.engine.begin() as connection:
        identifier = await _locate(service, connection, resource, resource.steps)
        deletion = Creation(connection, datetime.now(UTC))
        await delete_entity(deletion, resource.entity, identifier)
        await deletion.extents.settle(connection)
    return Response(status_code=200)


def _one_entity(path: str, method: str) -> Resource:
    resource = parse_path(path)
    if resource.shape is not Shape.ENTITY:
        allowed = "GET, POST" if resource.shape is Shape.SET else "GET"
        raise MethodError(method, allowed, "Give the address of one entity, such as Things(1).")
    return resource


async def _locate(
    service: Service, connection: AsyncConnection, resource: Resource, steps: tuple[Step, ...]
) -> int:
    plan = service.planner.locate(resource, steps)
    found = (await connection.exec_driver_sql(plan.sql, plan.parameters)).scalar()
    if found is None:
        raise EntityMissingError(f"Nothing is at /{resource.text}.", "Check the ids in the path.")
    return int(found)
