"""What the address of the analytics page asks for, and addresses that ask for the same."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast
from urllib.parse import urlencode

import pytest
from starlette.datastructures import QueryParams

from platform_ui.analytics.forms import DEFAULT_RANGE, AnalyticsForm
from platform_ui.analytics.reading import Known
from platform_ui.analytics.scope import CONTRACT, OWN, Origin
from platform_ui.analytics.service import Figures, Report
from platform_ui.assets.series import Span
from platform_ui.assets.views import DatastreamView, Value
from platform_ui.errors import FormError

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def read(query: str) -> AnalyticsForm:
    return AnalyticsForm.read(QueryParams(query))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "range=7d&q=Speed",
        "range=custom&start=2026-03-01T00:00&end=2026-03-02T00:00&show=1&show=2",
        "range=custom&start=2026-03-01T00:00:00.25Z",
        "show=1,2&after=a.b.c.d.Main.Speed",
    ],
)
def test_the_address_of_what_is_shown_shows_the_same(query: str) -> None:
    asked = read(query)
    assert read(urlencode(asked.query())) == asked


def test_nothing_said_is_a_day() -> None:
    assert read("").range == DEFAULT_RANGE
    assert read("").span(NOW) == Span(NOW - timedelta(days=1), NOW)


def test_datastreams_can_be_ticked_or_listed_and_count_once() -> None:
    assert read("show=3&show=4,3&show=").show == ("3", "4")


def test_a_change_of_the_time_forgets_the_old_one() -> None:
    asked = read("range=custom&start=2026-03-01T00:00&end=2026-03-02T00:00&q=x")
    assert asked.query(range="1h") == {"range": "1h", "q": "x"}


@pytest.mark.parametrize(
    ("query", "field"), [("range=1y", "range"), ("show=1,2,3,4,5,6,7", "show"), ("q=" + "x" * 201, "q")]
)
def test_what_cannot_be_meant_is_said_at_its_field(query: str, field: str) -> None:
    with pytest.raises(FormError) as refused:
        read(query)
    assert field in refused.value.fields


@pytest.mark.parametrize(
    ("length", "bucket_s"), [(timedelta(hours=1), 60), (timedelta(days=1), 1800), (timedelta(days=7), 7200)]
)
def test_buckets_are_usual_lengths_of_which_few_cover_the_time(length: timedelta, bucket_s: int) -> None:
    assert Span(NOW, NOW + length).bucket_for(96) == bucket_s


@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-10:00", "9999-12-31T23:59:59.5Z"]
)
def test_a_range_that_no_calendar_has_is_refused(start: str) -> None:
    with pytest.raises(FormError, match="1 to 9999"):
        read(f"range=custom&start={start}")


@pytest.mark.parametrize("mark", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_time_that_marks_no_time_leads_nowhere(mark: str) -> None:
    view = SimpleNamespace(document={"phenomenonTime": mark})
    known = Known(cast("DatastreamView", view), Origin(OWN, "a.b.c.d"), 0)
    figures = [Figures(known, None, 1.0)]

    assert (
        Report("a.b.c.d", Span(NOW, NOW + timedelta(1)), 60, has_hours=True, figures=figures).nearest is None
    )


@pytest.mark.parametrize(
    ("begin_min", "last_min", "since_min", "is_new"),
    [
        (10, 0, None, True),
        (110, 30, None, True),
        (110, 70, None, False),
        (130, 0, None, False),
        (9000, 0, 20, True),
        (9000, 0, 9000, False),
        (10, None, None, False),
        (None, None, None, False),
    ],
)
def test_what_came_in_the_last_two_hours_alone_is_new(
    begin_min: int | None, last_min: int | None, since_min: int | None, *, is_new: bool
) -> None:
    def ago(minutes: int | None) -> datetime | None:
        return None if minutes is None else NOW - timedelta(minutes=minutes)

    begin, last = ago(begin_min), ago(last_min)
    value = None if last is None else Value(last, last.isoformat(), 1)
    document = {"phenomenonTime": None if begin is None else f"{begin.isoformat()}/{NOW.isoformat()}"}
    view = SimpleNamespace(document=document, last=value)
    known = Known(cast("DatastreamView", view), Origin(OWN, "a.b.c.d", since=ago(since_min)), 1)
    figures = [Figures(known, None, 1.0)]
    report = Report("a.b.c.d", Span(NOW - timedelta(1), NOW), 60, has_hours=True, figures=figures)
    assert report.is_new is is_new


def test_the_time_around_the_newest_result_leads_to_shared_ones_only() -> None:
    def nearest(since: datetime | None) -> Span | None:
        view = SimpleNamespace(document={"phenomenonTime": "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"})
        known = Known(cast("DatastreamView", view), Origin(CONTRACT, "a.b.c.d", since=since), 0)
        span = Span(NOW, NOW + timedelta(1))
        return Report("a.b.c.d", span, 60, has_hours=True, figures=[Figures(known, None, 1.0)]).nearest

    assert nearest(None) == nearest(NOW - timedelta(days=1)) != nearest(NOW)
    assert nearest(NOW) is None
