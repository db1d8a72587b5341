"""What a person sees of a record: other people's bytes never break the page."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from platform_ui.systems.sight import Sight, kafka_time, see

KEY = b"is.iceland.Weather.Stations.Seattle.Air Temperature"
NOON_MS = int(datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp() * 1000)


def seen(
    value: bytes | None, *, key: bytes | None = KEY, headers: tuple[tuple[str, bytes | None], ...] = ()
) -> Sight:
    return see(
        tab="int",
        topic="t",
        partition=1,
        offset=7,
        timestamp_ms=NOON_MS,
        key=key,
        value=value,
        headers=headers,
    )


def test_an_observation_is_shown_with_its_thing_datastream_and_own_time() -> None:
    value = {"phenomenonTime": "2026-01-02T13:00:00+01:00", "result": 4.5, "Datastream": {"@iot.id": 3}}
    sight = seen(json.dumps(value).encode())
    assert (sight.thing, sight.datastream, sight.result) == ("Seattle", "Air Temperature", "4.5")
    assert sight.time == "2026-01-02T12:00:00.000000Z"
    assert (sight.origin, sight.problem) == ("is.iceland.Weather.Stations", "")


def test_a_forwarded_record_shows_the_app_that_brought_it() -> None:
    sight = seen(b'{"result": 1}', headers=(("dt-app", b"is.iceland.Weather.Stations.cold"), ("x", None)))
    assert sight.origin == "is.iceland.Weather.Stations.cold"


def test_a_dead_letter_shows_its_reason() -> None:
    assert seen(b"{", headers=(("dt-error", b"record.not_json"),)).problem == "record.not_json"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (0, "0"),
        (False, "false"),
        (None, "null"),
        ("", ""),
        (1e-7, "1e-07"),
        ({"a": 1}, '{"a": 1}'),
        ("x" * 500, None),
    ],
)
def test_falsy_and_structured_results_are_shown(result: object, text: str | None) -> None:
    shown = seen(json.dumps({"result": result}).encode()).result
    assert shown == text if text is not None else (len(shown) == 120 and shown.endswith("…"))


@pytest.mark.parametrize("value", [None, b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_no_observation_is_told_apart(value: bytes | None) -> None:
    sight = seen(value)
    assert sight.problem
    assert len(sight.result) <= 120


@pytest.mark.parametrize("time", ["yesterday", -1, 1e300, True, None, [], "2026-13-01T00:00:00Z"])
def test_an_impossible_time_does_not_break_the_line(time: object) -> None:
    assert seen(json.dumps({"phenomenonTime": time, "result": 1}).encode()).time


@pytest.mark.parametrize("key", [None, b"", b"car_1", b"\xff", b"a.b.c.d.e"])
def test_a_key_that_is_no_datastream_name_is_shown_as_it_is(key: bytes | None) -> None:
    sight = seen(b'{"result": 1}', key=key)
    assert (sight.thing, sight.origin) == ("", "")


@pytest.mark.parametrize(
    ("timestamp_ms", "year"), [(NOON_MS, 2026), (-1, 1970), (10**15, 9999), (2**63 - 1, 9999)]
)
def test_a_time_of_kafka_that_no_calendar_has_is_the_nearest_one(timestamp_ms: int, year: int) -> None:
    found = kafka_time(timestamp_ms)
    assert found.year == year
    assert found.astimezone(timezone(timedelta(hours=14))).year == year, "every time zone can write it"
