"""The versions of a stream app: kept as they were, compared, gone back to; through pages and API."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from platform_ui import db
from tests.integration.platform_ui.agreements import agree, call
from tests.integration.platform_ui.doubles import Browser, MemoryRunner
from tests.integration.platform_ui.test_rules import second_system, with_system

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]
ALL = "SELECT * FROM *;"
COLD = "SELECT * FROM * WHERE result < 4;"
_PERSON, _SYSTEM, _APP = (f"'{uuid.UUID(int=number)}'" for number in (1, 2, 3))
FORMER = f"""
SET session_replication_role = replica;
INSERT INTO users (id, email, first_name, last_name, password_hash, created_at)
    VALUES ({_PERSON}, 'sue@example.com', 'Sue', 'Smith', 'x', now());
INSERT INTO stream_apps
    (id, system_id, target_system_id, name, statement, description, created_at, created_by, changed_at)
    VALUES ({_APP}, {_SYSTEM}, {_PERSON}, 'share', '{ALL}', '', now(), {_PERSON}, now());
INSERT INTO stream_app_contracts (app_id, provider_system_id, contract_id)
    VALUES ({_APP}, {_SYSTEM}, 'c-2'), ({_APP}, {_PERSON}, 'c-1');
"""
"""Rows of the schema before; what they refer to does not matter here, so it is not checked."""


async def an_app(browser: Browser, word: Word) -> tuple[str, str]:
    """Make a deployed app of one company; return its page and its id."""
    system = await with_system(browser, word)
    target = await second_system(browser, system)
    await browser.add(f"/systems/{system}/apps/new", name="share", target_system=target, statement=ALL)
    page = f"/systems/{system}/apps/share"
    await browser.post(f"{page}/deploy", page)
    return page, f"{system}.share"


async def test_every_saved_statement_is_a_version_and_one_can_be_gone_back_to(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    page, app_id = await an_app(browser, word)
    answer = await browser.post(f"{page}/statement", page, statement=COLD, note="only what is cold")
    assert "the app has version 2; the app restarts with it" in answer.text
    assert runner.specifications[app_id].statement == COLD
    listed = await browser.get(f"{page}/versions")
    assert "only what is cold" in listed.text
    assert "<ins> WHERE result &lt; 4</ins>" in listed.text, "the newest two are compared"
    answer = await browser.post(f"{page}/rollback", f"{page}/versions", version="1")
    assert "share has version 1 again and restarts with it." in answer.text
    assert runner.specifications[app_id].statement == ALL
    kept = (await browser.get(f"/api/v1{page}/versions")).json()["items"]
    assert [(one["number"], one["statement"], one["is_deployed"]) for one in kept] == [
        (2, COLD, False),
        (1, ALL, True),
    ]


async def test_a_statement_that_is_as_it_was_makes_no_version(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    page, _ = await an_app(browser, word)
    assert "the app has version 1" in (await browser.post(f"{page}/statement", page, statement=ALL)).text
    assert len((await browser.get(f"/api/v1{page}/versions")).json()["items"]) == 1


async def test_the_number_after_a_rollback_is_a_new_one(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    page, _ = await an_app(browser, word)
    await browser.post(f"{page}/statement", page, statement=COLD)
    await browser.post(f"{page}/rollback", page, version="1")
    await browser.post(f"{page}/statement", page, statement="SELECT * FROM * WHERE result < 5;")
    kept = (await browser.get(f"/api/v1{page}/versions?page_size=2")).json()
    assert [one["number"] for one in kept["items"]] == [3, 2]
    older = await browser.get(f"/api/v1{page}/versions?page_size=2&page_token={kept['next_page_token']}")
    assert [one["number"] for one in older.json()["items"]] == [1]


async def test_programs_save_and_go_back_too(
    new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    browser = new_browser()
    page, app_id = await an_app(browser, word)
    saved = await call(browser, "POST", f"{page}/versions", {"statement": COLD, "note": "by a program"})
    assert (saved.status_code, saved.json()["version"], saved.json()["statement"]) == (201, 2, COLD)
    back = await call(browser, "POST", f"{page}:rollback", {"version": 1})
    assert (back.status_code, back.json()["version"]) == (202, 1)
    assert runner.specifications[app_id].statement == ALL
    again = await call(browser, "POST", f"{page}:rollback", {"version": 1})
    assert (again.status_code, again.json()["code"]) == (409, "stream.version_deployed")
    missing = await call(browser, "POST", f"{page}:rollback", {"version": 9})
    assert (missing.status_code, missing.json()["code"]) == (404, "stream.version_not_found")
    wrong = await call(browser, "POST", f"{page}/versions", {"statement": "SELECT"})
    assert wrong.status_code == 422
    assert (await browser.get(f"/api/v1{page}")).json()["version"] == 1


async def test_going_back_is_checked_against_the_contracts_of_today(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue, stefan = new_browser(), new_browser()
    source, target = await with_system(sue, word), await with_system(stefan, word)
    contract = await agree(sue, stefan, source, target)
    await sue.add(f"/systems/{source}/apps/new", name="share", target_system=target, statement=ALL)
    page = f"/systems/{source}/apps/share"
    await sue.post(f"{page}/statement", page, statement=COLD)
    await sue.post(f"/contracts/{contract}/revoke", f"/contracts/{contract}", side="provider", reason="over")
    answer = await sue.post(f"{page}/rollback", page, version="1")
    assert answer.status_code == 409
    assert "No contract in force lets" in answer.text
    assert (await sue.get(f"/api/v1{page}")).json()["version"] == 2


async def test_the_other_side_sees_the_app_but_neither_its_log_nor_its_former_statements(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue, stefan = new_browser(), new_browser()
    source, target = await with_system(sue, word), await with_system(stefan, word)
    await agree(sue, stefan, source, target)
    await sue.add(f"/systems/{source}/apps/new", name="share", target_system=target, statement=COLD)
    page = f"/systems/{source}/apps/share"
    await sue.post(f"{page}/statement", page, statement=ALL)
    shown = await stefan.get(page)
    assert shown.status_code == 200
    assert "result &lt; 4" not in shown.text
    for part in ("versions", "log", "log/download"):
        assert (await stefan.get(f"{page}/{part}")).status_code == 403
        assert (await sue.get(f"{page}/{part}")).status_code == 200


def test_an_app_from_before_there_were_versions_gets_its_first_one(
    new_database: Callable[[str], str],
) -> None:
    url = new_database("versions")
    config = Config()
    config.set_main_option("script_location", str(Path(db.__file__).parent / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "0006")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(FORMER)
    db.migrate(url)
    with engine.connect() as connection:
        (kept,) = connection.execute(text("SELECT number, statement, contracts FROM stream_app_versions"))
        assert tuple(kept) == (1, ALL, ["c-1", "c-2"])
        assert connection.scalar(text("SELECT version FROM stream_apps")) == 1
    engine.dispose()
