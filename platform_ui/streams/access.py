"""The dependencies of the handlers of stream apps: the runner, and all outside parts together."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.streams.ports import StreamPorts
from platform_ui.streams.runner_port import StreamRunner


def _runner(request: Request) -> StreamRunner:
    return cast(StreamRunner, request.app.state.runner)


def _ports(request: Request) -> StreamPorts:
    return cast(StreamPorts, request.app.state.stream_ports)


Runner = Annotated[StreamRunner, Depends(_runner)]
Ports = Annotated[StreamPorts, Depends(_ports)]
