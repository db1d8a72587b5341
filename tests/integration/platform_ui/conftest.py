"""The site on a real database, with doubles for broker and runner."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.ext.asyncio import AsyncEngine

from platform_ui import db
from platform_ui.accounts import passwords
from platform_ui.app import create_app
from platform_ui.composition import ports
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.beginnings import begin
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryRunner, MemoryTopics

MakeBrowser = Callable[[], Browser]


@pytest.fixture(scope="session", autouse=True)
def _quick_hashes() -> Iterator[None]:
    """Hash passwords with little work: each test signs people up, and a real hash takes 0.2 s.

    That the site itself uses the recommended amount of work is shown by the unit tests of passwords.
    """
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", lambda: quick)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_engine_per_database() -> Iterator[None]:
    """Let all sites on a database have one engine: each of its own would compile every statement again.

    A site disposes of its engine in the end, which closes the connections; the next one opens new ones.
    """
    engines: dict[str, AsyncEngine] = {}

    def engine_of(url: str) -> AsyncEngine:
        if url not in engines:
            engines[url] = db.create_engine(url)
        return engines[url]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "create_engine", engine_of)
        yield


@pytest.fixture(scope="session")
def platform_database(new_database: Callable[[str], str]) -> str:
    return begin(new_database("platform"))


@pytest.fixture
def settings(platform_database: str, tmp_path: Path) -> PlatformSettings:
    return PlatformSettings(
        database_url=platform_database,
        secret_key=secrets.token_hex(32),
        kafka_bootstrap_servers="kafka.test:9092",
        sensorthings_url="http://metadata.test:8084",
        runner_directory=tmp_path / "runner",
        mode=Mode.PRODUCTION,
        attempts_per_address=100_000,  # all tests come from one address
    )


@pytest.fixture
def topics() -> MemoryTopics:
    return MemoryTopics()


@pytest.fixture
def runner() -> MemoryRunner:
    return MemoryRunner()


@pytest.fixture
def metadata() -> MemoryMetadata:
    return MemoryMetadata()


@pytest.fixture
async def site(
    settings: PlatformSettings, topics: MemoryTopics, runner: MemoryRunner, metadata: MemoryMetadata
) -> AsyncIterator[FastAPI]:
    app = create_app(settings, topics=topics, runner=runner, metadata=metadata)
    yield app
    if app.state.access is not None:
        app.state.access.close()
    await app.state.units.close()
    await app.state.gateway.close()
    await app.state.engine.dispose()


@pytest.fixture
async def new_browser(site: FastAPI) -> AsyncIterator[MakeBrowser]:
    browsers: list[Browser] = []

    def make() -> Browser:
        browsers.append(Browser(httpx2.ASGITransport(app=site, raise_app_exceptions=False)))
        return browsers[-1]

    yield make
    for browser in browsers:
        await browser.http.aclose()


@pytest.fixture
def word() -> Callable[[], str]:
    """A function that returns a fresh name, so that tests share one database without meeting."""
    return lambda: f"t{secrets.token_hex(4)}"
