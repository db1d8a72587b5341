"""Dependencies of the handlers of flows: what was last measured, and the part that is looked at."""

from typing import Annotated

from fastapi import Depends, Query

from platform_ui.flows.figures import FlowSnapshot
from platform_ui.flows.graph import Scope
from platform_ui.flows.reading import measured
from platform_ui.flows.sampler import CurrentFlows
from platform_ui.streams.access import Runner
from platform_ui.systems.models import MAX_SYSTEM_NAME

_Part = Annotated[str, Query(max_length=MAX_SYSTEM_NAME)]


async def _snapshot(flows: CurrentFlows, runner: Runner) -> FlowSnapshot:
    return await measured(flows, runner)


def _scope(company: _Part = "", workcenter: _Part = "") -> Scope:
    return Scope(company, workcenter if company else "")


CurrentSnapshot = Annotated[FlowSnapshot, Depends(_snapshot)]
CurrentScope = Annotated[Scope, Depends(_scope)]
