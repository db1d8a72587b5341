"""The platform keeps the rights at a real, closed SensorThings service, and hands out tokens."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from client.metadata.entities import Sensor
from client.metadata.server import SensorThingsServer
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.agreements import propose, revoke, sign
from tests.integration.platform_ui.doubles import Browser
from tests.sensorthings_service import running_service

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]
ADMIN_TOKEN = "platform-" + "p" * 40


@pytest.fixture(scope="module")
def closed_url(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that answers only to those it knows."""
    folder: Path = tmp_path_factory.mktemp("closed")
    with running_service(
        new_database("closed"), folder, anonymous="none", admin_token=ADMIN_TOKEN
    ) as address:
        yield address


@pytest.fixture
def settings(settings: PlatformSettings, closed_url: str) -> PlatformSettings:
    return replace(settings, sensorthings_url=closed_url, sensorthings_token=ADMIN_TOKEN)


@pytest.fixture
def ask(closed_url: str) -> Callable[..., httpx2.Response]:
    """A function that asks the service with a token."""

    def send(method: str, path: str, token: str, body: Any = None, act_as: str = "") -> httpx2.Response:  # noqa: ANN401 - JSON
        headers = {"Authorization": f"Bearer {token}"} | ({"DTWIN-Act-As": act_as} if act_as else {})
        return httpx2.request(method, f"{closed_url}/{path}", headers=headers, json=body, timeout=60)

    return send


async def with_client(browser: Browser, word: Word) -> tuple[str, str]:
    """Sign up, make a system with the client app car_1; return the e-mail address and the system."""
    email = await browser.sign_up(word())
    company = f"cz.{word()}"
    await browser.add("/companies/new", domain="cz", enterprise=company[3:])
    await browser.add("/systems/new", company=company, workcenter="Fleet", station="Car1")
    system = f"{company}.Fleet.Car1"
    answer = await browser.add(f"/systems/{system}/clients/new", name="car_1")
    assert answer.status_code == 200, answer.text
    return email, system


async def make_token(browser: Browser, system: str) -> str:
    page = f"/systems/{system}/clients/car_1/tokens"
    answer = await browser.post(page, page)
    assert answer.status_code == 200, answer.text
    found = re.search(r'<pre class="code" id="token">(dtwin_[\w-]+)</pre>', answer.text)
    assert found
    assert answer.headers["Cache-Control"] == "no-store"
    return found[1]


async def test_a_token_from_the_clients_page_lets_its_program_in_until_it_is_revoked(
    new_browser: MakeBrowser, word: Word, ask: Callable[..., httpx2.Response]
) -> None:
    browser = new_browser()
    _, system = await with_client(browser, word)
    token = await make_token(browser, system)
    thing = {"name": f"{system}.Main", "description": "d"}
    assert ask("POST", "v1.1/Things", token, thing).status_code == 201
    page = f"/systems/{system}/clients/car_1/tokens"
    shown = await browser.get(page)
    assert token not in shown.text
    assert "in use" in shown.text
    number = re.search(r"/tokens/(\d+)/revoke", shown.text)
    assert number
    await browser.post(f"{page}/{number[1]}/revoke", page)
    assert ask("GET", "v1.1/Things", token).status_code == 401
    assert "revoked" in (await browser.get(page)).text


async def test_only_agents_of_the_system_come_to_its_tokens(new_browser: MakeBrowser, word: Word) -> None:
    browser, other = new_browser(), new_browser()
    _, system = await with_client(browser, word)
    await with_client(other, word)
    page = f"/systems/{system}/clients/car_1/tokens"
    assert (await other.get(page)).status_code == 404
    assert (await other.get(f"/api/v1{page}")).status_code == 404
    answer = await other.post(page, "/companies/new")
    assert answer.status_code == 404


async def test_people_see_the_systems_that_they_operate_and_no_longer_when_they_leave(
    new_browser: MakeBrowser, word: Word, site: FastAPI, ask: Callable[..., httpx2.Response]
) -> None:
    browser, other = new_browser(), new_browser()
    email, system = await with_client(browser, word)
    colleague, _ = await with_client(other, word)
    token = await make_token(browser, system)
    ask("POST", "v1.1/Things", token, {"name": f"{system}.Main", "description": "d"})

    def count(person: str) -> int:
        answer = ask("GET", "v1.1/Things?$count=true", ADMIN_TOKEN, act_as=person)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["@iot.count"])

    await site.state.keeper.bring()
    assert (count(email), count(colleague)) == (1, 0)
    await browser.post(f"/systems/{system}/members", "/companies/new", email=colleague)
    await site.state.keeper.bring()
    assert count(colleague) == 1
    await browser.post(f"/systems/{system}/members/{colleague}/remove", "/companies/new")
    await site.state.keeper.bring()
    assert count(colleague) == 0


async def test_a_deleted_client_app_is_a_stranger(
    new_browser: MakeBrowser, word: Word, site: FastAPI, ask: Callable[..., httpx2.Response]
) -> None:
    browser = new_browser()
    _, system = await with_client(browser, word)
    token = await make_token(browser, system)
    await browser.add(f"/systems/{system}/clients/car_1/delete")
    await site.state.keeper.bring()
    assert ask("GET", "v1.1/Things", token).status_code == 401


async def test_a_contract_shares_its_datastreams_as_long_as_it_is_in_force(
    new_browser: MakeBrowser, word: Word, site: FastAPI, ask: Callable[..., httpx2.Response]
) -> None:
    browser, other = new_browser(), new_browser()
    _, source = await with_client(browser, word)
    _, target = await with_client(other, word)
    giver, taker = await make_token(browser, source), await make_token(other, target)
    stream = {
        "name": f"{source}.Main.Temperature",
        "description": "d",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": None},
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "Thing": {"name": f"{source}.Main", "description": "d"},
        "Sensor": {"name": "S", "description": "s", "encodingType": "text/html", "metadata": "m"},
        "ObservedProperty": {"name": "T", "definition": "http://x.org/t", "description": "t"},
    }
    made = ask("POST", "v1.1/Datastreams", giver, stream)
    assert made.status_code == 201, made.text
    address = f"v1.1/Datastreams({made.json()['@iot.id']})"
    contract = await propose(other, source, target, datastreams=f"{source}.Main.Temperature")
    assert await sign(other, contract, "consumer") == 200
    await site.state.keeper.bring()
    assert ask("GET", address, taker).status_code == 404, "the provider has not signed"
    assert await sign(browser, contract, "provider") == 200
    await site.state.keeper.bring()
    assert ask("GET", address, taker).json()["unitOfMeasurement"]["symbol"] == "°C"
    assert ask("PATCH", address, taker, {"description": "mine"}).status_code == 403
    assert await revoke(browser, contract, "provider") == 200
    await site.state.keeper.bring()
    assert ask("GET", address, taker).status_code == 404


async def test_a_service_that_was_emptied_is_brought_up_to_date(
    new_browser: MakeBrowser, word: Word, site: FastAPI, ask: Callable[..., httpx2.Response]
) -> None:
    email, system = await with_client(new_browser(), word)
    await site.state.keeper.bring()
    assert ask("DELETE", f"access/v1/principals/{email}", ADMIN_TOKEN).status_code == 204
    wrong: dict[str, Any] = {"is_admin": False, "home": None, "grants": []}
    assert ask("PUT", f"access/v1/principals/{system}.car_1", ADMIN_TOKEN, wrong).status_code == 200
    await site.state.keeper.bring()
    found = {one["name"]: one for one in ask("GET", "access/v1/principals", ADMIN_TOKEN).json()["principals"]}
    assert found[email]["grants"] == [{"system": system, "write": True}]
    assert found[f"{system}.car_1"]["home"] == system


async def test_every_change_wakes_the_keeper(new_browser: MakeBrowser, word: Word, site: FastAPI) -> None:
    browser = new_browser()
    await site.state.keeper.bell.wait(0)
    await browser.get("/login")
    assert not site.state.keeper.bell.is_rung
    await with_client(browser, word)
    assert site.state.keeper.bell.is_rung


async def test_what_an_app_computes_is_registered_for_its_target(
    closed_url: str, ask: Callable[..., httpx2.Response]
) -> None:
    """As the target system itself: so that it belongs to that one, with all that hangs on it."""
    system = "cz.target.Fleet.Car1"
    grants = [{"system": system, "write": True}]
    body = {"is_admin": False, "home": system, "grants": grants}
    assert ask("PUT", f"access/v1/principals/{system}", ADMIN_TOKEN, body).status_code in (200, 201)
    server = SensorThingsServer(closed_url, token=ADMIN_TOKEN, retry_s=0)
    made = server.acting_as(system).upsert(Sensor("stream app x", "d", "text/plain", "secret", {}))
    server.close()
    assert ask("GET", f"v1.1/Sensors({made.iot_id})", ADMIN_TOKEN, act_as=system).status_code == 200
    stranger = "other.person@example.com"
    ask("PUT", f"access/v1/principals/{stranger}", ADMIN_TOKEN, {"grants": []})
    assert ask("GET", f"v1.1/Sensors({made.iot_id})", ADMIN_TOKEN, act_as=stranger).status_code == 404
