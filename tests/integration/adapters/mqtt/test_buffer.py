"""A bridge at a site keeps messages on disk while Kafka is away."""

import json
import subprocess
import sys
from collections import defaultdict

import pytest

from benchmarks.mqtt.devices import Access, publish_all
from benchmarks.mqtt.site import MqttSite
from benchmarks.mqtt.verdict import judge
from setup.local.ports import any_free_port

KIND = "OM_CountObservation"


@pytest.mark.extended
def test_without_kafka_messages_are_acknowledged_from_disk_and_arrive_in_order_after_a_crash(
    site: MqttSite, access: Access
) -> None:
    things = ["One", "Two"]
    for thing in things:
        site.register(thing, {"Timed": KIND, "Bare": KIND})
    nowhere = f"127.0.0.1:{any_free_port()}"
    bridge = site.start_ready("--buffer", bootstrap=nowhere)
    devices = publish_all(access, site.system, things, 300)
    site.wait(lambda: site.figures()["acknowledged"] == 600, "acknowledgement of all messages")
    assert site.figures()["buffer_bytes"] > 0
    assert any("Kafka" in trouble for trouble in site.figures()["troubles"])
    bridge.kill()
    site.start_ready("--buffer")
    site.wait(
        lambda: site.figures()["buffer_bytes"] == 0 and site.figures()["is_connected"], "an empty buffer"
    )
    records = site.records()
    acknowledged = {
        f"{site.system}.{device.thing}.{name}": numbers
        for device in devices
        for name, numbers in device.acknowledged.items()
    }
    verdict = judge(acknowledged, records)
    assert verdict.acknowledged == 600
    assert verdict.is_exact, verdict
    order = defaultdict(list)
    for record in records:
        order[record.key()].append(json.loads(record.value() or b"")["result"])
    assert all(numbers == sorted(numbers) for numbers in order.values())


def test_status_tells_what_is_wrong_and_whether_it_runs(site: MqttSite) -> None:
    site.mosquitto.stop()
    bridge = site.start()
    site.wait(
        lambda: (
            site.progress_file.exists()
            and any(one.startswith(site.mosquitto.url) for one in site.figures()["troubles"])
        ),
        "progress with a trouble",
    )
    command = [sys.executable, "-m", "adapters.mqtt", "status", "--progress-file", str(site.progress_file)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0
    assert shown.stdout.startswith("starting: 0 messages received")
    assert f"{site.mosquitto.url}: no connection" in shown.stdout
    bridge.end()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split(":")[0]) == (6, "not running")
