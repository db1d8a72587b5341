"""Who may read the records of a system or of one Datastream, each with the clause that allows it.

What lives here: the list, in a fixed number of queries however long it is. What does not: single questions
(``asking``). Who sees the system may ask; of the other side of a contract the system is named, nobody in it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from client.errors import InvalidNameError
from client.messaging.topics import DatastreamName, SystemName
from platform_ui.accounts.models import User
from platform_ui.acls.compiling import MQTT_BRIDGE, RECORDER, SENSORTHINGS, SERVICES
from platform_ui.clients.models import ClientApp
from platform_ui.contracts import views as contracts
from platform_ui.contracts.models import ACTIVE, CONSUMER, PROVIDER, Contract
from platform_ui.contracts.terms import format_time
from platform_ui.contracts.titles import ContractTitle, titles_of_terms
from platform_ui.contracts.views import ContractView
from platform_ui.errors import FormError
from platform_ui.explain.rulings import Clause, day
from platform_ui.pki.names import Identity, Kind
from platform_ui.streams import views as streams
from platform_ui.streams.models import StreamApp
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.streams.views import AppView
from platform_ui.systems import service as systems
from platform_ui.systems.models import System, SystemMember

LEVELS_OF_A_SYSTEM = 4
_SERVES: Final = {
    RECORDER: "reads the records of every system, and stores them for the SensorThings service",
    SENSORTHINGS: "holds what is stored, and serves it to those above by these same rules",
    MQTT_BRIDGE: "reads them too where MQTT is set up, and passes them to devices by these same rules",
}


class ReaderKind(StrEnum):
    """What somebody who reads is."""

    PERSON = "person"
    CLIENT = "client app"
    APP = "stream app"
    SYSTEM = "system of another company"
    SERVICE = "service of the platform"


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who may read, and why.

    Attributes:
        kind: What it is.
        name: An e-mail address, a principal, or the full name of a system.
        because: What allows it, link by link.
        limits: What of the records it gets; empty for all.
    """

    kind: ReaderKind
    name: str
    because: tuple[Clause, ...]
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Readers:
    """Everybody who may read something.

    Attributes:
        system: Full name of the system whose records they are.
        datastream: Full name of the Datastream; empty for all of the system.
        items: Who may, people first.
    """

    system: str
    datastream: str
    items: list[Reader]


def subject_of(text: str) -> tuple[str, str]:
    """Return the system and the Datastream that a text names; an empty Datastream for a system.

    Raises:
        FormError: it names neither.
    """
    try:
        if text.count(".") < LEVELS_OF_A_SYSTEM:
            return str(SystemName.parse(text)), ""
        found = DatastreamName.parse(text)
    except InvalidNameError as error:
        raise FormError({"resource": f"This names no system and no Datastream: {error}"}) from error
    return str(found.system), str(found)


async def readers_of(session: AsyncSession, user: User, resource: str, runner: StreamRunner) -> Readers:
    """Return everybody who may read a system's records or one Datastream.

    Args:
        session: the database.
        user: who asks.
        resource: full name of a system or of a Datastream.
        runner: what runs.

    Raises:
        FormError: it names neither a system nor a Datastream.
        NotFoundError: the person does not see the system.
        RunnerError: the runner's files cannot be read.
    """
    name, datastream = subject_of(resource)
    system = await systems.see_system(session, user, name)
    agreed = [
        view
        for view in await contracts.list_of_system(session, user, system)
        if view.is_active and view.contract.provider == name and _gives(view, datastream)
    ]
    apps = await streams.list_of_system(session, user, system, runner)
    items = await _people(session, system)
    items += await _clients(session, system)
    reading = [view for view in apps if name in view.permission.sources and view.permission.permitted]
    ids = [terms.id for view in reading for terms in view.permission.terms]
    known = await contracts.titles_of(session, user, ids)
    items += [_app(view, name, known) for view in reading]
    items += [_consumer(view, apps) for view in agreed]
    return Readers(name, datastream, [*items, *_services()])


def _gives(view: ContractView, datastream: str) -> bool:
    version = view.in_force
    return version is not None and (
        not datastream or not version.datastreams or datastream in version.datastreams
    )


async def _people(session: AsyncSession, system: System) -> list[Reader]:
    giver, person = aliased(User), aliased(User)
    statement = (
        select(person.email, SystemMember.role, SystemMember.added_at, giver.email)
        .join(person, person.id == SystemMember.user_id)
        .join(giver, giver.id == SystemMember.added_by)
        .where(SystemMember.system_id == system.id)
        .order_by(SystemMember.role, person.email)
    )
    found = []
    for email, role, added_at, by in (await session.execute(statement)).all():
        given = "" if by == email else f", given by {by}"
        because = Clause(
            f"is {role} of {system.name}{given} {day(added_at)}", "role", f"/systems/{system.name}"
        )
        found.append(Reader(ReaderKind.PERSON, email, (because,)))
    return found


async def _clients(session: AsyncSession, system: System) -> list[Reader]:
    statement = select(ClientApp.name).where(ClientApp.system_id == system.id).order_by(ClientApp.name)
    topics = SystemName.parse(system.name).topics
    found = []
    for name in (await session.scalars(statement)).all():
        page = f"/systems/{system.name}/clients/{name}"
        because = (
            Clause(f"is a client app of {system.name}", "client", page),
            Clause(f"so the broker lets it read {topics.internal}", "rule"),
        )
        identity = Identity(Kind.CLIENT, f"{system.name}.{name}")
        found.append(Reader(ReaderKind.CLIENT, identity.principal, because))
    return found


def _app(view: AppView, provider: str, known: Mapping[str, ContractTitle]) -> Reader:
    permission = view.permission
    titles = titles_of_terms(permission.terms, view.target, known)
    because = [
        Clause(f"is a stream app of {view.source} that writes to {view.target}", "app", view.url),
        *(_named(one) for one in titles if one.provider == provider),
        Clause(f"so the broker lets it read {SystemName.parse(provider).topics.internal}", "rule"),
    ]
    name = Identity(Kind.APP, permission.app_id).principal
    return Reader(ReaderKind.APP, name, tuple(because), f"what its statement lets pass: {view.app.statement}")


def _named(title: ContractTitle) -> Clause:
    return Clause(f"contract {title.named} is in force", "contract", title.url)


def _consumer(view: ContractView, apps: list[AppView]) -> Reader:
    """Tell what a contract lets leave, and whether an app carries it."""
    version, contract = view.shown if view.in_force is None else view.in_force, view.contract
    signed = [one.email for side in (PROVIDER, CONSUMER) if (one := view.signature(version, side))]
    by = f"contract {view.title.named}, version {version.number}, signed by {' and '.join(signed)}"
    carriers = [
        app
        for app in apps
        if app.target == contract.consumer and any(terms.id == contract.id for terms in app.permission.terms)
    ]
    because = [Clause(by, "contract", view.url)]
    because += [Clause(f"{app.app.name} carries the records", "app", app.url) for app in carriers]
    if not carriers:
        because.append(Clause("no stream app carries anything yet", "app"))
    limits = [f"where {version.predicate}"] if version.predicate else []
    if version.fields:
        limits.append(f"with the attributes {', '.join(version.fields)}")
    if version.datastreams:
        limits.append(f"of {len(version.datastreams)} Datastreams")
    if version.ends_at is not None:
        limits.append(f"until {format_time(version.ends_at)}")
    return Reader(ReaderKind.SYSTEM, contract.consumer, tuple(because), "; ".join(limits))


def _services() -> list[Reader]:
    """Name the platform's own services: they read or hold every system's records, as access rules say."""
    return [
        Reader(
            ReaderKind.SERVICE,
            service.principal,
            (Clause(f"serves all systems: it {_SERVES[service]}", "rule"),),
        )
        for service in SERVICES
    ]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something that a question may be about.

    Attributes:
        value: As it is written into a question.
        label: What it is, in words.
    """

    value: str
    label: str


async def suggest(session: AsyncSession, user: User, q: str, most: int = 20) -> list[Suggestion]:
    """Return for whom a person may ask: themselves, what they operate, and who receives from or as a system.

    Args:
        session: the database.
        user: who asks.
        q: a part of the name; empty for any.
        most: so many of each kind at most [1].
    """
    own = [Suggestion(user.email, "you")] if q.lower() in user.email.lower() else []
    seen = select(SystemMember.system_id, SystemMember.role).where(SystemMember.user_id == user.id)
    parts: dict[uuid.UUID, str] = {row[0]: row[1] for row in (await session.execute(seen)).all()}
    operated = [one for one, role in parts.items() if role == "agent"]
    full = System.name + "." + ClientApp.name
    clients = (
        select(full)
        .select_from(ClientApp)
        .join(System, System.id == ClientApp.system_id)
        .where(ClientApp.system_id.in_(operated), full.icontains(q, autoescape=True))
        .order_by(full)
        .limit(most)
    )
    named = System.name + "." + StreamApp.name
    apps = (
        select(named)
        .select_from(StreamApp)
        .join(System, System.id == StreamApp.system_id)
        .where(StreamApp.system_id.in_(operated), named.icontains(q, autoescape=True))
        .order_by(named)
        .limit(most)
    )
    seen_ids = list(parts)
    agreed = select(Contract.consumer_id).where(Contract.provider_id.in_(seen_ids), Contract.state == ACTIVE)
    names = (
        select(System.name)
        .where(System.id.in_(seen_ids) | System.id.in_(agreed), System.name.icontains(q, autoescape=True))
        .order_by(System.name)
        .limit(most)
    )
    found = own
    for statement, prefix, label in (
        (names, "", "system that receives"),
        (clients, f"{Kind.CLIENT}.", "client app"),
        (apps, f"{Kind.APP}.", "stream app"),
    ):
        rows = (await session.scalars(statement)).all()
        found += [Suggestion(f"{prefix}{row}", label) for row in rows]
    return found
