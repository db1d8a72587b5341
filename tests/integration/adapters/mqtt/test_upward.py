"""Messages of devices become records: what they look like, what is refused, what a crash leaves."""

import json
import threading
from typing import Any

from confluent_kafka import Message
from paho.mqtt.client import Client, MQTTMessage

from benchmarks.mqtt.devices import Access, publish_all
from benchmarks.mqtt.site import MqttSite, terminate
from benchmarks.mqtt.verdict import judge

KINDS = {
    "Air Temperature": "OM_Measurement",
    "Door 50%": "OM_TruthObservation",
    "State/1": "OM_CategoryObservation",
    "Any": "OM_Observation",
}
TIME = "2026-01-02T03:04:05.000000Z"


def publish(client: Client, topic: str, payload: str | bytes, qos: int = 1) -> None:
    client.publish(topic, payload, qos=qos).wait_for_publish(60)


def headers(message: Message) -> dict[str, str]:
    found: list[tuple[str, bytes]] = message.headers() or []  # type: ignore[assignment]
    return {name: text.decode() for name, text in found}


def test_messages_and_states_become_the_records_that_the_client_library_makes(
    site: MqttSite, access: Access
) -> None:
    ids = site.register("Main", KINDS)
    site.start_ready()
    device = access.client("device")
    base = f"dt/{site.system}/Main"
    document = {"result": 0, "phenomenonTime": "2026-01-02T05:04:05+02:00", "lane": ""}
    publish(device, f"{base}/Air Temperature", json.dumps(document))
    publish(device, f"{base}/Door 50%25", "false", qos=2)
    publish(device, f"{base}/State%2F1", "open")
    publish(device, f"{base}/Any", "[1, 0]", qos=0)
    publish(device, f"dt-state/{site.system}/car_1", "online")
    publish(device, f"dt-state/{site.system}/car_1", '{"state": "idle", "percent": 0}')
    device.disconnect()
    site.wait(lambda: len(site.records()) >= 4, "four records")
    found = {(record.key() or b"").decode(): record for record in site.records()}
    values = {name: json.loads(record.value() or b"") for name, record in found.items()}
    name = f"{site.system}.Main.Air Temperature"
    assert list(values[name]) == ["phenomenonTime", "resultTime", "Datastream", "lane", "result"]
    assert values[name]["phenomenonTime"] == TIME
    assert values[name]["result"] == 0
    assert values[name]["lane"] == ""
    assert values[name]["Datastream"] == {"@iot.id": ids[name]}
    assert values[f"{site.system}.Main.Door 50%"]["result"] is False
    assert values[f"{site.system}.Main.State/1"]["result"] == "open"
    assert values[f"{site.system}.Main.Any"]["result"] == [1, 0]
    assert len({headers(record)["dt-id"] for record in found.values()}) == 4
    site.wait(lambda: len(site.records(site.topics.log)) >= 2, "two states")
    assert {record.key() for record in site.records(site.topics.log)} == {b"car_1"}
    states = site.values(site.topics.log)
    assert [(state["client"], state["type"], state["state"]) for state in states] == [
        ("car_1", "state", "started"),
        ("car_1", "state", "idle"),
    ]
    assert states[1]["percent"] == 0


def test_what_cannot_be_used_goes_to_the_dead_letters_with_its_reason(site: MqttSite, access: Access) -> None:
    site.register("Main", KINDS)
    site.start_ready()
    device = access.client("device")
    told: list[Any] = []
    device.on_message = lambda _client, _data, message: told.append(_problem(message))
    granted = threading.Event()
    device.on_subscribe = lambda *_: granted.set()
    device.subscribe(f"dt-err/{site.system}/#", qos=1)
    base = f"dt/{site.system}/Main"
    bad = {
        (f"{base}/Air Temperature", b'{"result": '): "mqtt.payload_not_json",
        (f"{base}/Air Temperature", b"warm"): "mqtt.bad_result",
        (f"{base}/Air Temperature", b"\xff"): "mqtt.payload_not_text",
        (f"{base}/Air Temperature", b'{"result": 1, "phenomenonTime": "noon"}'): "mqtt.bad_time",
        (f"{base}/Air Temperature", b'{"phenomenonTime": 5}'): "mqtt.no_result",
        (f"{base}/Air Temperature", b" "): "mqtt.empty_payload",
        (f"{base}/Air Temperature", b"2" * 1_200_000): "mqtt.bad_result",
        (f"{base}/Any", b'"' + b"x" * 1_200_000 + b'"'): "mqtt.too_large",
        (f"{base}/Wind", b"1"): "record.unknown_datastream",
        (f"{base}/Door 50%", b"true"): "mqtt.bad_topic",
        (f"{base}", b"1"): "mqtt.bad_topic",
    }
    assert granted.wait(60)
    for topic, payload in bad:
        publish(device, topic, payload)
    publish(device, f"{base}/Air Temperature", "1")
    site.wait(lambda: len(site.records(site.topics.dead_letters)) >= len(bad), "all dead letters")
    letters = site.records(site.topics.dead_letters)
    found = {
        (headers(letter)["mqtt-topic"], letter.value()): headers(letter)["dt-error"] for letter in letters
    }
    expected = {
        (topic, payload if len(payload) < 1_000_000 else None): code for (topic, payload), code in bad.items()
    }
    assert found == expected
    assert "needs a number" in next(
        headers(letter)["dt-error-detail"] for letter in letters if letter.value() == b"warm"
    )
    site.wait(lambda: len(told) >= len(bad) - 1, "refusals told to the device")
    assert {(problem["instance"], problem["code"]) for problem in told} >= {
        (f"{base}/Wind", "record.unknown_datastream"),
        (f"{base}/Air Temperature", "mqtt.bad_time"),
    }
    site.wait(lambda: len(site.records()) == 1, "the good record")
    device.disconnect()


def _problem(message: MQTTMessage) -> dict[str, Any]:
    document = json.loads(message.payload)
    assert message.topic == document["instance"].replace("dt/", "dt-err/", 1)
    return document  # type: ignore[no-any-return]


def test_a_killed_bridge_loses_nothing_and_doubled_records_carry_the_same_id(
    site: MqttSite, access: Access
) -> None:
    things = [f"Device{number}" for number in range(4)]
    for thing in things:
        site.register(thing, {"Timed": "OM_CountObservation", "Bare": "OM_CountObservation"})
    bridge = site.start_ready()
    devices = []
    fleet = threading.Thread(
        target=lambda: devices.extend(publish_all(access, site.system, things, 800, 400))
    )
    fleet.start()
    site.wait(lambda: _forwarded(site) > 600, "some records")
    bridge.kill()
    bridge = site.start_ready()
    fleet.join()
    acknowledged = {
        f"{site.system}.{device.thing}.{name}": numbers
        for device in devices
        for name, numbers in device.acknowledged.items()
    }
    site.wait(lambda: judge(acknowledged, site.records()).lost == 0, "every acknowledged message")
    verdict = judge(acknowledged, site.records())
    assert verdict.acknowledged == 3200
    assert verdict.is_exact, verdict
    assert terminate(bridge)


def _forwarded(site: MqttSite) -> int:
    progress = site.progress()
    return 0 if progress is None else progress.forwarded
