"""Rows as COPY takes them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings.store.batches import COLUMNS, NewObservation, copy_lines, is_storable

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def line(result: object, **more: Any) -> list[str]:  # noqa: ANN401 - columns by name
    row = NewObservation(1, 2, MOMENT, MOMENT, result)._replace(**more)
    text = copy_lines([row]).decode()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return text.removesuffix("\n").split("\t")


def test_a_plain_number_has_no_json() -> None:
    moment = "2026-01-02T03:04:05+00:00"
    assert line(21.5) == ["1", "2", moment, moment, "21.5", "\\N", "\\N", "f", *["\\N"] * 5]


@pytest.mark.parametrize(
    ("result", "number", "json"),
    [
        (20.0, "20.0", "20.0"),
        (20, "20.0", "\\N"),
        (2**60, "1.152921504606847e+18", "1152921504606846976"),
        (10**400, "\\N", "1" + "0" * 400),
        (None, "\\N", "null"),
        (True, "\\N", "true"),
        ("a\tb\\c\n\x07", "\\N", r'"a\\tb\\\\c\\n\\u0007"'),
        ({"a": [1, None]}, "\\N", '{"a":[1,null]}'),
    ],
)
def test_a_result_is_written_as_it_is_stored(result: object, number: str, json: str) -> None:
    assert line(result)[4:6] == [number, json]


def test_every_column_has_its_place() -> None:
    here = MOMENT.astimezone(timezone(timedelta(hours=2)))
    values = line(
        1,
        phenomenon_start=here,
        phenomenon_end=here + timedelta(seconds=1),
        result_time=here,
        is_multi=True,
        valid_start=here,
        valid_end=here,
        result_quality=["q"],
        parameters={"p": "\\"},
        dt_id=UUID(int=7),
    )
    assert dict(zip(COLUMNS, values, strict=True)) == {
        "datastream_id": "1",
        "feature_of_interest_id": "2",
        "phenomenon_start": "2026-01-02T03:04:05+00:00",
        "phenomenon_end": "2026-01-02T03:04:06+00:00",
        "result_number": "1.0",
        "result": "\\N",
        "result_time": "2026-01-02T03:04:05+00:00",
        "is_multi": "t",
        "valid_start": "2026-01-02T03:04:05+00:00",
        "valid_end": "2026-01-02T03:04:05+00:00",
        "result_quality": '["q"]',
        "parameters": r'{"p":"\\\\"}',
        "dt_id": "00000000-0000-0000-0000-000000000007",
    }


def test_ids_stand_first_where_they_are_given() -> None:
    rows = [NewObservation(1, 2, MOMENT, MOMENT, at) for at in range(2)]
    assert [one[:4] for one in copy_lines(rows, [10, 11]).decode().splitlines()] == ["10\t1", "11\t1"]


@given(
    st.recursive(
        st.text() | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_exactly_what_holds_the_character_zero_is_not_storable(value: object) -> None:
    assert is_storable(value) is not _has_zero(value)


def test_a_backslash_before_the_code_of_zero_is_no_zero() -> None:
    assert is_storable("\\u0000")
    assert not is_storable("\\\0")


def _has_zero(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_zero(one) for pair in value.items() for one in pair)
    return isinstance(value, list) and any(map(_has_zero, value))
