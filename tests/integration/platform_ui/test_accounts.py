"""Accounts, sessions, CSRF, headers and error answers, on a real database."""

import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from platform_ui.accounts import limits
from platform_ui.db import create_engine, create_sessions
from setup.local.ports import any_free_port
from tests.integration.platform_ui.doubles import Browser

MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]


async def test_a_person_signs_up_logs_out_and_logs_in_in_any_case(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    await browser.post("/logout", "/companies/new")
    assert (await browser.get("/dashboard")).url.path == "/login"
    answer = await browser.post(
        "/login", email=f" {email.upper()} ", password="a long password", next="/apps"
    )
    assert answer.url.path == "/apps"


async def test_a_second_account_with_the_same_address_is_refused_and_no_password_is_sent_back(
    new_browser: MakeBrowser, word: Word
) -> None:
    email = await new_browser().sign_up(word())
    answer = await new_browser().post(
        "/signup",
        "/signup",
        first_name="A",
        last_name="B",
        email=email.upper(),
        password="another password",
        confirm="another password",
    )
    assert answer.status_code == 409
    assert "has an account already" in answer.text
    assert "another password" not in answer.text


async def test_a_log_in_changes_the_browsers_token_and_only_its_hash_is_stored(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser = new_browser()
    await browser.get("/login")
    before = browser.http.cookies["dtwin_session"]
    await browser.sign_up(word())
    token = browser.http.cookies["dtwin_session"]
    assert token != before
    async with site.state.sessions() as session:
        stored = (await session.scalars(text("SELECT token_hash FROM user_sessions"))).all()
    assert token not in stored


async def test_a_log_out_ends_the_session_on_the_server(new_browser: MakeBrowser, word: Word) -> None:
    browser, thief = new_browser(), new_browser()
    await browser.sign_up(word())
    thief.http.cookies.set("dtwin_session", browser.http.cookies["dtwin_session"])
    assert (await thief.get("/dashboard")).url.path == "/dashboard"
    await browser.post("/logout", "/companies/new")
    assert (await thief.get("/dashboard")).url.path == "/login"


async def test_a_log_out_is_written_down_once_and_only_of_who_was_logged_in(
    new_browser: MakeBrowser, word: Word, site: FastAPI
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    for _ in range(2):
        await browser.post("/logout", "/login")
    async with site.state.sessions() as session:
        found = await session.execute(
            text("SELECT action FROM audit_entries WHERE user_email = :email ORDER BY id"), {"email": email}
        )
    assert found.scalars().all() == ["account.created", "account.logged_in", "account.logged_out"]


async def test_too_many_wrong_passwords_are_refused_for_a_while_even_with_the_right_one(
    new_browser: MakeBrowser, word: Word
) -> None:
    email = await new_browser().sign_up(word())
    browser = new_browser()
    for _ in range(limits.PASSWORD.here):
        answer = await browser.post("/login", email=email, password="wrong")
        assert answer.status_code == 422
        assert "wrong" in answer.text
    answer = await browser.post("/login", email=email, password="a long password")
    assert answer.status_code == 429


async def test_an_unknown_address_and_a_wrong_password_look_alike(
    new_browser: MakeBrowser, word: Word
) -> None:
    known, browser = await new_browser().sign_up(word()), new_browser()
    texts = set()
    for email in (known, f"{word()}@example.com"):
        answer = await browser.post("/login", email=email, password="wrong")
        texts.add(answer.text.replace(email, "EMAIL"))
    assert len(texts) == 1


@pytest.mark.parametrize("token", ["", "0" * 64, "ü"])
async def test_a_change_without_the_right_token_is_refused(
    new_browser: MakeBrowser, word: Word, token: str
) -> None:
    browser = new_browser()
    await browser.sign_up(word())
    fields = {"csrf_token": token, "domain": "cz", "enterprise": word()}
    answer = await browser.http.post("/companies/new", data=fields)
    assert answer.status_code == 403
    assert "expired" in answer.text
    assert (await browser.get("/api/v1/companies")).json()["items"] == []


async def test_a_token_of_another_browser_is_refused(new_browser: MakeBrowser, word: Word) -> None:
    browser, other = new_browser(), new_browser()
    await browser.sign_up(word())
    token = (await other.get("/api/v1/session")).json()["csrf_token"]
    answer = await browser.http.post("/logout", headers={"X-CSRF-Token": token})
    assert answer.status_code == 403


async def test_no_get_changes_anything(site: FastAPI) -> None:
    changing = ("logout", "deploy", "stop", "remove", "statement", "admins", "agents")
    for route in site.routes:
        path, methods = getattr(route, "path", ""), getattr(route, "methods", None) or set()
        if path.rsplit("/", 1)[-1] in changing:
            assert methods == {"POST"}, path


async def test_pages_carry_a_strict_policy_and_are_not_kept(new_browser: MakeBrowser) -> None:
    headers = (await new_browser().get("/login")).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


async def test_the_cookie_is_secure_exactly_over_https(new_browser: MakeBrowser) -> None:
    browser = new_browser()
    plain = (await browser.http.get("http://site.test/login")).headers["set-cookie"]
    assert "HttpOnly; SameSite=Lax" in plain
    assert "Secure" not in plain
    assert "; Secure" in (await new_browser().http.get("https://site.test/login")).headers["set-cookie"]


async def test_the_api_answers_with_problems(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    answer = await browser.get("/api/v1/systems")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.json()["code"] == "account.not_logged_in"
    await browser.sign_up(word())
    token = (await browser.get("/api/v1/session")).json()["csrf_token"]
    answer = await browser.http.post(
        "/api/v1/companies", json={"domain": "toolong"}, headers={"X-CSRF-Token": token}
    )
    assert answer.status_code == 422
    pointers = {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}
    assert pointers == {
        "/domain": "At most 5 characters; this has 7.",
        "/enterprise": "Fill in this field.",
    }
    assert (await browser.get("/api/v1/systems/no.such.system.here")).json()["code"] == "system.not_found"
    assert (await browser.get("/api/v1/nothing")).json()["status"] == 404


async def test_a_text_that_is_too_long_stays_whole_in_its_field_and_says_how_long_it_is(
    new_browser: MakeBrowser, word: Word
) -> None:
    browser = new_browser()
    await browser.sign_up(word())
    text = "\r\n".join(["Cars that know the weather, "] * 50)
    answer = await browser.add("/companies/new", domain="cz", enterprise=word(), description=text)
    assert answer.status_code == 422
    found = re.search(r'<textarea id="description"([^>]*)>([^<]*)</textarea>', answer.text)
    assert found
    assert ('aria-invalid="true"' in found[1], found[2]) == (True, text)
    said = f"At most 1024 characters; this has {len(text.strip())}."
    assert f'<p class="error" id="description-error">{said}</p>' in answer.text


async def test_an_unknown_address_has_the_frame_of_whoever_is_logged_in(
    site: FastAPI, new_browser: MakeBrowser, word: Word
) -> None:
    frame = 'href="/account"'
    browser, stranger = new_browser(), new_browser()
    await browser.sign_up(word())
    for path in ("/no/such/page", "/systems/no.such.system.here/nothing"):
        known, unknown = await browser.get(path), await stranger.get(path)
        assert (known.status_code, unknown.status_code) == (404, 404)
        assert frame in known.text
        assert "/explain?asked=" not in known.text, "nothing is refused where no page is"
        assert frame not in unknown.text
    nowhere = create_engine(f"postgresql+psycopg://127.0.0.1:{any_free_port()}/none")
    site.state.sessions = create_sessions(nowhere)
    alone = await browser.get("/no/such/page")
    await nowhere.dispose()
    assert (alone.status_code, frame in alone.text) == (404, False), "a page needs no database to be missing"
    program = await browser.get("/api/v1/nothing")
    assert (program.status_code, program.headers["content-type"]) == (404, "application/problem+json")


async def test_the_whole_way_works_by_the_api(new_browser: MakeBrowser, word: Word) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    api = new_browser().http
    token = (await api.get("/api/v1/session")).json()["csrf_token"]
    answer = await api.post(
        "/api/v1/session",
        json={"email": email, "password": "a long password"},
        headers={"X-CSRF-Token": token},
    )
    assert answer.status_code == 201
    headers = {"X-CSRF-Token": answer.json()["csrf_token"]}
    company = word()
    made = [
        await api.post("/api/v1/companies", json={"domain": "cz", "enterprise": company}, headers=headers)
    ]
    for station in ("Car1", "Car2"):
        body = {"company": f"cz.{company}", "workcenter": "Fleet", "station": station}
        made.append(await api.post("/api/v1/systems", json=body, headers=headers))
    base = f"/api/v1/systems/cz.{company}.Fleet.Car1"
    made.append(await api.post(f"{base}/clients", json={"name": "car_1"}, headers=headers))
    app = {"name": "share", "target_system": f"cz.{company}.Fleet.Car2", "statement": "SELECT * FROM *;"}
    made.append(await api.post(f"{base}/apps", json=app, headers=headers))
    assert [answer.status_code for answer in made] == [201] * 5
    assert (await api.post(f"{base}/apps/share:deploy", headers=headers)).json()["state"] == "running"
    assert (await api.post(f"{base}/apps/share:stop", headers=headers)).json()["state"] == "stopped"
    gone = [f"{base}/apps/share", f"{base}/clients/car_1", base, f"/api/v1/systems/cz.{company}.Fleet.Car2"]
    for path in [*gone, f"/api/v1/companies/cz.{company}"]:
        assert (await api.delete(path, headers=headers)).status_code == 204, path
    assert (await api.get("/api/v1/openapi.json")).json()["openapi"].startswith("3.1")


async def test_health_metrics_and_version_answer_everybody(new_browser: MakeBrowser) -> None:
    browser = new_browser()
    assert (await browser.get("/health/live")).json() == {"status": "ok"}
    assert (await browser.get("/health/ready")).json()["parts"] == {"database": "ok", "kafka": "ok"}
    assert "dtwin_platform_requests_total" in (await browser.get("/metrics")).text
    assert (await browser.get("/version")).json()["name"] == "digital-twin-stack"


async def test_a_body_that_is_too_large_is_refused(new_browser: MakeBrowser) -> None:
    answer = await new_browser().http.post("/login", content=b"x" * 1_100_000)
    assert answer.status_code == 413
