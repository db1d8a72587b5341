"""The rules of contracts: who may write, change, sign, decline and revoke them, and what that does.

Either side begins: the consumer requests, the provider offers. What it writes is a draft that it sees alone;
its signature sends it. Whoever changes the terms counts a version, which nobody has signed yet. Both
signatures under the same version bring it into force; until then the version before stays in force. A
contract ends when its end has come, when one side declines what was never in force, or when either side
revokes what is.

Every change holds the row of the contract, so signatures, changes and revocations come one by one; each names
the version that the person looked at and is refused when that is no longer what waits.

The other system is named in full and never listed. One that is not there is treated as one that does not
answer: the contract is sent and waits. So nobody learns by asking which systems exist.
"""

import base64
import secrets

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from client.messaging.topics import SystemName
from platform_ui.accounts.models import User
from platform_ui.audit import service as audit
from platform_ui.audit.service import Actor
from platform_ui.contracts.forms import ChangeForm, ContractForm, EndForm, SignatureForm, TermsForm
from platform_ui.contracts.models import (
    ACTIVE,
    CONSUMER,
    DECLINED,
    DRAFT,
    ENDED,
    EXPIRED,
    IN_FORCE,
    OPEN,
    PROPOSED,
    PROVIDER,
    REPLACED,
    REVOKED,
    SIDES,
    SUPERSEDED,
    Contract,
    ContractSignature,
    ContractVersion,
)
from platform_ui.contracts.reach import reach_of
from platform_ui.contracts.terms import check_form, digest_of
from platform_ui.contracts.views import ContractView, get_contract
from platform_ui.db import now
from platform_ui.errors import ConflictError, ForbiddenError, FormError
from platform_ui.systems import service as systems

ID_BYTES = 10  # 80 random bits: 16 letters and digits
SAME_COMPANY = "contract.same_company"
CHANGED = "contract.changed"


def is_needed(provider: str, consumer: str) -> bool:
    """Return whether records may go from one system to another only by a contract.

    Args:
        provider: full name of the system that gives.
        consumer: full name of the system that receives.
    """
    return SystemName.parse(provider).company != SystemName.parse(consumer).company


async def create_contract(
    session: AsyncSession, user: User, form: ContractForm, offer_id: str | None = None
) -> Contract:
    """Write the draft of a contract, for the side of which the person is an agent.

    Args:
        session: the database.
        user: who writes it.
        form: its systems and terms.
        offer_id: the offer that it answers; the caller has made sure that the person sees it.

    Raises:
        FormError: the person is an agent of neither system, both are of one company, or the terms cannot be
            kept.
    """
    if not is_needed(form.provider, form.consumer):
        company = SystemName.parse(form.provider).company
        raise FormError(
            {"consumer": f"Both systems are of {company}: inside one company no contract is needed."},
            code=SAME_COMPANY,
        )
    operated = (await reach_of(session, user)).operated
    found = {
        PROVIDER: await systems.find_system(session, form.provider),
        CONSUMER: await systems.find_system(session, form.consumer),
    }
    ids = {side: system.id if system is not None else None for side, system in found.items()}
    ours = [side for side in (CONSUMER, PROVIDER) if ids[side] in operated]
    if not ours:
        raise FormError(
            {"consumer": "One of the two must be a system that you operate."}, code="contract.not_yours"
        )
    contract = Contract(
        id=_new_id(),
        provider_id=ids[PROVIDER],
        consumer_id=ids[CONSUMER],
        provider=form.provider,
        consumer=form.consumer,
        begun_by=ours[0],
        state=DRAFT,
        version=1,
        created_at=now(),
        offer_id=offer_id,
    )
    check_form(contract.provider, form)
    session.add(contract)
    await session.flush()
    session.add(_version(contract, form, user, ours[0]))
    _note(session, user, "contract.drafted", contract, is_sent=False, version="1")
    await session.commit()
    return contract


def _new_id() -> str:
    return f"c-{base64.b32encode(secrets.token_bytes(ID_BYTES)).decode().lower()}"


def _version(contract: Contract, form: TermsForm, user: User, side: str) -> ContractVersion:
    version = ContractVersion(
        contract_id=contract.id,
        number=contract.version,
        datastreams=list(form.datastreams),
        predicate=form.predicate,
        fields=list(form.fields),
        purpose=form.purpose,
        starts_at=form.starts_at,
        ends_at=form.ends_at,
        state=OPEN,
        side=side,
        written_by=user.email,
        written_at=now(),
        note=form.note,
    )
    version.digest = digest_of(contract, version)
    return version


async def change_contract(
    session: AsyncSession, user: User, contract_id: str, form: ChangeForm
) -> ContractVersion:
    """Write other terms as the next version; what was signed before counts for its own version only.

    Raises:
        NotFoundError: the person does not see the contract.
        ForbiddenError: the person is an agent of neither system.
        ConflictError: it has ended, or another version was written meanwhile.
        FormError: the terms cannot be kept.
    """
    view = await get_contract(session, user, contract_id, lock=True)
    contract = view.contract
    require_agent(view)
    _require_not_ended(view)
    if form.version != contract.version:
        raise _changed(view)
    check_form(contract.provider, form)
    if view.open is not None:
        view.open.state = REPLACED
        await session.flush()  # at most one version is open
    contract.version += 1
    side = contract.begun_by if contract.begun_by in view.sides else next(iter(view.sides))
    version = _version(contract, form, user, side)
    session.add(version)
    is_sent = contract.state != DRAFT
    _note(session, user, "contract.changed", contract, is_sent=is_sent, version=str(version.number))
    await session.commit()
    return version


async def sign_contract(session: AsyncSession, user: User, contract_id: str, form: SignatureForm) -> bool:
    """Sign the version that waits, for one side.

    Returns:
        Whether it is in force now, because the other side had signed it.

    Raises:
        NotFoundError: the person does not see the contract.
        ForbiddenError: the person is no agent of the side's system.
        ConflictError: nothing waits, another version waits than was looked at, the side has signed, the end
            is over, or the other system is gone.
    """
    view = await get_contract(session, user, contract_id, lock=True)
    contract = view.contract
    _require_side(view, form.side)
    version = _signable(view, form)
    session.add(
        ContractSignature(
            contract_id=contract.id,
            number=version.number,
            side=form.side,
            user_id=user.id,
            email=user.email,
            full_name=user.full_name,
            digest=version.digest,
            signed_at=now(),
        )
    )
    _note(session, user, "contract.signed", contract, side=form.side, version=str(version.number))
    is_complete = all(side == form.side or view.signature(version, side) for side in SIDES)
    if is_complete:
        await _bring_into_force(session, view, version)
    elif contract.state == DRAFT:
        contract.state = PROPOSED
    await session.commit()
    return is_complete


def _signable(view: ContractView, form: SignatureForm) -> ContractVersion:
    _require_not_ended(view)
    version = view.open
    if version is None:
        raise ConflictError(
            f"Nothing of {view.contract.id} waits for a signature.",
            code="contract.nothing_to_sign",
            hint="Change its terms first where others are wanted.",
        )
    if form.version != version.number or form.digest not in {"", version.digest}:
        raise _changed(view)
    if digest_of(view.contract, version) != version.digest:
        raise ConflictError(
            f"Version {version.number} of {view.contract.id} is not what was written: its digest differs.",
            code="contract.damaged",
            hint="Write the terms anew, and tell the operator of the platform.",
        )
    if view.signature(version, form.side):
        raise ConflictError(
            f"The {form.side}'s side has signed version {version.number} already.",
            code="contract.signed_already",
        )
    if version.ends_at is not None and version.ends_at <= now():
        raise ConflictError(
            f"Version {version.number} would end before it begins.",
            code="contract.over",
            hint="Change its end first.",
        )
    return version


async def _bring_into_force(session: AsyncSession, view: ContractView, version: ContractVersion) -> None:
    contract = view.contract
    if contract.provider_id is None or contract.consumer_id is None:
        raise ConflictError(
            "The system of the other side is no longer there.",
            code="contract.system_gone",
            hint="Decline the contract.",
        )
    if view.in_force is not None:
        view.in_force.state = SUPERSEDED
        await session.flush()  # at most one version is in force
    version.state = IN_FORCE
    version.in_force_at = now()
    contract.state = ACTIVE


async def decline_contract(session: AsyncSession, user: User, contract_id: str, form: EndForm) -> None:
    """Refuse or take back what waits for signatures; a version that is in force stays so.

    Raises:
        NotFoundError: the person does not see the contract.
        ForbiddenError: the person is no agent of the side's system.
        ConflictError: nothing waits.
    """
    view = await get_contract(session, user, contract_id, lock=True)
    _require_side(view, form.side)
    _require_not_ended(view)
    version = view.open
    if version is None:
        raise ConflictError(
            f"Nothing of {contract_id} waits for a signature.",
            code="contract.nothing_to_decline",
            hint="Revoke it to end what is in force.",
        )
    is_sent = view.contract.state != DRAFT
    version.state = DECLINED
    version.declined_at, version.declined_by = now(), user.email
    version.declined_side, version.decline_reason = form.side, form.reason
    if view.contract.state != ACTIVE:
        _end(view, DECLINED, form.side, user.email, form.reason)
    facts = {"side": form.side, "reason": form.reason, "version": str(version.number)}
    _note(session, user, "contract.declined", view.contract, is_sent=is_sent, **facts)
    await session.commit()


async def revoke_contract(session: AsyncSession, user: User, contract_id: str, form: EndForm) -> None:
    """End what is in force, at once; either side may.

    Raises:
        NotFoundError: the person does not see the contract.
        ForbiddenError: the person is no agent of the side's system.
        ConflictError: it is not in force.
    """
    view = await get_contract(session, user, contract_id, lock=True)
    _require_side(view, form.side)
    _require_not_ended(view)
    if view.contract.state != ACTIVE:
        raise ConflictError(
            f"{contract_id} is not in force.",
            code="contract.not_active",
            hint="Decline what waits for signatures.",
        )
    _end(view, REVOKED, form.side, user.email, form.reason)
    _note(session, user, "contract.revoked", view.contract, side=form.side, reason=form.reason)
    await session.commit()


async def expire(session: AsyncSession) -> list[str]:
    """End the contracts whose end has come; return their ids."""
    present = now()
    over = (
        select(Contract, ContractVersion)
        .join(ContractVersion, ContractVersion.contract_id == Contract.id)
        .where(
            Contract.state == ACTIVE, ContractVersion.state == IN_FORCE, ContractVersion.ends_at <= present
        )
        .with_for_update(of=Contract, skip_locked=True, key_share=True)
    )
    ended = []
    for contract, version in (await session.execute(over)).all():
        waiting = select(ContractVersion).where(
            ContractVersion.contract_id == contract.id, ContractVersion.state == OPEN
        )
        versions = [version, *(await session.scalars(waiting)).all()]
        view = ContractView(contract, versions, {}, frozenset(), frozenset())
        _end(view, EXPIRED, None, None, "")
        _note(session, audit.PLATFORM, "contract.expired", contract, version=str(version.number))
        ended.append(contract.id)
    await session.commit()
    return ended


def _end(view: ContractView, outcome: str, side: str | None, email: str | None, reason: str) -> None:
    contract = view.contract
    for version in view.versions:
        if version.state in {OPEN, IN_FORCE}:
            version.state = ENDED
    contract.state = ENDED
    contract.outcome = outcome
    contract.ended_at = now()
    contract.ended_side = side
    contract.ended_by = email
    contract.reason = reason


def require_agent(view: ContractView) -> None:
    """Refuse what only agents of the two systems may do.

    Raises:
        ForbiddenError: the person may only look at the contract.
    """
    if not view.sides:
        raise ForbiddenError(
            "Only agents of the two systems may change a contract.",
            code="contract.not_an_agent",
            hint=f"Ask an agent of {view.contract.provider} or {view.contract.consumer}.",
        )


def _require_side(view: ContractView, side: str) -> None:
    if side not in view.sides:
        system = view.contract.provider if side == PROVIDER else view.contract.consumer
        raise ForbiddenError(
            f"Only agents of {system} may act for the {side}'s side.", code="contract.not_your_side"
        )


def _require_not_ended(view: ContractView) -> None:
    if view.contract.state == ENDED:
        raise ConflictError(
            f"{view.contract.id} has ended: it is {view.contract.outcome}.",
            code="contract.ended",
            hint="Request a new one.",
        )


def _changed(view: ContractView) -> ConflictError:
    return ConflictError(
        f"The terms of {view.contract.id} were changed meanwhile: the newest is version "
        f"{view.contract.version}.",
        code=CHANGED,
        hint="Look at it again, then decide.",
    )


def _note(
    session: AsyncSession, user: Actor, action: str, contract: Contract, *, is_sent: bool = True, **facts: str
) -> None:
    """Write down what was done; of what was never sent only the side that wrote it is named."""
    sides = {PROVIDER: contract.provider, CONSUMER: contract.consumer}
    named = sides if is_sent else {contract.begun_by: sides[contract.begun_by]}
    audit.record(session, user, action, contract.id, before=None, after=None, **named, **facts)
