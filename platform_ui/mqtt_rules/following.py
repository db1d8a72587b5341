"""Following the registry: rules at once, and again after each change.

What lives here: when the registry is read, and who is told. What does not: reading (`reading`, `streams`),
what somebody does with the rules (a broker in Python; `files` for Mosquitto).

A change is told by the database with its commit (`platform_ui.changes`), and looked for now and then. When
the database does not answer, the rules stay as they are, and the log says so.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx2
from sqlalchemy.exc import SQLAlchemyError

from adapters.mqtt.rules.access import Known, Rules, compile_rules
from client.metadata.token import token_from_environment
from platform_ui import db
from platform_ui.changes import Bell, ring_for_others
from platform_ui.mqtt_rules.reading import Participants, read_participants
from platform_ui.mqtt_rules.streams import SETS, StreamDirectory
from platform_ui.setting_values import secret_of
from platform_ui.settings import database_url

_log = logging.getLogger(__name__)

LOOK_PERIOD_S: Final = 30.0
RETRY_S: Final = 2.0
STREAMS_PERIOD_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to read.

    Attributes:
        database_url: The platform's database.
        sensorthings_url: The SensorThings service; empty for none: then no topic that holds an id is allowed.
        sensorthings_token: Its admin token; empty where everybody may read.
    """

    database_url: str = field(repr=False)
    sensorthings_url: str = ""
    sensorthings_token: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Sources":
        """Read them.

        Raises:
            ConfigurationError: The database is not named, or a file cannot be read.
        """
        source = os.environ if environment is None else environment
        token = token_from_environment(source) or secret_of(source, "DTWIN_SENSORTHINGS__TOKEN")
        return cls(database_url(source), source.get("DTWIN_SENSORTHINGS__URL", "").strip(), token)


@dataclass(frozen=True, slots=True)
class State:
    """What is registered at one time.

    Attributes:
        known: What the rules depend on.
        participants: The same with revoked certificates.
    """

    known: Known
    participants: Participants

    @property
    def rules(self) -> Rules:
        """The rules that follow."""
        return compile_rules(self.known)


async def follow_rules(apply: Callable[[Rules], None]) -> None:
    """Call back with the rules at once and after each change, until cancelled.

    Args:
        apply: Called in this event loop.

    Raises:
        ConfigurationError: The environment does not say where to read.
    """
    async for state in follow(Sources.from_environment()):
        apply(state.rules)


async def read_once(sources: Sources) -> State:
    """Read what is registered now.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: What the database says.
        httpx2.HTTPError: The SensorThings service does not answer, or refuses.
    """
    directory = _directory(sources)
    engine = db.create_engine(sources.database_url)
    try:
        if directory is not None:
            await directory.refresh()
        async with db.create_sessions(engine)() as session:
            return _state(await read_participants(session), directory)
    finally:
        await engine.dispose()
        if directory is not None:
            await directory.close()


async def follow(sources: Sources) -> AsyncIterator[State]:
    """Give what is registered at once and after each change, until closed.

    Args:
        sources: Where to read.
    """
    bell, directory = Bell(), _directory(sources)
    engine = db.create_engine(sources.database_url)
    sessions = db.create_sessions(engine)
    tasks = [asyncio.create_task(ring_for_others(sources.database_url, [bell]))]
    if directory is not None:
        tasks.append(asyncio.create_task(_watch(directory, bell)))
    last: State | None = None
    try:
        while True:
            wait_s = LOOK_PERIOD_S
            try:
                async with sessions() as session:
                    state = _state(await read_participants(session), directory)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("the rules of MQTT stay as they are, the registry cannot be read: %s", error)
                wait_s = RETRY_S
            else:
                if state != last:
                    last = state
                    yield state
            await bell.wait(wait_s)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.dispose()
        if directory is not None:
            await directory.close()


def _directory(sources: Sources) -> StreamDirectory | None:
    url = sources.sensorthings_url
    return StreamDirectory(url, sources.sensorthings_token) if url else None


def _state(participants: Participants, directory: StreamDirectory | None) -> State:
    singles, multiples = (directory.known[one] if directory is not None else {} for one in SETS)
    known = Known(participants.members, participants.bridges, singles, multiples)
    return State(known, participants)


async def _watch(directory: StreamDirectory, bell: Bell) -> None:
    is_told = False
    while True:
        try:
            if await directory.refresh():
                bell.ring()
            is_told = False
        except (httpx2.HTTPError, ValueError) as error:
            if not is_told:
                _log.warning("new Datastreams are not known to MQTT: %s", error)
            is_told = True
        await asyncio.sleep(STREAMS_PERIOD_S)
