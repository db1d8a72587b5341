"""Which clients may still be said to be there: not those that the platform has deleted or blocked.

What lives here: asking who is registered, and what follows for a client's state. What does not: which clients
have told that they are there (`storage.clients`).

A client that is deleted or blocked while it is connected cannot say so: from then on, its broker takes
nothing from it, perhaps not even its last will, and some brokers let the connection stay. The platform keeps
a principal for each system and client app at the SensorThings service. So a client that has none, while its
system has one, is deleted; one that may use no system is blocked. Where nobody keeps principals, and at a
site, whose clients need not be registered, whoever has come counts as there until it says otherwise.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Final, Protocol

from adapters.mqtt.storage.clients import KnownClients
from client.errors import SensorThingsError
from client.messaging.topics import SystemName

_log = logging.getLogger(__name__)

STOPPED: Final = "stopped"
_PAUSES_BETWEEN_LOOKS: Final = 4

Names = frozenset[tuple[SystemName, str]]


class Principals(Protocol):
    """Tells who is registered; thread-safe."""

    def principals(self) -> Mapping[str, bool]:
        """Give all principals by name, and whether they may use any system.

        Raises:
            SensorThingsError: The service does not answer, or not to us.
        """
        ...


def deleted_and_blocked(
    clients: Iterable[tuple[SystemName, str]], principals: Mapping[str, bool]
) -> tuple[Names, Names]:
    """Find the clients that are registered no more, and those that may do nothing.

    Args:
        clients: Who is asked about.
        principals: Who is registered, and whether they may use any system.
    """
    deleted, blocked = set(), set()
    for system, client in clients:
        if str(system) not in principals:
            continue
        may_use = principals.get(f"{system}.{client}")
        if may_use is None:
            deleted.add((system, client))
        elif not may_use:
            blocked.add((system, client))
    return frozenset(deleted), frozenset(blocked)


class Registration:
    """Knows which clients are present; used by one thread, asks in another.

    Args:
        service: Whom to ask; None for nobody.
        clients: The clients that have told their state.
        pause_s: How often registered metadata is looked at [s]; this is done more seldom.
        monotonic: A clock [s].
        threads: Where it is asked; an own thread when left out.
    """

    def __init__(
        self,
        service: Principals | None,
        clients: KnownClients,
        pause_s: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        threads: Executor | None = None,
    ) -> None:
        self._service = service
        self._clients = clients
        self._pause_s = pause_s * _PAUSES_BETWEEN_LOOKS
        self._monotonic = monotonic
        self._threads = threads or ThreadPoolExecutor(1, "registration")
        self._look_at = float("-inf")
        self._answer: Future[Mapping[str, bool]] | None = None
        self._missing: Names = frozenset()
        self._blocked: Names = frozenset()
        self._said = ""

    def present(self) -> list[tuple[SystemName, str]]:
        """Name the clients that are there, as far as is known, and may be."""
        return [one for one in self._clients.present() if one not in self._blocked]

    def turn(self) -> None:
        """Ask now and then, and take what was answered."""
        if self._answer is None:
            if self._service is not None and self._monotonic() >= self._look_at and self._clients.present():
                self._look_at = self._monotonic() + self._pause_s
                self._answer = self._threads.submit(self._service.principals)
            return
        if not self._answer.done():
            return
        answer, self._answer = self._answer, None
        try:
            principals = answer.result()
        except SensorThingsError as error:
            if str(error) != self._said:
                _log.warning("whether clients are still registered is not known: %s", error)
            self._said = str(error)
            return
        self._said = ""
        self._apply(principals)

    def _apply(self, principals: Mapping[str, bool]) -> None:
        missing, self._blocked = deleted_and_blocked(self._clients.present(), principals)
        # One that is quite new may be known here before it is known there.
        for system, client in missing & self._missing:
            _log.info("%s.%s is deleted: it is said to be alive no more", system, client)
            self._clients.note(system, client, STOPPED)
        self._missing = missing

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)
