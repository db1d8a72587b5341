"""The rules of offers: agents of a system write, publish and delete them; who finds one may ask for it.

A draft is seen by the people of its system. Published, it is found by those whom it names. Withdrawn, it is
found no more; contracts that answered it stay as they are. What is published can be changed: contracts keep
their own terms. A request is a contract like any other: a draft of the consumer's side with the terms of the
offer, signed by that side at once. The provider still has to sign it.
"""

import base64
import secrets

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.audit import service as audit
from platform_ui.contracts import service as contracts
from platform_ui.contracts.forms import ContractForm, OfferedForm, SignatureForm
from platform_ui.contracts.models import CONSUMER
from platform_ui.contracts.negotiation import end_of
from platform_ui.contracts.offers import details
from platform_ui.contracts.offers.forms import NewOfferForm, OfferForm, RequestForm
from platform_ui.contracts.offers.models import DRAFT, PUBLISHED, WITHDRAWN, Offer
from platform_ui.contracts.offers.views import OfferView, get_offer
from platform_ui.contracts.preview import RecordReader
from platform_ui.contracts.reach import reach_of
from platform_ui.contracts.registered import MetadataPort
from platform_ui.contracts.terms import REFUSED, find_faults
from platform_ui.contracts.trials import Sampled, sample, sample_for_strangers
from platform_ui.db import now
from platform_ui.errors import ConflictError, ForbiddenError, FormError
from platform_ui.systems import service as systems
from platform_ui.systems.units import UnitDirectory

ID_BYTES = 10  # 80 random bits: 16 letters and digits


async def create_offer(session: AsyncSession, user: User, form: NewOfferForm, port: MetadataPort) -> Offer:
    """Write the draft of an offer.

    Raises:
        NotFoundError: the person does not see the system.
        ForbiddenError: the person only views it.
        FormError: a Datastream is not the system's, or the predicate is refused.
    """
    system = await systems.get_system(session, user, form.system)
    _check(system.name, form)
    present = now()
    offer = Offer(
        id=f"o-{base64.b32encode(secrets.token_bytes(ID_BYTES)).decode().lower()}",
        system_id=system.id,
        state=DRAFT,
        created_at=present,
    )
    _write(offer, form, user)
    session.add(offer)
    await _describe(offer, system.name, user, port)
    audit.record(session, user, "offer.created", offer.id, system=system.name, title=offer.title)
    await session.commit()
    return offer


async def change_offer(
    session: AsyncSession, user: User, offer_id: str, form: OfferForm, port: MetadataPort
) -> None:
    """Write an offer anew; where it is published, others see the change at once.

    Raises:
        NotFoundError: the person does not see the offer.
        ForbiddenError: the person is no agent of its system.
        FormError: a Datastream is not the system's, or the predicate is refused.
    """
    view = await _own(session, user, offer_id)
    _check(view.system, form)
    _write(view.offer, form, user)
    await _describe(view.offer, view.system, user, port)
    audit.record(session, user, "offer.changed", offer_id, system=view.system, title=form.title)
    await session.commit()


async def publish_offer(session: AsyncSession, user: User, offer_id: str) -> None:
    """Let others find an offer.

    Raises:
        NotFoundError: the person does not see the offer.
        ForbiddenError: the person is no agent of its system.
        ConflictError: it is published.
    """
    view = await _own(session, user, offer_id)
    if view.is_published:
        raise ConflictError(f"{offer_id} is published already.", code="offer.published_already")
    view.offer.state = PUBLISHED
    view.offer.published_at = view.offer.changed_at = now()
    audit.record(session, user, "offer.published", offer_id, system=view.system)
    await session.commit()


async def withdraw_offer(session: AsyncSession, user: User, offer_id: str) -> None:
    """Let others find an offer no more.

    Raises:
        NotFoundError: the person does not see the offer.
        ForbiddenError: the person is no agent of its system.
        ConflictError: it is not published.
    """
    view = await _own(session, user, offer_id)
    if not view.is_published:
        raise ConflictError(f"{offer_id} is not published.", code="offer.not_published")
    view.offer.state = WITHDRAWN
    view.offer.changed_at = now()
    audit.record(session, user, "offer.withdrawn", offer_id, system=view.system)
    await session.commit()


async def delete_offer(session: AsyncSession, user: User, offer_id: str) -> None:
    """Delete an offer; contracts that answered it stay.

    Raises:
        NotFoundError: the person does not see the offer.
        ForbiddenError: the person is no agent of its system.
        ConflictError: it is published.
    """
    view = await _own(session, user, offer_id)
    if view.is_published:
        raise ConflictError(
            f"{offer_id} is published.", code="offer.published", hint="Withdraw it first, then delete it."
        )
    audit.record(session, user, "offer.deleted", offer_id, system=view.system, title=view.offer.title)
    await session.delete(view.offer)
    await session.commit()


async def request_offer(session: AsyncSession, user: User, offer_id: str, form: RequestForm) -> str:
    """Ask for what an offer describes: write a contract with its terms and sign it for the consumer's side.

    Returns:
        The id of the contract.

    Raises:
        NotFoundError: the person does not see the offer.
        ConflictError: it is not published.
        FormError: the consumer is no system of the person, or of the provider's own company.
    """
    view = await get_offer(session, user, offer_id)
    if not view.is_published:
        raise ConflictError(f"{offer_id} is not published.", code="offer.not_published")
    terms = ContractForm(
        provider=view.system,
        consumer=form.consumer,
        datastreams=tuple(view.offer.datastreams),
        predicate=view.offer.predicate,
        fields=tuple(view.offer.fields),
        purpose=form.purpose,
        ends_at=end_of(form.duration, now()),
        note=form.note,
    )
    consumer = await systems.find_system(session, form.consumer)
    if consumer is None or consumer.id not in (await reach_of(session, user)).operated:
        raise FormError({"consumer": "Choose a system that you operate."}, code="contract.not_yours")
    contract = await contracts.create_contract(session, user, terms, offer_id)
    await contracts.sign_contract(session, user, contract.id, SignatureForm(side=CONSUMER, version=1))
    return contract.id


async def sample_of(view: OfferView, records: RecordReader, units: UnitDirectory) -> Sampled:
    """Return what would leave of the last records: in full to the people of the system, else masked.

    Raises:
        BrokerError: the broker does not give the records.
    """
    if view.is_ours:
        return await sample(view.terms, records, units, is_masked=False)
    return await sample_for_strangers(view.terms, records, units)


async def _own(session: AsyncSession, user: User, offer_id: str) -> OfferView:
    view = await get_offer(session, user, offer_id, lock=True)
    require_agent(view)
    return view


def require_agent(view: OfferView) -> None:
    """Refuse what only agents of the offer's system may do.

    Raises:
        ForbiddenError: the person may only look at it.
    """
    if not view.may_change:
        raise ForbiddenError(
            "Only agents of the system may change its offers.",
            code="offer.not_an_agent",
            hint=f"Ask an agent of {view.system}.",
        )


def _check(system: str, form: OfferedForm) -> None:
    faults = {fault.field: fault.drawing for fault in find_faults(system, form)}
    if faults:
        raise FormError(faults, code=REFUSED)


def _write(offer: Offer, form: OfferForm, user: User) -> None:
    offer.title, offer.description = form.title, form.description
    offer.datastreams, offer.fields = list(form.datastreams), list(form.fields)
    offer.predicate, offer.terms = form.predicate, form.terms
    offer.purposes, offer.companies = list(form.purposes), sorted(set(form.companies))
    offer.visibility = form.visibility
    offer.changed_at, offer.changed_by = now(), user.email


async def _describe(offer: Offer, system: str, user: User, port: MetadataPort) -> None:
    """Keep what the metadata tells now, and the words by which the offer is found."""
    offer.details = await details.describe(port, user.email, system, offer.datastreams)
    words = [offer.title, offer.description, *offer.purposes]
    words += [value for one in offer.details for value in one.values()]
    offer.words = "\n".join(dict.fromkeys(word for word in words if word))
