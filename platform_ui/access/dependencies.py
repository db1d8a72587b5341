"""The dependency of the handlers of tokens: the administration of SensorThings, if there is one."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.access.port import AccessPort


def _port(request: Request) -> AccessPort | None:
    return cast("AccessPort | None", request.app.state.access)


Access = Annotated[AccessPort | None, Depends(_port)]
