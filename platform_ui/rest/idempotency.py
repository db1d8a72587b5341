"""Requests that a program repeats because it did not hear the answer: done once, answered alike.

What lives here: the header ``Idempotency-Key`` of POST. What does not: how the answer gets here
(``exchange``).

How it works: before the handler runs, a row with the person, the key and a hash of the request goes into the
handler's own transaction. So the row is there exactly when the work is. Whoever comes at the same moment does
not get the lock of that key; whoever comes later finds the row, and gets the answer that was kept. A refusal
is not kept: it has changed nothing, so the same key may be tried again. An answer that no cache may keep
(``Cache-Control: no-store``: tokens, archives) is not kept either: the repeat is told so.

Source: IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header-07),
clauses 2.5 to 2.7.
"""

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from fastapi import Request
from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from platform_ui.db import Sessions, now
from platform_ui.errors import ConflictError, FormError, RequestError
from platform_ui.rest.models import MAX_KEY, IdempotentRequest

HEADER: Final = "idempotency-key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
KEPT_FOR: Final = timedelta(hours=24)
STATE: Final = "idempotent_request"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class AnsweredBeforeError(Exception):
    """The request was done before; `response` is its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__("this request was answered before")
        self.response = response


@dataclass(frozen=True, slots=True)
class Begun:
    """A request with a key whose answer is to be kept."""

    principal_id: uuid.UUID
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it is kept; without a body when it holds a secret."""

    status: int
    media_type: str
    body: bytes | None


async def begin(request: Request, session: AsyncSession, principal_id: uuid.UUID) -> None:
    """Let a request with a key be done once.

    Args:
        request: with the header.
        session: that of the handler; nothing is committed.
        principal_id: who asks: others may use the same key.

    Raises:
        RequestError: the key is not 1 to 255 visible ASCII characters.
        FormError: the key came with another request before.
        ConflictError: the same request is being done, or its answer was not kept.
        AnsweredBeforeError: the same request was done.
    """
    key = request.headers[HEADER]
    if not _KEY.fullmatch(key):
        raise RequestError(
            f"An idempotency key is 1 to {MAX_KEY} visible ASCII characters.",
            code="idempotency.key_invalid",
            hint="A UUID is a good one.",
        )
    digest = await _hash_of(request)
    lock = func.pg_try_advisory_xact_lock(func.hashtextextended(f"idempotency:{principal_id}:{key}", 0))
    if not await session.scalar(select(lock)):
        raise _in_progress()
    await _forget_old(session)
    known = await session.get(IdempotentRequest, (principal_id, key))
    if known is not None:
        raise _answer_of(known, digest)
    row = {"principal_id": principal_id, "key": key, "request_hash": digest, "begun_at": now()}
    await session.execute(insert(IdempotentRequest).values(**row, media_type="", is_withheld=False))
    setattr(request.state, STATE, Begun(principal_id, key))


async def _forget_old(session: AsyncSession) -> None:
    """Delete what is kept long enough; what another request is deleting is left to it, without waiting."""
    names = (IdempotentRequest.principal_id, IdempotentRequest.key)
    old = select(*names).where(IdempotentRequest.begun_at < now() - KEPT_FOR)
    free = old.with_for_update(skip_locked=True)
    await session.execute(delete(IdempotentRequest).where(tuple_(*names).in_(free)))


async def _hash_of(request: Request) -> str:
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(await request.body())
    return digest.hexdigest()


def _answer_of(row: IdempotentRequest, digest: str) -> Exception:
    if row.request_hash != digest:
        return FormError(
            {"Idempotency-Key": "This key came with another request before: use a new one."},
            code="idempotency.key_reused",
        )
    if row.is_withheld:
        return ConflictError(
            "This was done before. Its answer held a secret, so it was not kept.",
            code="idempotency.answer_not_kept",
            hint="Take back what was made then, if its answer is lost, and make another one with a new key.",
        )
    if row.status is None:
        return _in_progress()
    response = Response(row.body or b"", row.status, media_type=row.media_type or None)
    response.headers[REPLAYED_HEADER] = "true"
    return AnsweredBeforeError(response)


def _in_progress() -> ConflictError:
    return ConflictError(
        "A request with this key is being done.",
        code="idempotency.in_progress",
        hint="Wait for a moment and repeat it. If this stays so, its answer was lost: look whether it was "
        "done, then use a new key.",
    )


async def keep(sessions: Sessions, begun: Begun, answer: Kept) -> None:
    """Keep the answer of a request for whoever repeats it; forget the request when it was refused."""
    is_this = (
        IdempotentRequest.principal_id == begun.principal_id,
        IdempotentRequest.key == begun.key,
    )
    async with sessions() as session:
        if answer.status >= HTTPStatus.BAD_REQUEST:
            await session.execute(delete(IdempotentRequest).where(*is_this))
        else:
            values = {
                "status": answer.status,
                "media_type": answer.media_type,
                "body": answer.body,
                "is_withheld": answer.body is None,
            }
            await session.execute(update(IdempotentRequest).where(*is_this).values(**values))
        await session.commit()
