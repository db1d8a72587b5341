"""The ways to connect, before anybody runs them."""

import ast
import json
from pathlib import Path

import pytest

from client.messaging.topics import SystemName
from client.metadata.instances import read_instances, wanted_subscription
from platform_ui.clients.service import ClientConfiguration
from platform_ui.clients.snippets import Place, ways
from platform_ui.clients.starter import (
    INSTANCE_FILE,
    PROGRAM_FILE,
    SUBSCRIPTION_FILE,
    datastream_names,
    starter_files,
)

SYSTEM = "cz.icecars.Fleet.Car1"
PLACE = Place(
    ClientConfiguration("car_1", SYSTEM, "sta.test:8084", "kafka.test:9092"),
    "https://sta.test:8084",
    "mqtts://mqtt.test:8883",
)


def test_the_files_of_the_folder_are_what_the_client_reads(tmp_path: Path) -> None:
    files = starter_files(SYSTEM, "car_1")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    instances = read_instances(tmp_path / INSTANCE_FILE, SystemName.parse(SYSTEM))
    named = {one.name for one in instances.datastreams.values()}
    assert named <= datastream_names(SYSTEM, "car_1")
    assert wanted_subscription(tmp_path / SUBSCRIPTION_FILE, None).datastream_names == named
    ast.parse(files[PROGRAM_FILE])


@pytest.mark.parametrize("way", ways(PLACE), ids=lambda way: way.key)
def test_every_way_names_this_client_and_leaves_nothing_to_fill_in(way: object) -> None:
    text = "\n".join(one.code for one in way.snippets)  # type: ignore[attr-defined]
    assert f"{SYSTEM}.car_1" in text
    assert "<" not in text.replace("<<", "").replace("> datastream.txt", "")
    assert "YOUR" not in text.upper().replace("YOUR OWN", "")


def test_what_curl_sends_is_json_with_the_full_names() -> None:
    code = next(way for way in ways(PLACE) if way.key == "curl").snippets[0].code
    body = json.loads(code.partition("<<'JSON'\n")[2].removesuffix("\nJSON"))
    assert body["name"] in datastream_names(SYSTEM, "car_1")
    assert body["Thing"]["name"] == body["name"].rpartition(".")[0]
    assert "--cacert ca.pem https://" not in code
    assert "--cacert ca.pem" in code, "the service speaks TLS"


def test_mqtt_is_shown_only_where_there_is_a_broker() -> None:
    bare = Place(PLACE.configuration, PLACE.sensorthings_url)
    assert [way.key for way in ways(bare)] == ["python", "curl"]
    assert [way.key for way in ways(PLACE)] == ["python", "curl", "mqtt"]


def test_mqtt_sends_to_the_datastream_that_was_described_before() -> None:
    describe, send, program = next(way for way in ways(PLACE) if way.key == "mqtt").snippets
    body = json.loads(describe.code.partition("<<'JSON'\n")[2].removesuffix("\nJSON"))
    assert body["name"] == f"{SYSTEM}.car_1-mqtt.Air Temperature"
    assert body["name"] in datastream_names(SYSTEM, "car_1")
    topic = f"dt/{SYSTEM}/car_1-mqtt/Air Temperature"
    assert "-h mqtt.test -p 8883 \\\n  --cafile ca.pem --cert certificate.pem --key key.pem" in send.code
    assert f"-t '{topic}'" in send.code
    lines = program.code.partition("<<'PYTHON'\n")[2].removesuffix("\nPYTHON")
    assert topic in lines
    ast.parse(lines)
