"""Finding: what a person sees and no more, by as many queries for many objects; and the chosen look."""

import secrets
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select

from platform_ui.accounts.service import new_id
from platform_ui.clients.models import ClientApp
from platform_ui.systems.models import ACTIVE, System, SystemMember, SystemRole
from tests.integration.platform_ui.agreements import Word, call, propose, with_system
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser
from tests.integration.platform_ui.statements import counted

pytestmark = pytest.mark.postgres


async def titles(browser: Browser, q: str, kind: str = "") -> list[str]:
    answer = await browser.get(f"/api/v1/search?q={q}")
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"] if kind in {"", item["kind"]}]


async def fill(site: FastAPI, system: str, number: int) -> str:
    """Add systems with two clients each beside a system, for its agents; return a word in their names."""
    word = f"w{secrets.token_hex(3)}"
    async with site.state.sessions() as session:
        own = (await session.scalars(select(System).where(System.name == system))).one()
        made = {"created_at": datetime.now(UTC), "created_by": own.created_by, "description": ""}
        company = system.rsplit(".", 2)[0]
        rows = [
            {"id": new_id(), "company_id": own.company_id, "name": f"{company}.{word}.S{at}", "state": ACTIVE}
            | made
            for at in range(number)
        ]
        await session.execute(insert(System), rows)
        added = {"user_id": own.created_by, "role": SystemRole.AGENT, "added_at": datetime.now(UTC)}
        await session.execute(
            insert(SystemMember),
            [added | {"system_id": row["id"], "added_by": own.created_by} for row in rows],
        )
        clients = [
            {"id": new_id(), "system_id": row["id"], "name": f"{word}_{at}", "metadata_uri": ""} | made
            for row in rows
            for at in range(2)
        ]
        await session.execute(insert(ClientApp), clients)
        await session.commit()
    return word


async def test_what_belongs_to_another_company_is_never_found(new_browser: MakeBrowser, word: Word) -> None:
    sue, eve = new_browser(), new_browser()
    car, stranger = await with_system(sue, word), await with_system(eve, word, "Lorry1")
    await sue.add(f"/systems/{car}/clients/new", name="car_1")
    await sue.add(
        f"/systems/{car}/apps/new", name="share", target_system=stranger, statement="SELECT * FROM *;"
    )
    draft = await propose(sue, car, stranger)
    company = ".".join(car.split(".")[:2])
    for q in (company, car, "car_1", "Car1", draft, f"audit {company}"):
        of_others = [title for title in await titles(eve, q) if company in title or "car_1" in title]
        assert of_others == [], q
    assert await titles(eve, draft, "contract") == []  # a draft of the other side
    assert await titles(sue, draft, "contract") == ["Car1 → Lorry1: To know about ice"]
    assert await titles(sue, "know ice", "contract") == ["Car1 → Lorry1: To know about ice"]
    assert await titles(sue, car, "system") == [car]
    assert await titles(sue, "car_1", "client") == ["car_1"]
    assert await titles(sue, company, "company") == [company]


async def test_the_best_comes_first_and_all_words_must_occur(new_browser: MakeBrowser, word: Word) -> None:
    sue = new_browser()
    car = await with_system(sue, word)
    company = ".".join(car.split(".")[:2])
    await sue.add("/systems/new", company=company, workcenter="Fleet", station="MyCar1")
    await sue.add("/systems/new", company=company, workcenter="Car1s", station="Shed")
    assert await titles(sue, "car1", "system") == [car, f"{company}.Car1s.Shed", f"{company}.Fleet.MyCar1"]
    assert await titles(sue, "car1 shed", "system") == [f"{company}.Car1s.Shed"]
    assert await titles(sue, "100%25_", "system") == []  # no pattern of the database


async def test_the_audit_logs_that_a_person_may_read_are_found(new_browser: MakeBrowser, word: Word) -> None:
    sue = new_browser()
    car = await with_system(sue, word)
    company = ".".join(car.split(".")[:2])
    assert await titles(sue, "audit", "audit") == [f"Audit of {company}", f"Audit of {car}"]
    assert await titles(sue, "audit car1", "audit") == [f"Audit of {car}"]
    page = await sue.get("/find?q=audit")
    assert f'href="/systems/{car}/audit"' in page.text
    assert (await sue.get(f"/systems/{car}/audit")).status_code == 200


async def test_finding_takes_as_many_queries_for_many_objects_as_for_few(
    site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    sue = new_browser()
    car = await with_system(sue, word)
    few = await fill(site, car, 2)
    await sue.get(f"/find?q={few}")  # what is made once
    with counted(site) as before:
        await sue.get(f"/find?q={few}")
    many = await fill(site, car, 60)
    with counted(site) as after:
        page = await sue.get(f"/find?q={many}")
    assert page.text.count(f"/clients/{many}_") == 25  # a page of each kind, not all
    assert len(after) == len(before)
    assert len(after) <= 12


async def test_the_palette_gets_the_list_alone_and_a_page_works_without_it(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue = new_browser()
    car = await with_system(sue, word)
    part = await sue.http.get("/find?q=car1", headers={"hx-request": "true"})
    assert "<html" not in part.text
    assert 'role="option"' in part.text
    assert f'href="/systems/{car}"' in part.text
    page = await sue.get("/find?q=car1")
    assert f'href="/systems/{car}"' in page.text
    nothing = await sue.get("/find?q=zzzzzz")
    assert "Nothing of that name" in nothing.text
    assert (await sue.http.get(f"/find?q={'x' * 201}", headers={"hx-request": "true"})).status_code == 422


async def test_a_theme_and_a_zone_are_kept_and_applied_before_the_page_is_sent(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue = new_browser()
    await with_system(sue, word)
    first = await sue.get("/account")
    assert 'data-theme="system"' in first.text
    assert ' UTC"' in first.text
    answer = await sue.post("/look", "/account", theme="dark", zone="Europe/Vienna", next="/account")
    assert answer.url.path == "/account"
    assert 'data-theme="dark"' in answer.text
    assert 'data-zone="Europe/Vienna"' in answer.text
    assert ' CET"' in answer.text or ' CEST"' in answer.text
    answer = await sue.post("/look", "/account", theme="light", next="/companies")
    assert 'data-theme="light"' in answer.text
    assert 'data-zone="Europe/Vienna"' in answer.text  # what was not chosen stays


async def test_a_look_that_does_not_exist_is_refused_and_the_way_back_stays_on_the_site(
    new_browser: MakeBrowser,
) -> None:
    visitor = new_browser()
    for choice in (
        {"theme": "pink"},
        {"zone": "../../etc/passwd"},
        {"zone": "Nowhere/Land"},
        {"keys": "maybe"},
    ):
        assert (await visitor.post("/look", "/look", **choice)).status_code == 422
    answer = await visitor.post("/look", "/look", theme="dark", next="//evil.example/")
    assert answer.url.host == visitor.http.base_url.host


async def test_a_lost_page_teaches_the_next_step(new_browser: MakeBrowser, word: Word) -> None:
    sue = new_browser()
    await with_system(sue, word)
    lost = await sue.get("/systems/cz.nobody.No.Where")
    assert lost.status_code == 404
    assert "renamed or deleted" in lost.text
    assert 'href="/find"' in lost.text


async def test_the_search_of_the_api_is_limited(new_browser: MakeBrowser, word: Word) -> None:
    sue = new_browser()
    await with_system(sue, word)
    assert (await call(sue, "GET", "/search?q=a&limit=1000")).status_code == 422
    found = (await call(sue, "GET", "/search?q=e&limit=1")).json()["items"]
    kinds = [item["kind"] for item in found]
    assert len(kinds) == len(set(kinds))
