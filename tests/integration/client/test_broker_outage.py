"""The broker goes away while a client produces: nothing is lost or doubled, and the log tells the outage.

The outage lasts 5 s; `DTWIN_TEST_OUTAGE_S=30` makes it longer.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from client.digital_twin_client import DigitalTwinClient
from client.messaging.broker import KafkaBroker
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.settings import ClientSettings
from client.testing import InMemorySensorThings
from setup.local.kafka import LocalKafka

_OUTAGE_S = float(os.environ.get("DTWIN_TEST_OUTAGE_S", "5"))
_RATE = 1000  # records per second
_BEFORE_S = 2.0
_AFTER_S = 3.0

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def produce_steadily(client: DigitalTwinClient, stopping: threading.Event) -> int:
    begin = time.monotonic()
    number = 0
    while not stopping.is_set():
        due = int((time.monotonic() - begin) * _RATE)
        while number < due:
            client.produce("doors", number)
            number += 1
        time.sleep(0.005)
    return number


def consume_steadily(
    client: DigitalTwinClient, stopping: threading.Event, produced: list[int]
) -> list[object]:
    results: list[object] = []
    quiet_since = time.monotonic()
    # After the producer stopped: until everything was read, or nothing has come for long.
    while not produced or (len(set(results)) < produced[0] and time.monotonic() - quiet_since < 60):
        records = client.consume(timeout=0.5)
        results += [record["result"] for record in records]
        if records or not stopping.is_set():
            quiet_since = time.monotonic()
    return results


def read_all(
    broker: KafkaBroker, topic: str, is_whole: Callable[[list[dict[str, object]]], bool]
) -> list[dict[str, object]]:
    group = f"verify.{topic}"
    consumer = broker.consumer(group, group, [topic], "earliest")
    found: list[dict[str, object]] = []
    quiet_since = time.monotonic()
    # Beyond what is expected, wait a little for records that must not come.
    while time.monotonic() - quiet_since < (2.0 if is_whole(found) else 60.0):
        records = consumer.receive(5000, 0.5)
        found += [json.loads(record.value or b"null") for record in records]
        if records:
            quiet_since = time.monotonic()
    consumer.close()
    return found


@pytest.mark.parametrize("how", [pytest.param("stopped", marks=pytest.mark.extended), "killed"])
def test_an_outage_loses_nothing_doubles_nothing_and_is_told(
    own_broker: LocalKafka,
    unique_system: Callable[[], str],
    create_topics: Callable[[str, SystemName], None],
    instance_file: Path,
    how: str,
) -> None:
    system = SystemName.parse(unique_system())
    create_topics(own_broker.bootstrap_servers, system)
    client = DigitalTwinClient(
        "car_1",
        str(system),
        "in-memory",
        own_broker.bootstrap_servers,
        settings=ClientSettings(alive_s=1, disconnect_timeout_s=120, check_timeout_s=60),
        server=InMemorySensorThings(),
    )
    client.register(instance_file)
    client.subscribe(datastreams=[f"{system}.Main.Open Doors"])
    stopping = threading.Event()
    produced: list[int] = []
    consumed: list[object] = []
    threads = [
        threading.Thread(target=lambda: produced.append(produce_steadily(client, stopping))),
        threading.Thread(target=lambda: consumed.extend(consume_steadily(client, stopping, produced))),
    ]
    for thread in threads:
        thread.start()
    time.sleep(_BEFORE_S)
    gone = time.monotonic()
    own_broker.stop() if how == "stopped" else own_broker.kill()
    time.sleep(_OUTAGE_S)
    own_broker.start()
    own_broker.wait_ready()
    before = client.counters.delivered
    while client.counters.delivered == before:  # it looks for the broker by itself
        assert time.monotonic() - gone < 120, "it has not come back"
        time.sleep(0.05)
    outage_s = time.monotonic() - gone
    time.sleep(_AFTER_S)
    stopping.set()
    for thread in threads:
        thread.join()
    client.disconnect()
    assert client.counters.failed == 0
    assert client.counters.delivered == client.counters.produced == produced[0]
    assert produced[0] >= _RATE * (_BEFORE_S + _OUTAGE_S)

    verifier = KafkaBroker(own_broker.bootstrap_servers, KafkaSecurity.from_environment())
    values = read_all(verifier, system.topics.internal, lambda found: len(found) >= produced[0])
    results = Counter(record["result"] for record in values)
    assert set(results) == set(range(produced[0])), "none lost"
    assert set(results.values()) == {1}, "none doubled"

    assert set(consumed) == set(range(produced[0])), "the client itself, reading all the time, missed none"

    lines = read_all(
        verifier, system.topics.log, lambda found: any(line.get("state") == "stopped" for line in found)
    )
    states = [line["state"] for line in lines if line["type"] == "state" and line["state"] != "alive"]
    assert states == ["started", "disconnected", "reconnected", "stopped"]
    told_s = next(float(str(line["outage_s"])) for line in lines if line.get("state") == "reconnected")
    assert _OUTAGE_S - 1 <= told_s <= outage_s + _AFTER_S
    assert client.counters.log_records_dropped == 0
