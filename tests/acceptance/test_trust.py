"""Two people share records by a contract and end it; a device uses credentials that come from a page."""

import json
import re
import secrets
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from client.digital_twin_client import DigitalTwinClient
from client.errors import NotAuthorizedError
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.settings import ClientSettings
from tests.acceptance.demo import Demo, end_offsets, read, wait_for
from tests.acceptance.editing import statement_editor, write_over
from tests.acceptance.test_explorer import picture, watch
from tests.archives import unpack

CAR2 = SystemName.parse("cz.icecars.iot4cps-wp5-CarFleet.Car2")
STATIONS = SystemName.parse("is.iceland.iot4cps-wp5-WeatherService.Stations")
RUN = secrets.token_hex(3)
APP = f"weather2car2-{RUN}"
CLIENT = f"trust-{RUN}"
INSTANCES = {
    "Things": {"box": {"name": "Trust", "description": "A box in the boot"}},
    "Sensors": {
        "sensor": {
            "name": "Door contact",
            "description": "Opens and closes",
            "encodingType": "application/pdf",
            "metadata": "https://example.com/contact.pdf",
        }
    },
    "Datastreams": {
        "doors": {
            "name": "Open Doors",
            "description": "How many are open",
            "observationType": ("http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation"),
            "unitOfMeasurement": {"name": "one", "symbol": "1", "definition": "ucum:1"},
            "ObservedProperty": {
                "name": "Doors",
                "description": "Open doors",
                "definition": "https://example.com/p",
            },
            "Thing": "box",
            "Sensor": "sensor",
        }
    },
}

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def log_in(page: Page, name: str) -> Page:
    page.goto("/")
    page.get_by_label("E-mail address").fill(f"{name}@example.com")
    page.get_by_label("Password").fill("asdf")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/dashboard")
    return page


@pytest.fixture
def sue(page: Page) -> Page:
    return log_in(page, "sue.smith")


@pytest.fixture
def stefan(page: Page, demo: Demo) -> Iterator[Page]:
    """A second browser: what is between two people is seen by both."""
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(base_url=demo.platform, viewport={"width": 1280, "height": 900})
    yield log_in(context.new_page(), "stefan.gunnarsson")
    context.close()


def request_contract(page: Page) -> str:
    """Let the side that receives ask and sign; return the contract's id."""
    page.goto("/contracts")
    picture(page, "contracts")
    page.goto("/contracts/new")
    page.get_by_label("System that gives").fill(str(STATIONS))
    page.get_by_label("System that receives").fill(str(CAR2))
    page.get_by_label("Purpose").fill("Car 2 warns of ice in Seattle.")
    page.get_by_label("Only records where").fill("thing = 'Seattle'")
    picture(page, "contract-new")
    page.get_by_role("button", name="Write the draft").click()
    page.wait_for_url(re.compile(r"/contracts/c-\w+$"))
    page.get_by_role("button", name="Sign for Car2").click()
    expect(page.get_by_text("not signed")).to_be_visible()
    return page.url.rsplit("/", 1)[1]


def review_and_sign(page: Page, contract: str) -> None:
    page.goto("/contracts")
    page.get_by_role("link", name=contract).click()
    expect(page.locator("#preview")).to_contain_text("would leave")
    expect(page.locator("#preview")).not_to_contain_text("San Francisco")
    picture(page, "contract-review")
    page.get_by_role("button", name="Sign for Stations").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("in force")


def create_and_start_app(page: Page) -> None:
    page.goto(f"/systems/{STATIONS}/apps/new")
    page.get_by_label("Name", exact=True).fill(APP)
    page.get_by_label("Target system").fill(str(CAR2))
    # It asks for more than the contract lets leave.
    write_over(statement_editor(page), f"SELECT * FROM {STATIONS};")
    page.get_by_role("button", name="Create only").click()
    page.wait_for_url(f"**/apps/{APP}")
    page.get_by_role("button", name="Deploy").click()
    expect(page.locator("#app-state .app-bar .state")).to_have_text("running", timeout=90_000)


def received(demo: Demo) -> list[tuple[str, str | None]]:
    """Return the Datastream of each record that the app has brought, and the contract that it names."""
    return [
        (name, headers.get("dt-contract"))
        for _, name, _, headers in read(demo, CAR2.topics.external)
        if headers.get("dt-app") == f"{STATIONS}.{APP}"
    ]


def test_records_flow_by_a_contract_that_both_sign_and_stop_when_one_of_them_revokes_it(
    sue: Page, stefan: Page, demo: Demo
) -> None:
    faults = watch(sue), watch(stefan)
    contract = request_contract(sue)
    review_and_sign(stefan, contract)
    create_and_start_app(stefan)
    wait_for(lambda: len(received(demo)) > 3)
    picture(stefan, "app-under-contract")
    assert {named for _, named in received(demo)} == {contract}
    assert {name.split(".")[4] for name, _ in received(demo)} == {"Seattle"}, "only what the contract lets go"

    sue.goto(f"/contracts/{contract}")
    sue.get_by_label("Revoke").fill("The car was sold.")
    sue.get_by_role("button", name="Revoke the contract").click()
    expect(sue.get_by_role("status").filter(has_text="The car was sold.")).to_be_visible()
    picture(sue, "contract-revoked")
    ask_why(sue)
    stefan.reload()
    notice = stefan.get_by_role("status").filter(has_text=contract)
    expect(notice).to_contain_text("no longer in force")
    expect(notice.get_by_role("link", name="request a contract")).to_be_visible()
    expect(stefan.locator("#app-state .app-bar .state")).to_have_text("ended by contract")
    picture(stefan, "app-without-contract")
    stopped_at = end_offsets(demo, CAR2.topics.external)
    source_then = sum(end_offsets(demo, STATIONS.topics.internal))
    wait_for(lambda: sum(end_offsets(demo, STATIONS.topics.internal)) > source_then + 3)
    assert end_offsets(demo, CAR2.topics.external) == stopped_at, "records arrived without a contract"
    expect(stefan.get_by_role("button", name="Start")).to_be_disabled()
    expect(stefan.locator("#why-not-deploy")).to_contain_text("contract")
    assert faults == ([], [])


def ask_why(page: Page) -> None:
    """Ask the page behind every refusal what is missing."""
    page.goto("/explain")
    page.get_by_label("Who").fill(str(CAR2))
    page.get_by_label("Wants to").select_option("receive")
    page.get_by_label("What", exact=True).fill(f"{STATIONS}.Seattle.Air Temperature")
    page.get_by_label("Record").fill('{"result": 7}')
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("Missing:")).to_contain_text("contract")
    picture(page, "explain")


def test_a_downloaded_archive_lets_a_device_produce_and_consume(
    sue: Page, demo: Demo, tmp_path: Path
) -> None:
    faults = watch(sue)
    sue.goto(f"/systems/{CAR2}/clients/new")
    sue.get_by_label("Name", exact=True).fill(CLIENT)
    sue.get_by_role("button", name="Create the client app").click()
    sue.goto(f"/systems/{CAR2}/clients/{CLIENT}/tokens")
    sue.get_by_role("button", name="Create a token").click()
    token = sue.locator("#token").text_content()
    sue.goto(f"/systems/{CAR2}/clients/{CLIENT}/credentials")
    with sue.expect_download() as download:
        sue.get_by_role("button", name="Download an archive").click()
    with tarfile.open(download.value.path()) as archive:
        unpack(archive, tmp_path)
    expect(sue.get_by_role("cell", name="counts")).to_be_visible()
    expect(sue.locator(".client-standing")).to_contain_text("certificate until")
    picture(sue, "credentials")
    (certificate,) = tmp_path.rglob("certificate.pem")
    client = connect(demo, certificate.parent, token or "")
    instances = tmp_path / "instances.json"
    instances.write_text(json.dumps(INSTANCES), encoding="utf-8")
    client.register(instances)
    client.subscribe(datastreams=[f"{CAR2}.Trust.Open Doors"])
    number = int(RUN, 16)
    client.produce("doors", number).result(30)
    wait_for(lambda: number in [record["result"] for record in client.consume(timeout=1)])
    client.disconnect()
    assert faults == []


def connect(demo: Demo, folder: Path, token: str) -> DigitalTwinClient:
    """Connect as soon as the access rules have followed the certificate."""
    ca, certificate, key = (folder / name for name in ("ca.pem", "certificate.pem", "key.pem"))
    security = KafkaSecurity(protocol="SSL", ca_file=ca, certificate_file=certificate, key_file=key)
    deadline = time.monotonic() + 90
    while True:
        try:
            return DigitalTwinClient(
                CLIENT,
                str(CAR2),
                demo.sensorthings,
                demo.kafka,
                sensorthings_token=token,
                security=security,
                settings=ClientSettings(alive_s=0),
            )
        except NotAuthorizedError:
            assert time.monotonic() < deadline, "the access rules did not follow"
            time.sleep(0.2)


def test_the_pages_of_trust_show_themselves_without_a_fault(page: Page, demo: Demo) -> None:
    faults = watch(page)
    page.goto("/login")
    picture(page, "login")
    log_in(page, "sue.smith")
    page.goto("/account")
    expect(page.get_by_text("this one")).to_be_visible()
    picture(page, "account")
    page.goto("/account/second-factor")
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("img", name="QR code with the secret below")).to_be_visible()
    assert re.fullmatch(r"[A-Z2-7 ]{16,}", (page.locator("#secret").text_content() or "").strip())
    picture(page, "second-factor")
    page.goto("/account/tokens")
    picture(page, "api-tokens")
    for place in (f"systems/{CAR2}", f"companies/{CAR2.company}"):
        page.goto(f"/{place}/members")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Members of")
        page.goto(f"/{place}/audit")
        expect(page.get_by_role("row").nth(1)).to_be_visible()
        picture(page, f"audit-{place.split('/')[0]}")
    assert faults == []
