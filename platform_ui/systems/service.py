"""The rules of systems: who may see, create, change and delete them; their topics live and die with them.

A company's admin creates a system and becomes its first agent; agents operate it and add each other and
viewers, who see everything and change nothing. The last agent stays. The row
is committed first, as ``creating``; then its topics are created and verified; then it is ``active``. When the
broker fails, the row is taken back, so no half-made system stays; when the process dies in between,
`reconcile` finishes the work at the next start. A system is deleted in one transaction that is committed only
after its topics are verified to be gone.
"""

import asyncio
import logging
from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from client.messaging.topics import SystemName
from platform_ui.accounts.models import User
from platform_ui.accounts.service import new_id, registered
from platform_ui.audit import service as audit
from platform_ui.broker import TopicAdministrator
from platform_ui.companies import service as companies
from platform_ui.companies.service import Member
from platform_ui.db import now
from platform_ui.errors import (
    BrokerError,
    ConflictError,
    ForbiddenError,
    FormError,
    NotFoundError,
    PlatformError,
)
from platform_ui.systems.forms import SystemForm
from platform_ui.systems.models import (
    ACTIVE,
    CREATING,
    MEMBER_OF,
    System,
    SystemAgent,
    SystemMember,
    SystemRole,
)

_log = logging.getLogger(__name__)


async def list_systems(session: AsyncSession, user: User) -> Sequence[System]:
    """Return the systems that a person operates, by name."""
    statement = (
        select(System)
        .join(SystemAgent, SystemAgent.system_id == System.id)
        .where(SystemAgent.user_id == user.id)
        .order_by(System.name)
    )
    return (await session.scalars(statement)).all()


async def get_system(session: AsyncSession, user: User, name: str, *, lock: bool = False) -> System:
    """Return a system that a person operates.

    Args:
        session: the database.
        user: who asks.
        name: the full name.
        lock: hold the row until the transaction ends, so that rules about members are decided one by one.

    Raises:
        NotFoundError: there is none of this name, or the person has no part in it.
        ForbiddenError: the person only views it.
    """
    system, role = await _seen(session, user, name, lock=lock)
    if role is not SystemRole.AGENT:
        raise ForbiddenError(
            f"You view {name}: only its agents may do this.",
            code="system.only_agents",
            hint="Ask one of its agents to make you an agent.",
        )
    return system


async def see_system(session: AsyncSession, user: User, name: str) -> System:
    """Return a system that a person operates or views.

    Raises:
        NotFoundError: there is none of this name, or the person has no part in it.
    """
    system, _ = await _seen(session, user, name)
    return system


async def _seen(
    session: AsyncSession, user: User, name: str, *, lock: bool = False
) -> tuple[System, SystemRole]:
    statement = (
        select(System, SystemMember.role)
        .join(SystemMember, SystemMember.system_id == System.id)
        .where(System.name == name, SystemMember.user_id == user.id)
    )
    if lock:
        statement = statement.with_for_update(of=System)
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        raise NotFoundError(f"You have no part in a system named {name}.", code="system.not_found")
    return found[0], SystemRole(found[1])


async def role_in(session: AsyncSession, user: User, system: System) -> SystemRole | None:
    """Return the part of a person in a system, or nothing."""
    statement = select(SystemMember.role).where(
        SystemMember.system_id == system.id, SystemMember.user_id == user.id
    )
    role = (await session.scalars(statement)).one_or_none()
    return SystemRole(role) if role else None


async def find_system(session: AsyncSession, name: str) -> System | None:
    """Return the system of a name, whoever it belongs to, or nothing."""
    return (await session.scalars(select(System).where(System.name == name))).one_or_none()


async def create_system(
    session: AsyncSession, user: User, form: SystemForm, topics: TopicAdministrator, *, adopt: bool = False
) -> System:
    """Create a system with its topics; its creator becomes its first agent.

    Args:
        session: the database.
        user: an admin of the company.
        form: the names.
        topics: the broker.
        adopt: keep topics that exist already (the demo, after its database was made anew).

    Raises:
        FormError: the person administers no such company.
        ConflictError: the name is taken, by a system or by topics.
        BrokerError: the topics could not be created; nothing stays behind.
    """
    system = await _insert(session, user, form)
    try:
        await asyncio.to_thread(topics.create, system.system_name.topics, adopt=adopt)
    except PlatformError:
        await session.execute(delete(System).where(System.id == system.id))
        audit.record(session, user, "system.creation_failed", system.name)
        await session.commit()
        raise
    await _activate(session, system)
    audit.record(session, user, "system.created", system.name)
    await session.commit()
    return system


async def _insert(session: AsyncSession, user: User, form: SystemForm) -> System:
    try:
        company = await companies.get_company(session, user, form.company)
    except (NotFoundError, ForbiddenError) as error:
        raise FormError({"company": error.detail}) from error
    present = now()
    system = System(
        id=new_id(),
        company_id=company.id,
        name=str(SystemName.parse(form.name)),
        state=CREATING,
        description=form.description,
        created_at=present,
        created_by=user.id,
    )
    try:
        async with session.begin_nested():
            session.add(system)
    except IntegrityError as error:
        raise ConflictError(
            f"There is already a system named {form.name}.",
            code="system.exists",
            fields={"station": f"{form.name} exists already: choose another station."},
        ) from error
    session.add(SystemAgent(system_id=system.id, user_id=user.id, added_at=present, added_by=user.id))
    await session.commit()
    return system


async def _activate(session: AsyncSession, system: System) -> None:
    await session.execute(update(System).where(System.id == system.id).values(state=ACTIVE))
    system.state = ACTIVE


async def delete_system(session: AsyncSession, user: User, name: str, topics: TopicAdministrator) -> None:
    """Delete a system that has no client apps and no stream apps, with its topics and their records.

    Raises:
        NotFoundError: it is not there, or the person is no agent of it.
        ConflictError: something still belongs to it or writes into it, or it has other agents.
        BrokerError: a topic could not be removed; the system stays and has all its topics.
    """
    system = await get_system(session, user, name, lock=True)
    if await _count(session, system, SystemMember) > 1:
        raise ConflictError(
            f"{name} has other agents or viewers.",
            code="system.other_members",
            hint="Remove them first: a system is deleted only by its only agent.",
        )
    try:
        async with session.begin_nested():
            await session.execute(delete(System).where(System.id == system.id))
    except IntegrityError as error:
        raise ConflictError(
            f"{name} is still in use.",
            code="system.in_use",
            hint="Delete its client apps and stream apps first; stream apps of others that write into it "
            "have to be deleted by their owners.",
        ) from error
    system_topics = SystemName.parse(name).topics
    try:
        await asyncio.to_thread(topics.remove, system_topics)
    except BrokerError:
        await session.rollback()
        await _restore(topics, name)
        raise
    audit.record(session, user, "system.deleted", name)
    await session.commit()


async def _restore(topics: TopicAdministrator, name: str) -> None:
    """Give a system that could not be deleted its topics back, as far as the broker answers."""
    try:
        await asyncio.to_thread(topics.create, SystemName.parse(name).topics, adopt=True)
    except PlatformError as error:
        _log.warning("topics of %s could not be restored: %s", name, error)


async def reconcile(session: AsyncSession, topics: TopicAdministrator) -> list[str]:
    """Make sure that every system has its topics; finish what a crash interrupted.

    Returns: the names of the systems that were mended, in order.

    Raises:
        BrokerError: the broker does not answer.
    """
    mended = []
    for system in (await session.scalars(select(System).order_by(System.name))).all():
        missing = await asyncio.to_thread(topics.missing, system.system_name.topics)
        if missing:
            await asyncio.to_thread(topics.create, system.system_name.topics, adopt=True)
        if missing or system.state == CREATING:
            await _activate(session, system)
            mended.append(system.name)
            _log.warning("system %s mended, topics created: %s", system.name, ", ".join(missing) or "none")
    await session.commit()
    return mended


async def list_members(session: AsyncSession, user: User, system: System) -> list[Member]:
    """Return the agents of a system, then its viewers, each by e-mail address."""
    statement = (
        select(User, SystemMember.role)
        .join(SystemMember, SystemMember.user_id == User.id)
        .where(SystemMember.system_id == system.id)
        .order_by(SystemMember.role, User.email)
    )
    rows = (await session.execute(statement)).all()
    return [Member(person.email, person.full_name, person.id == user.id, role) for person, role in rows]


async def add_member(
    session: AsyncSession, user: User, name: str, email: str, role: SystemRole = SystemRole.AGENT
) -> None:
    """Give a registered person a part in a system.

    Raises:
        NotFoundError: the system is not there, or the person has no part in it.
        ForbiddenError: the person is no agent of it.
        FormError: nobody has signed up with the address.
        ConflictError: the person has a part already.
    """
    system = await get_system(session, user, name, lock=True)
    person = await registered(session, email)
    present = await role_in(session, person, system)
    if present is not None:
        raise ConflictError(
            f"{email} is {present} already.",
            code="system.member_exists",
            fields={"email": f"{email} is {present} of {name} already."},
        )
    _add(session, user, system, person, role)
    audit.record(session, user, f"system.{role}_added", name, email=email)
    await session.commit()


async def change_role(session: AsyncSession, user: User, name: str, email: str, role: SystemRole) -> None:
    """Make an agent a viewer or the other way round; the last agent stays one.

    Raises:
        NotFoundError: the system is not there, or one of the two has no part in it.
        ForbiddenError: the person is no agent of it.
        ConflictError: this is the last agent.
    """
    system = await get_system(session, user, name, lock=True)
    member = await _member(session, system, email)
    before = SystemRole(member.role)
    if before is SystemRole.AGENT and role is SystemRole.VIEWER:
        await _refuse_last_agent(session, system, email)
    # Each role is a class, and an object keeps its class: so the row is changed, and forgotten here.
    await session.execute(
        update(SystemMember)
        .where(SystemMember.system_id == system.id, SystemMember.user_id == member.user_id)
        .values(role=role.value)
        .execution_options(synchronize_session=False)
    )
    session.expunge(member)
    audit.record(
        session, user, "system.role_changed", name, email=email, before={"role": before}, after={"role": role}
    )
    await session.commit()


async def remove_member(session: AsyncSession, user: User, name: str, email: str) -> SystemRole:
    """Take a person's part in a system away; the last agent stays. Viewers may leave by themselves.

    Returns:
        What they were.

    Raises:
        NotFoundError: the system is not there, or one of the two has no part in it.
        ForbiddenError: the person views the system and wants to remove somebody else.
        ConflictError: this is the last agent.
    """
    system, _ = await _seen(session, user, name, lock=True)
    if email != user.email:
        await get_system(session, user, name)
    member = await _member(session, system, email)
    role = SystemRole(member.role)
    if role is SystemRole.AGENT:
        await _refuse_last_agent(session, system, email)
    await session.delete(member)
    audit.record(session, user, f"system.{role}_removed", name, email=email)
    await session.commit()
    return role


def add_invited(
    session: AsyncSession, system: System, person: User, invited_by: User, role: SystemRole
) -> None:
    """Give somebody the part that they were invited to; not committed."""
    _add(session, invited_by, system, person, role)
    audit.record(session, person, f"system.{role}_joined", system.name, email=person.email)


def _add(session: AsyncSession, user: User, system: System, person: User, role: SystemRole) -> None:
    kind = MEMBER_OF[role]
    session.add(kind(system_id=system.id, user_id=person.id, added_at=now(), added_by=user.id))


async def _member(session: AsyncSession, system: System, email: str) -> SystemMember:
    statement = (
        select(SystemMember)
        .join(User, User.id == SystemMember.user_id)
        .where(SystemMember.system_id == system.id, User.email == email)
    )
    member = (await session.scalars(statement)).one_or_none()
    if member is None:
        raise NotFoundError(f"{email} has no part in {system.name}.", code="system.member_not_found")
    return member


async def _refuse_last_agent(session: AsyncSession, system: System, email: str) -> None:
    if await _count(session, system, SystemAgent) == 1:
        raise ConflictError(
            f"{email} is the last agent of {system.name}.",
            code="system.last_agent",
            hint="Add another agent first, or delete the system.",
        )


async def _count(session: AsyncSession, system: System, kind: type[SystemMember]) -> int:
    statement = select(func.count()).select_from(kind).where(kind.system_id == system.id)
    return (await session.scalar(statement)) or 0
