"""The MQTT connection by which updates are published.

What lives here: a `Publisher` on a session of its own, used by the thread of the `Follower`. What does not:
the session that receives (`adapters.mqtt.bridge.upward`).
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from adapters.mqtt.bridge.session import MqttSession, SessionListener, SessionOptions
from adapters.mqtt.settings import MqttConnection
from client.errors import UnavailableError

_log = logging.getLogger(__name__)

_TURN_S: Final = 0.05
_PATIENCE_S: Final = 20.0
_MOST_OPEN: Final = 2_000


class MqttPublisher:
    """Publishes updates with QoS 1.

    Args:
        connection: The broker.
        client_id: Name of the session.
        keep_alive_s: Longest silence [s].

    Attributes:
        refused: Messages that the broker's rules did not let through [1].
    """

    def __init__(self, connection: MqttConnection, client_id: str, keep_alive_s: int = 30) -> None:
        self._open: set[int] = set()
        self._is_lost = False
        self.refused = 0
        self._session = MqttSession(
            connection,
            SessionOptions(client_id=client_id, is_clean=True, keep_alive_s=keep_alive_s),
            SessionListener(on_published=self._on_published, on_end=self._on_end),
        )

    @property
    def trouble(self) -> str | None:
        """Why there is no connection; None when there is one."""
        return self._session.trouble

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message over; see `Publisher`.

        Raises:
            UnavailableError: The broker is not there.
        """
        self._turn_until(lambda: self._session.is_connected and len(self._open) < _MOST_OPEN)
        if not self._session.takes(topic, payload):
            _log.warning("%s: %d bytes are more than the MQTT broker takes", topic, len(payload))
            self.refused += 1
            return
        identifier = self._session.publish(topic, payload, retained=False)
        if identifier is None:
            raise UnavailableError(f"an update is not published: {self.trouble}")
        self._open.add(identifier)

    def settle(self) -> None:
        """Wait until the broker has everything; see `Publisher`.

        Raises:
            UnavailableError: It does not take it.
        """
        self._turn_until(lambda: not self._open)

    def rest(self, time_s: float) -> None:
        """Keep the connection for a while in which nothing is published."""
        self._session.turn(time_s)

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    def _turn_until(self, is_reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not is_reached() and not self._is_lost:
            if time.monotonic() > deadline:
                self._open.clear()
                raise UnavailableError(f"updates are not published: {self.trouble or 'no acknowledgement'}")
            self._session.turn(_TURN_S)
        if self._is_lost:
            self._is_lost = False
            raise UnavailableError(f"updates are not published: {self.trouble}")

    def _on_published(self, identifier: int, reason: str | None) -> None:
        self._open.discard(identifier)
        if reason is not None:
            if not self.refused:
                _log.warning("the broker refuses updates: %s; check its rules for the bridge", reason)
            self.refused += 1

    def _on_end(self) -> None:
        self._is_lost = bool(self._open)
        self._open.clear()
