"""The lines of lineage between Datastreams: which attribute of which one feeds or decides which output.

What lives here: the statements' own lines, as far as the person may know of them, with what is permitted and
observed of each. What does not: reading statements (``columns``), lines between systems (``truths``). Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from platform_ui.lineage.world.columns import ANY_DATASTREAM, DECIDES, FEEDS, WHOLE, Feed, Reading
from platform_ui.lineage.world.facts import AppFact
from platform_ui.lineage.world.graph import Evidence, Kind, Line, Truth, kind_of, system_of
from platform_ui.lineage.world.truths import World, rules_of

BOTH_WAYS: Final = "feeds and decides"
_OPEN: Final = frozenset({WHOLE, "result", "name", "thing", "system", "unit", "phenomenonTime", "resultTime"})
"""Attributes that leave with every record."""


def feeds_of(world: World, app: AppFact, known: Mapping[str, Iterable[str]]) -> list[Feed]:
    """Return what goes into each output of an app, without what the person may not know.

    Args:
        world: The three truths.
        app: The app.
        known: Datastreams that are known, by system; the person may see all of them.
    """
    reading = Reading.of(app.statement, app.sources[0])
    if reading is None:
        return []
    shared = [name for one in world.facts.contracts if one.is_in_force for name in one.datastreams]
    names = dict.fromkeys([name for system in app.sources for name in known.get(system, ())] + shared)
    found = reading.feeds(app.target, app.name, names)
    return list(dict.fromkeys(_shown(world, app, feed) for feed in found if _may_look(world, app, feed)))


def _may_look(world: World, app: AppFact, feed: Feed) -> bool:
    """Return whether the person may know which attribute is looked at, on the far side of a contract."""
    if app.is_inside or system_of(feed.source) in world.facts.seen() or feed.attribute in _OPEN:
        return True
    shared = (one for one in world.facts.contracts if one.is_in_force and one.shares(feed.source))
    return any(feed.attribute in one.fields or not one.fields for one in shared)


def _shown(world: World, app: AppFact, feed: Feed) -> Feed:
    """Return a feed, its source without a name where the person may not know it."""
    if app.is_inside or world.facts.may_name(feed.source):
        return feed
    source = f"{system_of(feed.source)}.{ANY_DATASTREAM}.{ANY_DATASTREAM}"
    output = feed.output.replace(f"{feed.source}@", f"{source}@")
    return Feed(source, feed.attribute, output, feed.how, feed.expression)


def with_received(known: Mapping[str, Sequence[str]], world: World) -> dict[str, list[str]]:
    """Return the Datastreams that are known, with those of which records were found, by system."""
    found = {system: list(names) for system, names in known.items()}
    for seen in world.observation.received.values():
        for _, name in seen.by_datastream:
            if kind_of(name) is Kind.DATASTREAM and name not in found.setdefault(system_of(name), []):
                found[system_of(name)].append(name)
    return found


def datastream_lines(world: World, known: Mapping[str, Iterable[str]]) -> list[Line]:
    """Return the lines between Datastreams of all apps.

    Args:
        world: The three truths.
        known: Datastreams that are known, by system; the person may see all of them.
    """
    return [line for app in world.facts.apps for line in _of_app(world, app, known)]


def _of_app(world: World, app: AppFact, known: Mapping[str, Iterable[str]]) -> list[Line]:
    between: dict[tuple[str, str], list[Feed]] = defaultdict(list)
    for feed in feeds_of(world, app, known):
        between[feed.source, feed.output].append(feed)
    return [_line(world, app, ends, feeds) for ends, feeds in between.items()]


def _line(world: World, app: AppFact, ends: tuple[str, str], feeds: list[Feed]) -> Line:
    ways = {feed.how for feed in feeds}
    how = BOTH_WAYS if len(ways) > 1 else next(iter(ways))
    expression = next((feed.expression for feed in feeds if feed.expression), "")
    evidence = [Evidence(Truth.DECLARED, _declared(app, feeds), app.url)]
    if rules_of(app) and _is_shared(world, app, ends[0]):
        use = app.uses.get(system_of(ends[0]))
        by = f"Contract {use.contract} shares it" if use else "Both systems are of one company"
        evidence.append(
            Evidence(Truth.PERMITTED, f"{by}, and access rules of Kafka let {app.name} carry it.")
        )
    evidence += _observed(world, app, ends)
    attributes = tuple(dict.fromkeys(feed.attribute for feed in feeds))
    return Line(*ends, how, tuple(evidence), (app.app_id,), attributes, expression)


def _declared(app: AppFact, feeds: list[Feed]) -> str:
    said = []
    for how, word in ((FEEDS, "computes with"), (DECIDES, "decides by")):
        used = ", ".join(dict.fromkeys(feed.attribute for feed in feeds if feed.how == how))
        if used == WHOLE:
            said.append("passes its records on")
        elif used:
            said.append(f"{word} its {used}")
    return f"{app.name} {' and '.join(said)}."


def _is_shared(world: World, app: AppFact, source: str) -> bool:
    """Return whether what permits the app covers this Datastream."""
    use = app.uses.get(system_of(source))
    if use is None:
        return True
    contract = next((one for one in world.facts.contracts if one.id == use.contract), None)
    if contract is None or source.endswith(f".{ANY_DATASTREAM}"):
        return use.is_in_force
    return use.is_in_force and contract.shares(source)


def _observed(world: World, app: AppFact, ends: tuple[str, str]) -> list[Evidence]:
    found = []
    output = ends[1].rpartition("@")[0] or ends[1]
    seen = world.observation.received.get(app.target)
    tally = seen.by_datastream.get((app.app_id, output)) if seen else None
    if seen is not None and output.endswith(f".{ANY_DATASTREAM}"):
        tally = seen.by_app.get(app.app_id)
    if seen is not None and tally is not None:
        text = f"{tally.records:,} of the last {seen.looked_at:,} records of {app.target}.ext are of it."
        found.append(Evidence(Truth.OBSERVED, text))
    elif seen is None and (rate := world.rate(app.app_id)) is not None and rate.forwarded:
        text = (
            f"{app.name} has written {rate.forwarded:,} records in all; look into the records to see which."
        )
        found.append(Evidence(Truth.OBSERVED, text, app.url))
    return found
