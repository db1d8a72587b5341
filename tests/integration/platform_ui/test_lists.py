"""Lists: their pages, searches and choices, for people and programs; and how many statements they take."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, select

from benchmarks.site.seeding import Size, World, seed, write_runner_files
from platform_ui.accounts.models import User
from platform_ui.settings import PlatformSettings
from streamhub.runner import RunnerDirectory
from tests.integration.platform_ui.doubles import Browser, MemoryRunner, MemoryStatus
from tests.integration.platform_ui.statements import counted

MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]

SMALL = Size(companies=2, systems=6, clients=12, apps=6, contracts=6, members=2, entries=10)
LARGE = Size(companies=5, systems=60, clients=180, apps=60, contracts=60, members=4, entries=100)


async def with_world(
    browser: Browser, site: FastAPI, word: Word, size: Size, runner: Path | None = None
) -> World:
    """Sign somebody up and give them a whole installation, with the runner's files if a folder is given."""
    email = await browser.sign_up(word())
    async with site.state.sessions() as session:
        owner: uuid.UUID = (await session.scalars(select(User.id).where(User.email == email))).one()
    engine = create_engine(site.state.settings.database_url)
    world = seed(engine, owner, word(), size)
    engine.dispose()
    if runner is not None:
        write_runner_files(runner, world)
    return world


@pytest.fixture
async def reader(new_browser: MakeBrowser) -> Browser:
    return new_browser()


def paths_of(world: World) -> dict[str, str]:
    """Return each list and page that shows many things, by a name that does not depend on the world."""
    company, system = world.companies[0], world.systems[0]
    return {
        "home": "/dashboard",
        "companies": "/companies",
        "company": f"/companies/{company}",
        "systems": "/systems",
        "a branch of systems": f"/systems?under={company}",
        "systems found": "/systems?q=machine",
        "system": f"/systems/{system}",
        "its clients": f"/systems/{system}?show=clients",
        "its apps": f"/systems/{system}?show=apps",
        "its contracts": f"/systems/{system}?show=contracts",
        "its rules": f"/systems/{system}?show=rules",
        "its members": f"/systems/{system}/members",
        "its logs": f"/systems/{system}/logs",
        "its audit log": f"/systems/{system}/audit",
        "clients": "/clients",
        "apps": "/apps",
        "failed apps": "/apps?state=failed",
        "contracts": "/contracts",
        "contracts that wait": "/contracts?state=waiting",
        **{
            f"{kind} of the API": f"/api/v1/{kind}"
            for kind in ("companies", "systems", "clients", "apps", "contracts")
        },
    }


async def statements_of(browser: Browser, site: FastAPI, world: World) -> dict[str, int]:
    """Return how many statements each page takes, when it is asked for the second time."""
    counts = {}
    for name, path in paths_of(world).items():
        assert (await browser.get(path)).status_code == 200, path
        with counted(site) as sent:
            await browser.get(path)
        counts[name] = len(sent)
    return counts


async def test_no_list_takes_more_statements_when_there_is_more_to_list(
    new_browser: MakeBrowser, site: FastAPI, settings: PlatformSettings, word: Word
) -> None:
    found = []
    for size in (replace(SMALL, apps=20, contracts=20), LARGE):
        browser, folder = new_browser(), settings.runner_directory / word()
        world = await with_world(browser, site, word, size, folder)
        site.state.runner = RunnerDirectory(folder)
        found.append(await statements_of(browser, site, world))
    few, many = found
    # A tree that is too large to be shown at once is read level by level: four more at most.
    for name in ("systems", "a branch of systems"):
        assert many.pop(name) <= few.pop(name) + 4, name
    assert many == few
    assert max(many.values()) < 30


@pytest.mark.parametrize("kind", ["companies", "systems", "clients", "apps", "contracts"])
async def test_a_program_gets_a_collection_page_by_page_without_loss_or_repetition(
    kind: str, reader: Browser, site: FastAPI, word: Word
) -> None:
    await with_world(reader, site, word, SMALL)
    whole = (await reader.get(f"/api/v1/{kind}")).json()
    assert whole["next_page_token"] is None
    collected, token = [], ""
    for _ in range(20):
        answer = await reader.get(f"/api/v1/{kind}?page_size=2&page_token={token}")
        collected += answer.json()["items"]
        token = answer.json()["next_page_token"]
        if token is None:
            break
    assert collected == whole["items"]
    assert len(collected) == {"companies": 2, "clients": 12}.get(kind, 6)


async def test_a_turned_collection_goes_backwards_over_its_pages(
    reader: Browser, site: FastAPI, word: Word
) -> None:
    await with_world(reader, site, word, SMALL)
    forwards = [one["name"] for one in (await reader.get("/api/v1/systems")).json()["items"]]
    first = (await reader.get("/api/v1/systems?order_by=-name&page_size=4")).json()
    second = await reader.get(
        f"/api/v1/systems?order_by=-name&page_size=4&page_token={first['next_page_token']}"
    )
    names = [one["name"] for one in [*first["items"], *second.json()["items"]]]
    assert names == forwards[::-1]


async def test_a_token_of_another_list_is_a_problem_that_says_what_to_do(
    reader: Browser, site: FastAPI, word: Word
) -> None:
    await with_world(reader, site, word, SMALL)
    token = (await reader.get("/api/v1/systems?page_size=1")).json()["next_page_token"]
    refused = await reader.get(f"/api/v1/clients?page_token={token}")
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "list.page_token"
    assert "first page" in refused.json()["hint"]


@pytest.mark.parametrize("query", ["page_size=0", "page_size=1001", "page_size=x", "order_by=age"])
async def test_a_page_that_cannot_be_asked_for_is_refused(
    query: str, reader: Browser, site: FastAPI, word: Word
) -> None:
    await reader.sign_up(word())
    assert (await reader.get(f"/api/v1/systems?{query}")).status_code == 422


async def test_a_search_finds_rows_with_all_its_words_and_takes_signs_as_they_are(
    reader: Browser, site: FastAPI, word: Word
) -> None:
    world = await with_world(reader, site, word, SMALL)
    found = (await reader.get("/api/v1/systems?q=MACHINE-1 hall-1")).json()["items"]
    assert [one["name"] for one in found] == [world.systems[1]]
    assert (await reader.get("/api/v1/systems?q=%25")).json()["items"] == []


async def test_lists_show_nothing_of_others(new_browser: MakeBrowser, site: FastAPI, word: Word) -> None:
    owner, stranger = new_browser(), new_browser()
    world = await with_world(owner, site, word, SMALL)
    await stranger.sign_up(word())
    for name, path in paths_of(world).items():
        answer = await stranger.get(path)
        if "/" in path.removeprefix("/api/v1/").removeprefix("/").split("?")[0]:
            assert answer.status_code == 404, name
        else:
            assert world.systems[0] not in answer.text, name
            assert f'"/companies/{world.companies[0]}"' not in answer.text, name


async def test_apps_are_chosen_by_their_state_and_counted(
    reader: Browser, site: FastAPI, word: Word, runner: MemoryRunner
) -> None:
    world = await with_world(reader, site, word, SMALL)
    for app_id, state in zip(world.apps, ("failed", "running", "starting", "backing_off"), strict=False):
        runner.statuses[app_id] = MemoryStatus(app_id, state=state)
    failed = (await reader.get("/api/v1/apps?state=failed")).json()["items"]
    assert {one["state"] for one in failed} == {"failed", "backing_off"}
    stopped = (await reader.get("/api/v1/apps?state=stopped")).json()["items"]
    assert {one["state"] for one in stopped} == {"not deployed"}
    page = (await reader.get("/apps?state=running")).text
    assert 'href="/apps?state=failed">With problems <span class="count">2</span>' in page
    assert page.count('id="app-') == 2


async def test_contracts_that_wait_for_a_person_come_first_and_can_be_chosen(
    reader: Browser, site: FastAPI, word: Word
) -> None:
    await with_world(reader, site, word, replace(SMALL, contracts=12))
    listed = (await reader.get("/api/v1/contracts")).json()["items"]
    assert [bool(one["to_sign"]) for one in listed] == sorted(
        (bool(one["to_sign"]) for one in listed), reverse=True
    )
    assert listed[-1]["state"] == "ended"
    waiting = (await reader.get("/api/v1/contracts?state=waiting")).json()["items"]
    assert waiting == [one for one in listed if one["to_sign"]]
    assert 'Waiting for you <span class="count">2</span>' in (await reader.get("/contracts")).text


async def test_a_page_for_people_leads_to_the_next_one_and_back_to_the_first(
    reader: Browser, site: FastAPI, word: Word
) -> None:
    await with_world(reader, site, word, LARGE)
    page = (await reader.get("/clients?q=client_1")).text
    assert "60 client apps" in page
    address = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "q=client_1" in address
    following = (await reader.get(address)).text
    assert following.count("<strong>client_1</strong>") == 10
    assert 'rel="next"' not in following
    assert 'href="/clients?q=client_1"' in following


async def test_a_small_tree_of_systems_is_open_and_a_large_one_opens_where_one_looks(
    new_browser: MakeBrowser, site: FastAPI, word: Word
) -> None:
    one, other = new_browser(), new_browser()
    small, large = await with_world(one, site, word, SMALL), await with_world(other, site, word, LARGE)
    page = (await one.get("/systems")).text
    assert all(f'href="/systems/{name}"' in page for name in small.systems)
    closed = (await other.get("/systems")).text
    assert not any(f'href="/systems/{name}"' in closed for name in large.systems)
    workcenter = large.systems[7].rpartition(".")[0]
    opened = (await other.get(f"/systems?under={workcenter}")).text
    inside = [name for name in large.systems if name.startswith(f"{workcenter}.")]
    assert inside
    assert [name for name in large.systems if f'href="/systems/{name}"' in opened] == inside
    branch = await other.get(f"/systems?under={workcenter}", **{"hx-request": "true"})
    assert "<html" not in branch.text
    assert all(f'href="/systems/{name}"' in branch.text for name in inside)


@pytest.mark.parametrize("under", ["nobody", "a.b.c.d.e.f", "..", "%25"])
async def test_a_branch_that_is_not_there_is_empty(
    under: str, reader: Browser, site: FastAPI, word: Word
) -> None:
    await with_world(reader, site, word, SMALL)
    answer = await reader.get(f"/systems?under={under}", **{"hx-request": "true"})
    assert answer.status_code == 200
    assert "/systems/" not in answer.text


async def test_htmx_gets_the_rows_alone(reader: Browser, site: FastAPI, word: Word) -> None:
    world = await with_world(reader, site, word, SMALL)
    system = world.systems[0]
    for path in (
        "/companies",
        "/systems?q=machine",
        "/clients",
        "/apps",
        "/contracts",
        f"/companies/{world.companies[0]}",
        f"/systems/{system}?show=clients",
        f"/systems/{system}?show=apps",
        f"/systems/{system}?show=contracts",
    ):
        answer = await reader.get(path, **{"hx-request": "true"})
        assert answer.text.lstrip().startswith('<div id="list"'), path
    health = await reader.get(f"/systems/{system}?show=health", **{"hx-request": "true"})
    assert health.text.lstrip().startswith('<section class="card health" id="health"')


async def test_a_search_without_result_says_so_and_an_empty_list_teaches(
    new_browser: MakeBrowser, site: FastAPI, word: Word
) -> None:
    one, new = new_browser(), new_browser()
    await with_world(one, site, word, SMALL)
    await new.sign_up(word())
    for path in ("/companies", "/systems", "/clients", "/apps", "/contracts"):
        found = await one.get(f"{path}?q=nothing-has-this")
        assert "Nothing fits “nothing-has-this”" in found.text, path
        taught = await new.get(path)
        assert "Nothing fits" not in taught.text, path
        assert "yet</p>" in taught.text, path


async def test_a_company_shows_what_it_gives_and_receives(reader: Browser, site: FastAPI, word: Word) -> None:
    world = await with_world(reader, site, word, SMALL)
    page = (await reader.get(f"/companies/{world.companies[0]}")).text
    given, received = page.split('id="given"')[1].split('id="received"')
    assert all(contract in given for contract in world.contracts[:3])
    assert all(contract in received for contract in world.contracts[3:])


async def test_the_rules_of_a_system_name_who_may_read_and_write(
    reader: Browser, site: FastAPI, word: Word
) -> None:
    world = await with_world(reader, site, word, SMALL)
    page = (await reader.get(f"/systems/{world.systems[0]}?show=rules")).text
    assert "User:service.recorder" in page
    assert "keeps no rules at its broker" in page
