"""The catalogue on a real database: the life of an offer, who finds it, what strangers learn, requests."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI

from platform_ui.errors import MetadataError
from streamhub.preview import LastRecords
from tests.integration.platform_ui.agreements import call, sign, two_sides, with_system
from tests.integration.platform_ui.doubles import Browser

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]


@dataclass
class Told:
    """What a metadata service answers."""

    status: int
    body: bytes


class MemoryMetadataService:
    """A metadata service that knows two Datastreams of any system that is asked for."""

    def __init__(self) -> None:
        self.fails = False

    async def close(self) -> None:
        """Hold nothing."""

    async def read(self, path: str, query: str, person: str) -> Told:
        assert (path, "@" in person) == ("Datastreams", True)
        if self.fails:
            raise MetadataError("The SensorThings service does not answer.")
        system = query.split("%27")[1].rstrip(".")
        rows = [
            _row(f"{system}.Main.Temperature", "At two metres.", ("°C", "degree Celsius"), "Air temperature"),
            _row(f"{system}.Main.Speed", "Of the wind.", ("m/s", "metre per second"), "Wind speed"),
        ]
        return Told(200, json.dumps({"value": rows}).encode())


def _row(name: str, description: str, unit: tuple[str, str], observed: str) -> dict[str, object]:
    return {
        "name": name,
        "description": description,
        "unitOfMeasurement": {"symbol": unit[0], "name": unit[1], "definition": ""},
        "ObservedProperty": {"name": observed},
    }


class MemoryRecords:
    """A broker with three records."""

    def last(self, system: str, most: int, /) -> LastRecords:
        del most
        line = '{"topic":"t","key":"%s.Main.%s","value":"%s"}'
        value = r"{\"phenomenonTime\":\"2026-01-01T00:00:00Z\",\"result\":%s,\"road\":\"A 4711\"}"
        pairs = [("Temperature", "3.25"), ("Temperature", "30"), ("Speed", "2")]
        return LastRecords([line % (system, name, value % result) for name, result in pairs])


@pytest.fixture
def metadata_service(site: FastAPI) -> MemoryMetadataService:
    service = MemoryMetadataService()
    site.state.gateway, site.state.records = service, MemoryRecords()
    return service


async def offered(browser: Browser, system: str, *, publish: bool = True, **fields: object) -> str:
    """Write an offer through the API, and publish it; return its id."""
    body = {"system": system, "title": "Air temperatures", **fields}
    answer = await call(browser, "POST", "/offers", body)
    assert answer.status_code == 201, answer.text
    offer = str(answer.json()["id"])
    if publish:
        assert (await call(browser, "POST", f"/offers/{offer}:publish")).status_code == 200
    return offer


async def test_an_offer_is_written_published_changed_withdrawn_and_deleted_by_its_pages(
    new_browser: MakeBrowser, word: Word, metadata_service: MemoryMetadataService
) -> None:
    del metadata_service
    giver, stranger = new_browser(), new_browser()
    system = await with_system(giver, word)
    await stranger.sign_up(word())
    title = f"Ice {word()}"
    fields = {"system": system, "title": title, "visibility": "everybody", "predicate": "result < 4"}
    answer = await giver.add("/catalogue/new", **fields)
    page = answer.url.path
    assert "The draft is written" in answer.text
    assert "Air temperature" in answer.text, "the metadata tells what is observed"
    assert (await stranger.get(page)).status_code == 404, "a draft is seen by the system's people alone"
    assert "Published: others find it" in (await giver.post(f"{page}/publish", page)).text
    assert title in (await stranger.get(f"/catalogue?q={title}")).text
    changed = await giver.add(f"{page}/edit", title=f"{title} b", visibility="everybody", purposes="To warn.")
    assert "The offer is changed." in changed.text
    assert f"{title} b" in (await stranger.get(page)).text
    assert (await giver.post(f"{page}/delete", page)).status_code == 409, "withdraw it first"
    await giver.post(f"{page}/withdraw", page)
    assert (await stranger.get(page)).status_code == 404
    assert "is not published" in (await giver.post(f"{page}/withdraw", page)).text
    assert "The offer is deleted." in (await giver.post(f"{page}/delete", page)).text
    assert (await giver.get(page)).status_code == 404


async def test_an_offer_for_named_companies_is_found_by_their_people_alone(
    new_browser: MakeBrowser, word: Word, metadata_service: MemoryMetadataService
) -> None:
    del metadata_service
    giver, friend, stranger = new_browser(), new_browser(), new_browser()
    system = await with_system(giver, word)
    named = ".".join((await with_system(friend, word)).split(".")[:2])
    await with_system(stranger, word)
    title = f"Snow {word()}"
    offer = await offered(giver, system, title=title, visibility="companies", companies=[named, "at.other"])
    seen = await friend.get(f"/api/v1/offers/{offer}")
    assert (seen.status_code, seen.json()["companies"]) == (200, []), "nobody learns who else is named"
    assert "at.other" not in (await friend.get(f"/catalogue/{offer}")).text
    for path in (f"/catalogue/{offer}", f"/api/v1/offers/{offer}", f"/catalogue/{offer}/preview"):
        assert (await stranger.get(path)).status_code == 404
    assert f"/catalogue/{offer}" in (await friend.get(f"/catalogue?q={title}")).text
    assert f"/catalogue/{offer}" not in (await stranger.get(f"/catalogue?q={title}")).text
    assert (await call(stranger, "POST", f"/offers/{offer}:request", {})).status_code in {404, 422}
    body = {"system": system, "title": "t", "visibility": "companies"}
    refused = await call(giver, "POST", "/offers", body)
    assert refused.status_code == 422
    assert "Name at least one company" in refused.text


async def test_the_catalogue_is_searched_by_text_company_property_and_unit(
    new_browser: MakeBrowser, word: Word, metadata_service: MemoryMetadataService
) -> None:
    del metadata_service
    giver, stranger = new_browser(), new_browser()
    system = await with_system(giver, word)
    await stranger.sign_up(word())
    company = ".".join(system.split(".")[:2])
    warm = await offered(giver, system, title="Warm", datastreams=[f"{system}.Main.Temperature"])
    windy = await offered(giver, system, title="Windy", datastreams=[f"{system}.Main.Speed"])

    async def found(query: str) -> set[str]:
        answer = await stranger.get(f"/api/v1/offers?company={company}&{query}")
        assert answer.status_code == 200, answer.text
        return {one["id"] for one in answer.json()["items"]}

    assert await found("") == {warm, windy}
    assert await found("observed=Wind%20speed") == {windy}
    assert await found("unit=%C2%B0C") == {warm}
    assert await found("q=metres+celsius") == {warm}
    assert await found("observed=Nothing") == set()
    page = await stranger.get(f"/catalogue?company={company}&unit=m/s")
    assert f"/catalogue/{windy}" in page.text
    assert f"/catalogue/{warm}" not in page.text
    assert '<option value="Air temperature"' in page.text, "the choices come from what is offered"


async def test_a_stranger_gets_a_masked_sample_of_what_is_offered_and_nothing_else_of_the_system(
    new_browser: MakeBrowser, word: Word, metadata_service: MemoryMetadataService
) -> None:
    del metadata_service
    giver, stranger = new_browser(), new_browser()
    system = await with_system(giver, word)
    await with_system(stranger, word)
    offer = await offered(
        giver, system, datastreams=[f"{system}.Main.Temperature"], predicate="result < 4", fields=["road"]
    )
    page = (await stranger.get(f"/catalogue/{offer}")).text
    assert "At two metres." in page
    assert "Wind speed" not in page, "what is not offered is not described"
    assert giver_email(await giver.get("/api/v1/session")) not in page
    sample = (await stranger.get(f"/catalogue/{offer}/preview")).text
    assert "##.#" in sample
    assert not any(secret in sample for secret in ("3.25", "30", "A 4711", "Speed", "held back"))
    answer = (await stranger.get(f"/api/v1/offers/{offer}/preview")).json()
    assert (answer["is_masked"], answer["leaving"], answer["held_back"], answer["read"]) == (True, 1, 0, 1)
    assert "3.25" in (await giver.get(f"/catalogue/{offer}/preview")).text
    for path in (f"/systems/{system}", f"/systems/{system}/clients", f"/api/v1/systems/{system}"):
        assert (await stranger.get(path)).status_code == 404
    assert system not in (await stranger.get("/systems")).text
    assert (await call(stranger, "POST", "/contracts:preview", {"provider": system})).status_code == 404
    for action in ("publish", "withdraw"):
        assert (await call(stranger, "POST", f"/offers/{offer}:{action}")).status_code == 403
    assert (await call(stranger, "DELETE", f"/offers/{offer}")).status_code == 403


def giver_email(session: object) -> str:
    """Return the address of who is logged in."""
    found: str = session.json()["email"]  # type: ignore[attr-defined]
    return found


async def test_a_request_becomes_a_contract_with_the_terms_of_the_offer_signed_by_who_asks(
    new_browser: MakeBrowser, word: Word, metadata_service: MemoryMetadataService
) -> None:
    del metadata_service
    giver, taker, provider, consumer = await two_sides(new_browser, word)
    terms: dict[str, Any] = {"predicate": "result < 4", "purposes": ["To warn of ice."], "fields": ["road"]}
    offer = await offered(giver, provider, **terms)
    form = (await taker.get(f"/catalogue/{offer}/request")).text
    assert "To warn of ice." in form
    fields = {"consumer": consumer, "purpose": "To warn.", "duration": "month", "note": "We start in May."}
    answer = await taker.add(f"/catalogue/{offer}/request", **fields)
    assert "The request is sent" in answer.text
    contract = answer.url.path.removeprefix("/contracts/")
    seen = (await giver.get(f"/api/v1/contracts/{contract}")).json()
    assert (seen["state"], seen["to_sign"], seen["turn"], seen["offer"]) == (
        "proposed",
        ["provider"],
        "yours",
        offer,
    )
    version = seen["versions"][0]
    assert (version["predicate"], version["fields"], version["purpose"]) == (
        "result < 4",
        ["road"],
        "To warn.",
    )
    assert version["ends_at"] is not None
    assert version["note"] == "We start in May."
    assert "We start in May." in (await giver.get(f"/contracts/{contract}")).text
    assert await sign(giver, contract, "provider") == 200
    own = await taker.add(f"/catalogue/{offer}/request", **{**fields, "consumer": provider})
    assert own.status_code == 422, "only for a system of one's own"
    await giver.post(f"/catalogue/{offer}/withdraw", f"/catalogue/{offer}")
    late = await call(taker, "POST", f"/offers/{offer}:request", fields)
    assert late.status_code == 404
    assert (await giver.get(f"/api/v1/contracts/{contract}")).json()["is_active"] is True


async def test_an_offer_is_kept_when_the_metadata_does_not_answer_and_refused_when_its_terms_are_wrong(
    new_browser: MakeBrowser, word: Word, metadata_service: MemoryMetadataService
) -> None:
    giver = new_browser()
    system = await with_system(giver, word)
    metadata_service.fails = True
    name = f"{system}.Main.Temperature"
    offer = await offered(giver, system, datastreams=[name])
    seen = (await giver.get(f"/api/v1/offers/{offer}")).json()
    assert [(one["name"], one["unit"]) for one in seen["details"]] == [(name, "")]
    answer = await giver.add("/catalogue/new", system=system, title="t", predicate="result <")
    assert answer.status_code == 422
    assert "^" in answer.text, "the place is shown"
    foreign = await giver.add("/catalogue/new", system=system, title="t", datastreams="at.bb.Cc.Dd.Main.X")
    assert "belongs to at.bb.Cc.Dd" in foreign.text
