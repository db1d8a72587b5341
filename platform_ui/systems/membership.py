"""What follows from all parts of a person, in companies and in systems.

What lives here: rules that need both. What does not: each part by itself (both ``service``).
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from platform_ui.accounts import sessions
from platform_ui.accounts.models import ApiToken, PasswordReset, RecoveryCode, SecondFactor, User
from platform_ui.audit import service as audit
from platform_ui.companies import service as companies
from platform_ui.companies.models import Company, CompanyMember, Role
from platform_ui.db import now
from platform_ui.errors import ConflictError
from platform_ui.systems.models import System, SystemAgent, SystemMember

DELETED_DOMAIN = "deleted.invalid"  # RFC 2606: nobody ever gets mail there


@dataclass(frozen=True, slots=True)
class LastOnes:
    """Companies and systems that would be without an owner or agent."""

    companies: tuple[str, ...]
    systems: tuple[str, ...]


async def needs_second_factor(session: AsyncSession, user: User) -> bool:
    """Return whether a company asks for a second factor of everybody who has a part in it or its systems."""
    member = exists().where(CompanyMember.company_id == Company.id, CompanyMember.user_id == user.id)
    operates = exists().where(
        System.company_id == Company.id,
        SystemMember.system_id == System.id,
        SystemMember.user_id == user.id,
    )
    statement = select(Company.id).where(Company.requires_second_factor, or_(member, operates)).limit(1)
    return (await session.scalar(statement)) is not None


async def has_part_within(session: AsyncSession, user: User, name: str) -> bool:
    """Return whether a person has a part in a company or system of this name, or in one whose name begins so.

    What is not there and what is of others look alike.
    """
    statement = union_all(
        select(Company.id)
        .join(CompanyMember, CompanyMember.company_id == Company.id)
        .where(CompanyMember.user_id == user.id, _is_within(Company.name, name)),
        select(System.id)
        .join(SystemMember, SystemMember.system_id == System.id)
        .where(SystemMember.user_id == user.id, _is_within(System.name, name)),
    ).limit(1)
    return (await session.execute(statement)).first() is not None


def _is_within(column: InstrumentedAttribute[str], name: str) -> ColumnElement[bool]:
    return or_(column == name, column.startswith(f"{name}.", autoescape=True))


async def remove_from_company(session: AsyncSession, user: User, name: str, email: str) -> None:
    """Take a person's part in a company away, and with it their parts in its systems.

    Raises:
        NotFoundError: the company is not there, somebody else's, or the person is no member of it.
        ForbiddenError: the person may not remove others, or not an owner.
        ConflictError: this is the last owner, or the last agent of one of the systems.
    """
    company, member = await companies.changeable_member(session, user, name, email)
    person = await session.get_one(User, member.user_id)
    alone = [left for left in (await last_of(session, person)).systems if left.startswith(f"{name}.")]
    if alone:
        raise ConflictError(
            f"{email} is the last agent of {', '.join(alone)}.",
            code="system.last_agent",
            hint="Add another agent there first, or delete the system.",
        )
    of_company = select(System.id).where(System.company_id == company.id)
    await session.execute(
        delete(SystemMember).where(SystemMember.user_id == person.id, SystemMember.system_id.in_(of_company))
    )
    await companies.remove_member(session, user, name, email)


async def last_of(session: AsyncSession, user: User) -> LastOnes:
    """Return the companies and systems in which a person is the last owner or agent."""
    owner, other_owner = aliased(CompanyMember), aliased(CompanyMember)
    owned = (
        select(Company.name)
        .join(owner, owner.company_id == Company.id)
        .where(owner.user_id == user.id, owner.role == Role.OWNER)
        .where(
            ~exists().where(
                other_owner.company_id == Company.id,
                other_owner.user_id != user.id,
                other_owner.role == Role.OWNER,
            )
        )
        .order_by(Company.name)
    )
    agent, other_agent = aliased(SystemAgent), aliased(SystemMember)
    operated = (
        select(System.name)
        .join(agent, agent.system_id == System.id)
        .where(agent.user_id == user.id)
        .where(
            ~exists().where(
                other_agent.system_id == System.id,
                other_agent.user_id != user.id,
                other_agent.role == "agent",
            )
        )
        .order_by(System.name)
    )
    return LastOnes(
        tuple((await session.scalars(owned)).all()), tuple((await session.scalars(operated)).all())
    )


async def _hold_places(session: AsyncSession, user: User) -> None:
    """Let nobody else change who has a part where this person has one, until the transaction ends."""
    member = select(CompanyMember.company_id).where(CompanyMember.user_id == user.id)
    part = select(SystemMember.system_id).where(SystemMember.user_id == user.id)
    for kind, ids in ((Company, member), (System, part)):
        await session.execute(select(kind.id).where(kind.id.in_(ids)).order_by(kind.id).with_for_update())


async def delete_account(session: AsyncSession, user: User) -> None:
    """Delete the account of a person: parts, sessions, tokens, second factor, name and address.

    What they made stays (systems, apps, entries of the audit log), and so the row, without saying who it was.

    Raises:
        ConflictError: they are the last owner of a company or the last agent of a system.
    """
    await _hold_places(session, user)
    last = await last_of(session, user)
    if last.companies or last.systems:
        raise ConflictError(
            f"You are the last one of {', '.join(last.companies + last.systems)}.",
            code="account.last_one",
            hint="Make somebody else an owner or agent there first, or delete them.",
        )
    audit.record(session, user, "account.deleted", user.email)
    await session.flush()
    for kind in (CompanyMember, SystemMember, ApiToken, PasswordReset, RecoveryCode, SecondFactor):
        await session.execute(delete(kind).where(kind.user_id == user.id))
    await sessions.end_sessions(session, user)
    user.email, user.first_name, user.last_name = f"{user.id}@{DELETED_DOMAIN}", "Deleted", "account"
    user.password_hash, user.disabled_at, user.email_verified_at = "", now(), None
    await session.commit()
