"""Intervals as analysts type them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from adapters.frames.interval import Interval, Time, iso_duration, length
from client.errors import InvalidTimeError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(start: Time, end: Time = None) -> Interval:
    return Interval.read(start, end, now=lambda: NOON)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("-24h", NOON - timedelta(days=1)),
        ("-1h30min", NOON - timedelta(minutes=90)),
        ("- 90 s", NOON - timedelta(seconds=90)),
        ("-2W", NOON - timedelta(weeks=2)),
        ("-250ms", NOON - timedelta(milliseconds=250)),
        ("2026-03-01T12:00:00+01:00", NOON - timedelta(hours=1)),
        (datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1))), NOON - timedelta(hours=1)),
        (NOON.timestamp() - 60, NOON - timedelta(minutes=1)),
    ],
)
def test_a_start_is_a_time_or_a_length_before_now(given: Time, meant: datetime) -> None:
    assert read(given) == Interval(meant, NOON)
    assert read("-999w", given).end == meant


def test_now_is_now() -> None:
    assert read("-1m", "now") == Interval(NOON - timedelta(minutes=1), NOON)


@pytest.mark.parametrize("given", ["-24", "24h", "-h", "yesterday", "2026-03-01", "-1fortnight", "-9999999w"])
def test_what_names_no_time_is_refused(given: str) -> None:
    with pytest.raises(InvalidTimeError):
        read(given)


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(InvalidTimeError, match="is empty"):
        read("-1h", "-1h")


@pytest.mark.parametrize(
    ("text", "span", "iso"),
    [
        ("10s", timedelta(seconds=10), "PT10S"),
        ("1 min", timedelta(minutes=1), "PT60S"),
        ("1d12h", timedelta(hours=36), "PT129600S"),
        ("0.5s", timedelta(seconds=0.5), "PT0.5S"),
        ("1ms", timedelta(milliseconds=1), "PT0.001S"),
    ],
)
def test_lengths_are_read_and_written_as_the_service_takes_them(text: str, span: timedelta, iso: str) -> None:
    assert length(text) == length(span) == span
    assert iso_duration(span) == iso


@pytest.mark.parametrize("text", ["", "0s", "1", "1M1", "-1s", "1y"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimeError, match="no length of time"):
        length(text)


def test_times_of_pandas_lose_their_nanoseconds_and_nothing_else() -> None:
    found = Interval.read(
        pd.Timestamp("2026-01-01T00:00:00.123456789Z"),
        pd.Timestamp("2026-03-29T03:30", tz="Europe/Vienna"),
        now=lambda: NOON,
    )
    assert type(found.start) is datetime
    assert str(found) == "2026-01-01T00:00:00.123456Z to 2026-03-29T01:30:00Z"


@pytest.mark.parametrize(("fold", "hour"), [(0, 0), (1, 1)])
def test_the_hour_that_comes_twice_is_told_apart(fold: int, hour: int) -> None:
    end = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Vienna"), fold=fold)
    assert Interval.read("2026-01-01T00:00:00Z", end, now=lambda: NOON).end.hour == hour


def test_a_length_beyond_all_time_is_none() -> None:
    with pytest.raises(InvalidTimeError, match="longer"):
        length("99999999999999999w")
