"""Aggregates by time bucket: `Observations?bucket=PT1H&aggregate=count,avg`, an extension of ours.

What lives here: when it is asked for, which options it takes, the answer. What does not: the statement
(`sensorthings.queries.aggregates`).

It is served on every set of Observations, with `$filter`, `$top` and next links. The answer has one object
for each Datastream and bucket that holds a number:

    {"value": [{"Datastream": {"@iot.id": 1}, "phenomenonTime": "2026-03-01T00:00:00Z/2026-03-01T01:00:00Z",
                "count": 60, "avg": 20.5}], "@iot.nextLink": "..."}
"""

import base64
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import orjson

from sensorthings.access.sight import Sight
from sensorthings.database import Prepared, Row, Session, prepare
from sensorthings.errors import QuerySyntaxError, RequestError
from sensorthings.http.messages import Answer, Request
from sensorthings.http.paths import parse_path
from sensorthings.http.ports import Service
from sensorthings.http.reads import locate
from sensorthings.model.entities import OBSERVATION, Relation
from sensorthings.odata.nodes import Options
from sensorthings.odata.options import parse_options, query_pairs
from sensorthings.queries.aggregates import AROUND, MOST, Place, bucket_query, place_of
from sensorthings.queries.resources import Resource, Shape
from sensorthings.spatial.engine import may_be_spatial
from sensorthings.spatial.resolution import Reader, Resolved
from sensorthings.store.buckets import Bucket, parse_bucket, parse_functions

BUCKET: Final = "bucket"
AGGREGATE: Final = "aggregate"
DEFAULT: Final = "count,min,max,avg"
"""Functions where none are asked for."""
_ALLOWED: Final = frozenset({"$filter", "$top", "$skiptoken"})
_MAX_KEPT: Final = 256
_MAX_QUERY: Final = 2048


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for: the set, its filter, the buckets, the functions."""

    resource: Resource
    options: Options
    bucket: Bucket
    functions: tuple[str, ...]


def wants_buckets(query: str) -> bool:
    """Tell whether a query part asks for buckets."""
    if BUCKET not in query and AGGREGATE not in query:
        return False
    return any(name in (BUCKET, AGGREGATE) for name, _ in query_pairs(query))


async def answer_buckets(service: Service, request: Request, session: Session | None) -> Answer:
    """Answer a GET of buckets.

    Raises:
        RequestError: No set of Observations, or options that cannot be read or do not fit.
        psycopg.Error: What the database says.
    """
    asked = _read(request)
    settings, last = service.settings, asked.resource.steps[-1]
    top = settings.page_size if asked.options.top is None else asked.options.top
    most = min(top, settings.max_page_size)
    values: dict[str, Any] = {MOST: most + 1, **request.principal.parameters()}
    if asked.options.token is not None:
        place = place_of(asked.options.token)
        values |= {"datastream_id": place.datastream_id, "end": place.end}
    async with service.database.reading() if session is None else nullcontext(session) as own:
        if last.relation is not None:
            values[AROUND] = await locate(service, request, own, asked.resource, asked.resource.steps[:-1])
        statement = await _statement(service, request, own, asked, is_inside=session is not None)
        rows = await own.rows(statement, values)
    found: dict[str, Any] = {"value": [_shown(row, asked.functions) for row in rows[:most]]}
    if len(rows) > most > 0:
        found["@iot.nextLink"] = _next_link(request, asked.resource, rows[most - 1])
    return Answer(200, orjson.dumps(found))


def _read(request: Request) -> _Asked:
    resource = parse_path(request.path)
    if resource.entity is not OBSERVATION or resource.shape is not Shape.SET:
        raise RequestError(
            400,
            "query.option_not_here",
            f"{BUCKET} does not fit this address.",
            "It fits sets of Observations, such as Datastreams(1)/Observations.",
        )
    options = parse_options(request.query)
    if not options.given <= _ALLOWED:
        wrong = ", ".join(sorted(options.given - _ALLOWED))
        raise RequestError(
            400, "query.option_not_here", f"{wrong} does not go with {BUCKET}.", "$filter and $top do."
        )
    given: dict[str, str] = {}
    for name, text in query_pairs(request.query):
        if name in given and name in (BUCKET, AGGREGATE):
            raise QuerySyntaxError(name, "given twice", hint=f"Give {name} once.")
        given[name] = text
    if BUCKET not in given:
        raise QuerySyntaxError(BUCKET, f"is missing beside {AGGREGATE}", hint=f"As {BUCKET}=PT1H.")
    functions = parse_functions(given.get(AGGREGATE, DEFAULT))
    return _Asked(resource, options, parse_bucket(given[BUCKET]), functions)


async def _statement(
    service: Service, request: Request, session: Session, asked: _Asked, *, is_inside: bool
) -> Prepared:
    principal = request.principal
    relation = asked.resource.steps[-1].relation
    is_further = asked.options.token is not None
    if may_be_spatial(request.query):
        reader = Reader(session, principal.sight, principal.parameters())
        spatial = await service.spatial.resolve(asked.options, OBSERVATION, reader, is_inside=is_inside)
        return _made(asked, principal.sight, relation, is_further=is_further, spatial=spatial)
    query = next((text for name, text in query_pairs(request.query) if name == "$filter"), "")
    if len(query) > _MAX_QUERY:
        return _made(asked, principal.sight, relation, is_further=is_further)
    return _kept(query, asked.bucket, asked.functions, principal.sight, relation, is_further=is_further)


def _made(
    asked: _Asked,
    sight: Sight,
    relation: Relation | None,
    *,
    is_further: bool,
    spatial: Resolved | None = None,
) -> Prepared:
    more: Mapping[str, Any] = {} if spatial is None else {"spatial": spatial}
    return prepare(
        bucket_query(
            asked.options.where,
            asked.bucket,
            asked.functions,
            sight,
            relation=relation,
            is_further=is_further,
            **more,
        )
    )


@lru_cache(maxsize=_MAX_KEPT)
def _kept(
    query: str,
    bucket: Bucket,
    functions: tuple[str, ...],
    sight: Sight,
    relation: Relation | None,
    *,
    is_further: bool,
) -> Prepared:
    where = parse_options(f"$filter={quote(query)}").where if query else None
    return prepare(bucket_query(where, bucket, functions, sight, relation=relation, is_further=is_further))


def _shown(row: Row, functions: tuple[str, ...]) -> dict[str, Any]:
    identifier, start, end, *values = row
    return {
        "Datastream": {"@iot.id": identifier},
        "phenomenonTime": f"{_time(start)}/{_time(end)}",
        **dict(zip(functions, values, strict=True)),
    }


def _time(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _next_link(request: Request, resource: Resource, row: Row) -> str:
    place = orjson.dumps(Place(row[0], row[2]).texts())
    token = base64.urlsafe_b64encode(place).decode().rstrip("=")
    kept = [part for part in request.query.split("&") if part and "skiptoken=" not in part]
    query = "&".join([*kept, f"$skiptoken={token}"])
    return f"{request.root}/{quote(resource.text, safe='/()$')}?{query}"
