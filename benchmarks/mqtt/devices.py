"""Devices that publish numbers by MQTT and note which the broker has acknowledged.

`python -m benchmarks.mqtt.devices` runs them as a process of their own, which writes what was acknowledged.
"""

import argparse
import json
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

_IN_FLIGHT: Final = 100
_CONNECT_S: Final = 60.0
_STEP_S: Final = 0.001
DATASTREAMS: Final = ("Timed", "Bare")
"""One gets JSON with its own time, the other one bare values."""


@dataclass(frozen=True, slots=True)
class Access:
    """How devices reach the MQTT broker: address, and PEM files."""

    url: str
    ca_file: Path
    certificate_file: Path
    key_file: Path

    def client(self, name: str) -> Client:
        """Make a client of MQTT 5 and connect it; its thread runs."""
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(self.certificate_file, self.key_file)
        client.tls_set_context(context)
        client.max_inflight_messages_set(_IN_FLIGHT)
        parts = urlsplit(self.url)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        # A device that loses its connection goes on with the messages that were on their way.
        properties.SessionExpiryInterval = 3600
        client.connect(parts.hostname or "", parts.port or 8883, 60, clean_start=True, properties=properties)
        client.loop_start()
        deadline = time.monotonic() + _CONNECT_S
        while not client.is_connected():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} could not connect to {self.url}")
            time.sleep(0.01)
        return client


@dataclass(slots=True)
class Device:
    """One device: its Thing, and the numbers that the broker has acknowledged by Datastream."""

    thing: str
    acknowledged: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in DATASTREAMS})

    def publish(self, access: Access, system: str, messages: int, per_s: float = 0.0) -> None:
        """Publish that many messages, in turn to both Datastreams, and wait for every acknowledgement."""
        open_messages: dict[int, tuple[str, int]] = {}
        changed = threading.Condition()
        early: set[int] = set()

        def on_publish(_client: object, _data: object, mid: int, *_more: object) -> None:
            with changed:
                known = open_messages.pop(mid, None)
                if known is None:
                    early.add(mid)
                else:
                    self.acknowledged[known[0]].append(known[1])
                changed.notify_all()

        client = access.client(f"device-{self.thing}")
        client.on_publish = on_publish
        begun = time.monotonic()
        for number in range(messages):
            name = DATASTREAMS[number % 2]
            with changed:
                changed.wait_for(lambda: len(open_messages) < _IN_FLIGHT)
            info = client.publish(f"dt/{system}/{self.thing}/{name}", payload(name, number), qos=1)
            with changed:
                if info.mid in early:
                    early.discard(info.mid)
                    self.acknowledged[name].append(number)
                else:
                    open_messages[info.mid] = (name, number)
            if per_s:
                time.sleep(max(begun + number / per_s - time.monotonic(), 0.0))
        with changed:
            changed.wait_for(lambda: not open_messages, 120.0)
        client.disconnect()
        client.loop_stop()


def payload(name: str, number: int) -> str:
    """Write a message: for `Timed` with a time of its own, for `Bare` the number alone."""
    if name == "Bare":
        return str(number)
    seconds, micros = divmod(number * 1000, 1_000_000)
    return json.dumps(
        {
            "result": number,
            "phenomenonTime": f"2026-01-02T03:{seconds // 60:02}:{seconds % 60:02}.{micros:06}Z",
        }
    )


def publish_all(
    access: Access, system: str, things: Sequence[str], messages: int, per_s: float = 0.0
) -> list[Device]:
    """Let all devices publish at once; give them when every message is acknowledged."""
    devices = [Device(thing) for thing in things]
    threads = [
        threading.Thread(target=device.publish, args=(access, system, messages, per_s)) for device in devices
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return devices


def main() -> None:
    """Run devices and write what was acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--url", "--ca-file", "--certificate-file", "--key-file", "--system", "--output"):
        parser.add_argument(name, required=True)
    parser.add_argument("--things", required=True, help="names, separated by commas")
    parser.add_argument("--messages", type=int, required=True, help="of each device")
    given = parser.parse_args()
    access = Access(given.url, Path(given.ca_file), Path(given.certificate_file), Path(given.key_file))
    devices = publish_all(access, given.system, given.things.split(","), given.messages)
    document = {device.thing: device.acknowledged for device in devices}
    Path(given.output).write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main()
