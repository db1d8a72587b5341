"""Creating Observations by MQTT: topics of the standard, whose they are, what is refused or repeated."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx2
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from adapters.mqtt.sensorthings.updates.wanted import Wanted
from tests.integration.adapters.mqtt.extension import Device, Extension, eventually_one
from tests.integration.sensorthings.samples import Api, Json, thing
from tests.mosquitto import Mosquitto
from tests.sensorthings_service import running_service

ADMIN: Final = "admin-" + "a" * 40
ALPHA, BETA = "aa.alpha.work.One", "bb.beta.work.Two"
HEADERS: Final = {"authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def api(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A closed service with two systems."""
    folder = tmp_path_factory.mktemp("sensorthings")
    database = new_database("sta_creation")
    with (
        running_service(database, folder, anonymous="none", admin_token=ADMIN) as url,
        httpx2.Client(timeout=30, headers=HEADERS) as http,
    ):
        for system in (ALPHA, BETA):
            body = {"home": system, "grants": [{"system": system, "write": True}]}
            assert http.put(f"{url}/access/v1/principals/{system}", json=body).status_code == 201
        yield Api(http, f"{url}/v1.1")


@pytest.fixture(scope="module")
def bridge(broker: Mosquitto, api: Api) -> Iterator[Extension]:
    running = Extension(broker, api.root, ADMIN, Wanted("none"), None)
    yield running
    running.close()


@pytest.fixture(scope="module")
def device(broker: Mosquitto, bridge: Extension) -> Iterator[Device]:
    made = Device(broker, "device")
    yield made
    made.close()


def new_stream(api: Api, system: str = ALPHA) -> int:
    body = thing()
    body["name"] = f"{system}.{time.time_ns()}"
    answer = api.send("POST", "Things", body, headers={"dtwin-act-as": system})
    assert answer.status_code == 201, answer.text
    streams = api.read(f"Things({answer.json()['@iot.id']})/Datastreams?$select=id")["value"]
    return int(streams[0]["@iot.id"])


def found(api: Api, stream: int) -> Json:
    options = "$expand=FeatureOfInterest($select=id),Datastream($select=id)"
    return eventually_one(api.client, f"{api.root}/Datastreams({stream})/Observations?{options}")


FULL: Final = {
    "phenomenonTime": "2015-03-01T00:40:00Z",
    "validTime": "2016-01-01T01:01:01Z/2016-01-01T23:59:59Z",
    "result": -8_812_345_678_901_234,
    "parameters": {"param1": "some value1", "param2": "some value2"},
}


@pytest.mark.parametrize("version", ["v1.1", "v1.0"])
def test_what_is_published_to_a_datastream_is_stored_whole(
    api: Api, device: Device, bridge: Extension, version: str
) -> None:
    stream = new_stream(api)

    device.publish(f"{version}/Datastreams({stream})/Observations", FULL)

    made = found(api, stream)
    assert {name: made[name] for name in FULL} == FULL
    assert bridge.refused == []


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_quality_of_service_creates_one(api: Api, device: Device, bridge: Extension, qos: int) -> None:
    stream = new_stream(api)

    device.publish(f"v1.1/Datastreams({stream})/Observations", {"result": qos}, qos)

    assert found(api, stream)["result"] == qos
    assert bridge.refused == []


@pytest.mark.parametrize("path", ["Observations", "Datastreams({stream})/Observations", "FOI"])
def test_a_topic_with_a_system_creates_by_every_path(
    api: Api, device: Device, bridge: Extension, path: str
) -> None:
    stream = new_stream(api)
    body: Json = {"result": 1, "phenomenonTime": "2026-01-02T03:04:05Z"}
    if "stream" not in path:
        body["Datastream"] = {"@iot.id": stream}
    feature = None
    if path == "FOI":
        place = {"type": "Point", "coordinates": [1, 2]}
        foi = {"name": "f", "description": "d", "encodingType": "application/geo+json", "feature": place}
        answer = api.send("POST", "FeaturesOfInterest", foi, headers={"dtwin-act-as": ALPHA})
        feature = answer.json()["@iot.id"]
        path = f"FeaturesOfInterest({feature})/Observations"

    device.publish(f"dt-sta-in/{ALPHA}/v1.1/{path.format(stream=stream)}", body)

    made = found(api, stream)
    assert made["Datastream"]["@iot.id"] == stream
    assert feature in (None, made["FeatureOfInterest"]["@iot.id"])
    assert bridge.refused == []


def test_a_whole_tree_is_created_with_an_observation(api: Api, device: Device, bridge: Extension) -> None:
    name = f"{ALPHA}.deep{time.time_ns()}"
    sensor = {"name": name, "description": "d", "encodingType": "text/html", "metadata": "m"}
    stream: Json = thing()["Datastreams"][0]
    stream["name"], stream["Sensor"] = f"{name}.stream", sensor
    stream["Thing"] = {"name": name, "description": "d"}
    place = {"type": "Point", "coordinates": [-114.05, 51.05]}
    foi = {"name": name, "description": "d", "encodingType": "application/geo+json", "feature": place}
    body = {
        "result": 5,
        "phenomenonTime": "2015-03-01T00:00:00Z",
        "FeatureOfInterest": foi,
        "Datastream": stream,
    }

    device.publish(f"dt-sta-in/{ALPHA}/v1.1/Observations", body)

    options = quote(f"Datastream/Thing/name eq '{name}'")
    made = eventually_one(
        api.client, f"{api.root}/Observations?$filter={options}&$expand=Datastream/Thing,FeatureOfInterest"
    )
    assert made["Datastream"]["Thing"]["name"] == made["FeatureOfInterest"]["name"] == name
    assert bridge.refused == []


@pytest.mark.parametrize(
    "case",
    [
        ("v1.1/Observations", {"result": 1, "Datastream": {"@iot.id": 1}}, "mqtt.bad_topic"),
        ("v1.1/FeaturesOfInterest(1)/Observations", {"result": 1}, "mqtt.bad_topic"),
        ("v1.1/Sensors(1)/Observations", {"result": 1}, "mqtt.bad_topic"),
        ("v1.1/Datastreams({stream})/Observations", b"21.5", "mqtt.payload_not_json"),
        ("v1.1/Datastreams({stream})/Observations", b"{", "mqtt.payload_not_json"),
        ("v1.1/Datastreams({stream})/Observations", {}, "body.missing_property"),
        ("v1.1/Datastreams({stream})/Observations", {"result": 1, "x": 1}, "body.unknown_property"),
        ("v1.1/Datastreams(987654321)/Observations", {"result": 1}, "mqtt.no_owner"),
        ("v1.1/Datastreams(9999999999999999999)/Observations", {"result": 1}, None),
        ("v1.1/Datastreams({stream})/Observations", b'{"result": "\\u0000"}', None),
        (f"dt-sta-in/{ALPHA}/v1.1/Datastreams(9999999999999999999)/Observations", {"result": 1}, None),
        (f"dt-sta-in/{BETA}/v1.1/Datastreams({{stream}})/Observations", {"result": 1}, None),
        (f"dt-sta-in/{BETA}/v1.1/Observations", {"result": 1, "Datastream": {"@iot.id": 1}}, None),
    ],
)
def test_what_cannot_be_created_is_refused_with_the_reason(
    api: Api, device: Device, bridge: Extension, case: tuple[str, Json, str | None]
) -> None:
    topic, body, code = case
    stream = new_stream(api)

    device.publish(topic.format(stream=stream), body)

    refused_topic, refusal = bridge.first_refusal()
    assert refused_topic == topic.format(stream=stream)
    assert refusal.detail
    assert code in (None, refusal.code)
    assert api.read(f"Datastreams({stream})/Observations")["value"] == []


def test_a_message_that_is_sent_again_is_one_observation(api: Api, device: Device, bridge: Extension) -> None:
    stream = new_stream(api)
    given = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    given.UserProperty = ("dt-id", "0190a5d0-0000-4000-8000-0000000000aa")
    topic, before = f"v1.1/Datastreams({stream})/Observations", bridge.acknowledged

    for _ in range(3):
        device.publish(topic, {"result": 1, "phenomenonTime": "2026-01-02T03:04:05Z"})
        device.client.publish(topic, b'{"result": 2}', qos=1, properties=given).wait_for_publish(60)
    while bridge.acknowledged - before < 6:
        time.sleep(0.01)

    results = api.read(f"Datastreams({stream})/Observations?$orderby=result")["value"]
    assert [one["result"] for one in results] == [1, 2]
    assert bridge.refused == []


@pytest.mark.extended
def test_nothing_is_lost_while_the_service_is_away(
    broker: Mosquitto, new_database: Callable[[str], str], tmp_path: Path
) -> None:
    database = new_database("sta_away")
    device = Device(broker, "patient")
    with running_service(database, tmp_path) as url, httpx2.Client(timeout=60) as http:
        Api(http, f"{url}/v1.1").create("Things", thing())
        extension = Extension(broker, url, None, Wanted("none"), ALPHA)
    port = url.rpartition(":")[2]
    try:
        for number in range(20):
            device.publish("v1.1/Datastreams(1)/Observations", {"result": number})
        while extension.lanes.trouble is None:
            time.sleep(0.01)
        assert extension.acknowledged == 0
        with running_service(database, tmp_path, port=port) as url, httpx2.Client(timeout=60) as http:
            while extension.acknowledged < 20:
                time.sleep(0.01)
            values = http.get(f"{url}/v1.1/Observations?$orderby=id").json()["value"]
            assert [one["result"] for one in values] == list(range(20))
            assert extension.refused == []
            extension.close()
    finally:
        device.close()
