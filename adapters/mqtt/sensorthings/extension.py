"""The extension as the bridge uses it: what it subscribes to, what becomes of messages, the loop of updates.

What lives here: the parts wired. What does not: acknowledging messages and keeping dead letters, which the
bridge does for all that comes in.
"""

import json
import logging
import threading
from collections.abc import Sequence
from typing import Final

from adapters.mqtt.sensorthings.creating import Creator
from adapters.mqtt.sensorthings.lanes import Finished, Lanes
from adapters.mqtt.sensorthings.service import HttpService
from adapters.mqtt.sensorthings.settings import ExtensionSettings
from adapters.mqtt.sensorthings.topics import ASKED, CREATIONS, VERSIONS, creation_filters
from adapters.mqtt.sensorthings.updates.following import Follower
from adapters.mqtt.sensorthings.updates.publishing import MqttPublisher
from adapters.mqtt.sensorthings.updates.wanted import Wanted
from adapters.mqtt.settings import BridgeSettings

_log = logging.getLogger(__name__)

_FIRST_LEVELS: Final = frozenset({*VERSIONS, CREATIONS})
_STOP_GRACE_S: Final = 10.0


class SensorThingsExtension:
    """SensorThings by MQTT, beside the rest of the bridge.

    Args:
        settings: Of the bridge.
        own: Of the extension.
    """

    def __init__(self, settings: BridgeSettings, own: ExtensionSettings) -> None:
        system = None if settings.system is None else str(settings.system)
        self._system = system
        self._service = HttpService(settings.sensorthings, settings.token, acts=system is None)
        self._lanes = Lanes(Creator(self._service, system=system))
        self._wanted = Wanted(own.updates, own.topics, system=system)
        for topic in self._wanted.unknown:
            _log.warning("there are no updates on %r; check DTWIN_MQTT__UPDATE_TOPICS_FILE", topic)
        self._publisher = MqttPublisher(settings.mqtt, f"{settings.client_id}-updates", settings.keep_alive_s)
        self._follower = Follower(self._service, self._publisher, self._wanted, rest=self._publisher.rest)
        self._failure: str | None = None
        self._stopping = threading.Event()
        self._following = threading.Thread(target=self._follow, name="sensorthings-updates", daemon=True)

    @property
    def filters(self) -> tuple[str, ...]:
        """What the bridge subscribes to for Observations; retained messages are not wanted."""
        return creation_filters(self._system)

    @property
    def retained_filters(self) -> tuple[str, ...]:
        """What the bridge subscribes to and wants retained messages of."""
        return (ASKED,)

    @property
    def trouble(self) -> str | None:
        """What is wrong at the moment; None when nothing is."""
        return self._failure or self._lanes.trouble or self._follower.trouble

    @property
    def published(self) -> int:
        """Updates that the broker has [1]."""
        return self._follower.published

    def start(self) -> None:
        """Begin to publish updates."""
        self._following.start()

    def close(self) -> None:
        """End everything; what is not done comes again."""
        self._stopping.set()
        self._lanes.close()
        if self._following.is_alive():
            self._following.join(_STOP_GRACE_S)
        self._service.close()

    @staticmethod
    def takes(topic: str) -> bool:
        """Tell whether a message is for the extension."""
        return topic == ASKED or topic.partition("/")[0] in _FIRST_LEVELS

    def put(self, topic: str, payload: bytes, record_id: str, token: object) -> bool:
        """Take a message; it is done when its token is among the `finished` ones.

        Args:
            topic: As it was published to.
            payload: As it came.
            record_id: Its dt-id; the same for a message that is delivered again.
            token: By which its owner knows it.

        Returns:
            False for a message that is done already.
        """
        if topic == ASKED:
            self._ask(payload)
            return False
        self._lanes.put(topic, payload, record_id, token)
        return True

    def finished(self) -> Sequence[Finished]:
        """Give the messages that are done, each once; waits for none."""
        return self._lanes.finished()

    def serve(self, systems: Sequence[str]) -> None:
        """Replace the systems whose updates are published where all are wanted."""
        self._wanted.serve(systems)

    def _ask(self, payload: bytes) -> None:
        try:
            topics = json.loads(payload or b"[]")
        except ValueError:
            topics = None
        if not isinstance(topics, list) or not all(isinstance(one, str) for one in topics):
            _log.warning("what came on %s is no JSON list of topics and is left out", ASKED)
            return
        self._wanted.ask(topics)

    def _follow(self) -> None:
        try:
            self._follower.run(self._stopping)
        except BaseException as error:  # whatever it is, it has to show: Observations still come in
            self._failure = f"updates have ended: {error!r}; start the bridge anew"
            raise
        finally:
            self._publisher.close()
