"""Months that need a partition of their own."""

from datetime import UTC, datetime, timedelta, timezone

from sensorthings.store.partitions import months_of


def test_months_are_those_of_utc() -> None:
    east = timezone(timedelta(hours=2))
    moments = [datetime(2026, 2, 1, 1, tzinfo=east), datetime(2026, 2, 1, 3, tzinfo=east)]
    assert months_of(moments) == {(2026, 1), (2026, 2)}


def test_years_far_away_share_partitions_that_are_there() -> None:
    years = [1, 1999, 2000, 2099, 2100, 9999]
    assert months_of(datetime(year, 6, 1, tzinfo=UTC) for year in years) == {(2000, 6), (2099, 6)}
