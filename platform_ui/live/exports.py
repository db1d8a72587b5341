"""Files of records: CSV, JSON lines and Parquet.

What lives here: the forms of files. What does not: which records (``service``).

In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe; numbers stay numbers.
Parquet needs the package pyarrow, which is large: the extra `analytics` brings it.

Sources: RFC 4180 (CSV), OWASP "CSV Injection", https://parquet.apache.org/docs/file-format.
"""

import csv
import importlib
import importlib.util
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from platform_ui.errors import FormError
from platform_ui.live.answers import as_json
from platform_ui.live.forms import FileKind
from platform_ui.live.records import LiveRecord

MOST_RECORDS: Final = 10_000
MOST_LOOKED_AT: Final = 50_000
MEDIA_TYPES: Final = {
    FileKind.CSV: "text/csv; charset=utf-8",
    FileKind.JSON_LINES: "application/x-ndjson",
    FileKind.PARQUET: "application/vnd.apache.parquet",
}
_COLUMNS: Final = (
    "time",
    "thing",
    "datastream",
    "result",
    "unit",
    "attributes",
    "key",
    "topic",
    "partition",
    "offset",
    "arrived_at",
    "id",
    "app",
    "contract",
    "origin",
    "reason",
)
_NUMBERS: Final = frozenset({"partition", "offset"})
_TIMES: Final = frozenset({"time", "arrived_at"})
_LARGEST_WHOLE: Final = 2**1023
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_PIECE: Final = 500  # records


def can_write_parquet() -> bool:
    """Return whether this machine has what Parquet needs."""
    return importlib.util.find_spec("pyarrow") is not None


def require(kind: FileKind) -> None:
    """Return when this machine can write a kind of file.

    Raises:
        FormError: it cannot.
    """
    if kind is FileKind.PARQUET and not can_write_parquet():
        raise FormError(
            {
                "form": "Parquet needs the package pyarrow on the platform's machine: "
                "pip install 'digital-twin-stack[analytics]'."
            },
            code="live.no_parquet",
        )


def pieces(records: Sequence[LiveRecord], kind: FileKind) -> Iterator[bytes]:
    """Give a file piece by piece.

    Args:
        records: what is in it.
        kind: its form.
    """
    if kind is FileKind.PARQUET:
        yield _parquet(records)
        return
    if kind is FileKind.CSV:
        yield _rows([_COLUMNS])
    for start in range(0, len(records), _PIECE):
        part = records[start : start + _PIECE]
        if kind is FileKind.CSV:
            yield _rows([[_cell(value) for value in _values(one)] for one in part])
        else:
            yield "".join(f"{json.dumps(as_json(one), ensure_ascii=False)}\n" for one in part).encode()


def _values(record: LiveRecord) -> list[Any]:
    facts = as_json(record)
    return [facts[name] for name in _COLUMNS]


def _cell(value: object) -> object:
    """Write a value so that no spreadsheet computes it."""
    if value is None or value == {}:
        return ""
    if isinstance(value, int | float):
        return json.dumps(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _rows(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _parquet(records: Sequence[LiveRecord]) -> bytes:
    """Write one table: times as times, results as numbers in ``result`` where all are, else as texts."""
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    rows = [_values(one) for one in records]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(_COLUMNS)}
    columns |= {"time": [one.moment for one in records], "arrived_at": [one.arrived_at for one in records]}
    is_numeric = all(_is_number(one) for one in columns["result"])
    arrays = {}
    for name, values in columns.items():
        if name in _NUMBERS:
            arrays[name] = arrow.array(values, arrow.int64())
        elif name in _TIMES:
            arrays[name] = arrow.array(values, arrow.timestamp("us", tz="UTC"))
        elif name == "result" and is_numeric:
            arrays[name] = arrow.array([float(one) for one in values], arrow.float64())
        else:
            arrays[name] = arrow.array([_text(one) for one in values], arrow.string())
    out = io.BytesIO()
    parquet.write_table(arrow.table(arrays), out, compression="zstd")
    return out.getvalue()


def _is_number(value: object) -> bool:
    """Tell whether a value can be a number of 64 bits; whole ones of JSON have no bound."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= _LARGEST_WHOLE


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
