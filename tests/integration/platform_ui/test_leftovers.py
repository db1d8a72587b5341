"""The Datastreams that a stream app has made: kept when it is deleted, or deleted with it."""

import json
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from fastapi import FastAPI

from platform_ui.metadata.gateway import Gateway
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.agreements import agree, call
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser, MemoryRunner
from tests.integration.platform_ui.test_rules import second_system, with_system

pytestmark = pytest.mark.postgres
Word = Callable[[], str]


class Service:
    """A SensorThings service that holds 12 Observations in each Datastream, and refuses on demand."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refuses = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append((request.method, request.url.path))
        if request.method == "DELETE":
            return httpx2.Response(403 if self.refuses else 200, content=b"{}")
        return httpx2.Response(200, content=json.dumps({"@iot.count": 12, "value": []}).encode())

    @property
    def deleted(self) -> list[str]:
        return [path for method, path in self.asked if method == "DELETE"]


@pytest.fixture
async def service(site: FastAPI, settings: PlatformSettings) -> AsyncIterator[Service]:
    service, former = Service(), site.state.gateway
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(service))
    site.state.gateway = Gateway(settings, client=client)
    yield service
    await client.aclose()
    site.state.gateway = former


def sum_of(system: str) -> str:
    """Return a statement that computes one Datastream."""
    return f"SELECT l.result + r.result AS sum FROM {system} AS l JOIN {system} AS r WITHIN 1 s;"


async def deployed(browser: Browser, word: Word) -> str:
    """Make an app that computes something, deployed; return its page."""
    system = await with_system(browser, word)
    fields = {"target_system": await second_system(browser, system), "statement": sum_of(system)}
    await browser.add(f"/systems/{system}/apps/new", name="twice", **fields)
    page = f"/systems/{system}/apps/twice"
    answer = await browser.post(f"{page}/deploy", page)
    assert answer.status_code == 200, answer.text
    return page


def output_id(runner: MemoryRunner, page: str) -> int | str:
    (iot_id,) = runner.specifications[f"{page.split('/')[2]}.twice"].datastreams.values()
    return iot_id


async def test_outputs_are_kept_unless_somebody_chooses_otherwise(
    new_browser: MakeBrowser, word: Word, service: Service
) -> None:
    browser = new_browser()
    page = await deployed(browser, word)
    asked = (await browser.get(f"{page}/delete")).text
    assert "with 12 observations" in asked
    assert 'value="keep" checked' in asked
    assert "is deleted." in (await browser.add(f"{page}/delete")).text
    assert service.deleted == []


async def test_outputs_are_deleted_with_the_app_when_that_is_chosen(
    new_browser: MakeBrowser, word: Word, service: Service, runner: MemoryRunner
) -> None:
    browser = new_browser()
    page = await deployed(browser, word)
    iot_id = output_id(runner, page)
    assert (await browser.add(f"{page}/delete", outputs="delete")).status_code == 200
    assert service.deleted == [f"/v1.1/Datastreams({iot_id})"]
    assert (await browser.get(page)).status_code == 404


async def test_a_program_deletes_them_too_and_learns_which_stay(
    new_browser: MakeBrowser, word: Word, service: Service, runner: MemoryRunner
) -> None:
    browser = new_browser()
    page = await deployed(browser, word)
    service.refuses = True
    answer = await call(browser, "DELETE", f"{page}?delete_outputs=true")
    assert answer.status_code == 503
    assert f"{page.split('/')[2]}.twice" not in runner.statuses
    assert "but these Datastreams are not" in answer.json()["detail"]


async def test_the_outputs_in_a_system_of_another_company_are_not_the_source_sides_to_delete(
    new_browser: MakeBrowser, word: Word, service: Service
) -> None:
    sue, stefan = new_browser(), new_browser()
    source, target = await with_system(sue, word), await with_system(stefan, word)
    await agree(sue, stefan, source, target)
    fields = {"name": "twice", "target_system": target, "statement": sum_of(source)}
    await sue.add(f"/systems/{source}/apps/new", **fields)
    page = f"/systems/{source}/apps/twice"
    await sue.post(f"{page}/deploy", page)
    asked = (await sue.get(f"{page}/delete")).text
    assert f"What belongs to {target} stays there" in asked
    assert (await sue.add(f"{page}/delete", outputs="delete")).status_code == 403
    assert service.deleted == []
    assert (await sue.get(page)).status_code == 200, "nothing is deleted"
