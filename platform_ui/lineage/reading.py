"""What a person sees of systems, stream apps and contracts, from the database, now or as of a time.

What lives here: the queries; their number does not depend on how much there is. What does not: how things
were at a time (``history``), what follows from the facts (``truths``, ``columns``), and what the broker tells
(``observed``). Who may see what is always judged by the present: a look back is no way around it.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.accounts.models import User
from platform_ui.audit.models import AuditEntry
from platform_ui.contracts.models import Contract, ContractVersion
from platform_ui.contracts.views import visible_to
from platform_ui.flows.graph import SystemFact
from platform_ui.lineage.history import (
    Rollback,
    StatementVersion,
    contracts_at,
    grouped,
    moments_of,
    statement_at,
    uses_of,
)
from platform_ui.lineage.world.columns import sources_of
from platform_ui.lineage.world.facts import AppFact, ContractFact, Facts, Use
from platform_ui.streams.models import StreamApp, StreamAppContract, StreamAppVersion
from platform_ui.systems.listing import seen_by
from platform_ui.systems.models import System, SystemMember, SystemRole

ROLLED_BACK: Final = "stream.rolled_back"

_Contracts = list[tuple[Contract, ContractVersion, bool]]


@dataclass(frozen=True, slots=True)
class _AppRow:
    """A stream app with the names of its ends."""

    app: StreamApp
    home: str
    target: str

    @property
    def app_id(self) -> str:
        """Its name to the runner."""
        return f"{self.home}.{self.app.name}"


async def read_facts(
    session: AsyncSession, user: User, present: datetime, at: datetime | None = None
) -> Facts:
    """Return what a person sees of what is declared and permitted.

    Args:
        session: the database.
        user: who asks.
        present: the present time.
        at: as of when; nothing for now.
    """
    time = at or present
    systems = await _systems(session, user)
    names = {fact.name for fact, _ in systems}
    apps = await _apps(session, user)
    links = await _links(session, user)
    contracts = await _contracts(session, user)
    inside = [row for row in apps if row.home in names]
    versions = await _versions(session, inside)
    rollbacks = await _rollbacks(session, [row.app_id for row in inside])
    held = contracts_at([(one, version) for one, version, _ in contracts], time)
    shown = [(one, version) for one, version, is_visible in contracts if is_visible]
    visible = {one.id for one, _ in shown}
    present_apps = [_app(row, names, uses_of(links.get(row.app.id, ()), held, row.target)) for row in apps]
    return Facts(
        [fact for fact, created_at in systems if created_at <= time],
        present_apps if at is None else _apps_at(apps, names, (versions, rollbacks, held), at),
        [fact for key, fact in held.items() if key in visible],
        moments_of(shown, versions, rollbacks, present),
    )


def _app(
    row: _AppRow, names: set[str], uses: Mapping[str, Use], version: StatementVersion | None = None
) -> AppFact:
    """Return an app with its present statement, or with a former one.

    Args:
        row: The app.
        names: The systems that the person sees; without its own, they are told no statement.
        uses: Its contracts, by source.
        version: The former statement, where one is wanted.
    """
    app, is_inside = row.app, row.home in names
    text = version.statement if version else app.statement
    sources = sources_of(text, row.home)
    if not is_inside:  # what else it reads is known to the target as far as a contract says so
        sources = tuple(one for one in sources if one == row.home or one in uses or one in names)
    return AppFact(
        app.name,
        sources,
        row.target,
        text,
        version.number if version else app.version,
        uses,
        app.stopped_by,
        is_inside,
        app.created_at,
    )


def _apps_at(
    rows: Sequence[_AppRow],
    names: set[str],
    known: tuple[Mapping[str, Sequence[StatementVersion]], Sequence[Rollback], Mapping[str, ContractFact]],
    at: datetime,
) -> list[AppFact]:
    """Return apps as they were at a time; others' former statements are not shared."""
    versions, rollbacks, held = known
    returned = grouped(rollbacks)
    found = []
    for row in rows:
        version = statement_at(versions.get(row.app_id, ()), returned.get(row.app_id, ()), at)
        if version is not None:
            found.append(_app(row, names, uses_of(version.contracts, held, row.target), version))
    return found


async def _systems(session: AsyncSession, user: User) -> list[tuple[SystemFact, datetime]]:
    statement = (
        select(System.name, System.state, System.created_at, SystemMember.role)
        .join(SystemMember, SystemMember.system_id == System.id)
        .where(SystemMember.user_id == user.id)
        .order_by(System.name)
    )
    return [
        (SystemFact(name, role == SystemRole.AGENT, state), created_at)
        for name, state, created_at, role in (await session.execute(statement)).all()
    ]


async def _apps(session: AsyncSession, user: User) -> list[_AppRow]:
    seen = seen_by(user)
    source, target = aliased(System), aliased(System)
    statement = (
        select(StreamApp, source.name, target.name)
        .join(source, source.id == StreamApp.system_id)
        .join(target, target.id == StreamApp.target_system_id)
        .where(or_(StreamApp.system_id.in_(seen), StreamApp.target_system_id.in_(seen)))
        .order_by(source.name, StreamApp.name)
    )
    return [_AppRow(app, home, to) for app, home, to in (await session.execute(statement)).all()]


async def _links(session: AsyncSession, user: User) -> dict[uuid.UUID, list[str]]:
    """Return the ids of the contracts of apps that the person sees."""
    seen = seen_by(user)
    statement = (
        select(StreamAppContract.app_id, StreamAppContract.contract_id)
        .join(StreamApp, StreamApp.id == StreamAppContract.app_id)
        .where(or_(StreamApp.system_id.in_(seen), StreamApp.target_system_id.in_(seen)))
    )
    found: dict[uuid.UUID, list[str]] = defaultdict(list)
    for app_id, contract in (await session.execute(statement)).all():
        found[app_id].append(contract)
    return found


async def _contracts(session: AsyncSession, user: User) -> _Contracts:
    """Return what was ever in force: what the person sees, and what apps go by that they see.

    Of the latter they are told nothing but whether it holds.
    """
    seen = seen_by(user)
    used = (
        select(StreamAppContract.contract_id)
        .join(StreamApp, StreamApp.id == StreamAppContract.app_id)
        .where(or_(StreamApp.system_id.in_(seen), StreamApp.target_system_id.in_(seen)))
    )
    visible = visible_to(user)
    statement = (
        select(Contract, ContractVersion, visible.label("is_visible"))
        .join(ContractVersion, ContractVersion.contract_id == Contract.id)
        .where(ContractVersion.in_force_at.is_not(None), or_(visible, Contract.id.in_(used)))
        .order_by(Contract.id, ContractVersion.number)
    )
    rows = (await session.execute(statement)).all()
    return [(contract, version, bool(is_visible)) for contract, version, is_visible in rows]


async def _versions(session: AsyncSession, rows: Sequence[_AppRow]) -> dict[str, list[StatementVersion]]:
    names = {row.app.id: row.app_id for row in rows}
    statement = (
        select(StreamAppVersion)
        .where(StreamAppVersion.app_id.in_(names))
        .order_by(StreamAppVersion.app_id, StreamAppVersion.number)
    )
    found: dict[str, list[StatementVersion]] = defaultdict(list)
    for one in (await session.scalars(statement)).all():
        kept = StatementVersion(one.number, one.created_at, one.statement, tuple(one.contracts))
        found[names[one.app_id]].append(kept)
    return found


async def _rollbacks(session: AsyncSession, app_ids: Sequence[str]) -> list[Rollback]:
    """Return when apps got an earlier version again: only the audit log tells."""
    statement = (
        select(AuditEntry.object_name, AuditEntry.at, AuditEntry.after)
        .where(AuditEntry.action == ROLLED_BACK, AuditEntry.object_name.in_(app_ids))
        .order_by(AuditEntry.at)
    )
    rows = (await session.execute(statement)).all()
    return [Rollback(name, at, int(after["version"])) for name, at, after in rows if after]
