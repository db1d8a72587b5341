"""Ten everyday tasks of a person, each from the home page: done, and what they cost in clicks and seconds.

`pytest -s` prints the table; DTWIN_TEST_SCREENSHOTS names a folder for a picture of each end.
"""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from playwright.sync_api import Page, expect

from tests.acceptance.calls import Json, tell
from tests.acceptance.demo import Demo, read, wait_for
from tests.acceptance.journey import Journey
from tests.acceptance.screens import CAR1, CAR2
from tests.acceptance.test_explorer import picture
from tests.acceptance.test_five_screens import button, expect_running, run_lines, save
from tests.acceptance.test_trust import STATIONS, log_in

RUN = secrets.token_hex(2)
CELSIUS = re.compile(r"-?\d+(\.\d+)? °C")

pytestmark = [
    pytest.mark.extended,
    pytest.mark.browser,
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def costs() -> Iterator[list[str]]:
    """What each task has cost; told when all are done."""
    table: list[str] = []
    yield table
    print("\n".join(["", "| task | clicks | keys | screens | seconds |", "|---|--:|--:|--:|--:|", *table]))


@pytest.fixture
def sue(page: Page) -> Page:
    return log_in(page, "sue.smith")


@pytest.fixture
def afterwards(sue: Page) -> Iterator[list[tuple[str, Json]]]:
    """What Sue does when a test is over, so that the next one finds the demo as it was: paths and bodies."""
    deeds: list[tuple[str, Json]] = []
    yield deeds
    for path, body in deeds:
        tell(sue.request, path, body)


class Task:
    """One task: begins at home, ends with its line in the table."""

    def __init__(self, page: Page, costs: list[str], number: int, name: str) -> None:
        """Go home and begin to count."""
        page.goto("/dashboard")
        self._costs, self._number, self._name = costs, number, name
        self.journey = Journey(page)

    def done(self) -> None:
        """Write the line."""
        seconds, one = self.journey.seconds, self.journey
        cells = (f"{self._number} {self._name}", one.clicks, one.keys, len(one.screens), f"{seconds:.1f}")
        self._costs.append(f"| {' | '.join(map(str, cells))} |")
        picture(one.page, f"task-{self._number:02}")


def spoil(demo: Demo) -> None:
    """Let a device send what is no record."""
    producer = Producer({"bootstrap.servers": demo.kafka, **demo.security().to_librdkafka()})
    producer.produce(f"{CAR1}.int", key=f"{CAR1}.Main.Broken", value=b'["no record"]')
    assert producer.flush(20) == 0


def open_system(journey: Journey, system: str) -> None:
    """Find a system by the palette, as the keyboard has it."""
    journey.press("Control+k")
    journey.type(system.rsplit(".", 1)[1])
    expect(journey.page.locator("[role=option][aria-selected=true]")).to_contain_text(
        system.rsplit(".", 1)[1]
    )
    journey.press("Enter")
    journey.page.wait_for_url(f"**/systems/{system}")


def test_see_what_is_wrong_now(
    sue: Page, demo: Demo, costs: list[str], afterwards: list[tuple[str, Json]]
) -> None:
    app = {
        "name": f"hot-{RUN}",
        "target_system": CAR2,
        "statement": f"SELECT * FROM {CAR1} WHERE result > 1000;",
    }
    tell(sue.request, f"/api/v1/systems/{CAR1}/apps", app)
    tell(sue.request, f"/api/v1/systems/{CAR1}/apps/{app['name']}:deploy")
    afterwards.append((f"/api/v1/systems/{CAR1}/apps/{app['name']}:stop", None))
    spoil(demo)
    wait_for(lambda: bool(read(demo, f"{CAR1}.int.dlq")))
    task = Task(sue, costs, 1, "see what is wrong now")
    trouble = sue.get_by_role("listitem").filter(has_text=f"refused in {CAR1}")
    expect(trouble).to_be_visible()
    task.journey.click(trouble.get_by_role("link", name="See them"))
    expect(sue.get_by_role("row").nth(1)).to_contain_text("object")
    task.done()


def test_find_a_system_by_a_few_letters(sue: Page, costs: list[str]) -> None:
    task = Task(sue, costs, 2, "find a system by a few letters")
    open_system(task.journey, CAR2)
    expect(sue.get_by_role("heading", level=1)).to_contain_text("Car2")
    task.done()


def test_see_the_last_value_and_unit_of_a_sensor(sue: Page, costs: list[str]) -> None:
    task = Task(sue, costs, 3, "see the last value and unit of a sensor")
    open_system(task.journey, CAR1)
    task.journey.click(sue.get_by_role("link", name="Things", exact=True))
    row = sue.get_by_role("row").filter(has=sue.get_by_role("link", name="Air Temperature")).first
    expect(row).to_contain_text(CELSIUS)
    task.done()


def test_chart_the_last_day(sue: Page, costs: list[str]) -> None:
    task = Task(sue, costs, 4, "chart the last 24 hours")
    open_system(task.journey, CAR1)
    task.journey.click(sue.get_by_role("link", name="Things", exact=True))
    task.journey.click(sue.get_by_role("link", name="Air Temperature").first)
    task.journey.click(sue.get_by_role("link", name="24 hours"))
    expect(sue.locator("[data-plot] canvas")).to_be_visible()
    expect(sue.get_by_role("link", name="24 hours")).to_have_attribute("aria-current", "true")
    task.done()


def test_add_a_device_and_see_its_first_record(sue: Page, costs: list[str], tmp_path: Path) -> None:
    task = Task(sue, costs, 5, "add a device and see its first record")
    journey = task.journey
    open_system(journey, CAR2)
    journey.click(sue.get_by_role("link", name="Client apps", exact=True))
    journey.click(sue.get_by_role("link", name=re.compile("New")).first)
    expect(sue.get_by_label("Name", exact=True)).to_be_focused()
    journey.type(f"box-{RUN}")
    journey.press("Enter")
    save(lambda: journey.click(button(sue, "Download")), sue, tmp_path)
    run_lines(sue, tmp_path)
    expect(sue.get_by_role("heading", name="It has arrived")).to_be_visible()
    task.done()


def test_share_a_datastream_with_another_company(
    sue: Page, demo: Demo, costs: list[str], afterwards: list[tuple[str, Json]]
) -> None:
    task = Task(sue, costs, 6, "share a Datastream: request, and sign on both sides")
    journey = task.journey
    open_system(journey, CAR2)
    journey.click(sue.locator(f"a[href='/contracts/new?consumer={CAR2}']").first)
    expect(sue.get_by_label("System that gives")).to_be_focused()
    journey.type(str(STATIONS))
    journey.fill(sue.get_by_label("Purpose"), "Warn of ice.")
    journey.click(button(sue, "Write the draft"))
    journey.click(button(sue, "Sign"))
    expect(sue.get_by_text("not signed")).to_be_visible()
    contract = sue.url.rsplit("/", 1)[1]
    afterwards.append(
        (f"/api/v1/contracts/{contract}:revoke", {"side": "consumer", "reason": "It was tried."})
    )
    browser = sue.context.browser
    assert browser is not None
    context = browser.new_context(base_url=demo.platform)
    stefan = Journey(log_in(context.new_page(), "stefan.gunnarsson"))
    stefan.click(stefan.page.locator(f"main a[href='/contracts/{contract}']").first)
    stefan.click(button(stefan.page, "Sign"))
    expect(stefan.page.get_by_role("heading", level=1)).to_contain_text("in force")
    journey.clicks += stefan.clicks
    journey.screens += stefan.screens
    context.close()
    task.done()


def test_make_an_app_from_a_filter_in_the_live_view(
    sue: Page, demo: Demo, costs: list[str], afterwards: list[tuple[str, Json]]
) -> None:
    task = Task(sue, costs, 7, "make an app from a filter in the live view")
    journey = task.journey
    open_system(journey, CAR1)
    journey.click(sue.get_by_role("link", name="Open in the live browser"))
    journey.fill(sue.get_by_label("Filter"), "result > -50")
    journey.click(sue.get_by_role("main").get_by_role("button", name="Show"))
    journey.click(sue.get_by_role("link", name="Save as stream app"))
    journey.fill(sue.get_by_label("Target system"), CAR2)
    journey.fill(sue.get_by_label("Name", exact=True), f"warm-{RUN}")
    journey.click(button(sue, "Create and deploy"))
    expect_running(sue)
    afterwards.append((f"/api/v1/systems/{CAR1}/apps/warm-{RUN}:stop", None))
    wait_for(
        lambda: any(
            headers.get("dt-app") == f"{CAR1}.warm-{RUN}" for *_, headers in read(demo, f"{CAR2}.ext")
        )
    )
    task.done()


def test_roll_an_app_back(sue: Page, costs: list[str]) -> None:
    name, apps = f"back-{RUN}", f"/api/v1/systems/{CAR1}/apps"
    app = {"name": name, "target_system": CAR2, "statement": f"SELECT * FROM {CAR1} WHERE result < 1;"}
    tell(sue.request, apps, app)
    tell(sue.request, f"{apps}/{name}/versions", {"statement": app["statement"].replace("1;", "2;")})
    task = Task(sue, costs, 8, "roll an app back")
    task.journey.press("Control+k")
    task.journey.type(name)
    expect(sue.locator("[role=option][aria-selected=true]")).to_contain_text(name)
    task.journey.press("Enter")
    task.journey.click(sue.get_by_role("link", name="Versions", exact=True))
    task.journey.click(button(sue, "Roll back to this"))
    expect(sue.get_by_role("status").first).to_contain_text("version 1")
    sue.goto(f"/systems/{CAR1}/apps/{name}")
    expect(sue.locator("main pre.code").first).to_contain_text("result < 1")
    task.done()


def test_revoke_the_certificate_of_a_lost_device(sue: Page, costs: list[str]) -> None:
    name = f"lost-{RUN}"
    tell(sue.request, f"/api/v1/systems/{CAR2}/clients", {"name": name})
    sue.goto(f"/systems/{CAR2}/clients/{name}")
    with sue.expect_download():
        button(sue, "Download").click()
    task = Task(sue, costs, 9, "revoke a lost device's certificate")
    task.journey.press("Control+k")
    task.journey.type(name)
    expect(sue.locator("[role=option][aria-selected=true]")).to_contain_text(name)
    task.journey.press("Enter")
    task.journey.click(sue.get_by_role("link", name="Credentials", exact=True))
    task.journey.click(button(sue, "Revoke all certificates"))
    expect(sue.get_by_role("cell", name=re.compile("revoked"))).to_be_visible()
    task.done()


def test_find_out_why_somebody_may_read_something(sue: Page, costs: list[str]) -> None:
    task = Task(sue, costs, 10, "find out why somebody may read something")
    open_system(task.journey, CAR1)
    task.journey.click(sue.get_by_role("link", name="Things", exact=True))
    task.journey.click(sue.get_by_role("link", name="Air Temperature").first)
    task.journey.click(sue.get_by_role("link", name="Why?"))
    partner = sue.get_by_role("row").filter(has_text="system of another company")
    expect(partner).to_contain_text("RoadAnalytics")
    expect(partner.get_by_role("link", name=re.compile("c-"))).to_be_visible()
    task.done()
