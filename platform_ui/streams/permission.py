"""By which contracts a stream app may run: what it needs, which fit, and whether they hold.

What lives here: the one rule about apps and contracts, for one app and for all. What does not: the life of
contracts (``contracts.service``), stopping an app that may not run any more (``enforcement``).

A source of the target's company needs none. Any other source needs a contract in force by which the target
receives its records; the person who makes the app need not be an agent of such a source.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, delete, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.contracts.service import is_needed
from platform_ui.contracts.views import InForce, in_force
from platform_ui.errors import ContractNeededError, FormError
from platform_ui.streams import statements
from platform_ui.streams.models import StreamApp, StreamAppContract
from platform_ui.systems.models import System
from streamhub.contracts import ContractTerms

AMBIGUOUS = "stream.contract_ambiguous"


@dataclass(frozen=True, slots=True)
class Lack:
    """A source whose records an app may not have.

    Attributes:
        provider: Full name of the source.
        contract: The contract by which it had them, if there was one.
    """

    provider: str
    contract: str | None


@dataclass(frozen=True, slots=True)
class AppPermission:
    """What a stream app may have.

    Attributes:
        source: System that it belongs to.
        name: Its name in that system.
        sources: All systems that it reads, its own first.
        target: System that it writes to.
        terms: What its contracts let it have, by source in the same order.
        lacks: Sources without a contract in force.
    """

    source: str
    name: str
    sources: tuple[str, ...]
    target: str
    terms: tuple[ContractTerms, ...]
    lacks: tuple[Lack, ...]

    @property
    def app_id(self) -> str:
        """Its name to the runner and to Kafka."""
        return f"{self.source}.{self.name}"

    @property
    def permitted(self) -> bool:
        """Whether it may run."""
        return not self.lacks


def needs(sources: Iterable[str], target: str) -> tuple[str, ...]:
    """Return those sources of an app that need a contract."""
    return tuple(source for source in sources if is_needed(source, target))


async def permissions(
    session: AsyncSession, condition: ColumnElement[bool] | None = None
) -> dict[uuid.UUID, AppPermission]:
    """Return what stream apps may have, by the identity of the app; in three queries, however many they are.

    Args:
        session: the database.
        condition: which apps; all when left out.
    """
    wanted = true() if condition is None else condition
    source, target = aliased(System), aliased(System)
    found = (
        select(StreamApp, source.name, target.name)
        .join(source, source.id == StreamApp.system_id)
        .join(target, target.id == StreamApp.target_system_id)
        .where(wanted)
        .order_by(source.name, StreamApp.name)
    )
    rows = (await session.execute(found)).all()
    chosen: dict[uuid.UUID, dict[str, str]] = defaultdict(dict)
    links = (
        select(StreamAppContract.app_id, System.name, StreamAppContract.contract_id)
        .join(System, System.id == StreamAppContract.provider_system_id)
        .join(StreamApp, StreamApp.id == StreamAppContract.app_id)
        .where(wanted)
    )
    for app_id, provider, contract in (await session.execute(links)).all():
        chosen[app_id][provider] = contract
    holding = {contract.terms.id: contract for contract in await in_force(session)} if chosen else {}
    return {app.id: _permission(app, (reads, writes), chosen[app.id], holding) for app, reads, writes in rows}


def _permission(
    app: StreamApp, ends: tuple[str, str], chosen: Mapping[str, str], holding: Mapping[str, InForce]
) -> AppPermission:
    source, target = ends
    sources = (source, *statements.further_sources(app.statement, source))
    terms: list[ContractTerms] = []
    lacks: list[Lack] = []
    for provider in needs(sources, target):
        contract = holding.get(chosen.get(provider, ""))
        if contract is not None and (contract.terms.provider, contract.consumer) == (provider, target):
            terms.append(contract.terms)
        else:
            lacks.append(Lack(provider, chosen.get(provider)))
    return AppPermission(source, app.name, sources, target, tuple(terms), tuple(lacks))


async def terms_of(session: AsyncSession, app: StreamApp) -> tuple[ContractTerms, ...]:
    """Return what the contracts of an app let it have now."""
    return (await permissions(session, StreamApp.id == app.id))[app.id].terms


async def candidates(
    session: AsyncSession, sources: Sequence[str], target: System | None, target_name: str
) -> dict[str, list[InForce]]:
    """Return the contracts that fit, by each source that needs one.

    Args:
        session: the database.
        sources: full names of the systems that are read.
        target: the system that receives; nothing when there is none of the name.
        target_name: its full name.
    """
    holding = await in_force(session, consumer_ids=[target.id]) if target is not None else []
    return {
        source: [contract for contract in holding if contract.terms.provider == source]
        for source in needs(sources, target_name)
    }


def choose(fitting: Mapping[str, Sequence[InForce]], target: str, wanted: Iterable[str]) -> list[InForce]:
    """Choose one contract for each source that needs one.

    Args:
        fitting: the contracts that fit, by source.
        target: full name of the system that receives.
        wanted: ids of contracts that the person chose, or that the app has; where they fit no more, they are
            passed over.

    Raises:
        ContractNeededError: none fits.
        FormError: several fit, and none of them is wanted.
    """
    ids = set(wanted)
    taken: list[InForce] = []
    for source, contracts in fitting.items():
        if not contracts:
            raise ContractNeededError(source, target)
        preferred = [contract for contract in contracts if contract.terms.id in ids] or list(contracts)
        if len(preferred) > 1:
            names = ", ".join(contract.terms.id for contract in preferred)
            raise FormError(
                {"contracts": f"Several contracts fit {source}: choose one of {names}."}, code=AMBIGUOUS
            )
        taken += preferred
    return taken


async def chosen_ids(session: AsyncSession, app: StreamApp) -> list[str]:
    """Return the ids of the contracts that an app has."""
    statement = select(StreamAppContract.contract_id).where(StreamAppContract.app_id == app.id)
    return list((await session.scalars(statement)).all())


async def rebind(
    session: AsyncSession,
    app: StreamApp,
    present: AppPermission,
    statement: str,
    wanted: Sequence[str] = (),
) -> AppPermission:
    """Let an app have the contracts that a statement needs, and return what they permit.

    Args:
        session: the database.
        app: the app.
        present: what it may have now.
        statement: what it is to run.
        wanted: ids of contracts that somebody chose; those that the app has when nobody did.

    Raises:
        ContractNeededError: a source needs a contract, and none fits.
        FormError: several fit.
    """
    sources = (present.source, *statements.further_sources(statement, present.source))
    target = await session.get_one(System, app.target_system_id)
    fitting = await candidates(session, sources, target, target.name)
    contracts = choose(fitting, target.name, wanted or await chosen_ids(session, app))
    await bind(session, app, contracts)
    terms = tuple(contract.terms for contract in contracts)
    return replace(present, sources=sources, terms=terms, lacks=())


async def bind(session: AsyncSession, app: StreamApp, contracts: Iterable[InForce]) -> None:
    """Let an app have exactly these contracts."""
    await session.execute(delete(StreamAppContract).where(StreamAppContract.app_id == app.id))
    session.add_all(
        StreamAppContract(
            app_id=app.id, provider_system_id=contract.provider_id, contract_id=contract.terms.id
        )
        for contract in contracts
    )
    await session.flush()
