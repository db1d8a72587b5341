"""Entity sets of SensorThings and how they lead to each other, as far as topics need it; pure.

What lives here: two tables and reading a path by them. What does not: the entities (`client.metadata`), the
service's own description (`sensorthings.model.entities`; a test holds both equal), for which a site's
bridge has no database driver.

Source: OGC 18-088, clause 8.2, figure 2, and clause 11.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

OBSERVATIONS: Final = "Observations"
_THING: Final = {"Thing": "Things"}
_STREAM: Final = {**_THING, "Sensor": "Sensors"}
TO_ONE: Final[Mapping[str, Mapping[str, str]]] = {
    "Things": {},
    "Locations": {},
    "HistoricalLocations": _THING,
    "Datastreams": {**_STREAM, "ObservedProperty": "ObservedProperties"},
    "MultiDatastreams": _STREAM,
    "Sensors": {},
    "ObservedProperties": {},
    OBSERVATIONS: {
        "Datastream": "Datastreams",
        "MultiDatastream": "MultiDatastreams",
        "FeatureOfInterest": "FeaturesOfInterest",
    },
    "FeaturesOfInterest": {},
}
"""By set: relations that lead to one entity, with its set. From there they have the name of the set."""
_TO_MANY: Final[Mapping[str, frozenset[str]]] = {
    "Things": frozenset({"Locations"}),
    "Locations": frozenset({"Things", "HistoricalLocations"}),
    "HistoricalLocations": frozenset({"Locations"}),
    "MultiDatastreams": frozenset({"ObservedProperties"}),
    "ObservedProperties": frozenset({"MultiDatastreams"}),
}
"""By set: relations of which both ends lead to several entities."""
_STEP: Final = re.compile(r"(?P<name>[A-Za-z]+)(?:\((?P<id>[0-9]{1,19})\))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Path:
    """Where a path leads.

    Attributes:
        set_name: Set of what is at its end.
        parent: Set and id of the entity before the last step, where the path is `Set(id)/...` and no longer.
        identifier: Id at its end; None for a set, or where a relation leads to one entity.
        is_set: Whether a set is at its end.
        member: Property at its end; None for none.
        length: Number of steps, without the property.
    """

    set_name: str
    parent: tuple[str, int] | None
    identifier: int | None
    is_set: bool
    member: str | None
    length: int


def read_path(text: str) -> Path | None:
    """Read a path of entities, such as `Datastreams(1)/Observations`; None for what is none.

    Paths into the value of a property (`properties/a`) are none: their changes are not told apart.
    """
    first, *rest = text.split("/")
    start = _STEP.fullmatch(first)
    if start is None or start["name"] not in TO_ONE:
        return None
    path = Path(start["name"], None, _id(start), start["id"] is None, None, 1)
    for level in rest:
        step = _STEP.fullmatch(level)
        if step is None or path.is_set or path.member is not None:
            return None
        path = _next(path, step)
    return path


def _next(path: Path, step: re.Match[str]) -> Path:
    name, identifier = step["name"], _id(step)
    is_first = path.length == 1 and path.identifier is not None
    parent = (path.set_name, path.identifier or 0) if is_first else None
    target = TO_ONE[path.set_name].get(name)
    if target is not None and identifier is None:
        return Path(target, parent, None, is_set=False, member=None, length=path.length + 1)
    if leads_to(path.set_name, name):
        return Path(name, parent, identifier, identifier is None, None, path.length + 1)
    return replace(path, is_set=False, member=step[0])


def leads_to(set_name: str, relation: str) -> bool:
    """Tell whether an entity of a set has a relation of this name to several entities.

    >>> leads_to("Things", "Datastreams"), leads_to("Things", "Sensors")
    (True, False)
    """
    if relation in _TO_MANY.get(set_name, ()):
        return True
    return set_name in TO_ONE.get(relation, {}).values()


def _id(step: re.Match[str]) -> int | None:
    return None if step["id"] is None else int(step["id"])
