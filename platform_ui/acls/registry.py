"""The registry as access rules see it, read from the platform's database.

What lives here: the queries, and the settings that say how principals are known. What does not: what follows
from it (``compiling``).
"""

import logging
import uuid
from functools import lru_cache
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from client.messaging.topics import SystemName
from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import CredentialState, Registry, StreamAppState
from platform_ui.clients.models import ClientApp
from platform_ui.contracts.models import ACTIVE, IN_FORCE, Contract, ContractVersion
from platform_ui.credentials.models import Credential, IssuedCertificate
from platform_ui.db import now
from platform_ui.pki.names import Kind
from platform_ui.streams.models import CONTRACT, StreamApp, StreamAppContract
from platform_ui.systems.models import System
from streamhub.errors import QueryError
from streamhub.query import compile_statement

_log = logging.getLogger(__name__)

_ANY_SYSTEM: Final = "*"
_LOCK: Final = 0x64745F61636C  # "dt_acl": one writer of access rules at a time


async def wait_for_turn(session: AsyncSession) -> None:
    """Wait until nobody else changes access rules; until the session's transaction ends, nobody does.

    What is read afterwards is at least as new as what the one before has brought to the broker.
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def read_registry(session: AsyncSession, principals: Principals, of_system: str = "") -> Registry:
    """Read everything that access rules depend on.

    Args:
        session: the platform's database.
        principals: how the broker comes to know who somebody is.
        of_system: leave systems and client apps out that are not this one or of it; all when empty.
    """
    names = (await session.scalars(select(System.name).where(_is_named(of_system)))).all()
    clients = select(System.name, ClientApp.name).join(ClientApp, ClientApp.system_id == System.id)
    rows = (await session.execute(clients.where(_is_named(of_system)))).all()
    return Registry(
        systems=tuple(names),
        clients=tuple((row[0], row[1]) for row in rows),
        apps=await _apps(session),
        credentials={} if principals is Principals.NAMES else await _credentials(session),
        principals=principals,
    )


def _is_named(system: str) -> ColumnElement[bool]:
    return System.name == system if system else true()


async def _apps(session: AsyncSession) -> tuple[StreamAppState, ...]:
    source, target = aliased(System), aliased(System)
    statement = (
        select(StreamApp, source.name, target.name)
        .join(source, source.id == StreamApp.system_id)
        .join(target, target.id == StreamApp.target_system_id)
    )
    rows = (await session.execute(statement)).all()
    covered = await _covered(session) if rows else frozenset()
    found = []
    for app, home, writes in rows:
        sources = _sources(home, app.statement)
        foreign = (one for one in sources if _company(one) != _company(writes))
        permitted = (
            app.stopped_by != CONTRACT
            and bool(sources)  # what cannot be read may need contracts that nobody can name
            and all((app.id, one, writes) in covered for one in foreign)
        )
        found.append(StreamAppState(home, app.name, sources, writes, permitted))
    return tuple(found)


async def _covered(session: AsyncSession) -> frozenset[tuple[uuid.UUID, str, str]]:
    """Give the contracts in force that apps go by: app, provider, consumer."""
    version = and_(
        ContractVersion.contract_id == Contract.id,
        ContractVersion.state == IN_FORCE,
        or_(ContractVersion.ends_at.is_(None), ContractVersion.ends_at > now()),
    )
    statement = (
        select(StreamAppContract.app_id, Contract.provider, Contract.consumer)
        .join(Contract, Contract.id == StreamAppContract.contract_id)
        .join(ContractVersion, version)
        .where(Contract.state == ACTIVE)
    )
    return frozenset((app, gives, gets) for app, gives, gets in (await session.execute(statement)).all())


def _company(system: str) -> str:
    return SystemName.parse(system).company


@lru_cache(maxsize=10_000)
def _sources(home: str, statement: str) -> tuple[str, ...]:
    """Name the systems that an app reads, its own one first; none when its statement is not read any more."""
    try:
        named = compile_statement(statement).sources
    except QueryError as error:
        _log.warning("a stream app of %s reads nothing: %s", home, error)
        return ()
    return tuple(dict.fromkeys([home, *(name for name in named if name != _ANY_SYSTEM)]))


async def _credentials(session: AsyncSession) -> dict[tuple[Kind, str], CredentialState]:
    live = select(IssuedCertificate.kind, IssuedCertificate.name, IssuedCertificate.epoch).distinct()
    epochs: dict[tuple[str, str], set[int]] = {}
    for kind, name, epoch in (await session.execute(live.where(IssuedCertificate.not_after > now()))).all():
        epochs.setdefault((kind, name), set()).add(epoch)
    rows = select(Credential.kind, Credential.name, Credential.epoch, Credential.blocked_at)
    return {
        (Kind(kind), name): CredentialState(
            epoch, blocked is not None, frozenset(epochs.get((kind, name), ()))
        )
        for kind, name, epoch, blocked in (await session.execute(rows)).all()
    }
