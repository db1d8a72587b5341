"""A car's line to the stack by MQTT: for a computer on board that speaks MQTT and nothing else.

What lives here: publishing readings, the state of the car with its last will, and taking in what others share
with it. What does not: the car (`car`), the forms of the topics (`adapters.mqtt.topics`). Whoever builds a
device needs no more than an MQTT library for it: docs/how-to/connect-devices-by-mqtt.md.
"""

import json
import logging
import os
import queue
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from adapters.mqtt.topics import data_topic, parse_external, state_topic
from client.errors import ConfigurationError, InvalidNameError
from client.messaging.topics import DatastreamName, SystemName

_QOS: Final = 1
_TLS_PORT: Final = 8883
_LONGEST_WAIT_S: Final = 15
_LAST_WORDS_S: Final = 5.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Where the MQTT broker is, and the certificate to show.

    Attributes:
        host: Its host.
        port: Its port for TLS.
        authority: File with the certificate of the authority, PEM.
        certificate: File with the car's own certificate, PEM.
        key: File with its private key, PEM.
    """

    host: str
    port: int
    authority: str
    certificate: str
    key: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "MqttAddress":
        """Read it: `DTWIN_MQTT__URL`, and the certificate that the car shows to Kafka as well.

        Raises:
            ConfigurationError: A setting is missing, or the address does not begin with mqtts://.
        """
        address = urlsplit(_setting(environment, "DTWIN_MQTT__URL", "mqtts://127.0.0.1:8883"))
        if address.scheme != "mqtts" or not address.hostname:
            raise ConfigurationError(
                "DTWIN_MQTT__URL does not name a broker with TLS. For example mqtts://127.0.0.1:8883",
                setting="DTWIN_MQTT__URL",
            )
        files = (
            _setting(environment, f"DTWIN_KAFKA__SSL_{name}_FILE", "the file of the archive of credentials")
            for name in ("CA", "CERTIFICATE", "KEY")
        )
        return cls(address.hostname, address.port or _TLS_PORT, *files)


class MqttLine:
    """Publishes what a car measures and receives what is shared with it; reconnects by itself.

    Args:
        address: Where the broker is.
        system: The car's system.
        client_name: The car's name in it.
        datastreams: The car's Datastreams by quantity.
    """

    def __init__(
        self,
        address: MqttAddress,
        system: SystemName,
        client_name: str,
        datastreams: Mapping[str, DatastreamName],
    ) -> None:
        self._system = system
        self._state = state_topic(system, client_name)
        self._topics = {quantity: data_topic(name) for quantity, name in datastreams.items()}
        self._received: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        mqtt = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{system}.{client_name}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        mqtt.tls_set(address.authority, address.certificate, address.key)
        mqtt.reconnect_delay_set(1, _LONGEST_WAIT_S)
        mqtt.will_set(self._state, "offline", qos=_QOS, retain=True)
        mqtt.on_connect = self._connected
        mqtt.on_message = self._take
        mqtt.connect_async(address.host, address.port)
        self._mqtt = mqtt

    def __enter__(self) -> Self:
        """Begin to connect; readings wait until there is a connection."""
        self._mqtt.loop_start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say that the car is gone, and end the connection."""
        if self._mqtt.is_connected():
            try:
                self._mqtt.publish(self._state, "offline", qos=_QOS, retain=True).wait_for_publish(
                    _LAST_WORDS_S
                )
            except RuntimeError as lost:
                _logger.warning("The broker could not be told that the car stops: %s", lost)
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def produce(self, *, quantity: str, result: object, timestamp: datetime, **attributes: object) -> None:
        """Publish one reading; the library sends it again until the broker has acknowledged it.

        Args:
            quantity: The car's name of the Datastream.
            result: What was measured.
            timestamp: When, aware.
            attributes: What else is known, such as the position.
        """
        moment = timestamp.astimezone(UTC).isoformat()
        body = json.dumps({"phenomenonTime": moment, "result": result, **attributes})
        self._mqtt.publish(self._topics[quantity], body, qos=_QOS)

    def consume(self, timeout: float) -> Sequence[Mapping[str, Any]]:
        """Return what was shared with the car since the last call.

        Args:
            timeout: Longest wait for the first record [s].

        Returns:
            Records as the client gives them: `phenomenonTime`, `result` and the `Datastream` with its name.
        """
        deadline = time.monotonic() + timeout
        records: list[Mapping[str, Any]] = []
        while not records or not self._received.empty():
            try:
                records.append(self._received.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return records

    def _connected(
        self,
        mqtt: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _logger.warning("The MQTT broker refuses the car: %s", reason)
            return
        mqtt.publish(self._state, "online", qos=_QOS, retain=True)
        mqtt.subscribe(f"dt-ext/{self._system}/#", qos=_QOS)

    def _take(self, _mqtt: Client, _userdata: object, message: MQTTMessage) -> None:
        if not message.payload:  # the Datastream is shared no more
            return
        try:
            name = str(parse_external(message.topic).datastream)
            record = json.loads(message.payload)
            self._received.put({**record, "Datastream": {**record.get("Datastream", {}), "name": name}})
        # What the library calls must not fail: its thread would end, and nothing would come any more.
        except (InvalidNameError, ValueError, TypeError, AttributeError) as error:
            _logger.warning("A message on %s is no record: %s", message.topic, error)


def _setting(environment: Mapping[str, str], name: str, example: str) -> str:
    value = environment.get(name)
    if not value:
        raise ConfigurationError(f"{name} is not set: {example}", setting=name)
    return value
