"""The record format: ids, partitions, values."""

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from datetime import UTC, datetime
from enum import IntEnum

import confluent_kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import InvalidResultError, RecordFormatError
from client.messaging.records import (
    ReceivedRecord,
    decode_object,
    json_text,
    murmur2,
    new_record_id,
    partition_for,
)
from client.metadata.observations import RESERVED_FIELDS, observation_value

CAR = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_a_record_id_is_a_uuid_of_version_7_with_the_time_of_now() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_record_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_record_ids_differ_and_do_not_descend_between_milliseconds() -> None:
    ids = [new_record_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    stamps = [made[:13] for made in ids]
    assert stamps == sorted(stamps)


def test_threads_do_not_share_the_random_part_of_ids() -> None:
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [
        threading.Thread(target=lambda ids=ids: ids.extend(new_record_id()[19:] for _ in range(3000)))
        for ids in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({tail for ids in made for tail in ids}) == 4 * 3000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_does_not_repeat_the_random_part_of_its_parents_ids() -> None:
    program = """
        import os
        from client.messaging.records import new_record_id

        new_record_id()
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, new_record_id().encode())
            os._exit(0)
        mine, of_child = new_record_id(), os.read(reading, 36).decode()
        os.wait()
        print(mine[19:], of_child[19:])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    mine, of_child = done.stdout.split()
    assert len(mine) == len(of_child) == 17
    assert mine != of_child


# From org.apache.kafka.common.utils.UtilsTest of Apache Kafka.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_what_java_gives(data: bytes, expected: int) -> None:
    assert murmur2(data) == expected


@given(st.binary(max_size=64), st.integers(1, 1000))
def test_keys_without_levels_go_where_every_kafka_client_puts_them(key: bytes, count: int) -> None:
    key = key.replace(b".", b"-")
    assert partition_for(key, count) == confluent_kafka.murmur2(key, count)


@given(st.text(max_size=20), st.integers(1, 50))
def test_all_datastreams_of_a_thing_share_a_partition(datastream: str, count: int) -> None:
    thing = f"{CAR}.Main"
    expected = confluent_kafka.murmur2(thing.encode(), count)
    assert partition_for(f"{thing}.{datastream}", count) == expected
    assert partition_for(f"{thing}.{datastream}".encode(), count) == expected


def test_a_value_has_the_fields_users_know_and_keeps_falsy_ones() -> None:
    value = observation_value(
        phenomenon_time=NOON,
        result_time="2026-01-02T12:00:01.000000Z",
        result=False,
        datastream_id=7,
        attributes={"lon": 0, "lat": 0.0, "note": "", "missing": None, "ok": False, "list": []},
    )
    assert value.decode() == (
        '{"phenomenonTime":"2026-01-02T12:00:00.000000Z","resultTime":"2026-01-02T12:00:01.000000Z",'
        '"Datastream":{"@iot.id":7},"lon":0,"lat":0.0,"note":"","missing":null,"ok":false,"list":[],'
        '"result":false}'
    )


def value_of(result: object, **attributes: object) -> bytes:
    return observation_value(
        phenomenon_time=NOON, result_time=NOON, result=result, datastream_id=1, attributes=attributes
    )


def test_text_of_any_script_stays_readable() -> None:
    assert "Öl 油" in value_of("Öl 油").decode()


def deep_list() -> list[object]:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize("result", [float("nan"), float("inf"), -float("inf"), object(), {1, 2}, "\ud800"])
def test_what_json_cannot_carry_is_refused(result: object) -> None:
    with pytest.raises(InvalidResultError, match="cannot be written as JSON"):
        value_of(result)
    with pytest.raises(InvalidResultError, match="cannot be written as JSON"):
        value_of(1, attribute=result)


def test_a_result_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(InvalidResultError, match="cannot be written as JSON"):
        value_of(deep_list())


@pytest.mark.parametrize("field", sorted(RESERVED_FIELDS))
def test_an_attribute_cannot_replace_a_field_of_the_record(field: str) -> None:
    with pytest.raises(InvalidResultError, match=f"'{field}' would replace"):
        observation_value(
            phenomenon_time=NOON, result_time=NOON, result=1, datastream_id=1, attributes={field: 1}
        )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_json_is_written_as_the_standard_library_writes_it(value: object) -> None:
    assert json_text(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Gear(IntEnum):
    REVERSE = -1


class _Reading(float):
    def __repr__(self) -> str:
        return f"about {float(self)}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(_Gear.REVERSE, "-1"), (_Reading(2.5), "2.5"), (-0.0, "-0.0"), (1e22, "1e+22"), (True, "true")],
)
def test_values_that_only_look_plain_are_written_as_what_they_are(value: object, expected: str) -> None:
    assert json_text(value) == expected


def test_an_integer_with_more_digits_than_python_writes_is_refused() -> None:
    with pytest.raises(InvalidResultError, match="cannot be written as JSON"):
        json_text(10**5000)


@given(json_values)
def test_any_json_result_comes_back_as_it_went_in(result: object) -> None:
    record = ReceivedRecord("t", 0, 0, b"k", value_of(result))
    assert decode_object(record)["result"] == result


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "record.empty_value"),
        (b"", "record.empty_value"),
        (b"{", "record.not_json"),
        (b"\xff", "record.not_json"),
        (b'{"a":NaN}', "record.not_json"),
        (b'{"a":-Infinity}', "record.not_json"),
        (b"[" * 100_000, "record.not_json"),
        (b"1" * 5000, "record.not_json"),
        (b"[1]", "record.not_object"),
        (b"null", "record.not_object"),
    ],
)
def test_a_value_that_is_no_json_object_is_refused_with_code_and_position(
    value: bytes | None, code: str
) -> None:
    with pytest.raises(RecordFormatError, match=r"topic some\.int, partition 2, offset 77") as caught:
        decode_object(ReceivedRecord("some.int", 2, 77, b"k", value))
    assert caught.value.code == code
    assert (caught.value.topic, caught.value.partition, caught.value.offset) == ("some.int", 2, 77)


def test_numbers_keep_what_json_says() -> None:
    record = ReceivedRecord("t", 0, 0, None, json.dumps({"result": 10**30}).encode())
    assert decode_object(record) == {"result": 10**30}
