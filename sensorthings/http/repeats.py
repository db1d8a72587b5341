"""Observations that are sent again: with the id of its record a POST makes one, however often it comes.

What lives here: the header `dt-id`, and the answer to a repeat. What does not: storing the id, which every
way of creating an Observation does.

Whoever passes Observations on (a gateway that got no answer, a broker that delivers twice) sends the id of
the record with each; within a Datastream it counts once, as it does for the records that come by Kafka.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Text, Uuid, bindparam, select, text

from client.messaging.records import HEADER_ID
from sensorthings.database import Session, prepare
from sensorthings.errors import RequestError
from sensorthings.http.messages import JSON, Answer, Request
from sensorthings.http.ports import Service
from sensorthings.http.reads import entity_text
from sensorthings.model.entities import DATASTREAM, MULTI_DATASTREAM, OBSERVATION
from sensorthings.queries.resources import Resource
from sensorthings.writes.bodies import Draft, Reference

_STREAMS: Final = (DATASTREAM, MULTI_DATASTREAM)


def take_id(request: Request, draft: Draft) -> bool:
    """Put the id of the record that a request names into a new Observation; tells whether it names one.

    Raises:
        RequestError: The header holds no UUID.
    """
    given = request.headers.get(HEADER_ID)
    if given is None or draft.entity is not OBSERVATION:
        return False
    draft.values["dt_id"] = _parse(given)
    return True


async def find_repeat(
    service: Service, request: Request, session: Session, resource: Resource, draft: Draft
) -> Answer | None:
    """Give the Observation that an earlier request with the same record id has made; None for a first one.

    Requests with the same id wait for each other until the transaction ends: their Observations need not
    have the same time, so that no index would tell them.

    Raises:
        psycopg.Error: What the database says.
    """
    dt_id = draft.values["dt_id"]
    source = request.principal.write_sight.source(OBSERVATION)
    statement = select(source.c.id).where(source.c.dt_id == bindparam("dt_id", type_=Uuid))
    stream = _stream_of(resource, draft)
    if stream is not None:
        statement = statement.where(source.c.datastream_id == bindparam("stream", type_=BigInteger))
    await session.run(_WAIT, {"record": f"{dt_id} {stream}"})
    values = {**request.principal.parameters(), "dt_id": dt_id, "stream": stream}
    found = await session.scalar(statement.limit(1), values)
    if found is None:
        return None
    shown = await entity_text(service, request, session, OBSERVATION, int(found))
    return Answer(200, shown, JSON, {"Location": f"{request.root}/Observations({found})"})


_WAIT = prepare(
    text("SELECT pg_advisory_xact_lock(hashtextextended(:record, 0))").bindparams(
        bindparam("record", type_=Text)
    )
)


def _parse(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise RequestError(
            400,
            "record.id",
            f"The header {HEADER_ID} holds no UUID: {given[:60]!r}.",
            "Send a UUID, or none.",
        ) from None


def _stream_of(resource: Resource, draft: Draft) -> int | None:
    """Give the id of the Datastream, by the path or by the body; None where it is a new one."""
    parents = [step.identifier for step in resource.steps[:-1] if step.entity in _STREAMS]
    if parents:
        return parents[-1]
    for relation in ("Datastream", "MultiDatastream"):
        for link in draft.links.get(relation, ()):
            if isinstance(link, Reference):
                return link.identifier
    return None
