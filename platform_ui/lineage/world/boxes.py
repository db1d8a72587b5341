"""The boxes of lineage: what a name stands for, and what the person may know of it. Pure."""

from collections.abc import Iterable

from platform_ui.flows.graph import NOT_DEPLOYED, company_of
from platform_ui.lineage.world.columns import ANY_DATASTREAM
from platform_ui.lineage.world.graph import Box, Kind, kind_of, system_of
from platform_ui.lineage.world.truths import World

_THING = 4


def boxes_of(world: World, names: Iterable[str], focus: frozenset[str]) -> list[Box]:
    """Return the boxes of names, by lane and label.

    Args:
        world: The three truths.
        names: Companies, systems, apps or Datastreams by their full names.
        focus: Those that somebody looks at.
    """
    seen = world.facts.seen()
    apps = {app.app_id: app.url for app in world.facts.apps}
    found = [_box(world, name, seen, apps, is_focus=name in focus) for name in names]
    return sorted(found, key=lambda box: (box.lane, box.label, box.id))


def _box(world: World, name: str, seen: frozenset[str], apps: dict[str, str], *, is_focus: bool) -> Box:
    kind = kind_of(name)
    if kind is Kind.COMPANY:
        own = [system for system in seen if company_of(system) == name]
        detail = (
            f"{len(own)} {'system' if len(own) == 1 else 'systems'} of yours" if own else "another company"
        )
        url = f"/systems?under={name}" if own else ""
        return Box(name, kind.value, name, name, detail, url, "", not own, is_focus)
    if kind is Kind.APP:
        rate = world.rate(name)
        state = "" if world.is_past else rate.state if rate else NOT_DEPLOYED
        label = name.rpartition(".")[2]
        return Box(
            name,
            kind.value,
            company_of(name),
            label,
            "stream app",
            apps.get(name, ""),
            state,
            False,
            is_focus,
        )
    system = system_of(name)
    is_foreign = system not in seen
    if kind is Kind.SYSTEM:
        levels = name.split(".")
        url = "" if is_foreign else f"/systems/{name}"
        return Box(name, kind.value, company_of(name), levels[3], levels[2], url, "", is_foreign, is_focus)
    return _datastream(name, system, is_foreign=is_foreign, is_focus=is_focus)


def _datastream(name: str, system: str, *, is_foreign: bool, is_focus: bool) -> Box:
    own, is_received = name.rpartition("@")[0] or name, "@" in name
    levels = own.split(".", _THING + 1)
    thing, label = levels[_THING], levels[_THING + 1]
    if label == ANY_DATASTREAM:
        label, detail = "any Datastream", "the statement names none"
    else:
        detail = f"{thing}, as received" if is_received else thing
    url = (
        ""
        if is_foreign or is_received or "<" in own or "*" in own
        else f"/systems/{system}/datastreams/{own}"
    )
    return Box(name, Kind.DATASTREAM.value, system, label, detail, url, "", is_foreign, is_focus)
