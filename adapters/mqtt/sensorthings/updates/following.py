"""The loop that follows the service's changes and publishes updates.

What lives here: the order of the steps, and what happens when one of them fails. What does not: what is
published (`messages`), the MQTT session (a `Publisher`).

A part of the feed is done when the broker has acknowledged every message of it; only then the service is
told, with the next request. So a crash of anything repeats updates and loses none. Where nothing is wanted,
nothing is followed, and the service notes nothing.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol

from adapters.mqtt.sensorthings.service import Service
from adapters.mqtt.sensorthings.updates.messages import messages
from adapters.mqtt.sensorthings.updates.wanted import Wanted
from client.errors import DigitalTwinError, UnavailableError

_log = logging.getLogger(__name__)

READER: Final = "mqtt"
WAIT_S: Final = 2.0
_RETRY_S: Final = 1.0
_LIMIT: Final = 2_000


class Publisher(Protocol):
    """Publishes messages to the MQTT broker, with QoS 1 and not retained."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message over; it need not be acknowledged yet.

        Raises:
            DigitalTwinError: The broker is not there.
        """

    def settle(self) -> None:
        """Wait until the broker has acknowledged everything that was handed over.

        Raises:
            DigitalTwinError: It does not.
        """


class Follower:
    """Publishes what changes at the service.

    Args:
        service: The service.
        publisher: The MQTT broker.
        wanted: Which updates are published.
        reader: Name under which the service remembers how far this bridge is.
        rest: Called between two steps, with a time [s] in which the connection may be looked after.

    Attributes:
        published: Number of messages that the broker has acknowledged [1].
        trouble: Why it waits; None while it works.
    """

    def __init__(
        self,
        service: Service,
        publisher: Publisher,
        wanted: Wanted,
        *,
        reader: str = READER,
        rest: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._service = service
        self._publisher = publisher
        self._wanted = wanted
        self._reader = reader
        self._rest = rest
        self._cursor: str | None = None
        self._is_following = True
        self.published = 0
        self.trouble: str | None = None

    def run(self, stopping: threading.Event) -> None:
        """Follow until told to stop."""
        while not stopping.is_set():
            pause = 0.0
            try:
                pause = self._turn()
            except DigitalTwinError as error:
                if self.trouble is None:
                    _log.warning("updates wait: %s", error, extra={"action": "wait"})
                self.trouble = str(error)
                pause = _RETRY_S
            self._rest(0.0)
            stopping.wait(pause)

    def _turn(self) -> float:
        """Do the next thing; gives how long to rest afterwards [s]."""
        if not self._wanted.interests:
            self._stop_following()
            self.trouble = None
            return _RETRY_S
        self.step(WAIT_S)
        self.trouble = None
        return 0.0

    def step(self, wait_s: float = 0.0) -> int:
        """Publish the next part of the feed; gives how many messages.

        Args:
            wait_s: Longest wait for a change [s].

        Raises:
            UnavailableError: The service does not answer.
            DigitalTwinError: The broker does not take the messages.
        """
        self._is_following = True
        part = self._service.changes(self._reader, self._cursor, wait_s=wait_s, limit=_LIMIT)
        if part.is_new and self._cursor is not None:
            _log.warning(
                "the service has forgotten this reader of changes; updates since then are lost",
                extra={"action": "updates_lost", "reader": self._reader},
            )
        number = 0
        for message in messages(self._service, part.changes, self._wanted.interests):
            self._publisher.publish(message.topic, message.payload)
            number += 1
        if number:
            self._publisher.settle()
        self._cursor = part.cursor
        self.published += number
        return number

    def _stop_following(self) -> None:
        if not self._is_following:
            return
        try:
            self._service.forget(self._reader)
        except UnavailableError:
            return  # the service forgets readers that stay away by itself
        self._cursor = None
        self._is_following = False
