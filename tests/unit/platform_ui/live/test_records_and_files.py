"""Records as they are shown, and files of them."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from pyarrow import parquet

from platform_ui.errors import FormError
from platform_ui.live import exports
from platform_ui.live.forms import FileKind
from platform_ui.live.records import MAX_VALUE, LiveRecord, show
from platform_ui.systems.records import TopicRecord

SYSTEM = "cz.icecars.Fleet.Car1"


def shown(value: object, *, key: str = "Main.Speed", tab: str = "int", **headers: str) -> LiveRecord:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    packed = tuple((name.replace("_", "-"), text.encode()) for name, text in headers.items())
    return show(
        TopicRecord(f"{SYSTEM}.{tab}", 1, 7, 1_769_860_800_000, f"{SYSTEM}.{key}".encode(), raw, packed), tab
    )


def test_a_record_tells_whence_it_came_and_where_its_pages_are() -> None:
    found = shown(
        {"result": 4, "phenomenonTime": "2026-01-31T12:00:00Z", "quality": "ok"},
        key="Main.Air Temperature",
        dt_id="01a2",
        dt_app=f"{SYSTEM}.share",
        dt_contract="c-1",
        dt_origin=f"{SYSTEM}.int/0/9",
    )
    assert found.datastream_url == f"/systems/{SYSTEM}/datastreams/{SYSTEM}.Main.Air%20Temperature"
    assert found.app_url == f"/systems/{SYSTEM}/apps/share"
    assert (found.record_id, found.contract, found.origin) == ("01a2", "c-1", f"{SYSTEM}.int/0/9")
    assert found.attributes == {"quality": "ok"}
    assert found.position == "1:7"
    assert found.moment is not None


def test_a_dead_letter_says_its_reason_first_and_in_full() -> None:
    found = shown(b"{", dt_error="record.not_json", dt_error_detail="line 1", tab="dlq")
    assert found.reason == "record.not_json: line 1"
    assert found.text == "{"
    assert shown(b"{").reason == "not JSON"


def test_a_huge_value_is_cut_and_says_so() -> None:
    found = shown({"result": "x" * MAX_VALUE})
    assert found.is_cut
    assert len(found.text) == MAX_VALUE
    assert found.document == {}


def test_a_key_that_names_no_datastream_has_no_page() -> None:
    found = show(TopicRecord(f"{SYSTEM}.log", 0, 0, 0, b"car_1", b"{}"), "log")
    assert (found.home, found.datastream_url, found.app_url) == ("", "", "")


def test_no_cell_of_a_csv_file_is_a_formula_and_numbers_stay_numbers() -> None:
    records = [shown({"result": -4.5}), shown({"result": "=1+1", "note": 'a "b"'})]
    text = b"".join(exports.pieces(records, FileKind.CSV)).decode()
    head, first, second = csv.reader(io.StringIO(text))
    assert head[:4] == ["time", "thing", "datastream", "result"]
    assert first[3] == "-4.5"
    assert second[3] == "'=1+1"
    assert json.loads(second[5]) == {"note": 'a "b"'}


def test_every_line_of_a_file_of_json_lines_is_a_record() -> None:
    lines = b"".join(exports.pieces([shown({"result": 1}), shown(b"{")], FileKind.JSON_LINES)).splitlines()
    good, bad = map(json.loads, lines)
    assert good["value"] == {"result": 1}
    assert (bad["value"], bad["text"], bad["reason"]) == (None, "{", "not JSON")


def test_parquet_is_refused_where_it_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "can_write_parquet", lambda: False)
    with pytest.raises(FormError, match=r"digital-twin-stack\[analytics\]"):
        exports.require(FileKind.PARQUET)
    exports.require(FileKind.CSV)


def test_a_parquet_file_holds_numbers_as_numbers_where_all_results_are() -> None:
    body = b"".join(exports.pieces([shown({"result": 1}), shown({"result": 2.5})], FileKind.PARQUET))
    table = parquet.read_table(io.BytesIO(body)).to_pylist()
    assert [(row["result"], row["offset"], row["thing"]) for row in table] == [
        (1.0, 7, "Main"),
        (2.5, 7, "Main"),
    ]
    mixed = b"".join(exports.pieces([shown({"result": 1}), shown({"result": "on"})], FileKind.PARQUET))
    assert [row["result"] for row in parquet.read_table(io.BytesIO(mixed)).to_pylist()] == ["1", "on"]


def test_times_of_a_parquet_file_are_times_and_nothing_where_a_record_has_none() -> None:
    good = shown({"result": 1, "phenomenonTime": "2026-01-31T13:00:00.5+01:00"})
    bad = shown({"result": 10**400, "phenomenonTime": "noon"})
    table = parquet.read_table(io.BytesIO(b"".join(exports.pieces([good, bad], FileKind.PARQUET))))
    first, second = table.to_pylist()
    assert first["time"] == datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)
    assert second["time"] is None
    assert first["arrived_at"] == second["arrived_at"] == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (first["result"], second["result"]) == ("1", "1" + "0" * 400), "no number of 64 bits"
    assert table.schema.field("time").type.tz == "UTC"
