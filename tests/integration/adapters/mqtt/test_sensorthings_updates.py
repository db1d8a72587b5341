"""Updates by MQTT: every kind of topic of the standard, each tenant its own, everything once."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2
import pytest

from adapters.mqtt.sensorthings.model import TO_ONE
from adapters.mqtt.sensorthings.updates.wanted import Wanted
from tests.integration.adapters.mqtt.extension import Device, Extension
from tests.integration.sensorthings.samples import Api, Json, location, thing
from tests.mosquitto import Mosquitto
from tests.sensorthings_service import running_service

SYSTEM: Final = "aa.alpha.work.One"
LISTED: Final = (
    "v1.1/Things?$select=name,description",
    "v1.1/Observations?$select=result&$expand=Datastream($select=name)",
    "v1.1/Observations?$filter=result gt 90",
    "v1.1/Things(1)/Datastreams(1)/Observations",
    "v1.1/Datastreams(1)/Thing",
    "v1.1/Things(1)/Locations",
    "v1.0/Sensors",
    "v1.1/Nothing",
)


_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def api(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("sensorthings")
    address = "mqtts://twin.example.org:8883"
    with (
        running_service(new_database("sta_updates"), folder, mqtt_endpoints=address) as url,
        httpx2.Client(timeout=30) as http,
    ):
        made = Api(http, f"{url}/v1.1")
        made.create("Things", thing())
        yield made


@pytest.fixture(scope="module")
def bridge(broker: Mosquitto, api: Api) -> Iterator[Extension]:
    """The bridge of a site: everything without options, and some topics with."""
    running = Extension(broker, api.root, None, Wanted("all", LISTED, system=SYSTEM), SYSTEM)
    yield running
    running.close()


@pytest.fixture
def device(broker: Mosquitto, bridge: Extension) -> Iterator[Device]:
    """A new one for each test, when nothing more comes of the tests before."""
    bridge.wait_until_quiet()
    made = Device(broker, f"device-{next(_NUMBERS)}")
    yield made
    made.close()


NEW: Final[dict[str, Json]] = {
    "Things": {"name": "new", "description": "d", "properties": {"a": [1]}},
    "Locations": location("new"),
    "Sensors": {"name": "new", "description": "d", "encodingType": "text/html", "metadata": "m"},
    "ObservedProperties": {"name": "new", "definition": "http://x.org/new", "description": "d"},
    "FeaturesOfInterest": {
        "name": "new",
        "description": "d",
        "encodingType": "application/geo+json",
        "feature": {"type": "Point", "coordinates": [1, 2]},
    },
    "HistoricalLocations": {
        "time": "2001-01-02T03:04:05Z",
        "Thing": {"@iot.id": 1},
        "Locations": [{"@iot.id": 1}],
    },
    "Datastreams": thing()["Datastreams"][0]
    | {"Thing": {"@iot.id": 1}, "Sensor": {"@iot.id": 1}, "ObservedProperty": {"@iot.id": 1}},
    "MultiDatastreams": {
        "name": "m",
        "description": "d",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation",
        "multiObservationDataTypes": ["http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"],
        "unitOfMeasurements": [{"name": "n", "symbol": "s", "definition": "d"}],
        "Thing": {"@iot.id": 1},
        "Sensor": {"@iot.id": 1},
        "ObservedProperties": [{"@iot.id": 1}],
    },
    "Observations": {
        "result": 1.5,
        "phenomenonTime": "2026-01-02T03:04:05Z",
        "Datastream": {"@iot.id": 1},
        "parameters": {"a": "b"},
    },
}


@pytest.mark.parametrize("name", TO_ONE)
def test_a_set_gives_every_new_entity_whole(api: Api, device: Device, name: str) -> None:
    device.subscribe(f"v1.1/{name}")

    made = api.create(name, NEW[name])

    assert device.next() == (f"v1.1/{name}", api.read(f"{name}({made['@iot.id']})"))
    device.nothing_more()


CHANGES: Final[dict[str, Json]] = {
    "HistoricalLocations": {"time": "2001-01-03T03:04:05Z"},
    "Observations": {"result": 4.5},
}


@pytest.mark.parametrize("name", TO_ONE)
def test_an_entity_and_the_changed_property_tell_of_a_patch(
    api: Api, bridge: Extension, device: Device, name: str
) -> None:
    identifier = api.create(name, NEW[name])["@iot.id"]
    change = CHANGES.get(name, {"description": f"changed {name}"})
    (changed,) = change
    entity = f"v1.1/{name}({identifier})"
    unchanged = "name" if name not in CHANGES else "resultTime"
    bridge.wait_until_quiet()
    device.subscribe(entity, f"{entity}/{changed}", f"{entity}/{unchanged}")

    api.change(f"{name}({identifier})", change)

    whole = api.read(f"{name}({identifier})")
    assert whole[changed] == change[changed]
    assert device.take(2) == {entity: whole, f"{entity}/{changed}": change}
    device.nothing_more()


def test_a_put_is_an_update(api: Api, bridge: Extension, device: Device) -> None:
    identifier = api.create("Sensors", NEW["Sensors"])["@iot.id"]
    bridge.wait_until_quiet()
    device.subscribe("v1.1/Sensors")

    answer = api.send("PUT", f"Sensors({identifier})", NEW["Sensors"] | {"name": "put"})

    assert answer.status_code == 200
    assert device.next() == ("v1.1/Sensors", api.read(f"Sensors({identifier})"))
    device.nothing_more()


def test_observations_reach_the_sets_of_their_datastream_and_feature(api: Api, device: Device) -> None:
    device.subscribe(
        "v1.1/Observations",
        "v1.1/Datastreams(1)/Observations",
        "v1.1/FeaturesOfInterest(1)/Observations",
        "v1.1/MultiDatastreams(1)/Observations",
        "v1.1/Things(1)/Datastreams(1)/Observations",
    )
    api.create("Datastreams(1)/Observations", {"result": 7, "phenomenonTime": "2026-01-02T03:04:05Z"})

    found = device.take(4)

    assert {json.dumps(one) for one in found.values()} == {json.dumps(found["v1.1/Observations"])}
    assert found["v1.1/Observations"]["result"] == 7
    device.nothing_more()


def test_the_observed_area_of_a_datastream_tells_when_it_grows(
    api: Api, bridge: Extension, device: Device
) -> None:
    api.create("Datastreams(1)/Observations", {"result": 0})
    bridge.wait_until_quiet()
    device.subscribe("v1.1/Datastreams(1)/observedArea")
    feature = NEW["FeaturesOfInterest"] | {"feature": {"type": "Point", "coordinates": [80, 2]}}

    api.create("Datastreams(1)/Observations", {"result": 1, "FeatureOfInterest": feature})

    area = api.read("Datastreams(1)/observedArea")
    assert device.next() == ("v1.1/Datastreams(1)/observedArea", area)
    api.create("Datastreams(1)/Observations", {"result": 1})
    device.nothing_more()


def test_many_at_once_are_told_one_by_one_in_order(api: Api, device: Device) -> None:
    device.subscribe("v1.1/Datastreams(1)/Observations")
    rows = [[f"2026-01-02T03:{number // 60:02}:{number % 60:02}Z", number] for number in range(500)]
    arrays = [{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"], "dataArray": rows}]

    assert api.send("POST", "CreateObservations", arrays).status_code == 201

    assert [device.next()[1]["result"] for _ in range(500)] == list(range(500))


def test_options_of_a_topic_shape_what_comes(api: Api, device: Device) -> None:
    device.subscribe(*LISTED[:3])

    api.create("Things", {"name": "selected", "description": "d", "properties": {"x": 1}})
    assert device.next() == (LISTED[0], {"name": "selected", "description": "d"})

    api.create("Datastreams(1)/Observations", {"result": 90})
    api.create("Datastreams(1)/Observations", {"result": 91})
    found = [device.next() for _ in range(3)]
    shaped = [one for topic, one in found if topic == LISTED[1]]
    assert [one["result"] for one in shaped] == [90, 91]
    assert set(shaped[0]) == {"result", "Datastream"}
    assert set(shaped[0]["Datastream"]) == {"name"}
    assert [one["result"] for topic, one in found if topic == LISTED[2]] == [91]
    device.nothing_more()


def test_a_path_along_relations_tells_of_what_is_at_its_end(api: Api, device: Device) -> None:
    device.subscribe("v1.1/Datastreams(1)/Thing", "v1.1/Things(1)/Locations", "v1.0/Sensors")

    api.change("Things(1)", {"description": "through its Datastream"})
    assert device.next() == ("v1.1/Datastreams(1)/Thing", api.read("Things(1)"))

    place = api.read("Things(1)/Locations?$top=1")["value"][0]["@iot.id"]
    api.change(f"Locations({place})", {"description": "through its Thing"})
    assert device.next()[0] == "v1.1/Things(1)/Locations"

    made = api.create("Sensors", NEW["Sensors"])
    topic, sensor = device.next()
    assert topic == "v1.0/Sensors"
    assert sensor["@iot.selfLink"].endswith(f"/v1.0/Sensors({made['@iot.id']})")
    device.nothing_more()


def test_an_observation_that_is_published_is_created_and_comes_back_once_by_prefix(
    api: Api, device: Device, bridge: Extension
) -> None:
    """The plain topic carries what the device published, too; the one with the system does not."""
    device.subscribe(f"dt-sta/{SYSTEM}/v1.1/Observations")

    device.publish("v1.1/Datastreams(1)/Observations", {"result": "by MQTT"})

    topic, told = device.next()
    assert (topic, told["result"]) == (f"dt-sta/{SYSTEM}/v1.1/Observations", "by MQTT")
    assert api.read(f"Observations({told['@iot.id']})") == told
    device.nothing_more()
    assert bridge.refused == []


def test_a_feature_made_from_the_place_of_a_thing_is_told(api: Api, device: Device) -> None:
    other: Any = thing()
    other["Locations"] = [location("somewhere else")]
    made = api.create("Things", other)
    device.subscribe("v1.1/FeaturesOfInterest")

    streams = api.read(f"Things({made['@iot.id']})/Datastreams?$select=id")["value"]
    api.create(f"Datastreams({streams[0]['@iot.id']})/Observations", {"result": 1})

    assert device.next()[1]["name"] == "somewhere else"


def test_deletions_are_not_told(api: Api, bridge: Extension, device: Device) -> None:
    made = api.create("Sensors", NEW["Sensors"])
    bridge.wait_until_quiet()
    device.subscribe("v1.1/Sensors", f"v1.1/Sensors({made['@iot.id']})")

    api.delete(f"Sensors({made['@iot.id']})")

    bridge.wait_until_quiet()
    device.nothing_more()


def test_topics_that_never_have_updates_are_named(bridge: Extension) -> None:
    assert bridge.wanted.unknown == ("v1.1/Nothing",)


def test_the_landing_page_names_the_addresses(api: Api) -> None:
    settings = api.read("")["serverSettings"]
    base = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
    for name in (
        "create-observations-via-mqtt/observations-creation",
        "receive-updates-via-mqtt/receive-updates",
    ):
        assert base + name in settings["conformance"]
        assert settings[base + name] == {"endpoints": ["mqtts://twin.example.org:8883"]}
