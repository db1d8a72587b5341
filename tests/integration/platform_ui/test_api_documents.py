"""The page of the API, and the descriptions of a system's topics, as the site serves them."""

import json
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from fastapi import FastAPI

from platform_ui.documents.registry import SchemaRegistry
from platform_ui.metadata.gateway import Gateway
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser

pytestmark = pytest.mark.postgres


@pytest.fixture
async def owner(new_browser: MakeBrowser, word: Callable[[], str]) -> Browser:
    browser = new_browser()
    await browser.sign_up(word())
    return browser


@pytest.fixture
async def system(owner: Browser, word: Callable[[], str]) -> str:
    company = word()
    await owner.add("/companies/new", domain="cz", enterprise=company)
    await owner.add("/systems/new", company=f"cz.{company}", workcenter="Fleet", station="Car1")
    return f"cz.{company}.Fleet.Car1"


@pytest.fixture
async def registered(site: FastAPI, settings: PlatformSettings, system: str) -> AsyncIterator[list[str]]:
    """A SensorThings service with one Datastream of the system; the queries that it was asked."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        datastream = {
            "@iot.id": 7,
            "name": f"{system}.Main.Air Temperature",
            "description": "Outside",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
        }
        return httpx2.Response(200, json={"value": [datastream]})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    site.state.gateway = Gateway(settings, client=client)
    yield asked
    await client.aclose()


async def test_the_page_shows_operations_and_searches_them(owner: Browser, system: str) -> None:
    page = await owner.get("/api")
    assert page.status_code == 200
    assert 'id="create_system"' in page.text
    assert "http://site.test/api/v1/systems" in page.text
    assert f"/api/v1/systems/{system}/asyncapi.json" in page.text
    assert "/account/tokens" in page.text
    found = await owner.get("/api?q=sign+contract")
    assert 'id="sign_contract"' in found.text
    assert 'id="create_system"' not in found.text
    nothing = await owner.get("/api?q=%3Cscript%3E")
    assert "No operation fits" in nothing.text
    assert "<script>" not in nothing.text


async def test_the_topics_of_a_system_are_described_to_those_who_see_it(
    owner: Browser, system: str, registered: list[str], new_browser: MakeBrowser, word: Callable[[], str]
) -> None:
    answer = await owner.get(f"/api/v1/systems/{system}/asyncapi.json")
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["channels"]["int"]["address"] == f"{system}.int"
    message = next(iter(document["components"]["messages"].values()))
    assert message["payload"]["schema"]["properties"]["result"] == {
        "type": "number",
        "description": "In degree Celsius [°C].",
    }
    assert all(system in url for url in registered)
    stranger = new_browser()
    await stranger.sign_up(word())
    assert (await stranger.get(f"/api/v1/systems/{system}/asyncapi.json")).status_code == 404


async def _publish(owner: Browser, system: str, query: str = "") -> httpx2.Response:
    token = (await owner.get("/api/v1/session")).json()["csrf_token"]
    path = f"/api/v1/systems/{system}/schemas:publish{query}"
    return await owner.http.post(path, headers={"X-CSRF-Token": token})


@pytest.mark.usefixtures("registered")
async def test_schemas_are_published_where_there_is_a_registry(
    owner: Browser, system: str, site: FastAPI
) -> None:
    without = await _publish(owner, system)
    assert (without.status_code, without.json()["code"]) == (409, "schema_registry.none")
    kept: dict[str, object] = {}

    def answer(request: httpx2.Request) -> httpx2.Response:
        subject = request.url.path.removeprefix("/subjects/").removesuffix("/versions")
        schema = json.loads(json.loads(request.content)["schema"])
        if not request.url.path.endswith("/versions"):
            return httpx2.Response(200 if kept.get(subject) == schema else 404, json={})
        kept[subject] = schema
        return httpx2.Response(200, json={"id": 1})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    site.state.schema_registry = SchemaRegistry("http://registry.test", client=client)
    tried = await _publish(owner, system, "?dry_run=true")
    assert (tried.status_code, tried.json()["code"]) == (400, "request.not_rehearsed")
    assert kept == {}
    first = await _publish(owner, system)
    assert first.json() == {"subjects": [f"{system}.int-value"], "changed": [f"{system}.int-value"]}
    assert list(kept) == [f"{system}.int-value"]
    again = await _publish(owner, system)
    assert again.json() == {"subjects": [f"{system}.int-value"], "changed": []}
    await client.aclose()
