"""The dependency of the handlers of stream apps: the runner."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.streams.runner_port import StreamRunner


def _runner(request: Request) -> StreamRunner:
    return cast(StreamRunner, request.app.state.runner)


Runner = Annotated[StreamRunner, Depends(_runner)]
