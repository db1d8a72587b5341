"""Links as such, at addresses that end in `$ref`: made, replaced and taken away.

What lives here: which link an address means. What does not: what follows from it (`sensorthings.writes`).

Source: OASIS OData 4.01 part 1, clause 11.4.6 (modifying relationships); OGC 18-088, clause 9.2.6 (`$ref`).
"""

import re
from typing import Final

from sensorthings.database import Session
from sensorthings.errors import BodyError, MethodError, QuerySyntaxError
from sensorthings.http.messages import Answer, Request
from sensorthings.http.ports import Service
from sensorthings.http.reads import locate
from sensorthings.http.requests import read_json
from sensorthings.http.transactions import run
from sensorthings.model.entities import Relation, target_of
from sensorthings.odata.options import query_pairs
from sensorthings.queries.resources import Resource
from sensorthings.writes.bodies import Draft, Reference, reference
from sensorthings.writes.change import change_entity
from sensorthings.writes.links import join
from sensorthings.writes.owners import check_place
from sensorthings.writes.remove import unlink
from sensorthings.writes.work import Made, Work

_ADDRESS: Final = re.compile(r"(?:.*/)?(?P<set>[A-Za-z]+)\((?P<id>[0-9]{1,19})\)/?", re.ASCII)
_NAMES: Final = ("@iot.id", "@odata.id", "@iot.selfLink", "@id")
"""Members of a body that name the entity to link, by id or address."""


async def add(service: Service, request: Request, session: Session | None, resource: Resource) -> Answer:
    """Answer a POST to `Things(1)/Locations/$ref`: link an entity that is there.

    Raises:
        RequestError: It cannot be linked.
        psycopg.Error: What the database says.
    """
    relation = _relation(resource, request.method)
    if not resource.steps[-1].is_set:
        raise MethodError("POST", "GET, PUT, DELETE", "POST adds to a set; PUT replaces a link to one.")
    link = _linked(relation, read_json(request))

    async def act(work: Work) -> Answer:
        near = await _locate_owner(service, request, work, resource)
        await join(work, relation, near, link.identifier)
        return Answer(200)

    return await run(service, request, session, act)


async def replace(service: Service, request: Request, session: Session | None, resource: Resource) -> Answer:
    """Answer a PUT to `Datastreams(1)/Sensor/$ref`: replace a link to one entity.

    Raises:
        RequestError: It cannot be linked.
        psycopg.Error: What the database says.
    """
    relation = _relation(resource, request.method)
    if relation.is_to_many:
        raise MethodError("PUT", "GET, POST, DELETE", "PUT replaces a link to one; POST adds to a set.")
    owner = resource.steps[-2].entity
    draft = Draft(owner, links={relation.name: [_linked(relation, read_json(request))]})

    async def act(work: Work) -> Answer:
        near = await _locate_owner(service, request, work, resource)
        await change_entity(work, near, draft)
        return Answer(200)

    return await run(service, request, session, act)


async def remove(service: Service, request: Request, session: Session | None, resource: Resource) -> Answer:
    """Answer a DELETE of `Things(1)/Locations(2)/$ref`, or of `Things(1)/Locations/$ref?$id=...`.

    Raises:
        RequestError: There is no such link, or one of the two cannot be without it.
        psycopg.Error: What the database says.
    """
    relation = _relation(resource, request.method)
    given = resource.steps[-1].identifier
    far_id = given if given is not None or not relation.is_to_many else _asked_for(relation, request.query)

    async def act(work: Work) -> Answer:
        near = await _locate_owner(service, request, work, resource)
        await unlink(work, relation, near.identifier, far_id or 0)
        return Answer(200)

    return await run(service, request, session, act)


def _relation(resource: Resource, method: str) -> Relation:
    relation = resource.steps[-1].relation
    if relation is None:
        raise MethodError(method, "GET", "Links belong to a relation, as Things(1)/Locations/$ref.")
    return relation


async def _locate_owner(service: Service, request: Request, work: Work, resource: Resource) -> Made:
    steps = resource.steps[:-1]
    near_id = await locate(service, request, work.session, resource, steps)
    system = await check_place(work.session, work.principal, steps[-1].entity, near_id)
    return Made(near_id, system, is_new=False)


def _asked_for(relation: Relation, query: str) -> int:
    for name, text in query_pairs(query):
        if name == "$id":
            return _identifier(relation, text, "$id")
    raise QuerySyntaxError(
        "$id", "is needed to tell which link is meant", hint=f"As $id={target_of(relation).set_name}(1)."
    )


def _linked(relation: Relation, body: object) -> Reference:
    """Read the link in a body: an id, or an address."""
    if isinstance(body, dict):
        for name in _NAMES:
            value = body.get(name)
            if isinstance(value, str):
                return reference(relation, _identifier(relation, value, name), f"/{name}")
            if value is not None:
                return reference(relation, value, f"/{name}")
    raise BodyError("body.link", "a link is needed", hint='As {"@iot.id": 1}.')


def _identifier(relation: Relation, text: str, name: str) -> int:
    found = _ADDRESS.fullmatch(text)
    set_name = target_of(relation).set_name
    if found is None and text.isascii() and text.isdigit() and len(text) < len(str(2**63)):
        return int(text)
    if found is None or found["set"] != set_name:
        raise BodyError("body.link", f"{name} is no address of one of the {set_name}: {text[:80]!r}")
    return int(found["id"])
