"""What contracts share: Datastreams that a system sees which they do not belong to.

What lives here: the admins' changes of it, each idempotent. What does not: HTTP
(`sensorthings.http.access_routes`), and what follows from it for a query (`sensorthings.access.sight`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Text, any_, bindparam, delete, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from sensorthings.access.registry import systems_by_name
from sensorthings.database import Session
from sensorthings.errors import BodyError, EntityMissingError
from sensorthings.model.tables import datastream, share, system


@dataclass(frozen=True, slots=True)
class Share:
    """Datastreams that a contract lets a system see.

    Attributes:
        contract: Name of the contract.
        system: The system that may see them.
        datastreams: Their ids.
        observations: Whether their Observations may be seen, too.
        since: Only those whose phenomenonTime begins then or later; None for all.
    """

    contract: str
    system: str
    datastreams: tuple[int, ...]
    observations: bool = True
    since: datetime | None = None


async def list_shares(session: Session) -> list[Share]:
    """List what contracts share, by contract."""
    rows = await session.rows(
        select(share.c.contract, system.c.name, share.c.observations, share.c.since, share.c.datastream_id)
        .join(system, system.c.id == share.c.system_id)
        .order_by(share.c.contract, system.c.name, share.c.datastream_id)
    )
    found: dict[tuple[str, str, bool, datetime | None], list[int]] = {}
    for *head, identifier in rows:
        found.setdefault((head[0], head[1], head[2], head[3]), []).append(identifier)
    return [
        Share(contract, name, tuple(streams), observations, since)
        for (contract, name, observations, since), streams in found.items()
    ]


async def put_share(
    session: Session,
    contract: str,
    consumer: str,
    streams: Sequence[int | str],
    *,
    observations: bool = True,
    since: datetime | None = None,
) -> Share:
    """Make a contract share exactly these Datastreams with a system.

    Args:
        session: Inside a transaction.
        contract: Name of the contract.
        consumer: Name of the system that may see them.
        streams: The Datastreams, by id or by full name.
        observations: Whether it may see their Observations, too.
        since: Only those whose phenomenonTime begins then or later; None for all.

    Raises:
        BodyError: A Datastream is not there, or the system's name breaks the rules.
    """
    systems = await systems_by_name(session, [consumer])
    ids = await _datastreams(session, streams)
    await session.run(delete(share).where(share.c.contract == contract))
    if ids:
        rows = [
            {
                "contract": contract,
                "system_id": systems[consumer],
                "datastream_id": identifier,
                "observations": observations,
                "since": since,
            }
            for identifier in ids
        ]
        await session.run(insert(share).values(rows).on_conflict_do_nothing())
    return Share(contract, consumer, tuple(ids), observations, since)


async def delete_share(session: Session, contract: str) -> None:
    """End what a contract shares.

    Raises:
        EntityMissingError: It shares nothing.
    """
    if not await session.run(delete(share).where(share.c.contract == contract)):
        raise EntityMissingError(f"The contract {contract} shares nothing.", "GET the list of shares.")


async def _datastreams(session: Session, wanted: Sequence[int | str]) -> list[int]:
    names = [one for one in wanted if isinstance(one, str)]
    ids = [one for one in wanted if isinstance(one, int)]
    rows = await session.rows(
        select(datastream.c.id, datastream.c.name).where(
            or_(
                datastream.c.name == any_(bindparam("names", names, type_=ARRAY(Text))),
                datastream.c.id == any_(bindparam("ids", ids, type_=ARRAY(BigInteger))),
            )
        )
    )
    known = {name for _, name in rows} | {identifier for identifier, _ in rows}
    missing = [one for one in wanted if one not in known]
    if missing:
        raise BodyError(
            "access.datastream",
            f"there is no Datastream {missing[0]}.",
            place="/datastreams",
            hint="Register it first, or correct its name.",
        )
    return sorted(identifier for identifier, _ in rows)
