"""Topics of a fresh system on the real broker, an instances file, clients that are disconnected."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from client.digital_twin_client import DigitalTwinClient
from client.messaging.ports import Broker
from client.messaging.topics import SystemName
from client.settings import ClientSettings
from client.testing import InMemorySensorThings
from tests.kafka_clients import connection

_PREFIX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"


def _create_topics(bootstrap_servers: str, system: SystemName) -> None:
    topics = [NewTopic(name, 3, 1) for name in system.topics.all()]
    admin = AdminClient(connection(bootstrap_servers))
    for created in admin.create_topics(topics).values():
        created.result(60)
    # The controller has them; the broker that a client asks knows them a moment later.
    deadline = time.monotonic() + 60
    while not {*system.topics.all()} <= {*admin.list_topics(timeout=60).topics}:
        assert time.monotonic() < deadline, "the topics are not there"
        time.sleep(0.05)


@pytest.fixture
def create_topics() -> Callable[[str, SystemName], None]:
    return _create_topics


@pytest.fixture
def system(kafka_bootstrap: str, unique_system: Callable[[], str]) -> SystemName:
    name = SystemName.parse(unique_system())
    _create_topics(kafka_bootstrap, name)
    return name


def instances_document() -> dict[str, object]:
    def datastream(name: str, kind: str) -> dict[str, object]:
        return {
            "name": name,
            "description": f"{name} of the car",
            "observationType": _PREFIX + kind,
            "unitOfMeasurement": {"name": "degree Celsius", "symbol": "degC", "definition": "ucum:Cel"},
            "ObservedProperty": {"name": name, "description": name, "definition": "https://example.com/p"},
            "Thing": "car",
            "Sensor": "sensor",
        }

    return {
        "Things": {"car": {"name": "Main", "description": "The car's computer", "properties": {"doors": 4}}},
        "Sensors": {
            "sensor": {
                "name": "PT100",
                "description": "Thermometer",
                "encodingType": "application/pdf",
                "metadata": "https://example.com/pt100.pdf",
            }
        },
        "Datastreams": {
            "temperature": datastream("Air Temperature", "OM_Measurement"),
            "doors": datastream("Open Doors", "OM_CountObservation"),
            "locked": datastream("Locked", "OM_TruthObservation"),
            "note": datastream("Note", "OM_Observation"),
        },
    }


@pytest.fixture
def instance_file(tmp_path: Path) -> Path:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(instances_document()), encoding="utf-8")
    return path


@pytest.fixture
def metadata() -> InMemorySensorThings:
    return InMemorySensorThings()


@pytest.fixture
def make_client(
    kafka_bootstrap: str, system: SystemName, metadata: InMemorySensorThings
) -> Iterator[Callable[..., DigitalTwinClient]]:
    clients: list[DigitalTwinClient] = []
    own = system

    def make(
        name: str,
        *,
        system: SystemName | None = None,
        settings: ClientSettings | None = None,
        broker: Broker | None = None,
    ) -> DigitalTwinClient:
        client = DigitalTwinClient(
            name,
            str(system or own),
            "in-memory",
            kafka_bootstrap,
            "longitude,latitude",
            settings=settings or ClientSettings(alive_s=0, check_timeout_s=60),
            server=metadata,
            broker=broker,
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.disconnect(timeout_s=60)
