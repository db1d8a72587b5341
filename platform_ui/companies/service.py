"""The rules of companies: who may see, create, change and delete them.

A company's creator is its first owner. Owners and admins manage it and its members; owners alone make owners
and delete the company; members see it and the names of its systems. The last owner stays. A company goes only
when it has no systems: the database holds that (a foreign key), so two people who act at once cannot break
it.
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
from platform_ui.companies.models import Company, CompanyMember, Role
from platform_ui.db import now
from platform_ui.errors import ConflictError, ForbiddenError, NotFoundError


@dataclass(frozen=True, slots=True)
class Member:
    """A person with a part in a company or a system."""

    email: str
    full_name: str
    is_self: bool
    role: str


async def list_companies(session: AsyncSession, user: User, least: Role = Role.MEMBER) -> Sequence[Company]:
    """Return the companies in which a person has at least a role, by name."""
    statement = (
        select(Company)
        .join(CompanyMember, CompanyMember.company_id == Company.id)
        .where(CompanyMember.user_id == user.id, CompanyMember.role.in_(_at_least(least)))
        .order_by(Company.name)
    )
    return (await session.scalars(statement)).all()


def _at_least(least: Role) -> list[Role]:
    return [role for role in Role if role.includes(least)]


async def get_company(session: AsyncSession, user: User, name: str, *, lock: bool = False) -> Company:
    """Return a company that a person manages, as owner or admin; see `require`."""
    return await require(session, user, name, Role.ADMIN, lock=lock)


async def see_company(session: AsyncSession, user: User, name: str) -> Company:
    """Return a company in which a person has any part; see `require`."""
    return await require(session, user, name, Role.MEMBER)


async def require(
    session: AsyncSession, user: User, name: str, least: Role, *, lock: bool = False
) -> Company:
    """Return a company in which a person has at least a role.

    Args:
        session: the database.
        user: who asks.
        name: ``domain.enterprise``.
        least: what the person must be.
        lock: hold the row until the transaction ends, so that rules about members are decided one by one.

    Raises:
        NotFoundError: there is none of this name, or the person has no part in it.
        ForbiddenError: the person has too small a part.
    """
    statement = (
        select(Company, CompanyMember.role)
        .join(CompanyMember, CompanyMember.company_id == Company.id)
        .where(Company.name == name, CompanyMember.user_id == user.id)
    )
    if lock:
        statement = statement.with_for_update(of=Company)
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        raise NotFoundError(f"You have no company named {name}.", code="company.not_found")
    company, role = found
    if not Role(role).includes(least):
        raise ForbiddenError(
            f"You are {role} of {name}: this needs its {least}.",
            code="company.role_too_small",
            hint="Ask an owner of the company.",
        )
    return company


async def role_in(session: AsyncSession, user: User, company: Company) -> Role | None:
    """Return the part of a person in a company, or nothing."""
    member = await session.get(CompanyMember, (company.id, user.id), populate_existing=True)
    return Role(member.role) if member else None


async def create_company(session: AsyncSession, user: User, form: CompanyForm) -> Company:
    """Create a company; its creator becomes its first owner.

    The name of a company that was deleted is free for whoever deleted it only: what was recorded and written
    down under its name stays, and must not fall to somebody else.

    Raises:
        ConflictError: the name is taken.
    """
    present = now()
    deleter = await audit.last_actor(session, "company.deleted", form.name)
    if deleter not in {None, user.id}:
        raise _taken(form.name)
    company = Company(
        id=new_id(), name=form.name, description=form.description, created_at=present, created_by=user.id
    )
    try:
        async with session.begin_nested():
            session.add(company)
    except IntegrityError as error:
        raise _taken(form.name) from error
    _add(session, user, company, user, Role.OWNER)
    audit.record(session, user, "company.created", company.name)
    await session.commit()
    return company


def _taken(name: str) -> ConflictError:
    return ConflictError(
        f"There is already a company named {name}.",
        code="company.exists",
        fields={"enterprise": f"{name} is taken: choose another name, or ask its admins to add you."},
    )


async def delete_company(session: AsyncSession, user: User, name: str) -> None:
    """Delete a company that has no systems.

    Raises:
        NotFoundError: it is not there, or somebody else's.
        ForbiddenError: the person does not own it.
        ConflictError: it still has systems, or other members.
    """
    company = await require(session, user, name, Role.OWNER, lock=True)
    if await _count(session, company) > 1:
        raise ConflictError(
            f"{name} has other members.",
            code="company.other_members",
            hint="Remove them first: a company is deleted only by its only member.",
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


async def require_second_factor(session: AsyncSession, user: User, name: str, *, required: bool) -> None:
    """Ask a second factor of everybody who has a part in a company or its systems, or no longer.

    Raises:
        NotFoundError: it is not there, or somebody else's.
        ForbiddenError: the person does not own it.
    """
    company = await require(session, user, name, Role.OWNER, lock=True)
    company.requires_second_factor = required
    audit.record(session, user, "company.second_factor_rule", name, required=str(required).lower())
    await session.commit()


async def list_members(session: AsyncSession, user: User, company: Company) -> list[Member]:
    """Return the members of a company, by role and e-mail address."""
    statement = (
        select(User, CompanyMember.role)
        .join(CompanyMember, CompanyMember.user_id == User.id)
        .where(CompanyMember.company_id == company.id)
        .order_by(User.email)
    )
    rows = (await session.execute(statement)).all()
    found = [Member(person.email, person.full_name, person.id == user.id, role) for person, role in rows]
    return sorted(found, key=lambda member: list(Role).index(Role(member.role)))


async def company_to_give(session: AsyncSession, user: User, name: str, role: Role) -> Company:
    """Return a company in which a person may give a role; see `require`."""
    return await require(session, user, name, _giver_of(role))


async def add_member(session: AsyncSession, user: User, name: str, email: str, role: Role) -> None:
    """Give a registered person a part in a company.

    Raises:
        NotFoundError: the company is not there, or somebody else's.
        ForbiddenError: the person may not give this role.
        FormError: nobody has signed up with the address.
        ConflictError: the person is a member already.
    """
    company = await require(session, user, name, _giver_of(role), lock=True)
    person = await registered(session, email)
    if await role_in(session, person, company):
        raise ConflictError(
            f"{email} is a member already.",
            code="company.member_exists",
            fields={"email": f"{email} is a member of {name} already."},
        )
    _add(session, user, company, person, role)
    audit.record(session, user, "company.member_added", name, email=email, role=role)
    await session.commit()


async def change_role(session: AsyncSession, user: User, name: str, email: str, role: Role) -> None:
    """Give a member of a company another role; the last owner stays one.

    Raises:
        NotFoundError: the company is not there, somebody else's, or the person is no member of it.
        ForbiddenError: only an owner gives and takes that role.
        ConflictError: this is the last owner.
    """
    company, member = await changeable_member(session, user, name, email, role)
    if Role(member.role) is Role.OWNER and role is not Role.OWNER:
        await _refuse_last_owner(session, company, email)
    before, member.role = member.role, role.value
    audit.record(
        session,
        user,
        "company.role_changed",
        name,
        email=email,
        before={"role": before},
        after={"role": role},
    )
    await session.commit()


async def remove_member(session: AsyncSession, user: User, name: str, email: str) -> None:
    """Take a person's part in a company away; the last owner stays. Everybody may leave by themselves.

    Raises:
        NotFoundError: the company is not there, somebody else's, or the person is no member of it.
        ForbiddenError: the person may not remove others, or not an owner.
        ConflictError: this is the last owner.
    """
    company, member = await changeable_member(session, user, name, email)
    if Role(member.role) is Role.OWNER:
        await _refuse_last_owner(session, company, email)
    await session.delete(member)
    audit.record(session, user, "company.member_removed", name, email=email, role=member.role)
    await session.commit()


def add_invited(session: AsyncSession, company: Company, person: User, invited_by: User, role: Role) -> None:
    """Give somebody the part that they were invited to; not committed."""
    _add(session, invited_by, company, person, role)
    audit.record(session, person, "company.member_joined", company.name, email=person.email, role=role)


def _add(session: AsyncSession, user: User, company: Company, person: User, role: Role) -> None:
    session.add(
        CompanyMember(
            company_id=company.id, user_id=person.id, role=role.value, added_at=now(), added_by=user.id
        )
    )


def _giver_of(role: Role) -> Role:
    return Role.OWNER if role is Role.OWNER else Role.ADMIN


async def changeable_member(
    session: AsyncSession, user: User, name: str, email: str, role: Role | None = None
) -> tuple[Company, CompanyMember]:
    """Return a company and a member of it that the person may remove, or give a role; the company is held.

    Raises:
        NotFoundError: the company is not there, somebody else's, or the other person is no member of it.
        ForbiddenError: it takes an admin, or for owners an owner; only removing oneself takes neither.
    """
    company = await require(session, user, name, Role.MEMBER, lock=True)
    statement = (
        select(CompanyMember)
        .join(User, User.id == CompanyMember.user_id)
        .where(CompanyMember.company_id == company.id, User.email == email)
    )
    member = (await session.scalars(statement)).one_or_none()
    if email != user.email or role is not None:
        needed = [_giver_of(Role(member.role))] if member else [Role.ADMIN]
        needed += [_giver_of(role)] if role else []
        for least in needed:
            await require(session, user, name, least)
    if member is None:
        raise NotFoundError(f"{email} is no member of {name}.", code="company.member_not_found")
    return company, member


async def _refuse_last_owner(session: AsyncSession, company: Company, email: str) -> None:
    if await _count(session, company, Role.OWNER) == 1:
        raise ConflictError(
            f"{email} is the last owner of {company.name}.",
            code="company.last_owner",
            hint="Make somebody else an owner first, or delete the company.",
        )


async def _count(session: AsyncSession, company: Company, least: Role = Role.MEMBER) -> int:
    """Count the members of a company who have at least a role."""
    statement = (
        select(func.count())
        .select_from(CompanyMember)
        .where(CompanyMember.company_id == company.id, CompanyMember.role.in_(_at_least(least)))
    )
    return (await session.scalar(statement)) or 0
