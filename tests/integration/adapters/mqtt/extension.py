"""The SensorThings MQTT extension between a real broker and a real service, without Kafka, and its users."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from adapters.mqtt.identifiers import derived_id
from adapters.mqtt.sensorthings.creating import Creator, Refused, time_told
from adapters.mqtt.sensorthings.lanes import Lanes
from adapters.mqtt.sensorthings.service import HttpService
from adapters.mqtt.sensorthings.topics import creation_filters
from adapters.mqtt.sensorthings.updates.following import Follower
from adapters.mqtt.sensorthings.updates.wanted import Wanted
from client.messaging.records import new_record_id
from tests.integration.sensorthings.samples import Json
from tests.mosquitto import Mosquitto

_SOON_S: Final = 60.0
_SILENCE_S: Final = 0.25
_PAUSE_S: Final = 0.005


def connect(broker: Mosquitto, name: str) -> Client:
    """Connect with MQTT 5 and a certificate of that name; acknowledgements are left to the caller."""
    client = Client(
        CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=name == "bridge"
    )
    certificate, key = broker.identity(name)
    client.tls_set(str(broker.ca_file), str(certificate), str(key))
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert connected.wait(_SOON_S)
    return client


class Device:
    """Somebody at the broker: publishes and sees what comes.

    Attributes:
        seen: Topic and payload of what came.
    """

    def __init__(self, broker: Mosquitto, name: str) -> None:
        self.client = connect(broker, name)
        self.seen: queue.Queue[tuple[str, Json]] = queue.Queue()
        self._granted: queue.Queue[int] = queue.Queue()
        self.client.on_message = self._note
        self.client.on_subscribe = lambda _c, _u, mid, *_: self._granted.put(mid)

    def _note(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.seen.put((message.topic, json.loads(message.payload)))

    def subscribe(self, *topics: str) -> None:
        self.client.subscribe([(one, SubscribeOptions(qos=1)) for one in topics])
        self._granted.get(timeout=_SOON_S)

    def publish(self, topic: str, body: Json, qos: int = 1) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.client.publish(topic, payload, qos=qos).wait_for_publish(_SOON_S)

    def next(self) -> tuple[str, Json]:
        return self.seen.get(timeout=_SOON_S)

    def take(self, number: int) -> dict[str, Json]:
        """Take so many messages, of as many topics."""
        found = dict(self.next() for _ in range(number))
        assert len(found) == number
        return found

    def until(self, end: str) -> list[tuple[str, Json]]:
        """Take what comes before a message on the topic `end`."""
        return list(iter(self.next, (end, None)))

    def rest(self) -> list[tuple[str, Json]]:
        """Take what comes within a moment."""
        time.sleep(_SILENCE_S)
        return [self.seen.get() for _ in range(self.seen.qsize())]

    def nothing_more(self) -> None:
        assert self.rest() == []

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Extension:
    """What a bridge does with the extension: messages to lanes, outcomes to acknowledgements.

    Attributes:
        refused: Messages that were refused.
        wanted: Which updates are published.
        follower: The loop that publishes them.
    """

    def __init__(
        self, broker: Mosquitto, address: str, token: str | None, wanted: Wanted, system: str | None
    ) -> None:
        self.service = HttpService(address, token, acts=system is None)
        self.wanted = wanted
        self.refused: list[tuple[str, Refused]] = []
        self.acknowledged = 0
        self._rests = 0
        self._stopping = threading.Event()
        self._publishing: list[Any] = []
        self.lanes = Lanes(Creator(self.service, system=system), first_pause_s=0.05)
        self.client = connect(broker, "bridge")
        self.client.on_message = self._receive
        self.client.subscribe(
            [(one, SubscribeOptions(qos=1, noLocal=True)) for one in creation_filters(system)]
        )
        self.follower = Follower(self.service, self, wanted)
        self.follower.step()  # from here on the service notes changes
        self._threads = [threading.Thread(target=one) for one in (self._work, self._follow)]
        for thread in self._threads:
            thread.start()

    def _receive(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        payload = bytes(message.payload)
        told = time_told(payload)
        given = dict(getattr(message.properties, "UserProperty", []))
        record_id = given.get("dt-id") or (
            new_record_id() if told is None else derived_id(message.topic, payload, told)
        )
        self.lanes.put(message.topic, payload, record_id, message)

    def _work(self) -> None:
        while not self._stopping.is_set():
            for message, outcome in self.lanes.finished():
                assert isinstance(message, MQTTMessage)
                if isinstance(outcome, Refused):
                    self.refused.append((message.topic, outcome))
                self.client.ack(message.mid, message.qos)
                self.acknowledged += 1
            time.sleep(_PAUSE_S)

    def _follow(self) -> None:
        while not self._stopping.is_set():
            if not self.wanted.interests or not self.follower.step():
                self._rests += 1
                time.sleep(_PAUSE_S)

    def publish(self, topic: str, payload: bytes) -> None:
        self._publishing.append(self.client.publish(topic, payload, qos=1))

    def settle(self) -> None:
        for info in self._publishing:
            assert info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS
            info.wait_for_publish(_SOON_S)
        self._publishing.clear()

    def wait_until_quiet(self) -> None:
        """Wait until everything that has changed so far is told."""
        before = self._rests
        while self._rests < before + 2:
            time.sleep(_PAUSE_S)

    def say(self, topic: str) -> None:
        """Publish nothing on a topic, behind everything that was published so far."""
        self.client.publish(topic, b"null", qos=1).wait_for_publish(_SOON_S)

    def first_refusal(self) -> tuple[str, Refused]:
        deadline = time.monotonic() + _SOON_S
        while not self.refused and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        return self.refused.pop(0)

    def close(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(_SOON_S)
        self.lanes.close()
        self.service.forget("mqtt")
        self.service.close()
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def running_broker(folder: Path) -> Iterator[Mosquitto]:
    """Run a Mosquitto at which everybody with a certificate may do everything."""
    broker = Mosquitto(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def eventually_one(http: httpx2.Client, url: str) -> Json:
    """Read a set until it holds an entity, and give that one."""
    deadline = time.monotonic() + _SOON_S
    while time.monotonic() < deadline:
        found = http.get(url).json()["value"]
        if found:
            assert len(found) == 1
            return found[0]
        time.sleep(_PAUSE_S)
    raise AssertionError(f"nothing came to {url}")
