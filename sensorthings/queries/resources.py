"""Addresses, understood: the entities along a path and what is shown at its end.

What lives here: plain data. What does not: reading URLs (`sensorthings.http.paths`), SQL
(`sensorthings.queries.statements`).
"""

from dataclasses import dataclass
from enum import Enum, auto

from sensorthings.model.entities import EntityType, Property, Relation


class Shape(Enum):
    """What is shown at the end of a path."""

    ENTITY = auto()
    SET = auto()
    PROPERTY = auto()
    VALUE = auto()
    """A property's bare value (`$value`)."""
    REFERENCE = auto()
    """Addresses only (`$ref`)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path.

    Attributes:
        entity: Type at this step.
        relation: Relation that led here; None for the first step.
        identifier: Id in parentheses; None for a set, or for a to-one relation.
    """

    entity: EntityType
    relation: Relation | None
    identifier: int | None

    @property
    def is_set(self) -> bool:
        """Whether the step stands for a whole set."""
        return self.identifier is None and (self.relation is None or self.relation.is_to_many)


@dataclass(frozen=True, slots=True)
class Resource:
    """An address, understood.

    Attributes:
        steps: Entities along the path; only the last one may be a set.
        shape: What is shown.
        members: Property and keys inside its JSON value, for PROPERTY and VALUE.
        text: The path as it was written, for links.
    """

    steps: tuple[Step, ...]
    shape: Shape
    members: tuple[str, ...]
    text: str

    @property
    def entity(self) -> EntityType:
        """Type at the end of the path."""
        return self.steps[-1].entity

    @property
    def described(self) -> Property | None:
        """The property asked for; None for the id."""
        return self.entity.find_property(self.members[0]) if self.members else None
