"""Registering at a real SensorThings service."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from client.digital_twin_client import DigitalTwinClient
from client.errors import EntityNotFoundError, SensorThingsError
from client.messaging.topics import SystemName
from client.metadata.catalogue import register_instances
from client.metadata.entities import Thing
from client.metadata.instances import read_instances
from client.metadata.server import SensorThingsServer
from client.settings import ClientSettings
from client.testing import InMemoryBroker


@pytest.fixture
def server(sensorthings_url: str) -> Iterator[SensorThingsServer]:
    port = SensorThingsServer(sensorthings_url)
    yield port
    port.close()


@pytest.fixture
def own_system(unique_system: Callable[[], str]) -> SystemName:
    return SystemName.parse(unique_system())


def count(url: str, entities: str, prefix: str) -> int:
    condition = f"startswith(name,'{prefix}')"
    answer = httpx2.get(
        f"{url}/v1.1/{entities}", params={"$filter": condition, "$count": "true", "$top": "0"}, timeout=60
    )
    return int(answer.json()["@iot.count"])


def test_a_service_that_runs_is_recognised_and_a_wrong_path_is_told(
    server: SensorThingsServer, sensorthings_url: str
) -> None:
    server.check()
    wrong = SensorThingsServer(f"{sensorthings_url}/nowhere", retry_s=0)
    with contextlib.closing(wrong), pytest.raises(SensorThingsError, match="Check gost_servers and its path"):
        wrong.check()


def test_registering_twice_makes_everything_once_and_finds_the_same_ids(
    server: SensorThingsServer, sensorthings_url: str, own_system: SystemName, instance_file: Path
) -> None:
    instances = read_instances(instance_file, own_system)
    first = register_instances(server, instances)
    assert register_instances(server, instances) == first
    prefix = f"{own_system}."
    counts = {
        entities: count(sensorthings_url, entities, prefix)
        for entities in ("Things", "Sensors", "ObservedProperties", "Datastreams")
    }
    assert counts == {"Things": 1, "Sensors": 1, "ObservedProperties": 4, "Datastreams": 4}


def test_a_thing_is_where_its_file_says_and_moves_only_when_that_changes(
    server: SensorThingsServer, sensorthings_url: str, own_system: SystemName, instance_file: Path
) -> None:
    document = json.loads(instance_file.read_text(encoding="utf-8"))

    def places(**location: object) -> tuple[list[str], int]:
        """Register the Thing at a place; give the names of where it is, and how often it has moved."""
        document["Things"]["car"]["Location"] = location
        instance_file.write_text(json.dumps(document), encoding="utf-8")
        register_instances(server, read_instances(instance_file, own_system))
        (thing,) = server.search(
            "Things",
            f"name eq '{own_system}.Main'",
            select=("name",),
            expand="Locations,HistoricalLocations",
        )
        current, past = thing["Locations"], thing["HistoricalLocations"]
        assert isinstance(current, list)
        assert isinstance(past, list)
        return [one["name"] for one in current], len(past)

    assert places(latitude=47.8, longitude=13.05) == ([f"{own_system}.Main place"], 1)
    assert places(latitude=47.8, longitude=13.05) == ([f"{own_system}.Main place"], 1)
    assert places(latitude=47.9, longitude=13.05, name="Ring") == (["Ring"], 2)
    assert places(latitude=47.9, longitude=13.05, name="Ring") == (["Ring"], 2)


def test_a_change_in_the_file_changes_the_service_including_links(
    server: SensorThingsServer, own_system: SystemName, instance_file: Path
) -> None:
    register_instances(server, read_instances(instance_file, own_system))
    document = json.loads(instance_file.read_text(encoding="utf-8"))
    document["Things"]["trailer"] = {"name": "Trailer", "description": "Behind the car"}
    document["Sensors"]["sensor"]["metadata"] = "https://example.com/newer.pdf"
    document["Datastreams"]["doors"]["unitOfMeasurement"]["symbol"] = "K"
    instance_file.write_text(json.dumps(document), encoding="utf-8")
    register_instances(server, read_instances(instance_file, own_system))
    found = server.datastream(f"{own_system}.Main.Open Doors")
    assert found is not None
    assert found["unitOfMeasurement"] == {"name": "degree Celsius", "symbol": "K", "definition": "ucum:Cel"}
    assert isinstance(found["Sensor"], dict)
    assert found["Sensor"]["metadata"] == "https://example.com/newer.pdf"


def test_names_with_quotes_and_other_scripts_are_found_again(
    server: SensorThingsServer, own_system: SystemName
) -> None:
    thing = Thing(f"{own_system}.Fahrer's Öl & 油 #1+%27", "d")
    created = server.upsert(thing)
    assert server.upsert(replace(thing, description="e")).iot_id == created.iot_id


def test_a_name_beyond_the_first_page_is_found(
    server: SensorThingsServer, sensorthings_url: str, own_system: SystemName
) -> None:
    things = [server.upsert(Thing(f"{own_system}.Thing{number}", "d")) for number in range(30)]
    last = f"{own_system}.Thing29"
    listed = f"Things?$filter=startswith(name,'{own_system}')&$top=7&$orderby=id"
    names = [page["name"] for page in server._pages(listed)]
    assert names.index(last) == 29
    assert server.upsert(Thing(last, "d")).iot_id == things[29].iot_id


def test_a_client_registers_and_others_use_what_it_registered(
    sensorthings_url: str, own_system: SystemName, instance_file: Path
) -> None:
    settings = ClientSettings(alive_s=0)
    broker = InMemoryBroker()

    def client(name: str) -> DigitalTwinClient:
        return DigitalTwinClient(name, str(own_system), sensorthings_url, settings=settings, broker=broker)

    with client("car_1") as first, client("car_2") as second:
        with pytest.raises(EntityNotFoundError, match="Register them with register"):
            second.register_existing(instance_file)
        first.register(instance_file)
        second.register_existing(instance_file)
        assert first.quantities == second.quantities
        second.produce("locked", result=False)
        first.subscribe(datastreams=[f"{own_system}.Main.Locked"])
        [record] = first.consume(timeout=0)
    assert record["result"] is False
    assert isinstance(record["Datastream"], dict)
    assert record["Datastream"]["Thing"]["name"] == f"{own_system}.Main"
    assert record["Datastream"]["Thing"]["properties"] == {"doors": 4}
