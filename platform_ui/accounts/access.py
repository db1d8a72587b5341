"""Who is behind a request: dependencies for the handlers of all domains.

What lives here: the session of a browser, or the token of a program, and what each of them allows. What does
not: what a person may do with an object (each domain's ``service``).

- `Visitor`: a person, or nobody.
- `LoggedIn`: a person who has the second factor that their companies ask for.
- `AccountHolder`: a person in a browser, second factor or not: for the pages of their own account.
- `ConfirmedHolder`: the same, who proved who they are a short time ago: for sensitive changes.

A request with an ``Authorization`` header is that of a program: its cookie, if any, never counts, and its
token counts on the API only. So a page elsewhere cannot mix the two.
"""

from collections.abc import Awaitable, Callable
from http import HTTPMethod
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts import second_factor, sessions, tokens
from platform_ui.accounts.models import ApiToken, Scope, User
from platform_ui.accounts.origin import origin_of
from platform_ui.accounts.sessions import LoggedInSession
from platform_ui.browser import COOKIE, browser_token, is_known_browser
from platform_ui.db import Database
from platform_ui.errors import (
    ConfirmationNeededError,
    ForbiddenError,
    NotLoggedInError,
    SecondFactorNeededError,
)

API_PREFIX = "/api/v1/"
READING = frozenset({HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS})
_NAMED_PARTS = 2  # "systems" and a name

SecondFactorRule = Callable[[AsyncSession, User], Awaitable[bool]]


async def _visitor(request: Request, database: Database) -> User | None:
    request.state.user = request.state.log_in = None
    if "authorization" in request.headers:
        request.state.user = await _by_token(request, database)
    elif is_known_browser(request):
        polls = "hx-request" in request.headers  # a page that refreshes by itself is no sign of its person
        found = await sessions.find_session(database, browser_token(request), touch=not polls)
        request.state.log_in = found
        request.state.user = found.user if found else None
    return cast(User | None, request.state.user)


async def _by_token(request: Request, database: AsyncSession) -> User | None:
    kind, _, token = request.headers["authorization"].partition(" ")
    if not request.url.path.startswith(API_PREFIX) or kind.lower() != "bearer":
        return None
    user, row = await tokens.holder_of(database, token.strip(), origin_of(request))
    _check_scope(request, row)
    return user


def _check_scope(request: Request, token: ApiToken) -> None:
    """Refuse what a token is not for.

    Raises:
        ForbiddenError: it only reads, or is for one company or system and this is outside of it.
    """
    if token.scope != Scope.WRITE and request.method not in READING:
        raise ForbiddenError(
            "This token only reads.",
            code="token.only_reads",
            hint="Make one with the scope write at /account/tokens.",
        )
    if not token.within:
        return
    parts = request.url.path.removeprefix(API_PREFIX).split("/")
    name = parts[1] if len(parts) >= _NAMED_PARTS and parts[0] in {"companies", "systems"} else ""
    if name != token.within and not name.startswith(f"{token.within}."):
        raise ForbiddenError(f"This token is for {token.within} only.", code="token.outside")


# For the description of the API only: who sends a request is found out by `_visitor`.
_TOKEN = HTTPBearer(
    scheme_name="token",
    bearerFormat="dtwin_pat_… or dtwin_at_…",
    description="A token of the page /account/tokens, or of POST /api/v1/tokens.",
    auto_error=False,
)
_SESSION = APIKeyCookie(
    name=COOKIE,
    scheme_name="session",
    description="The cookie of a browser that is logged in; a change also needs the header X-CSRF-Token. "
    "Over HTTPS its name begins with __Host-.",
    auto_error=False,
)


async def _logged_in(
    request: Request,
    database: Database,
    visitor: Annotated[User | None, Depends(_visitor)],
    _token: Annotated[object, Security(_TOKEN)],
    _session: Annotated[object, Security(_SESSION)],
) -> User:
    if visitor is None:
        raise NotLoggedInError
    rule = cast(SecondFactorRule, request.app.state.second_factor_rule)
    if await rule(database, visitor) and not await second_factor.is_on(database, visitor):
        raise SecondFactorNeededError
    return visitor


async def _account_holder(request: Request, visitor: Annotated[User | None, Depends(_visitor)]) -> User:
    if visitor is None or request.state.log_in is None:
        raise NotLoggedInError
    return visitor


async def _confirmed_holder(request: Request, holder: Annotated[User, Depends(_account_holder)]) -> User:
    if not cast(LoggedInSession, request.state.log_in).is_recent:
        raise ConfirmationNeededError
    return holder


find_visitor = _visitor
Visitor = Annotated[User | None, Depends(_visitor)]
LoggedIn = Annotated[User, Depends(_logged_in)]
AccountHolder = Annotated[User, Depends(_account_holder)]
ConfirmedHolder = Annotated[User, Depends(_confirmed_holder)]
