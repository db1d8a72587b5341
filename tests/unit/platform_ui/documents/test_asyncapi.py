"""The AsyncAPI document of a system holds to the standard, and its schemas to what clients send."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from client.messaging.topics import SystemName
from client.metadata.entities import ObservationType
from platform_ui.documents.asyncapi import Brokers, Stream, describe, observation_schema, stream_of

SYSTEM = SystemName.parse("cz.icecars.iot4cps-wp5-CarFleet.Car1")
SPECIFICATION = Path(__file__).parent / "asyncapi_specs" / "3.0.0.json"
BROKERS = Brokers(("kafka1.example.org:9092", "kafka2.example.org:9092"), "SSL")
STREAMS = [
    Stream(
        f"{SYSTEM}.Main.Air Temperature", "Outside.", ObservationType.MEASUREMENT, "degree Celsius [°C]", 7
    ),
    Stream(f"{SYSTEM}.Main.Air/Temperature", "", ObservationType.OBSERVATION, ""),
    Stream(f"{SYSTEM}.Main.Doors open", "Whether", ObservationType.TRUTH_OBSERVATION, ""),
]


@pytest.fixture(scope="module")
def standard() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(SPECIFICATION.read_text(encoding="utf-8")))


@pytest.mark.parametrize("streams", [STREAMS, []], ids=["with Datastreams", "without"])
@pytest.mark.parametrize(
    "brokers", [BROKERS, Brokers(("127.0.0.1:9092",), "PLAINTEXT")], ids=["TLS", "plain"]
)
def test_the_document_holds_to_the_standard(
    standard: jsonschema_rs.Validator, streams: list[Stream], brokers: Brokers
) -> None:
    document = describe(SYSTEM, streams, brokers)
    assert [error.message for error in standard.iter_errors(document)] == []
    broken = document | {"channels": {"a b": {"address": 1}}}
    assert not standard.is_valid(broken)


def test_every_reference_leads_somewhere() -> None:
    document = describe(SYSTEM, STREAMS, BROKERS)

    def check(part: object) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                found: Any = document
                for step in part["$ref"].removeprefix("#/").split("/"):
                    found = found[step]
            for one in part.values():
                check(one)

    check(document)


def test_a_channel_is_a_topic_and_a_datastream_a_message_with_its_key() -> None:
    document = describe(SYSTEM, STREAMS, BROKERS)
    addresses = {name: channel["address"] for name, channel in document["channels"].items()}
    assert addresses == {name: f"{SYSTEM}.{name}" for name in ("int", "ext", "log")}
    keys = [
        document["components"]["messages"][name]["bindings"]["kafka"]["key"]["const"]
        for name in document["channels"]["int"]["messages"]
    ]
    assert keys == [stream.name for stream in STREAMS]
    message = next(iter(document["components"]["messages"].values()))
    assert message["description"] == "Outside. Unit: degree Celsius [°C]."
    assert message["headers"]["required"] == ["dt-id"]


def test_tls_is_said_where_it_is_on() -> None:
    secured = describe(SYSTEM, STREAMS, BROKERS)
    assert secured["servers"]["kafka2"]["protocol"] == "kafka-secure"
    assert secured["components"]["securitySchemes"]["certificate"]["type"] == "X509"
    plain = describe(SYSTEM, STREAMS, Brokers(("127.0.0.1:9092",), "PLAINTEXT"))
    assert plain["servers"]["kafka"] == {"host": "127.0.0.1:9092", "protocol": "kafka"}


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (ObservationType.MEASUREMENT, 3.5, "3.5"),
        (ObservationType.COUNT_OBSERVATION, 3, 3.5),
        (ObservationType.TRUTH_OBSERVATION, False, 0),
        (ObservationType.CATEGORY_OBSERVATION, "open", None),
    ],
)
def test_a_result_is_of_the_type_of_its_datastream(
    kind: ObservationType, right: object, wrong: object
) -> None:
    schema = observation_schema(Stream("a.b.c.d.T.D", "", kind, "", 7))
    record: dict[str, Any] = {
        "phenomenonTime": "2026-01-02T03:04:05.000006Z",
        "resultTime": "2026-01-02T03:04:05.120000Z",
        "Datastream": {"@iot.id": 7},
        "latitude": 47.61,
    }
    assert jsonschema_rs.is_valid(schema, record | {"result": right})
    assert not jsonschema_rs.is_valid(schema, record | {"result": wrong})
    assert not jsonschema_rs.is_valid(schema, record)
    assert not jsonschema_rs.is_valid(schema, record | {"result": right, "Datastream": {"@iot.id": 8}})


def test_any_result_fits_a_datastream_of_unknown_type() -> None:
    stream = stream_of({"name": "a.b.c.d.T.D", "observationType": "urn:other", "unitOfMeasurement": None})
    assert (stream.observation_type, stream.unit, stream.iot_id) == (ObservationType.OBSERVATION, "", 0)
    for result in (None, 1, "a", [1], {"b": 2}):
        record = {"phenomenonTime": "2026-01-02T03:04:05Z", "result": result}
        assert jsonschema_rs.is_valid(observation_schema(stream), record)


def test_a_datastream_is_read_as_the_service_writes_it() -> None:
    found = stream_of(
        {
            "@iot.id": 7,
            "name": "a.b.c.d.T.D",
            "description": "Outside",
            "observationType": ObservationType.MEASUREMENT.uri,
            "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
        }
    )
    assert found == Stream("a.b.c.d.T.D", "Outside", ObservationType.MEASUREMENT, "degree Celsius [°C]", 7)
