"""Observations as tables and frames."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from adapters.frames import tables
from adapters.frames.errors import FrameError
from adapters.frames.streams import stream_of
from adapters.frames.tables import joined, long_frame, means, named, piece_of, wide_frame

ONE, TWO = stream_of("a.b.c.d.Main.One", 1, "m"), stream_of("a.b.c.d.Main.Two", 2, "s")
TIME = "2026-01-02T03:04:0{}Z"


def test_rows_of_all_pieces_come_in_the_order_of_time() -> None:
    late = piece_of([TIME.format(2), TIME.format(4)], [2.0, 4], 0, {})
    early = piece_of([TIME.format(1), TIME.format(2)], [1, None], 1, {})
    frame = long_frame(named(joined([late, early], ()), [ONE, TWO], None))
    assert frame.index.second.tolist() == [1, 2, 2, 4]
    assert frame["datastream"].tolist() == ["Two", "One", "Two", "One"]
    assert frame["result"].fillna(-1).tolist() == [1, 2, -1, 4]
    assert frame["unit"].tolist() == ["s", "m", "s", "m"]
    assert "result_text" not in frame


def test_results_that_are_no_numbers_are_texts_beside_the_numbers() -> None:
    results = [1, True, "on", {"a": [1]}, None, 10**30, 10**400]
    piece = piece_of([TIME.format(number) for number in range(7)], results, 0, {})
    frame = long_frame(named(joined([piece], ()), [ONE], None))
    assert str(frame["result"].dtype) == "float64"
    assert frame["result"].dropna().tolist() == [1, 1e30]
    assert frame["result_text"].dropna().tolist() == ["true", "on", '{"a":[1]}', "1" + "0" * 400]


def test_the_start_counts_of_an_interval_and_every_form_of_a_time_is_read() -> None:
    texts = ["2026-01-02T03:00:00Z/2026-01-02T04:00:00Z", "2026-01-02T03:04:05.123456789Z"]
    whole = piece_of(texts[:1], [1], 0, {})
    precise = piece_of(texts[1:], [1], 0, {})
    times = joined([whole, precise], ()).column("phenomenon_time").to_pylist()
    assert times == [datetime(2026, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)]


def test_an_attribute_is_a_number_where_it_always_is_one_and_else_a_text() -> None:
    first = piece_of([TIME.format(1)], [1], 0, {"speed": [3], "note": [7], "is_wet": [True], "gap": [None]})
    second = piece_of([TIME.format(2)], [1], 0, {"speed": [None], "note": ["x"], "is_wet": [False]})
    table = joined([first, second], ["speed", "note", "is_wet", "gap"])
    frame = long_frame(named(table, [ONE], ["speed", "note", "is_wet"]))
    assert frame["speed"].tolist()[0] == 3.0
    assert pd.isna(frame["speed"].tolist()[1])
    assert frame["note"].tolist() == ["7", "x"]
    assert frame["is_wet"].tolist() == [True, False]
    with pytest.raises(FrameError, match="No record has 'gap' or 'depth'"):
        named(table, [ONE], ["result", "gap", "depth"])


def test_a_record_that_two_systems_keep_is_there_once() -> None:
    times = [TIME.format(1), TIME.format(1), TIME.format(1)]
    table = joined([piece_of(times, [1, 1, 1], 0, {"dt_id": ["a", "b", "a"]})], ["dt_id"])
    assert table.num_rows == 2


def test_one_id_in_two_datastreams_is_two_records() -> None:
    pieces = [
        piece_of([TIME.format(1)], [result], stream, {"dt_id": ["a"]}) for stream, result in ((0, 1), (1, 2))
    ]
    assert sorted(joined(pieces * 2, ["dt_id"]).column("result").to_pylist()) == [1, 2]


def test_means_are_of_the_numbers_in_steps_from_the_epoch_also_before_it() -> None:
    texts = ["1969-12-31T23:59:59Z", "1970-01-01T00:00:01Z", "1970-01-01T00:00:09.5Z", "1970-01-01T00:00:10Z"]
    table = joined([piece_of(texts, [1, 2, 4, "off"], 0, {})], ())
    found = means(table, timedelta(seconds=10))
    starts = [moment.isoformat() for moment in found.column("phenomenon_time").to_pylist()]
    assert starts == ["1969-12-31T23:59:50+00:00", "1970-01-01T00:00:00+00:00"]
    assert found.column("result").to_pylist() == [1, 3]


def test_a_wide_frame_has_a_row_for_each_moment_and_the_last_of_doubled_results() -> None:
    first = piece_of([TIME.format(1), TIME.format(1), TIME.format(3)], [1, 2, 3], 0, {})
    second = piece_of([TIME.format(2), TIME.format(3)], ["on", "off"], 1, {})
    names = {ONE.name: "one", TWO.name: "two"}
    frame = wide_frame(joined([second, first], ()), [ONE, TWO], names)
    assert frame.columns.tolist() == ["one", "two"]
    assert frame.index.second.tolist() == [1, 2, 3]
    assert frame["one"].fillna(-1).tolist() == [2, -1, 3]
    assert frame["two"].tolist()[1:] == ["on", "off"]
    assert frame.index.name == tables.TIME


def test_an_empty_table_has_its_columns() -> None:
    frame = long_frame(named(joined([], ["speed"]), [ONE], ["result", "name"]))
    assert frame.columns.tolist() == ["result", "name"]
    assert frame.empty
