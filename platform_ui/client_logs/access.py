"""Dependencies of the handlers of reports: what reads topics, follows them, and knows the rules of others."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.access.port import AccessPort
from platform_ui.acls.kafka_port import AclPort
from platform_ui.client_logs.live import ReportHub
from platform_ui.client_logs.reading import RememberingReader
from platform_ui.systems.units import UnitDirectory


@dataclass(frozen=True, slots=True)
class Ports:
    """What the rules of this domain ask, each None where the platform runs without it.

    Attributes:
        topics: Reads the ends of topics.
        acls: The access rules of the broker.
        access: The administration of SensorThings.
        units: The units of Datastreams.
    """

    topics: RememberingReader | None
    acls: AclPort | None
    access: AccessPort | None
    units: UnitDirectory


def _ports(request: Request) -> Ports:
    state = request.app.state
    return Ports(state.client_topics, state.acl_port, state.access, state.units)


def _hub(request: Request) -> ReportHub | None:
    return cast("ReportHub | None", request.app.state.client_reports)


CurrentPorts = Annotated[Ports, Depends(_ports)]
Hub = Annotated[ReportHub | None, Depends(_hub)]
