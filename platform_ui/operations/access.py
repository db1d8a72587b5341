"""Dependencies of the handlers of operations: who runs the platform, and who looks at it for them."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.accounts.service import require_operator
from platform_ui.operations.first_run import FirstRun
from platform_ui.operations.watch import Watch


async def _operator(user: LoggedIn) -> User:
    require_operator(user)
    return user


def _watch(request: Request) -> Watch:
    return cast(Watch, request.app.state.watch)


def _first_run(request: Request) -> FirstRun:
    return cast(FirstRun, request.app.state.first_run)


Operator = Annotated[User, Depends(_operator)]
CurrentWatch = Annotated[Watch, Depends(_watch)]
CurrentFirstRun = Annotated[FirstRun, Depends(_first_run)]
