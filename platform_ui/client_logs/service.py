"""Who may see what client apps report, and what they see of it: log lines, states.

What lives here: the rules; agents and viewers of a system see all of its reports. What does not: reading them
(``reading``), what they mean (``reports``), whether a new client app has arrived (``connection``).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.client_logs.reading import Lookback, RememberingReader
from platform_ui.client_logs.reports import (
    ClientState,
    Report,
    Standing,
    Wanted,
    chosen,
    read_report,
    state_of,
)
from platform_ui.clients import service as clients
from platform_ui.clients.models import ClientApp
from platform_ui.db import now
from platform_ui.errors import BrokerError
from platform_ui.systems import service as systems
from platform_ui.systems.models import System

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Reports as they are shown.

    Attributes:
        reports: Those that are wanted, the newest first.
        is_cut: Whether there are more that are wanted than are shown.
        looked_at: Records that were looked at [1].
        looked_back_to: Time of the oldest of them; nothing when there was none.
        is_whole: Whether the topic holds no older ones.
        problem: Why nothing could be read; empty when it could.
    """

    reports: Sequence[Report] = ()
    is_cut: bool = False
    looked_at: int = 0
    looked_back_to: datetime | None = None
    is_whole: bool = True
    problem: str = ""


async def reports_of(
    session: AsyncSession,
    user: User,
    system_name: str,
    wanted: Wanted,
    topics: RememberingReader | None,
    *,
    most: int = MOST_SHOWN,
) -> tuple[System, ReportPage]:
    """Return what the client apps of a system reported.

    Args:
        session: the database.
        user: who asks.
        system_name: full name of the system.
        wanted: which reports; naming a client app, it must be there.
        topics: reads the log topic.
        most: at most so many reports, the newest.

    Raises:
        NotFoundError: the system or client app is not there, or the person has no part in the system.
    """
    if wanted.client:
        _, system = await clients.see_client(session, user, system_name, wanted.client)
    else:
        system = await systems.see_system(session, user, system_name)
    await session.commit()  # reading takes its time; the connection goes back to the pool
    try:
        found = await look_back(topics, system)
    except BrokerError as error:
        return system, ReportPage(problem=error.detail)
    reports = chosen(map(read_report, found.records), wanted)
    oldest = found.records[0].at if found.records else None
    return system, ReportPage(
        reports[:most], len(reports) > most, len(found.records), oldest, found.is_whole and found.is_complete
    )


async def state_of_client(
    session: AsyncSession, user: User, system_name: str, name: str, topics: RememberingReader | None
) -> tuple[ClientApp, System, ClientState]:
    """Return how a client app stands, as far as it tells.

    Raises:
        NotFoundError: it is not there, or the person has no part in the system.
    """
    client, system = await clients.see_client(session, user, system_name, name)
    await session.commit()
    return client, system, await reported_state(topics, system, client.name)


async def reported_state(topics: RememberingReader | None, system: System, name: str) -> ClientState:
    """Return how a client app stands; not known when the broker does not answer."""
    try:
        found = await look_back(topics, system)
    except BrokerError:
        return ClientState(Standing.UNKNOWN)
    return state_in(found, name, now())


async def reported_states(
    topics: RememberingReader | None, system: System, names: Collection[str]
) -> Mapping[str, ClientState]:
    """Return how client apps of one system stand, by their names: one look at its log topic serves all.

    They are not known when the broker does not answer.
    """
    try:
        found = await look_back(topics, system)
    except BrokerError:
        return dict.fromkeys(names, ClientState(Standing.UNKNOWN))
    return states_in(found, names, now())


def state_in(found: Lookback, name: str, present: datetime) -> ClientState:
    """Return how a client app stands by what was found in its log topic."""
    return states_in(found, (name,), present)[name]


def states_in(found: Lookback, names: Collection[str], present: datetime) -> Mapping[str, ClientState]:
    """Return how client apps stand by what was found in their log topic; each record is read once."""
    reports = defaultdict[str, list[Report]](list)
    for report in map(read_report, found.records):
        reports[report.client].append(report)
    return {
        name: state_of(
            reports[name],
            name,
            present,
            is_whole=found.is_whole and found.is_complete,
            looked_back_to=found.records[0].at if found.records else None,
        )
        for name in names
    }


async def look_back(topics: RememberingReader | None, system: System) -> Lookback:
    """Read the log topic of a system back from its end.

    Raises:
        BrokerError: the broker does not give it.
    """
    if topics is None:
        raise BrokerError("This platform runs without a broker.")
    return await topics.last(system.system_name.topics.log)
