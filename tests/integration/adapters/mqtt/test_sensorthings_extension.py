"""The extension as the bridge runs it: its own connection for updates, and what a broker says is wanted."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from adapters.mqtt.sensorthings.creating import Created, Refused
from adapters.mqtt.sensorthings.extension import SensorThingsExtension
from adapters.mqtt.sensorthings.settings import ExtensionSettings
from adapters.mqtt.settings import BridgeSettings, MqttConnection
from client.messaging.topics import SystemName
from tests.integration.adapters.mqtt.extension import Device, running_broker
from tests.integration.sensorthings.samples import Api, thing
from tests.sensorthings_service import running_service

SYSTEM = "aa.alpha.work.One"
ID = "0190a5d0-0000-7000-8000-0000000000aa"


@pytest.mark.extended
def test_what_is_asked_for_is_published_also_after_the_broker_was_away(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    with (
        running_broker(tmp_path) as broker,
        running_service(new_database("sta_extension"), tmp_path) as url,
        httpx2.Client(timeout=30) as http,
    ):
        api = Api(http, f"{url}/v1.1")
        api.create("Things", thing())
        certificate, key = broker.identity("bridge")
        connection = MqttConnection(
            host="127.0.0.1",
            port=broker.port,
            ca_file=broker.ca_file,
            certificate_file=certificate,
            key_file=key,
        )
        settings = BridgeSettings(
            mqtt=connection,
            bootstrap_servers="127.0.0.1:9",
            sensorthings=url,
            folder=tmp_path,
            system=SystemName.parse(SYSTEM),
            client="bridge",
        )
        extension = SensorThingsExtension(settings, ExtensionSettings())
        device = Device(broker, "device")
        extension.start()
        try:
            device.subscribe("v1.1/Things?$select=name", "v1.1/Datastreams(1)/Observations")
            asked = ["v1.1/Things?$select=name", "v1.1/Datastreams(1)/Observations"]
            assert not extension.put("dt-sta-asked", json.dumps(asked).encode(), ID, None)
            number = 0
            while not device.seen.qsize():  # the service notes changes from the reader's first request on
                api.change("Things(1)", {"name": f"name {(number := number + 1)}"})
                time.sleep(0.1)
            assert device.next()[0] == "v1.1/Things?$select=name"
            device.rest()

            gone = threading.Event()
            device.client.on_disconnect = lambda *_: gone.set()
            broker.restart()
            assert gone.wait(60), "the connection goes on"
            while not device.client.is_connected():
                time.sleep(0.01)
            device.subscribe("v1.1/Datastreams(1)/Observations")
            assert extension.takes("v1.1/Datastreams(1)/Observations")
            assert extension.put("v1.1/Datastreams(1)/Observations", b'{"result": 1}', ID, "first")
            assert extension.put("v1.1/Datastreams(1)/Observations", b"{}", ID, "second")
            done: dict[object, object] = {}
            while len(done) < 2:
                done |= dict(extension.finished())
                time.sleep(0.01)
            assert isinstance(done["first"], Created)
            assert isinstance(done["second"], Refused)
            topic, told = device.next()
            assert (topic, told["result"]) == ("v1.1/Datastreams(1)/Observations", 1)
            while extension.published < 2:  # counted when the broker has told that it has it
                time.sleep(0.01)
        finally:
            extension.close()
            device.close()
