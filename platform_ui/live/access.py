"""Dependencies of the handlers: what looks back, what follows, and units."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from platform_ui.live.following import FollowHub
from platform_ui.live.reading import RecordLog
from platform_ui.systems.units import UnitDirectory


@dataclass(frozen=True, slots=True)
class LivePorts:
    """What the live browser asks.

    Attributes:
        log: Looks back; nothing where the platform runs without a broker.
        hub: Follows; nothing where the platform runs without a broker.
        units: The units of Datastreams.
    """

    log: RecordLog | None
    hub: FollowHub | None
    units: UnitDirectory


def _ports(request: Request) -> LivePorts:
    state = request.app.state
    return LivePorts(state.live_log, state.live_hub, state.units)


Ports = Annotated[LivePorts, Depends(_ports)]
