"""The first visit: who may set a platform up, and that it happens once; on a database of its own."""

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, select, text

from platform_ui import db
from platform_ui.accounts.models import User
from platform_ui.audit.models import AuditEntry
from platform_ui.operations.first_run import announce
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.doubles import Browser
from tests.integration.platform_ui.role_world import close_site, new_site

pytestmark = pytest.mark.postgres

PERSON = {
    "first_name": "Olga",
    "last_name": "First",
    "email": "olga@example.com",
    "password": "a long password",
    "confirm": "a long password",
}
WIZARD, CODE_FORM = "Are all parts there?", "Setup code"


@pytest.fixture(scope="module")
def fresh_database(new_database: Callable[[str], str]) -> str:
    url = new_database("fresh")
    db.migrate(url)
    return url


@pytest.fixture
def fresh(fresh_database: str, tmp_path: Path) -> Iterator[PlatformSettings]:
    """Settings of a platform that nobody has ever used; emptied afterwards."""
    yield PlatformSettings(
        database_url=fresh_database,
        secret_key=secrets.token_hex(32),
        kafka_bootstrap_servers="127.0.0.1:9",
        sensorthings_url="http://127.0.0.1:9",
        runner_directory=tmp_path / "runner",
        mode=Mode.PRODUCTION,
    )
    engine = create_engine(fresh_database)
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for table in ("user_sessions", "attempts", "audit_entries", "users"):
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()


@asynccontextmanager
async def opened(settings: PlatformSettings) -> AsyncIterator[FastAPI]:
    app = new_site(settings)
    try:
        yield app
    finally:
        await close_site(app)


def browser_of(app: FastAPI) -> Browser:
    return Browser(httpx2.ASGITransport(app=app, raise_app_exceptions=False))


async def people(app: FastAPI) -> list[User]:
    async with app.state.sessions() as session:
        return list((await session.scalars(select(User))).all())


async def test_whoever_comes_to_a_fresh_platform_is_led_to_the_wizard(fresh: PlatformSettings) -> None:
    async with opened(fresh) as app:
        app.state.first_run.new_code()
        for path in ("/", "/login", "/signup?next=/systems", "/login/oidc"):
            browser = browser_of(app)
            answer = await browser.get(path)
            assert (answer.status_code, answer.url.path) == (200, "/welcome"), path
            assert CODE_FORM in answer.text
            assert WIZARD not in answer.text  # a stranger does not see what there is
            await browser.http.aclose()


async def test_in_production_nobody_goes_on_without_the_setup_code(fresh: PlatformSettings) -> None:
    async with opened(fresh) as app:
        browser, code = browser_of(app), app.state.first_run.new_code()
        refused = await browser.post("/welcome/code", "/welcome", code="0123-4567")
        assert refused.status_code == 422
        assert "not the setup code" in refused.text
        await browser.post("/welcome", "/welcome", **PERSON)
        signed_up = await browser.post("/signup", "/welcome", **PERSON)
        by_program = await browser.http.post("/api/v1/setup", json=PERSON | {"code": "guessed"})
        assert signed_up.url.path == "/welcome"
        assert by_program.status_code == 422
        assert await people(app) == []
        let_in = await browser.post("/welcome/code", "/welcome", code=f" {code} ")
        assert WIZARD in let_in.text
        stranger = browser_of(app)
        assert WIZARD not in (await stranger.get("/welcome")).text
        await browser.http.aclose()
        await stranger.http.aclose()


async def test_the_first_person_runs_the_platform_and_the_wizard_never_comes_back(
    fresh: PlatformSettings,
) -> None:
    async with opened(fresh) as app:
        browser, code = browser_of(app), app.state.first_run.new_code()
        await browser.post("/welcome/code", "/welcome", code=code)
        weak = await browser.post("/welcome", "/welcome", **PERSON | {"password": "a", "confirm": "a"})
        assert weak.status_code == 422
        assert 'value="olga@example.com"' in weak.text
        made = await browser.post("/welcome", "/welcome", **PERSON)
        assert made.url.path == "/start", made.text
        (olga,) = await people(app)
        assert olga.is_operator
        assert not app.state.first_run.is_code(code)
        assert (await browser.get("/welcome")).url.path == "/dashboard"
        async with app.state.sessions() as session:
            actions = set((await session.scalars(select(AuditEntry.action))).all())
            await session.execute(text("DELETE FROM users"))
            await session.commit()
        assert {"platform.set_up", "account.created", "account.made_operator"} <= actions
        again = new_site(fresh)  # also not after a restart without any account
        stranger = browser_of(again)
        assert (await stranger.get("/")).url.path == "/login"
        for one in (browser, stranger):
            await one.http.aclose()
        await close_site(again)


async def test_of_two_first_visitors_at_the_same_time_one_is_made_the_first(fresh: PlatformSettings) -> None:
    async with opened(replace(fresh, mode=Mode.DEMO)) as app, opened(replace(fresh, mode=Mode.DEMO)) as other:
        answers = await asyncio.gather(
            *(
                browser_of(site).http.post("/api/v1/setup", json=PERSON | {"email": f"p{number}@example.com"})
                for number, site in enumerate((app, other, app, other))
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert len(await people(app)) == 1


async def test_a_demonstration_asks_for_no_code_and_offers_its_companies(fresh: PlatformSettings) -> None:
    async with opened(replace(fresh, mode=Mode.DEMO)) as app:
        browser = browser_of(app)
        loaded: list[str] = []

        async def load() -> str:
            loaded.append("demo")
            return "demo"

        app.state.load_demo = load
        page = await browser.get("/welcome")
        assert WIZARD in page.text
        assert "Load the demonstration" in page.text
        assert (await browser.post("/welcome/demo", "/welcome")).status_code == 200
        assert loaded == ["demo"]
        await browser.http.aclose()


async def test_in_production_no_demonstration_is_loaded(fresh: PlatformSettings) -> None:
    async with opened(fresh) as app:
        browser, code = browser_of(app), app.state.first_run.new_code()
        page = await browser.post("/welcome/code", "/welcome", code=code)
        assert "Load the demonstration" not in page.text
        app.state.load_demo = None  # whoever called it would fail
        assert (await browser.post("/welcome/demo", "/welcome")).status_code == 200
        await browser.http.aclose()


async def test_the_code_is_in_the_log_only_while_nobody_is_there(
    fresh: PlatformSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with opened(fresh) as app:
        first_run, sessions = app.state.first_run, app.state.sessions
        await announce(first_run, sessions, "http://site.test")
        (code,) = re.findall(r"setup code: (\S+)", caplog.text)
        assert first_run.is_code(code)
        assert first_run.is_code(f" {code.upper()} ")  # as some keyboards write it
        assert code not in str(vars(first_run))  # only its hash is kept
        made = await browser_of(app).http.post("/api/v1/setup", json=PERSON | {"code": code})
        assert made.status_code == 201, made.text
        caplog.clear()
        await announce(first_run, sessions, "http://site.test")
        assert "setup code" not in caplog.text


async def test_without_a_database_the_wizard_says_so(fresh: PlatformSettings) -> None:
    away = replace(fresh, database_url="postgresql+psycopg://nobody@127.0.0.1:9/none", mode=Mode.DEMO)
    async with opened(away) as app:
        browser = browser_of(app)
        page = await browser.get("/welcome")
        assert page.status_code == 200
        assert "which does not answer" in page.text
        told = (await browser.get("/api/v1/setup")).json()
        assert told["is_waiting"]
        assert told["parts"]["database"] == "failed"
        await browser.http.aclose()
