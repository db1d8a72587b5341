"""Writes in transactions: begun, settled, and begun again when another one was in the way.

What lives here: what every write has around it. What does not: the writes (`sensorthings.http.changes`,
`sensorthings.http.references`).
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Final

import psycopg

from sensorthings.database import Session
from sensorthings.http.messages import Answer, Request
from sensorthings.http.ports import Service
from sensorthings.store.partitions import PartitionMissingError, ensure_partitions, forget_partitions
from sensorthings.writes.outbox_rows import write_outbox
from sensorthings.writes.work import Work

Act = Callable[[Work], Awaitable[Answer]]
"""What a request does inside its transaction."""
_TRIES: Final = 5
"""How often a transaction that another one was in the way of is begun."""


async def run(
    service: Service,
    request: Request,
    session: Session | None,
    act: Act,
    starts: Iterable[datetime | None] = (),
    *,
    is_upsert: bool = False,
) -> Answer:
    """Run a write in a transaction of its own, or as a part of a given one.

    Args:
        service: The service.
        request: What is asked for.
        session: The transaction that it belongs to; None for one of its own.
        act: What is done.
        starts: Starts of the phenomenonTimes of new Observations; None for one made now.
        is_upsert: Whether entities with the natural key of a new one are changed instead.

    Raises:
        RequestError: It cannot be done.
        psycopg.Error: What the database says.
    """
    now = datetime.now(UTC)
    months = [now if start is None else start for start in starts]
    await ensure_partitions(service.database, months, session)

    async def perform(inside: Session) -> Answer:
        work = Work(inside, request.principal, now, service.settings, is_upsert)
        answer = await act(work)
        await work.extents.settle(inside)
        await write_outbox(inside, work.outgoing)
        return answer

    if session is not None:
        return await perform(session)
    for tries in range(1, _TRIES + 1):
        is_begun = False
        try:
            async with service.database.writing() as own:
                is_begun = True
                return await perform(own)
        except PartitionMissingError as error:
            if tries == _TRIES:
                raise
            await ensure_partitions(service.database, error.starts)
        except psycopg.errors.CheckViolation:
            if tries == _TRIES or not months:
                raise
            # A partition that was known to be there has been dropped meanwhile.
            forget_partitions(service.database)
            await ensure_partitions(service.database, months)
        except psycopg.OperationalError as error:
            # A connection that was dead before the transaction began has done nothing yet.
            if tries == _TRIES or (is_begun and not isinstance(error, _IN_THE_WAY)):
                raise
    raise AssertionError("the last try answers or raises")


_IN_THE_WAY: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
