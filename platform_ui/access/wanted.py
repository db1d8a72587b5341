"""What should be at the SensorThings service, by what the platform knows.

What lives here: the principals of people, client apps and systems, and what running stream apps share. What
does not: bringing it there (``keeper``).

- A person, by e-mail address: reads the systems in which they have a part, and writes those of which they are
  an agent.
- A client app, ``<system>.<client>``: reads and writes its system; of its certificates those of the current
  epoch count, so that a revocation refuses the earlier ones. While it is blocked it has no system.
- A system, by its name: what the platform does for the system itself, such as registering what a stream app
  computes into it.
- A stream app, ``app:<source system>.<name>``, as long as it is meant to run: without any rights. Those who
  keep last values of what it brings, such as the bridge to MQTT, learn by it that the app has ended.
- A stream app that passes records on inside one company shares the Datastreams they belong to with its
  target, as long as it is meant to run: an agent of the source made it, and who gets records must be able to
  know what they mean.
- A contract shares its Datastreams with the consumer as long as it is in force, whatever apps run; with their
  Observations when it lets all of them leave whole, else the store would tell what the contract keeps back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from client.errors import InvalidNameError
from client.messaging.topics import SystemName
from platform_ui.access.port import Grant, Rights, Share, client_principal, own_rights
from platform_ui.accounts.models import User
from platform_ui.clients.models import ClientApp
from platform_ui.contracts.service import is_needed
from platform_ui.contracts.views import InForce
from platform_ui.credentials.models import Credential
from platform_ui.pki.names import Kind
from platform_ui.streams.models import StreamApp
from platform_ui.streams.statements import ANY_SYSTEM
from platform_ui.systems.models import System, SystemMember, SystemRole
from streamhub.errors import QueryError
from streamhub.query import Derivation, compile_statement
from streamhub.query.quantities import datastreams_of

SHARE_PREFIX = "app:"
CONTRACT_PREFIX = "contract:"
_LEVELS = (4, 5)


@dataclass(frozen=True, slots=True)
class Flow:
    """A stream app, as far as sharing depends on it.

    Attributes:
        app_id: Its name to the runner.
        source: System whose app it is.
        target: System that receives.
        statement: What it passes on.
    """

    app_id: str
    source: str
    target: str
    statement: str


async def wanted_principals(session: AsyncSession) -> dict[str, Rights]:
    """Give the principals that should be there, by name."""
    names = (await session.scalars(select(System.name))).all()
    wanted = {name: own_rights(name) for name in names}
    credentials = await _credentials_of_clients(session)
    clients = select(System.name, ClientApp.name).join(ClientApp, ClientApp.system_id == System.id)
    for system, client in (await session.execute(clients)).all():
        name = client_principal(system, client)
        wanted[name] = _rights_of_client(system, credentials.get(name))
    people = (
        select(User.email, System.name, SystemMember.role)
        .outerjoin(SystemMember, SystemMember.user_id == User.id)
        .outerjoin(System, System.id == SystemMember.system_id)
        .where(User.disabled_at.is_(None))
    )
    parts: dict[str, dict[str, bool]] = {}
    for email, system, role in (await session.execute(people)).all():
        parts.setdefault(email, {}).update({system: role == SystemRole.AGENT} if system else {})
    return wanted | {email: _rights_of_person(systems) for email, systems in parts.items()}


async def client_rights(session: AsyncSession, system: str, client: str) -> Rights:
    """Give the rights of one client app."""
    credential = await session.get(Credential, (Kind.CLIENT, client_principal(system, client)))
    return _rights_of_client(system, credential)


def _rights_of_client(system: str, credential: Credential | None) -> Rights:
    if credential is None:
        return own_rights(system)
    if credential.blocked_at is not None:  # its tokens stay, for the day on which it is let go on
        return Rights(None, (), certificate=credential.identity.uid)
    return own_rights(system, credential.identity.uid)


async def _credentials_of_clients(session: AsyncSession) -> dict[str, Credential]:
    credentials = await session.scalars(select(Credential).where(Credential.kind == Kind.CLIENT))
    return {one.name: one for one in credentials}


def _rights_of_person(systems: Mapping[str, bool]) -> Rights:
    """Give the rights that follow from the systems of a person, each with whether they write there."""
    operated = [system for system, writes in systems.items() if writes]
    home = operated[0] if len(operated) == 1 else None
    return Rights(home, tuple(Grant(system, write=systems[system]) for system in sorted(systems)))


def wanted_apps(running: Iterable[str]) -> dict[str, Rights]:
    """Give the principals of the stream apps that are meant to run, by name."""
    return {f"{SHARE_PREFIX}{app_id}": Rights(None, ()) for app_id in running}


def is_ours(name: str) -> bool:
    """Tell whether a principal is one that the platform keeps: a person, a system or a client app."""
    if "@" in name:
        return True
    levels = name.split(".")
    if len(levels) not in _LEVELS:
        return False
    try:
        SystemName(*levels[:4])
    except InvalidNameError:
        return False
    return True


async def flows(session: AsyncSession) -> list[Flow]:
    """List the stream apps inside one company; whether they run, the runner knows."""
    source, target = aliased(System), aliased(System)
    statement = (
        select(source.name, StreamApp.name, target.name, StreamApp.statement)
        .join(source, source.id == StreamApp.system_id)
        .join(target, target.id == StreamApp.target_system_id)
    )
    rows = (await session.execute(statement)).all()
    return [
        Flow(f"{reads}.{name}", reads, writes, text)
        for reads, name, writes, text in rows
        if not is_needed(reads, writes)
    ]


def contract_share(contract: InForce, known: Mapping[str, int]) -> Share | None:
    """Give what a contract shares; nothing as long as none of its Datastreams is there.

    Args:
        contract: one that is in force.
        known: the provider's Datastreams, id by full name.
    """
    terms = contract.terms
    wanted = terms.datastreams or tuple(known)
    ids = tuple(sorted(known[name] for name in wanted if name in known))
    if not ids:
        return None
    is_whole = not terms.predicate.strip() and not terms.fields
    return Share(contract.consumer, ids, is_whole, contract.starts_at if is_whole else None)


def passed_systems(flow: Flow) -> tuple[str, ...]:
    """List the systems whose records an app passes on as they are; none when it computes others."""
    try:
        compiled = compile_statement(flow.statement)
    except QueryError:  # stored by an older version of the language
        return ()
    if isinstance(compiled, Derivation):
        return ()
    return tuple(dict.fromkeys(flow.source if one == ANY_SYSTEM else one for one in compiled.sources))


def passed_datastreams(flow: Flow, names: Iterable[str]) -> list[str]:
    """List the Datastreams whose records an app may pass on, out of those of its sources."""
    tree = compile_statement(flow.statement).tree
    systems = tuple(f"{system}." for system in passed_systems(flow))
    known = [name for name in names if name.startswith(systems)]
    return sorted({name for source in tree.streams for name in datastreams_of(tree, source, known)})
