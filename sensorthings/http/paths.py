"""Addresses of the service: from the path of a URL to a `Resource`.

What lives here: the grammar of resource paths, checked against the entity description. What does not: whether
the entities are there, which the statement decides.

Source: OGC 18-088, clause 9.2 (requirements class "resource-path").
"""

import re
from dataclasses import dataclass, field

from sensorthings.errors import EntityMissingError
from sensorthings.model.entities import BY_SET_NAME, EntityType, Kind, target_of
from sensorthings.queries.resources import Resource, Shape, Step

MAX_STEPS = 32
"""Longest path [steps]; every step is a join."""
_SEGMENT = re.compile(r"(?P<name>[^/()']+)(?:\((?P<key>'(?:[^']|'')*'|[^'()]*)\))?(?:/|$)")
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_LARGEST_ID = 2**63 - 1
_NAMED_LINKS = ("id", "@iot.id", "selfLink", "@iot.selfLink")
_JSON_KINDS = (Kind.ANY, Kind.OBJECT, Kind.RESULT, Kind.UNIT, Kind.UNITS, Kind.TYPES)


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0
    steps: list[Step] = field(default_factory=list)

    def segment(self) -> tuple[str, str | None] | None:
        if self.at >= len(self.text):
            return None
        found = _SEGMENT.match(self.text, self.at)
        if found is None:
            raise EntityMissingError(f"The path /{self.text} cannot be read at character {self.at + 2}.")
        self.at = found.end()
        return found["name"], found["key"]


def parse_path(text: str) -> Resource:
    """Read a path below the version, such as `Things(1)/Datastreams`.

    Raises:
        EntityMissingError: The path names what is not there, or an id that no entity can have.
    """
    trimmed = text.strip("/")
    reader = _Reader(trimmed)
    first = reader.segment()
    entity = BY_SET_NAME.get(first[0]) if first else None
    if first is None or entity is None:
        sets = ", ".join(BY_SET_NAME)
        raise EntityMissingError(f"There is no entity set at /{trimmed}.", f"The sets are {sets}.")
    reader.steps.append(Step(entity, None, _identifier(first[1], first[0])))
    while (segment := reader.segment()) is not None:
        ending = _follow(reader, *segment)
        if ending is not None:
            shape, members = ending
            return Resource(tuple(reader.steps), shape, members, trimmed)
    shape = Shape.SET if reader.steps[-1].is_set else Shape.ENTITY
    return Resource(tuple(reader.steps), shape, (), trimmed)


def _follow(reader: _Reader, name: str, key: str | None) -> tuple[Shape, tuple[str, ...]] | None:
    """Take one segment; gives the ending when the path's entities end here."""
    last = reader.steps[-1]
    if name == "$ref" and key is None and reader.segment() is None:
        return Shape.REFERENCE, ()
    if last.is_set:
        raise EntityMissingError(
            f"/{reader.text}: {name} does not follow a whole set.", f"Choose one: {last.entity.set_name}(1)."
        )
    relation = last.entity.find_relation(name)
    if relation is None:
        if key is not None:
            raise EntityMissingError(f"{last.entity.name} has no relation {name}.")
        return _property(reader, last.entity, name)
    identifier = _identifier(key, name)
    if identifier is not None and not relation.is_to_many:
        raise EntityMissingError(f"{name} is one entity; it takes no id.", f"Leave ({identifier}) out.")
    if len(reader.steps) == MAX_STEPS:
        raise EntityMissingError(f"The path is longer than {MAX_STEPS} steps.")
    reader.steps.append(Step(target_of(relation), relation, identifier))
    return None


def _property(reader: _Reader, entity: EntityType, name: str) -> tuple[Shape, tuple[str, ...]]:
    rest = reader.text[reader.at :]
    keys = rest.split("/") if rest else []
    described = entity.find_property(name)
    if described is None and name not in _NAMED_LINKS:
        known = ", ".join(("id", *entity.names()))
        raise EntityMissingError(f"{entity.name} has no property or relation {name}.", f"It has {known}.")
    shape = Shape.PROPERTY
    if keys and keys[-1] == "$value":
        shape = Shape.VALUE
        keys.pop()
    if keys and (described is None or described.kind not in _JSON_KINDS):
        raise EntityMissingError(f"There is nothing inside {name} of {entity.name}.")
    if "\0" in rest:
        raise EntityMissingError("No key holds a NUL character.")
    return shape, (name, *keys)


def _identifier(key: str | None, name: str) -> int | None:
    if key is None:
        return None
    if _DIGITS.fullmatch(key) is None or len(key) > len(str(_LARGEST_ID)) or int(key) > _LARGEST_ID:
        raise EntityMissingError(f"There is no {name}({key}).", "Ids are whole numbers.")
    return int(key)
