"""Roles, invitations by mail and by hand, leaving; on a real database and a real mail server."""

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import replace
from email.message import Message

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from fastapi import FastAPI
from sqlalchemy import text

from platform_ui.app import create_app
from platform_ui.settings import MailSettings, PlatformSettings
from setup.local.ports import any_free_port
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryRunner, MemoryTopics

MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]


async def company_of(browser: Browser, word: Word) -> str:
    """Sign up and create a company with a system; return the company's name."""
    await browser.sign_up(word())
    company = f"cz.{word()}"
    await browser.add("/companies/new", domain="cz", enterprise=company[3:])
    await browser.add("/systems/new", company=company, workcenter="Fleet", station="Car1")
    return company


async def test_each_role_of_a_company_may_what_it_is_for(new_browser: MakeBrowser, word: Word) -> None:
    owner = new_browser()
    company = await company_of(owner, word)
    page, members = f"/companies/{company}", f"/companies/{company}/members"
    people = {}
    for role in ("admin", "member"):
        people[role] = new_browser()
        await owner.add(members, email=await people[role].sign_up(word()), role=role)
    admin, member = people["admin"], people["member"]
    stranger = new_browser()
    new = await stranger.sign_up(word())
    for one in (owner, admin, member):
        assert f"{company}.Fleet" in (await one.get(page)).text
    assert (await stranger.get(page)).status_code == 404
    assert (await member.post(members, "/companies/new", email=new, role="member")).status_code == 403
    assert (await admin.add(members, email=new, role="owner")).status_code == 403
    assert (await admin.add(members, email=new, role="member")).url.path == members
    assert (await admin.get(f"{page}/delete")).status_code == 403
    assert (await member.get(f"/systems/{company}.Fleet.Car1")).status_code == 404
    fields = {"company": company, "workcenter": "Fleet", "station": "Car2"}
    assert (await member.add("/systems/new", **fields)).status_code == 422
    assert (await admin.add("/systems/new", **fields)).url.path == f"/systems/{company}.Fleet.Car2"


async def test_a_refused_form_leads_back_to_its_page_but_never_to_others(
    new_browser: MakeBrowser, word: Word
) -> None:
    owner = new_browser()
    members = f"/companies/{await company_of(owner, word)}/members"
    own = (await owner.get("/api/v1/session")).json()["email"]
    us = str(owner.http.base_url).rstrip("/")
    for came_from, back in (
        (f"{us}{members}?q=a&b", f"{members}?q=a&amp;b"),
        (f"https://elsewhere.test{members}", None),
        (f"{us}//elsewhere.test", None),
        ("http://[", None),
    ):
        owner.http.headers["Referer"] = came_from
        refused = await owner.post(f"{members}/{own}/remove", members)
        assert refused.status_code == 409
        assert ("Back to the page" in refused.text) == (back is not None)
        assert back is None or f'href="{back}"' in refused.text


async def test_the_last_owner_stays_and_admins_neither_remove_nor_make_owners(
    new_browser: MakeBrowser, word: Word
) -> None:
    owner, admin = new_browser(), new_browser()
    company = await company_of(owner, word)
    members = f"/companies/{company}/members"
    own = (await owner.get("/api/v1/session")).json()["email"]
    other = await admin.sign_up(word())
    await owner.add(members, email=other, role="admin")
    assert (await admin.post(f"{members}/{own}/remove", members)).status_code == 403
    assert (await admin.post(f"{members}/{other}/role", members, role="owner")).status_code == 403
    assert (await owner.post(f"{members}/{own}/remove", members)).status_code == 409
    assert (await owner.post(f"{members}/{own}/role", members, role="member")).status_code == 409
    await owner.post(f"{members}/{other}/role", members, role="owner")
    assert (await owner.post(f"{members}/{own}/role", members, role="member")).url.path == members
    assert (await owner.post(f"{members}/{other}/role", members, role="member")).status_code == 403


async def test_a_viewer_sees_a_system_and_changes_nothing(new_browser: MakeBrowser, word: Word) -> None:
    agent, viewer = new_browser(), new_browser()
    system = f"{await company_of(agent, word)}.Fleet.Car1"
    page = f"/systems/{system}"
    await agent.add(f"{page}/clients/new", name="car_1")
    email = await viewer.sign_up(word())
    await agent.add(f"{page}/members", email=email, role="viewer")
    for path in (page, f"{page}/members", "/clients", "/apps", "/explorer", f"/api/v1{page}", "/dashboard"):
        assert (await viewer.get(path)).status_code == 200, path
    assert "car_1" in (await viewer.get("/clients")).text
    assert system in (await viewer.get("/api/v1/systems")).text
    for path in (f"{page}/delete", f"{page}/clients/new", f"{page}/apps/new"):
        assert (await viewer.get(path)).status_code == 403, path
    forms = {f"{page}/members": {"email": email}, f"{page}/clients/new": {"name": "x"}, f"{page}/delete": {}}
    for path, fields in forms.items():
        assert (await viewer.post(path, "/companies/new", **fields)).status_code == 403, path
    own = (await agent.get("/api/v1/session")).json()["email"]
    assert (await viewer.post(f"{page}/members/{own}/remove", "/companies/new")).status_code == 403
    assert (
        await agent.post(f"{page}/members/{own}/role", "/companies/new", role="viewer")
    ).status_code == 409
    await agent.post(f"{page}/members/{email}/role", f"{page}/members", role="agent")
    assert (await viewer.get(f"{page}/clients/new")).status_code == 200
    await agent.post(f"{page}/members/{own}/role", f"{page}/members", role="viewer")
    assert (await agent.get(f"{page}/clients/new")).status_code == 403


async def test_a_member_who_is_removed_loses_company_and_systems_with_the_next_request(
    new_browser: MakeBrowser, word: Word
) -> None:
    owner, member = new_browser(), new_browser()
    company = await company_of(owner, word)
    email = await member.sign_up(word())
    await owner.add(f"/companies/{company}/members", email=email, role="member")
    await owner.add(f"/systems/{company}.Fleet.Car1/members", email=email, role="agent")
    paths = (
        f"/companies/{company}",
        f"/systems/{company}.Fleet.Car1",
        f"/api/v1/systems/{company}.Fleet.Car1",
    )
    assert [(await member.get(path)).status_code for path in paths] == [200] * 3
    await owner.post(f"/companies/{company}/members/{email}/remove", f"/companies/{company}/members")
    assert [(await member.get(path)).status_code for path in paths] == [404] * 3


class QuietTails:
    """A live tail without records, that asks again and again who watches."""

    def __init__(self) -> None:
        self.has_asked = asyncio.Event()

    async def follow(self, system: str) -> AsyncGenerator[str | None, None]:
        yield f"data: {system}\n\n"
        for times in itertools.count(1):
            await asyncio.sleep(0.05)
            yield None
            if times == 3:
                self.has_asked.set()


async def test_a_live_tail_ends_when_its_watcher_is_removed_and_stays_until_then(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    tails = site.state.tails = QuietTails()
    agent, viewer = new_browser(), new_browser()
    system = f"{await company_of(agent, word)}.Fleet.Car1"
    members = f"/systems/{system}/members"
    email = await viewer.sign_up(word())
    await agent.add(members, email=email, role="viewer")
    watching = asyncio.create_task(viewer.get(f"/systems/{system}/tail"))
    await asyncio.wait_for(tails.has_asked.wait(), 60)
    assert not watching.done()
    await agent.post(f"{members}/{email}/remove", members)
    answer = await asyncio.wait_for(watching, 60)
    assert answer.text.endswith("event: closed\ndata: {}\n\n")


async def test_an_account_is_deleted_when_nothing_depends_on_it(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    owner, heir = new_browser(), new_browser()
    company = await company_of(owner, word)
    own = (await owner.get("/api/v1/session")).json()["email"]
    refused = await owner.add("/account/delete")
    assert refused.status_code == 409
    assert company in refused.text
    email = await heir.sign_up(word())
    await owner.add(f"/companies/{company}/members", email=email, role="owner")
    await owner.add(f"/systems/{company}.Fleet.Car1/members", email=email, role="agent")
    assert (await owner.add("/account/delete")).url.path == "/login"
    assert (await owner.post("/login", email=own, password="a long password")).status_code == 422
    assert own not in (await heir.get(f"/companies/{company}/members")).text
    async with site.state.sessions() as session:
        left = await session.scalar(text("SELECT count(*) FROM users WHERE email = :email"), {"email": own})
    assert left == 0
    assert (await new_browser().sign_up(own.partition("@")[0])) == own


async def invite(browser: Browser, members: str, email: str, role: str) -> str:
    """Invite somebody by hand; return the path of the link."""
    answer = await browser.add(members, email=email, role=role)
    found = re.search(r"http://site\.test(/invitations/[\w-]+)", answer.text)
    assert found, answer.text
    assert found[1] not in (await browser.get(members)).text
    return found[1]


async def test_an_invitation_is_for_one_address_and_counts_once(new_browser: MakeBrowser, word: Word) -> None:
    owner, thief, guest = new_browser(), new_browser(), new_browser()
    company = await company_of(owner, word)
    name = word()
    link = await invite(owner, f"/companies/{company}/members", f"{name}@example.com", "admin")
    await thief.sign_up(word())
    assert "for another address" in (await thief.get(link)).text
    assert (await thief.post(f"{link}/accept", link)).status_code == 403
    assert "Sign up to accept" in (await guest.get(link)).text
    await guest.sign_up(name)
    joined = await guest.post(f"{link}/accept", link)
    assert joined.url.path == f"/companies/{company}"
    assert (await guest.get(f"/companies/{company}/members")).text.count("Add or invite") == 1
    assert (await guest.get(link)).status_code == 404


async def test_an_invitation_ends_with_time_withdrawal_and_the_part_of_its_inviter(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    owner, agent, guest = new_browser(), new_browser(), new_browser()
    system = f"{await company_of(owner, word)}.Fleet.Car1"
    members, name = f"/systems/{system}/members", word()
    address = f"{name}@example.com"
    colleague = await agent.sign_up(word())
    await owner.add(members, email=colleague, role="agent")
    old = await invite(owner, members, address, "viewer")
    link = await invite(agent, members, address, "viewer")
    assert (await guest.get(old)).status_code == 404
    await guest.sign_up(name)
    await owner.post(f"{members}/{colleague}/remove", members)
    assert (await guest.post(f"{link}/accept", link)).status_code == 404
    link = await invite(owner, members, f"{word()}@example.com", "viewer")
    found = re.search(
        rf'action="(/systems/{system}/invitations/[0-9a-f-]+/withdraw)"', (await owner.get(members)).text
    )
    assert found
    await owner.post(found[1], members)
    assert (await guest.get(link)).status_code == 404
    link = await invite(owner, members, f"{word()}@example.com", "viewer")
    async with site.state.sessions() as session:
        await session.execute(text("UPDATE invitations SET expires_at = now()"))
        await session.commit()
    assert (await guest.get(link)).status_code == 404


class Mailbox(MessageHandler):
    """Keeps the mails that a real server takes."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.mails.append(message)

    def link_for(self, address: str, kind: str) -> str:
        mail = next(mail for mail in reversed(self.mails) if mail["To"] == address)
        body = mail.get_payload(decode=True)
        assert isinstance(body, bytes)
        found = re.search(rf"https://twin\.example\.org(/{kind}/[\w-]+)", body.decode())
        assert found, mail
        return found[1]


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), any_free_port()
    server = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=60)
    server.start()
    yield box, port
    server.stop()


@pytest.fixture
async def mailing(
    settings: PlatformSettings, mailbox: tuple[Mailbox, int]
) -> AsyncIterator[Callable[[], Browser]]:
    """Browsers on a site that sends mails."""
    mail = MailSettings(host="127.0.0.1", port=mailbox[1], sender="twin@example.org", is_encrypted=False)
    with_mail = replace(settings, mail=mail, url="https://twin.example.org")
    app = create_app(with_mail, topics=MemoryTopics(), runner=MemoryRunner(), metadata=MemoryMetadata())
    browsers: list[Browser] = []

    def make() -> Browser:
        browsers.append(Browser(httpx2.ASGITransport(app=app, raise_app_exceptions=False)))
        return browsers[-1]

    yield make
    for browser in browsers:
        await browser.http.aclose()
    await app.state.units.close()
    await app.state.engine.dispose()


async def test_an_invitation_comes_by_mail_and_its_link_is_not_shown_to_the_inviter(
    mailing: MakeBrowser, mailbox: tuple[Mailbox, int], word: Word
) -> None:
    owner, guest = mailing(), mailing()
    company, name = await company_of(owner, word), word()
    answer = await owner.add(f"/companies/{company}/members", email=f"{name}@example.com", role="member")
    assert "is invited by mail" in answer.text
    link = mailbox[0].link_for(f"{name}@example.com", "invitations")
    assert link not in answer.text
    await guest.sign_up(name)
    assert (await guest.post(f"{link}/accept", link)).url.path == f"/companies/{company}"


async def test_a_forgotten_password_is_chosen_anew_by_mail_and_nobody_learns_who_has_an_account(
    mailing: MakeBrowser, mailbox: tuple[Mailbox, int], word: Word
) -> None:
    browser = mailing()
    email, unknown = await mailing().sign_up(word()), f"{word()}@example.com"
    known_answer = await browser.add("/forgot", email=email)
    unknown_answer = await browser.add("/forgot", email=unknown)
    assert known_answer.text == unknown_answer.text
    assert [mail["To"] for mail in mailbox[0].mails] == [email]
    link = mailbox[0].link_for(email, "reset")
    assert (
        await browser.add(link, password="four kettles sing", confirm="four kettles sing")
    ).url.path == "/login"
    answer = await browser.post("/login", email=email, password="four kettles sing")
    assert answer.url.path == "/dashboard"
    statuses = [(await browser.http.post("/forgot", data={"email": unknown})).status_code for _ in range(1)]
    assert statuses == [403]  # no form of ours


async def test_a_mail_that_cannot_be_sent_is_replaced_by_the_link(
    settings: PlatformSettings, word: Word, caplog: pytest.LogCaptureFixture
) -> None:
    mail = MailSettings(host="127.0.0.1", port=any_free_port(), sender="twin@example.org", is_encrypted=False)
    app = create_app(
        replace(settings, mail=mail), topics=MemoryTopics(), runner=MemoryRunner(), metadata=MemoryMetadata()
    )
    owner = Browser(httpx2.ASGITransport(app=app))
    company = await company_of(owner, word)
    assert await invite(owner, f"/companies/{company}/members", f"{word()}@example.com", "member")
    assert "did not take a mail" in caplog.text
    await owner.http.aclose()
    await app.state.units.close()
    await app.state.engine.dispose()
