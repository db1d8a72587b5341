"""Taking back what a notice tells of: the opposite action, with its own rules and its own entry."""

import html
import re
from collections.abc import Callable

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from tests.integration.platform_ui.agreements import with_system
from tests.integration.platform_ui.doubles import Browser, MemoryRunner
from tests.integration.platform_ui.test_offers import MemoryMetadataService, MemoryRecords

pytestmark = pytest.mark.postgres
MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]


def undo_of(answer: httpx2.Response) -> tuple[str, dict[str, str]]:
    """Return the form of the notice: its address and its fields."""
    form = re.search(
        r'<form class="undo" method="post" action="([^"]+)">(.*?)</form>', answer.text, re.DOTALL
    )
    assert form, "the notice offers to take it back"
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', form[2])
    return html.unescape(form[1]), {name: html.unescape(value) for name, value in fields}


async def actions(site: FastAPI, name: str) -> list[str]:
    """Return what was done to an object, as the audit log has it."""
    statement = text("SELECT action FROM audit_entries WHERE object_name = :name ORDER BY id")
    async with site.state.sessions() as session:
        return list((await session.scalars(statement, {"name": name})).all())


async def test_a_member_who_was_removed_gets_the_same_part_back(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    agent, viewer = new_browser(), new_browser()
    system = await with_system(agent, word)
    email = await viewer.sign_up(word())
    members = f"/systems/{system}/members"
    await agent.add(members, email=email, role="viewer")
    address, fields = undo_of(await agent.post(f"{members}/{email}/remove", members))
    assert (await viewer.get(f"/systems/{system}")).status_code == 404
    assert (await agent.get(members)).text.count('class="undo"') == 0, "it is offered once"
    refused = await viewer.http.post(address, data=fields)
    assert refused.status_code == 403, "the form of somebody else counts for nobody"
    answer = await agent.http.post(address, data=fields)
    assert f"{email} is now viewer of {system}." in answer.text
    assert (await viewer.get(f"/systems/{system}")).status_code == 200
    last = await actions(site, system)
    assert last[-2:] == ["system.viewer_removed", "system.viewer_added"]


async def test_who_leaves_a_system_cannot_come_back_by_themselves(
    new_browser: MakeBrowser, word: Word
) -> None:
    agent, viewer = new_browser(), new_browser()
    system = await with_system(agent, word)
    email = await viewer.sign_up(word())
    members = f"/systems/{system}/members"
    await agent.add(members, email=email, role="viewer")
    answer = await viewer.post(f"{members}/{email}/remove", members)
    assert "has no part in" in answer.text
    assert 'class="undo"' not in answer.text


async def test_an_offer_that_was_withdrawn_is_published_again(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    site.state.gateway, site.state.records = MemoryMetadataService(), MemoryRecords()
    giver, stranger = new_browser(), new_browser()
    system = await with_system(giver, word)
    await stranger.sign_up(word())
    answer = await giver.add("/catalogue/new", system=system, title="Ice", visibility="everybody")
    page = answer.url.path
    await giver.post(f"{page}/publish", page)
    address, fields = undo_of(await giver.post(f"{page}/withdraw", page))
    assert (await stranger.get(page)).status_code == 404
    assert "Published" in (await giver.http.post(address, data=fields)).text
    assert (await stranger.get(page)).status_code == 200
    last = await actions(site, page.rpartition("/")[2])
    assert last[-2:] == ["offer.withdrawn", "offer.published"]


async def test_an_app_that_was_stopped_or_set_back_runs_as_before(
    new_browser: MakeBrowser, word: Word, site: FastAPI, runner: MemoryRunner
) -> None:
    agent = new_browser()
    system = await with_system(agent, word)
    target = await agent.add(
        "/systems/new", company=system.rsplit(".", 2)[0], workcenter="Fleet", station="Car9"
    )
    fields = {"name": "share", "target_system": target.url.path.removeprefix("/systems/")}
    await agent.add(f"/systems/{system}/apps/new", **fields, statement="SELECT * FROM *;")
    app_id, page = f"{system}.share", f"/systems/{system}/apps/share"
    await agent.post(f"{page}/deploy", page)
    address, values = undo_of(await agent.post(f"{page}/stop", page))
    assert runner.statuses[app_id].desired == "stopped"
    assert "share" in (await agent.http.post(address, data=values)).text
    assert runner.statuses[app_id].desired == "running"
    assert (await actions(site, app_id))[-2:] == ["stream.stopped", "stream.deployed"]

    await agent.post(f"{page}/statement", page, statement="SELECT * FROM * WHERE result > 1;")
    address, values = undo_of(await agent.post(f"{page}/rollback", f"{page}/versions", version="1"))
    assert runner.specifications[app_id].statement == "SELECT * FROM *;"
    await agent.http.post(address, data=values)
    assert runner.specifications[app_id].statement == "SELECT * FROM * WHERE result > 1;"
    await agent.post(f"{page}/stop", page)
    assert 'class="undo"' not in (await agent.post(f"{page}/stop", page)).text, "nothing was changed"
