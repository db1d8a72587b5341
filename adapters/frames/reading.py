"""What analysts call: `frame`, `arrow`, `datastreams`.

What lives here: the order of the steps, limits, progress. What does not: sources, tables, patterns.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from adapters.frames import tables
from adapters.frames.errors import FrameError, NoDataError, TooMuchError
from adapters.frames.interval import Interval, Time, length
from adapters.frames.settings import AUTO, Source, open_source
from adapters.frames.streams import (
    Names,
    Stream,
    choose,
    fixed_part,
    patterns_of,
    short_names,
)
from client.errors import DigitalTwinError

LIMIT: Final = 5_000_000
"""Most observations of one frame where no limit is given: some hundreds of MB."""
_DAY: Final = "-24h"
_QUIET_S: Final = 1.0
_MEGABYTE: Final = 1e6
_ROW_BYTES: Final = 80  # while it is made, its pieces are there as well


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a user asks for.

    Attributes:
        patterns: Of names.
        interval: From when to when.
        step: Length of steps; None for each observation.
        attributes: Columns that the source has to give beyond results.
        limit: Most observations; None for any number.
        shows: Whether to say how far reading is.
    """

    patterns: Sequence[str]
    interval: Interval
    step: timedelta | None
    attributes: Sequence[str]
    limit: int | None
    shows: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read.

    Attributes:
        table: As `tables.joined` or `tables.means` gave it.
        streams: The Datastreams, in the order of the places.
        title: Of the source.
        interval: What was asked for.
    """

    table: pa.Table
    streams: Sequence[Stream]
    title: str
    interval: Interval


def frame(
    names: Names,
    start: Time = _DAY,
    end: Time = None,
    *,
    source: str = AUTO,
    every: str | timedelta | None = None,
    columns: Sequence[str] | None = None,
    wide: bool = False,
    limit: int | None = LIMIT,
    progress: bool = True,
) -> pd.DataFrame:
    """Give the observations of Datastreams as a pandas frame, in the order of time.

    Args:
        names: A full name or a pattern as `Car1.*`, a list of them, or a mapping of your own names to them.
        start: First time: any form the client takes, or a length before now, as `-24h`.
        end: The time before which it ends; None for now.
        source: `observations` (SensorThings), `elasticsearch`, `parquet`, the path of a Parquet folder;
            `auto` for the first of them that is set.
        every: Give means over steps of this length, as `1min`, instead of each observation.
        columns: Columns of the long form: of `tables.OWN`, or attributes that records carry; None for the
            result and the names.
        wide: Give a column for each Datastream instead of a row for each observation.
        limit: Most observations; None for any number.
        progress: Say how far reading is when it takes more than a second.

    Returns:
        Indexed by `phenomenon_time` (UTC). Long: `result` (float64; `result_text` beside it where results are
        no numbers) and the names as categories. `attrs["units"]` has the unit of each Datastream,
        `attrs["source"]` and `attrs["interval"]` what was read.

    Raises:
        NoMatchError, AmbiguousNameError: No Datastream is meant, or those of several systems.
        NoDataError: There is nothing in the interval.
        TooMuchError: There is more than the limit.
        FrameError: A column is asked for that no record has.
        InvalidTimeError: The interval or `every` cannot be read.
        ConfigurationError: The source is not set.
        SensorThingsError, SourceError: The source does not answer, or refuses.
    """
    if wide and columns is not None:
        raise FrameError("columns= chooses columns of the long form: leave it out with wide=True")
    asked = _asked(names, start, end, every, columns, limit=limit, shows=progress)
    found = _read(asked, source)
    if wide:
        own = short_names(names, found.streams, found.title)
        made = tables.wide_frame(found.table, found.streams, own)
        units = {own[stream.name]: stream.unit for stream in found.streams}
    else:
        made = tables.long_frame(tables.named(found.table, found.streams, columns))
        units = {stream.name: stream.unit for stream in found.streams}
    made.attrs |= {"units": units, "source": found.title, "interval": str(found.interval)}
    return made


def arrow(
    names: Names,
    start: Time = _DAY,
    end: Time = None,
    *,
    source: str = AUTO,
    every: str | timedelta | None = None,
    columns: Sequence[str] | None = None,
    limit: int | None = LIMIT,
    progress: bool = True,
) -> pa.Table:
    """Give the observations of Datastreams as an Arrow table, in the order of time.

    The arguments and errors are those of `frame`.
    """
    found = _read(_asked(names, start, end, every, columns, limit=limit, shows=progress), source)
    return tables.named(found.table, found.streams, columns)


def datastreams(pattern: str = "*", *, source: str = AUTO) -> pd.DataFrame:
    """List the Datastreams that fit a pattern: name, thing, datastream, system, unit, observed_property.

    Args:
        pattern: As `frame` takes it.
        source: As `frame` takes it.

    Raises:
        NoMatchError, AmbiguousNameError: No Datastream is meant, or those of several systems.
        ConfigurationError: The source is not set.
        SensorThingsError, SourceError: The source does not answer, or refuses.
    """
    with contextlib.closing(open_source(source)) as opened:
        found = _choose(opened, patterns_of(pattern))
    columns = ("name", "thing", "datastream", "system", "unit", "observed_property")
    return pd.DataFrame({name: [getattr(stream, name) for stream in found] for name in columns})


def _attributes(columns: Sequence[str] | None) -> list[str]:
    """Return what a source has to give beyond results, in the order asked for."""
    if columns is None:
        return []
    if isinstance(columns, str):
        raise FrameError(f"columns={columns!r} is one text: pass a list, [{columns!r}]")
    given = (tables.TIME, tables.RESULT, tables.TEXT, tables.DT_ID, *tables.NAMES)
    return [name for name in dict.fromkeys(columns) if name not in given]


def _asked(
    names: Names,
    start: Time,
    end: Time,
    every: str | timedelta | None,
    columns: Sequence[str] | None,
    *,
    limit: int | None,
    shows: bool,
) -> _Asked:
    attributes = _attributes(columns)
    if every is not None and attributes:
        raise FrameError(f"every= gives means of results only: leave {', '.join(attributes)} out of columns=")
    return _Asked(
        patterns_of(names),
        Interval.read(start, end, now=lambda: datetime.now(UTC)),
        None if every is None else length(every),
        attributes,
        limit,
        shows,
    )


def _read(asked: _Asked, source: str) -> _Found:
    with contextlib.closing(open_source(source)) as opened:
        streams = _choose(opened, asked.patterns)
        table = None if asked.step is None else _means(opened, streams, asked.interval, asked.step)
        if table is None:
            table = _all(opened, streams, asked)
            table = table if asked.step is None else tables.means(table, asked.step)
        if table.num_rows == 0:
            raise _no_data(opened, streams, asked.interval)
        return _Found(table, streams, opened.title, asked.interval)


def _choose(source: Source, patterns: Sequence[str]) -> list[Stream]:
    known = source.streams([fixed_part(pattern) for pattern in patterns])
    try:
        return choose(patterns, known, source.title)
    except DigitalTwinError:
        if len(known) == len(everything := source.streams(())):
            raise
        return choose(patterns, everything, source.title)  # says which names are near


def _means(source: Source, streams: Sequence[Stream], interval: Interval, step: timedelta) -> pa.Table | None:
    """Let the source compute means; None when it cannot."""
    pieces = source.means(streams, interval, step)
    return None if pieces is None else tables.joined(pieces, ())


def _all(source: Source, streams: Sequence[Stream], asked: _Asked) -> pa.Table:
    total = source.count(streams, asked.interval)
    if asked.limit is not None and total > asked.limit:
        raise _too_much(total, asked.limit)
    read = source.read(streams, asked.interval, asked.attributes)
    pieces = list(_followed(read, total) if asked.shows else read)
    has_ids = bool(pieces) and tables.DT_ID in pieces[0].column_names
    table = tables.joined(pieces, [*asked.attributes, *([tables.DT_ID] if has_ids else [])])
    times = table.column(tables.TIME)
    start, end = (pa.scalar(moment, tables.INSTANT) for moment in (asked.interval.start, asked.interval.end))
    return table.filter(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))


def _too_much(total: int, limit: int) -> TooMuchError:
    return TooMuchError(
        f"there are {total:,} observations, more than limit={limit:,} "
        f"(about {total * _ROW_BYTES / _MEGABYTE:,.0f} MB as a frame). Ask for a shorter interval or fewer "
        "Datastreams, for means by every='1min', or raise limit="
    )


def _no_data(source: Source, streams: Sequence[Stream], interval: Interval) -> NoDataError:
    listed = ", ".join(stream.name for stream in streams[:3]) + (" ..." if len(streams) > 3 else "")  # noqa: PLR2004
    span = source.span(streams)
    there = "They hold none at all that you may see" if span is None else f"There are some from {span}"
    return NoDataError(f"No observations of {listed} from {interval}. {there}")


def _followed(pieces: Iterator[pa.Table], total: int) -> Iterator[pa.Table]:
    """Pass pieces on, and say now and then how many rows there were, and how large they are."""
    said = time.monotonic()
    rows = size = 0
    has_said = False
    for piece in pieces:
        rows, size = rows + piece.num_rows, size + piece.nbytes
        if time.monotonic() - said > _QUIET_S:
            said, has_said = time.monotonic(), True
            _say(f"\r{rows:,} of {total:,} observations, {size / _MEGABYTE:,.0f} MB")
        yield piece
    if has_said:
        _say(f"\r{rows:,} observations, {size / _MEGABYTE:,.0f} MB in memory\n")


def _say(text: str) -> None:
    stream: Any = sys.stderr
    if stream is not None:
        stream.write(text)
        stream.flush()
