"""The bytes of documents, their ids and their indices."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from adapters.elasticsearch.documents import (
    Period,
    StreamMetadata,
    action,
    dated_index,
    dated_pattern,
    document,
    document_id,
    document_tail,
    index_alias,
)
from client.errors import RecordFormatError
from streamhub.engine.records import Headers
from streamhub.engine.sinks.reading import read_marks, read_record
from tests.unit.adapters.elasticsearch.doubles import dt_id
from tests.unit.adapters.records import NAME, SYSTEM, TIME, FakeRecord, observation

WEATHER = "de.weather.Service.Stations"


def _document(
    value: dict[str, object],
    metadata: StreamMetadata | None = None,
    *,
    topic: str = f"{SYSTEM}.int",
    key: bytes | None = NAME.encode(),
    headers: Headers | None = None,
) -> dict[str, Any]:
    message = FakeRecord(value, topic=topic, key=key, headers=headers or [("dt-id", dt_id(1).encode())])
    reading = read_record(message, read_marks(message))
    tail = document_tail(reading.name, reading.owner, message.topic(), metadata)
    found = json.loads(document(reading, str(reading.dt_id), tail))
    assert isinstance(found, dict)
    return found


def test_a_document_has_the_whole_record_and_what_its_key_says() -> None:
    assert _document(observation(result=20.5, humidity=40)) == {
        "@timestamp": TIME,
        "phenomenon_time": TIME,
        "result_time": TIME,
        "hour": 3,
        "weekday": 5,
        "dt_id": dt_id(1),
        "result": 20.5,
        "attributes": {"humidity": 40},
        "system": SYSTEM,
        "company": "cz.icecars",
        "topic": f"{SYSTEM}.int",
        "name": NAME,
        "thing": "Main",
        "datastream": "Speed",
    }


def test_metadata_is_joined_in_and_what_is_unknown_left_out() -> None:
    found = _document(observation(), StreamMetadata("km/h", "Speed", None, (14.4, 50.1)))
    assert (found["unit"], found["observed_property"], found["location"]) == ("km/h", "Speed", [14.4, 50.1])
    assert "place" not in found


def test_a_received_record_keeps_the_name_of_the_system_that_it_comes_from() -> None:
    headers: Headers = [("dt-id", dt_id(1).encode()), ("dt-origin", f"{WEATHER}.int/0/7".encode())]
    found = _document(
        observation(),
        topic=f"{SYSTEM}.ext",
        key=f"{WEATHER}.Graz.Air Temperature".encode(),
        headers=headers,
    )
    assert (found["system"], found["company"], found["thing"]) == (WEATHER, "de.weather", "Graz")
    assert (found["datastream"], found["topic"]) == ("Air Temperature", f"{SYSTEM}.ext")


@pytest.mark.parametrize(
    ("result", "fields"),
    [
        (0, {"result": 0}),
        (-0.5, {"result": -0.5}),
        (2**63, {"result": 2**63}),
        (2**70, {"result": 2.0**70}),
        (10**400, {"result_text": hex(10**400)}),
        ("", {"result_text": ""}),
        ("č", {"result_text": "č"}),
        (True, {"result_text": "true", "result_json": "true"}),
        (False, {"result_text": "false", "result_json": "false"}),
        (None, {"result_json": "null"}),
        ([1, "a"], {"result_json": '[1,"a"]'}),
        ({"a": 2**70}, {"result_json": '{"a":1.1805916207174113e+21}'}),
    ],
)
def test_every_kind_of_result_has_its_field(result: object, fields: dict[str, object]) -> None:
    found = _document(observation(result=result))
    names = {"result", "result_text", "result_json"}
    assert {name: value for name, value in found.items() if name in names} == fields


@pytest.mark.parametrize(
    ("attributes", "location"),
    [
        ({"longitude": 13.07, "latitude": 47.77, "attitude": 463.5}, [13.07, 47.77]),
        ({"lon": -180, "lat": 90}, [-180.0, 90.0]),
        ({"longitude": "13.07", "latitude": "47.77", "lon": 1, "lat": 2}, [1.0, 2.0]),
        ({"longitude": 181, "latitude": 0}, [14.4, 50.1]),
        ({"longitude": 0, "latitude": -90.1}, [14.4, 50.1]),
        ({"longitude": True, "latitude": False}, [14.4, 50.1]),
        ({"longitude": None, "latitude": None}, [14.4, 50.1]),
        ({"longitude": 2**70, "latitude": 10**400}, [14.4, 50.1]),
        ({"longitude": 13.07}, [14.4, 50.1]),
        ({"longitude": 13.07, "lat": 47.77}, [14.4, 50.1]),
        ({}, [14.4, 50.1]),
    ],
)
def test_a_record_s_own_position_counts_more_than_that_of_its_thing(
    attributes: dict[str, object], location: list[float]
) -> None:
    value = observation(**attributes)
    found = _document(value, StreamMetadata("km/h", "Speed", "Prague", (14.4, 50.1)))
    assert found["location"] == location
    assert found.get("attributes", {}) == _document(value).get("attributes", {})
    assert (found["place"], found["unit"], found["thing"]) == ("Prague", "km/h", "Main")


def test_a_document_names_its_location_once() -> None:
    message = FakeRecord(observation(lon=1, lat=2))
    reading = read_record(message, read_marks(message))
    tail = document_tail(NAME, SYSTEM, "t", StreamMetadata(location=(14.4, 50.1)))
    assert document(reading, "x", tail).count(b'"location"') == 1


@pytest.mark.parametrize("depth", [260, 600, 980])
@pytest.mark.parametrize("field", ["result", "further"])
def test_a_record_that_is_nested_too_deeply_for_a_document_is_refused(depth: int, field: str) -> None:
    deep = b"[" * depth + b"]" * depth
    whole = b'{"phenomenonTime":"2026-01-02T03:04:05Z","result":1,"%b":%b}' % (field.encode(), deep)
    message = FakeRecord(whole)
    with pytest.raises(RecordFormatError) as refused:
        document(read_record(message, read_marks(message)), "x", b"}")
    assert refused.value.code in {"record.nested_too_deeply", "record.not_json"}


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"]
)
def test_times_far_from_now_stay_what_they_are(time: str) -> None:
    assert _document(observation(phenomenonTime=time, resultTime=None))["@timestamp"] == time


def test_an_interval_begins_at_its_timestamp_and_keeps_its_end() -> None:
    found = _document(observation(phenomenonTime="2026-01-02T03:00:00+01:00/2026-01-03T00:00:00Z"))
    assert found["@timestamp"] == "2026-01-02T02:00:00Z"
    assert found["phenomenon_time"] == "2026-01-02T02:00:00.000000Z/2026-01-03T00:00:00.000000Z"


def test_numbers_beyond_64_bits_in_attributes_do_not_stop_a_document() -> None:
    assert _document(observation(big=[2**70, {"x": 10**400}]))["attributes"] == {
        "big": [2.0**70, {"x": hex(10**400)}]
    }


def test_times_of_validity_and_the_quality_are_attributes() -> None:
    found = _document(observation(validTime="2026-01-02T00:00:00Z/2026-01-03T00:00:00Z", resultQuality="ok"))
    assert found["attributes"] == {
        "validTime": "2026-01-02T00:00:00.000000Z/2026-01-03T00:00:00.000000Z",
        "resultQuality": "ok",
    }


def test_a_record_without_a_key_has_a_document_without_a_name() -> None:
    found = _document(observation(), key=None)
    assert found["system"] == SYSTEM
    assert "name" not in found
    assert "thing" not in found


def test_hours_and_days_are_those_of_utc() -> None:
    found = _document(observation(phenomenonTime="2026-01-05T00:30:00+01:00"))
    assert (found["hour"], found["weekday"]) == (23, 7)


@pytest.mark.parametrize(
    ("period", "name"), [(Period.YEAR, "0999"), (Period.MONTH, "0999.01"), (Period.DAY, "0999.01.02")]
)
def test_the_index_follows_from_the_record_s_own_time(period: Period, name: str) -> None:
    assert dated_index(SYSTEM, period, 999, 1, 2) == f"{index_alias(SYSTEM)}_{name}"


def test_the_pattern_of_a_system_does_not_match_another_system() -> None:
    pattern = dated_pattern("a.bb.cc.dd")
    assert fnmatchcase(dated_index("a.bb.cc.dd", Period.DAY, 2026, 1, 2), pattern)
    assert not fnmatchcase(dated_index("a.bb.cc.dd-2026", Period.DAY, 2026, 1, 2), pattern)


def _identifier(
    key: bytes | None = NAME.encode(), *, stream: int = 5, topic: str = f"{SYSTEM}.int", origin: str = ""
) -> str:
    headers: Headers = [("dt-id", dt_id(1).encode())]
    headers += [("dt-origin", origin.encode())] if origin else []
    value = observation(Datastream={"@iot.id": stream})
    message = FakeRecord(value, topic=topic, key=key, headers=headers)
    reading = read_record(message, read_marks(message))
    return document_id(reading, str(reading.dt_id))


def test_one_dt_id_in_several_datastreams_names_several_documents() -> None:
    names = [
        _identifier(),
        _identifier(f"{SYSTEM}.Main.Fuel".encode()),
        _identifier(b"Speed"),
        _identifier(b"Speed", topic=f"{SYSTEM.lower()}.int"),  # shares the index
        _identifier(None, stream=5),
        _identifier(None, stream=6),
        _identifier(b"5"),
        _identifier(b"\n5"),
        _identifier(f"{WEATHER}.Graz.Rain".encode(), topic=f"{SYSTEM}.ext", origin=f"{WEATHER}.int/0/7"),
    ]
    assert len(set(names)) == len(names)


def test_a_record_names_the_same_document_whenever_and_wherever_it_is_read() -> None:
    again = _identifier(stream=99, topic=f"{SYSTEM}.ext", origin=f"{SYSTEM}.int/0/7")
    # Written down: another way to make ids would double what is indexed.
    assert _identifier() == again == f"{dt_id(1)}.fscnAlbmYC8beHnROA1Y6w"


def test_an_id_has_no_more_bytes_than_elasticsearch_takes_and_none_to_escape() -> None:
    longest = _identifier(f"{NAME}{'ž' * 8_000}".encode())
    assert len(longest) < 100
    assert re.fullmatch(r"[0-9a-f-]{36}\.[\w-]+", longest, re.ASCII)
    _identifier(None, stream=10**4_000)


def test_an_action_makes_a_document_and_never_writes_over_one() -> None:
    assert action("x", None) == b'{"create":{"_id":"x"}}\n'
    assert json.loads(action("x", "i_2026")) == {"create": {"_index": "i_2026", "_id": "x"}}
