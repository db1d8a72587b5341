"""Lengths and functions of time buckets."""

from datetime import timedelta

import pytest

from sensorthings.errors import QuerySyntaxError, QueryTypeError
from sensorthings.store.buckets import FUNCTIONS, parse_bucket, parse_functions


@pytest.mark.parametrize(
    ("text", "length", "unit"),
    [
        ("PT15M", timedelta(minutes=15), ""),
        ("PT1H", timedelta(hours=1), ""),
        ("P2D", timedelta(days=2), ""),
        ("PT0.001S", timedelta(milliseconds=1), ""),
        ("P1D", None, "day"),
        ("P1W", None, "week"),
        ("P1M", None, "month"),
        ("P3M", None, "quarter"),
        ("P1Y", None, "year"),
    ],
)
def test_a_length_is_fixed_or_of_the_calendar(text: str, length: timedelta | None, unit: str) -> None:
    bucket = parse_bucket(text)
    assert (bucket.length, bucket.unit) == (length, unit)


@pytest.mark.parametrize("text", ["", "1h", "P2M", "PT0S", "-PT1H", "PT0.0001S", "P99999999W", "P1D\0"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(QuerySyntaxError, match="bucket"):
        parse_bucket(text)


def test_functions_are_taken_once_and_in_order() -> None:
    assert parse_functions("max, min,max") == ("max", "min")
    assert parse_functions(",".join(FUNCTIONS)) == tuple(FUNCTIONS)


@pytest.mark.parametrize("text", ["", "count,", "median", "COUNT"])
def test_an_unknown_function_is_refused(text: str) -> None:
    with pytest.raises(QueryTypeError, match="function"):
        parse_functions(text)
