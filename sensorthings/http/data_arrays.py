"""CreateObservations: many Observations in one request, as data arrays.

What lives here: the order of the steps, and the answer. What does not: reading rows
(`sensorthings.writes.arrays`), storing them (`sensorthings.store`).

Datastreams and features are looked up once for each request, rows are read without the database, and all of
them are stored in one transaction by COPY. A row that cannot be stored is answered by "error", the others
stay.

Source: OGC 18-088, clause 13.2.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from sensorthings.database import Session
from sensorthings.errors import ForbiddenError
from sensorthings.http.messages import Answer, Request
from sensorthings.http.ports import Service
from sensorthings.http.requests import read_json
from sensorthings.http.transactions import run
from sensorthings.store.batches import NewObservation
from sensorthings.store.postgres import PostgresObservationStore
from sensorthings.writes.arrays import ArrayReader, Group, Targets, parse_groups
from sensorthings.writes.outbox_rows import OutboxRow, new_dt_id, record_value, write_outbox
from sensorthings.writes.targets import claim_ids, find_targets, make_features
from sensorthings.writes.work import Work

_log = logging.getLogger(__name__)
REFUSED_HEADER: Final = "DTwin-Refused-Rows"
"""Header with the number of rows that were not stored."""
_PART_ROWS: Final = 5000
"""Rows read or stored before other requests get their turn, and the bound of what is copied at once."""
_LOGGED_REASONS: Final = 5

Rows = list[NewObservation | None]


async def create_observations(service: Service, request: Request, session: Session | None = None) -> Answer:
    """Answer `POST /CreateObservations`: 201 with a link for each row, in order; "error" for a refused one.

    Raises:
        RequestError: The body is no data array, or the principal may write nothing.
        psycopg.Error: What the database says.
    """
    principal = request.principal
    if not principal.can_write:
        raise ForbiddenError(f"{principal.name} may not make Observations.")
    groups = parse_groups(read_json(request))
    targets = await _targets(service, request, session, groups)
    rows, refused = await _read(service, targets, groups)
    good = [row for row in rows if row is not None]

    async def act(work: Work) -> Answer:
        ids = await _store(service, work.session, targets, good)
        return Answer(201, _links(request.root, rows, ids), headers=_headers(refused))

    return await run(service, request, session, act, {row.phenomenon_start for row in good})


def _headers(refused: Counter[str]) -> dict[str, str]:
    if not refused:
        return {}
    number = sum(refused.values())
    facts = {"rows": number, "reasons": dict(refused.most_common(_LOGGED_REASONS))}
    _log.warning("rows of a data array refused", extra={"action": "data_array_refused", **facts})
    return {REFUSED_HEADER: str(number)}


async def _targets(
    service: Service, request: Request, session: Session | None, groups: Sequence[Group]
) -> Targets:
    takes_ids = service.settings.ids != "server"
    if session is not None:
        targets, lacking = await find_targets(session, request.principal, groups, takes_ids=takes_ids)
        await make_features(session, targets, lacking)
        return targets
    async with service.database.reading() as own:
        targets, lacking = await find_targets(own, request.principal, groups, takes_ids=takes_ids)
    if lacking:
        async with service.database.writing() as own:
            await make_features(own, targets, lacking)
    return targets


async def _read(service: Service, targets: Targets, groups: Sequence[Group]) -> tuple[Rows, Counter[str]]:
    settings = service.settings
    reader = ArrayReader(targets, datetime.now(UTC), settings.ids, settings.strict_types)
    rows: Rows = []
    for group in groups:
        for first in range(0, len(group.rows), _PART_ROWS):
            rows += reader.read(group, group.rows[first : first + _PART_ROWS])
            if len(rows) > _PART_ROWS:
                await asyncio.sleep(0)
    return rows, reader.refused


async def _store(
    service: Service, session: Session, targets: Targets, rows: Sequence[NewObservation]
) -> list[int]:
    """Store rows; gives their ids."""
    store = PostgresObservationStore(service.database)
    await claim_ids(session, [row.id for row in rows if row.id is not None])
    ids: list[int] = []
    for first in range(0, len(rows), _PART_ROWS):
        part = rows[first : first + _PART_ROWS]
        if service.settings.outbox:
            part = await _note(session, targets, part)
        ids += (await store.append(session, part, may_repeat=False)).ids
    return ids


async def _note(
    session: Session, targets: Targets, rows: Sequence[NewObservation]
) -> Sequence[NewObservation]:
    """Note rows of Datastreams that belong to a system for Kafka; gives all with the ids of their records."""
    noted, outgoing = [], []
    for row in rows:
        stream = targets.streams[row.datastream_id]
        if stream.topic is None or stream.key is None:
            noted.append(row)
            continue
        dt_id = new_dt_id()
        value = record_value(stream.identifier, row._asdict(), is_multi=stream.is_multi)
        outgoing.append(OutboxRow(stream.topic, stream.key, value, dt_id))
        noted.append(row._replace(dt_id=dt_id))
    await write_outbox(session, outgoing)
    return noted


def _links(root: str, rows: Rows, ids: Sequence[int]) -> bytes:
    return f"[{','.join(_link_texts(root, rows, ids))}]".encode()


def _link_texts(root: str, rows: Rows, ids: Sequence[int]) -> Iterator[str]:
    # The root holds no character that JSON would escape: it is a percent-encoded address.
    stored = iter(ids)
    for row in rows:
        yield '"error"' if row is None else f'"{root}/Observations({next(stored)})"'
