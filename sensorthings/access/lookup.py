"""Looking a principal up: by a token, a certificate or a name, with all that it may see and change.

What lives here: the statements of the look-up before a request. What does not: how a request proves who
sends it (`sensorthings.access.authentication`), and changing what is kept (`registry`, `shares`).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    LargeBinary,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from sensorthings.access.principals import Principal
from sensorthings.database import Prepared, Session, prepare
from sensorthings.model.tables import access_grant, datastream, principal, share, token


def _array(statement: Select[Any]) -> ColumnElement[Any]:
    return func.array(statement.scalar_subquery(), type_=ARRAY(BigInteger))


def _principal_rows() -> Select[Any]:
    granted = select(access_grant.c.system_id).where(access_grant.c.principal_id == principal.c.id)
    shared = _shared_streams()
    return (
        select(
            principal.c.name,
            principal.c.is_admin,
            principal.c.home_system_id,
            _array(granted.order_by(access_grant.c.system_id)),
            _array(granted.where(access_grant.c.may_write).order_by(access_grant.c.system_id)),
            *shared.c,
        )
        .select_from(principal)
        .join(shared, true())
    )


def _shared_streams() -> FromClause:
    """Give the arrays of `Principal` about what is shared with it; of several contracts the widest counts."""
    own = access_grant.alias()
    is_own = (
        exists()
        .where(own.c.principal_id == principal.c.id, own.c.system_id == datastream.c.system_id)
        .correlate(principal, datastream)
    )
    by_stream = (
        select(
            share.c.datastream_id.label("id"),
            func.bool_or(share.c.observations).label("is_observed"),
            func.bool_or(share.c.observations & share.c.since.is_(None)).label("is_whole"),
            func.min(share.c.since).filter(share.c.observations).label("since"),
            or_(datastream.c.system_id.is_(None), is_own).label("is_own"),
        )
        .join(access_grant, access_grant.c.system_id == share.c.system_id)
        .join(datastream, datastream.c.id == share.c.datastream_id)
        .where(access_grant.c.principal_id == principal.c.id)
        .group_by(share.c.datastream_id, datastream.c.system_id)
        .correlate(principal)
        .subquery()
    )
    one = by_stream.c
    is_limited = not_(or_(one.is_whole, one.is_own))
    has_since = and_(is_limited, one.is_observed)
    ids = func.array_agg(aggregate_order_by(one.id, one.id))
    times = func.array_agg(aggregate_order_by(one.since, one.id))
    return select(
        ids.label("shared"),
        ids.filter(one.is_observed).label("observed"),
        ids.filter(is_limited).label("limited"),
        ids.filter(has_since).label("since_ids"),
        times.filter(has_since).label("since_times"),
    ).lateral()


_BY_DIGEST = prepare(
    _principal_rows()
    .join(token, token.c.principal_id == principal.c.id)
    .where(
        token.c.digest == bindparam("digest", type_=LargeBinary),
        token.c.revoked.is_(None),
        or_(token.c.expires.is_(None), token.c.expires > func.now()),
    )
)
_BY_NAME = prepare(_principal_rows().where(principal.c.name == bindparam("name", type_=Text)))
_UID = bindparam("uid", type_=Text)
# One that names a certificate comes before one that has just that name.
_BY_CERTIFICATE = prepare(
    _principal_rows()
    .where(
        or_(
            principal.c.certificate == _UID, and_(principal.c.certificate.is_(None), principal.c.name == _UID)
        )
    )
    .order_by(principal.c.certificate.is_(None))
    .limit(1)
)


async def principal_by_digest(session: Session, digest: bytes) -> Principal | None:
    """Find the principal of a token that counts; None when there is none."""
    return await _principal(session, _BY_DIGEST, {"digest": digest})


async def principal_by_name(session: Session, name: str) -> Principal | None:
    """Find a principal; None when there is none of that name."""
    return await _principal(session, _BY_NAME, {"name": name})


async def principal_by_certificate(session: Session, uid: str) -> Principal | None:
    """Find the principal of certificates with a UID (RFC 4519, clause 2.39); None when they are nobody's."""
    return await _principal(session, _BY_CERTIFICATE, {"uid": uid})


async def _principal(session: Session, statement: Prepared, parameters: dict[str, Any]) -> Principal | None:
    row = await session.row(statement, parameters)
    if row is None:
        return None
    name, is_admin, home, reads, writes, *streams = row
    shared, observed, limited, since_ids, since_times = (tuple(one or ()) for one in streams)
    since = tuple(zip(since_ids, since_times, strict=True))
    return Principal(name, is_admin, home, tuple(reads), tuple(writes), shared, observed, limited, since)
