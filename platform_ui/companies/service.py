"""The rules of companies: who may see, create, change and delete them.

A company's creator is its first admin. Admins add and remove each other by e-mail address; the last one
stays. A company goes only when it has no systems: the database holds that (a foreign key), so two people
who act at once cannot break it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.accounts.service import new_id, registered
from platform_ui.audit import service as audit
from platform_ui.companies.forms import CompanyForm
from platform_ui.companies.models import Company, CompanyAdmin
from platform_ui.db import now
from platform_ui.errors import ConflictError, NotFoundError


@dataclass(frozen=True, slots=True)
class Member:
    """A person with a part in a company or a system."""

    email: str
    full_name: str
    is_self: bool


async def list_companies(session: AsyncSession, user: User) -> Sequence[Company]:
    """Return the companies that a person administers, by name."""
    statement = (
        select(Company)
        .join(CompanyAdmin, CompanyAdmin.company_id == Company.id)
        .where(CompanyAdmin.user_id == user.id)
        .order_by(Company.name)
    )
    return (await session.scalars(statement)).all()


async def get_company(session: AsyncSession, user: User, name: str, *, lock: bool = False) -> Company:
    """Return a company that a person administers.

    Args:
        session: the database.
        user: who asks.
        name: ``domain.enterprise``.
        lock: hold the row until the transaction ends, so that rules about members are decided one by one.

    Raises:
        NotFoundError: there is none of this name, or it is somebody else's.
    """
    statement = (
        select(Company)
        .join(CompanyAdmin, CompanyAdmin.company_id == Company.id)
        .where(Company.name == name, CompanyAdmin.user_id == user.id)
    )
    if lock:
        statement = statement.with_for_update(of=Company)
    company = (await session.scalars(statement)).one_or_none()
    if company is None:
        raise NotFoundError(f"You have no company named {name}.", code="company.not_found")
    return company


async def create_company(session: AsyncSession, user: User, form: CompanyForm) -> Company:
    """Create a company; its creator becomes its first admin.

    Raises:
        ConflictError: the name is taken.
    """
    present = now()
    company = Company(
        id=new_id(), name=form.name, description=form.description, created_at=present, created_by=user.id
    )
    try:
        async with session.begin_nested():
            session.add(company)
    except IntegrityError as error:
        raise ConflictError(
            f"There is already a company named {form.name}.",
            code="company.exists",
            fields={
                "enterprise": f"{form.name} is taken: choose another name, or ask its admins to add you."
            },
        ) from error
    session.add(CompanyAdmin(company_id=company.id, user_id=user.id, added_at=present, added_by=user.id))
    audit.record(session, user, "company.created", company.name)
    await session.commit()
    return company


async def delete_company(session: AsyncSession, user: User, name: str) -> None:
    """Delete a company that has no systems.

    Raises:
        NotFoundError: it is not there, or somebody else's.
        ConflictError: it still has systems, or other admins.
    """
    company = await get_company(session, user, name, lock=True)
    if await _count_admins(session, company) > 1:
        raise ConflictError(
            f"{name} has other admins.",
            code="company.other_admins",
            hint="Remove them first: a company is deleted only by its only admin.",
        )
    try:
        async with session.begin_nested():
            await session.execute(delete(Company).where(Company.id == company.id))
    except IntegrityError as error:
        raise ConflictError(
            f"{name} still has systems.",
            code="company.has_systems",
            hint="Delete its systems first, then the company.",
        ) from error
    audit.record(session, user, "company.deleted", name)
    await session.commit()


async def list_admins(session: AsyncSession, user: User, company: Company) -> list[Member]:
    """Return the admins of a company, by e-mail address."""
    statement = (
        select(User)
        .join(CompanyAdmin, CompanyAdmin.user_id == User.id)
        .where(CompanyAdmin.company_id == company.id)
        .order_by(User.email)
    )
    people = (await session.scalars(statement)).all()
    return [Member(person.email, person.full_name, person.id == user.id) for person in people]


async def add_admin(session: AsyncSession, user: User, name: str, email: str) -> None:
    """Make a registered person an admin of a company.

    Raises:
        NotFoundError: the company is not there, or somebody else's.
        FormError: nobody has signed up with the address.
        ConflictError: the person is an admin already.
    """
    company = await get_company(session, user, name, lock=True)
    person = await registered(session, email)
    if await session.get(CompanyAdmin, (company.id, person.id)):
        raise ConflictError(
            f"{email} is an admin already.",
            code="company.admin_exists",
            fields={"email": f"{email} is an admin of {name} already."},
        )
    session.add(CompanyAdmin(company_id=company.id, user_id=person.id, added_at=now(), added_by=user.id))
    audit.record(session, user, "company.admin_added", name, email=email)
    await session.commit()


async def remove_admin(session: AsyncSession, user: User, name: str, email: str) -> None:
    """Take a person's part in a company away; the last admin stays.

    Raises:
        NotFoundError: the company is not there, somebody else's, or the person is no admin of it.
        ConflictError: this is the last admin.
    """
    company = await get_company(session, user, name, lock=True)
    statement = (
        select(CompanyAdmin)
        .join(User, User.id == CompanyAdmin.user_id)
        .where(CompanyAdmin.company_id == company.id, User.email == email)
    )
    admin = (await session.scalars(statement)).one_or_none()
    if admin is None:
        raise NotFoundError(f"{email} is no admin of {name}.", code="company.admin_not_found")
    if await _count_admins(session, company) == 1:
        raise ConflictError(
            f"{email} is the last admin of {name}.",
            code="company.last_admin",
            hint="Add another admin first, or delete the company.",
        )
    await session.delete(admin)
    audit.record(session, user, "company.admin_removed", name, email=email)
    await session.commit()


async def _count_admins(session: AsyncSession, company: Company) -> int:
    statement = select(func.count()).select_from(CompanyAdmin).where(CompanyAdmin.company_id == company.id)
    return (await session.scalar(statement)) or 0
