"""Batches of Observations on their way into the store: rows as plain data, and their form for COPY.

What lives here: what a row holds and how it is written in the text format of COPY. What does not: the
statements (`sensorthings.store.postgres`), checks of what a client sent (`sensorthings.http.data_arrays`).

The text format, written here and sent as one block: per row it costs a fraction of what a driver spends on
adapting every value, and less than the server spends on either format.

Source: PostgreSQL documentation, COPY, "Text Format".
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from sensorthings.model.results import MISSING, split_result

COLUMNS: Final = (
    "datastream_id",
    "feature_of_interest_id",
    "phenomenon_start",
    "phenomenon_end",
    "result_number",
    "result",
    "result_time",
    "is_multi",
    "valid_start",
    "valid_end",
    "result_quality",
    "parameters",
    "dt_id",
)
"""Columns of a row in `copy_lines`; the id, where there is one, stands before them."""
_NULL: Final = "\\N"


class NewObservation(NamedTuple):
    """An Observation to be stored.

    Attributes:
        datastream_id: Of its Datastream or MultiDatastream.
        feature_of_interest_id: Of its feature.
        phenomenon_start: Start of the phenomenonTime; aware.
        phenomenon_end: End of it; equal for an instant.
        result: Any JSON value as Python has it, None for null.
        result_time: None when it is not known.
        is_multi: Whether it is of a MultiDatastream.
        valid_start: Start of the validTime.
        valid_end: End of it.
        result_quality: Any JSON value; None for none.
        parameters: A JSON object; None for none.
        dt_id: The record it came from, or that is made of it; None for none.
        id: Chosen by the client; None lets the store take the next one.
    """

    datastream_id: int
    feature_of_interest_id: int
    phenomenon_start: datetime
    phenomenon_end: datetime
    result: object
    result_time: datetime | None = None
    is_multi: bool = False
    valid_start: datetime | None = None
    valid_end: datetime | None = None
    result_quality: object = None
    parameters: object = None
    dt_id: UUID | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch.

    Attributes:
        ids: Of the rows, in their order; empty for a batch that may have repeated rows.
        stored: Number of rows stored.
        repeated: Number of rows left out because their `dt_id` was there already, or twice in the batch.
    """

    ids: Sequence[int]
    stored: int
    repeated: int = 0


def copy_lines(rows: Iterable[NewObservation], ids: Iterable[int] | None = None) -> bytes:
    """Write rows for COPY, with their ids before them where they are given."""
    lines = map(_line, rows)
    if ids is None:
        return "".join(lines).encode()
    return "".join([f"{identifier}\t{line}" for identifier, line in zip(ids, lines, strict=True)]).encode()


def _line(row: NewObservation) -> str:
    number, value = split_result(row.result)
    start = _time(row.phenomenon_start)
    end = start if row.phenomenon_end is row.phenomenon_start else _time(row.phenomenon_end)
    double = _NULL if number is None else float.__repr__(number)
    result = _NULL if value is MISSING else _json(value)
    result_time = _NULL if row.result_time is None else _time(row.result_time)
    return (
        f"{row.datastream_id}\t{row.feature_of_interest_id}\t{start}\t{end}"
        f"\t{double}\t{result}\t{result_time}\t{'t' if row.is_multi else 'f'}"
        f"{_NO_REST if row[_REST] == _EMPTY else _rest(row)}"
    )


def _rest(row: NewObservation) -> str:
    return (
        f"\t{_NULL if row.valid_start is None else _time(row.valid_start)}"
        f"\t{_NULL if row.valid_end is None else _time(row.valid_end)}"
        f"\t{_NULL if row.result_quality is None else _json(row.result_quality)}"
        f"\t{_NULL if row.parameters is None else _json(row.parameters)}"
        f"\t{_NULL if row.dt_id is None else row.dt_id}\n"
    )


_REST: Final = slice(7, 12)
_EMPTY: Final = (None,) * 5
_NO_REST: Final = f"\t{_NULL}" * 5 + "\n"


def _time(moment: datetime) -> str:
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()


def _json(value: object) -> str:
    # JSON escapes control characters, so that only its own backslashes are left to be doubled.
    return _dump(value).replace("\\", "\\\\")


def _dump(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # A whole number beyond 64 bits.
        return json.dumps(value, ensure_ascii=False, allow_nan=False)


def is_storable(value: object) -> bool:
    r"""Tell whether the database takes a JSON value: it refuses U+0000 in texts.

    >>> is_storable({"a": "b"}), is_storable(["\x00"])
    (True, False)
    """
    return _ZERO.search(_dump(value)) is None


_ZERO: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
