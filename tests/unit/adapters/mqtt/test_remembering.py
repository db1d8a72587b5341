"""Datastreams and clients are remembered; devices are told what is registered."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from adapters.mqtt.bridge.configuration import Configuration, configuration_document
from adapters.mqtt.storage.catalogue import Catalogue
from adapters.mqtt.storage.clients import KnownClients
from client.errors import DigitalTwinError, UnavailableError
from client.messaging.topics import SystemName
from client.metadata.entities import ObservationType
from client.metadata.wire import DatastreamReference, JsonObject

CAR = SystemName.parse("cz.icecars.CarFleet.Car1")
NAME = f"{CAR}.Main.Speed"
KIND = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
FOUND = DatastreamReference(NAME, ObservationType.MEASUREMENT, 5)


class FakeServer:
    """SensorThings: knows one Datastream, and may be away."""

    def __init__(self) -> None:
        self.known: dict[str, JsonObject] = {NAME: {"@iot.id": 5, "name": NAME, "observationType": KIND}}
        self.is_away = False
        self.asked = 0

    def datastream(self, name: str, *, patient: bool = True) -> JsonObject | None:
        assert not patient
        self.asked += 1
        if self.is_away:
            raise UnavailableError("SensorThings does not answer")
        return self.known.get(name)


class AtOnce(Executor):
    """Does what it is given before it returns."""

    def submit(self, call: Callable[..., Any], /, *given: object, **more: object) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(call(*given, **more))
        except DigitalTwinError as error:
            future.set_exception(error)
        return future


class Desk:
    def __init__(self, path: Path) -> None:
        self.server, self.now, self._path = FakeServer(), 0.0, path
        self.catalogues: list[Catalogue] = []

    def open(self) -> Catalogue:
        server = self.server
        self.catalogues.append(Catalogue(server, self._path, lambda: self.now, AtOnce()))  # type: ignore[arg-type]
        return self.catalogues[-1]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "datastreams.json")
    yield made
    for catalogue in made.catalogues:
        catalogue.close()


def test_a_datastream_is_looked_up_once_and_then_known(desk: Desk) -> None:
    catalogue = desk.open()
    assert [catalogue.find(NAME) for _ in range(3)] == [True, FOUND, FOUND]
    assert desk.server.asked == 1


def test_what_is_missing_is_asked_for_again_after_a_while(desk: Desk) -> None:
    catalogue = desk.open()
    name = f"{CAR}.Main.New"
    assert [catalogue.find(name) for _ in range(3)] == [True, False, False]
    assert desk.server.asked == 1
    desk.server.known[name] = {"@iot.id": 6, "name": name, "observationType": KIND}
    desk.now = 5.0
    reference = DatastreamReference(name, ObservationType.MEASUREMENT, 6)
    assert [catalogue.find(name) for _ in range(2)] == [True, reference]


def test_what_was_known_serves_on_while_sensorthings_is_away_also_after_a_restart(desk: Desk) -> None:
    first = desk.open()
    assert [first.find(NAME) for _ in range(2)] == [True, FOUND]
    first.save(now=True)
    desk.server.is_away = True
    second = desk.open()
    assert [second.find(NAME) for _ in range(3)] == [FOUND] * 3
    assert second.trouble == "SensorThings does not answer"
    assert second.find(f"{CAR}.Main.New") is True


def test_a_file_that_cannot_be_read_is_made_anew(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "datastreams.json").write_text("[1]")
    assert desk.open().find(NAME) is True


def test_clients_are_remembered_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "clients.json"
    clients = KnownClients(path)
    clients.note(CAR, "car_1", "started")
    clients.note(CAR, "car_2", "stopped")
    clients.save()
    again = KnownClients(path)
    assert again.all() == [(CAR, "car_1"), (CAR, "car_2")]
    assert again.present() == [(CAR, "car_1")]
    path.write_text("{")
    assert KnownClients(path).all() == []


def test_a_known_client_that_goes_is_noted_also_when_there_is_no_room_for_more() -> None:
    clients = KnownClients(None, most=1)
    clients.note(CAR, "car_1", "started")
    clients.note(CAR, "car_2", "started")
    clients.note(CAR, "car_1", "stopped")
    assert (clients.all(), clients.present()) == ([(CAR, "car_1")], [])


class FakeSession:
    """A broker that takes everything."""

    is_connected = True

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []

    def takes(self, _topic: str, _payload: bytes) -> bool:
        return True

    def publish(self, topic: str, payload: bytes, *, retained: bool) -> int:
        assert retained
        self.published.append((topic, payload))
        return len(self.published)


class FakeSearch:
    """SensorThings, with one Datastream."""

    def __init__(self) -> None:
        self.unit: object = float("inf")

    def search(self, *_: object, **__: object) -> list[JsonObject]:
        return [{"@iot.id": 1, "name": f"{CAR}.Main.Speed", "unitOfMeasurement": self.unit}]


def test_metadata_that_json_cannot_hold_is_trouble_and_not_the_end() -> None:
    session, server = FakeSession(), FakeSearch()
    now = 0.0
    configuration = Configuration(server, session, 15.0, lambda: now)  # type: ignore[arg-type]
    configuration._thread = AtOnce()  # type: ignore[assignment]
    for _ in range(2):
        configuration.turn([(CAR, "car_1")])
    assert "JSON" in str(configuration.trouble)
    server.unit, now = "m/s", 20.0
    for _ in range(2):
        configuration.turn([(CAR, "car_1")])
    assert configuration.trouble is None
    assert [topic for topic, _ in session.published] == [f"dt-config/{CAR}/car_1"]
    configuration.close()


def test_devices_are_told_their_own_systems_datastreams_by_thing() -> None:
    unit = {"name": "x", "symbol": "m/s", "definition": "y"}
    found = [
        {"@iot.id": 2, "name": f"{CAR}.Main.Speed m/s", "unitOfMeasurement": unit},
        {"@iot.id": 1, "name": f"{CAR}.Air.Temperature"},
        {"@iot.id": 3, "name": "cz.icecars.CarFleet.Car12.Main.Speed"},
        {"@iot.id": 4, "name": "nonsense"},
    ]
    document = json.loads(json.dumps(configuration_document(CAR, found)))
    assert [thing["name"] for thing in document["Things"]] == ["Air", "Main"]
    main = document["Things"][1]["Datastreams"][0]
    assert (main["@iot.id"], main["unitOfMeasurement"]) == (2, unit)
    assert main["topic"] == f"dt/{CAR}/Main/Speed m%2Fs"
