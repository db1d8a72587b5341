"""A question about lineage and its answer: from an address to the graph around a focus.

What lives here: what can be asked, who may see the focus, and putting the truths together. What does not:
drawing (``drawing``), HTTP (``pages``, ``api``), the truths themselves (``world``).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from client.metadata.wire import DATASTREAMS
from platform_ui.accounts.models import User
from platform_ui.assets.reading import AssetReader
from platform_ui.client_logs.reading import RememberingReader
from platform_ui.errors import MetadataError, NotFoundError
from platform_ui.flows.figures import FlowSnapshot
from platform_ui.flows.graph import company_of
from platform_ui.lineage.observed import MAX_TOPICS, observe
from platform_ui.lineage.reading import read_facts
from platform_ui.lineage.world.boxes import boxes_of
from platform_ui.lineage.world.datastreams import datastream_lines, with_received
from platform_ui.lineage.world.differences import Difference, differences_of
from platform_ui.lineage.world.facts import AppFact, Facts
from platform_ui.lineage.world.graph import (
    MAX_BOXES,
    Direction,
    Graph,
    Kind,
    Level,
    Line,
    Truth,
    around,
    by_company,
    chosen,
    kind_of,
    system_of,
)
from platform_ui.lineage.world.truths import World, lines_of
from platform_ui.metadata.gateway import Gateway

MAX_DEPTH: Final = 5
MAX_FOCUS: Final = 400
MANY_SYSTEMS: Final = 40
"""From how many systems on everything is first shown by company."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to see.

    Attributes:
        focus: A company, system, stream app or Datastream by its full name; empty for everything.
        truths: In which senses.
        depth: How many steps from the focus.
        direction: Which way.
        level: What a box stands for; nothing for what suits the focus.
        at: As of when; nothing for now.
        with_records: Whether the last records are looked into.
    """

    focus: str = ""
    truths: tuple[Truth, ...] = tuple(Truth)
    depth: int = 2
    direction: Direction = Direction.BOTH
    level: Level | None = None
    at: datetime | None = None
    with_records: bool = False

    @property
    def kind(self) -> Kind:
        """What the focus is."""
        return kind_of(self.focus)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where an answer comes from, besides the database.

    Attributes:
        snapshot: What was last measured.
        reader: The broker, for looking into records; nothing where there is none.
        gateway: The SensorThings service.
    """

    snapshot: FlowSnapshot
    reader: RememberingReader | None
    gateway: Gateway


@dataclass(frozen=True, slots=True)
class Lineage:
    """The answer.

    Attributes:
        question: What was asked, with the level that was chosen.
        graph: The part around the focus.
        differences: Where the truths differ in that part, the worst first.
        world: The three truths.
        known: Datastreams that are known from SensorThings, by system.
        trouble: What could not be found out; empty when all could.
    """

    question: Question
    graph: Graph
    differences: Sequence[Difference]
    world: World
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    trouble: str = ""

    @property
    def level(self) -> Level:
        """What a box stands for."""
        return self.question.level or Level.SYSTEM


async def ask(
    session: AsyncSession, user: User, question: Question, sources: Sources, present: datetime
) -> Lineage:
    """Return the lineage that a person asks for, as far as they may see it.

    Args:
        session: the database.
        user: who asks.
        question: what they want to see.
        sources: where the rest comes from.
        present: the present time.

    Raises:
        NotFoundError: there is nothing of that name that they may know of.
    """
    at = question.at if question.at and question.at < present else None
    facts = await read_facts(session, user, present, at)
    await session.commit()  # others may take long to answer; the connection goes back to the pool
    check_focus(facts, question)
    level = question.level or _level_for(question, facts)
    asked = replace(question, level=level, at=at)
    world = World(facts, sources.snapshot, is_past=at is not None)
    lines = lines_of(world)
    near = _near(asked, lines)
    troubles = []
    if question.with_records and at is None:
        world = replace(world, observation=await observe(sources.reader, _received(facts, near)))
        lines = lines_of(world)
        troubles.append(world.observation.trouble)
    known: Mapping[str, Sequence[str]] = {}
    if level is Level.DATASTREAM:
        known, trouble = await read_datastreams(sources.gateway, user, _read_by(facts, near))
        troubles.append(trouble)
        known = with_received(known, world)
        lines = datastream_lines(world, known)
    elif level is Level.COMPANY:
        lines = by_company(lines)
    graph = _graph(asked, world, chosen(lines, question.truths))
    told = _around(differences_of(world, present), asked, facts, near)
    return Lineage(asked, graph, told, world, known, " ".join(filter(None, troubles)))


def check_focus(facts: Facts, question: Question) -> None:
    """Make sure that a person may know of what they want to look at.

    Raises:
        NotFoundError: it is not there, or they may not.
    """
    focus, kind = question.focus, question.kind
    known = {
        Kind.EVERYTHING: not focus,
        Kind.COMPANY: focus in {company_of(name) for name in facts.named()},
        Kind.SYSTEM: focus in facts.named(),
        Kind.APP: focus in {app.app_id for app in facts.apps},
        Kind.DATASTREAM: facts.may_name(focus.rpartition("@")[0] or focus),
    }
    if not known[kind]:
        raise NotFoundError(
            f"There is no lineage of {focus[:MAX_FOCUS]!r} that you may see.",
            code="lineage.not_found",
            hint="Name a system, a stream app or a Datastream by its full name.",
        )


async def read_datastreams(
    gateway: Gateway, user: User, systems: Sequence[str]
) -> tuple[dict[str, list[str]], str]:
    """Return the Datastreams of systems as SensorThings knows them, and why some are missing.

    Args:
        gateway: the service.
        user: who asks; they see these systems.
        systems: full names; the first few are asked for.
    """
    wanted = systems[:MAX_TOPICS]
    readers = [AssetReader(gateway, user.email, system) for system in wanted]
    found = await asyncio.gather(*(_names(reader) for reader in readers))
    known = {system: names for system, (names, _) in zip(wanted, found, strict=True)}
    return known, " ".join(dict.fromkeys(trouble for _, trouble in found if trouble))


async def _names(reader: AssetReader) -> tuple[list[str], str]:
    try:
        found = await reader.everything(DATASTREAMS)
    except MetadataError as error:
        return [], f"{error.detail} Only Datastreams that statements and contracts name are shown."
    return sorted(str(one.get("name", "")) for one in found), ""


def _around(
    differences: Sequence[Difference], question: Question, facts: Facts, near: frozenset[str]
) -> list[Difference]:
    """Return the differences of apps that are around the focus, and between systems of which one is."""
    apps = {app.app_id for app in facts.apps}
    return [
        one
        for one in differences
        if question.kind is Kind.EVERYTHING
        or (one.object_name in near if one.object_name in apps else near.intersection(one.ends))
    ]


def _level_for(question: Question, facts: Facts) -> Level:
    if question.kind is Kind.DATASTREAM:
        return Level.DATASTREAM
    is_large = question.kind is Kind.EVERYTHING and len(facts.named()) > MANY_SYSTEMS
    return Level.COMPANY if is_large else Level.SYSTEM


def _near(question: Question, lines: Sequence[Line]) -> frozenset[str]:
    """Return the systems and apps around the focus."""
    return frozenset(_found(replace(question, level=Level.SYSTEM), lines))


def _found(question: Question, lines: Sequence[Line]) -> dict[str, int]:
    ends = {end for line in lines for end in (line.start, line.end)}
    return around(lines, _begin(question, ends), question.depth, question.direction)


def _begin(question: Question, ends: Iterable[str]) -> list[str]:
    """Return the boxes that the focus stands for at a level."""
    focus, kind = question.focus, question.kind
    if kind is Kind.EVERYTHING:
        return sorted(ends)
    if question.level is Level.COMPANY:
        return [company_of(focus)]
    if question.level is Level.SYSTEM:
        if kind is Kind.COMPANY:
            return sorted(end for end in ends if kind_of(end) is Kind.SYSTEM and company_of(end) == focus)
        return [focus if kind is Kind.APP else system_of(focus)]
    if kind is Kind.DATASTREAM:
        return sorted({end for end in ends if end.rpartition("@")[0] == focus} | {focus})
    inside = (end for end in ends if f"{system_of(end)}.".startswith(f"{focus}."))
    return sorted(inside)


def _graph(question: Question, world: World, lines: list[Line]) -> Graph:
    begin: frozenset[str] = frozenset()
    if question.kind is Kind.APP and question.level is Level.DATASTREAM:
        lines = [line for line in lines if question.focus in line.via]
        away = dict.fromkeys(sorted({end for line in lines for end in (line.start, line.end)}), 0)
    else:
        ends = {end for line in lines for end in (line.start, line.end)}
        began = _begin(question, ends)
        begin = frozenset(began) if question.kind is not Kind.EVERYTHING else begin
        away = around(lines, began, question.depth, question.direction)
    shown = sorted(away, key=lambda name: (away[name], name))[:MAX_BOXES]
    kept = frozenset(shown)
    return Graph(
        boxes_of(world, shown, begin),
        [line for line in lines if line.start in kept and line.end in kept],
        len(away) - len(shown),
    )


def _received(facts: Facts, near: frozenset[str]) -> list[str]:
    """Return the systems whose received records are looked into: those around that the person sees."""
    targets = {app.target for app in facts.apps} | {one.consumer for one in facts.contracts}
    return sorted(targets & facts.seen() & near)


def _read_by(facts: Facts, near: frozenset[str]) -> list[str]:
    """Return the systems around that the person sees and from which apps read."""
    return sorted({source for app in facts.apps for source in app.sources if source in near} & facts.seen())


def apps_around(lineage: Lineage) -> list[AppFact]:
    """Return the stream apps around the focus of an answer."""
    near = _near(lineage.question, lines_of(lineage.world))
    return [app for app in lineage.world.facts.apps if app.app_id in near]
