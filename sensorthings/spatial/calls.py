"""Spatial calls: their names, arguments and results, and where in the options of a request they stand.

What lives here: finding calls and checking them against the entity description; pure. What does not: geometry
(`spatial.geometries`), SQL (`spatial.terms`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType

from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import EntityType, Kind, Property, target_of
from sensorthings.odata.nodes import (
    Call,
    GeographyLiteral,
    Junction,
    Literal,
    Membership,
    Negation,
    Node,
    Operation,
    Options,
    Path,
    Quantified,
)


class Result(Enum):
    """What a call gives."""

    BOOLEAN = auto()
    NUMBER = auto()
    TEXT = auto()


_RELATIONS = ("equals", "disjoint", "touches", "within", "overlaps", "crosses", "intersects", "contains")
_PREDICATES = {f"st_{name}": name for name in _RELATIONS} | {"geo.intersects": "intersects"}
_MEASURES = {"geo.distance": 2, "geo.length": 1}
SPATIAL_FUNCTIONS = frozenset({*_PREDICATES, *_MEASURES, "st_relate"})
"""Names of all spatial functions."""

NEEDS_CONTACT = frozenset({*_RELATIONS} - {"disjoint"})
"""Operations that are false for geometries whose boxes have no point in common."""
_PATTERN = re.compile(r"[TF*012]{9}")
_GEOJSON_KINDS = (Kind.ANY, Kind.OBJECT, Kind.RESULT, Kind.AREA)


@dataclass(frozen=True, slots=True)
class Place:
    """A GeoJSON value at the end of a path.

    Attributes:
        prefix: Relations that lead to the entity, after a variable when it begins with one; empty for the
            entity itself.
        entity: Name of the type at the end of them.
        name: Property that holds the value.
        keys: Keys inside its JSON value.
    """

    prefix: tuple[str, ...]
    entity: str
    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpatialCall:
    """A call, checked.

    Attributes:
        operation: What is computed, as shapely names it: intersects, distance, relate, ...
        result: What it gives.
        arguments: One or two geometries.
        pattern: For `st_relate` with three arguments: the DE-9IM pattern.
    """

    operation: str
    result: Result
    arguments: tuple[Place | GeographyLiteral, ...]
    pattern: str | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """The arguments that are paths."""
        return tuple(one for one in self.arguments if isinstance(one, Place))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A call where it stands.

    Attributes:
        call: The node.
        root: Type of the entities that its option is about.
        option: `$filter` or `$orderby`.
        is_claim: Whether it is a claim of its own (joined by `and` and `or` only), so that null is as false.
        names: Types of what the variables of `any` and `all` around it stand for.
    """

    call: Call
    root: EntityType
    option: str
    is_claim: bool
    names: Mapping[str, EntityType] = field(default_factory=dict)


def find_calls(options: Options, root: EntityType) -> Iterator[Occurrence]:
    """Find the spatial calls in `$filter` and `$orderby`, those of expands too.

    Unknown relations in `$expand` are passed over; the compiler refuses them.
    """
    if options.where is not None:
        yield from find_in(options.where, root)
    for key in options.order:
        yield from find_in(key.expression, root, "$orderby")
    for name, inner in options.expand.items():
        relation = root.find_relation(name)
        if relation is not None:
            yield from find_calls(inner, target_of(relation))


def find_in(node: Node, root: EntityType, option: str = "$filter") -> Iterator[Occurrence]:
    """Find the spatial calls in one expression.

    Args:
        node: The expression.
        root: Type of the entities it is about.
        option: Query option it came from, for messages; in `$orderby` no call is a claim.
    """
    pending: list[tuple[Node, bool, Mapping[str, EntityType]]] = [(node, option == "$filter", {})]
    while pending:
        part, is_claim, names = pending.pop()
        if isinstance(part, Call) and part.name in SPATIAL_FUNCTIONS:
            yield Occurrence(part, root, option, is_claim, names)
        elif isinstance(part, Junction):
            pending += [(inner, is_claim, names) for inner in part.parts]
        elif isinstance(part, Quantified):
            # What is not true counts as false there, whatever stands around it.
            member, _ = _follow(part.steps, root, names)
            pending.append((part.condition, True, {**names, part.variable: member}))
        else:
            pending += [(inner, False, names) for inner in _inside(part)]


def _follow(
    steps: tuple[str, ...], root: EntityType, names: Mapping[str, EntityType]
) -> tuple[EntityType, int]:
    """Follow the relations that a path begins with; give where they end, and how many steps that took."""
    start = names.get(steps[0])
    entity, count = (root, 0) if start is None else (start, 1)
    while count < len(steps) and (relation := entity.find_relation(steps[count])) is not None:
        entity, count = target_of(relation), count + 1
    return entity, count


def _inside(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Call):
        return node.arguments
    if isinstance(node, Operation):
        return node.left, node.right
    if isinstance(node, Membership):
        return node.operand, *node.values
    return (node.operand,) if isinstance(node, Negation) else ()


def check_call(
    call: Call, root: EntityType, names: Mapping[str, EntityType] = MappingProxyType({})
) -> SpatialCall:
    """Check a spatial call.

    Args:
        call: The call.
        root: Type of the entities that it is about.
        names: Types of what variables stand for.

    Raises:
        QueryTypeError: The number or the sort of the arguments is wrong, a path leads to no GeoJSON, or two
            paths lead to different entities.
    """
    geometries, pattern = _split(call)
    arguments = tuple(_argument(call.name, node, root, names) for node in geometries)
    checked = SpatialCall(*_operation(call.name, pattern), arguments, pattern)
    if len({place.prefix for place in checked.places}) > 1:
        raise QueryTypeError(
            f"{call.name}: the two paths lead to different entities.",
            "Compare a path with a constant such as geography'POINT(13 47.8)'.",
        )
    return checked


def _operation(name: str, pattern: str | None) -> tuple[str, Result]:
    if name in _MEASURES:
        return name.removeprefix("geo."), Result.NUMBER
    if name in _PREDICATES:
        return _PREDICATES[name], Result.BOOLEAN
    return ("relate", Result.TEXT) if pattern is None else ("relate_pattern", Result.BOOLEAN)


def _split(call: Call) -> tuple[tuple[Node, ...], str | None]:
    count = len(call.arguments)
    if call.name == "st_relate" and count == 3:  # noqa: PLR2004 - two geometries and the pattern
        return call.arguments[:2], _pattern(call.arguments[2])
    wanted = _MEASURES.get(call.name, 2)
    if count != wanted:
        most = "2 or 3" if call.name == "st_relate" else str(wanted)
        raise QueryTypeError(f"{call.name} takes {most} argument{'s' * (wanted > 1)}, not {count}.")
    return call.arguments, None


def _pattern(node: Node) -> str:
    text = node.value if isinstance(node, Literal) else None
    if not isinstance(text, str) or not _PATTERN.fullmatch(text.upper()):
        raise QueryTypeError(
            "st_relate: the third argument is no DE-9IM pattern.",
            "Give nine characters of T, F, *, 0, 1 and 2 in quotes, such as 'T*F**F***'.",
        )
    return text.upper()


def _argument(
    function: str, node: Node, root: EntityType, names: Mapping[str, EntityType]
) -> Place | GeographyLiteral:
    if isinstance(node, GeographyLiteral):
        return node
    if isinstance(node, Path):
        place, described = find_place(node.steps, root, names)
        if described.kind in _GEOJSON_KINDS and not (place.keys and described.kind is Kind.AREA):
            return place
        raise QueryTypeError(
            f"{function}: {'/'.join(node.steps)} is no geometry.",
            "Geometries are in Locations/location, FeatureOfInterest/feature and Datastream/observedArea.",
        )
    raise QueryTypeError(
        f"{function} takes geometries.",
        "Give a path such as Locations/location or a constant such as geography'POINT(13 47.8)'.",
    )


def find_place(
    steps: tuple[str, ...], root: EntityType, names: Mapping[str, EntityType] = MappingProxyType({})
) -> tuple[Place, Property]:
    """Find the property that a path leads to.

    Raises:
        QueryTypeError: The path names what is not there, or ends in a relation or an id.
    """
    entity, count = _follow(steps, root, names)
    described = entity.find_property(steps[count]) if count < len(steps) else None
    if described is None:
        wrong = "is a relation" if count == len(steps) else f"{entity.name} has no property {steps[count]}"
        raise QueryTypeError(
            f"{'/'.join(steps)}: {wrong}; a property that holds GeoJSON is needed.",
            f"{entity.name} has {', '.join(entity.names())}.",
        )
    return Place(steps[:count], entity.name, described.name, steps[count + 1 :]), described
