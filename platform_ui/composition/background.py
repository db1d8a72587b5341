"""What runs as long as the site does, and what is closed when it ends.

What lives here: starting and ending the work in the background. What does not: that work (each domain's
keepers), and what it needs (``ports``).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from platform_ui.broker import TopicAdministrator
from platform_ui.changes import ring_for_others
from platform_ui.db import Sessions
from platform_ui.errors import PlatformError
from platform_ui.operations.first_run import announce
from platform_ui.settings import PlatformSettings
from platform_ui.streams import service as streams
from platform_ui.streams.ports import StreamPorts
from platform_ui.systems import service as systems

_log = logging.getLogger(__name__)

RECONCILE_RETRY_S = 5.0
MOST_WAITING = 64  # threads; they wait for Kafka, files and other services, and take no processor


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start what runs in the background, and end it with the site."""
    settings: PlatformSettings = app.state.settings
    make_room_for_waiting()
    await announce(
        app.state.first_run, app.state.sessions, settings.url or f"http://{settings.host}:{settings.port}"
    )
    tasks = [
        asyncio.create_task(_reconcile(app.state.sessions, app.state.topics, app.state.stream_ports)),
        asyncio.create_task(app.state.enforcement.run()),
    ]
    database_url = app.state.settings.database_url
    tasks.append(asyncio.create_task(ring_for_others(database_url, app.state.bells)))
    tasks.append(asyncio.create_task(app.state.audit_keeper.run()))
    tasks.append(asyncio.create_task(app.state.flows.run()))
    tasks.append(asyncio.create_task(app.state.figures.run()))
    if app.state.keeper is not None:
        tasks.append(asyncio.create_task(app.state.keeper.run()))
    if app.state.acl_keeper is not None:
        tasks.append(asyncio.create_task(app.state.acl_keeper.run()))
    for task in tasks:
        task.add_done_callback(tell_end)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if app.state.access is not None:
            app.state.access.close()
        app.state.audit_keeper.close()
        app.state.tails.stop()
        if app.state.client_reports is not None:
            app.state.client_reports.stop()
        if app.state.live_hub is not None:
            app.state.live_hub.stop()
        await app.state.units.close()
        await app.state.gateway.close()
        if app.state.schema_registry is not None:
            await app.state.schema_registry.close()
        app.state.metadata.close()
        await app.state.engine.dispose()


def make_room_for_waiting() -> None:
    """Let many blocking calls wait at a time: by itself Python lets six on two cores.

    Six people who look at records while Kafka is away would hold up every page that asks the runner.
    """
    room = ThreadPoolExecutor(MOST_WAITING, thread_name_prefix="waiting")
    asyncio.get_running_loop().set_default_executor(room)


def tell_end(task: asyncio.Task[None]) -> None:
    """Tell the operator of work in the background that has ended by a fault: nobody else would notice."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        _log.critical("work in the background has ended; start the platform again", exc_info=fault)


async def _reconcile(sessions: Sessions, topics: TopicAdministrator, ports: StreamPorts) -> None:
    """Mend systems that a crash left half-made and tell apps where Kafka is now, as soon as all answer."""
    while True:
        try:
            async with sessions() as session:
                await systems.reconcile(session, topics)
                moved = await streams.reconcile(session, ports)
        except (PlatformError, SQLAlchemyError) as error:
            _log.warning("systems and stream apps cannot be checked yet: %s", error)
            await asyncio.sleep(RECONCILE_RETRY_S)
        else:
            if moved:
                _log.warning("deployed again with the present settings: %s", ", ".join(moved))
            return
