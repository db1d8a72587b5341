"""Searching all that a person sees: companies, systems, client apps, stream apps, contracts.

What lives here: one query a kind, each limited and ranked by the database. What does not: who sees what (each
domain's own rule is used), pages of the site (``places``).

A row is found by its name, or by the name of what it belongs to. "audit" before other words finds the audit
logs of what the others name.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.accounts.models import User
from platform_ui.clients.models import ClientApp
from platform_ui.companies.models import Company, CompanyMember, Role
from platform_ui.contracts.models import Contract
from platform_ui.contracts.titles import ContractTitle, purpose_of_title
from platform_ui.contracts.views import visible_to
from platform_ui.finding.found import Found, Kind
from platform_ui.finding.places import find_places
from platform_ui.finding.ranking import Text, rank_in_database, words_of
from platform_ui.rest.paging import matches
from platform_ui.streams.models import StreamApp
from platform_ui.systems.listing import operated_by, seen_by
from platform_ui.systems.models import System, SystemMember, SystemRole

IN_PALETTE: Final = 5
ON_PAGE: Final = 25
_AUDIT: Final = "audit"
_ENTERPRISE: Final = 2
_STATION: Final = 4
_ORDER: Final = {kind: number for number, kind in enumerate(Kind)}

Words = tuple[str, ...]


async def find(session: AsyncSession, user: User, q: str, most: int = ON_PAGE) -> list[Found]:
    """Return what fits a search, best first; pages and actions too.

    Args:
        session: the database.
        user: who asks; nothing is found that they do not see.
        q: the words; all must occur.
        most: how many of each kind at most [1].
    """
    words = words_of(q)
    found = find_places(words, most)
    if not words:
        return found
    if _AUDIT.startswith(words[0]) and len(words[0]) > 1:
        found += await _audit_logs(session, user, words[1:], most)
    for search in (_systems, _clients, _apps, _contracts, _companies):
        found += await search(session, user, words, most)
    return sorted(found, key=lambda one: (one.rank, _ORDER[one.kind], len(one.title), one.title))


def grouped(found: Sequence[Found]) -> list[tuple[str, list[Found]]]:
    """Return what was found under the heading of its kind, the kind with the best one first."""
    groups: dict[Kind, list[Found]] = {}
    for one in found:
        groups.setdefault(one.kind, []).append(one)
    return [(kind.heading, ones) for kind, ones in groups.items()]


def _level(name: Text, number: int) -> ColumnElement[str]:
    return func.split_part(name, ".", number)


def _short(system: str) -> str:
    return system.rpartition(".")[2]


async def _rows(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], words: Words, most: int, *columns: Text
) -> Sequence[Any]:
    """Return the rows that fit best by the names in the columns, each with its ``rank``."""
    fits = rank_in_database(words, *columns)
    wanted = (
        statement.add_columns(fits.label("rank"))
        .where(matches(" ".join(words), *columns))
        .order_by(fits, func.length(columns[0]), columns[0])
        .limit(most)
    )
    return (await session.execute(wanted)).all()


async def _systems(session: AsyncSession, user: User, words: Words, most: int) -> list[Found]:
    statement = select(System.name, System.description).where(System.id.in_(seen_by(user)))
    rows = await _rows(session, statement, words, most, System.name, _level(System.name, _STATION))
    return [
        Found(Kind.SYSTEM, row.name, row.description, f"/systems/{row.name}", "server", row.rank)
        for row in rows
    ]


async def _clients(session: AsyncSession, user: User, words: Words, most: int) -> list[Found]:
    statement = (
        select(ClientApp.name, System.name.label("system"), SystemMember.role)
        .join(System, System.id == ClientApp.system_id)
        .join(SystemMember, SystemMember.system_id == System.id)
        .where(SystemMember.user_id == user.id)
    )
    rows = await _rows(session, statement, words, most, ClientApp.name, System.name)
    return [
        Found(Kind.CLIENT, row.name, row.system, _address_of_client(row), "plug-connected", row.rank)
        for row in rows
    ]


def _address_of_client(row: Any) -> str:  # noqa: ANN401 - a row of a query has no type
    system = f"/systems/{row.system}"
    return (
        f"{system}/clients/{row.name}" if row.role == SystemRole.AGENT else system
    )  # viewers open no client


async def _apps(session: AsyncSession, user: User, words: Words, most: int) -> list[Found]:
    source, target = aliased(System), aliased(System)
    seen = seen_by(user)
    statement = (
        select(StreamApp.name, source.name.label("source"), target.name.label("target"))
        .join(source, source.id == StreamApp.system_id)
        .join(target, target.id == StreamApp.target_system_id)
        .where(or_(StreamApp.system_id.in_(seen), StreamApp.target_system_id.in_(seen)))
    )
    columns = (StreamApp.name, source.name, target.name)
    rows = await _rows(session, statement, words, most, *columns)
    return [
        Found(
            Kind.APP,
            row.name,
            f"{_short(row.source)} to {_short(row.target)}",
            f"/systems/{row.source}/apps/{row.name}",
            "route",
            row.rank,
        )
        for row in rows
    ]


async def _contracts(session: AsyncSession, user: User, words: Words, most: int) -> list[Found]:
    purpose = purpose_of_title()
    statement = select(
        Contract.id, Contract.provider, Contract.consumer, Contract.state, purpose.label("purpose")
    ).where(visible_to(user))
    columns = (Contract.provider, Contract.consumer, Contract.id, purpose)
    rows = await _rows(session, statement, words, most, *columns)
    found = [
        (ContractTitle(row.id, row.provider, row.consumer, row.purpose), row.state, row.rank) for row in rows
    ]
    return [
        Found(Kind.CONTRACT, title.text, f"{state}, {title.id}", title.url, "file-text", rank)
        for title, state, rank in found
    ]


async def _companies(session: AsyncSession, user: User, words: Words, most: int) -> list[Found]:
    statement = (
        select(Company.name, Company.description)
        .join(CompanyMember, CompanyMember.company_id == Company.id)
        .where(CompanyMember.user_id == user.id)
    )
    rows = await _rows(session, statement, words, most, Company.name, _level(Company.name, _ENTERPRISE))
    return [
        Found(Kind.COMPANY, row.name, row.description, f"/companies/{row.name}", "building", row.rank)
        for row in rows
    ]


async def _audit_logs(session: AsyncSession, user: User, words: Words, most: int) -> list[Found]:
    """Return the audit logs that a person may read: of what they manage or operate."""
    companies = (
        select(Company.name, literal("companies").label("owner"))
        .join(CompanyMember, CompanyMember.company_id == Company.id)
        .where(CompanyMember.user_id == user.id, CompanyMember.role.in_([Role.OWNER, Role.ADMIN]))
    )
    systems = select(System.name, literal("systems").label("owner")).where(System.id.in_(operated_by(user)))
    both = union_all(companies, systems).subquery()
    name = both.c.name
    statement = select(name, both.c.owner)
    if words:
        rows = await _rows(session, statement, words, most, name)
    else:
        rows = (await session.execute(statement.order_by(func.length(name), name).limit(most))).all()
    return [
        Found(Kind.AUDIT, f"Audit of {row.name}", "", f"/{row.owner}/{row.name}/audit", "history", 0)
        for row in rows
    ]
