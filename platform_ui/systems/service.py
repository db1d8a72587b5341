"""The rules of systems: who may see, create, change and delete them; their topics live and die with them.

A company's admin creates a system and becomes its first agent; agents operate it and add each other. The row
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
from platform_ui.companies.models import Company
from platform_ui.companies.service import Member
from platform_ui.db import now
from platform_ui.errors import BrokerError, ConflictError, FormError, NotFoundError, PlatformError
from platform_ui.systems.forms import SystemForm
from platform_ui.systems.models import ACTIVE, CREATING, System, SystemAgent

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


async def list_of_company(session: AsyncSession, company: Company) -> Sequence[System]:
    """Return all systems of a company, by name; its admin sees them listed, agents open them."""
    statement = select(System).where(System.company_id == company.id).order_by(System.name)
    return (await session.scalars(statement)).all()


async def get_system(session: AsyncSession, user: User, name: str, *, lock: bool = False) -> System:
    """Return a system that a person operates.

    Args:
        session: the database.
        user: who asks.
        name: the full name.
        lock: hold the row until the transaction ends, so that rules about members are decided one by one.

    Raises:
        NotFoundError: there is none of this name, or the person is no agent of it.
    """
    statement = (
        select(System)
        .join(SystemAgent, SystemAgent.system_id == System.id)
        .where(System.name == name, SystemAgent.user_id == user.id)
    )
    if lock:
        statement = statement.with_for_update(of=System)
    system = (await session.scalars(statement)).one_or_none()
    if system is None:
        raise NotFoundError(f"You operate no system named {name}.", code="system.not_found")
    return system


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
    except NotFoundError as error:
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
    if await _count_agents(session, system) > 1:
        raise ConflictError(
            f"{name} has other agents.",
            code="system.other_agents",
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


async def list_agents(session: AsyncSession, user: User, system: System) -> list[Member]:
    """Return the agents of a system, by e-mail address."""
    statement = (
        select(User)
        .join(SystemAgent, SystemAgent.user_id == User.id)
        .where(SystemAgent.system_id == system.id)
        .order_by(User.email)
    )
    people = (await session.scalars(statement)).all()
    return [Member(person.email, person.full_name, person.id == user.id) for person in people]


async def add_agent(session: AsyncSession, user: User, name: str, email: str) -> None:
    """Make a registered person an agent of a system.

    Raises:
        NotFoundError: the system is not there, or the person is no agent of it.
        FormError: nobody has signed up with the address.
        ConflictError: the person is an agent already.
    """
    system = await get_system(session, user, name, lock=True)
    person = await registered(session, email)
    if await session.get(SystemAgent, (system.id, person.id)):
        raise ConflictError(
            f"{email} is an agent already.",
            code="system.agent_exists",
            fields={"email": f"{email} is an agent of {name} already."},
        )
    session.add(SystemAgent(system_id=system.id, user_id=person.id, added_at=now(), added_by=user.id))
    audit.record(session, user, "system.agent_added", name, email=email)
    await session.commit()


async def remove_agent(session: AsyncSession, user: User, name: str, email: str) -> None:
    """Take a person's part in a system away; the last agent stays.

    Raises:
        NotFoundError: the system is not there, or one of the two is no agent of it.
        ConflictError: this is the last agent.
    """
    system = await get_system(session, user, name, lock=True)
    statement = (
        select(SystemAgent)
        .join(User, User.id == SystemAgent.user_id)
        .where(SystemAgent.system_id == system.id, User.email == email)
    )
    agent = (await session.scalars(statement)).one_or_none()
    if agent is None:
        raise NotFoundError(f"{email} is no agent of {name}.", code="system.agent_not_found")
    if await _count_agents(session, system) == 1:
        raise ConflictError(
            f"{email} is the last agent of {name}.",
            code="system.last_agent",
            hint="Add another agent first, or delete the system.",
        )
    await session.delete(agent)
    audit.record(session, user, "system.agent_removed", name, email=email)
    await session.commit()


async def _count_agents(session: AsyncSession, system: System) -> int:
    statement = select(func.count()).select_from(SystemAgent).where(SystemAgent.system_id == system.id)
    return (await session.scalar(statement)) or 0
