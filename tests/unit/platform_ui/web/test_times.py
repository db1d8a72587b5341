"""Times for people: in the zone that was chosen, in summer and winter, with the exact time at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone

import pytest

from platform_ui.web import format_ago, format_iso, format_when, templates
from platform_ui.web.look import CURRENT, Look, is_zone, look_from, zone_names
from platform_ui.web.times import ago_text, format_written, when_text

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)


@contextmanager
def looking(**choice: str) -> Iterator[None]:
    before = CURRENT.set(Look(**choice))
    try:
        yield
    finally:
        CURRENT.reset(before)


@pytest.mark.parametrize(
    ("utc", "text"),
    [
        ((2026, 3, 29, 0, 59, 59), "2026-03-29 01:59:59 CET"),
        ((2026, 3, 29, 1, 0, 0), "2026-03-29 03:00:00 CEST"),  # there is no half past two that night
        ((2026, 10, 25, 0, 30, 0), "2026-10-25 02:30:00 CEST"),
        ((2026, 10, 25, 1, 30, 0), "2026-10-25 02:30:00 CET"),  # the same clock, an hour later
    ],
)
def test_a_time_follows_the_chosen_zone_through_summer_and_winter(
    utc: tuple[int, int, int, int, int, int], text: str
) -> None:
    with looking(choice="Europe/Vienna"):
        assert when_text(datetime(*utc, tzinfo=UTC)) == text


def test_without_a_choice_times_are_shown_in_utc() -> None:
    assert (
        when_text(datetime(2026, 7, 1, 14, 0, tzinfo=timezone(timedelta(hours=2))))
        == "2026-07-01 12:00:00 UTC"
    )


def test_the_browsers_zone_counts_once_the_browser_has_told_it() -> None:
    with looking(choice="browser"):
        assert when_text(NOW) == "2026-03-29 12:00:00 UTC"
    with looking(choice="browser", browser_zone="Asia/Kolkata"):
        assert when_text(NOW) == "2026-03-29 17:30:00 IST"


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=5), "5 s ago"),
        (timedelta(minutes=61), "1 h ago"),
        (timedelta(days=3), "3 d ago"),
        (timedelta(seconds=-20), "0 s ago"),  # another machine's clock is ahead
        (timedelta(minutes=-5), "in 5 min"),
        (timedelta(days=-2, minutes=-1), "in 2 d"),
    ],
)
def test_a_duration_is_shown_in_its_largest_unit(ago: timedelta, text: str) -> None:
    assert ago_text(NOW - ago, NOW) == text


def test_a_time_is_an_element_with_its_exact_time_and_with_utc_in_its_title() -> None:
    with looking(choice="Europe/Vienna"):
        shown = format_when(NOW)
    assert shown.startswith('<time datetime="2026-03-29T12:00:00Z" title="2026-03-29 12:00:00 UTC · ')
    assert shown.endswith(">2026-03-29 14:00:00 CEST</time>")


def test_how_long_ago_has_the_exact_time_in_its_title_and_is_kept_true_by_the_script() -> None:
    shown = format_ago(NOW)
    assert ' title="2026-03-29 12:00:00 UTC" data-ago>' in shown
    assert 'datetime="2026-03-29T12:00:00Z"' in shown


def test_a_time_that_has_not_been_is_never() -> None:
    assert (format_ago(None), format_when(None), format_iso(None)) == ("never", "never", "")


def test_a_records_time_is_shown_in_the_persons_zone_to_the_millisecond() -> None:
    with looking(choice="Europe/Vienna"):
        shown = format_written("2026-03-29T12:00:00.907887Z")
    assert ">2026-03-29 14:00:00.907 CEST</time>" in shown
    assert 'title="2026-03-29T12:00:00.907887Z"' in shown


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-03-29T12:00:00Z/2026-03-29T13:00:00Z", "9999-12-31T23:59:59.9Z", "<b>"]
)
def test_what_is_no_single_time_is_shown_as_it_stands(text: str) -> None:
    with looking(choice="Asia/Kolkata"):  # ahead of UTC: the last of all years has no such hour there
        assert format_written(text) == text


def test_a_template_shows_the_element_and_not_its_text() -> None:
    text = templates().from_string("{{ at | when }} {{ at | iso }}").render(at=NOW)
    assert "<time " in text
    assert text.endswith(" 2026-03-29T12:00:00Z")


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "/etc/localtime", "Europe", "Nowhere/Land", "a\x00b"]
)
def test_what_is_no_zone_is_not_taken_for_one(name: str) -> None:
    assert not is_zone(name)
    assert look_from({"dtwin_zone": name, "dtwin_browser_zone": name, "dtwin_theme": name}) == Look()


def test_all_zones_that_are_offered_are_accepted() -> None:
    assert "Europe/Vienna" in zone_names()
    assert all(is_zone(name) for name in zone_names()[::25])


def test_cookies_hold_the_choice() -> None:
    look = look_from({"dtwin_zone": "Atlantic/Reykjavik", "dtwin_theme": "dark", "dtwin_keys": "off"})
    assert (look.zone_name, look.theme, look.keys) == ("Atlantic/Reykjavik", "dark", "off")
