"""The lists of a person's systems: page by page, and as a tree by the levels of their names.

What lives here: reading both. What does not: one system and its rules (``service``).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.companies.models import Company
from platform_ui.rest.paging import Listed, Order, PageRequest, matches, read_page
from platform_ui.systems.models import System, SystemAgent, SystemMember

BY_NAME: Final = Order("systems", (System.name,))
LEVELS: Final = 4  # domain, enterprise, workcenter, station
MAX_BRANCHES: Final = 500
OPEN_UP_TO: Final = 40
"""So many systems are shown at once, with every branch open [1]."""


def seen_by(user: User) -> Select[uuid.UUID]:
    """Return the query of the ids of systems that a person operates or views."""
    return select(SystemMember.system_id).where(SystemMember.user_id == user.id)


def operated_by(user: User) -> Select[uuid.UUID]:
    """Return the query of the ids of systems that a person operates."""
    return select(SystemAgent.system_id).where(SystemAgent.user_id == user.id)


async def first_operated(session: AsyncSession, user: User, number: int = 3) -> Sequence[System]:
    """Return the first systems that a person operates, by name: where they may begin something.

    Args:
        session: the database.
        user: who asks.
        number: how many at most [1].
    """
    statement = select(System).where(System.id.in_(operated_by(user))).order_by(System.name)
    return (await session.scalars(statement.limit(number))).all()


async def page_of_systems(
    session: AsyncSession, user: User, page: PageRequest, *, counted: bool = False
) -> Listed[System]:
    """Return one page of the systems that a person operates or views, by name.

    Args:
        session: the database.
        user: who asks.
        page: which part of the list; names and descriptions are searched.
        counted: whether to count the whole list.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    statement = select(System).where(
        System.id.in_(seen_by(user)), matches(page.q, System.name, System.description)
    )
    found = await read_page(session, statement, BY_NAME.turned(page.is_descending), page, counted=counted)
    return found.map(itemgetter(0))


async def page_of_company(
    session: AsyncSession, user: User, company: Company, page: PageRequest
) -> Listed[tuple[System, bool]]:
    """Return one page of all systems of a company, and whether the person may open each.

    Args:
        session: the database.
        user: a member of the company: members see its systems listed, agents and viewers open them.
        company: whose systems.
        page: which part of the list.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    may_open = System.id.in_(seen_by(user))
    statement = select(System, may_open).where(
        System.company_id == company.id, matches(page.q, System.name, System.description)
    )
    found = await read_page(session, statement, BY_NAME.turned(page.is_descending), page, counted=True)
    return found.map(lambda row: (row[0], bool(row[1])))


@dataclass(frozen=True, slots=True)
class Branch:
    """One level of a name in the tree, with what is known below it.

    Attributes:
        path: The name down to here, such as ``at.srfg``.
        systems: How many systems are below it, or itself [1].
        system: The system, when this is the last level.
        children: Branches below, when they were read.
    """

    path: str
    systems: int
    system: System | None = None
    children: tuple["Branch", ...] | None = None

    @property
    def word(self) -> str:
        """The last level of the path."""
        return self.path.rpartition(".")[2]


async def branches_of(session: AsyncSession, user: User, path: str) -> tuple[Branch, ...]:
    """Return what is directly below a path in the tree of the systems that a person sees, by name.

    Args:
        session: the database.
        user: who asks.
        path: the first levels of names, such as ``at.srfg``; empty for the roots.
    """
    depth = _depth(path)
    if depth >= LEVELS:
        return ()
    if depth == LEVELS - 1:
        found = select(System).where(_seen_below(user, path)).order_by(System.name).limit(MAX_BRANCHES)
        return tuple(Branch(system.name, 1, system) for system in (await session.scalars(found)).all())
    level = func.split_part(System.name, ".", depth + 1)
    grouped = select(level, func.count()).where(_seen_below(user, path)).group_by(level).order_by(level)
    rows = (await session.execute(grouped.limit(MAX_BRANCHES))).all()
    return tuple(Branch(f"{path}.{word}" if path else word, number) for word, number in rows)


async def tree_of(session: AsyncSession, user: User, path: str = "") -> tuple[Branch, ...]:
    """Return the roots of the tree, opened down to a path; a small tree is opened altogether.

    It takes one query for each level, at most, however many systems there are.

    Args:
        session: the database.
        user: who asks.
        path: the first levels of names.
    """
    few = select(System).where(System.id.in_(seen_by(user))).order_by(System.name).limit(OPEN_UP_TO + 1)
    systems = (await session.scalars(few)).all()
    if len(systems) <= OPEN_UP_TO:
        return _grown(systems, "")
    levels = path.split(".")[: LEVELS - 1] if path else []
    paths = ["", *(".".join(levels[: depth + 1]) for depth in range(len(levels)))]
    below: tuple[Branch, ...] | None = None
    opened = ""
    for one in reversed(paths):
        found = await branches_of(session, user, one)
        below = tuple(
            Branch(branch.path, branch.systems, branch.system, below)
            if branch.path == opened and below
            else branch
            for branch in found
        )
        opened = one
    return below or ()


def _grown(systems: Sequence[System], path: str) -> tuple[Branch, ...]:
    """Build the whole tree of some systems, below a path."""
    depth = _depth(path)
    groups: dict[str, list[System]] = {}
    for system in systems:
        groups.setdefault(".".join(system.name.split(".")[: depth + 1]), []).append(system)
    if depth == LEVELS - 1:
        return tuple(Branch(name, 1, found[0]) for name, found in sorted(groups.items()))
    return tuple(
        Branch(name, len(found), None, _grown(found, name)) for name, found in sorted(groups.items())
    )


def _depth(path: str) -> int:
    return path.count(".") + 1 if path else 0


def _seen_below(user: User, path: str) -> ColumnElement[bool]:
    seen = System.id.in_(seen_by(user))
    return seen & System.name.startswith(f"{path}.", autoescape=True) if path else seen
