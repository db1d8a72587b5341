"""Sums over buckets: by Datastream, hour and weekday, with the shades of a heat map."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from platform_ui.analytics.sums import (
    LEVELS,
    Bucket,
    Sums,
    by_datastream,
    by_hour,
    combined,
    of_hours,
    of_weekdays,
)

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def sums(*numbers: int) -> Sums:
    return Sums(len(numbers), float(sum(numbers)), min(numbers), max(numbers))


def bucket(start: datetime, *numbers: int, datastream: int = 1) -> Bucket:
    return Bucket(datastream, start, start + timedelta(hours=1), sums(*numbers))


@given(st.lists(st.lists(st.integers(-1000, 1000), min_size=1), min_size=1))
def test_sums_of_parts_are_the_sums_of_the_whole(parts: list[list[int]]) -> None:
    whole = [number for part in parts for number in part]
    assert combined(sums(*part) for part in parts) == sums(*whole)
    assert sums(*whole).mean == sum(whole) / len(whole)


def test_nothing_has_no_sums() -> None:
    assert combined([]) is None
    assert by_datastream([]) == {}
    assert by_hour([]) == []


def test_sums_stay_with_their_datastream() -> None:
    found = by_datastream([bucket(MONDAY, 1, 2), bucket(MONDAY, 9, datastream=2), bucket(MONDAY, 6)])
    assert found == {1: sums(1, 2, 6), 2: sums(9)}


def test_hours_are_those_of_utc_and_weeks_begin_on_monday() -> None:
    elsewhere = datetime(2026, 3, 3, 1, tzinfo=timezone(timedelta(hours=2)))  # Monday, 23 h in UTC
    cells = by_hour([bucket(elsewhere, 4), bucket(MONDAY + timedelta(days=6), 2), bucket(MONDAY, 1)])
    assert [(cell.weekday, cell.hour) for cell in cells] == [(1, 0), (1, 23), (7, 0)]


def test_the_same_hour_of_different_weeks_is_one_cell() -> None:
    (cell,) = by_hour([bucket(MONDAY, 1), bucket(MONDAY + timedelta(weeks=1), 5)])
    assert (cell.sums, cell.level) == (sums(1, 5), 0)


def test_shades_go_from_the_lowest_to_the_highest_mean() -> None:
    cells = by_hour([bucket(MONDAY + timedelta(hours=hour), hour) for hour in range(24)])
    levels = [cell.level for cell in cells]
    assert levels == sorted(levels)
    assert set(levels) == set(range(LEVELS))


def test_hours_and_weekdays_add_up_to_the_same() -> None:
    cells = by_hour([bucket(MONDAY + timedelta(hours=5 * n), n) for n in range(30)])
    assert combined(of_hours(cells).values()) == combined(of_weekdays(cells).values()) == sums(*range(30))
