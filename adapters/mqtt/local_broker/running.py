"""The process of the local broker: listening, following the rules, saving, ending in order.

What lives here: the tasks and their order. What does not: arguments (`__main__`), what the broker does
(`broker`), where rules come from: a function of another room, named by the settings.
"""

import asyncio
import importlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, cast

from adapters.mqtt.local_broker.broker import LocalBroker
from adapters.mqtt.local_broker.sessions import Sessions
from adapters.mqtt.local_broker.settings import BrokerSettings
from adapters.mqtt.local_broker.store import Store, document_of
from adapters.mqtt.rules.access import Rules
from client.errors import ConfigurationError

_log = logging.getLogger(__name__)

FollowRules = Callable[[Callable[[Rules], None]], Awaitable[None]]
"""Calls back with the rules at once and after each change, until cancelled."""
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


async def serve(settings: BrokerSettings, follow: FollowRules, stopped: asyncio.Event) -> None:
    """Run the broker until it is told to stop.

    Nobody may connect before the first rules are there: the listener opens after them.

    Args:
        settings: Addresses, certificates and limits.
        follow: Brings the rules.
        stopped: Set to end it in order.

    Raises:
        OSError: The port is taken, or certificates cannot be read.
    """
    sessions, store = Sessions(), Store(settings.data_folder)
    store.load(sessions, settings.queued_messages, settings.inflight_messages)
    broker = LocalBroker(settings, sessions)
    is_ready = asyncio.Event()

    def apply(rules: Rules) -> None:
        broker.apply(rules)
        is_ready.set()

    following = asyncio.ensure_future(follow(apply))
    saving = asyncio.create_task(_save_regularly(sessions, store, settings.save_every_s))
    try:
        await _first_of(following, is_ready.wait())
        await broker.start()
        _log.info("listening on %s:%d", settings.host, settings.port)
        await _first_of(following, stopped.wait())
    finally:
        for task in (following, saving):
            task.cancel()
        await asyncio.gather(following, saving, return_exceptions=True)
        await broker.close()
        store.save(document_of(sessions))


async def _first_of(following: asyncio.Future[None], other: Coroutine[Any, Any, object]) -> None:
    waiting: asyncio.Future[Any] = asyncio.create_task(other)
    either: set[asyncio.Future[Any]] = {following, waiting}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if following.done():
        following.result()


async def _save_regularly(sessions: Sessions, store: Store, every_s: float) -> None:
    saved = sessions.changes
    while True:
        await asyncio.sleep(every_s)
        sessions.expire(time.time())
        if sessions.changes == saved:
            continue
        saved, document = sessions.changes, document_of(sessions)
        try:
            await asyncio.to_thread(store.save, document)
        except OSError as error:
            _log.warning("sessions cannot be saved: %s", error)


def run(settings: BrokerSettings) -> None:
    """Run the broker until SIGTERM or Ctrl-C.

    Raises:
        ConfigurationError: There is nobody who brings rules, or the environment does not say where from.
        OSError: The port is taken, or certificates cannot be read.
    """
    asyncio.run(_run(settings, find_rules(settings.rules)))


async def _run(settings: BrokerSettings, follow: FollowRules) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for one in _STOP_SIGNALS:
        loop.add_signal_handler(one, stopped.set)
    await serve(settings, follow, stopped)


def find_rules(name: str) -> FollowRules:
    """Import who brings the rules.

    Args:
        name: `module:function`.

    Raises:
        ConfigurationError: There is no such thing.
    """
    module, _, function = name.partition(":")
    try:
        return cast("FollowRules", getattr(importlib.import_module(module), function))
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"DTWIN_MQTT_BROKER__RULES is {name!r}, which cannot be imported: {error}",
            setting="DTWIN_MQTT_BROKER__RULES",
        ) from error
