"""The explorer's pages and its way to a real SensorThings service."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from urllib.parse import quote

import httpx2
import pytest
from fastapi import FastAPI

from platform_ui.app import create_app
from platform_ui.metadata.language import FUNCTIONS, OPERATORS, OPTIONS
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryRunner, MemoryTopics

DATA = "/explorer/data/v1.1"
JSON = {"accept": "application/json"}


@pytest.fixture
async def explorer(
    settings: PlatformSettings,
    topics: MemoryTopics,
    runner: MemoryRunner,
    metadata: MemoryMetadata,
    sensorthings_url: str,
) -> AsyncIterator[FastAPI]:
    """The site beside a real SensorThings service."""
    app = create_app(
        replace(settings, sensorthings_url=sensorthings_url), topics=topics, runner=runner, metadata=metadata
    )
    yield app
    await app.state.gateway.close()
    await app.state.engine.dispose()


@pytest.fixture
async def anna(explorer: FastAPI, word: Callable[[], str]) -> AsyncIterator[Browser]:
    browser = Browser(httpx2.ASGITransport(app=explorer, raise_app_exceptions=False))
    await browser.sign_up(word())
    yield browser
    await browser.http.aclose()


async def read(browser: Browser, path: str, **options: str) -> httpx2.Response:
    query = "&".join(f"${name}={quote(value)}" for name, value in options.items())
    return await browser.get(f"{DATA}/{path}?{query}", **JSON)


@pytest.mark.parametrize("path", ["/explorer", "/explorer/map", "/explorer/query"])
async def test_a_page_names_the_service_and_brings_its_script_along(anna: Browser, path: str) -> None:
    page = await anna.get(path)
    assert page.status_code == 200
    assert 'data-service="http://' in page.text
    assert 'aria-current="page"' in page.text
    for address in [part.split('"')[0] for part in page.text.split('<script type="module" src="')[1:]]:
        script = await anna.get(address)
        assert script.status_code == 200
        assert "javascript" in script.headers["content-type"]


@pytest.mark.parametrize("path", ["/explorer", "/explorer/map", "/explorer/query"])
async def test_a_page_needs_a_log_in(explorer: FastAPI, path: str) -> None:
    visitor = Browser(httpx2.ASGITransport(app=explorer, raise_app_exceptions=False))
    assert (await visitor.get(path)).url.path == "/login"
    await visitor.http.aclose()


@pytest.mark.parametrize("path", [f"{DATA}/Things", DATA, "/explorer/description.json"])
async def test_no_data_without_a_log_in(explorer: FastAPI, path: str) -> None:
    visitor = Browser(httpx2.ASGITransport(app=explorer, raise_app_exceptions=False))
    answer = await visitor.get(path, **JSON)
    assert answer.status_code == 401
    assert answer.json()["code"] == "account.not_logged_in"
    await visitor.http.aclose()


async def test_the_description_names_sets_functions_and_options(anna: Browser) -> None:
    document = (await anna.get("/explorer/description.json", **JSON)).json()
    assert "Datastreams" in [one["set"] for one in document["types"]]
    assert {"functions", "operators", "options"} <= set(document)


async def test_sets_entities_and_the_landing_page_can_be_read(anna: Browser) -> None:
    assert (await read(anna, "Things", top="1")).json()["value"] is not None
    names = [one["name"] for one in (await anna.get(DATA, **JSON)).json()["value"]]
    assert "Observations" in names


async def test_a_mistake_comes_with_its_option_and_column(anna: Browser) -> None:
    answer = await read(anna, "Things", filter="name eq 'x' an description", top="0")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert (answer.json()["option"], answer.json()["column"]) == ("$filter", 13)


@pytest.mark.parametrize("path", ["$batch", "access/v1/principals", "Nothing", "Things/%2e%2e/health"])
async def test_other_paths_are_not_there(anna: Browser, path: str) -> None:
    answer = await anna.get(f"{DATA}/{path}", **JSON)
    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_can_be_changed(anna: Browser, method: str) -> None:
    answer = await anna.http.request(method, f"{DATA}/Things", json={}, headers=JSON)
    assert answer.status_code in (403, 405)


async def test_the_service_answers_every_example_of_the_help(anna: Browser) -> None:
    refused = {}
    for word in (*OPERATORS, *FUNCTIONS):
        answer = await read(anna, word.entities, filter=word.example, top="1")
        if answer.status_code != 200:
            refused[word.name] = answer.text
    assert refused == {}


async def test_the_service_answers_every_example_of_an_option(anna: Browser) -> None:
    refused = {}
    for word in OPTIONS:
        answer = await read(anna, word.entities, **{word.name.removeprefix("$"): word.example})
        if answer.status_code != 200:
            refused[word.name] = answer.text
    assert refused == {}


async def test_a_service_that_is_away_is_said_to(
    settings: PlatformSettings,
    topics: MemoryTopics,
    runner: MemoryRunner,
    metadata: MemoryMetadata,
    word: Callable[[], str],
) -> None:
    app = create_app(
        replace(settings, sensorthings_url="http://127.0.0.1:9"),
        topics=topics,
        runner=runner,
        metadata=metadata,
    )
    browser = Browser(httpx2.ASGITransport(app=app, raise_app_exceptions=False))
    await browser.sign_up(word())
    answer = await browser.get(f"{DATA}/Things", **JSON)
    assert answer.status_code == 503
    assert answer.json()["code"] == "metadata.unavailable"
    await browser.http.aclose()
    await app.state.gateway.close()
    await app.state.engine.dispose()
