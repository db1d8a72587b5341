"""Log-ins by another service, with a real one on loopback that checks what we send and lies on demand."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from platform_ui.accounts import service as accounts
from platform_ui.accounts.models import SecondFactor
from platform_ui.db import now
from platform_ui.settings import OidcSettings, PlatformSettings
from tests.integration.platform_ui.doubles import Browser
from tests.integration.platform_ui.oidc_service import CLIENT_ID, OidcService, RunningService

Word = Callable[[], str]


@pytest.fixture(scope="module")
def running() -> Iterator[OidcService]:
    with RunningService() as service:
        yield service


@pytest.fixture
def service(running: OidcService, word: Word) -> OidcService:
    running.forget()
    name = word()
    running.person = {
        "sub": f"subject-{name}",
        "email": f"{name}@example.com",
        "email_verified": True,
        "given_name": "Mia",
        "family_name": "Berg",
    }
    return running


@pytest.fixture
def settings(settings: PlatformSettings, service: OidcService) -> PlatformSettings:
    oidc = OidcSettings(
        issuer=service.issuer, client_id=CLIENT_ID, client_secret=service.client_secret, name="Example"
    )
    return replace(settings, oidc=oidc, url="http://site.test")


@pytest.fixture
async def browser(site: FastAPI) -> AsyncIterator[Browser]:
    browser = Browser(httpx2.ASGITransport(app=site, raise_app_exceptions=False))
    browser.http.follow_redirects = False
    yield browser
    await browser.http.aclose()


async def go(browser: Browser, following: str = "/dashboard") -> str:
    """Begin a log-in and let the service log the browser in; return the address to come back to."""
    answer = await browser.get(f"/login/oidc?next={following}")
    assert answer.status_code == 303, answer.text
    async with httpx2.AsyncClient(timeout=60) as outside:
        back = await outside.get(answer.headers["location"])
    assert back.status_code == 302, back.text
    return str(back.headers["location"])


async def who(browser: Browser) -> str | None:
    email = (await browser.get("/api/v1/session")).json()["email"]
    return None if email is None else str(email)


async def with_password(site: FastAPI, service: OidcService) -> None:
    """Give the person an account with a password before they come from the service."""
    other = Browser(httpx2.ASGITransport(app=site, raise_app_exceptions=False))
    await other.sign_up(service.person["email"].partition("@")[0])
    await other.http.aclose()


async def test_somebody_new_gets_an_account_and_goes_where_they_wanted(
    browser: Browser, service: OidcService
) -> None:
    answer = await browser.get(await go(browser, "/companies"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/companies")
    assert await who(browser) == service.person["email"]


async def test_the_second_time_the_same_person_has_the_same_account_also_with_another_address(
    browser: Browser, service: OidcService
) -> None:
    email = service.person["email"]
    await browser.get(await go(browser))
    browser.http.cookies.clear()
    service.person["email"] = "new-" + email
    await browser.get(await go(browser))
    assert await who(browser) == email


async def test_the_log_in_uses_state_nonce_and_pkce_and_all_differ_each_time(
    browser: Browser, service: OidcService
) -> None:
    await go(browser)
    await go(browser)
    first, second = service.seen
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]
    assert first["redirect_uri"] == "http://site.test/login/oidc/callback"


async def test_an_account_with_a_password_is_linked_only_with_it(
    browser: Browser, service: OidcService, site: FastAPI
) -> None:
    await with_password(site, service)
    answer = await browser.get(await go(browser, "/companies"))
    assert answer.headers["location"] == "/login/oidc/link"
    assert await who(browser) is None
    wrong = await browser.post("/login/oidc/link", "/login/oidc/link", password="wrong")
    assert wrong.status_code == 422
    assert await who(browser) is None
    right = await browser.post("/login/oidc/link", "/login/oidc/link", password="a long password")
    assert (right.status_code, right.headers["location"]) == (303, "/companies")
    browser.http.cookies.clear()
    await browser.get(await go(browser))
    assert await who(browser) == service.person["email"]


async def test_another_browser_cannot_finish_the_link(
    browser: Browser, service: OidcService, site: FastAPI
) -> None:
    await with_password(site, service)
    await browser.get(await go(browser))
    browser.http.cookies.clear()
    assert (await browser.get("/login/oidc/link")).status_code == 403


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": [CLIENT_ID, "another-client"]},
        {"aud": [CLIENT_ID, "another-client"], "azp": "another-client"},
        {"iss": "http://127.0.0.1:9"},
        {"exp": 1_000_000_000},
        {"iat": 99_999_999_999},
        {"exp": None},
        {"sub": None},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_log_in_is_refused(
    browser: Browser, service: OidcService, lies: dict[str, object]
) -> None:
    service.lies = lies
    answer = await browser.get(await go(browser))
    assert answer.status_code == 403, answer.text
    assert await who(browser) is None


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_a_token_that_the_services_key_did_not_sign_is_refused(
    browser: Browser, service: OidcService, algorithm: str
) -> None:
    service.algorithm = algorithm
    assert (await browser.get(await go(browser))).status_code == 403
    assert await who(browser) is None


async def test_a_service_that_has_changed_its_key_is_understood(
    browser: Browser, service: OidcService
) -> None:
    await browser.get(await go(browser))
    browser.http.cookies.clear()
    service.key = type(service.key).generate_key(2048, {"kid": "fresh"})
    await browser.get(await go(browser))
    assert await who(browser) == service.person["email"]


async def test_a_wrong_state_is_refused(browser: Browser, service: OidcService) -> None:
    back = await go(browser)
    state = parse_qs(urlsplit(back).query)["state"][0]
    for other in ("", "another", state[:-1]):
        assert (await browser.get(back.replace(state, other))).status_code == 403
    assert await who(browser) is None


async def test_an_answer_that_another_browser_began_is_refused(
    browser: Browser, service: OidcService
) -> None:
    back = await go(browser)
    browser.http.cookies.clear()
    assert (await browser.get(back)).status_code == 403
    assert await who(browser) is None


async def test_a_code_counts_once_even_when_the_service_takes_it_twice(
    browser: Browser, service: OidcService
) -> None:
    service.reuses_codes = True
    back = await go(browser)
    token = browser.http.cookies["dtwin_session"]
    await browser.get(back)
    browser.http.cookies.clear()
    browser.http.cookies.set("dtwin_session", token)
    assert (await browser.get(back)).status_code == 403
    assert await who(browser) is None


async def test_a_code_of_another_log_in_is_refused(browser: Browser, service: OidcService) -> None:
    code = parse_qs(urlsplit(await go(browser)).query)["code"][0]
    back = await go(browser)
    own = parse_qs(urlsplit(back).query)["code"][0]
    assert (await browser.get(back.replace(own, code))).status_code == 403


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9", ""])
async def test_an_answer_of_another_issuer_is_refused(
    browser: Browser, service: OidcService, issuer: str
) -> None:
    back = httpx2.URL(await go(browser))
    answer = await browser.get(str(back.copy_set_param("iss", issuer)))
    assert answer.status_code == 403


@pytest.mark.parametrize("verified", [False, None, "true"])
async def test_an_address_that_is_not_verified_gets_and_links_no_account(
    browser: Browser, service: OidcService, site: FastAPI, verified: object
) -> None:
    service.lies = {"email_verified": verified}
    answer = await browser.get(await go(browser))
    assert answer.status_code == 403
    assert "verified" in answer.text
    async with site.state.sessions() as session:
        statement = text("SELECT count(*) FROM users WHERE email = :email")
        assert await session.scalar(statement, {"email": service.person["email"]}) == 0


async def test_a_service_that_refuses_is_told_and_changes_nothing(
    browser: Browser, service: OidcService
) -> None:
    state = parse_qs(urlsplit(await go(browser)).query)["state"][0]
    answer = await browser.get(f"/login/oidc/callback?state={state}&error=access_denied")
    assert answer.status_code == 403
    assert await who(browser) is None


async def test_a_service_under_another_name_is_not_believed(browser: Browser, service: OidcService) -> None:
    service.metadata = {"issuer": "https://evil.example"}
    assert (await browser.get("/login/oidc")).status_code == 503


async def test_a_service_with_an_unprotected_address_is_not_believed(
    browser: Browser, service: OidcService
) -> None:
    service.metadata = {"token_endpoint": "http://login.example.org/token"}
    assert (await browser.get("/login/oidc")).status_code == 503


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_a_log_in_never_leads_to_another_site(
    browser: Browser, service: OidcService, target: str
) -> None:
    answer = await browser.get(await go(browser, target))
    assert answer.headers["location"] == "/"


async def test_whoever_is_logged_out_may_log_out_of_the_service_too(
    browser: Browser, service: OidcService
) -> None:
    answer = await browser.get("/login/oidc/leave")
    assert answer.headers["location"].startswith(f"{service.issuer}/leave?client_id={CLIENT_ID}&")


async def test_a_second_factor_of_ours_is_asked_for_after_the_services_word_too(
    browser: Browser, service: OidcService, site: FastAPI
) -> None:
    await browser.get(await go(browser))
    browser.http.cookies.clear()
    async with site.state.sessions() as session:
        user = await accounts.find_by_email(session, service.person["email"])
        assert user is not None
        session.add(SecondFactor(user_id=user.id, secret="A" * 32, created_at=now(), confirmed_at=now()))
        await session.commit()
    answer = await browser.get(await go(browser, "/companies"))
    assert answer.headers["location"].startswith("/login/code")
    assert await who(browser) is None


async def test_the_log_in_page_names_the_service(browser: Browser) -> None:
    assert "Log in with Example" in (await browser.get("/login")).text


class TestDomains:
    """Only addresses of some domains may come in."""

    @pytest.fixture
    def settings(self, settings: PlatformSettings) -> PlatformSettings:
        assert settings.oidc is not None
        return replace(settings, oidc=replace(settings.oidc, allowed_domains=("example.org",)))

    async def test_an_address_of_another_domain_is_refused(
        self, browser: Browser, service: OidcService
    ) -> None:
        assert (await browser.get(await go(browser))).status_code == 403
        service.person["email"] = service.person["email"].replace("example.com", "example.org")
        await browser.get(await go(browser))
        assert await who(browser) == service.person["email"]
