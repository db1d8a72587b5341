"""A person logs in, watches a car's records arrive, stops a stream app and starts it again."""

import json
import secrets
from datetime import UTC, datetime

from confluent_kafka import Producer
from playwright.sync_api import Page, expect

from tests.acceptance.browser.conftest import Site
from tests.acceptance.editing import statement_editor
from tests.kafka_clients import connection

CAR1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
STATIONS = "is.iceland.iot4cps-wp5-WeatherService.Stations"


def fresh(first_digit: int) -> float:
    """Return a result that nobody has produced before, also not on a broker that is used again."""
    return first_digit * 1000 + secrets.randbelow(90_000) / 100 + 100


def produce(site: Site, system: str, *results: float) -> None:
    producer = Producer(connection(site.kafka_bootstrap))
    for result in results:
        time = datetime.now(UTC).isoformat()
        value = {"phenomenonTime": time, "resultTime": time, "result": result, "Datastream": {"@iot.id": 1}}
        producer.produce(f"{system}.int", key=f"{system}.Seattle.Air Temperature", value=json.dumps(value))
    assert producer.flush(20) == 0


def log_in(page: Page, name: str) -> None:
    page.goto("/login")
    page.get_by_label("E-mail address").fill(f"{name}@example.com")
    page.get_by_label("Password").fill("asdf")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/dashboard")


def wait_running(page: Page) -> None:
    expect(page.locator("#app-state .app-bar .state")).to_have_text("running")


def test_records_arrive_live_and_an_app_is_stopped_and_started(page: Page, site: Site) -> None:
    log_in(page, "stefan.gunnarsson")
    page.goto(f"/systems/{STATIONS}/apps/weather2car1")
    wait_running(page)
    page.get_by_role("button", name="Log out").click()

    log_in(page, "sue.smith")
    page.locator(f"main a[href='/systems/{CAR1}']").first.click()
    expect(page.locator("[data-tail-state]")).to_have_text("live")
    rows = page.locator("[data-tail-rows] tr")
    own, cold, warm, first, second = fresh(1), -fresh(2), fresh(3), -fresh(4), -fresh(5)
    produce(site, CAR1, own)
    expect(rows.filter(has_text=f"{own:.6g}")).to_contain_text("this system")
    page.get_by_role("tab", name="Shared with us").click()
    produce(site, STATIONS, warm, cold)  # the demo's app passes what is below 15 degC
    expect(rows.filter(has_text=f"{cold:.6g}")).to_contain_text("weather2car1 of Stations")
    expect(rows.filter(has_text=f"{warm:.6g}")).to_have_count(0)
    page.get_by_role("button", name="Log out").click()

    log_in(page, "stefan.gunnarsson")
    page.goto(f"/systems/{STATIONS}/apps/weather2car1")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#app-state .app-bar .state")).to_have_text("stopped")
    produce(site, STATIONS, first, second)
    page.get_by_role("button", name="Start").click()
    wait_running(page)
    page.get_by_role("button", name="Log out").click()

    log_in(page, "sue.smith")
    page.goto(f"/systems/{CAR1}")
    page.get_by_role("tab", name="Shared with us").click()
    expect(rows.filter(has_text=f"{second:.6g}")).to_have_count(1)
    for result in (first, cold):
        expect(rows.filter(has_text=f"{result:.6g}")).to_have_count(1)


def test_a_paused_tail_stands_still_and_goes_on(page: Page, site: Site) -> None:
    log_in(page, "anna.gruber")
    system = "at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics"
    page.goto(f"/systems/{system}")
    expect(page.locator("[data-tail-state]")).to_have_text("live")
    rows = page.locator("[data-tail-rows] tr")
    before, during = fresh(6), fresh(7)
    produce(site, system, before)
    expect(rows.filter(has_text=f"{before:.6g}")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    seen = int(page.locator('[data-count="int"]').inner_text())
    produce(site, system, during)
    expect(page.locator('[data-count="int"]')).to_have_text(str(seen + 1))
    expect(rows.filter(has_text=f"{during:.6g}")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(rows.first).to_contain_text(f"{during:.6g}")


def test_a_refused_statement_is_explained_while_it_is_typed(page: Page) -> None:
    log_in(page, "sue.smith")
    page.goto(f"/systems/{CAR1}/apps/new")
    _type_statement(page, "SELECT * FROM * WHERE result < ;")
    expect(page.locator("#statement-check")).to_contain_text("^")
    _type_statement(page, "SELECT * FROM * WHERE result < 4;")
    expect(page.locator("#statement-check")).to_contain_text("understood")


def _type_statement(page: Page, statement: str) -> None:
    """Type as a person does: filling a rich editor at once lets Chromium write styles into it."""
    statement_editor(page).click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(statement)


def test_a_new_person_comes_from_sign_up_to_the_first_program(page: Page) -> None:
    enterprise = f"fjord-{secrets.token_hex(3)}"
    page.goto("/signup")
    page.get_by_label("First name").fill("Mia")
    page.get_by_label("Last name").fill("Berg")
    page.get_by_label("E-mail address").fill("mia.berg@example.com")
    page.get_by_label("New password").fill("a long password")
    page.get_by_label("Repeat the password").fill("a long password")
    page.get_by_role("button", name="Create my account").click()
    page.get_by_label("Company").fill(enterprise)
    page.get_by_label("Domain").fill("no")
    page.get_by_label("Workcenter").fill("Turbines")
    page.get_by_label("Station", exact=True).fill("T1")
    page.get_by_label("Client app").fill("turbine_1")
    page.get_by_role("button", name="Create all of it").click()
    expect(page.get_by_role("status").first).to_contain_text(f"no.{enterprise}.Turbines.T1 is ready")
    expect(page.locator("#snippet-python-run")).to_contain_text(f"no.{enterprise}.Turbines.T1.turbine_1")
    page.goto(f"/systems/no.{enterprise}.Turbines.T1/delete")
    page.get_by_role("button", name="Delete the system").click()
    expect(page.get_by_role("alert")).to_contain_text("Delete its client apps")
