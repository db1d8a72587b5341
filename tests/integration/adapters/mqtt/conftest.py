"""A Mosquitto with TLS, and systems with a bridge behind it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.mqtt.devices import Access
from benchmarks.mqtt.site import MqttSite
from tests.integration.adapters.mqtt.extension import running_broker
from tests.mosquitto import Mosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """The one of a module, at which everybody may do everything."""
    with running_broker(tmp_path_factory.mktemp("mosquitto")) as started:
        yield started


@pytest.fixture
def access(mosquitto: Mosquitto) -> Access:
    return Access(mosquitto.url, mosquitto.ca_file, *mosquitto.identity("device"))


@pytest.fixture
def site(
    kafka_bootstrap: str,
    sensorthings_url: str,
    mosquitto: Mosquitto,
    unique_system: Callable[[], str],
    tmp_path: Path,
) -> Iterator[MqttSite]:
    made = MqttSite(kafka_bootstrap, sensorthings_url, mosquitto, unique_system(), tmp_path)
    yield made
    made.end()
