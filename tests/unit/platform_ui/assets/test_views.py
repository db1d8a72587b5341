"""Last values, their age and places, as people see them."""

from datetime import UTC, datetime, timedelta

import pytest

from platform_ui.assets.forms import DatastreamChangeForm, ThingForm
from platform_ui.assets.series import MAX_POINTS, RangeForm, Span
from platform_ui.assets.views import (
    DatastreamView,
    Value,
    datastream_view,
    is_stale,
    place_of,
    shown,
    usual_interval,
)
from platform_ui.errors import FormError
from platform_ui.fields import read_form

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def values(*ages_s: float) -> list[Value]:
    return [Value(NOW - timedelta(seconds=age), "", 1) for age in ages_s]


@pytest.mark.parametrize(
    ("ages_s", "stale"),
    [
        ((), False),
        ((9_999,), False),  # a single value tells no interval
        ((59, 60, 61), False),  # every second, but never before a minute
        ((61, 62, 63), True),
        ((299, 359, 419), False),  # every minute: five of them
        ((301, 361, 421), True),
        ((-3600, -1800, 0), False),  # a forecast
        ((120, 121, 122, 9_999), True),  # one long pause does not count
    ],
)
def test_a_value_is_stale_after_five_usual_intervals_and_a_minute_at_least(
    ages_s: tuple[float, ...], *, stale: bool
) -> None:
    assert is_stale(values(*ages_s), NOW) is stale


def test_the_usual_interval_is_the_median() -> None:
    assert usual_interval(values(0, 2, 4, 100)) == timedelta(seconds=2)
    assert usual_interval(values(0)) is None


def test_an_interval_counts_by_its_end_and_what_is_no_time_is_shown_as_it_is() -> None:
    document = {
        "@iot.id": 7,
        "name": "a.bc.de.fg.Main.T",
        "Observations": [
            {"phenomenonTime": "2026-11-22T11:00:00Z/2026-11-22T12:00:00Z", "result": 1.5},
            {"phenomenonTime": "soon", "result": {"x": 1}},
        ],
    }
    view = datastream_view(document, "a.bc.de.fg", NOW)
    assert view.last is not None
    assert (view.last.time, view.last.text) == (NOW, "1.5")
    assert (view.values[1].time, view.values[1].raw_time, view.values[1].text) == (None, "soon", '{"x": 1}')


def test_names_are_short_within_their_system_and_thing() -> None:
    view = DatastreamView(7, "a.bc.de.fg.Main.Air.Speed", "a.bc.de.fg", {}, [], NOW)
    assert (view.thing_name, view.local_name) == ("a.bc.de.fg.Main", "Air.Speed")
    assert view.url == "/systems/a.bc.de.fg/datastreams/7"


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ({"type": "Point", "coordinates": [13.05, 47.8]}, "47.8, 13.05"),
        ({"type": "Feature", "geometry": {"type": "Point", "coordinates": [13, 47, 400]}}, "47, 13"),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "Hall"),
        ({"type": "Point", "coordinates": ["x", 1]}, "Hall"),
        (None, "Hall"),
    ],
)
def test_a_point_is_latitude_and_longitude_and_anything_else_its_name(location: object, text: str) -> None:
    place = place_of([{"name": "Hall", "location": location}])
    assert place is not None
    assert place.text == text


def test_nowhere_is_no_place() -> None:
    assert place_of([]) is None
    assert place_of(None) is None


def test_a_long_result_is_shortened() -> None:
    assert len(shown("x" * 500)) == 120
    assert shown(0.1 + 0.2) == "0.3"
    assert shown(False) == "false"


@pytest.mark.parametrize("length", ["1h", "6h", "24h", "7d"])
def test_a_range_has_few_enough_buckets(length: str) -> None:
    span = RangeForm(range=length).span(NOW)
    assert (span.end - span.start).total_seconds() / span.bucket_s < MAX_POINTS


def test_years_have_few_enough_buckets_too() -> None:
    span = Span(NOW - timedelta(days=36_500), NOW)
    assert (span.end - span.start).total_seconds() / span.bucket_s < MAX_POINTS


def test_a_custom_range_is_in_utc_when_it_has_no_zone() -> None:
    form = read_form(RangeForm, {"range": "custom", "start": "2026-11-20T10:00", "end": ""})
    assert form.span(NOW) == Span(datetime(2026, 11, 20, 10, tzinfo=UTC), NOW)


@pytest.mark.parametrize(
    "fields",
    [
        {"range": "2h"},
        {"range": "custom"},
        {"range": "custom", "start": "yesterday"},
        {"range": "custom", "start": "2026-11-20T10:00", "end": "2026-11-20T10:00"},
    ],
)
def test_a_range_that_is_none_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(FormError):
        read_form(RangeForm, fields)


def test_a_forecast_is_in_the_range() -> None:
    ahead = NOW + timedelta(hours=3)
    assert RangeForm().span(NOW, ahead).end == ahead


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a.b"),
        ("name", ""),
        ("latitude", "91"),
        ("longitude", "x"),
        ("longitude", "nan"),
        ("properties", "[1]"),
        ("properties", "{"),
    ],
)
def test_a_field_of_a_thing_says_what_is_wrong_with_it(field: str, value: str) -> None:
    good = {"name": "Main", "description": "d", "latitude": "47,8", "longitude": "13"}
    assert read_form(ThingForm, good).latitude == 47.8
    with pytest.raises(FormError) as raised:
        read_form(ThingForm, good | {field: value})
    assert field in raised.value.fields


def test_a_thing_may_be_nowhere() -> None:
    form = read_form(ThingForm, {"name": "Main", "description": "d", "latitude": "", "longitude": " "})
    assert (form.latitude, form.longitude, form.properties) == (None, None, {})


def test_a_place_needs_both_numbers() -> None:
    with pytest.raises(FormError):
        read_form(ThingForm, {"name": "Main", "description": "d", "latitude": "47"})


@pytest.mark.parametrize(("unit", "good"), [("Cel", True), ("", True), ("1/min", True), ("grad C", False)])
def test_a_unit_is_one_of_ucum(unit: str, *, good: bool) -> None:
    fields = {"description": "d", "sensor": "s", "observed_property": "o", "unit": unit}
    if good:
        assert read_form(DatastreamChangeForm, fields).unit == unit
    else:
        with pytest.raises(FormError, match="UCUM"):
            read_form(DatastreamChangeForm, fields)
