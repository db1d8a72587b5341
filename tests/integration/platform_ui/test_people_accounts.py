"""Passwords, sessions and what protects them, on a real database."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from platform_ui.accounts import limits, resets, service, tokens
from platform_ui.accounts.forms import TokenForm
from platform_ui.accounts.models import User
from platform_ui.app import create_app
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.doubles import Browser, MemoryMetadata, MemoryRunner, MemoryTopics

MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]

PASSWORD = "a long password"
OTHER = "four kettles sing"


async def user_of(site: FastAPI, email: str) -> User:
    async with site.state.sessions() as session:
        user = await service.find_by_email(session, email)
    assert user is not None
    return user


async def log_in(browser: Browser, email: str, password: str = PASSWORD) -> httpx2.Response:
    return await browser.post("/login", email=email, password=password)


async def age(site: FastAPI, email: str, column: str, by: timedelta) -> None:
    """Let time pass for the sessions of a person."""
    user = await user_of(site, email)
    async with site.state.sessions() as session:
        await session.execute(
            text(f"UPDATE user_sessions SET {column} = {column} - :by WHERE user_id = :id"),
            {"by": by, "id": user.id},
        )
        await session.commit()


@pytest.mark.parametrize(
    "injection",
    [
        "' OR '1'='1",
        "' OR 1=1 --",
        "admin'--",
        '" OR ""="',
        "'; DROP TABLE users; --",
        "' UNION SELECT * FROM users --",
        "sue@example.com' OR 'x'='x",
        "\\' OR 1=1 #",
        "%' OR '%'='",
        "*)(uid=*))(|(uid=*",
        '{"$gt": ""}',
        "\x00",
    ],
)
async def test_no_injection_logs_anybody_in(
    new_browser: MakeBrowser, word: Word, site: FastAPI, injection: str
) -> None:
    email = await new_browser().sign_up(word())
    browser = new_browser()
    for fields in (
        {"email": injection, "password": injection},
        {"email": email, "password": injection},
        {"email": f"{email}{injection}", "password": PASSWORD},
    ):
        answer = await browser.post("/login", **fields)
        assert answer.status_code == 422, fields
        assert (await browser.get("/dashboard")).url.path == "/login"
    assert (await user_of(site, email)).email == email


@pytest.mark.parametrize("password", ["password1234", "short", "aaaaaaaaaaaa"])
async def test_a_weak_password_makes_no_account(new_browser: MakeBrowser, word: Word, password: str) -> None:
    name = word()
    fields = {"first_name": "Sue", "last_name": "Smith", "email": f"{name}@example.com"}
    answer = await new_browser().post("/signup", "/signup", **fields, password=password, confirm=password)
    assert answer.status_code == 422
    assert (await log_in(new_browser(), f"{name}@example.com", password)).status_code == 422


async def test_an_address_may_be_as_long_as_addresses_are(new_browser: MakeBrowser, word: Word) -> None:
    answer = await new_browser().add(
        "/signup",
        first_name="Sue",
        last_name="Smith",
        email=f"{word()}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example.com",
        password=PASSWORD,
        confirm=PASSWORD,
    )
    assert (answer.status_code, answer.url.path) == (200, "/dashboard"), answer.text


async def test_a_new_password_ends_all_other_sessions_and_changes_the_token_of_this_one(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, other = new_browser(), new_browser()
    email = await browser.sign_up(word())
    await log_in(other, email)
    token = browser.http.cookies["dtwin_session"]
    fields = {"password": OTHER, "confirm": OTHER}
    wrong = await browser.add("/account/password", old_password="not the old one", **fields)
    assert wrong.status_code == 422
    answer = await browser.add("/account/password", old_password=PASSWORD, **fields)
    assert answer.url.path == "/account", answer.text
    assert browser.http.cookies["dtwin_session"] != token
    assert (await other.get("/dashboard")).url.path == "/login"
    assert (await log_in(other, email)).status_code == 422
    assert (await log_in(other, email, OTHER)).url.path == "/dashboard"


async def test_sessions_are_listed_and_ended_one_by_one_and_all_at_once(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, second, third = new_browser(), new_browser(), new_browser()
    email = await browser.sign_up(word())
    second.http.headers["user-agent"] = "<b>Second</b> browser"
    for other in (second, third):
        await log_in(other, email)
    page = await browser.get("/account")
    assert "&lt;b&gt;Second&lt;/b&gt; browser" in page.text
    ends = re.findall(r'action="(/account/sessions/[0-9a-f-]{36}/end)"', page.text)
    assert len(ends) == 2
    await browser.post(ends[0], "/account")
    still_in = [(await other.get("/dashboard")).url.path for other in (second, third)]
    assert sorted(still_in) == ["/dashboard", "/login"]
    await browser.post("/account/sessions/end-others", "/account")
    for other in (second, third):
        assert (await other.get("/dashboard")).url.path == "/login"
    assert (await browser.get("/dashboard")).url.path == "/dashboard"


async def test_nobody_ends_the_session_of_somebody_else(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    victim, stranger = new_browser(), new_browser()
    email = await victim.sign_up(word())
    await stranger.sign_up(word())
    user = await user_of(site, email)
    async with site.state.sessions() as session:
        found = await session.execute(
            text("SELECT id FROM user_sessions WHERE user_id = :id"), {"id": user.id}
        )
    answer = await stranger.post(f"/account/sessions/{found.scalar_one()}/end", "/account/password")
    assert answer.status_code == 404
    assert (await victim.get("/dashboard")).url.path == "/dashboard"


@pytest.mark.parametrize(
    ("column", "by", "is_in"),
    [
        ("last_seen_at", timedelta(hours=11), True),
        ("last_seen_at", timedelta(hours=13), False),
        ("expires_at", timedelta(days=13), True),
        ("expires_at", timedelta(days=15), False),
    ],
)
async def test_a_session_ends_when_it_is_idle_or_old(
    new_browser: MakeBrowser, word: Word, site: FastAPI, *, column: str, by: timedelta, is_in: bool
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    await age(site, email, column, by)
    assert (await browser.get("/dashboard")).url.path == ("/dashboard" if is_in else "/login")


async def test_a_sensitive_page_asks_for_the_password_again_after_a_while_and_the_token_changes(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    assert (await browser.get("/account/delete")).url.path == "/account/delete"
    await age(site, email, "authenticated_at", timedelta(minutes=11))
    asked = await browser.get("/account/delete")
    assert asked.url.path == "/account/confirm"
    token = browser.http.cookies["dtwin_session"]
    wrong = await browser.post("/account/confirm", str(asked.url), password="wrong", next="/account/delete")
    assert wrong.status_code == 422
    answer = await browser.post("/account/confirm", str(asked.url), password=PASSWORD, next="/account/delete")
    assert answer.url.path == "/account/delete"
    assert browser.http.cookies["dtwin_session"] != token


async def test_a_reset_link_works_once_ends_all_sessions_and_only_its_hash_is_stored(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser, other = new_browser(), new_browser()
    email = await browser.sign_up(word())
    user = await user_of(site, email)
    async with site.state.sessions() as session:
        token = await resets.new_token(session, user, by_mail=False)
        stored = (await session.scalars(text("SELECT token_hash FROM password_resets"))).all()
    assert token not in stored
    page = f"/reset/{token}"
    assert (await other.add(page, password="password1234", confirm="password1234")).status_code == 422
    assert (await other.add(page, password=OTHER, confirm=OTHER)).url.path == "/login"
    assert (await browser.get("/dashboard")).url.path == "/login"
    assert (await other.get(page)).status_code == 404
    assert (await log_in(other, email, OTHER)).url.path == "/dashboard"


async def test_a_first_reset_by_mail_ends_the_tokens_of_whoever_used_the_address_before(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser, owner = new_browser(), new_browser()
    email = await browser.sign_up(word())
    user, form = await user_of(site, email), TokenForm(name="later")
    for counts_after in (False, True):  # the second time, the address is known to be theirs
        async with site.state.sessions() as session:
            token = await tokens.create_personal(session, user, form, site.state.part_rule)
            link = await resets.new_token(session, user, by_mail=True)
        assert (await owner.add(f"/reset/{link}", password=OTHER, confirm=OTHER)).url.path == "/login"
        answer = await new_browser().get("/api/v1/companies", Authorization=f"Bearer {token}")
        assert answer.status_code == (200 if counts_after else 401)


async def test_a_reset_link_ends_after_half_an_hour_and_with_the_next_one(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser = new_browser()
    user = await user_of(site, await browser.sign_up(word()))
    async with site.state.sessions() as session:
        first = await resets.new_token(session, user, by_mail=False)
        second = await resets.new_token(session, user, by_mail=False)
        assert (await browser.get(f"/reset/{first}")).status_code == 404
        assert (await browser.get(f"/reset/{second}")).status_code == 200
        await session.execute(text("UPDATE password_resets SET expires_at = now() - interval '1 second'"))
        await session.commit()
    assert (await browser.get(f"/reset/{second}")).status_code == 404


async def test_somebody_who_is_kept_out_is_out_at_once_and_back_when_let_in(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    async with site.state.sessions() as session:
        user = await service.find_by_email(session, email)
        assert user is not None
        await service.disable(session, user)
        assert (await browser.get("/dashboard")).url.path == "/login"
        assert (await log_in(browser, email)).status_code == 422
        await service.enable(session, user)
    assert (await log_in(browser, email)).url.path == "/dashboard"


async def test_twenty_guesses_at_the_same_moment_are_not_more_than_five(
    new_browser: MakeBrowser, word: Word
) -> None:
    email = await new_browser().sign_up(word())
    browser = new_browser()
    csrf = (await browser.get("/api/v1/session")).json()["csrf_token"]
    answers = await asyncio.gather(
        *(
            browser.http.post(
                "/api/v1/session", json={"email": email, "password": "wrong"}, headers={"X-CSRF-Token": csrf}
            )
            for _ in range(20)
        )
    )
    assert sum(answer.status_code == 422 for answer in answers) <= limits.PASSWORD.here
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 0 < int(refused[0].headers["retry-after"]) <= 900
    assert refused[0].json()["code"] == "account.too_many_attempts"


@pytest.fixture
async def strict_site(settings: PlatformSettings) -> AsyncIterator[FastAPI]:
    """A site where one address may try little."""
    strict = replace(settings, attempts_per_address=3)
    app = create_app(strict, topics=MemoryTopics(), runner=MemoryRunner(), metadata=MemoryMetadata())
    yield app
    await app.state.units.close()
    await app.state.engine.dispose()


async def test_one_address_tries_only_so_much_over_all_accounts_and_others_are_not_held_up(
    strict_site: FastAPI, word: Word
) -> None:
    def browser(address: str) -> Browser:
        return Browser(httpx2.ASGITransport(app=strict_site, client=(address, 1)))

    guesser, other = browser("192.0.2.7"), browser("192.0.2.8")
    statuses = [(await log_in(guesser, f"{word()}@example.com")).status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]
    refused = await log_in(guesser, f"{word()}@example.com")
    assert int(refused.headers["retry-after"]) > 0
    assert (await log_in(other, f"{word()}@example.com")).status_code == 422
    made = [await guesser.http.get(f"/reset/{word()}") for _ in range(4)]
    assert [answer.status_code for answer in made] == [404, 404, 404, 429]
    for one in (guesser, other):
        await one.http.aclose()


async def test_sign_ups_of_one_address_are_limited(strict_site: FastAPI, word: Word) -> None:
    browser = Browser(httpx2.ASGITransport(app=strict_site, client=("192.0.2.9", 1)))
    fields = {"first_name": "A", "last_name": "B", "password": OTHER, "confirm": OTHER}
    statuses = []
    for _ in range(4):
        browser.http.cookies.clear()
        answer = await browser.post("/signup", "/signup", email=f"{word()}@example.com", **fields)
        statuses.append(answer.status_code)
    assert statuses == [200, 200, 200, 429]
    await browser.http.aclose()


async def test_a_person_changes_their_own_name_and_the_log_keeps_both(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    before = await user_of(site, email)
    assert 'href="/account/name"' in (await browser.get("/account")).text
    form = (await browser.get("/account/name")).text
    assert f'value="{before.first_name}"' in form
    refused = await browser.add("/account/name", first_name=" ", last_name="Ng")
    assert (refused.status_code, 'id="first_name-error"' in refused.text) == (422, True)
    assert 'value="Ng"' in refused.text
    changed = await browser.add("/account/name", first_name="Zoë", last_name="Ng")
    assert changed.url.path == "/account"
    assert "<span>Zoë Ng</span>" in changed.text
    user = await user_of(site, email)
    assert (user.first_name, user.last_name) == ("Zoë", "Ng")
    await browser.add("/account/name", first_name="Zoë", last_name="Ng")
    async with site.state.sessions() as session:
        rows = await session.execute(
            text("SELECT before, after FROM audit_entries WHERE object_name = :email AND action = :action"),
            {"email": email, "action": "account.renamed"},
        )
        (entry,) = rows.all()
    assert entry.before == {"first_name": before.first_name, "last_name": before.last_name}
    assert entry.after == {"first_name": "Zoë", "last_name": "Ng"}


async def test_a_program_changes_the_name_of_its_person_and_what_is_left_out_stays(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    token = (await browser.get("/api/v1/session")).json()["csrf_token"]
    headers = {"X-CSRF-Token": token}
    was = (await browser.get("/api/v1/account")).json()
    assert was["email"] == email
    changed = await browser.http.patch("/api/v1/account", json={"last_name": "Ng"}, headers=headers)
    assert (changed.status_code, changed.json()) == (200, was | {"last_name": "Ng"})
    assert (await browser.get("/api/v1/account")).json() == changed.json()
    for wrong in ({"first_name": ""}, {"first_name": "x" * 51}, {"last_name": "a\nb"}):
        refused = await browser.http.patch("/api/v1/account", json=wrong, headers=headers)
        (place,) = wrong
        assert refused.status_code == 422, wrong
        assert [one["pointer"] for one in refused.json()["errors"]] == [f"/{place}"]
    assert (await browser.get("/api/v1/account")).json() == changed.json()
    assert (await new_browser().get("/api/v1/account")).status_code == 401
