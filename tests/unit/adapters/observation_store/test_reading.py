"""What is read out of records, and what is refused."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from adapters.observation_store.reading import read_record
from client.errors import RecordFormatError
from streamhub.engine.records import Headers
from streamhub.engine.sinks.reading import Marks, Reading, read_marks
from tests.unit.adapters.records import NAME, SYSTEM, TIME, FakeRecord, observation

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
DT_ID = "019b7d2c-7d60-7000-8000-000000000001"


def _read(value: object, **more: object) -> Reading:
    record = FakeRecord(value, partition=2, **more)  # type: ignore[arg-type]
    return read_record(record, read_marks(record))


def _refusal(value: object, **more: object) -> str:
    with pytest.raises(RecordFormatError) as caught:
        _read(value, **more)
    return caught.value.code


def test_a_device_s_record_is_read_whole() -> None:
    found = _read(observation(humidity=0), headers=[("dt-id", DT_ID.encode())])
    assert found[1:] == (
        NAME,
        5,
        SYSTEM,
        UUID(DT_ID),
        MOMENT,
        MOMENT,
        1,
        MOMENT,
        None,
        None,
        {"humidity": 0},
        None,
    )
    assert found.start is found.end


@pytest.mark.parametrize("result", [0, False, "", None, [], {}, 20.0, 2**70, -0.0])
def test_falsy_and_large_results_are_results(result: object) -> None:
    found = _read(observation(result=result)).result
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", MOMENT.replace(microsecond=0)),
        ("2026-01-02T04:04:05.000006+01:00", MOMENT),
        (1767323045, MOMENT.replace(microsecond=0)),
        (1767323045000, MOMENT.replace(microsecond=0)),
        ("2026-01-02T03:04:60Z", datetime(2026, 1, 2, 3, 5, tzinfo=UTC)),
    ],
)
def test_every_form_of_a_time_is_read(text: object, moment: datetime) -> None:
    assert _read(observation(phenomenonTime=text)).start == moment


def test_an_interval_has_two_ends() -> None:
    found = _read(observation(phenomenonTime=f"{TIME}/2026-01-03T03:04:05.000006Z"))
    assert (found.start, found.end) == (MOMENT, MOMENT + timedelta(days=1))


def test_the_result_time_stands_in_for_a_missing_phenomenon_time() -> None:
    found = _read({"resultTime": TIME, "result": 1})
    assert (found.start, found.result_time) == (MOMENT, MOMENT)


def test_a_result_time_that_is_not_told_stays_unknown() -> None:
    assert _read(observation(resultTime=None)).result_time is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"{", "record.not_json"),
        (b'{"result": NaN, "resultTime": 1}', "record.not_json"),
        (b'{"result": "\xff"}', "record.not_json"),
        (b"[" * 100_000, "record.not_json"),
        (None, "record.empty_value"),
        (b"3", "record.not_object"),
        ({"result": 1}, "record.no_time"),
        ({"resultTime": TIME}, "record.no_result"),
        ({"result": 1, "resultTime": "soon"}, "record.bad_time"),
        ({"result": 1, "resultTime": True}, "record.bad_time"),
        ({"result": 1, "resultTime": [TIME]}, "record.bad_time"),
        ({"result": 1, "phenomenonTime": f"{TIME}/2025-01-01T00:00:00Z"}, "record.bad_time"),
        ({"result": {"a": "\0"}, "resultTime": TIME}, "record.not_storable"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_code(value: object, code: str) -> None:
    assert _refusal(value) == code


def test_a_backslash_before_u0000_is_only_text() -> None:
    assert _read(observation(result="\\u0000")).result == "\\u0000"


def test_a_key_of_another_system_is_refused_in_a_system_s_own_topic() -> None:
    assert _refusal(observation(), key=b"xx.other.Fleet.Car2.Main.Speed") == "record.foreign_datastream"


def test_a_key_of_another_system_is_fine_among_what_was_received_from_it() -> None:
    headers: Headers = [("dt-id", DT_ID.encode()), ("dt-origin", b"xx.other.Fleet.Car2.int/0/5")]
    found = _read(
        observation(), key=b"xx.other.Fleet.Car2.Main.Speed", topic=f"{SYSTEM}.ext", headers=headers
    )
    assert found.owner == "xx.other.Fleet.Car2"


@pytest.mark.parametrize(
    "origin", [None, b"", b"xx.third.Fleet.Car3.int/0/5", b"xx.other.Fleet.Car2.ext/0/5"]
)
def test_a_key_of_another_system_is_refused_when_the_record_is_not_from_it(origin: bytes | None) -> None:
    headers: Headers = [("dt-id", DT_ID.encode())]
    headers += [] if origin is None else [("dt-origin", origin)]
    received = {"key": b"xx.other.Fleet.Car2.Main.Speed", "topic": f"{SYSTEM}.ext", "headers": headers}
    assert _refusal(observation(), **received) == "record.foreign_datastream"


def test_a_system_whose_name_begins_like_another_is_not_it() -> None:
    assert _refusal(observation(), key=f"{SYSTEM}0.Main.Speed".encode()) == "record.foreign_datastream"


def test_a_record_without_a_key_belongs_to_its_topic_s_system() -> None:
    found = _read(observation(), key=None)
    assert (found.name, found.owner, found.datastream_id) == ("", SYSTEM, 5)


def test_a_key_that_is_not_text_is_refused() -> None:
    assert _refusal(observation(), key=b"\xff") == "record.key_not_text"


def test_a_record_without_an_id_gets_one_of_its_position() -> None:
    first, again, other = (_read(observation(), offset=offset).dt_id for offset in (1, 1, 2))
    assert first == again != other


def test_a_forwarded_record_without_an_id_has_that_of_its_origin() -> None:
    origin: Headers = [("dt-origin", f"{SYSTEM}.int/2/7".encode())]
    forwarded = _read(observation(), topic="a.bb.cc.dd.ext", offset=99, headers=origin)
    assert forwarded.dt_id == _read(observation(), offset=7).dt_id


def test_an_id_that_is_no_uuid_counts_within_its_datastream() -> None:
    headers: Headers = [("dt-id", b"row-1")]
    here = _read(observation(), headers=headers).dt_id
    assert here == _read(observation(), headers=headers, offset=8).dt_id
    assert here != _read(observation(), headers=headers, key=f"{SYSTEM}.Main.Torque".encode()).dt_id


def test_parameters_and_further_attributes_are_one_object() -> None:
    found = _read(observation(parameters={"a": 1}, b=2, resultQuality="good", validTime=f"{TIME}/{TIME}"))
    assert found.parameters == {"a": 1, "b": 2}
    assert found.quality == "good"
    assert found.valid == (MOMENT, MOMENT)


def test_a_multi_datastream_and_a_feature_are_known_by_their_ids() -> None:
    value = {"resultTime": TIME, "result": [1], "MultiDatastream": {"@iot.id": 6}}
    found = _read(value | {"FeatureOfInterest": {"@iot.id": 9}})
    assert (found.datastream_id, found.feature_id) == (6, 9)


def test_headers_tell_the_id_and_the_origin() -> None:
    headers: Headers = [("dt-app", b"x"), ("dt-id", DT_ID.encode()), ("dt-origin", b"a.int/0/1")]
    assert read_marks(FakeRecord(b"", headers=headers)) == Marks(DT_ID.encode(), "a.int/0/1")
