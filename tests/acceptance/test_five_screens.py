"""A newcomer goes from company to running stream app: counted, timed, by mouse and by keyboard alone.

The device's lines are run as the page shows them; that records flow is asked of the topics themselves.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Download, Locator, Page, expect

from tests.acceptance.demo import Demo, read, wait_for
from tests.acceptance.inspection import Inspector
from tests.acceptance.journey import Journey
from tests.acceptance.test_explorer import picture

MOST_SCREENS = 5
MOST_SECONDS = 180.0
SENT = 5

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


@dataclass
class Newcomer:
    """Somebody who has just signed up, with the names that they are going to give."""

    page: Page
    enterprise: str

    @property
    def system(self) -> str:
        return f"org.{self.enterprise}.Lab.Device1"

    @property
    def receiver(self) -> str:
        return f"org.{self.enterprise}.Lab.Results"


@pytest.fixture
def newcomer(page: Page) -> Newcomer:
    name = f"new{secrets.token_hex(3)}"
    page.goto("/signup")
    page.get_by_label("First name").fill("Nina")
    page.get_by_label("Last name").fill("Newcomer")
    page.get_by_label("E-mail address").fill(f"{name}@example.com")
    page.get_by_label("New password").fill("a long password")
    page.get_by_label("Repeat the password").fill("a long password")
    page.get_by_role("button", name="Create my account").click()
    page.wait_for_url("**/dashboard")
    return Newcomer(page, name)


def save(download: Callable[[], None], page: Page, folder: Path) -> None:
    """Put a download where a browser puts it."""
    with page.expect_download() as waiting:
        download()
    arrived: Download = waiting.value
    shutil.copy(arrived.path(), folder / arrived.suggested_filename)


def run_lines(page: Page, folder: Path) -> None:
    """Run the lines of the page as somebody pastes them into a terminal."""
    lines = page.locator("pre#snippet-python-run").text_content() or ""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", lines],
        cwd=folder,
        env={"PATH": programs, "HOME": str(folder)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"


def carried(demo: Demo, newcomer: Newcomer) -> int:
    """Count what the app has brought to the second system."""
    return len(read(demo, f"{newcomer.receiver}.ext"))


def expect_running(page: Page) -> None:
    expect(page.locator("#app-state .app-bar .state")).to_have_text("running")


def expect_flow(demo: Demo, newcomer: Newcomer) -> None:
    wait_for(lambda: carried(demo, newcomer) == SENT)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name)


def test_a_newcomer_gets_from_company_to_running_app_in_five_screens_and_three_minutes(
    newcomer: Newcomer, demo: Demo, tmp_path: Path
) -> None:
    page = newcomer.page
    inspector = Inspector(page)
    journey = Journey(page)
    picture(page, "first-1-home")
    journey.fill(page.get_by_label("Company"), newcomer.enterprise)
    journey.click(button(page, "Create all of it"))
    picture(page, "first-2-connect")
    save(lambda: journey.click(button(page, "Download")), page, tmp_path)
    run_lines(page, tmp_path)
    expect(page.get_by_role("heading", name="It has arrived")).to_be_visible()
    picture(page, "first-3-arrived")
    journey.click(page.get_by_role("link", name="Make a stream app"))
    expect(page.get_by_role("textbox", name="Statement")).to_be_visible()
    expect(page.locator(".gallery [data-example]").first).to_be_visible()
    picture(page, "first-4-editor")
    journey.click(button(page, "Create and deploy"))
    expect_running(page)
    expect_flow(demo, newcomer)
    picture(page, "first-5-running")
    print(journey.told("from company to running stream app"))
    assert len(journey.screens) <= MOST_SCREENS, journey.screens
    assert journey.seconds <= MOST_SECONDS
    assert inspector.heard() == []


@pytest.mark.extended
def test_the_same_goes_by_keyboard_alone(newcomer: Newcomer, demo: Demo, tmp_path: Path) -> None:
    page = newcomer.page
    journey = Journey(page)
    company = page.get_by_label("Company")
    expect(company).to_be_focused()
    journey.type(newcomer.enterprise)
    journey.press("Enter")
    save(lambda: journey.enter(button(page, "Download")), page, tmp_path)
    run_lines(page, tmp_path)
    expect(page.get_by_role("heading", name="It has arrived")).to_be_visible()
    journey.enter(page.get_by_role("link", name="Make a stream app"))
    journey.enter(button(page, "Create and deploy"))
    expect_running(page)
    expect_flow(demo, newcomer)
    print(journey.told("by keyboard alone"))
    assert len(journey.screens) <= MOST_SCREENS, journey.screens
    assert journey.unseen == []
