"""Request bodies: from JSON to checked drafts of entities, each mistake told with its place.

What lives here: checking against the entity description. What does not: the values of properties
(`writes.values`); the database: whether a linked entity is there, `writes.owners` finds out.

Source: OGC 18-088, clauses 10.2 (create), 10.3 (update) and 11.2 (MultiDatastream).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum, auto
from typing import Any, Final, Literal

from sensorthings.errors import BodyError
from sensorthings.model.entities import MULTI_DATASTREAM, OBSERVATION, EntityType, Relation, target_of
from sensorthings.writes.streams import COMPLEX
from sensorthings.writes.values import columns_of

MAX_DEPTH = 20
"""Deepest deep insert [levels]."""
LARGEST_CHOSEN_ID: Final = 2**53 - 1
"""Largest id that a client may choose: every JSON parser reads it exactly, and enough are left above."""
_LARGEST_ID = 2**63 - 1
_ID: Final = "@iot.id"

Ids = Literal["server", "both", "client"]


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
        identifier: Id that the client chose; None where the server chooses.
    """

    entity: EntityType
    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, "list[Reference | Draft]"] = field(default_factory=dict)
    place: str = ""
    identifier: int | None = None


def read_body(
    entity: EntityType, body: object, mode: Mode, *, via: str | None = None, ids: Ids = "server"
) -> Draft:
    """Check a body.

    Args:
        entity: Type that the body describes.
        body: Parsed JSON.
        mode: Whether it creates, patches or replaces.
        via: Name of the relation that is already known from the path.
        ids: Who chooses the ids of new entities.

    Raises:
        BodyError: Anything in it is wrong or missing.
    """
    return _Reader(mode, ids).draft(entity, body, via, "", 0)


@dataclass(frozen=True, slots=True)
class _Reader:
    mode: Mode
    ids: Ids

    def draft(self, entity: EntityType, body: object, via: str | None, place: str, depth: int) -> Draft:
        if not isinstance(body, dict):
            raise BodyError(
                "body.not_object", f"a JSON object that describes a {entity.name} is needed", place=place
            )
        if depth > MAX_DEPTH:
            raise BodyError("body.too_deep", f"entities nested deeper than {MAX_DEPTH} levels", place=place)
        draft = Draft(entity, place=place)
        for name, value in body.items():
            self._take(draft, name, value, depth)
        if self.mode is Mode.CREATE:
            self._identify(draft, body)
        if self.mode is not Mode.PATCH:
            self._complete(draft, body)
            _default(draft)
        if self.mode is Mode.CREATE:
            _check_links(draft, via)
        _check_streams(draft, via)
        _check_complex(draft)
        return draft

    def _take(self, draft: Draft, name: str, value: object, depth: int) -> None:
        place = f"{draft.place}/{name}"
        described = draft.entity.find_property(name)
        if described is not None:
            if not described.is_server_set:
                draft.values.update(columns_of(draft.entity, described, value, place))
            return
        relation = draft.entity.find_relation(name)
        if relation is not None:
            draft.links[name] = self._links(relation, value, place, depth)
        elif "@" not in name and name != "id":
            close = get_close_matches(name, list(draft.entity.names()), 1)
            hint = f"Did you mean {close[0]}?" if close else f"It has {', '.join(draft.entity.names())}."
            raise BodyError(
                "body.unknown_property", f"{draft.entity.name} has no property {name}", place=place, hint=hint
            )

    def _identify(self, draft: Draft, body: Mapping[str, object]) -> None:
        place = f"{draft.place}/{_ID}"
        if _ID not in body:
            if self.ids == "client":
                raise BodyError(
                    "body.id_missing",
                    f"a new {draft.entity.name} needs an id here",
                    place=draft.place,
                    hint=f'Give it one: {{"{_ID}": 1}}. The setting ids asks clients for them.',
                )
            return
        if self.ids == "server":
            raise BodyError(
                "body.id_not_allowed",
                "this service chooses the ids of new entities itself",
                place=place,
                hint=f"Leave {_ID} out; the setting ids=both lets clients choose.",
            )
        identifier = body[_ID]
        if isinstance(identifier, bool) or not isinstance(identifier, int):
            raise BodyError("body.id", "an id is a whole number", place=place)
        if not 0 < identifier <= LARGEST_CHOSEN_ID:
            raise BodyError("body.id", f"an id is between 1 and {LARGEST_CHOSEN_ID}", place=place)
        draft.identifier = identifier

    def _complete(self, draft: Draft, body: Mapping[str, object]) -> None:
        for described in draft.entity.properties:
            is_given = described.name in body
            if described.is_mandatory and not described.has_default and not is_given:
                raise BodyError(
                    "body.missing_property",
                    f"{draft.entity.name} needs the property {described.name}",
                    place=draft.place,
                )
            if self.mode is Mode.REPLACE and not is_given and not described.is_server_set:
                draft.values.update(dict.fromkeys(described.columns))

    def _links(self, relation: Relation, value: object, place: str, depth: int) -> "list[Reference | Draft]":
        if relation.is_to_many:
            if not isinstance(value, list):
                raise BodyError("body.link", "an array of entities or links is needed", place=place)
            return [self._link(relation, item, f"{place}/{at}", depth) for at, item in enumerate(value)]
        return [self._link(relation, value, place, depth)]

    def _link(self, relation: Relation, value: object, place: str, depth: int) -> "Reference | Draft":
        if isinstance(value, dict) and _ID in value and self._is_reference(value):
            return reference(relation, value[_ID], place)
        if self.mode is not Mode.CREATE:
            raise BodyError(
                "body.inline_entity",
                "an update takes links, not descriptions of entities",
                place=place,
                hint='Link by {"@iot.id": 1}; change the other entity by its own address.',
            )
        return self.draft(target_of(relation), value, relation.inverse, place, depth + 1)

    def _is_reference(self, value: Mapping[str, object]) -> bool:
        """Tell a link from an entity whose id the client chooses."""
        if self.mode is Mode.CREATE and self.ids == "server":
            return True
        return all("@" in name for name in value) if self.mode is Mode.CREATE else len(value) == 1


def reference(relation: Relation, identifier: object, place: str) -> Reference:
    """Check the id in a link.

    Raises:
        BodyError: It is none, or none that an entity can have.
    """
    if not isinstance(identifier, int) or isinstance(identifier, bool):
        raise BodyError("body.link", "@iot.id is a whole number here", place=place)
    if not 0 <= identifier <= _LARGEST_ID:
        raise BodyError("body.link_missing", f"there is no {relation.target} {identifier}", place=place)
    return Reference(identifier)


def _default(draft: Draft) -> None:
    if draft.entity is MULTI_DATASTREAM and draft.values.get("observation_type") is None:
        draft.values["observation_type"] = COMPLEX


def _check_complex(draft: Draft) -> None:
    type_ = draft.values.get("observation_type")
    if draft.entity is MULTI_DATASTREAM and type_ not in (None, COMPLEX):
        raise BodyError(
            "body.observation_type",
            "the observationType of a MultiDatastream is OM_ComplexObservation",
            place=f"{draft.place}/observationType",
            hint=f"Leave it out, or write {COMPLEX}; the types of the parts are multiObservationDataTypes.",
        )


def _check_links(draft: Draft, via: str | None) -> None:
    for relation in draft.entity.relations:
        if relation.is_mandatory and relation.name != via and not draft.links.get(relation.name):
            raise BodyError(
                "body.missing_link",
                f"{draft.entity.name} needs a link to {relation.name}",
                place=draft.place,
                hint=f'Link an existing one: {{"{relation.name}": {{"@iot.id": 1}}}}, or describe a new one.',
            )
    if draft.entity is OBSERVATION and not _streams_of(draft, via):
        raise BodyError(
            "body.missing_link",
            "Observation needs a link to Datastream (or MultiDatastream)",
            place=draft.place,
            hint='Link an existing one: {"Datastream": {"@iot.id": 1}}, or describe a new one.',
        )


def _check_streams(draft: Draft, via: str | None) -> None:
    """Check that an Observation has not both a Datastream and a MultiDatastream."""
    if draft.entity is OBSERVATION and len(_streams_of(draft, via)) > 1:
        raise BodyError(
            "body.two_links",
            "an Observation has a Datastream or a MultiDatastream, not both",
            place=draft.place,
        )


def _streams_of(draft: Draft, via: str | None) -> list[str]:
    return [name for name in ("Datastream", "MultiDatastream") if name == via or draft.links.get(name)]
