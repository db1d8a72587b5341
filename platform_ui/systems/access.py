"""Dependencies of the handlers of systems: the broker's topics and the tail of the running process."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.broker import TopicAdministrator
from platform_ui.systems.tail import TailHub


def _topics(request: Request) -> TopicAdministrator:
    return cast(TopicAdministrator, request.app.state.topics)


def _tails(request: Request) -> TailHub:
    return cast(TailHub, request.app.state.tails)


Topics = Annotated[TopicAdministrator, Depends(_topics)]
Tails = Annotated[TailHub, Depends(_tails)]
