"""Lineage as JSON resources: the graph of three truths, and OpenLineage documents."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.pages import site_url
from platform_ui.db import Database, now
from platform_ui.lineage.access import ApiQuestion, CurrentSources
from platform_ui.lineage.asking import Lineage, apps_around, ask
from platform_ui.lineage.openlineage import Teller, events_of
from platform_ui.lineage.world.graph import Level, Truth
from platform_ui.settings import CurrentSettings

router = APIRouter(prefix="/lineage", tags=["lineage"])


class LineageNode(BaseModel):
    """A company, system, stream app or Datastream; `lane` is the company or system that it belongs to.

    What a system has received of a Datastream of another one is named `<Datastream>@<system>`.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    lane: str
    label: str
    detail: str
    state: str
    is_foreign: bool
    is_focus: bool


class LineageEvidence(BaseModel):
    """Why a truth holds; `url` is the page where to see it."""

    model_config = ConfigDict(from_attributes=True)

    truth: Truth
    text: str
    url: str


class LineageEdge(BaseModel):
    """A way that data goes, in the senses of `truths`.

    `how` is `moves` or `may be shared` between systems, `feeds`, `decides` or `feeds and decides` between
    Datastreams; there, `attributes` are looked at and `expression` is computed. `via` names stream apps that
    are no nodes. The rate is in records per second.
    """

    model_config = ConfigDict(from_attributes=True)

    start: str
    end: str
    how: str
    truths: list[Truth]
    evidence: list[LineageEvidence]
    via: list[str]
    attributes: list[str]
    expression: str
    rate_per_s: float | None


class LineageDifference(BaseModel):
    """Something on which the truths do not agree: `weight` 1 is broken, 2 at risk, 3 to do."""

    model_config = ConfigDict(from_attributes=True)

    weight: int
    kind: str
    object_name: str
    text: str
    url: str


class LineageAnswer(BaseModel):
    """The lineage around a focus.

    `at` is null for the present. `hidden` counts nodes that were left out. `trouble` says what could not be
    found out.
    """

    focus: str
    level: Level
    at: datetime | None
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    differences: list[LineageDifference]
    hidden: int
    trouble: str

    @classmethod
    def of(cls, lineage: Lineage) -> "LineageAnswer":
        """Return the public form of an answer."""
        return cls(
            focus=lineage.question.focus,
            level=lineage.level,
            at=lineage.question.at,
            nodes=[LineageNode.model_validate(box) for box in lineage.graph.boxes],
            edges=[LineageEdge.model_validate(line) for line in lineage.graph.lines],
            differences=[LineageDifference.model_validate(one) for one in lineage.differences],
            hidden=lineage.graph.hidden,
            trouble=lineage.trouble,
        )


@router.get("")
async def show_lineage_graph(
    database: Database, user: LoggedIn, asked: ApiQuestion, sources: CurrentSources
) -> LineageAnswer:
    """Show where data comes from and goes: what is declared, permitted and observed, and where these differ.

    Of systems of others you see the names, and the Datastreams that contracts share with yours.
    """
    return LineageAnswer.of(await ask(database, user, asked, sources, now()))


@router.get("/openlineage")
async def show_openlineage(  # noqa: PLR0917 - each is injected
    request: Request,
    database: Database,
    user: LoggedIn,
    asked: ApiQuestion,
    sources: CurrentSources,
    settings: CurrentSettings,
) -> list[dict[str, Any]]:
    """Show the declared lineage as OpenLineage 2-0-2 events: one for each stream app, one for each topic.

    Outputs carry the facet `columnLineage`; its fields are Datastreams.
    """
    present = now()
    lineage = await ask(database, user, replace(asked, level=Level.DATASTREAM), sources, present)
    broker = settings.kafka_bootstrap_servers.split(",")[0]
    teller = Teller(site_url(request), broker, lineage.question.at or present)
    return events_of(lineage.world, apps_around(lineage), lineage.known, teller)
