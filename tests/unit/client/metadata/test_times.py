"""Every accepted form of a time, and the refusal of everything else."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import InvalidTimeError
from client.metadata.times import EPOCH, format_time, parse_time

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

times = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
recent = st.datetimes(min_value=datetime(1974, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


def parsed(value: object) -> datetime:
    return parse_time(value, now=lambda: NOW)  # type: ignore[arg-type]


def test_none_is_now() -> None:
    assert parsed(None) == NOW


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05.678901Z",
        "2026-01-02T03:04:05.678901+00:00",
        "2026-01-02t03:04:05.678901z",
        "2026-01-02 03:04:05.678901Z",
        "2026-01-02T05:04:05.678901+02:00",
        "2026-01-02T05:04:05.678901+0200",
        "2026-01-02T05:04:05.678901+02",
        "2026-01-01T21:34:05.678901-05:30",
        "2026-01-02T03:04:05.678901234Z",
        "2026-01-02T03:04:05,678901Z",
        "20260102T030405.678901Z",
        "2026-W01-5T03:04:05.678901Z",
        " 2026-01-02T03:04:05.678901Z\n",
    ],
)
def test_iso_8601_text_is_read(text: str) -> None:
    assert parsed(text) == MOMENT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04Z", "2026-01-02T03:04:00.000000Z"),
        ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100000Z"),
        ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00.000000Z"),
        ("2026-06-30T23:59:60.5+00:00", "2026-07-01T00:00:00.500000Z"),
    ],
)
def test_less_common_precisions_are_read(text: str, expected: str) -> None:
    assert format_time(parsed(text)) == expected


@pytest.mark.parametrize(
    "number",
    [
        1767323045.678901,
        1767323045678.901,
        1767323045678901,
        1767323045678901.0,
        1767323045678901000,
        1767323045678901999,
        Fraction(1767323045678901, 1_000_000),
    ],
)
def test_epoch_numbers_tell_their_unit_by_magnitude(number: float) -> None:
    assert abs(parsed(number) - MOMENT) <= timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, EPOCH),
        (-1, EPOCH - timedelta(seconds=1)),
        (-1.5, EPOCH - timedelta(seconds=1.5)),
        (10**11 - 1, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (10**11, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (10**14, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (10**17, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
    ],
)
def test_the_bounds_between_units_are_where_the_documentation_says(number: float, expected: datetime) -> None:
    assert parsed(number) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "boolean"),
        (False, "boolean"),
        (float("nan"), "not a point in time"),
        (float("inf"), "not a point in time"),
        (10**30, "between the years"),
        (1e300, "between the years"),
        (datetime(2026, 1, 2, 3, 4, 5), "no UTC offset"),  # noqa: DTZ001 - the point of the test
        ("2026-01-02T03:04:05", "no UTC offset"),
        ("2026-01-02", "not an ISO 8601 time"),
        ("", "not an ISO 8601 time"),
        ("now", "not an ISO 8601 time"),
        ("1767323045", "not an ISO 8601 time"),
        ("2026-13-02T03:04:05Z", "not an ISO 8601 time"),
        ("2026-02-30T03:04:05Z", "not an ISO 8601 time"),
        ("2026-01-02T25:04:05Z", "not an ISO 8601 time"),
        ("2026-01-02T03:04:61Z", "not an ISO 8601 time"),
        ("2026-01-02T03:04:05+99:00", "not an ISO 8601 time"),
        ("0001-01-01T00:00:00+05:00", "outside the years"),
        ("9999-12-31T23:59:60Z", "not an ISO 8601 time"),
        ("٢٠٢٦-01-02T03:04:05Z", "not an ISO 8601 time"),
        ("2026-01-02T03:04:05Z/2026-01-02T03:04:06Z", "not an ISO 8601 time"),
        ("2026-01-02T03:04:05Z" + "0" * 10_000, "not an ISO 8601 time"),
        (date(2026, 1, 2), "a date is not a time"),
        (Decimal(1), "a Decimal is not a time"),
        ([], "a list is not a time"),
        (b"2026-01-02T03:04:05Z", "a bytes is not a time"),
    ],
)
def test_everything_else_is_refused_with_the_reason(value: object, reason: str) -> None:
    with pytest.raises(InvalidTimeError, match=reason) as caught:
        parsed(value)
    assert len(str(caught.value)) < 400


def test_formatting_refuses_a_time_without_offset() -> None:
    with pytest.raises(InvalidTimeError, match="no UTC offset"):
        format_time(datetime(2026, 1, 2))  # noqa: DTZ001 - the point of the test


@given(times)
def test_a_time_is_written_as_the_standard_library_writes_it(moment: datetime) -> None:
    expected = moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    assert format_time(moment) == expected
    assert format_time(moment.astimezone(timezone(timedelta(hours=5, minutes=30)))) == expected


@given(times)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    text = format_time(moment)
    assert len(text) == len("2026-01-02T03:04:05.678901Z")
    assert parsed(text) == moment


@given(times, st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_the_offset_does_not_change_the_moment(moment: datetime, minutes: int) -> None:
    local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert parsed(local) == moment
    assert parsed(local.isoformat()) == moment


@given(recent)
def test_whole_numbers_of_every_unit_are_exact(moment: datetime) -> None:
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    assert parsed(microseconds) == moment
    assert parsed(microseconds * 1000) == moment
    assert parsed(microseconds // 1000) == EPOCH + timedelta(milliseconds=microseconds // 1000)
    assert parsed(microseconds // 1_000_000) == EPOCH + timedelta(seconds=microseconds // 1_000_000)


@given(st.one_of(st.text(), st.floats(), st.integers()))
def test_any_text_or_number_is_a_time_or_a_clear_error(value: str | float) -> None:
    try:
        moment = parsed(value)
    except InvalidTimeError as error:
        assert str(error)  # noqa: PT017 - either outcome is right, nothing else is
    else:
        assert moment.utcoffset() == timedelta(0)
