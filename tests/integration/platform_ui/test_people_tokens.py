"""Second factors and tokens of programs, on a real database."""

import re
import time
from collections.abc import Callable

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from platform_ui.accounts import totp
from tests.integration.platform_ui.doubles import Browser

MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]

PASSWORD = "a long password"


def first_code(secret: str) -> str:
    """Return the code of now, which counts for half a minute at least."""
    return totp.code_at(secret, totp.step_at(time.time()))


def next_code(secret: str) -> str:
    """Return the code after it, which counts already, and for a minute at least."""
    return totp.code_at(secret, totp.step_at(time.time()) + 1)


async def enrol(browser: Browser) -> tuple[str, list[str]]:
    """Turn the second factor on; return its secret and the recovery codes."""
    page = await browser.post("/account/second-factor", "/account/second-factor")
    assert page.url.path == "/account/second-factor/app"
    found = re.search(r'<pre class="code" id="secret">([A-Z2-7 ]+)</pre>', page.text)
    assert found
    secret = found[1].replace(" ", "")
    assert "<svg" in page.text
    assert "style=" not in page.text
    answer = await browser.add("/account/second-factor/app", code=first_code(secret))
    listed = re.search(r'<pre class="code" id="codes">([^<]+)</pre>', answer.text)
    assert listed, answer.text
    return secret, listed[1].split("\n")


async def log_in(browser: Browser, email: str) -> httpx2.Response:
    return await browser.post("/login", email=email, password=PASSWORD)


async def test_a_second_factor_is_asked_for_at_the_log_in_and_no_code_counts_twice(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser, other, third = new_browser(), new_browser(), new_browser()
    email = await browser.sign_up(word())
    secret, codes = await enrol(browser)
    assert len(set(codes)) == 10
    async with site.state.sessions() as session:
        stored = (await session.scalars(text("SELECT code_hash FROM recovery_codes"))).all()
    assert not {*codes, *(one.replace("-", "") for one in codes)} & set(stored)
    for one in (other, third):
        assert (await log_in(one, email)).url.path == "/login/code"
        assert (await one.get("/dashboard")).url.path == "/login/code"
        assert (await one.get("/api/v1/systems")).status_code == 401
    right = next_code(secret)
    assert (await other.add("/login/code", code="000000")).status_code == 422
    assert (await other.add("/login/code", code=right)).url.path == "/dashboard"
    assert (await third.add("/login/code", code=right)).status_code == 422
    assert (await third.add("/login/code", code=codes[0].upper())).url.path == "/dashboard"
    await third.post("/logout", "/companies/new")
    await log_in(third, email)
    assert (await third.add("/login/code", code=codes[0])).status_code == 422


async def test_five_wrong_codes_are_enough(new_browser: MakeBrowser, word: Word) -> None:
    browser, other = new_browser(), new_browser()
    email = await browser.sign_up(word())
    secret, _ = await enrol(browser)
    await log_in(other, email)
    statuses = [(await other.add("/login/code", code="12345")).status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]
    assert (await other.add("/login/code", code=next_code(secret))).status_code == 429


async def test_a_second_factor_is_turned_off_with_password_and_code_only(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, other = new_browser(), new_browser()
    email = await browser.sign_up(word())
    _, codes = await enrol(browser)
    off, page = "/account/second-factor/off", "/account/second-factor"
    assert (await browser.post(off, page, password="wrong", code=codes[0])).status_code == 422
    assert (await browser.post(off, page, password=PASSWORD, code="000000")).status_code == 422
    assert (await browser.post(off, page, password=PASSWORD)).status_code == 422
    assert (await log_in(other, email)).url.path == "/login/code"
    assert (await browser.post(off, page, password=PASSWORD, code=codes[0])).url.path == "/account"
    assert (await log_in(new_browser(), email)).url.path == "/dashboard"


async def make_token(browser: Browser, **fields: str) -> str:
    answer = await browser.add("/account/tokens", name="a program", **fields)
    found = re.search(r"dtwin_pat_[\w-]{40,}", answer.text)
    assert found, answer.text
    assert found[0] not in (await browser.get("/account/tokens")).text
    return found[0]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_opens_the_api_without_csrf_and_never_a_page(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser, program = new_browser(), new_browser().http
    email = await browser.sign_up(word())
    token = await make_token(browser, scope="write")
    assert (await program.get("/api/v1/session", headers=bearer(token))).json()["email"] == email
    body = {"domain": "cz", "enterprise": word()}
    assert (await program.post("/api/v1/companies", json=body, headers=bearer(token))).status_code == 201
    assert (await program.get("/dashboard", headers=bearer(token))).url.path == "/login"
    assert (await program.post("/logout", headers=bearer(token))).url.path == "/login"
    async with site.state.sessions() as session:
        stored = await session.scalars(text("SELECT token_hash FROM api_tokens"))
    assert token not in stored.all()


@pytest.mark.parametrize("header", ["Bearer dtwin_pat_wrong", "Bearer ", "Basic eDp5", "dtwin_pat_wrong"])
async def test_a_cookie_does_not_count_beside_an_authorization_header(
    new_browser: MakeBrowser, word: Word, header: str
) -> None:
    browser = new_browser()
    await browser.sign_up(word())
    headers = {"Authorization": header}
    body = {"domain": "cz", "enterprise": word()}
    assert (await browser.http.post("/api/v1/companies", json=body, headers=headers)).status_code == 401
    assert (await browser.http.get("/dashboard", headers=headers)).url.path == "/login"


async def test_a_token_that_reads_changes_nothing_and_one_of_a_company_stays_in_it(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, program = new_browser(), new_browser().http
    await browser.sign_up(word())
    company, other = f"cz.{word()}", f"cz.{word()}"
    for name in (company, other):
        await browser.add("/companies/new", domain="cz", enterprise=name[3:])
    await browser.add("/systems/new", company=company, workcenter="Fleet", station="Car1")
    reads = bearer(await make_token(browser, scope="read"))
    assert (await program.get(f"/api/v1/companies/{company}", headers=reads)).status_code == 200
    refused = await program.delete(f"/api/v1/companies/{other}", headers=reads)
    assert (refused.status_code, refused.json()["code"]) == (403, "token.only_reads")
    within = bearer(await make_token(browser, scope="write", within=company))
    system = f"/api/v1/systems/{company}.Fleet.Car1"
    assert (await program.get(system, headers=within)).status_code == 200
    made = await program.post(f"{system}/clients", json={"name": "car_1"}, headers=within)
    assert made.status_code == 201
    for path in (
        f"/api/v1/companies/{other}",
        f"/api/v1/companies/{company}x",
        "/api/v1/companies",
        "/api/v1/tokens",
    ):
        assert (await program.get(path, headers=within)).status_code == 403, path


async def test_a_token_is_only_for_where_its_person_has_a_part_and_others_places_stay_unknown(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, stranger = new_browser(), new_browser()
    email = await browser.sign_up(word())
    await stranger.sign_up(word())
    own, foreign = f"cz.{word()}", f"cz.{word()}"
    await browser.add("/companies/new", domain="cz", enterprise=own[3:])
    await stranger.add("/companies/new", domain="cz", enterprise=foreign[3:])
    for station in ("Car1", "Car2"):
        await stranger.add("/systems/new", company=foreign, workcenter="Fleet", station=station)
    said = set()
    for name in (foreign, f"cz.{word()}", f"{foreign}.Fleet.Car1", f"{own[:-1]}", f"{own}.Fleet.Car1"):
        answer = await browser.add("/account/tokens", name="a program", within=name)
        assert (answer.status_code, f'value="{name}"' in answer.text) == (422, True), name
        (message,) = re.findall(r'id="within-error">([^<]+)<', answer.text)
        said.add(message.replace(name, "it"))
    assert len(said) == 1, said
    await make_token(browser, within=own)
    await stranger.add(f"/systems/{foreign}.Fleet.Car1/members", email=email, role="viewer")
    for name in (f"{foreign}.Fleet.Car1", foreign):
        reads = bearer(await make_token(browser, within=name))
        path = f"/api/v1/systems/{foreign}.Fleet.Car1"
        assert (await new_browser().http.get(path, headers=reads)).status_code == 200, name
    beside = await browser.add("/account/tokens", name="a program", within=f"{foreign}.Fleet.Car2")
    assert beside.status_code == 422


async def test_a_token_ends_when_it_is_revoked_and_when_it_expires(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser, program = new_browser(), new_browser().http
    email = await browser.sign_up(word())
    first, second = await make_token(browser), await make_token(browser)
    shown = (await program.get("/api/v1/tokens", headers=bearer(first))).json()["items"]
    assert [row["name"] for row in shown] == ["a program"] * 2
    assert sum(row["last_used_at"] is not None for row in shown) == 1
    ids = {row["last_used_at"] is None: row["id"] for row in shown}
    await browser.post(f"/account/tokens/{ids[False]}/revoke", "/account/tokens")
    assert (await program.get("/api/v1/systems", headers=bearer(first))).status_code == 401
    assert (await program.get("/api/v1/systems", headers=bearer(second))).status_code == 200
    async with site.state.sessions() as session:
        await session.execute(
            text(
                "UPDATE api_tokens SET expires_at = now() FROM users "
                "WHERE users.id = user_id AND users.email = :email"
            ),
            {"email": email},
        )
        await session.commit()
    assert (await program.get("/api/v1/systems", headers=bearer(second))).status_code == 401


async def test_a_refresh_token_counts_once_and_its_second_use_ends_the_whole_family(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, program = new_browser(), new_browser().http
    email = await browser.sign_up(word())
    wrong = await program.post("/api/v1/tokens", json={"email": email, "password": "wrong"})
    assert wrong.status_code == 422
    first = await program.post("/api/v1/tokens", json={"email": email, "password": PASSWORD})
    assert first.status_code == 201
    assert (first.json()["token_type"], first.json()["expires_in"], first.json()["scope"]) == (
        "Bearer",
        900,
        "read",
    )
    again = {"refresh_token": first.json()["refresh_token"]}
    second = (await program.post("/api/v1/tokens/refresh", json=again)).json()
    old, new = bearer(first.json()["access_token"]), bearer(second["access_token"])
    assert (await program.get("/api/v1/systems", headers=old)).status_code == 401
    assert (await program.get("/api/v1/systems", headers=new)).status_code == 200
    assert (await program.get("/api/v1/systems", headers=bearer(second["refresh_token"]))).status_code == 401
    assert (await program.post("/api/v1/tokens/refresh", json=again)).status_code == 401
    assert (await program.get("/api/v1/systems", headers=new)).status_code == 401
    last = {"refresh_token": second["refresh_token"]}
    assert (await program.post("/api/v1/tokens/refresh", json=last)).status_code == 401


async def test_a_program_needs_the_code_as_well_and_ends_its_log_in_itself(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser, program = new_browser(), new_browser().http
    email = await browser.sign_up(word())
    secret, _ = await enrol(browser)
    body = {"email": email, "password": PASSWORD}
    refused = await program.post("/api/v1/tokens", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "account.code_needed")
    pair = (await program.post("/api/v1/tokens", json={**body, "code": next_code(secret)})).json()
    headers = bearer(pair["access_token"])
    assert (await program.get("/api/v1/systems", headers=headers)).status_code == 200
    ended = await program.post("/api/v1/tokens/revoke", json={"token": pair["refresh_token"]})
    assert ended.status_code == 204
    assert (await program.get("/api/v1/systems", headers=headers)).status_code == 401


async def test_a_company_may_ask_for_a_second_factor_and_then_nothing_else_is_shown_without(
    new_browser: MakeBrowser, word: Word
) -> None:
    sue, peter = new_browser(), new_browser()
    await sue.sign_up(word())
    email, company = await peter.sign_up(word()), f"cz.{word()}"
    await sue.add("/companies/new", domain="cz", enterprise=company[3:])
    page = f"/companies/{company}/members"
    await sue.add(page, email=email, role="member")
    token = await make_token(peter)
    assert (await peter.get(f"/companies/{company}")).status_code == 200
    refused = await peter.post(f"/companies/{company}/second-factor", "/companies/new", required="yes")
    assert refused.status_code == 403
    await enrol(sue)
    await sue.post(f"/companies/{company}/second-factor", page, required="yes")
    assert (await sue.get(page)).status_code == 200
    assert (await peter.get(f"/companies/{company}")).url.path == "/account/second-factor"
    answer = await new_browser().http.get("/api/v1/companies", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (403, "account.second_factor_needed")
    await enrol(peter)
    assert (await peter.get(f"/companies/{company}")).url.path == f"/companies/{company}"
