"""Who made what a rule rests on, and when: read from the tables, and from contracts as everybody reads them.

What lives here: sentences for clauses. What does not: deciding anything.
"""

import uuid
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.accounts.models import User
from platform_ui.clients.models import ClientApp
from platform_ui.companies.models import Company, CompanyMember
from platform_ui.contracts.views import ContractView
from platform_ui.explain.rulings import Clause, day
from platform_ui.pki.names import Identity, Kind
from platform_ui.streams.models import StreamApp
from platform_ui.systems.models import System, SystemMember

_Tables = tuple[type[System] | type[Company], type[SystemMember] | type[CompanyMember], ColumnElement[bool]]
_DELETED = "somebody whose account is deleted"


async def registration(session: AsyncSession, identity: Identity) -> tuple[str, ...]:
    """Tell who registered a client or stream app; nothing for a service, or for one that is gone."""
    if identity.kind is Kind.SERVICE:
        return ()
    kind = ClientApp if identity.kind is Kind.CLIENT else StreamApp
    system, _, name = identity.name.rpartition(".")
    statement = (
        select(kind.created_by, kind.created_at)
        .join(System, System.id == kind.system_id)
        .where(System.name == system, kind.name == name)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        return ()
    person = await email_of(session, found[0])
    word = "registered" if identity.kind is Kind.CLIENT else "created"
    text, folder = f"{name} was {word} by {person} {day(found[1])}", f"{identity.kind}s"
    return (Clause(text, identity.kind.value, f"/systems/{system}/{folder}/{name}"),)


async def part_in_system(session: AsyncSession, user: User, name: str) -> tuple[str, ...]:
    """Tell which part a person has in a system, given by whom and when."""
    joined = SystemMember.system_id == System.id
    return await _part_in(session, user, System.name == name, (System, SystemMember, joined))


async def part_in_company(session: AsyncSession, user: User, name: str) -> tuple[str, ...]:
    """Tell which part a person has in a company, given by whom and when."""
    joined = CompanyMember.company_id == Company.id
    return await _part_in(session, user, Company.name == name, (Company, CompanyMember, joined))


async def _part_in(
    session: AsyncSession, user: User, named: ColumnElement[bool], tables: _Tables
) -> tuple[str, ...]:
    (place, member, joined), giver = tables, aliased(User)
    statement = (
        select(place.name, member.role, member.added_at, giver.email)
        .select_from(member)
        .join(place, joined)
        .join(giver, giver.id == member.added_by)
        .where(named, member.user_id == user.id)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        return ()
    name, role, added_at, by = found
    home = "systems" if place is System else "companies"
    return (Clause(_part(user, name, role, added_at, by), "role", f"/{home}/{name}"),)


def _part(user: User, name: str, role: str, time: datetime, giver: str) -> str:
    by = "since they created it" if giver == user.email else f"given by {_shown(giver)}"
    return f"{user.email} is {role} of {name}, {by} {day(time)}"


def signatures(view: ContractView) -> Clause:
    """Tell of a contract's version in force, and who signed it."""
    version = view.in_force or view.shown
    signed = [
        f"{one.email} for the {one.side}'s side {day(one.signed_at)}"
        for (number, _), one in sorted(view.signatures.items())
        if number == version.number
    ]
    by = f"signed by {' and by '.join(signed)}" if signed else "signed by nobody yet"
    return Clause(f"contract {view.title.named}, version {version.number}, {by}", "contract", view.url)


async def email_of(session: AsyncSession, user_id: uuid.UUID) -> str:
    """Return a person's address, or that their account is deleted."""
    email = await session.scalar(select(User.email).where(User.id == user_id))
    return _shown(email or "")


def _shown(email: str) -> str:
    return _DELETED if not email or email.endswith(".invalid") else email
