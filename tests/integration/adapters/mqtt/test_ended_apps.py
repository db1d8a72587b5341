"""What a stream app has brought goes from the MQTT broker when the app is deleted, its Datastream stays."""

import queue
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer
from paho.mqtt.client import MQTTMessage

from adapters.mqtt.storage.retained import RetainedValues
from benchmarks.mqtt.devices import Access
from benchmarks.mqtt.site import MqttSite
from platform_ui.access.port import SensorThingsAccess, own_rights
from platform_ui.access.wanted import wanted_apps
from tests.kafka_clients import connection
from tests.mosquitto import Mosquitto
from tests.sensorthings_service import running_service

ADMIN = "a-token-of-the-admin-for-tests-only-0123"
SOON_S = 60.0


@pytest.mark.extended
def test_the_last_value_of_a_deleted_app_is_cleared_although_its_datastream_stays(  # noqa: PLR0917 - a world
    kafka_bootstrap: str,
    mosquitto: Mosquitto,
    access: Access,
    unique_system: Callable[[], str],
    new_database: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_service(new_database("ended_apps"), tmp_path, admin_token=ADMIN) as url:
        site = MqttSite(kafka_bootstrap, url, mosquitto, unique_system(), tmp_path / "bridge")
        site.folder.mkdir()
        platform = SensorThingsAccess(url, ADMIN)
        try:
            app = f"is.iceland.Weather.Stations.{unique_system().rpartition('.')[2]}"
            platform.put_principal(site.system, own_rights(site.system))
            (app_principal,) = wanted_apps([app])
            platform.put_principal(app_principal, wanted_apps([app])[app_principal])
            site.register("frost", {"Warning": "OM_Measurement"})
            monkeypatch.setenv("DTWIN_SENSORTHINGS__TOKEN", ADMIN)
            site.start_ready(system="", client="", configuration_s="1")
            seen: queue.Queue[MQTTMessage] = queue.Queue()
            device = access.client("device")
            device.on_message = lambda _client, _data, message: seen.put(message)
            device.subscribe(f"dt-ext/{site.system}/#", qos=1)
            producer = Producer(connection(kafka_bootstrap))
            producer.produce(
                site.topics.external,
                b'{"result":1}',
                f"{site.system}.frost.Warning",
                headers=[("dt-app", app.encode())],
            )
            assert producer.flush(60) == 0
            assert seen.get(timeout=SOON_S).payload == b'{"result":1}'
            remembered = site.folder / "remembered" / "retained.json"
            site.wait(
                lambda: remembered.exists() and RetainedValues(remembered).knows(app), "a look at the apps"
            )
            assert seen.empty()
            platform.delete_principal(app_principal)
            assert seen.get(timeout=SOON_S).payload == b""
            assert site.datastream_id(f"{site.system}.frost.Warning")
            site.wait(
                lambda: site.figures().get("withdrawn") == 1, "the value that was taken back is counted"
            )
            device.disconnect()
        finally:
            site.end()
            platform.close()
