"""Rows of data arrays, without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings.errors import BodyError
from sensorthings.model.times import parse_period
from sensorthings.store.batches import NewObservation
from sensorthings.writes.arrays import ArrayReader, Group, Targets, parse_groups
from sensorthings.writes.streams import Stream

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STREAM = Stream(1, False, "", 0, None, None, None, None)
COLUMNS = {"phenomenonTime": 0, "result": 1}


def reader() -> ArrayReader:
    return ArrayReader(Targets({1: STREAM}, {7}, {1: 5}), NOW)


def read(row: object, columns: dict[str, int] | None = None) -> NewObservation | None:
    group = Group(1, is_multi=False, columns=columns or COLUMNS, rows=[row])
    (found,) = reader().read(group, group.rows)
    return found


def test_a_row_becomes_an_observation() -> None:
    moment = NOW + timedelta(microseconds=1)
    assert read(["2026-03-01T00:00:00.000001Z", 1.5]) == NewObservation(1, 5, moment, moment, 1.5)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T00:00:00Z",
        "2026-03-01T02:00:00+02:00",
        "2026-03-01T02:00:00 02:00",
        "2026-03-01T00:00:00",
        "2026-03-01",
        "2026-03-01T00:00:00Z/2026-03-01T01:00:00Z",
        "2026-03-01T00:00:00Z/PT1H",
        " 2026-03-01T00:00:00Z ",
        "20260301T000000Z",
    ],
)
def test_times_are_read_as_everywhere_else(text: str) -> None:
    found = read([text, 1])
    assert found is not None
    assert (found.phenomenon_start, found.phenomenon_end) == parse_period(text)


@given(st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.timezones()))
def test_every_instant_is_read_as_everywhere_else(moment: datetime) -> None:
    text = moment.isoformat()
    try:
        expected = parse_period(text)[0]
    except ValueError:
        assert read([text, 1]) is None
    else:
        found = read([text, 1])
        assert found is not None
        assert found.phenomenon_start == expected


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ([1, 2, 3], None),
        (["2026-03-01T00:00:00Z"], None),
        ({"phenomenonTime": 1}, None),
        ("ab", None),
        ([5, 1], None),
        (["2026-03-01T01:00:00Z/2026-03-01T00:00:00Z", 1], None),
        ([None, "\0"], None),
        ([1, "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"], {"result": 0, "resultTime": 1}),
        ([1, 8], {"result": 0, "FeatureOfInterest/id": 1}),
        ([1, True], {"result": 0, "FeatureOfInterest/id": 1}),
        ([1, "7"], {"result": 0, "FeatureOfInterest/id": 1}),
        ([1, []], {"result": 0, "parameters": 1}),
        ([1, {"a": "\0"}], {"result": 0, "parameters": 1}),
        ([1, "\0"], {"result": 0, "resultQuality": 1}),
        ([1, 5], {"result": 0, "validTime": 1}),
    ],
)
def test_a_row_that_cannot_be_stored_is_told_and_counted(row: object, columns: dict[str, int] | None) -> None:
    group = Group(1, is_multi=False, columns=columns or COLUMNS, rows=[row])
    used = reader()
    assert used.read(group, group.rows) == [None]
    assert sum(used.refused.values()) == 1


def test_a_group_without_its_datastream_is_refused_row_by_row() -> None:
    used = reader()
    group = Group(2, is_multi=False, columns=COLUMNS, rows=[1, 2, 3])
    assert used.read(group, group.rows) == [None] * 3
    assert dict(used.refused) == {"there is no Datastream 2": 3}


def test_the_names_of_columns_come_in_any_order_and_in_two_spellings() -> None:
    (group,) = parse_groups(
        [
            {
                "Datastream": {"@iot.id": 1},
                "components": ["FeatureOfInterest/@iot.id", "result", "@iot.id"],
                "dataArray@iot.count": 5,
                "dataArray": [],
            }
        ]
    )
    assert group.columns == {"FeatureOfInterest/id": 0, "result": 1, "id": 2}


def test_a_misspelt_component_is_told_with_its_place() -> None:
    body = [{"Datastream": {"@iot.id": 1}, "components": ["result", "phenomenontime"], "dataArray": []}]
    with pytest.raises(BodyError, match="phenomenontime") as caught:
        parse_groups(body)
    assert caught.value.place == "/0/components/1"
    assert caught.value.hint == "Did you mean phenomenonTime?"
