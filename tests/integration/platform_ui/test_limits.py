"""Limits of companies: who sets them, what they refuse, and how they reach apps that run."""

import asyncio
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from platform_ui.accounts.models import User
from platform_ui.audit.models import AuditEntry
from platform_ui.streams.ports import StreamPorts
from streamhub.runner.limits import AppLimits
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser, MemoryRunner
from tests.integration.platform_ui.test_api_conventions import Program
from tests.integration.platform_ui.test_rules import second_system, with_system

pytestmark = pytest.mark.postgres
Word = Callable[[], str]
COMMON = AppLimits(2048, 1.0)


async def operator(browser: Browser, site: FastAPI, name: str) -> Program:
    """Sign up somebody who runs the platform and belongs to no company."""
    program = await Program(browser).start(name)
    async with site.state.sessions() as session:
        await session.execute(
            update(User).where(User.email == f"{name}@example.com").values(is_operator=True)
        )
        await session.commit()
    return program


class Place:
    """A company with two systems and an owner."""

    def __init__(self, browser: Browser, source: str, target: str) -> None:
        self.browser, self.source, self.target = browser, source, target
        self.company = ".".join(source.split(".")[:2])
        self.limits = f"/companies/{self.company}/limits"

    async def app(self, name: str) -> str:
        """Create a stream app and return its address."""
        fields = {"target_system": self.target, "statement": "SELECT * FROM *;"}
        await self.browser.add(f"/systems/{self.source}/apps/new", name=name, **fields)
        return f"/systems/{self.source}/apps/{name}"

    async def deploy(self, app: str) -> int:
        """Let an app run; return the status of the answer."""
        return (await self.browser.post(f"{app}/deploy", app)).status_code


@pytest.fixture
async def place(new_browser: MakeBrowser, word: Word) -> Place:
    browser = new_browser()
    source = await with_system(browser, word)
    return Place(browser, source, await second_system(browser, source))


async def test_an_operator_sets_the_limits_of_a_company_and_its_members_see_them(
    place: Place, site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    program = await operator(new_browser(), site, word())
    answer = await program.ask("PUT", place.limits, {"max_apps": 3, "memory_mb": 256})
    assert answer.status_code == 200, answer.text
    expected = {"max_apps": 3, "memory_mb": 256, "cpus": 1.0, "own": ["max_apps", "memory_mb"]}
    assert answer.json() == expected | {"apps": 0, "most_memory_mb": None}
    seen = (await place.browser.get(place.limits)).text
    assert "0 of 3" in seen
    assert "256 MB" in seen
    assert "Set the limits" not in seen
    assert "0 of 3" in (await place.browser.get(f"/companies/{place.company}")).text
    async with site.state.sessions() as session:
        found = select(AuditEntry).where(
            AuditEntry.object_name == place.company, AuditEntry.action == "company.limits_changed"
        )
        (entry,) = (await session.scalars(found)).all()
    assert entry.before == {"max_apps": None, "memory_mb": None, "cpus": None}
    assert entry.after == {"max_apps": 3, "memory_mb": 256, "cpus": None}


async def test_the_form_of_the_limits_explains_what_it_refuses_and_keeps_what_was_typed(
    place: Place, site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    program = await operator(new_browser(), site, word())
    answer = await program.browser.add(place.limits, max_apps="2", memory_mb="5", cpus="")
    assert answer.status_code == 422
    assert 'id="memory_mb-error"' in answer.text
    assert 'value="5"' in answer.text
    answer = await program.browser.add(place.limits, max_apps="2", memory_mb="", cpus="0.5")
    assert f"The limits of {place.company} are set" in answer.text
    answer = await program.browser.add(place.limits, max_apps="", memory_mb="", cpus="")
    assert (await program.ask("GET", place.limits)).json()["own"] == []


async def test_an_app_above_the_limit_is_refused_with_the_reason_and_fits_when_another_stops(
    place: Place, site: FastAPI, new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    program = await operator(new_browser(), site, word())
    await program.ask("PUT", place.limits, {"max_apps": 1})
    first, second = await place.app("first"), await place.app("second")
    assert await place.deploy(first) == 200
    refused = await place.browser.post(f"{second}/deploy", second)
    assert refused.status_code == 409
    assert f"{place.company} may run 1 stream apps at a time, and 1 are meant to run." in refused.text
    assert f"{place.source}.second" not in runner.statuses
    assert await place.deploy(first) == 200, "it is one of them already"
    await place.browser.post(f"{first}/stop", first)
    assert await place.deploy(second) == 200


async def test_two_who_deploy_at_once_do_not_both_get_the_last_place(
    place: Place, site: FastAPI, new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    program = await operator(new_browser(), site, word())
    await program.ask("PUT", place.limits, {"max_apps": 1})
    apps = [await place.app(f"app{number}") for number in range(4)]
    statuses = await asyncio.gather(*(place.deploy(app) for app in apps))
    assert sorted(statuses) == [200, 409, 409, 409]
    assert len([one for one in runner.statuses.values() if one.app_id.startswith(place.company)]) == 1


async def test_limits_go_with_an_app_and_changed_ones_reach_it_while_it_runs(
    place: Place, site: FastAPI, new_browser: MakeBrowser, word: Word, runner: MemoryRunner
) -> None:
    app = await place.app("share")
    assert await place.deploy(app) == 200
    app_id = f"{place.source}.share"
    assert runner.limits[app_id] == COMMON
    ports: StreamPorts = site.state.stream_ports
    assert ports.limits.memory_mb == COMMON.memory_mb
    await site.state.enforcement.enforce()
    program = await operator(new_browser(), site, word())
    await program.ask("PUT", place.limits, {"memory_mb": 100, "cpus": 0.25})
    await site.state.enforcement.enforce()
    assert runner.limits[app_id] == AppLimits(100, 0.25)
    await program.ask("PUT", place.limits, {})
    await site.state.enforcement.enforce()
    assert runner.limits[app_id] == COMMON


async def test_limits_that_do_not_reach_an_app_keep_nobody_from_contracts_and_are_tried_again(
    place: Place, site: FastAPI, runner: MemoryRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await place.app("share")
    assert await place.deploy(app) == 200
    app_id = f"{place.source}.share"
    runner.limits.clear()

    def refuse(_app_id: str, _limits: AppLimits) -> None:
        raise OSError("read-only file system")

    with monkeypatch.context() as broken:
        broken.setattr(runner, "limit", refuse)
        await site.state.enforcement.enforce()
    assert app_id in site.state.enforcement._deployed, "what comes after the limits was done"
    assert app_id not in runner.limits
    await site.state.enforcement.enforce()
    assert runner.limits[app_id] == COMMON
