"""Request bodies: from JSON to checked drafts of entities, each mistake told with its place.

What lives here: checking against the entity description. What does not: the database; whether a linked entity
is there is told by the foreign key.

Source: OGC 18-088, clauses 10.2 (create) and 10.3 (update).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum, auto
from typing import Any

from sensorthings.errors import BodyError
from sensorthings.model.entities import EntityType, Kind, Property, Relation, target_of
from sensorthings.model.times import parse_instant, parse_period

MAX_DEPTH = 20
"""Deepest deep insert [levels]."""
_LARGEST_ID = 2**63 - 1


class Mode(Enum):
    """What a body is for."""

    CREATE = auto()
    PATCH = auto()
    REPLACE = auto()


@dataclass(frozen=True, slots=True)
class Reference:
    """A link to an entity that is there already."""

    identifier: int


@dataclass(slots=True)
class Draft:
    """A checked body.

    Attributes:
        entity: Type of the entity.
        values: Values by column.
        links: Linked and inline entities by relation name.
        place: JSON pointer to this part of the body.
    """

    entity: EntityType
    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, "list[Reference | Draft]"] = field(default_factory=dict)
    place: str = ""


def read_body(
    entity: EntityType, body: object, mode: Mode, *, via: str | None = None, place: str = "", depth: int = 0
) -> Draft:
    """Check a body.

    Args:
        entity: Type that the body describes.
        body: Parsed JSON.
        mode: Whether it creates, patches or replaces.
        via: Name of the relation that is already known from where the body is (the path, or the entity around
            it).
        place: JSON pointer to the body.
        depth: Levels around it.

    Raises:
        BodyError: Anything in it is wrong or missing.
    """
    if not isinstance(body, dict):
        raise BodyError(
            "body.not_object", f"a JSON object that describes a {entity.name} is needed", place=place
        )
    if depth > MAX_DEPTH:
        raise BodyError("body.too_deep", f"entities nested deeper than {MAX_DEPTH} levels", place=place)
    draft = Draft(entity, place=place)
    for name, value in body.items():
        _take(draft, name, value, mode, depth)
    if mode is not Mode.PATCH:
        _complete(draft, body, mode, via)
    return draft


def _take(draft: Draft, name: str, value: object, mode: Mode, depth: int) -> None:
    place = f"{draft.place}/{name}"
    described = draft.entity.find_property(name)
    if described is not None:
        if not described.is_server_set:
            draft.values.update(_columns(described, value, place))
        return
    relation = draft.entity.find_relation(name)
    if relation is not None:
        draft.links[name] = _links(relation, value, mode, place, depth)
    elif "@" not in name and name != "id":
        close = get_close_matches(name, list(draft.entity.names()), 1)
        hint = f"Did you mean {close[0]}?" if close else f"It has {', '.join(draft.entity.names())}."
        raise BodyError(
            "body.unknown_property", f"{draft.entity.name} has no property {name}", place=place, hint=hint
        )


def _complete(draft: Draft, body: Mapping[str, object], mode: Mode, via: str | None) -> None:
    for described in draft.entity.properties:
        is_given = described.name in body
        if described.is_mandatory and not described.has_default and not is_given:
            raise BodyError(
                "body.missing_property",
                f"{draft.entity.name} needs the property {described.name}",
                place=draft.place,
            )
        if mode is Mode.REPLACE and not is_given and not described.is_server_set:
            draft.values.update(dict.fromkeys(described.columns))
    if mode is Mode.REPLACE:
        return
    for relation in draft.entity.relations:
        if relation.is_mandatory and relation.name != via and not draft.links.get(relation.name):
            raise BodyError(
                "body.missing_link",
                f"{draft.entity.name} needs a link to {relation.name}",
                place=draft.place,
                hint=f'Link an existing one: {{"{relation.name}": {{"@iot.id": 1}}}}, or describe a new one.',
            )


def _links(
    relation: Relation, value: object, mode: Mode, place: str, depth: int
) -> "list[Reference | Draft]":
    if relation.is_to_many:
        if not isinstance(value, list):
            raise BodyError("body.link", "an array of entities or links is needed", place=place)
        return [_link(relation, item, mode, f"{place}/{at}", depth) for at, item in enumerate(value)]
    return [_link(relation, value, mode, place, depth)]


def _link(relation: Relation, value: object, mode: Mode, place: str, depth: int) -> "Reference | Draft":
    if isinstance(value, dict) and "@iot.id" in value and (mode is Mode.CREATE or len(value) == 1):
        identifier = value["@iot.id"]
        if not isinstance(identifier, int) or isinstance(identifier, bool):
            raise BodyError("body.link", "@iot.id is a whole number here", place=place)
        if not 0 <= identifier <= _LARGEST_ID:
            raise BodyError("body.link_missing", f"there is no {relation.target} {identifier}", place=place)
        return Reference(identifier)
    if mode is not Mode.CREATE:
        raise BodyError(
            "body.inline_entity",
            "an update takes links, not descriptions of entities",
            place=place,
            hint='Link by {"@iot.id": 1}; change the other entity by its own address.',
        )
    return read_body(target_of(relation), value, mode, via=relation.inverse, place=place, depth=depth + 1)


def _columns(described: Property, value: object, place: str) -> dict[str, Any]:
    if value is None and described.kind is not Kind.RESULT:
        if described.is_mandatory and not described.has_default:
            raise BodyError("body.null", f"{described.name} cannot be null", place=place)
        return dict.fromkeys(described.columns)
    if described.kind in (Kind.INSTANT, Kind.PERIOD, Kind.MOMENT):
        return dict(zip(described.columns, _times(described, value, place), strict=True))
    if described.kind is Kind.TEXT and not isinstance(value, str):
        raise BodyError("body.type", f"{described.name} is a text", place=place)
    if described.kind in (Kind.OBJECT, Kind.UNIT) and not isinstance(value, dict):
        raise BodyError("body.type", f"{described.name} is a JSON object", place=place)
    return {described.columns[0]: value}


def _times(described: Property, value: object, place: str) -> tuple[Any, ...]:
    if not isinstance(value, str):
        raise BodyError("body.time", f"{described.name} is an ISO 8601 time in a text", place=place)
    try:
        return (parse_instant(value),) if described.kind is Kind.INSTANT else parse_period(value)
    except ValueError as error:
        raise BodyError(
            "body.time",
            f"{value[:80]!r} is no ISO 8601 time: {error}",
            place=place,
            hint="As 2026-01-02T03:04:05Z, or an interval 2026-01-02T03:00:00Z/2026-01-02T04:00:00Z.",
        ) from None
