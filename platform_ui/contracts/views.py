"""Contracts as people see them, and as stream apps, SensorThings and access rules need them.

What lives here: reading. What does not: changing (``service``). A contract is seen by those who see one of
its two systems; a draft by the side that writes it. For everybody else it is not there.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.contracts.models import (
    ACTIVE,
    CONSUMER,
    DRAFT,
    ENDED,
    IN_FORCE,
    OPEN,
    PROVIDER,
    SIDES,
    Contract,
    ContractSignature,
    ContractVersion,
)
from platform_ui.contracts.reach import Reach, reach_of
from platform_ui.contracts.terms import terms_of
from platform_ui.contracts.titles import ContractTitle, purpose_of_title
from platform_ui.db import now
from platform_ui.errors import ForbiddenError, NotFoundError
from platform_ui.systems.listing import seen_by
from platform_ui.systems.models import System
from streamhub.contracts import ContractTerms

SOON: Final = timedelta(days=14)
_TO_SEND: Final = "Read it once more and sign it: that sends it to the other side."
_TO_SIGN: Final = "Look at it and sign it, change it, or decline."
Signatures = dict[tuple[int, str], ContractSignature]


@dataclass(frozen=True, slots=True)
class ContractView:
    """A contract with all that was ever written and signed, and who is looking.

    Attributes:
        contract: The contract.
        versions: Its versions, the newest first; never empty.
        signatures: Signatures by version and side.
        seen: Sides whose system the person sees.
        sides: Sides for which the person may act.
    """

    contract: Contract
    versions: Sequence[ContractVersion]
    signatures: Signatures
    seen: frozenset[str]
    sides: frozenset[str]

    @property
    def url(self) -> str:
        """The address of the contract's page."""
        return self.title.url

    @property
    def title(self) -> ContractTitle:
        """What people call it."""
        contract, named_by = self.contract, self.last_held or self.newest
        return ContractTitle(contract.id, contract.provider, contract.consumer, named_by.purpose)

    @property
    def newest(self) -> ContractVersion:
        """The version that was written last."""
        return self.versions[0]

    @property
    def open(self) -> ContractVersion | None:
        """The version that waits for signatures."""
        return next((version for version in self.versions if version.state == OPEN), None)

    @property
    def in_force(self) -> ContractVersion | None:
        """The version that holds now."""
        return next((version for version in self.versions if version.state == IN_FORCE), None)

    @property
    def shown(self) -> ContractVersion:
        """The version that is looked at first: what waits, else what holds or held last, else the newest."""
        return self.open or self.in_force or self.last_held or self.newest

    @property
    def last_held(self) -> ContractVersion | None:
        """The version that came into force last, whether it still holds or not."""
        return next((version for version in self.versions if version.in_force_at is not None), None)

    @property
    def expires_soon(self) -> bool:
        """Whether the end is near: the last quarter of its time, at most ``SOON`` before."""
        version = self.in_force
        if version is None or version.ends_at is None or not self.is_active:
            return False
        begun = version.starts_at or version.in_force_at or version.written_at
        return version.ends_at - now() <= min(SOON, (version.ends_at - begun) / 4)

    def signature(self, version: ContractVersion, side: str) -> ContractSignature | None:
        """Return the signature of a side under a version."""
        return self.signatures.get((version.number, side))

    @property
    def to_sign(self) -> tuple[str, ...]:
        """The sides for which this person may sign what waits, the provider's first."""
        version = self.open
        if version is None:
            return ()
        return tuple(side for side in SIDES if side in self.sides and not self.signature(version, side))

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The sides whose signature is missing under what waits."""
        version = self.open
        return () if version is None else tuple(side for side in SIDES if not self.signature(version, side))

    @property
    def is_active(self) -> bool:
        """Whether a version holds and its end has not come."""
        version = self.in_force
        if self.contract.state != ACTIVE or version is None:
            return False
        return version.ends_at is None or version.ends_at > now()

    @property
    def previews_in_full(self) -> bool:
        """Whether the person may see the provider's records themselves."""
        return PROVIDER in self.seen

    def may_preview(self, version: ContractVersion) -> bool:
        """Whether the person may see what would leave, be it masked.

        The consumer's side does so only once the provider's has written or signed the version: else everybody
        could ask for anything and learn from the counts. It does so no more when the contract has ended: then
        nothing would leave.
        """
        agreed = version.side == PROVIDER or self.signature(version, PROVIDER) is not None
        lasts = self.contract.state != ENDED and self.contract.provider_id is not None
        return self.previews_in_full or (CONSUMER in self.seen and agreed and lasts)

    def require_preview(self, version: ContractVersion) -> None:
        """Refuse to show what would leave before the person may see it; see `may_preview`.

        Raises:
            ForbiddenError: the provider's side has neither written nor signed the version.
        """
        if not self.may_preview(version):
            raise ForbiddenError(
                "The preview comes when the provider's side has signed or written this version.",
                code="contract.no_preview",
            )

    def version(self, number: int) -> ContractVersion:
        """Return a version.

        Raises:
            NotFoundError: there is none of this number.
        """
        for one in self.versions:
            if one.number == number:
                return one
        raise NotFoundError(f"{self.contract.id} has no version {number}.", code="contract.no_version")

    @property
    def next_step(self) -> str:
        """What to do next, for this person."""
        contract = self.contract
        if contract.state == ENDED:
            return "Ended: request a new one where it is still needed."
        if self.to_sign:
            return _TO_SEND if contract.state == DRAFT else _TO_SIGN
        if self.open is not None:
            missing = [
                contract.provider if side == PROVIDER else contract.consumer for side in self.waits_for
            ]
            return f"Waits for an agent of {' and of '.join(missing)} to sign."
        if not self.is_active:
            return "Its end has come: change the terms, or request a new one."
        if self.expires_soon:
            return "It ends soon: renew it where it is still needed."
        return "In force: stream apps may use it."


@dataclass(frozen=True, slots=True)
class InForce:
    """A contract that holds now, as everything that enforces it needs it.

    Attributes:
        terms: What it lets leave, as the engine keeps it.
        consumer: Full name of the system that receives.
        provider_id: The system that gives.
        consumer_id: The system that receives.
        version: The version that holds.
        starts_at: From when on records may leave; nothing for no limit.
        purpose: What it is for.
    """

    terms: ContractTerms
    consumer: str
    provider_id: uuid.UUID
    consumer_id: uuid.UUID
    version: int
    starts_at: datetime | None
    purpose: str

    @property
    def title(self) -> ContractTitle:
        """What people call the contract."""
        return ContractTitle(self.terms.id, self.terms.provider, self.consumer, self.purpose)


async def list_contracts(session: AsyncSession, user: User) -> list[ContractView]:
    """Return the contracts that a person sees: those that wait for them first, ended ones last."""
    reach = await reach_of(session, user)
    views = await _views(session, visible_to(user), reach)
    return sorted(views, key=lambda view: (not view.to_sign, view.contract.state == ENDED))


async def list_of_system(session: AsyncSession, user: User, system: System) -> list[ContractView]:
    """Return the contracts of a system that the person sees, in the same order."""
    reach = await reach_of(session, user)
    of_system = or_(Contract.provider_id == system.id, Contract.consumer_id == system.id)
    views = await _views(session, visible_to(user) & of_system, reach)
    return sorted(views, key=lambda view: (not view.to_sign, view.contract.state == ENDED))


async def get_contract(
    session: AsyncSession, user: User, contract_id: str, *, lock: bool = False
) -> ContractView:
    """Return a contract.

    Args:
        session: the database.
        user: who asks.
        contract_id: which one.
        lock: hold it until the transaction ends, so that signatures and changes come one by one.

    Raises:
        NotFoundError: there is none, or the person sees neither of its systems.
    """
    reach = await reach_of(session, user)
    views = await _views(session, visible_to(user) & (Contract.id == contract_id), reach, lock=lock)
    if not views:
        raise NotFoundError(f"There is no contract {contract_id}.", code="contract.not_found")
    return views[0]


async def titles_of(session: AsyncSession, user: User, ids: Iterable[str]) -> dict[str, ContractTitle]:
    """Return what contracts are called, by id; without those that the person does not see."""
    wanted = set(ids)
    return await _titles(session, user, Contract.id.in_(wanted)) if wanted else {}


async def titles_of_received(session: AsyncSession, user: User, consumer: str) -> dict[str, ContractTitle]:
    """Return what the contracts are called by which a system gets or got, by id; those the person sees."""
    return await _titles(session, user, Contract.consumer == consumer)


async def _titles(
    session: AsyncSession, user: User, condition: ColumnElement[bool]
) -> dict[str, ContractTitle]:
    columns = (Contract.id, Contract.provider, Contract.consumer, purpose_of_title())
    statement = select(*columns).where(visible_to(user), condition)
    return {row[0]: ContractTitle(*row) for row in (await session.execute(statement)).all()}


async def list_all(session: AsyncSession, condition: ColumnElement[bool]) -> list[ContractView]:
    """Return contracts as the platform itself sees them, the newest first."""
    return await _views(session, condition, Reach(frozenset(), frozenset()))


def visible_to(user: User) -> ColumnElement[bool]:
    """Return the condition of the contracts that a person sees."""
    seen = seen_by(user)
    provider, consumer = Contract.provider_id.in_(seen), Contract.consumer_id.in_(seen)
    written = (provider & (Contract.begun_by == PROVIDER)) | (consumer & (Contract.begun_by == CONSUMER))
    return or_(written, (Contract.state != DRAFT) & _was_sent() & (provider | consumer))


def _was_sent() -> ColumnElement[bool]:
    """What was a draft when it was given up has never been seen by the other side, and stays so."""
    return select(ContractSignature.contract_id).where(ContractSignature.contract_id == Contract.id).exists()


async def _views(
    session: AsyncSession, condition: ColumnElement[bool], reach: Reach, *, lock: bool = False
) -> list[ContractView]:
    statement = select(Contract).where(condition).order_by(Contract.created_at.desc(), Contract.id)
    if lock:
        # Apps that refer to it are no reason to wait: a revocation must not wait for a deployment.
        statement = statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    return await views_of(session, (await session.scalars(statement)).all(), reach)


async def views_of(session: AsyncSession, contracts: Sequence[Contract], reach: Reach) -> list[ContractView]:
    """Return contracts with all that was written and signed, in the same order; in two queries."""
    keys = [contract.id for contract in contracts]
    versions: dict[str, list[ContractVersion]] = defaultdict(list)
    found = (
        select(ContractVersion)
        .where(ContractVersion.contract_id.in_(keys))
        .order_by(ContractVersion.number.desc())
        .execution_options(populate_existing=True)
    )
    for version in (await session.scalars(found)).all():
        versions[version.contract_id].append(version)
    signatures: dict[str, Signatures] = defaultdict(dict)
    signed = select(ContractSignature).where(ContractSignature.contract_id.in_(keys))
    for signature in (await session.scalars(signed)).all():
        signatures[signature.contract_id][signature.number, signature.side] = signature
    return [
        ContractView(
            contract,
            versions[contract.id],
            signatures[contract.id],
            _sides(contract, reach.seen),
            _sides(contract, reach.operated),
        )
        for contract in contracts
    ]


def _sides(contract: Contract, systems: frozenset[uuid.UUID]) -> frozenset[str]:
    return frozenset(side for side in SIDES if contract.system_id(side) in systems)


async def in_force(
    session: AsyncSession, *, consumer_ids: Iterable[uuid.UUID] | None = None
) -> list[InForce]:
    """Return the contracts that hold now, by id.

    Args:
        session: the database.
        consumer_ids: only those of these receiving systems; all when left out.
    """
    statement = (
        select(Contract, ContractVersion)
        .join(ContractVersion, ContractVersion.contract_id == Contract.id)
        .where(
            Contract.state == ACTIVE,
            ContractVersion.state == IN_FORCE,
            or_(ContractVersion.ends_at.is_(None), ContractVersion.ends_at > now()),
        )
        .order_by(Contract.id)
    )
    if consumer_ids is not None:
        statement = statement.where(Contract.consumer_id.in_(list(consumer_ids)))
    return [
        InForce(
            terms_of(contract, version),
            contract.consumer,
            contract.provider_id,
            contract.consumer_id,
            version.number,
            version.starts_at,
            version.purpose,
        )
        for contract, version in (await session.execute(statement)).all()
        if contract.provider_id is not None and contract.consumer_id is not None
    ]
