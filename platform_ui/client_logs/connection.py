"""Whether a client app has arrived: its newest record, and what to check while there is none.

What lives here: finding its newest record, and the checks. What does not: which records count as its own
(``ownership``), the lines that send a first record (``platform_ui.clients.snippets``).

The checks are what the platform sees by itself, in the order in which a record passes them. They are asked
for only as long as no record has arrived.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import InvalidTimeError
from client.messaging.records import HEADER_ERROR, HEADER_ERROR_DETAIL
from client.metadata.times import parse_time
from platform_ui.access.port import client_principal
from platform_ui.accounts.models import User
from platform_ui.acls.compiling import client_entries
from platform_ui.acls.entries import DENY
from platform_ui.client_logs import service
from platform_ui.client_logs.access import Ports
from platform_ui.client_logs.ownership import Asked, owned
from platform_ui.client_logs.reading import Lookback
from platform_ui.client_logs.reports import ClientState, Standing, read_report
from platform_ui.clients import service as clients
from platform_ui.clients.models import ClientApp
from platform_ui.clients.starter import datastream_names
from platform_ui.credentials import register
from platform_ui.credentials.models import Credential, IssuedCertificate
from platform_ui.db import now
from platform_ui.errors import BrokerError, MetadataError
from platform_ui.pki.names import Identity, Kind
from platform_ui.systems.models import System
from platform_ui.systems.records import TopicRecord
from platform_ui.systems.sight import Sight, see

MOST_RECORDS: Final = 2_000
MOST_LETTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Certificates:
    """What is known of a client app's certificates.

    Attributes:
        identity: Who it is for Kafka at present.
        is_blocked: Whether it may do nothing.
        until: When the last one that counts ends; nothing when none counts.
        newest: The newest that counts.
    """

    identity: Identity
    is_blocked: bool = False
    until: datetime | None = None
    newest: IssuedCertificate | None = None


@dataclass(frozen=True, slots=True)
class ClientStanding:
    """The head of a client app's page.

    Attributes:
        state: What follows from its reports.
        certificates: What is known of its certificates.
    """

    state: ClientState
    certificates: Certificates


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to hold before a record arrives.

    Attributes:
        title: What was looked at.
        is_good: Whether it holds; nothing when it cannot be told.
        detail: What was seen.
        step: What to do about it, with `link`; empty when it holds.
        link: Page where it is done; empty when there is none.
    """

    title: str
    is_good: bool | None
    detail: str
    step: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record of a client app.

    Attributes:
        record: As a person sees it.
        unit: Its unit, as far as it is known.
        observed_at: Its phenomenon time; nothing when it holds none that can be read.
        at: When Kafka got it.
    """

    record: Sight
    unit: str
    observed_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Connection:
    """Whether a client app has arrived.

    Attributes:
        client: The client app.
        system: Its system.
        arrival: Its newest record; nothing when none was found.
        checks: What to check while there is none.
        datastreams: Full names of the Datastreams by which its records are told.
        problem: Why nothing could be read; empty when it could.
        is_heard: Whether the program itself was heard lately.
    """

    client: ClientApp
    system: System
    arrival: Arrival | None
    checks: tuple[Check, ...]
    datastreams: tuple[str, ...]
    problem: str = ""
    is_heard: bool = False


async def standing(
    session: AsyncSession, user: User, system_name: str, name: str, ports: Ports
) -> tuple[ClientApp, System, ClientStanding]:
    """Return how a client app stands: its state, and its certificates.

    Raises:
        NotFoundError: it is not there, or the person has no part in the system.
    """
    client, system, state = await service.state_of_client(session, user, system_name, name, ports.topics)
    return client, system, ClientStanding(state, await _certificates(session, system, client))


async def connection(
    session: AsyncSession, user: User, system_name: str, name: str, ports: Ports
) -> Connection:
    """Return whether a client app has arrived, and otherwise what to check.

    Raises:
        NotFoundError: it is not there, or the person has no part in the system.
    """
    client, system = await clients.see_client(session, user, system_name, name)
    certificates = await _certificates(session, system, client)
    own = datastream_names(system.name, client.name)
    others = {one.name for one in await clients.list_of_system(session, system)} - {client.name}
    await session.commit()  # reading takes its time; the connection goes back to the pool
    try:
        log, records, letters = await _look(ports, system)
    except BrokerError as error:
        return Connection(client, system, None, (_certified(certificates, client, system),), (), error.detail)
    state = service.state_in(log, client.name, now())
    asked = Asked(
        system.name,
        client.name,
        client.created_at,
        frozenset(others),
        own | state.datastreams,
        has_said=bool(state.datastreams),
    )
    found = owned(records.records, map(read_report, log.records), asked)
    arrival = await _arrival(found.records, ports, system)
    listed = tuple(sorted(found.names))
    if arrival is not None:
        return Connection(client, system, arrival, (), listed)
    checks = (
        _certified(certificates, client, system),
        await _ruled(certificates, client, system, ports),
        await _known_to_sensorthings(client, system, ports),
        _heard(state),
        _registered(state),
        _refused(_of(letters, found.names)),
        *_nobodys(found.nobodys, system),
        Check(
            f"A record in {system.system_name.topics.internal}",
            is_good=False,
            detail=f"none of its Datastreams among the last {len(records.records)} records",
        ),
    )
    is_heard = state.standing is Standing.CONNECTED
    return Connection(client, system, None, checks, listed, is_heard=is_heard)


async def _certificates(session: AsyncSession, system: System, client: ClientApp) -> Certificates:
    full_name = f"{system.name}.{client.name}"
    credential = await register.find(session, Kind.CLIENT, full_name)
    if credential is None:
        return Certificates(Identity(Kind.CLIENT, full_name))
    counting = [
        one for one in await register.certificates_of(session, credential) if _counts(one, credential)
    ]
    newest = max(counting, key=lambda one: one.issued_at, default=None)
    until = max((one.not_after for one in counting), default=None)
    return Certificates(credential.identity, credential.blocked_at is not None, until, newest)


def _counts(certificate: IssuedCertificate, credential: Credential) -> bool:
    is_current = certificate.epoch == credential.epoch and certificate.revoked_at is None
    return is_current and certificate.not_after > now()


async def _look(ports: Ports, system: System) -> tuple[Lookback, Lookback, Lookback]:
    if ports.topics is None:
        raise BrokerError("This platform runs without a broker.")
    topics = system.system_name.topics
    log, records, letters = await asyncio.gather(
        ports.topics.last(topics.log),
        ports.topics.last(topics.internal, MOST_RECORDS),
        ports.topics.last(topics.dead_letters, MOST_LETTERS),
    )
    return log, records, letters


def _of(found: Lookback, names: Iterable[str]) -> list[TopicRecord]:
    keys = {name.encode() for name in names}
    return [record for record in found.records if record.key in keys]


async def _arrival(records: Sequence[TopicRecord], ports: Ports, system: System) -> Arrival | None:
    if not records:
        return None
    newest = records[-1]
    sight = see(
        tab="int",
        topic=newest.topic,
        partition=newest.partition,
        offset=newest.offset,
        timestamp_ms=newest.timestamp_ms,
        key=newest.key,
        value=newest.value,
        headers=newest.headers,
    )
    await ports.units.resolve([sight.name], system.name)
    unit = ports.units.known(sight.name, system.name) or ""
    return Arrival(sight, unit, _observed_at(sight.time), newest.at)


def _observed_at(text: str) -> datetime | None:
    try:
        return parse_time(text, now=now)
    except (InvalidTimeError, OverflowError):
        return None


def _page(client: ClientApp, system: System, part: str) -> str:
    return f"/systems/{system.name}/clients/{client.name}/{part}"


def _certified(certificates: Certificates, client: ClientApp, system: System) -> Check:
    title, link = "Its certificate", _page(client, system, "credentials")
    if certificates.is_blocked:
        return Check(title, is_good=False, detail="the client app is blocked", step="Unblock it", link=link)
    if certificates.newest is None:
        return Check(title, is_good=False, detail="none that counts", step="Download the archive", link=link)
    how = {"archive": "downloaded in an archive", "csr": "signed for a key of its own"}
    origin = certificates.newest.origin
    by = how.get(origin, "fetched by the device itself")
    return Check(
        title, is_good=True, detail=f"issued {certificates.newest.issued_at:%Y-%m-%d %H:%M:%S} UTC, {by}"
    )


async def _ruled(certificates: Certificates, client: ClientApp, system: System, ports: Ports) -> Check:
    title = "Kafka's access rules for it"
    if ports.acls is None:
        return Check(title, is_good=None, detail="this platform does not keep them")
    principal = certificates.identity.principal
    try:
        present = await asyncio.to_thread(ports.acls.describe, principal)
    except BrokerError as error:
        return Check(title, is_good=None, detail=error.detail)
    missing = [entry for entry in client_entries(principal, system.name, client.name) if entry not in present]
    if any(entry.permission == DENY for entry in present):
        return Check(
            title, is_good=False, detail=f"{principal} is refused everything", step="Ask why", link="/explain"
        )
    if missing:
        detail = f"{len(missing)} of them are not at the broker yet; they follow the certificate"
        return Check(title, is_good=False, detail=detail, step="Wait some seconds")
    return Check(title, is_good=True, detail=f"{principal} may write {system.system_name.topics.internal}")


async def _known_to_sensorthings(client: ClientApp, system: System, ports: Ports) -> Check:
    title, link = "Its token for SensorThings", _page(client, system, "tokens")
    access = ports.access
    if access is None:
        return Check(title, is_good=None, detail="this platform does not administer them")
    principal = client_principal(system.name, client.name)
    try:
        known = await asyncio.to_thread(access.principals)
        tokens = await asyncio.to_thread(access.tokens, principal) if principal in known else []
    except MetadataError as error:
        return Check(title, is_good=None, detail=error.detail)
    counting = [one for one in tokens if one.revoked is None and (one.expires is None or one.expires > now())]
    if not counting:
        detail = "none that counts; the archive holds one"
        return Check(title, is_good=False, detail=detail, step="Create a token", link=link)
    number = len(counting)
    return Check(title, is_good=True, detail=f"{number} that count{'s' if number == 1 else ''}")


def _heard(state: ClientState) -> Check:
    title = "A word of the program"
    if state.last_heard is None:
        return Check(
            title,
            is_good=False,
            detail=f"{state.standing}: it has not reached Kafka",
            step="Run the lines above, and read what they print. By curl there is no word: only the record",
        )
    words = f"{state.standing}; last heard {state.last_heard:%Y-%m-%d %H:%M:%S} UTC"
    if state.clock_words:
        words += f"; {state.clock_words}"
    return Check(title, is_good=state.standing is not Standing.SILENT, detail=words)


def _registered(state: ClientState) -> Check:
    title = "What it measures"
    if state.datastreams:
        number = len(state.datastreams)
        return Check(
            title, is_good=True, detail=f"{number} Datastream{'s' if number != 1 else ''} registered"
        )
    detail = "it has not said which Datastreams it writes"
    if state.last_heard is None:
        return Check(title, is_good=None, detail=detail)
    step = (
        "The program calls register() before produce(); devices that speak only MQTT or HTTP do not report "
        "it: see the live records of the system"
    )
    return Check(title, is_good=False, detail=detail, step=step)


def _nobodys(records: Sequence[TopicRecord], system: System) -> list[Check]:
    if not records:
        return []
    newest = records[-1]
    name = (newest.key or b"").decode("utf-8", "replace").removeprefix(f"{system.name}.")
    detail = (
        f"{len(records)} that this or another client app has sent; the newest: {name[:200]}, "
        f"{newest.at:%Y-%m-%d %H:%M:%S} UTC"
    )
    step = (
        "Devices that speak only MQTT or HTTP do not say what they write: a Thing with the name of the "
        "client app shows whose its records are"
    )
    return [Check("Records that nobody claims", is_good=None, detail=detail, step=step)]


def _refused(letters: list[TopicRecord]) -> Check:
    title = "Records that could not be used"
    if not letters:
        return Check(title, is_good=True, detail="none of it in the dead letters")
    headers = dict(letters[-1].headers)
    reason = (headers.get(HEADER_ERROR) or b"").decode("utf-8", "replace")
    more = (headers.get(HEADER_ERROR_DETAIL) or b"").decode("utf-8", "replace")[:200]
    detail = f"{len(letters)} among the dead letters; the newest: {reason} {more}".rstrip()
    return Check(title, is_good=False, detail=detail, step="Correct what the program sends")
