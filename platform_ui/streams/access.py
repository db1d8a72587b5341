"""The dependencies of the handlers of stream apps: the runner, all outside parts together, their figures."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.streams.figures import FigureHistory
from platform_ui.streams.ports import StreamPorts
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.web import Page


def _runner(request: Request) -> StreamRunner:
    return cast(StreamRunner, request.app.state.runner)


def _ports(request: Request) -> StreamPorts:
    return cast(StreamPorts, request.app.state.stream_ports)


def _figures(request: Request) -> FigureHistory:
    return cast(FigureHistory, request.app.state.figures)


Runner = Annotated[StreamRunner, Depends(_runner)]
Ports = Annotated[StreamPorts, Depends(_ports)]
Figures = Annotated[FigureHistory, Depends(_figures)]


async def form_of(page: Page) -> dict[str, str]:
    """Return the fields that were sent; contracts may be chosen for several sources, by one select each."""
    chosen = (await page.request.form()).getlist("contracts")
    return await page.form() | {
        "contracts": " ".join(one for one in chosen if isinstance(one, str)).replace("\x00", "")
    }
