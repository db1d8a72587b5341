"""Observations as Arrow tables and pandas frames; no I/O.

What lives here: the columns, putting pieces of a source together, means over time, the wide form. What does
not: where the pieces come from (the sources), what is asked for (`reading`).

A source gives pieces, tables with the columns of `PIECE` and one for each further attribute. What users get
has `phenomenon_time` first, or as index, and for each observation the names of its Datastream.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from adapters.frames.errors import FrameError
from adapters.frames.streams import Stream
from client.metadata.times import parse_time

TIME: Final = "phenomenon_time"
RESULT: Final = "result"
TEXT: Final = "result_text"
RESULT_TIME: Final = "result_time"
DT_ID: Final = "dt_id"
STREAM: Final = "stream"
INSTANT: Final = pa.timestamp("us", tz="UTC")
NAMES: Final = ("name", "thing", "datastream", "unit", "system", "observed_property", "company")
"""Columns that tell of the Datastream."""
SHOWN: Final = (RESULT, "name", "thing", "datastream", "unit", "system")
"""Columns where none are asked for; `result_text` comes with them where a result is no number."""
OWN: Final = (TIME, RESULT, TEXT, RESULT_TIME, DT_ID, *NAMES)
"""All columns that are not further attributes of the records."""
PIECE: Final = pa.schema([(TIME, INSTANT), (RESULT, pa.float64()), (TEXT, pa.string()), (STREAM, pa.int32())])
_NAME: Final = pa.dictionary(pa.int32(), pa.string())


def piece_of(
    times: Sequence[str],
    results: Sequence[object],
    streams: Sequence[int] | int,
    further: Mapping[str, Sequence[object]],
) -> pa.Table:
    """Make a piece out of JSON values.

    Args:
        times: phenomenonTimes, instants or intervals, as ISO 8601 text in UTC.
        results: Any JSON values.
        streams: For each the place of its Datastream among those asked for; a number for all of them.
        further: Values of attributes, by name; `result_time` is one of them.
    """
    count = len(times)
    places = np.full(count, streams, np.int32) if isinstance(streams, int) else np.asarray(streams, np.int32)
    columns = {TIME: instants(times), **_results(results), STREAM: pa.array(places)}
    for name, values in further.items():
        columns[name] = instants(values) if name == RESULT_TIME else attribute(values)
    return pa.table(columns)


def instants(texts: Sequence[Any]) -> pa.Array:
    """Read times; the start counts of an interval (OGC 18-088, clause 8.2.7)."""
    starts = [None if text is None else str(text).partition("/")[0] for text in texts]
    try:
        return pa.array(starts, pa.string()).cast(INSTANT)
    except pa.ArrowInvalid:  # more than six digits, or an offset: the client's reader takes every form
        read = [None if text is None else parse_time(text, now=_no_clock) for text in starts]
        return pa.array(read, INSTANT)


def _no_clock() -> Any:  # noqa: ANN401 - never returns
    raise AssertionError("asked for None only")


def _results(results: Sequence[object]) -> dict[str, pa.Array]:
    try:
        if not any(isinstance(result, bool) for result in results):
            numbers = pa.array(results, pa.float64())
            return {RESULT: numbers, TEXT: pa.nulls(len(results), pa.string())}
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    found = [_number(one) for one in results]
    both = zip(results, found, strict=True)
    texts = [text_of(one) if number is None else None for one, number in both]
    return {RESULT: pa.array(found, pa.float64()), TEXT: pa.array(texts, pa.string())}


def _number(value: object) -> float | None:
    """Give the number of 64 bits that is nearest; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def text_of(value: object) -> str | None:
    """Write a JSON value as text; texts as they are."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def attribute(values: Sequence[Any]) -> pa.Array:
    """Make a column of an attribute: numbers, truths, or texts when it is not the one or the other."""
    present = {type(value) for value in values if value is not None}
    if not present:
        return pa.nulls(len(values))
    if present <= {int, float}:
        found = [_number(value) for value in values]
        if found.count(None) == list(values).count(None):
            return pa.array(found, pa.float64())
    return pa.array(values) if present == {bool} else pa.array([text_of(one) for one in values], pa.string())


def joined(pieces: Iterable[pa.Table], further: Sequence[str]) -> pa.Table:
    """Put pieces together, in the order of time, and of Datastreams within it.

    Args:
        pieces: Those of the source, not all of which have every attribute.
        further: Names of the attributes.
    """
    kept = list(pieces)
    columns = list(PIECE.names) + list(further)
    types = {name: _common(name, kept) for name in further}
    schema = pa.schema([*PIECE, *((name, types[name]) for name in further)])
    alike = [
        pa.table({name: _cast(piece, name, schema.field(name).type) for name in columns}, schema=schema)
        for piece in kept
    ]
    whole = pa.concat_tables(alike) if alike else schema.empty_table()
    return _once(whole).sort_by([(TIME, "ascending"), (STREAM, "ascending")])


def _once(table: pa.Table) -> pa.Table:
    """Give each record once, where ids tell: two systems may keep the same one.

    A device chooses the ids of its records, so each counts for its own Datastream.
    """
    if DT_ID not in table.column_names or pc.count_distinct(table.column(DT_ID)).as_py() == table.num_rows:
        return table
    numbered = table.append_column("row", pa.array(np.arange(table.num_rows)))
    first = numbered.group_by([STREAM, DT_ID]).aggregate([("row", "min")])
    return table.take(first.column("row_min"))


def _common(name: str, pieces: Iterable[pa.Table]) -> pa.DataType:
    if name == RESULT_TIME:
        return INSTANT
    found = {piece.schema.field(name).type for piece in pieces if name in piece.column_names} - {pa.null()}
    if len(found) == 1:
        return found.pop()
    return pa.string() if found else pa.null()


def _cast(piece: pa.Table, name: str, wanted: pa.DataType) -> pa.ChunkedArray | pa.Array:
    if name not in piece.column_names:
        return pa.nulls(piece.num_rows, wanted)
    return piece.column(name).cast(wanted)


def means(table: pa.Table, step: timedelta) -> pa.Table:
    """Give the mean of the numbers of each Datastream in each step; steps start at 1970-01-01T00:00:00Z."""
    numbers = table.filter(pc.is_valid(table.column(RESULT)))
    micros = step // timedelta(microseconds=1)
    times = numbers.column(TIME).cast(pa.int64()).to_numpy()
    starts = pa.array(times // micros * micros).cast(INSTANT)
    stepped = numbers.select([RESULT, STREAM]).append_column(TIME, starts)
    found = stepped.group_by([TIME, STREAM]).aggregate([(RESULT, "mean")])
    plain = pa.table(
        {
            TIME: found.column(TIME),
            RESULT: found.column(f"{RESULT}_mean"),
            TEXT: pa.nulls(found.num_rows, pa.string()),
            STREAM: found.column(STREAM),
        }
    )
    return plain.sort_by([(TIME, "ascending"), (STREAM, "ascending")])


def named(table: pa.Table, streams: Sequence[Stream], columns: Sequence[str] | None) -> pa.Table:
    """Give what a user sees: the names of Datastreams instead of their places.

    Args:
        table: What `joined` or `means` gave.
        streams: The Datastreams asked for, in the order of the places.
        columns: What is wanted beside the time; None for `SHOWN`.

    Raises:
        FrameError: A column is asked for that no record has.
    """
    wanted = list(columns) if columns is not None else list(SHOWN)
    if columns is None and table.column(TEXT).null_count < table.num_rows:
        wanted.insert(1, TEXT)
    lacking = [name for name in wanted if name not in (*OWN, *table.column_names) or _is_empty(table, name)]
    if lacking:
        known = sorted(name for name in {*OWN, *table.column_names} if name not in lacking)
        raise FrameError(
            f"No record has {' or '.join(repr(name) for name in lacking)}. There are: {', '.join(known)}"
        )
    places = table.column(STREAM).combine_chunks()
    made = {TIME: table.column(TIME)}
    for name in dict.fromkeys(wanted):
        if name in NAMES:
            made[name] = _categories(places, [getattr(stream, name) for stream in streams])
        elif name != TIME:
            made[name] = table.column(name)
    return pa.table(made)


def _is_empty(table: pa.Table, name: str) -> bool:
    is_there = table.num_rows > 0 and name in table.column_names
    return is_there and bool(pa.types.is_null(table.schema.field(name).type))


def _categories(places: pa.Array, values: Sequence[str]) -> pa.DictionaryArray:
    """Encode the names that occur; several Datastreams may share one, as they do a Thing."""
    rows = places.to_numpy()
    distinct = sorted({values[at] for at in np.unique(rows)})
    number = {value: at for at, value in enumerate(distinct)}
    lookup = np.asarray([number.get(value, -1) for value in values], np.int32)
    chosen = lookup[rows] if len(values) else np.empty(0, np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(chosen), pa.array(distinct, pa.string())).cast(_NAME)


def long_frame(table: pa.Table) -> pd.DataFrame:
    """Give a frame with a row for each observation, indexed by time."""
    return table.to_pandas().set_index(TIME)


def wide_frame(table: pa.Table, streams: Sequence[Stream], own_names: Mapping[str, str]) -> pd.DataFrame:
    """Give a frame with a column for each Datastream; where one has no result at a time it is missing.

    Of several results of a Datastream at one time the last counts. A Datastream without any number is shown
    by its texts.

    Args:
        table: What `joined` or `means` gave.
        streams: The Datastreams asked for, in the order of the places.
        own_names: Column by full name.
    """
    columns = {}
    places = table.column(STREAM)
    for at, stream in enumerate(streams):
        rows = table.filter(pc.equal(places, at))
        has_text = rows.num_rows > 0 and rows.column(RESULT).null_count == rows.num_rows
        series = rows.select([TIME, TEXT if has_text else RESULT]).to_pandas().set_index(TIME).iloc[:, 0]
        columns[own_names[stream.name]] = series[~series.index.duplicated(keep="last")]
    if not columns:
        return pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC", name=TIME))
    frame = pd.concat(columns, axis="columns", sort=True)
    frame.index.name = TIME
    return frame[[own_names[stream.name] for stream in streams]]
