"""Tables of the analytics page as CSV: whole numbers, and nothing that a spreadsheet would compute."""

import csv
import io
from datetime import UTC, datetime, timedelta

from platform_ui.analytics.reading import Known
from platform_ui.analytics.scope import OWN, Origin
from platform_ui.analytics.service import Details, Figures, Report
from platform_ui.analytics.sums import Bucket, Sums, by_hour
from platform_ui.analytics.tables import Table, write_table
from platform_ui.assets.series import Span
from platform_ui.assets.views import datastream_view

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
THIRDS = Sums(3, 1.0, 0.1, 0.7)


def report(result: object = 0.7, unit: str = "°C") -> Report:
    document = {
        "@iot.id": 1,
        "name": "a.b.c.d.Main.T",
        "unitOfMeasurement": {"symbol": unit},
        "Observations": [{"phenomenonTime": "2026-03-02T11:59:00Z", "result": result}],
        "Thing": {
            "name": "a.b.c.d.Main",
            "Locations": [{"name": "=Hall", "location": {"type": "Point", "coordinates": [13, 47]}}],
        },
    }
    view = datastream_view(document, "a.b.c.d", NOW)
    figures = Figures(Known(view, Origin(OWN, "a.b.c.d"), 4), THIRDS, 60.0)
    bucket = Bucket(1, NOW - timedelta(hours=1), NOW, THIRDS)
    span = Span(NOW - timedelta(hours=1), NOW)
    details = Details(figures, [bucket], by_hour([bucket]))
    return Report("a.b.c.d", span, 60, has_hours=True, figures=[figures], shown=[details])


def rows(table: Table, of: Report) -> list[dict[str, str]]:
    text = write_table(of, table)
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text)))


def test_numbers_are_written_whole() -> None:
    (one,) = rows(Table.DATASTREAMS, report())
    assert float(one["mean"]) == 1 / 3
    assert (one["count"], one["numbers"], one["last"], one["from"]) == ("4", "3", "0.7", "own")
    assert float(one["per_minute"]) == 4 / 60
    (bucket,) = rows(Table.BUCKETS, report())
    assert (bucket["start"], bucket["count"], float(bucket["mean"])) == (
        "2026-03-02T11:00:00.000000Z",
        "3",
        1 / 3,
    )
    (hour,) = rows(Table.HOURS, report())
    assert (hour["weekday"], hour["hour"], hour["min"], hour["max"]) == ("1", "11", "0.1", "0.7")


def test_a_text_is_never_a_formula() -> None:
    (one,) = rows(Table.DATASTREAMS, report("=1+1", "@sum"))
    assert (one["last"], one["unit"], one["place"]) == ("'=1+1", "'@sum", "'=Hall")
