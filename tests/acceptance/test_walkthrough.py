"""The first command of the README as a person lives it: watch records cross companies, stop and start an app.

The whole stack runs as `dtwin demo` starts it, in a home of its own. At the end the topics themselves are
asked whether any record is missing or doubled; the browser's rows are no proof of that.
"""

import os
import re

import pytest
from playwright.sync_api import Page, expect

from client.messaging.topics import SystemName
from tests.acceptance.demo import Demo, end_offsets, read, wait_for

CAR1 = SystemName.parse("cz.icecars.iot4cps-wp5-CarFleet.Car1")
STATIONS = SystemName.parse("is.iceland.iot4cps-wp5-WeatherService.Stations")
COLD = 15.0

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def test_the_demo_shows_records_that_cross_companies_and_who_may_log_in(demo: Demo) -> None:
    said = demo.introduction
    assert re.search(r"Air Temperature = .* °C at .* is\.iceland Stations → cz\.icecars Car1", said), said
    assert re.search(r"Acceleration = .* cz\.icecars Car1 → at\.datahouse RoadAnalytics", said), said
    assert "sue.smith@example.com" in said
    assert "password asdf" in said


def test_sue_watches_stops_and_starts_and_no_record_is_missing_or_doubled(page: Page, demo: Demo) -> None:
    page.goto("/")
    page.get_by_label("E-mail address").fill("sue.smith@example.com")
    page.get_by_label("Password").fill("asdf")
    page.get_by_role("button", name="Log in").click()
    for system in (CAR1, SystemName.parse(f"{CAR1.company}.iot4cps-wp5-CarFleet.Car2")):
        expect(page.get_by_role("link", name=str(system)).first).to_be_visible()

    page.locator(f"main a[href='/systems/{CAR1}']").first.click()
    rows = page.locator("[data-tail-rows] tr")
    expect(rows.filter(has_text="Air Temperature").first).to_contain_text("°C")
    page.get_by_role("tab", name="Shared with us").click()
    expect(rows.filter(has_text="weather2car1 of Stations").first).to_contain_text("°C")
    pictures = os.environ.get("DTWIN_TEST_SCREENSHOTS")
    if pictures:
        page.screenshot(path=f"{pictures}/live-records.png")

    page.goto(f"/systems/{CAR1}?show=apps")  # the overview shows a few apps only
    page.get_by_role("link", name="weather2car1").first.click()
    page.get_by_role("button", name="Stop").click()
    state = page.locator("#app-state .app-bar .state")
    expect(state).to_have_text("stopped")
    stopped_at = end_offsets(demo, CAR1.topics.external)
    source_then = end_offsets(demo, STATIONS.topics.internal)
    wait_for(lambda: sum(end_offsets(demo, STATIONS.topics.internal)) > sum(source_then) + 3)
    assert end_offsets(demo, CAR1.topics.external) == stopped_at, "records arrived while the app was stopped"
    if pictures:
        page.screenshot(path=f"{pictures}/app-stopped.png")

    page.get_by_role("button", name="Start").click()
    expect(state).to_have_text("running")
    wanted = set(_matching(demo))  # the stations go on producing, so the question is fixed first
    wait_for(lambda: wanted <= set(_forwarded_of(demo)))
    origins = _forwarded_of(demo)
    assert len(origins) == len(set(origins)) >= len(wanted) > 0, "a record was doubled"
    assert set(origins) <= set(_matching(demo)), "a record arrived that the statement does not ask for"
    if pictures:
        page.screenshot(path=f"{pictures}/app-running.png")


def _matching(demo: Demo) -> list[str]:
    """Return the positions of the stations' records that the app's statement asks for, by arithmetic."""
    return sorted(
        position
        for position, name, value, _ in read(demo, STATIONS.topics.internal)
        if name.split(".")[4] == "Seattle" and float(str(value["result"])) < COLD
    )


def _forwarded_of(demo: Demo) -> list[str]:
    """Return where the records that the app has written come from, one entry a record."""
    return sorted(
        headers["dt-origin"]
        for _, _, _, headers in read(demo, CAR1.topics.external)
        if headers.get("dt-app", "").endswith(".weather2car1")
    )
