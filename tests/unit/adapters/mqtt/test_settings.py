"""Settings of the bridge are checked before anything is connected."""

from pathlib import Path

import pytest

from adapters.mqtt.settings import BridgeSettings
from client.errors import ConfigurationError
from tests.certificates import TestAuthority

LEAST = {
    "DTWIN_MQTT__URL": "mqtt://broker",
    "DTWIN_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092",
    "DTWIN_SENSORTHINGS__URL": "http://sensorthings:8084",
    "DTWIN_MQTT__FOLDER": "/var/lib/bridge",
}


def test_inside_the_platform_it_serves_all_systems_without_a_buffer() -> None:
    settings = BridgeSettings.from_environment(LEAST)
    assert settings.system is None
    assert settings.name == "platform.mqtt"
    assert settings.group == "platform.mqtt.down"
    assert settings.buffer_max_bytes == 0
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.uses_tls) == ("broker", 1883, False)


def test_at_a_site_it_is_a_client_of_one_system_with_a_buffer() -> None:
    more = {"DTWIN_MQTT__BUFFER_MAX_BYTES": "2000000", "DTWIN_MQTT__CLIENT": "gateway"}
    settings = BridgeSettings.from_environment(LEAST | more, system="cz.icecars.CarFleet.Car1")
    assert settings.name == "cz.icecars.CarFleet.Car1.gateway"
    assert settings.group == "cz.icecars.CarFleet.Car1.gateway.mqtt"
    assert settings.client_id == "dtwin-bridge-cz.icecars.CarFleet.Car1.gateway"
    assert settings.buffer_max_bytes == 2_000_000
    without = BridgeSettings.from_environment(LEAST | more, system="cz.icecars.CarFleet.Car1", buffered=False)
    assert without.buffer_max_bytes == 0


@pytest.mark.parametrize("name", LEAST)
def test_a_missing_setting_is_named(name: str) -> None:
    rest = {key: value for key, value in LEAST.items() if key != name}
    with pytest.raises(ConfigurationError, match=name):
        BridgeSettings.from_environment(rest)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTWIN_MQTT__URL", "http://broker"),
        ("DTWIN_MQTT__URL", "mqtts://broker:x"),
        ("DTWIN_MQTT__URL", "mqtts://user:secret@broker"),
        ("DTWIN_MQTT__RECEIVE_MAXIMUM", "0"),
        ("DTWIN_MQTT__RECEIVE_MAXIMUM", "70000"),
        ("DTWIN_MQTT__KEEP_ALIVE_S", "soon"),
        ("DTWIN_MQTT__KEY_FILE", "/key"),
        ("DTWIN_MQTT__PASSWORD_FILE", "/not/there"),
        ("DTWIN_MQTT__SYSTEM", "cz.icecars.CarFleet.Car1"),
        ("DTWIN_MQTT__CLIENT", "gateway"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_MQTT__"):
        BridgeSettings.from_environment(LEAST | {name: value})


def test_certificate_files_are_read_before_any_connection(tmp_path: Path) -> None:
    authority = TestAuthority()
    ca_file, _ = authority.own.write(tmp_path, "ca")
    certificate, key = authority.sign("bridge").write(tmp_path, "bridge")
    files = {
        "DTWIN_MQTT__URL": "mqtts://broker",
        "DTWIN_MQTT__CA_FILE": str(ca_file),
        "DTWIN_MQTT__CERTIFICATE_FILE": str(certificate),
        "DTWIN_MQTT__KEY_FILE": str(key),
    }
    settings = BridgeSettings.from_environment(LEAST | files)
    assert settings.mqtt.url == "mqtts://broker:8883"
    key.write_text("no key")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        BridgeSettings.from_environment(LEAST | files)
