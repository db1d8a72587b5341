"""A person finds out what the demo's records mean: in the tree, by query, on the map."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import ConsoleMessage, Page, Route, expect

from setup.local.paths import Home
from tests.acceptance.demo import Demo

IOT_ID = "@iot.id"
Json = Any
"""What a JSON text holds; tests look into it freely."""

CAR1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
DATA = "/explorer/data/v1.1"
CELSIUS = "unitOfMeasurement/symbol eq '°C'"

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def token(demo: Demo) -> str:
    """The admin token of the demo's SensorThings service."""
    return Home(demo.home).sensorthings_token_file.read_text(encoding="utf-8").strip()


@pytest.fixture
def sue(page: Page) -> Page:
    """Sue's browser; a script error or a breach of the content policy fails the test that asks for it."""
    page.goto("/")
    page.get_by_label("E-mail address").fill("sue.smith@example.com")
    page.get_by_label("Password").fill("asdf")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/dashboard")
    return page


def watch(page: Page) -> list[str]:
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return faults


def picture(page: Page, name: str) -> None:
    pictures = os.environ.get("DTWIN_TEST_SCREENSHOTS")
    if pictures:
        page.screenshot(path=f"{pictures}/{name}.png")


def read(page: Page, path: str) -> Json:
    answer = page.request.get(f"{DATA}/{path}", headers={"Accept": "application/json"})
    assert answer.ok, answer.text()
    return answer.json()


def thing_of_car1(page: Page) -> Json:
    condition = quote(f"startswith(name, '{CAR1}.')")
    return read(page, f"Things?$filter={condition}&$orderby=id&$expand=Locations,Datastreams($orderby=name)")[
        "value"
    ][0]


def post(demo: Demo, token: str, path: str, body: Json) -> None:
    request = urllib.request.Request(  # noqa: S310 - an address of the demo's own
        f"{demo.sensorthings}/v1.1/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        assert answer.status == 201


def have_two_observations(page: Page, demo: Demo, token: str, thing: Json) -> None:
    (one,) = [one for one in thing["Datastreams"] if one["name"].endswith(".Air Temperature")]
    path = f"Datastreams({one[IOT_ID]})/Observations"
    for minute in range(2 - len(read(page, f"{path}?$top=2")["value"])):
        post(demo, token, path, {"phenomenonTime": f"2026-01-01T00:0{minute}:00Z", "result": 20.5 + minute})


def test_the_tree_leads_from_a_system_to_the_last_value_and_its_meaning(
    sue: Page, demo: Demo, token: str
) -> None:
    faults = watch(sue)
    thing = thing_of_car1(sue)
    have_two_observations(sue, demo, token, thing)
    sue.get_by_role("link", name="Explorer").click()
    system = sue.get_by_role("treeitem").filter(has_text=CAR1).first
    expect(system).to_be_visible()
    if system.get_attribute("aria-expanded") == "false":
        system.press("ArrowRight")
    place = sue.locator(f"[data-place='Things({thing['@iot.id']})']")
    place.locator(".node-line").first.click()
    details = sue.locator("[data-details]")
    expect(details.get_by_role("heading", level=2)).to_contain_text(thing["name"].removeprefix(f"{CAR1}."))

    temperature = sue.get_by_role("treeitem", level=3).filter(has_text="Air Temperature").first
    expect(temperature).to_contain_text("°C")
    temperature.click()
    expect(details.get_by_role("heading", level=2)).to_contain_text("Air Temperature")
    expect(details.get_by_role("img", name="Air Temperature")).to_be_visible()
    expect(details).to_contain_text("unitOfMeasurement")
    picture(sue, "explorer-tree")
    details.locator(f"a[href='/explorer?at={quote(f'Things({thing[IOT_ID]})', safe='()')}']").click()
    expect(sue).to_have_url(re.compile(rf"/explorer\?at=Things\({thing['@iot.id']}\)$"))
    expect(details.locator(".kind code")).to_have_text(f"Things({thing['@iot.id']})")
    details.get_by_role("button", name="JSON").click()
    expect(details.get_by_label("The entity as JSON")).to_contain_text('"@iot.selfLink"')
    assert faults == []


def test_the_search_finds_what_is_observed(sue: Page) -> None:
    sue.goto("/explorer")
    sue.get_by_label("Search Things and Datastreams").fill("air temp")
    expect(sue.get_by_role("treeitem").filter(has_text="Air Temperature").first).to_be_visible()
    sue.get_by_label("Search Things and Datastreams").fill("no such thing at all")
    expect(sue.get_by_text("Nothing has “no such thing at all” in it")).to_be_visible()


def test_a_query_with_a_mistake_shows_its_place_and_a_right_one_rows(sue: Page) -> None:
    faults = watch(sue)
    sue.goto("/explorer/query")
    expect(sue.locator("[data-check]")).to_have_text("choose a set")
    sue.get_by_label("Read").fill("Datastreams")
    condition = sue.get_by_label("$filter")
    condition.click()
    condition.press_sequentially("unitO")
    expect(sue.get_by_role("option", name="unitOfMeasurement")).to_be_visible()
    condition.press("Enter")
    condition.press_sequentially("/symbol eq '°C' an name")
    condition.press("Escape")
    fault = sue.locator("[data-fault='$filter']")
    expect(fault.locator("pre")).to_have_text(
        "unitOfMeasurement/symbol eq '°C' an name\n" + " " * 33 + "^", use_inner_text=False
    )
    expect(sue.locator("[data-check]")).to_have_text("A mistake in $filter, column 34")
    expect(condition).to_have_attribute("aria-invalid", "true")
    picture(sue, "explorer-mistake")

    condition.fill(CELSIUS)
    sue.get_by_label("$count").check()
    expect(sue.locator("[data-check]")).to_have_text("can be run")
    expect(fault).to_be_hidden()
    sue.get_by_role("button", name="Run").click()
    rows = sue.locator("[data-rows] tbody tr")
    expect(rows.first).to_contain_text("°C")
    expected = read(sue, f"Datastreams?$count=true&$filter={quote(CELSIUS)}")
    expect(sue.locator("[data-result-words]")).to_contain_text(f"of {expected['@iot.count']}")
    picture(sue, "explorer-query")
    with sue.expect_download() as download:
        sue.get_by_role("button", name="CSV").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("@iot.id,name")
    assert len(lines) == expected["@iot.count"] + 1
    assert faults == []


def test_what_is_typed_before_the_page_knows_the_service_is_kept_and_checked(sue: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    sue.route("**/explorer/description.json", hold)
    sue.goto("/explorer/query")
    sue.get_by_label("Read").fill("Things")
    while not held:
        sue.wait_for_timeout(50)  # in which the page's events are seen to
    held[0].continue_()
    expect(sue.locator("[data-check]")).to_have_text("can be run")
    expect(sue.get_by_label("Read")).to_have_value("Things")


def test_the_programs_it_gives_work(sue: Page, token: str) -> None:
    sue.goto(f"/explorer/query?path=Datastreams&$filter={quote(CELSIUS)}&$select=id,name&$top=1")
    expect(sue.locator("[data-rows] tbody tr").first).to_be_visible()
    environment = os.environ | {"DTWIN_SENSORTHINGS__TOKEN": token}
    program = sue.locator("[data-python]").text_content() or ""
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    count = int(done.stdout.split()[0])
    assert count >= read(sue, f"Datastreams?$count=true&$filter={quote(CELSIUS)}")["@iot.count"]
    if shutil.which("curl"):
        command = sue.locator("[data-curl]").text_content() or ""
        answer = subprocess.run(
            ["sh", "-c", command], check=False, env=environment, capture_output=True, text=True, timeout=60
        )
        assert json.loads(answer.stdout)["value"][0]["name"]


def test_a_thing_with_a_location_is_on_the_map(sue: Page) -> None:
    faults = watch(sue)
    thing = thing_of_car1(sue)
    place = f"Things({thing['@iot.id']})"
    assert thing["Locations"], "its instances file says where it is"
    sue.goto("/explorer/map")
    placed = [one for one in read(sue, "Things?$expand=Locations&$top=200")["value"] if one["Locations"]]
    expect(sue.locator("[data-count=things]")).to_have_text(str(len(placed)))
    expect(sue.locator("[data-map-marks] .mark-things").first).to_be_visible()
    sue.locator(f"[data-map-list] [data-place='{place}']").click()
    expect(sue.locator("[data-map-marks] .mark-things.chosen")).to_be_visible()
    expect(sue.locator("[data-details]")).to_contain_text(thing["name"])
    picture(sue, "explorer-map")
    assert faults == []


def test_the_pages_fit_a_small_screen(sue: Page) -> None:
    sue.set_viewport_size({"width": 390, "height": 800})
    for path in ("/explorer", "/explorer/map", "/explorer/query?path=Datastreams"):
        sue.goto(path)
        sue.wait_for_load_state("networkidle")
        assert sue.evaluate("document.documentElement.scrollWidth") <= 390, path
