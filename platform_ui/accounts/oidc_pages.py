"""The pages of a log-in by another service: go there, come back, link an account, leave.

The beginning is a link and not a form: browsers apply our policy for forms to the redirects that follow too.
"""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from platform_ui.accounts import oidc
from platform_ui.accounts.access import Visitor
from platform_ui.accounts.oidc_provider import OidcProvider
from platform_ui.accounts.origin import origin_of
from platform_ui.accounts.pages import HOME, following, log_in_with
from platform_ui.browser import browser_token, csrf_token
from platform_ui.db import Database
from platform_ui.errors import FormError, LogInRefusedError, NotFoundError, TooManyAttemptsError, status_of
from platform_ui.settings import CurrentSettings, PlatformSettings
from platform_ui.web import CurrentPage

router = APIRouter(prefix="/login/oidc", include_in_schema=False)


def _provider(request: Request) -> OidcProvider:
    provider = cast(OidcProvider | None, request.app.state.oidc)
    if provider is None:
        raise NotFoundError("People log in with a password here.", code="account.no_log_in_service")
    return provider


Provider = Annotated[OidcProvider, Depends(_provider)]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the browser brings back (RFC 6749, clauses 4.1.2 and 4.1.2.1; RFC 9207, clause 2)."""

    state: str = ""
    code: str = ""
    iss: str | None = None
    error: str = ""


def _address(request: Request, settings: PlatformSettings, path: str) -> str:
    """Return the outside address of one of our pages."""
    return (settings.url or str(request.base_url).rstrip("/")) + path


def _return_address(request: Request, settings: PlatformSettings) -> str:
    return _address(request, settings, "/login/oidc/callback")


@router.get("")
async def go(
    request: Request,
    database: Database,
    provider: Provider,
    settings: CurrentSettings,
    next: str = HOME,  # noqa: A002
) -> Response:
    """Send the browser to the service."""
    csrf_token(request)  # a new browser gets its token, by which it is known when it comes back
    kept = await oidc.begin(database, browser_token(request), following(next))
    address = await provider.address(kept, _return_address(request, settings))
    return RedirectResponse(address, status_code=303)


@router.get("/callback")
async def come_back(
    page: CurrentPage,
    database: Database,
    provider: Provider,
    settings: CurrentSettings,
    answer: Annotated[_Answer, Depends()],
) -> Response:
    """Log in whoever comes back from the service, or ask for the password of the account first."""
    browser = browser_token(page.request)
    kept, target = await oidc.take_attempt(database, browser, answer.state)
    if answer.error or not answer.code:
        raise LogInRefusedError("The service did not log you in.", hint="Try again, or ask who runs it.")
    address = _return_address(page.request, settings)
    claims = await provider.claims(kept, address, answer.code, answer.iss)
    user = await oidc.account_of(database, provider, claims, browser, target)
    if user is None:
        return page.redirect("/login/oidc/link")
    return await log_in_with(page, database, user, target)


@router.get("/link")
async def show_link(page: CurrentPage, database: Database, provider: Provider) -> Response:
    """Ask for the password of the account that has the same address."""
    offer = await oidc.offered(database, browser_token(page.request))
    return page.render(
        "accounts/oidc_link.html", email=offer.email, service=provider.settings.name, values={}, errors={}
    )


@router.post("/link")
async def link(page: CurrentPage, database: Database, provider: Provider) -> Response:
    """Link the identity with the account and log in."""
    browser = browser_token(page.request)
    email = (await oidc.offered(database, browser)).email
    password = (await page.form()).get("password", "")
    try:
        user, target = await oidc.accept(database, browser, password, origin_of(page.request))
    except (FormError, TooManyAttemptsError) as error:
        return page.render(
            "accounts/oidc_link.html",
            status=status_of(error),
            email=email,
            service=provider.settings.name,
            values={},
            errors={"password": next(iter(error.fields.values()), error.detail)},
        )
    return await log_in_with(page, database, user, target)


@router.get("/leave")
async def leave(
    page: CurrentPage, provider: Provider, settings: CurrentSettings, visitor: Visitor
) -> Response:
    """Send a browser that is logged out here to log out of the service too."""
    if visitor is not None:
        return page.redirect(HOME)
    address = await provider.leaving_address(_address(page.request, settings, "/login"))
    if address is None:
        return page.redirect("/login", "The service offers no way to log out: do it on its own pages.")
    return RedirectResponse(address, status_code=303)
