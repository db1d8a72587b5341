"""The list of a person's contracts, page by page: those that wait for them first, ended ones last.

What lives here: reading the list, whole or by what is chosen. What does not: one contract and who sees it
(``views``), changing one (``service``).
"""

from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.contracts.models import (
    ACTIVE,
    CONSUMER,
    ENDED,
    OPEN,
    PROVIDER,
    Contract,
    ContractSignature,
    ContractVersion,
)
from platform_ui.contracts.reach import reach_of
from platform_ui.contracts.views import ContractView, views_of, visible_to
from platform_ui.rest.paging import Listed, Order, PageRequest, matches, read_page
from platform_ui.systems.listing import operated_by
from platform_ui.systems.models import System


class Choice(StrEnum):
    """Which contracts of the list are wanted."""

    WAITING = "waiting"
    IN_FORCE = "in-force"
    OPEN = "open"
    ENDED = "ended"


def _waits_for(user: User) -> ColumnElement[bool]:
    """Tell whether a version waits for the signature of a side for which the person acts."""
    operated = operated_by(user)

    def unsigned(side: str) -> ColumnElement[bool]:
        signed = select(ContractSignature.contract_id).where(
            ContractSignature.contract_id == ContractVersion.contract_id,
            ContractSignature.number == ContractVersion.number,
            ContractSignature.side == side,
        )
        return ~signed.exists()

    provider = and_(Contract.provider_id.in_(operated), unsigned(PROVIDER))
    consumer = and_(Contract.consumer_id.in_(operated), unsigned(CONSUMER))
    waiting = select(ContractVersion.contract_id).where(
        ContractVersion.contract_id == Contract.id, ContractVersion.state == OPEN, or_(provider, consumer)
    )
    return waiting.correlate(Contract).exists()


def _condition(user: User, choice: Choice | None) -> ColumnElement[bool]:
    conditions: dict[Choice | None, ColumnElement[bool]] = {
        None: true(),
        Choice.WAITING: _waits_for(user),
        Choice.IN_FORCE: Contract.state == ACTIVE,
        Choice.OPEN: Contract.state.not_in([ACTIVE, ENDED]),
        Choice.ENDED: Contract.state == ENDED,
    }
    return conditions[choice]


def of_company(company: str, side: str) -> ColumnElement[bool]:
    """Return the condition of the contracts of which a company's systems are a side."""
    name = Contract.provider if side == PROVIDER else Contract.consumer
    return name.startswith(f"{company}.", autoescape=True)


def of_system(system: System) -> ColumnElement[bool]:
    """Return the condition of the contracts of a system."""
    return or_(Contract.provider_id == system.id, Contract.consumer_id == system.id)


def _wanted(user: User, page: PageRequest, within: ColumnElement[bool]) -> Select[Contract]:
    shown = ContractVersion.contract_id == Contract.id
    purpose = (
        select(ContractVersion.purpose)
        .where(shown, ContractVersion.number == Contract.version)
        .correlate(Contract)
        .scalar_subquery()
    )
    return select(Contract).where(
        visible_to(user),
        within,
        matches(page.q, Contract.id, Contract.provider, Contract.consumer, purpose),
    )


async def page_of_contracts(
    session: AsyncSession,
    user: User,
    page: PageRequest,
    choice: Choice | None = None,
    *,
    within: ColumnElement[bool] | None = None,
) -> Listed[ContractView]:
    """Return one page of the contracts that a person sees: those that wait for them first, ended ones last.

    Args:
        session: the database.
        user: who asks.
        page: which part of the list; ids, systems and purposes are searched.
        choice: which kind; all when left out.
        within: only those, such as `of_company`; they are counted then.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    rank = case((_waits_for(user), 2), (Contract.state == ENDED, 0), else_=1)
    order = Order("contracts", (rank, Contract.created_at, Contract.id), is_descending=True)
    statement = _wanted(user, page, true() if within is None else within)
    is_counted = within is not None
    found = await read_page(
        session, statement.where(_condition(user, choice)), order, page, counted=is_counted
    )
    views = await views_of(session, [row[0] for row in found.items], await reach_of(session, user))
    return Listed(views, found.next_page_token, found.total)


async def counts_of_contracts(session: AsyncSession, user: User, page: PageRequest) -> dict[str, int]:
    """Return how many contracts a person sees of each `Choice`, and of all (``""``); a search narrows it."""
    wanted = _wanted(user, page, true())
    figures = [func.count().filter(_condition(user, choice)) for choice in Choice]
    counted = wanted.with_only_columns(func.count(), *figures)
    row = (await session.execute(counted)).one()
    return dict(zip(["", *(choice.value for choice in Choice)], row, strict=True))
