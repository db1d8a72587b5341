"""What handlers of systems need: the broker's topics, the tail of the running process, who may still look."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.accounts import sessions as accounts
from platform_ui.broker import TopicAdministrator
from platform_ui.browser import browser_token
from platform_ui.db import Sessions
from platform_ui.errors import NotFoundError
from platform_ui.systems import service
from platform_ui.systems.tail import TailHub


def _topics(request: Request) -> TopicAdministrator:
    return cast(TopicAdministrator, request.app.state.topics)


def _tails(request: Request) -> TailHub:
    return cast(TailHub, request.app.state.tails)


Topics = Annotated[TopicAdministrator, Depends(_topics)]
Tails = Annotated[TailHub, Depends(_tails)]


async def still_sees(request: Request, system: str) -> bool:
    """Return whether a browser is still logged in as somebody with a part in a system.

    For answers that last: they ask again every two seconds.
    """
    sessions: Sessions = request.app.state.sessions
    async with sessions() as session:
        user = await accounts.user_of(session, browser_token(request), touch=False)
        if user is None:
            return False
        try:
            await service.see_system(session, user, system)
        except NotFoundError:
            return False
        return True
