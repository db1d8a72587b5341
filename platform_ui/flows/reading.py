"""What a person sees of what flows, and what may need them, from the database.

What lives here: the queries of the map; their number does not depend on how much there is. What does not:
what is made of it (``graph``, ``troubles``). Nobody is given anything of a system that they do not see, but
for the name of a system with which one of theirs exchanges records.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.accounts.models import User
from platform_ui.clients.models import ClientApp
from platform_ui.contracts.models import (
    ACTIVE,
    CONSUMER,
    DRAFT,
    ENDED,
    IN_FORCE,
    OPEN,
    PROVIDER,
    Contract,
    ContractSignature,
    ContractVersion,
)
from platform_ui.contracts.titles import ContractTitle, purpose_of_title
from platform_ui.credentials.models import Credential, IssuedCertificate
from platform_ui.flows.figures import Flows, FlowSnapshot, app_rate_of
from platform_ui.flows.graph import AppFact, Facts, ShareFact, SystemFact
from platform_ui.flows.troubles import SOON, EndingCertificate, EndingContract, UnsignedContract, Worries
from platform_ui.pki.names import Kind
from platform_ui.streams import statements
from platform_ui.streams.models import StreamApp
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.streams.running import states_of
from platform_ui.systems.models import CREATING, System, SystemAgent, SystemMember, SystemRole

_NAMES: Final = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+){3}")
_LAST_PART: Final = 4
"""A certificate is near its end when less than one part of so many of its life is left: devices that renew
it by themselves do so at two thirds."""

Systems = Select[Any]
_TITLE: Final = (Contract.id, Contract.provider, Contract.consumer, purpose_of_title())


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that home shows of a person's world."""

    facts: Facts
    worries: Worries


async def read_world(session: AsyncSession, user: User, present: datetime) -> Seen:
    """Return what a person sees of what flows, and what may need them.

    Args:
        session: the database.
        user: who asks.
        present: the present time.
    """
    seen = select(SystemMember.system_id).where(SystemMember.user_id == user.id)
    operated = seen.where(SystemMember.role == SystemRole.AGENT)
    systems, half_made = await _systems(session, user, seen)
    apps = await _apps(session, seen, {fact.name for fact in systems if fact.is_operated})
    shares, ending = await _contracts(session, seen, present)
    return Seen(
        Facts(systems, apps, shares),
        Worries(
            ending,
            await _unsigned(session, operated),
            await _certificates(session, operated, present),
            half_made,
        ),
    )


async def measured(flows: Flows, runner: StreamRunner) -> FlowSnapshot:
    """Return what was last measured; before that, what the runner says of apps now.

    Raises:
        RunnerError: nothing has been measured, and the runner's files cannot be read.
    """
    snapshot = flows.snapshot()
    if snapshot.at is not None or snapshot.trouble:
        return snapshot
    states = await states_of(runner)
    return FlowSnapshot(apps={app_id: app_rate_of(status) for app_id, status in states.items()})


async def _systems(
    session: AsyncSession, user: User, seen: Systems
) -> tuple[list[SystemFact], dict[str, datetime]]:
    clients = (
        select(ClientApp.system_id, func.count().label("number"))
        .where(ClientApp.system_id.in_(seen))
        .group_by(ClientApp.system_id)
        .subquery()
    )
    statement = (
        select(System.name, System.state, System.created_at, SystemMember.role, clients.c.number)
        .join(SystemMember, SystemMember.system_id == System.id)
        .outerjoin(clients, clients.c.system_id == System.id)
        .where(SystemMember.user_id == user.id)
        .order_by(System.name)
    )
    rows = (await session.execute(statement)).all()
    facts = [
        SystemFact(name, role == SystemRole.AGENT, state, number or 0)
        for name, state, _, role, number in rows
    ]
    return facts, {name: created_at for name, state, created_at, _, _ in rows if state == CREATING}


async def _apps(session: AsyncSession, seen: Systems, operated: set[str]) -> list[AppFact]:
    source, target = aliased(System), aliased(System)
    statement = (
        select(StreamApp.name, StreamApp.statement, StreamApp.stopped_by, source.name, target.name)
        .join(source, source.id == StreamApp.system_id)
        .join(target, target.id == StreamApp.target_system_id)
        .where(or_(StreamApp.system_id.in_(seen), StreamApp.target_system_id.in_(seen)))
        .order_by(source.name, StreamApp.name)
    )
    return [
        AppFact(name, (home, *_further(text, home)), to, stopped_by, home in operated)
        for name, text, stopped_by, home, to in (await session.execute(statement)).all()
    ]


def _further(statement: str, home: str) -> tuple[str, ...]:
    """Return the systems that a statement reads besides its own; most name none, and need no parsing."""
    if all(name == home for name in _NAMES.findall(statement)):
        return ()
    return _parsed(statement, home)


@lru_cache(maxsize=2048)
def _parsed(statement: str, home: str) -> tuple[str, ...]:
    return statements.further_sources(statement, home)


async def _contracts(
    session: AsyncSession, seen: Systems, present: datetime
) -> tuple[list[ShareFact], list[EndingContract]]:
    further = aliased(ContractVersion)
    is_changing = select(further.number).where(further.contract_id == Contract.id, further.state == OPEN)
    statement = (
        select(*_TITLE, ContractVersion.ends_at, is_changing.exists())
        .join(ContractVersion, ContractVersion.contract_id == Contract.id)
        .where(
            Contract.state == ACTIVE,
            ContractVersion.state == IN_FORCE,
            or_(ContractVersion.ends_at.is_(None), ContractVersion.ends_at > present),
            or_(Contract.provider_id.in_(seen), Contract.consumer_id.in_(seen)),
        )
        .order_by(Contract.id)
    )
    rows = (await session.execute(statement)).all()
    shares = [ShareFact(*row[:4]) for row in rows]
    ending = [
        EndingContract(ContractTitle(*row[:4]), ends_at)
        for row in rows
        for ends_at, changing in (row[4:],)
        if ends_at is not None and ends_at - present < SOON and not changing
    ]
    return shares, ending


async def _unsigned(session: AsyncSession, operated: Systems) -> list[UnsignedContract]:
    """Return the contracts that an agent may sign; a draft is there for the side that writes it alone."""
    was_sent = select(ContractSignature.contract_id).where(ContractSignature.contract_id == Contract.id)
    waiting = []
    for side, system_id in ((PROVIDER, Contract.provider_id), (CONSUMER, Contract.consumer_id)):
        signed = select(ContractSignature.side).where(
            ContractSignature.contract_id == Contract.id,
            ContractSignature.number == ContractVersion.number,
            ContractSignature.side == side,
        )
        visible = or_(Contract.begun_by == side, (Contract.state != DRAFT) & was_sent.exists())
        waiting.append(system_id.in_(operated) & visible & ~signed.exists())
    statement = (
        select(*_TITLE)
        .join(ContractVersion, ContractVersion.contract_id == Contract.id)
        .where(Contract.state != ENDED, ContractVersion.state == OPEN, or_(*waiting))
        .order_by(Contract.id)
    )
    return [UnsignedContract(ContractTitle(*row)) for row in (await session.execute(statement)).all()]


async def _certificates(
    session: AsyncSession, operated: Systems, present: datetime
) -> Sequence[EndingCertificate]:
    """Return the clients whose newest certificate is near its end, or over; begins with the few that are."""
    until = func.max(IssuedCertificate.not_after)
    ending = (
        select(
            IssuedCertificate.name,
            func.regexp_replace(IssuedCertificate.name, r"\.[^.]*$", "").label("system"),
            func.regexp_replace(IssuedCertificate.name, r"^.*\.", "").label("client"),
            until.label("until"),
            func.max(IssuedCertificate.not_before).label("since"),
        )
        .join(
            Credential,
            (Credential.name == IssuedCertificate.name)
            & (Credential.kind == IssuedCertificate.kind)
            & (Credential.epoch == IssuedCertificate.epoch),
        )
        .where(
            IssuedCertificate.kind == Kind.CLIENT.value,
            IssuedCertificate.revoked_at.is_(None),
            Credential.blocked_at.is_(None),
        )
        .group_by(IssuedCertificate.name)
        .having(until < present + SOON)
        .cte("ending")
    )
    statement = (
        select(System.name, ClientApp.name, ending.c.until, ending.c.since)
        .join(System, System.name == ending.c.system)
        .join(ClientApp, (ClientApp.system_id == System.id) & (ClientApp.name == ending.c.client))
        .where(System.id.in_(operated))
        .order_by(System.name, ClientApp.name)
    )
    return [
        EndingCertificate(system, client, not_after)
        for system, client, not_after, not_before in (await session.execute(statement)).all()
        if (not_after - present) * _LAST_PART < not_after - not_before
    ]


async def first_client(session: AsyncSession, user: User) -> str:
    """Return the address of the page of the first client app that a person operates; empty for none."""
    statement = (
        select(System.name, ClientApp.name)
        .join(ClientApp, ClientApp.system_id == System.id)
        .join(SystemAgent, SystemAgent.system_id == System.id)
        .where(SystemAgent.user_id == user.id)
        .order_by(System.name, ClientApp.name)
        .limit(1)
    )
    found = (await session.execute(statement)).one_or_none()
    return f"/systems/{found[0]}/clients/{found[1]}" if found else ""


def systems_by_company(facts: Facts) -> dict[str, int]:
    """Return how many systems the person sees in each company, by name of the company."""
    counted: dict[str, int] = defaultdict(int)
    for system in facts.systems:
        counted[".".join(system.name.split(".")[:2])] += 1
    return dict(sorted(counted.items()))
