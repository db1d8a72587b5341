"""What should be at the SensorThings service, by what the platform knows.

What lives here: the principals of people, client apps and systems, and what running stream apps share. What
does not: bringing it there (``keeper``).

- A person, by e-mail address: reads and writes the systems of which they are an agent.
- A client app, ``<system>.<client>``: reads and writes its system.
- A system, by its name: what the platform does for the system itself, such as registering what a stream app
  computes into it.
- A stream app that passes records on shares the Datastreams they belong to with its target, as long as it is
  meant to run: an agent of the source made it, and who gets records must be able to know what they mean.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from client.errors import InvalidNameError
from client.messaging.topics import SystemName
from platform_ui.access.port import Grant, Rights, client_principal, own_rights
from platform_ui.accounts.models import User
from platform_ui.clients.models import ClientApp
from platform_ui.streams.models import StreamApp
from platform_ui.streams.statements import ANY_SYSTEM
from platform_ui.systems.models import System, SystemAgent
from streamhub.errors import QueryError
from streamhub.query import Derivation, compile_statement
from streamhub.query.quantities import datastreams_of

SHARE_PREFIX = "app:"
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
    clients = select(System.name, ClientApp.name).join(ClientApp, ClientApp.system_id == System.id)
    for system, client in (await session.execute(clients)).all():
        wanted[client_principal(system, client)] = own_rights(system)
    people = (
        select(User.email, System.name)
        .outerjoin(SystemAgent, SystemAgent.user_id == User.id)
        .outerjoin(System, System.id == SystemAgent.system_id)
    )
    operated: dict[str, list[str]] = {}
    for row in (await session.execute(people)).all():
        operated.setdefault(row[0], []).extend(row[1:] if row[1] else ())
    return wanted | {email: _rights_of_person(systems) for email, systems in operated.items()}


def _rights_of_person(systems: Sequence[str]) -> Rights:
    home = systems[0] if len(systems) == 1 else None
    return Rights(home, tuple(Grant(system, write=True) for system in sorted(systems)))


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
    """List all stream apps; whether they run, the runner knows."""
    source, target = aliased(System), aliased(System)
    statement = (
        select(source.name, StreamApp.name, target.name, StreamApp.statement)
        .join(source, source.id == StreamApp.system_id)
        .join(target, target.id == StreamApp.target_system_id)
    )
    rows = (await session.execute(statement)).all()
    return [Flow(f"{reads}.{name}", reads, writes, text) for reads, name, writes, text in rows]


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
