"""A person chooses by keyboard which Datastreams may leave: found by a word, ticked, or written in short."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.calls import tell
from tests.acceptance.screens import CAR1
from tests.acceptance.test_explorer import picture, watch
from tests.acceptance.test_trust import STATIONS, log_in

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def sue(page: Page) -> Page:
    return log_in(page, "sue.smith")


def test_datastreams_are_found_ticked_and_written_in_short(sue: Page) -> None:
    faults = watch(sue)
    sue.goto("/contracts/new")
    sue.get_by_label("System that gives").fill(CAR1)
    sue.get_by_label("System that receives").fill(str(STATIONS))
    row = sue.locator(".datastream-row", has_text="Main.Air Temperature")
    expect(row).to_contain_text("°C")
    sue.get_by_label("Find", exact=True).fill("°c air")
    expect(sue.locator(".datastream-row:visible")).to_have_count(1)
    sue.keyboard.press("Enter")
    sue.keyboard.press("Tab")
    sue.keyboard.press("Space")
    expect(row.get_by_role("checkbox")).to_be_checked()
    sue.get_by_label("Datastreams").fill("Main.Nothing")
    sue.get_by_label("Purpose").fill("To compare temperatures.")
    picture(sue, "contract-datastreams")
    sue.get_by_role("button", name="Write the draft").click()
    expect(sue.get_by_text(f"The Datastream “Main.Nothing” is not registered in {CAR1}.")).to_be_visible()
    expect(row.get_by_role("checkbox")).to_be_checked()
    sue.get_by_label("Datastreams").fill("")
    sue.get_by_role("button", name="Write the draft").click()
    sue.wait_for_url(re.compile(r"/contracts/c-\w+$"))
    expect(sue.get_by_text(f"{CAR1}.Main.Air Temperature", exact=True).first).to_be_visible()
    contract = sue.url.rsplit("/", 1)[1]
    tell(sue.request, f"/api/v1/contracts/{contract}:decline", {"side": "provider", "reason": "only tried"})
    assert faults == []
