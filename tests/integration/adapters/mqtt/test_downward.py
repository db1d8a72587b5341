"""What the bridge publishes: values that are shared, and what is registered."""

import json
import queue
import threading
from typing import Any

import pytest
from confluent_kafka import Producer
from paho.mqtt.client import Client, MQTTMessage

from adapters.mqtt.storage.retained import RetainedValues
from benchmarks.mqtt.devices import Access
from benchmarks.mqtt.site import MqttSite
from client.messaging.records import new_record_id
from tests.kafka_clients import connection
from tests.rivals import take_place

PROVIDER = "is.iceland.Weather.Stations"
SOON_S = 90.0


def subscribed(client: Client, topic: str) -> "queue.Queue[MQTTMessage]":
    seen: queue.Queue[MQTTMessage] = queue.Queue()
    client.on_message = lambda _client, _data, message: seen.put(message)
    granted = threading.Event()
    client.on_subscribe = lambda *_: granted.set()
    client.subscribe(topic, qos=1)
    assert granted.wait(SOON_S)
    return seen


def share(site: MqttSite, name: str, value: bytes, dt_id: str) -> None:
    producer = Producer(connection(site.bootstrap))
    given: list[tuple[str, str | bytes | None]] = [
        ("dt-id", dt_id),
        ("dt-contract", "7"),
        ("dt-origin", f"{PROVIDER}.int/0/5"),
        ("other", "x"),
    ]
    producer.produce(site.topics.external, value, name, headers=given)
    assert producer.flush(60) == 0


def test_shared_values_are_retained_with_their_bytes_and_headers(site: MqttSite, access: Access) -> None:
    site.start_ready()
    live = access.client("live")
    seen = subscribed(live, f"dt-ext/{site.system}/#")
    ids = [new_record_id() for _ in range(3)]
    values = [b'{"result":1}', b'{ "result" : 2 }', b'{"result":3}']
    for dt_id, value in zip(ids, values, strict=True):
        share(site, f"{PROVIDER}.Hekla.Wind m/s", value, dt_id)
    share(site, "no name of a Datastream", b"{}", new_record_id())
    share(site, f"{PROVIDER}.Hekla.Rain", b'{"result":0}', new_record_id())
    messages = [seen.get(timeout=SOON_S) for _ in range(4)]
    topic = f"dt-ext/{site.system}/{PROVIDER}/Hekla/Wind m%2Fs"
    assert [message.payload for message in messages if message.topic == topic] == values
    late = access.client("late")
    last = subscribed(late, topic).get(timeout=SOON_S)
    assert last.retain
    assert last.payload == values[2]
    assert dict(last.properties.UserProperty) == {  # type: ignore[union-attr]
        "dt-id": ids[2],
        "dt-contract": "7",
        "dt-origin": f"{PROVIDER}.int/0/5",
    }
    site.wait(lambda: site.figures().get("unpublished") == 1, "the record without a name is counted")
    for client in (live, late):
        client.disconnect()


@pytest.mark.extended
def test_a_bridge_whose_place_in_its_group_was_taken_for_a_moment_publishes_on(
    site: MqttSite, access: Access
) -> None:
    site.start_ready()
    live = access.client("live")
    seen = subscribed(live, f"dt-ext/{site.system}/#")
    share(site, f"{PROVIDER}.Hekla.Wind", b'{"result":1}', new_record_id())
    assert seen.get(timeout=SOON_S).payload == b'{"result":1}'
    group = f"{site.system}.gateway.mqtt"
    take_place(site.bootstrap, group, group, site.topics.external)
    site.wait(lambda: "coming back with a new consumer" in site.log_file.read_text(), "a bridge that is back")
    share(site, f"{PROVIDER}.Hekla.Wind", b'{"result":2}', new_record_id())
    # Before it may come what was published and not committed.
    while seen.get(timeout=SOON_S).payload != b'{"result":2}':
        pass
    live.disconnect()


def test_a_value_whose_datastream_has_ended_while_the_bridge_was_away_is_cleared(
    site: MqttSite, access: Access
) -> None:
    site.register("Main", {"Speed": "OM_Measurement"})
    kept = f"dt-ext/{site.system}/{site.system}/Main/Speed"
    gone = f"dt-ext/{site.system}/{PROVIDER}/Hekla/Wind m%2Fs"
    earlier = access.client("earlier")
    (site.folder / "remembered").mkdir()
    remembered = RetainedValues(site.folder / "remembered" / "retained.json", now=lambda: 0.0)
    for topic in (kept, gone):
        earlier.publish(topic, b"{}", qos=1, retain=True).wait_for_publish(60)
        remembered.note(topic)
    remembered.save()
    live = subscribed(earlier, gone)
    assert live.get(timeout=SOON_S).payload == b"{}"
    site.start_ready(configuration_s="1")
    assert live.get(timeout=SOON_S).payload == b"", "who listens is told"
    late = access.client("late")
    seen = subscribed(late, f"dt-ext/{site.system}/#")
    assert seen.get(timeout=SOON_S).topic == kept
    site.wait(lambda: site.figures().get("withdrawn") == 1, "the value that was taken back is counted")
    assert seen.empty()
    for client in (earlier, late):
        client.disconnect()


def test_a_client_finds_what_is_registered_and_hears_of_changes(site: MqttSite, access: Access) -> None:
    ids = site.register("Main", {"Air Temperature": "OM_Measurement"})
    site.start_ready(configuration_s="1")
    device = access.client("device")
    seen = subscribed(device, f"dt-config/{site.system}/car_1")
    device.publish(f"dt-state/{site.system}/car_1", "online", qos=1, retain=True).wait_for_publish(60)
    first = json.loads(seen.get(timeout=SOON_S).payload)
    name = f"{site.system}.Main.Air Temperature"
    described = _only(_only(first["Things"])["Datastreams"])
    assert first["system"] == site.system
    assert described["@iot.id"] == ids[name]
    assert described["fullName"] == name
    assert described["unitOfMeasurement"]["symbol"] == "1"
    assert described["topic"] == f"dt/{site.system}/Main/Air Temperature"
    site.register("Second", {"Speed": "OM_Measurement"})
    second = json.loads(seen.get(timeout=SOON_S).payload)
    assert [thing["name"] for thing in second["Things"]] == ["Main", "Second"]
    device.disconnect()


def _only(found: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(found) == 1
    return found[0]
