"""Several systems at one broker: everybody gets what they would see by GET, and nothing else."""

from collections.abc import Callable, Iterator
from typing import Final

import httpx2
import pytest

from adapters.mqtt.bridge.registration import deleted_and_blocked
from adapters.mqtt.bridge.withdrawal import SensorThingsSight, running_apps
from adapters.mqtt.sensorthings.service import HttpService
from adapters.mqtt.sensorthings.updates.wanted import Wanted
from client.messaging.topics import SystemName
from client.metadata.server import SensorThingsServer
from platform_ui.access.port import SensorThingsAccess
from platform_ui.access.wanted import wanted_apps
from tests.certificates import TestAuthority
from tests.integration.adapters.mqtt.extension import Device, Extension
from tests.integration.sensorthings.samples import Json
from tests.integration.sensorthings.tenants import ADMIN_TOKEN, ALPHA, DELTA, GAMMA, SYSTEMS, World
from tests.mosquitto import Mosquitto
from tests.sensorthings_service import running_service

TENANTS: Final = (*SYSTEMS, DELTA)
NAMED: Final = (
    "Things",
    "Locations",
    "Sensors",
    "ObservedProperties",
    "Datastreams",
    "MultiDatastreams",
    "FeaturesOfInterest",
)


@pytest.fixture(scope="module")
def world(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Companies on a closed service; each system has a principal of its name, as the platform makes them."""
    folder = tmp_path_factory.mktemp("tenancy")
    settings = {"anonymous": "none", "admin_token": ADMIN_TOKEN, "ids": "both"}
    with (
        running_service(new_database("sta_tenants"), folder, **settings) as url,
        httpx2.Client(timeout=30) as http,
    ):
        made = World(url, http, TestAuthority())
        made.populate()
        for system in TENANTS:
            made.principal(system, home=system, grants={system: True})
            made.headers[system] = made.headers["admin"] | {"dtwin-act-as": system}
        yield made


def change_everything(world: World) -> None:
    """Make an Observation of each Datastream, and change all that has a description."""
    for stream in world.all_ids("admin", "Datastreams"):
        body = {"result": 1, "phenomenonTime": "2026-03-01T00:00:00Z"}
        answer = world.ask("admin", "POST", f"Datastreams({stream})/Observations", body)
        assert answer.status_code == 201, answer.text
    for name in NAMED:
        for identifier in world.all_ids("admin", name):
            answer = world.ask("admin", "PATCH", f"{name}({identifier})", {"description": "changed"})
            assert answer.status_code == 200, answer.text


def test_each_system_gets_what_it_sees_and_nothing_else(broker: Mosquitto, world: World) -> None:
    bridge = Extension(broker, world.url, ADMIN_TOKEN, Wanted("all", systems=TENANTS), None)
    device = Device(broker, "listener")
    try:
        device.subscribe("dt-sta/#", "v1.1/#")
        change_everything(world)
        bridge.wait_until_quiet()
        bridge.say("dt-sta/the/end")
        told = device.until("dt-sta/the/end")
    finally:
        device.close()
        bridge.close()

    by_topic: dict[tuple[str, str], dict[int, Json]] = {}
    for topic, entity in told:
        first, system, *rest = topic.split("/")
        assert first == "dt-sta"
        if rest[1:] and rest[1] in (*NAMED, "Observations") and len(rest) == 2:
            by_topic.setdefault((system, rest[1]), {})[entity["@iot.id"]] = entity
    for system in TENANTS:
        for name in NAMED:
            entities = by_topic.get((system, name), {})
            assert set(entities) == set(world.all_ids(system, name)), (system, name)
            assert all(one == world.read(system, f"{name}({key})") for key, one in entities.items())
        observations = world.all_ids(system, "Observations", "phenomenonTime eq 2026-03-01T00:00:00Z")
        assert set(by_topic.get((system, "Observations"), {})) == set(observations)
    assert len(by_topic[GAMMA, "Datastreams"]) > len(by_topic[ALPHA, "Datastreams"]) > 0


def test_who_is_registered_and_who_is_blocked_is_told_to_the_bridge(world: World) -> None:
    world.principal(f"{ALPHA}.blocked")
    service = HttpService(world.url, ADMIN_TOKEN)
    told = service.principals()
    service.close()
    registered = dict.fromkeys((*TENANTS, *(f"{system}.client" for system in TENANTS)), True)
    asked = {*registered, f"{ALPHA}.blocked", f"{ALPHA}.deleted"}
    assert {name: told[name] for name in asked & told.keys()} == registered | {f"{ALPHA}.blocked": False}
    clients = [(SystemName.parse(ALPHA), client) for client in ("client", "blocked", "deleted")]
    assert deleted_and_blocked(clients, told) == (frozenset(clients[2:]), frozenset(clients[1:2]))


def test_which_stream_apps_are_meant_to_run_is_told_to_the_bridge(world: World) -> None:
    access = SensorThingsAccess(world.url, ADMIN_TOKEN)
    for name, rights in wanted_apps([f"{ALPHA}.fast"]).items():
        access.put_principal(name, rights)
    service = HttpService(world.url, ADMIN_TOKEN)
    assert running_apps(service.principals()) == {f"{ALPHA}.fast"}
    access.delete_principal(f"app:{ALPHA}.fast")
    assert running_apps(service.principals()) == frozenset()
    service.close()
    access.close()


def test_what_a_system_still_sees_of_others_is_told_on_its_behalf(world: World) -> None:
    def names(who: str) -> frozenset[str]:
        sets = (
            world.read(who, f"{one}?$select=name&$top=1000") for one in ("Datastreams", "MultiDatastreams")
        )
        return frozenset(entity["name"] for found in sets for entity in found["value"])

    everything = names("admin")
    assert any(name.startswith(ALPHA) for name in names(GAMMA)), "a contract shares something with it"
    assert names(ALPHA) < everything
    server = SensorThingsServer(world.url, token=ADMIN_TOKEN)
    sight = SensorThingsSight(server, acts=True)
    seen = {system: sight.seen(SystemName.parse(system), sorted(everything)) for system in TENANTS}
    assert seen == {system: names(system) for system in TENANTS}
    assert sight.seen(SystemName.parse("zz.nobody.work.One"), sorted(everything)) is None
    server.close()
