"""Who is behind a request: dependencies for the handlers of all domains."""

from typing import Annotated

from fastapi import Depends, Request

from platform_ui.accounts import service
from platform_ui.accounts.models import User
from platform_ui.browser import COOKIE, browser_token
from platform_ui.db import Database
from platform_ui.errors import NotLoggedInError


async def _visitor(request: Request, database: Database) -> User | None:
    user = await service.user_of(database, browser_token(request)) if COOKIE in request.cookies else None
    request.state.user = user
    return user


async def _logged_in(visitor: Annotated[User | None, Depends(_visitor)]) -> User:
    if visitor is None:
        raise NotLoggedInError
    return visitor


Visitor = Annotated[User | None, Depends(_visitor)]
LoggedIn = Annotated[User, Depends(_logged_in)]
