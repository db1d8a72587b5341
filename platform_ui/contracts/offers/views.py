"""Offers as people find them: who sees which, the search, one offer.

What lives here: reading. What does not: changing (``service``). A published offer is seen by everybody who is
logged in, or by people of the companies that it names; whatever its state, by those who see its system. For
everybody else it is not there. Strangers get nothing of the system but its name.
"""

import uuid
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Text, and_, cast, func, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.companies.models import Company, CompanyMember
from platform_ui.contracts.offers.models import EVERYBODY, PUBLISHED, Offer
from platform_ui.contracts.reach import reach_of
from platform_ui.errors import NotFoundError
from platform_ui.rest.paging import Listed, Order, PageRequest, matches, read_page
from platform_ui.systems.listing import seen_by
from platform_ui.systems.models import System, SystemMember
from streamhub.contracts import ContractTerms

NEWEST_FIRST: Final = Order("offers", (Offer.changed_at, Offer.id), is_descending=True)


@dataclass(frozen=True, slots=True)
class OfferView:
    """An offer and who is looking.

    Attributes:
        offer: The offer.
        system: Full name of the system that offers.
        is_ours: Whether the person sees the system itself.
        may_change: Whether the person is an agent of the system.
    """

    offer: Offer
    system: str
    is_ours: bool
    may_change: bool

    @property
    def url(self) -> str:
        """The address of the offer's page."""
        return f"/catalogue/{self.offer.id}"

    @property
    def company(self) -> str:
        """The company that offers."""
        return ".".join(self.system.split(".")[:2])

    @property
    def is_published(self) -> bool:
        """Whether others find it."""
        return self.offer.state == PUBLISHED

    @property
    def terms(self) -> ContractTerms:
        """Which records would leave, as the engine understands it."""
        offer = self.offer
        return ContractTerms(
            id=offer.id,
            provider=self.system,
            datastreams=tuple(offer.datastreams),
            predicate=offer.predicate,
            fields=tuple(offer.fields),
        )

    @property
    def units(self) -> list[str]:
        """The units of its Datastreams, each once."""
        return _each_once([one.get("unit", "") for one in self.offer.details])

    @property
    def properties(self) -> list[str]:
        """What its Datastreams observe, each once."""
        return _each_once([one.get("property", "") for one in self.offer.details])


def _each_once(words: list[str]) -> list[str]:
    return sorted({word for word in words if word})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for in the catalogue.

    Attributes:
        company: Of this company only.
        observed: With this observed property only.
        unit: With this unit only.
        is_ours: Offers of the systems that the person sees, whatever their state, instead of those of all.
    """

    company: str = ""
    observed: str = ""
    unit: str = ""
    is_ours: bool = False


def visible_to(user: User) -> ColumnElement[bool]:
    """Return the condition of the offers that a person sees."""
    # Who only works on a system of a company belongs to it for this, too.
    companies = (
        select(Company.name)
        .join(CompanyMember, CompanyMember.company_id == Company.id)
        .where(CompanyMember.user_id == user.id)
        .union(
            select(Company.name)
            .join(System, System.company_id == Company.id)
            .join(SystemMember, SystemMember.system_id == System.id)
            .where(SystemMember.user_id == user.id)
        )
        .subquery()
    )
    named = select(companies.c.name).where(Offer.companies.contains(func.jsonb_build_array(companies.c.name)))
    found = or_(Offer.visibility == EVERYBODY, named.correlate(Offer).exists())
    return or_(Offer.system_id.in_(seen_by(user)), and_(Offer.state == PUBLISHED, found))


def _chosen(user: User, wanted: Wanted) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [true()]
    if wanted.is_ours:
        conditions.append(Offer.system_id.in_(seen_by(user)))
    else:
        conditions.append(Offer.state == PUBLISHED)
    if wanted.company:
        conditions.append(System.name.startswith(f"{wanted.company}.", autoescape=True))
    for key, word in (("property", wanted.observed), ("unit", wanted.unit)):
        if word:
            conditions.append(Offer.details.contains(cast([{key: word}], JSONB)))
    return and_(*conditions)


async def page_of_offers(
    session: AsyncSession, user: User, page: PageRequest, wanted: Wanted
) -> Listed[OfferView]:
    """Return one page of the offers that a person finds, those that were changed last first.

    Args:
        session: the database.
        user: who looks.
        page: which part; titles, descriptions, systems, units and observed properties are searched.
        wanted: which offers.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    statement = (
        select(Offer, System.name)
        .join(System, System.id == Offer.system_id)
        .where(visible_to(user), _chosen(user, wanted), matches(page.q, Offer.words, System.name))
    )
    found = await read_page(session, statement, NEWEST_FIRST, page, counted=True)
    reach = await reach_of(session, user)
    return found.map(lambda row: _view(row[0], row[1], reach.seen, reach.operated))


def _view(offer: Offer, system: str, seen: frozenset[uuid.UUID], operated: frozenset[uuid.UUID]) -> OfferView:
    return OfferView(offer, system, offer.system_id in seen, offer.system_id in operated)


async def get_offer(session: AsyncSession, user: User, offer_id: str, *, lock: bool = False) -> OfferView:
    """Return an offer.

    Args:
        session: the database.
        user: who asks.
        offer_id: which one.
        lock: hold it until the transaction ends.

    Raises:
        NotFoundError: there is none that the person may see.
    """
    statement = (
        select(Offer, System.name)
        .join(System, System.id == Offer.system_id)
        .where(visible_to(user), Offer.id == offer_id)
    )
    if lock:
        statement = statement.with_for_update(of=Offer).execution_options(populate_existing=True)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no offer {offer_id}.", code="offer.not_found")
    reach = await reach_of(session, user)
    return _view(row[0], row[1], reach.seen, reach.operated)


async def named_of(session: AsyncSession, user: User, system: str, most: int = 100) -> list[dict[str, str]]:
    """Return what the published offers of a system tell of its Datastreams, to a person who finds them.

    Args:
        session: the database.
        user: who looks.
        system: full name of the system.
        most: so many offers at most, those that were changed last [1].
    """
    statement = (
        select(Offer.details)
        .join(System, System.id == Offer.system_id)
        .where(visible_to(user), Offer.state == PUBLISHED, System.name == system)
        .order_by(Offer.changed_at.desc(), Offer.id)
        .limit(most)
    )
    found = (await session.scalars(statement)).all()
    return [row for details in found for row in details if row.get("name", "").startswith(f"{system}.")]


@dataclass(frozen=True, slots=True)
class Choices:
    """By what the published offers that a person sees can be chosen, each by its word.

    Attributes:
        companies: Who offers.
        observed: Observed properties.
        units: Units.
    """

    companies: list[str]
    observed: list[str]
    units: list[str]


async def choices_of(session: AsyncSession, user: User, most: int = 200) -> Choices:
    """Return by what the catalogue can be narrowed.

    Args:
        session: the database.
        user: who looks.
        most: so many words of each kind at most [1].
    """
    is_shown = and_(visible_to(user), Offer.state == PUBLISHED)
    company = func.split_part(System.name, ".", 1) + "." + func.split_part(System.name, ".", 2)
    companies = (
        select(company.label("word"))
        .select_from(Offer)
        .join(System, System.id == Offer.system_id)
        .where(is_shown)
        .distinct()
        .order_by("word")
        .limit(most)
    )
    found = [list((await session.scalars(companies)).all())]
    parts = select(func.jsonb_array_elements(Offer.details).label("part")).where(is_shown).subquery()
    for key in ("property", "unit"):
        word = func.jsonb_extract_path_text(parts.c.part, key, type_=Text)
        words = select(word.label("word")).where(word != "").distinct().order_by("word").limit(most)
        found.append(list((await session.scalars(words)).all()))
    return Choices(*found)
