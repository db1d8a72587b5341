"""Two companies and their contract, through the pages; for tests of what contracts permit."""

import json
from collections.abc import Callable
from typing import NamedTuple

import httpx2

from tests.integration.platform_ui.doubles import Browser

MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]


class Sides(NamedTuple):
    """Who gives and who takes, and their systems' names."""

    giver: Browser
    taker: Browser
    provider: str
    consumer: str


async def two_sides(new_browser: MakeBrowser, word: Word) -> Sides:
    """Give each of two people a company of their own with a system."""
    giver, taker = new_browser(), new_browser()
    return Sides(giver, taker, await with_system(giver, word), await with_system(taker, word))


async def shown(browser: Browser, contract: str) -> dict[str, object]:
    """Return a contract as the API shows it to somebody."""
    answer = await browser.get(f"/api/v1/contracts/{contract}")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def with_system(browser: Browser, word: Word, station: str = "Car1") -> str:
    """Sign up, create a company and a system; return the system's name."""
    await browser.sign_up(word())
    company = f"cz.{word()}"
    await browser.add("/companies/new", domain="cz", enterprise=company[3:])
    answer = await browser.add("/systems/new", company=company, workcenter="Fleet", station=station)
    assert answer.url.path == f"/systems/{company}.Fleet.{station}", answer.text
    return f"{company}.Fleet.{station}"


async def propose(browser: Browser, provider: str, consumer: str, **terms: str) -> str:
    """Write a draft; return the contract's id."""
    fields = {"purpose": "To know about ice.", **terms, "provider": provider, "consumer": consumer}
    answer = await browser.add("/contracts/new", **fields)
    assert answer.status_code == 200, answer.text
    assert answer.url.path.startswith("/contracts/c-"), answer.text
    return answer.url.path.removeprefix("/contracts/")


async def sign(browser: Browser, contract: str, side: str, version: int = 1) -> int:
    """Sign for a side; return the status."""
    page = f"/contracts/{contract}"
    answer = await browser.post(f"{page}/sign", "/contracts/new", side=side, version=str(version))
    return answer.status_code


async def agree(giver: Browser, taker: Browser, provider: str, consumer: str, **terms: str) -> str:
    """Let both sides sign a contract; return its id."""
    contract = await propose(taker, provider, consumer, **terms)
    assert await sign(taker, contract, "consumer") == 200
    assert await sign(giver, contract, "provider") == 200
    return contract


async def revoke(browser: Browser, contract: str, side: str) -> int:
    """Revoke a contract; return the status."""
    answer = await browser.post(
        f"/contracts/{contract}/revoke", "/contracts/new", side=side, reason="over now"
    )
    return answer.status_code


async def call(browser: Browser, method: str, path: str, body: object = None) -> httpx2.Response:
    """Ask the API as the page's own script would."""
    page = await browser.get("/contracts/new")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    return await browser.http.request(
        method,
        f"/api/v1{path}",
        content=None if body is None else json.dumps(body),
        headers={"content-type": "application/json", "x-csrf-token": token},
    )
