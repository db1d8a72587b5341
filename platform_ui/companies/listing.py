"""The list of a person's companies, page by page.

What lives here: reading the list. What does not: one company and its rules (``service``).
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.accounts.models import User
from platform_ui.companies.models import Company, CompanyMember, Role
from platform_ui.rest.paging import Listed, Order, PageRequest, matches, read_page

BY_NAME: Final = Order("companies", (Company.name,))


@dataclass(frozen=True, slots=True)
class CompanyRow:
    """A company as its list shows it.

    Attributes:
        company: The company.
        role: The person's part in it.
        members: How many people have a part in it [1].
    """

    company: Company
    role: Role
    members: int


async def page_of_companies(
    session: AsyncSession, user: User, page: PageRequest, *, counted: bool = False
) -> Listed[CompanyRow]:
    """Return one page of the companies in which a person has a part, by name.

    Args:
        session: the database.
        user: who asks.
        page: which part of the list; names and descriptions are searched.
        counted: whether to count the whole list.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    others = aliased(CompanyMember)
    members = select(func.count()).where(others.company_id == Company.id).scalar_subquery()
    statement = (
        select(Company, CompanyMember.role, members)
        .join(CompanyMember, CompanyMember.company_id == Company.id)
        .where(CompanyMember.user_id == user.id, matches(page.q, Company.name, Company.description))
    )
    found = await read_page(session, statement, BY_NAME.turned(page.is_descending), page, counted=counted)
    return found.map(lambda row: CompanyRow(row[0], Role(row[1]), row[2]))
