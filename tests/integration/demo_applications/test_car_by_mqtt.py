"""A car's line by MQTT at a real Mosquitto: what it publishes, what it says of itself, what it takes in."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from client.messaging.topics import DatastreamName, SystemName
from demo_applications.car_fleet.by_mqtt import MqttAddress, MqttLine
from tests.mosquitto import Mosquitto

CAR: Final = SystemName.parse("cz.icecars.CarFleet.Car1")
STATION: Final = "is.iceland.Weather.Stations"
QUANTITIES: Final = {
    "temperature": DatastreamName(CAR, "Main", "Air Temperature"),
    "slope": DatastreamName(CAR, "Main", "Slope in %"),
}
STATE_TOPIC: Final = f"dt-state/{CAR}/car_1"
MOMENT: Final = datetime(2026, 1, 2, 5, 4, 5, 250_000, tzinfo=timezone(timedelta(hours=2)))
WAIT_S: Final = 60.0
# A car whose computer dies in the midst of its work: no good-bye, the connection just ends.
DYING_CAR: Final = """
import os
from client.messaging.topics import SystemName
from demo_applications.car_fleet.by_mqtt import MqttAddress, MqttLine
with MqttLine(MqttAddress.from_environment(), SystemName.parse({system!r}), "car_1", {{}}) as line:
    print("here", flush=True)
    input()
    os._exit(9)
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture(scope="module")
def environment(broker: Mosquitto) -> dict[str, str]:
    """The settings of a car's archive of credentials."""
    certificate, key = broker.identity("car_1")
    return {
        "DTWIN_MQTT__URL": broker.url,
        "DTWIN_KAFKA__SSL_CA_FILE": str(broker.ca_file),
        "DTWIN_KAFKA__SSL_CERTIFICATE_FILE": str(certificate),
        "DTWIN_KAFKA__SSL_KEY_FILE": str(key),
    }


class Observer:
    """The other side: sees each message of a broker with its QoS, and publishes what the bridge would."""

    def __init__(self, broker: Mosquitto) -> None:
        self.messages: list[MQTTMessage] = []
        self._granted = threading.Event()
        self._mqtt = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        certificate, key = broker.identity("observer")
        self._mqtt.tls_set(str(broker.ca_file), str(certificate), str(key))
        self._mqtt.on_message = lambda _client, _data, message: self.messages.append(message)
        self._mqtt.on_subscribe = lambda *_: self._granted.set()
        self._mqtt.connect("127.0.0.1", urlsplit(broker.url).port or 0)
        self._mqtt.loop_start()
        # As the broker got them: with their retain flag, which subscribers see only when they ask for it.
        self._mqtt.subscribe("#", options=SubscribeOptions(qos=2, retainAsPublished=True))
        assert self._granted.wait(WAIT_S)

    def on(self, topic: str) -> list[MQTTMessage]:
        """Give what came on a topic."""
        return [message for message in self.messages if message.topic == topic]

    def states(self) -> list[bytes]:
        """Give the states that the car has told, as published."""
        return [bytes(message.payload) for message in self.on(STATE_TOPIC)]

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = True) -> MQTTMessageInfo:
        """Publish with QoS 1 and wait until the broker has it."""
        sent = self._mqtt.publish(topic, payload, qos=1, retain=retain)
        sent.wait_for_publish(WAIT_S)
        return sent

    def close(self) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()


@pytest.fixture
def observer(broker: Mosquitto) -> Iterator[Observer]:
    made = Observer(broker)
    yield made
    # A retained state of one test would be the first message of the next one.
    made.publish(STATE_TOPIC, b"")
    made.close()


def until(condition: Callable[[], bool], told: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.01)


def line_of(environment: dict[str, str]) -> MqttLine:
    return MqttLine(MqttAddress.from_environment(environment), CAR, "car_1", QUANTITIES)


def test_readings_come_as_json_on_the_topics_of_their_datastreams_with_qos_1(
    environment: dict[str, str], observer: Observer
) -> None:
    with line_of(environment) as line:
        line.produce(quantity="temperature", result=-3.5, timestamp=MOMENT, latitude=49.2, lane=None)
        line.produce(quantity="slope", result=0, timestamp=MOMENT)
        topics = [f"dt/{CAR}/Main/Air Temperature", f"dt/{CAR}/Main/Slope in %25"]
        until(lambda: all(map(observer.on, topics)), lambda: [one.topic for one in observer.messages])
    readings = [observer.on(topic)[0] for topic in topics]
    assert [json.loads(message.payload) for message in readings] == [
        {
            "phenomenonTime": "2026-01-02T03:04:05.250000+00:00",
            "result": -3.5,
            "latitude": 49.2,
            "lane": None,
        },
        {"phenomenonTime": "2026-01-02T03:04:05.250000+00:00", "result": 0},
    ]
    assert [(message.qos, message.retain) for message in readings] == [(1, False)] * 2


def test_the_car_says_that_it_is_there_and_that_it_goes_and_the_broker_remembers_it(
    environment: dict[str, str], observer: Observer
) -> None:
    with line_of(environment):
        until(lambda: observer.states() == [b"online"], observer.states)
    until(lambda: observer.states() == [b"online", b"offline"], observer.states)
    assert {(message.qos, message.retain) for message in observer.on(STATE_TOPIC)} == {(1, True)}


def test_the_broker_tells_that_the_car_is_gone_when_its_computer_dies(
    environment: dict[str, str], observer: Observer
) -> None:
    root = Path(__file__).resolve().parents[3]
    car = subprocess.Popen(
        [sys.executable, "-c", DYING_CAR.format(system=str(CAR))],
        env={**environment, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: observer.states() == [b"online"], observer.states)
        car.communicate(b"\n", timeout=WAIT_S)
        until(lambda: observer.states() == [b"online", b"offline"], observer.states)
    finally:
        car.kill()
        car.wait(WAIT_S)
    assert car.returncode == 9, "it did not say good-bye itself"
    assert observer.on(STATE_TOPIC)[-1].retain, "who asks later learns it, too"


def test_what_is_shared_comes_as_records_in_the_form_of_the_client(
    environment: dict[str, str], observer: Observer
) -> None:
    topic = f"dt-ext/{CAR}/{STATION}/Reykjavik/Air%2FSea %25"
    earlier = record(1.5)
    observer.publish(topic, json.dumps(earlier))
    try:
        with line_of(environment) as line:
            until(lambda: observer.states() == [b"online"], observer.states)
            [first] = line.consume(timeout=WAIT_S)
            for bad in ("", "warm", "[]", '{"Datastream": 7}'):
                observer.publish(topic, bad)
            observer.publish(f"dt-ext/{CAR}/too/short", "{}", retain=False)
            observer.publish(topic, json.dumps(record(2.5)))
            received = [*line.consume(timeout=WAIT_S)]
            nothing_more = line.consume(timeout=0.05)
    finally:
        observer.publish(topic, b"")
    name = f"{STATION}.Reykjavik.Air/Sea %"
    assert first == {**earlier, "Datastream": {"@iot.id": 7, "name": name}}, "the retained last value"
    assert [one["result"] for one in received] == [2.5], (
        "what is no record is left out, and the next one comes"
    )
    assert nothing_more == []


def record(result: float) -> dict[str, Any]:
    """Make a record's value as the bridge passes it on."""
    moment = datetime(2026, 1, 2, tzinfo=UTC).isoformat()
    return {"phenomenonTime": moment, "resultTime": moment, "Datastream": {"@iot.id": 7}, "result": result}
