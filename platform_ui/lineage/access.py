"""Dependencies of the handlers of lineage: what was asked, and where answers come from."""

from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Depends, Query, Request

from platform_ui.client_logs.reading import RememberingReader
from platform_ui.flows.access import CurrentSnapshot
from platform_ui.lineage.asking import MAX_DEPTH, MAX_FOCUS, Question, Sources
from platform_ui.lineage.world.graph import Direction, Level, Truth
from platform_ui.metadata.pages import CurrentGateway


def _sources(request: Request, snapshot: CurrentSnapshot, gateway: CurrentGateway) -> Sources:
    reader = cast("RememberingReader | None", request.app.state.client_topics)
    return Sources(snapshot, reader, gateway)


def question_of(request: Request) -> Question:
    """Return what the address of a page asks; what it says wrong counts as not said."""
    said = request.query_params
    named = {word for text in said.getlist("show") for word in text.split(",")}
    truths = tuple(truth for truth in Truth if truth.value in named)
    depth = said.get("depth", "")
    level, direction = said.get("level", ""), said.get("direction", "")
    return Question(
        said.get("focus", "").strip()[:MAX_FOCUS],
        truths or tuple(Truth),
        min(MAX_DEPTH, max(1, int(depth))) if depth.isascii() and depth.isdecimal() else Question().depth,
        Direction(direction) if direction in set(Direction) else Direction.BOTH,
        Level(level) if level in set(Level) else None,
        _time(said.get("at", "")),
        said.get("records", "") == "yes",
    )


def _time(text: str) -> datetime | None:
    try:
        return _in_utc(datetime.fromisoformat(text))
    except ValueError:
        return None


def _in_utc(time: datetime) -> datetime | None:
    """Return a time in UTC; nothing when that is before or after all that can be written."""
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        return None


def _asked(
    *,
    focus: Annotated[
        str,
        Query(max_length=MAX_FOCUS, description="Full name of a company, system, stream app or Datastream."),
    ] = "",
    show: Annotated[
        list[Truth] | None, Query(description="In which senses; all three when left out.")
    ] = None,
    depth: Annotated[int, Query(ge=1, le=MAX_DEPTH, description="How many systems away from the focus.")] = 2,
    direction: Annotated[Direction, Query(description="Which way from the focus.")] = Direction.BOTH,
    level: Annotated[
        Level | None, Query(description="What a node stands for; what suits the focus when left out.")
    ] = None,
    at: Annotated[
        datetime | None,
        Query(description="As of when, for what is declared and permitted; now when left out."),
    ] = None,
    records: Annotated[bool, Query(description="Look into the last records that systems received.")] = False,
) -> Question:
    truths = tuple(truth for truth in Truth if truth in (show or tuple(Truth)))
    time = None if at is None else _in_utc(at)
    return Question(focus.strip(), truths, depth, direction, level, time, records)


CurrentSources = Annotated[Sources, Depends(_sources)]
PageQuestion = Annotated[Question, Depends(question_of)]
ApiQuestion = Annotated[Question, Depends(_asked)]
