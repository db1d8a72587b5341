"""Records of Observations made over HTTP."""

from datetime import UTC, datetime

import orjson

from sensorthings.writes.outbox_rows import new_dt_id, record_value

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = datetime(2026, 1, 2, 4, 4, 5, 600_000, tzinfo=UTC)


def test_record_has_times_result_and_datastream() -> None:
    values = {"phenomenon_start": TIME, "phenomenon_end": TIME, "result": 0}

    assert orjson.loads(record_value(7, values)) == {
        "phenomenonTime": "2026-01-02T03:04:05.000000Z",
        "resultTime": None,
        "result": 0,
        "Datastream": {"@iot.id": 7},
    }


def test_record_has_what_else_was_given() -> None:
    values = {
        "phenomenon_start": TIME,
        "phenomenon_end": LATER,
        "result": [1, None],
        "result_time": LATER,
        "valid_start": TIME,
        "valid_end": TIME,
        "result_quality": "good",
        "parameters": {"a": 1},
    }

    assert orjson.loads(record_value(7, values, is_multi=True)) == {
        "phenomenonTime": "2026-01-02T03:04:05.000000Z/2026-01-02T04:04:05.600000Z",
        "resultTime": "2026-01-02T04:04:05.600000Z",
        "result": [1, None],
        "MultiDatastream": {"@iot.id": 7},
        "validTime": "2026-01-02T03:04:05.000000Z/2026-01-02T03:04:05.000000Z",
        "resultQuality": "good",
        "parameters": {"a": 1},
    }


def test_ids_of_records_are_ordered_by_time() -> None:
    first, second = new_dt_id(), new_dt_id()

    assert (first.version, second.version) == (7, 7)
    assert first.int >> 80 <= second.int >> 80
