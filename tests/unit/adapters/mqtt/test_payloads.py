"""Payloads of devices become observations, or say why not."""

from datetime import UTC, datetime

import pytest

from adapters.mqtt.payloads import read_payload
from client.errors import RecordFormatError

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOON_TEXT = "2026-01-02T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (b"21.5", 21.5),
        (b" 0 \n", 0),
        (b"-3", -3),
        (b"true", True),
        (b"false", False),
        (b"null", None),
        (b'""', ""),
        (b'"open"', "open"),
        (b"open", "open"),
        ("Ölstand gut".encode(), "Ölstand gut"),
        (b"[]", []),
        (b"[1, 2]", [1, 2]),
        (b"{}", {}),
        (b'{"value": 3}', {"value": 3}),
        (b"NaN", "NaN"),
        (b"05", "05"),
    ],
)
def test_a_bare_value_is_the_result(payload: bytes, result: object) -> None:
    observed = read_payload(payload)
    assert observed.result == result
    assert type(observed.result) is type(result)
    assert observed.begins is None


@pytest.mark.parametrize(
    "time",
    [
        '"2026-01-02T12:00:00Z"',
        '"2026-01-02T14:00:00+02:00"',
        "1767355200",
        "1767355200.0",
        "1767355200000",
        "1767355200000000",
        "1767355200000000000",
    ],
)
def test_times_are_taken_in_every_form_of_the_client(time: str) -> None:
    observed = read_payload(f'{{"result": 0, "phenomenonTime": {time}, "resultTime": {time}}}'.encode())
    assert observed.result == 0
    assert (observed.phenomenon_time, observed.result_time, observed.begins) == (NOON_TEXT, NOON_TEXT, NOON)


def test_attributes_stay_and_the_datastream_is_left_to_the_topic() -> None:
    payload = b'{"result": false, "Datastream": {"@iot.id": 9}, "lane": "", "phenomenonTime": null}'
    observed = read_payload(payload)
    assert observed.result is False
    assert observed.attributes == {"lane": ""}
    assert observed.phenomenon_time is None


def test_a_phenomenon_may_last() -> None:
    payload = b'{"result": 1, "phenomenonTime": "2026-01-02T12:00:00Z/2026-01-02T13:00:00Z"}'
    observed = read_payload(payload)
    assert observed.phenomenon_time == f"{NOON_TEXT}/2026-01-02T13:00:00.000000Z"
    assert observed.begins == NOON


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "mqtt.empty_payload"),
        (b" \n", "mqtt.empty_payload"),
        (b"\xff\xfe", "mqtt.payload_not_text"),
        (b'{"result": 1', "mqtt.payload_not_json"),
        (b'{"result": NaN}', "mqtt.payload_not_json"),
        (b"[1,]", "mqtt.payload_not_json"),
        (b'"open', "mqtt.payload_not_json"),
        ("\ufeff{}".encode(), "mqtt.payload_not_json"),
        (b"[" * 100_000, "mqtt.payload_not_json"),
        (b'{"phenomenonTime": 5}', "mqtt.no_result"),
        (b'{"result": 1, "phenomenonTime": "noon"}', "mqtt.bad_time"),
        (b'{"result": 1, "phenomenonTime": "2026-01-02T12:00:00"}', "mqtt.bad_time"),
        (b'{"result": 1, "phenomenonTime": true}', "mqtt.bad_time"),
        (b'{"result": 1, "resultTime": {}}', "mqtt.bad_time"),
        (b'{"result": 1, "phenomenonTime": "2026-01-02T13:00:00Z/2026-01-02T12:00:00Z"}', "mqtt.bad_time"),
    ],
)
def test_what_holds_no_observation_says_why(payload: bytes, code: str) -> None:
    with pytest.raises(RecordFormatError) as refused:
        read_payload(payload)
    assert refused.value.code == code
