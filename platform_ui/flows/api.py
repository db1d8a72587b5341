"""What flows, as a JSON resource: the map with its figures, and what needs somebody."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database, now
from platform_ui.flows.access import CurrentScope, CurrentSnapshot
from platform_ui.flows.figures import FlowSnapshot
from platform_ui.flows.graph import FlowGraph, draw
from platform_ui.flows.reading import read_world
from platform_ui.flows.troubles import Trouble, find_troubles

router = APIRouter(tags=["flows"])


class NodeAnswer(BaseModel):
    """A box of the map: a system, several of them, or a stream app; rates in records per second."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    lane: str
    label: str
    detail: str
    state: str
    own_per_s: float | None
    received_per_s: float | None
    is_foreign: bool


class EdgeAnswer(BaseModel):
    """A line of the map; `apps` counts the stream apps that it stands for, where they are no nodes."""

    model_config = ConfigDict(from_attributes=True)

    start: str
    end: str
    kind: str
    rate_per_s: float | None
    apps: int
    state: str


class TroubleAnswer(BaseModel):
    """Something that needs somebody: `weight` 1 is broken, 2 at risk, 3 to do; `url` leads to a page."""

    model_config = ConfigDict(from_attributes=True)

    weight: int
    kind: str
    object_name: str
    text: str
    detail: str
    url: str
    at: datetime | None


class FlowsAnswer(BaseModel):
    """The map of flows.

    `measured_at` is null when nothing has been measured; then rates are null as well. `grain` tells what a
    box stands for (`system`, `workcenter` or `company`), `hidden` how many boxes were left out.
    """

    measured_at: datetime | None
    is_stale: bool
    grain: str
    lanes: list[str]
    nodes: list[NodeAnswer]
    edges: list[EdgeAnswer]
    hidden: int
    troubles: list[TroubleAnswer]

    @classmethod
    def of(cls, graph: FlowGraph, troubles: Sequence[Trouble], snapshot: FlowSnapshot) -> "FlowsAnswer":
        """Return the public form of the map."""
        return cls(
            measured_at=snapshot.at,
            is_stale=snapshot.is_stale,
            grain=graph.grain,
            lanes=list(graph.lanes),
            nodes=[NodeAnswer.model_validate(node) for node in graph.nodes],
            edges=[EdgeAnswer.model_validate(edge) for edge in graph.edges],
            hidden=graph.hidden,
            troubles=[TroubleAnswer.model_validate(trouble) for trouble in troubles],
        )


@router.get("/flows")
async def show_flows(
    database: Database, user: LoggedIn, snapshot: CurrentSnapshot, scope: CurrentScope
) -> FlowsAnswer:
    """Show what flows between the systems that you see, and what needs you.

    With many systems a box stands for a workcenter or a company; name it to look into it.
    """
    present = now()
    world = await read_world(database, user, present)
    return FlowsAnswer.of(
        draw(world.facts, snapshot, scope),
        find_troubles(world.facts, world.worries, snapshot, scope, present),
        snapshot,
    )
