"""What the analytics page shows as tables for spreadsheets (CSV, RFC 4180).

What lives here: the columns of each table. What does not: the numbers (``service``). Numbers are written as
they are, not rounded for people; a text that a spreadsheet would take for a formula gets a quote before it.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from client.metadata.times import format_time
from platform_ui.analytics.service import Report
from platform_ui.analytics.sums import Sums
from platform_ui.assets.series import spreadsheet_cell

_SUMS: Final = ("count", "mean", "min", "max")


class Table(StrEnum):
    """The tables of the page."""

    DATASTREAMS = "datastreams"
    BUCKETS = "buckets"
    HOURS = "hours"


def write_table(report: Report, table: Table) -> str:
    """Return a table of the page as CSV; times are UTC."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    for row in _TABLES[table](report):
        writer.writerow([spreadsheet_cell(cell) for cell in row])
    return text.getvalue()


def _datastreams(report: Report) -> Iterator[list[object]]:
    yield [
        *("datastream", "thing", "system", "from", "unit", "count", "numbers", "per_minute"),
        *("last_time", "last", "mean", "min", "max", "place", "latitude", "longitude"),
    ]
    for one in report.figures:
        view, last, place = one.view, one.view.last, one.view.place
        yield [
            *(view.name, view.thing_name, view.system, one.known.origin.kind, view.unit),
            *(one.known.count, one.sums.count if one.sums else 0, one.per_minute),
            *((last.raw_time, last.result) if last else ("", "")),
            *_sums(one.sums)[1:],
            *((place.name, place.latitude, place.longitude) if place else ("", "", "")),
        ]


def _buckets(report: Report) -> Iterator[list[object]]:
    yield ["datastream", "unit", "start", "end", *_SUMS]
    for one in report.shown:
        view = one.figures.view
        for bucket in one.buckets:
            times = (format_time(bucket.start), format_time(bucket.end))
            yield [view.name, view.unit, *times, *_sums(bucket.sums)]


def _hours(report: Report) -> Iterator[list[object]]:
    yield ["datastream", "unit", "weekday", "hour", *_SUMS]
    for one in report.shown:
        view = one.figures.view
        for cell in one.cells:
            yield [view.name, view.unit, cell.weekday, cell.hour, *_sums(cell.sums)]


def _sums(sums: Sums | None) -> tuple[object, ...]:
    return (sums.count, sums.mean, sums.low, sums.high) if sums else (0, "", "", "")


_TABLES: Final[Mapping[Table, Callable[[Report], Iterator[list[object]]]]] = {
    Table.DATASTREAMS: _datastreams,
    Table.BUCKETS: _buckets,
    Table.HOURS: _hours,
}
