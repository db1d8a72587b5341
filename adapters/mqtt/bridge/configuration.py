"""What is registered for a system, as a retained message for each of its clients.

What lives here: reading it from SensorThings, the document, publishing it when it has changed. What does not:
which clients there are (`storage.clients`).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from adapters.mqtt.bridge.session import MqttSession
from adapters.mqtt.topics import configuration_topic, data_topic
from client.errors import DigitalTwinError, InvalidNameError
from client.messaging.records import encode_json
from client.messaging.topics import DatastreamName, SystemName
from client.metadata.server import SensorThingsServer
from client.metadata.wire import IOT_ID, JsonObject

_log = logging.getLogger(__name__)

_FIELDS: Final = ("id", "name", "description", "observationType", "unitOfMeasurement")


class Configuration:
    """Publishes what is registered; used by one thread, reads in another.

    Args:
        server: Where to read.
        session: Where to publish.
        pause_s: How often to look [s].
        monotonic: A clock [s].

    Attributes:
        trouble: Why it cannot be read; None when it can.
    """

    def __init__(
        self,
        server: SensorThingsServer,
        session: MqttSession,
        pause_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._session = session
        self._pause_s = pause_s
        self._monotonic = monotonic
        self._told: dict[tuple[SystemName, str], bytes] = {}
        self._look_at = float("-inf")
        self._reading: Future[Mapping[SystemName, bytes]] | None = None
        self._clients: Sequence[tuple[SystemName, str]] = ()
        self._thread = ThreadPoolExecutor(1, "configuration")
        self.trouble: str | None = None

    def turn(self, clients: Sequence[tuple[SystemName, str]]) -> None:
        """Publish what is new.

        Args:
            clients: Whom to tell.
        """
        if self._reading is None:
            new = any(client not in self._told for client in clients)
            if clients and self._session.is_connected and (new or self._monotonic() >= self._look_at):
                self._clients = tuple(clients)
                self._look_at = self._monotonic() + self._pause_s
                systems = {system for system, _ in clients}
                self._reading = self._thread.submit(self._read, systems)
            return
        if not self._reading.done():
            return
        reading, self._reading = self._reading, None
        try:
            documents = reading.result()
        except DigitalTwinError as error:  # also what the service gives and JSON cannot hold
            if self.trouble is None:
                _log.warning("configuration of devices is not up to date: %s", error)
            self.trouble = str(error)
            # Also the new ones have to wait now.
            self._told.update({client: self._told.get(client, b"") for client in self._clients})
            return
        self.trouble = None
        for client in self._clients:
            self._publish(client, documents[client[0]])

    def _publish(self, client: tuple[SystemName, str], document: bytes) -> None:
        if self._told.get(client) == document:
            return
        topic = configuration_topic(*client)
        if not self._session.takes(topic, document):
            _log.warning("%s: %d bytes are more than the MQTT broker takes", topic, len(document))
            self._told[client] = document
            return
        if self._session.publish(topic, document, retained=True) is not None:
            self._told[client] = document

    def _read(self, systems: set[SystemName]) -> Mapping[SystemName, bytes]:
        return {system: encode_json(self._document(system)) for system in systems}

    def _document(self, system: SystemName) -> JsonObject:
        condition = f"startswith(name,'{system}.')"
        found = self._server.search("Datastreams", condition, select=_FIELDS)
        return configuration_document(system, found)

    def forget(self) -> None:
        """Publish everything again: the broker may have lost what it retained."""
        self._told.clear()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def configuration_document(system: SystemName, found: Sequence[Mapping[str, object]]) -> JsonObject:
    """Write what devices are told: Things with their Datastreams, and the topic of each.

    Args:
        system: The system.
        found: Datastreams as SensorThings gives them, perhaps with others among them.
    """
    things: dict[str, list[JsonObject]] = {}
    for document in found:
        try:
            name = DatastreamName.parse(str(document.get("name")))
        except InvalidNameError:
            continue
        if name.system != system:
            continue
        things.setdefault(name.thing, []).append(
            {
                "name": name.datastream,
                "fullName": str(name),
                IOT_ID: document.get(IOT_ID),
                "description": document.get("description"),
                "observationType": document.get("observationType"),
                "unitOfMeasurement": document.get("unitOfMeasurement"),
                "topic": data_topic(name),
            }
        )
    listed = [
        {"name": thing, "fullName": f"{system}.{thing}", "Datastreams": datastreams}
        for thing, datastreams in sorted(things.items())
    ]
    return {"system": str(system), "Things": listed}
