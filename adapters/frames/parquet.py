"""Observations in a folder of Parquet files: `company=.../system=.../date=.../*.parquet`.

What lives here: writing and reading the folder. What does not: tables (`tables`).

The files hold the columns of `tables.OWN` that say what a record is, and one for each further attribute;
company, system and date (of the phenomenonTime, in UTC) are in the names of the folders.

Source: https://parquet.apache.org/docs/file-format; Hive partitioning as pyarrow reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from adapters.frames.errors import FrameError, SourceError
from adapters.frames.interval import Interval
from adapters.frames.streams import Stream, stream_of
from adapters.frames.tables import INSTANT, RESULT, RESULT_TIME, STREAM, TEXT, TIME

_LEVELS: Final = ("company", "system", "date")
_PARTITIONING: Final = ds.partitioning(pa.schema([(name, pa.string()) for name in _LEVELS]), flavor="hive")
_ABOUT: Final = ("name", "unit", "observed_property")
_NEEDED: Final = (RESULT, "name")
_COMPRESSION: Final = "zstd"
_PRINT_CHARACTERS: Final = 20
_MOST_PARTITIONS: Final = 100_000


class ParquetFolder:
    """A folder of Parquet files as a source of frames.

    Args:
        folder: Where it is.
    """

    name = "parquet"

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self.title = f"the Parquet folder {self._folder}"

    def streams(self, parts: Sequence[str]) -> list[Stream]:
        """List the Datastreams whose names contain one of these texts; all of them for no text.

        Raises:
            SourceError: The folder cannot be read.
        """
        tests = [pc.match_substring(ds.field("name"), part) for part in parts if part]
        condition = None
        if len(tests) == len(parts):
            for test in tests:
                condition = test if condition is None else condition | test
        dataset = self._dataset()
        columns = [name for name in _ABOUT if name in dataset.schema.names]
        found: dict[str, Stream] = {}
        for batch in self._batches(dataset, columns, condition):
            distinct = pa.Table.from_batches([batch]).group_by(columns).aggregate([])
            for row in distinct.to_pylist():
                if row["name"] not in found or row.get("unit"):
                    found[row["name"]] = stream_of(
                        row["name"], row["name"], row.get("unit") or "", row.get("observed_property") or ""
                    )
        return list(found.values())

    def count(self, streams: Sequence[Stream], interval: Interval) -> int:
        """Count the rows of Datastreams in an interval.

        Raises:
            SourceError: The folder cannot be read.
        """
        dataset = self._dataset()
        try:
            return int(dataset.count_rows(filter=_condition(streams, interval)))
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def span(self, streams: Sequence[Stream]) -> Interval | None:
        """Return from when to when there are rows; None for none.

        Raises:
            SourceError: The folder cannot be read.
        """
        ends = [
            pc.min_max(batch.column(0)).as_py()
            for batch in self._batches(self._dataset(), [TIME], _condition(streams, None))
            if batch.num_rows
        ]
        if not ends:
            return None
        return Interval(min(one["min"] for one in ends), max(one["max"] for one in ends))

    def read(
        self, streams: Sequence[Stream], interval: Interval, attributes: Sequence[str]
    ) -> Iterator[pa.Table]:
        """Give the rows of Datastreams in an interval, piece by piece.

        Args:
            streams: The Datastreams.
            interval: From when to when.
            attributes: Further columns.

        Raises:
            SourceError: The folder cannot be read.
        """
        dataset = self._dataset()
        names = pa.array([stream.name for stream in streams])
        present = [name for name in (TEXT, *attributes) if name in dataset.schema.names]
        for batch in self._batches(dataset, [TIME, *_NEEDED, *present], _condition(streams, interval)):
            if not batch.num_rows:
                continue
            columns: dict[str, Any] = {TIME: batch.column(TIME).cast(INSTANT), RESULT: batch.column(RESULT)}
            columns[TEXT] = pa.nulls(batch.num_rows, pa.string())
            columns |= {name: _plain(batch.column(name)) for name in present}
            columns[STREAM] = pc.index_in(_plain(batch.column("name")), names)
            yield pa.table(columns)

    def means(self, streams: Sequence[Stream], interval: Interval, step: timedelta) -> None:
        """Give nothing: means are made of all rows."""

    def _dataset(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        if not self._folder.is_dir():
            raise SourceError(f"{self.title} is not there. write_parquet(frame, folder) makes one")
        try:
            dataset = ds.dataset(self._folder, format="parquet", partitioning=_PARTITIONING)
            # A column that the first file lacks counts, too.
            schemas = [dataset.schema, *(part.physical_schema for part in dataset.get_fragments())]
            dataset = dataset.replace_schema(pa.unify_schemas(schemas, promote_options="permissive"))
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        lacking = [name for name in (TIME, *_NEEDED) if name not in dataset.schema.names]
        if lacking:
            raise SourceError(f"{self.title} has no files with the column {lacking[0]}")
        return dataset

    def _batches(
        self,
        dataset: Any,  # noqa: ANN401 - pyarrow has no types
        columns: list[str],
        condition: Any,  # noqa: ANN401
    ) -> Iterator[Any]:
        try:
            yield from dataset.to_batches(columns=columns, filter=condition)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> SourceError:
        return SourceError(f"{self.title} cannot be read: {error}")

    def close(self) -> None:
        """Close nothing: files are closed when they are read."""


def write_parquet(frame: pd.DataFrame | pa.Table, folder: Path | str) -> list[Path]:
    """Write a frame into a folder of Parquet files, which `frame(..., source="parquet")` reads.

    A frame that is written twice is there once: the names of files come from what is in them.

    Args:
        frame: A long frame as `frame` gives it, or a table of `arrow`, with name and result.
        folder: Where; made when it is not there.

    Returns:
        The files, in the order of their names.

    Raises:
        FrameError: The frame lacks a column, as wide ones do, or the folder cannot be written.
    """
    table = _whole(frame)
    folder = Path(folder)
    partitions = table.select(_LEVELS).group_by(list(_LEVELS)).aggregate([]).num_rows
    if partitions > _MOST_PARTITIONS:
        raise FrameError(f"the frame has {partitions:,} days of systems, a folder each: write it in parts")
    written: list[Path] = []
    try:
        ds.write_dataset(
            table,
            folder,
            format="parquet",
            file_options=ds.ParquetFileFormat().make_write_options(compression=_COMPRESSION),
            partitioning=_PARTITIONING,
            basename_template=f"{_fingerprint(table)}-{{i}}.parquet",
            existing_data_behavior="overwrite_or_ignore",
            max_partitions=_MOST_PARTITIONS,
            file_visitor=lambda file: written.append(Path(file.path)),
        )
    except (OSError, pa.ArrowException) as error:
        raise FrameError(f"{folder} cannot be written: {error}") from error
    return sorted(written)


def _whole(frame: pd.DataFrame | pa.Table) -> pa.Table:
    """Give the table that is written: texts instead of categories, and the columns that name the folders."""
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=True)
    table = table.replace_schema_metadata(None)
    lacking = [name for name in (TIME, *_NEEDED) if name not in table.column_names]
    if lacking:
        raise FrameError(
            f"the frame has no column {lacking[0]!r}. Write a long frame as frame() gives it, with name and "
            "result, and without wide=True"
        )
    columns = {name: _plain(table.column(name)) for name in table.column_names}
    columns[TIME] = columns[TIME].cast(INSTANT)
    if RESULT_TIME in columns:
        columns[RESULT_TIME] = columns[RESULT_TIME].cast(INSTANT)
    if columns["name"].null_count:
        raise FrameError("the frame has rows without a name: their Datastream is unknown. Leave them out")
    distinct = {name: stream_of(name) for name in pc.unique(columns["name"]).to_pylist()}
    names = columns["name"].to_pylist()
    columns["company"] = pa.array([distinct[name].company for name in names], pa.string())
    columns["system"] = pa.array([distinct[name].system for name in names], pa.string())
    columns["date"] = pc.strftime(columns[TIME], format="%Y-%m-%d")
    return pa.table(columns)


def _plain(column: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Give a column without its dictionary."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column


def _fingerprint(table: pa.Table) -> str:
    """Return a text that is the same for the same rows."""
    digest = hashlib.sha256()
    with pa.ipc.new_stream(_Digest(digest), table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return digest.hexdigest()[:_PRINT_CHARACTERS]


class _Digest:
    """A file that keeps the hash of what is written to it only."""

    closed = False

    def __init__(self, digest: Any) -> None:  # noqa: ANN401 - hashlib names no type
        self._digest = digest

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        self._digest.update(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing."""


def _condition(streams: Sequence[Stream], interval: Interval | None) -> Any:  # noqa: ANN401 - pyarrow has no types
    condition = ds.field("name").isin([stream.name for stream in streams])
    systems = sorted({stream.system for stream in streams})
    if all(systems):
        condition &= ds.field("system").isin(systems)
    if interval is None:
        return condition
    start, end = (pa.scalar(moment, INSTANT) for moment in (interval.start, interval.end))
    days = ds.field("date") >= interval.start.date().isoformat()
    days &= ds.field("date") <= interval.end.date().isoformat()
    return condition & days & (ds.field(TIME) >= start) & (ds.field(TIME) < end)
