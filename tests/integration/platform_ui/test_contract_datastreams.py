"""Datastreams in the forms of terms: who sees which to choose, ticks, short and unknown names, the API."""

import html
import re

import pytest
from fastapi import FastAPI

from platform_ui.errors import MetadataError
from tests.integration.platform_ui.agreements import MakeBrowser, Word, agree, call, shown, two_sides
from tests.integration.platform_ui.doubles import Browser
from tests.integration.platform_ui.statements import counted
from tests.integration.platform_ui.test_offers import MemoryMetadataService, MemoryRecords, Told, offered

pytestmark = pytest.mark.postgres


class WatchedMetadataService(MemoryMetadataService):
    """The same; it remembers who asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def read(self, path: str, query: str, person: str) -> Told:
        self.asked.append(person)
        if self.fails:
            raise MetadataError("The SensorThings service does not answer.")
        return await super().read(path, query, person if "@" in person else f"{person}@")


@pytest.fixture(autouse=True)
def service(site: FastAPI) -> WatchedMetadataService:
    service = WatchedMetadataService()
    site.state.gateway, site.state.records = service, MemoryRecords()
    return service


def _boxes(page: str) -> dict[str, bool]:
    """Return the check boxes of Datastreams of a page, and whether they are ticked."""
    found = re.findall(r'<input type="checkbox" name="choice" value="([^"]+)"( checked)?>', page)
    return {html.unescape(name): bool(ticked) for name, ticked in found}


def _written(page: str) -> str:
    found = re.search(r'<textarea id="datastreams"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert found, "there is always a field to write names in"
    return html.unescape(found[1])


async def _datastreams(browser: Browser, contract: str, version: int = 1) -> list[str]:
    versions = (await shown(browser, contract))["versions"]
    assert isinstance(versions, list)
    (found,) = [one["datastreams"] for one in versions if one["number"] == version]
    return list(found)


async def test_ticks_and_short_names_are_put_together_as_full_names(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, _taker, provider, consumer = await two_sides(new_browser, word)
    fields = {"provider": provider, "consumer": consumer, "purpose": "To know."}
    page = await giver.add("/contracts/new", **fields, look_up="datastreams", datastreams="Main.Speed")
    boxes = {f"{provider}.Main.Speed": True, f"{provider}.Main.Temperature": False}
    assert (page.status_code, _boxes(page.text), _written(page.text)) == (200, boxes, "")
    sent = {"choice": f"{provider}.Main.Speed", "datastreams": "Main.Temperature"}
    answer = await giver.add("/contracts/new", **fields, **sent)
    contract = answer.url.path.removeprefix("/contracts/")
    assert await _datastreams(giver, contract) == sorted(boxes)
    page = await giver.get(f"/contracts/{contract}/change")
    assert _boxes(page.text) == dict.fromkeys(boxes, True)
    answer = await giver.add(
        f"/contracts/{contract}/change", purpose="Less.", version="1", choice=f"{provider}.Main.Speed"
    )
    assert await _datastreams(giver, contract, 2) == [f"{provider}.Main.Speed"], "what is unticked is out"


async def test_an_unknown_name_of_ones_own_system_is_answered_with_the_nearest_on_pages_and_by_the_api(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, _taker, provider, consumer = await two_sides(new_browser, word)
    fields = {"provider": provider, "consumer": consumer, "purpose": "To know."}
    told = (
        f"The Datastream “Main.Temprature” is not registered in {provider}. Did you mean “Main.Temperature”?"
    )
    for written in ("Main.Temprature", f"{provider}.Main.Temprature"):
        page = await giver.add("/contracts/new", **fields, datastreams=f"{written}\nMain.Speed")
        assert (page.status_code, _written(page.text)) == (422, written)
        assert told in html.unescape(page.text)
        assert _boxes(page.text)[f"{provider}.Main.Speed"], "what was right is kept"
    answer = await call(giver, "POST", "/contracts", {**fields, "datastreams": ["Main.Temprature"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "contract.terms_refused")
    assert told in answer.text
    answer = await call(
        giver, "POST", "/contracts:check", {"provider": provider, "datastreams": ["Main.Temprature"]}
    )
    assert [(one["field"], one["message"]) for one in answer.json()["faults"]] == [("datastreams", told)]
    later = [f"{provider}.Main.Humidity"]
    answer = await call(giver, "POST", "/contracts", {**fields, "datastreams": later})
    assert answer.status_code == 201, "programs write terms before a client has registered what they name"
    contract = answer.json()["id"]
    page = await giver.get(f"/contracts/{contract}/change")
    assert _written(page.text) == later[0]
    page = await giver.add(f"/contracts/{contract}/change", purpose="p", version="1", datastreams=later[0])
    assert "Version 2 is written" in page.text, "what stood there before may stay"


async def test_the_api_takes_short_names_in_contracts_versions_offers_checks_and_trials(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    speed = f"{provider}.Main.Speed"
    terms = {"purpose": "To know.", "datastreams": ["Main.Speed", speed]}
    body = {"provider": provider, "consumer": consumer, **terms}
    for browser in (giver, taker):
        answer = await call(browser, "POST", "/contracts", body)
        assert (answer.status_code, answer.json()["versions"][0]["datastreams"]) == (201, [speed])
    contract = answer.json()["id"]
    answer = await call(taker, "POST", f"/contracts/{contract}/versions", {**terms, "version": 1})
    assert (answer.status_code, answer.json()["versions"][0]["datastreams"]) == (201, [speed])
    offer = await offered(giver, provider, datastreams=["Main.Speed"])
    answer = await call(giver, "PUT", f"/offers/{offer}", {"title": "t", "datastreams": ["Main.Temperature"]})
    assert answer.json()["datastreams"] == [f"{provider}.Main.Temperature"]
    trial = {"provider": provider, "datastreams": ["Main.Speed"]}
    assert (await call(giver, "POST", "/contracts:check", trial)).json()["faults"] == []
    answer = await call(giver, "POST", "/contracts:preview", trial)
    assert {one["datastream"] for one in answer.json()["records"]} == {speed}


async def test_of_a_partner_one_sees_what_it_offers_and_nothing_else(
    new_browser: MakeBrowser, word: Word, service: WatchedMetadataService
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    await offered(giver, provider, publish=False, datastreams=[f"{provider}.Main.Temperature"])
    service.asked.clear()
    page = (await taker.get(f"/contracts/new?provider={provider}&datastreams=Main.Hidden")).text
    assert (_boxes(page), _written(page)) == ({}, "Main.Hidden")
    assert f"You see no Datastream of {provider}" in page
    absent = (await taker.get("/contracts/datastreams?provider=cz.nobody.Fleet.Car1")).text
    part = (await taker.get(f"/contracts/datastreams?provider={provider}")).text
    assert part.replace(provider, "cz.nobody.Fleet.Car1") == absent, "nobody learns which systems exist"
    fields = {"provider": provider, "consumer": consumer, "purpose": "p", "datastreams": "Main.Temprature"}
    answer = await taker.add("/contracts/new", **fields)
    contract = answer.url.path.removeprefix("/contracts/")
    assert await _datastreams(taker, contract) == [f"{provider}.Main.Temprature"], "taken as it is written"
    await offered(giver, provider, datastreams=[f"{provider}.Main.Speed"])
    service.asked.clear()
    part = (await taker.get(f"/contracts/datastreams?provider={provider}")).text
    assert _boxes(part) == {f"{provider}.Main.Speed": False}
    assert service.asked == [], "the service is not asked about a system of which one sees nothing"


async def test_what_a_contract_in_force_shares_is_there_to_choose_and_no_more(
    new_browser: MakeBrowser, word: Word, service: WatchedMetadataService
) -> None:
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    await agree(giver, taker, provider, consumer, datastreams="Main.Speed")
    service.asked.clear()
    part = (await taker.get(f"/contracts/datastreams?provider={provider}")).text
    assert _boxes(part) == {f"{provider}.Main.Speed": False}
    assert service.asked == [consumer]


async def test_the_form_of_an_offer_lists_the_datastreams_of_the_chosen_system(
    new_browser: MakeBrowser, word: Word
) -> None:
    giver, _taker, provider, _consumer = await two_sides(new_browser, word)
    page = await giver.get("/catalogue/new")
    assert set(_boxes(page.text)) == {f"{provider}.Main.Speed", f"{provider}.Main.Temperature"}
    fields = {"system": provider, "title": "Air", "visibility": "everybody"}
    page = await giver.add("/catalogue/new", **fields, datastreams="Main.Sped")
    assert page.status_code == 422
    assert "Did you mean “Main.Speed”?" in html.unescape(page.text)
    page = await giver.add("/catalogue/new", **fields, choice=f"{provider}.Main.Speed")
    edit = f"{page.url.path}/edit"
    assert _boxes((await giver.get(edit)).text)[f"{provider}.Main.Speed"] is True
    page = await giver.add(edit, title="Air", visibility="everybody", datastreams="Main.Temperature")
    assert f"{provider}.Main.Temperature" in page.text
    assert f"{provider}.Main.Speed" not in page.text


async def test_without_an_answer_of_the_service_names_are_written_and_taken(
    new_browser: MakeBrowser, word: Word, service: WatchedMetadataService
) -> None:
    giver, _taker, provider, consumer = await two_sides(new_browser, word)
    service.fails = True
    page = await giver.get(f"/contracts/new?provider={provider}")
    assert "The Datastreams cannot be listed just now" in page.text
    fields = {"provider": provider, "consumer": consumer, "purpose": "p", "datastreams": "Main.Doors"}
    answer = await giver.add("/contracts/new", **fields)
    contract = answer.url.path.removeprefix("/contracts/")
    assert await _datastreams(giver, contract) == [f"{provider}.Main.Doors"]


async def test_the_list_takes_one_question_and_as_many_queries_for_many_names_as_for_one(
    new_browser: MakeBrowser, word: Word, service: WatchedMetadataService, site: FastAPI
) -> None:
    giver, _taker, provider, _consumer = await two_sides(new_browser, word)
    service.asked.clear()
    with counted(site) as few:
        await giver.get(f"/contracts/new?provider={provider}&datastreams=Main.Speed")
    many = "%0A".join(["Main.Speed", "Main.Temperature", *(f"Main.S{number}" for number in range(50))])
    with counted(site) as more:
        await giver.get(f"/contracts/new?provider={provider}&datastreams={many}")
    assert len(more) == len(few)
    assert len(service.asked) == 2
