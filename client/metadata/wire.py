"""The JSON form of SensorThings entities: the only module that knows camelCase and `@iot.id`.

What lives here: pure functions between entities and JSON objects, and the names of the entity sets. What does
not: HTTP (`server`) and the users' files (`instances`, which share the spelling but not the structure).
Source: OGC 18-088, clause 8 (entities) and clause 9 (service interface).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from client.metadata.entities import (
    OBSERVATION_TYPE_PREFIX,
    Datastream,
    Entity,
    EntityId,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)

JsonObject: TypeAlias = dict[str, object]

IOT_ID: Final = "@iot.id"
NEXT_LINK: Final = "@iot.nextLink"
DATASTREAMS: Final = "Datastreams"
# What a consumer gets with every record: the Datastream and everything it leads to in one step.
DATASTREAM_EXPANSION: Final = "Thing,Sensor,ObservedProperty"

_ENTITY_SETS: Final[dict[type[Entity], str]] = {
    Thing: "Things",
    Sensor: "Sensors",
    ObservedProperty: "ObservedProperties",
    Datastream: DATASTREAMS,
}
_LINKS: Final = frozenset({"Thing", "Sensor", "ObservedProperty"})
_STANDARD_UNIT_KEYS: Final = ("name", "symbol", "definition")
_ID_IN_LINK: Final = re.compile(r"\((?:(?P<number>-?\d+)|'(?P<text>(?:[^']|'')*)')\)/?$")


@dataclass(frozen=True, slots=True)
class DatastreamReference:
    """What a producer needs to know of a Datastream that the service holds already."""

    name: str
    observation_type: ObservationType
    iot_id: EntityId


def entity_set(entity: Entity) -> str:
    """Name the entity set, for example `Things`."""
    return _ENTITY_SETS[type(entity)]


def expansion(entity: Entity) -> str | None:
    """Say what `$expand` has to ask for so that `differences` can compare links."""
    return DATASTREAM_EXPANSION if isinstance(entity, Datastream) else None


def to_wire(entity: Entity) -> JsonObject:
    """Write the body of a POST: linked entities as references by id, without the id of the entity itself."""
    body: JsonObject = {"name": entity.name, "description": entity.description}
    if entity.properties or isinstance(entity, Thing):
        body["properties"] = dict(entity.properties)
    match entity:
        case Sensor():
            body |= {"encodingType": entity.encoding_type, "metadata": entity.metadata}
        case ObservedProperty():
            body["definition"] = entity.definition
        case Datastream():
            body |= {
                "observationType": entity.observation_type.uri,
                "unitOfMeasurement": _unit_to_wire(entity.unit_of_measurement),
                "Thing": {IOT_ID: entity.thing.iot_id},
                "Sensor": {IOT_ID: entity.sensor.iot_id},
                "ObservedProperty": {IOT_ID: entity.observed_property.iot_id},
            }
        case Thing():
            pass
    return body


def _unit_to_wire(unit: UnitOfMeasurement) -> JsonObject:
    body: JsonObject = {"name": unit.name, "symbol": unit.symbol, "definition": unit.definition}
    if unit.abbreviation is not None:
        body["abbreviation"] = unit.abbreviation
    return body


def differences(wanted: Mapping[str, object], present: Mapping[str, object]) -> JsonObject:
    """Find what a PATCH has to change: the keys of `wanted` whose value in `present` is another one.

    A unit is compared by its standard keys only, because a service may drop others; a link by its id.
    """
    return {key: value for key, value in wanted.items() if not _same(key, value, present.get(key))}


def _same(key: str, wanted: object, present: object) -> bool:
    if key in _LINKS:
        return (
            isinstance(present, dict) and isinstance(wanted, dict) and present.get(IOT_ID) == wanted[IOT_ID]
        )
    if key == "unitOfMeasurement" and isinstance(present, dict) and isinstance(wanted, dict):
        return all(wanted.get(part) == present.get(part) for part in _STANDARD_UNIT_KEYS)
    if key == "properties":
        return (present or {}) == wanted
    return present == wanted


def entity_id(document: Mapping[str, object]) -> EntityId | None:
    """Read `@iot.id` of an answer; None when it has none."""
    value = document.get(IOT_ID)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def id_in_link(link: str) -> EntityId | None:
    """Read the id from a self link or a Location header, `.../Things(12)` or `.../Things('a')`."""
    found = _ID_IN_LINK.search(link)
    if found is None:
        return None
    return int(found["number"]) if found["number"] is not None else found["text"].replace("''", "'")


def datastream_reference(document: Mapping[str, object]) -> DatastreamReference | None:
    """Read what a producer needs from a Datastream's JSON; None when id or name are missing."""
    name, iot_id = document.get("name"), entity_id(document)
    if not isinstance(name, str) or iot_id is None:
        return None
    return DatastreamReference(name, observation_type(document.get("observationType")), iot_id)


def observation_type(uri: object) -> ObservationType:
    """Read an observationType; what is unknown may carry any result, as OM_Observation."""
    text = uri.removeprefix(OBSERVATION_TYPE_PREFIX) if isinstance(uri, str) else ""
    try:
        return ObservationType(text)
    except ValueError:
        return ObservationType.OBSERVATION


def known_metadata(name: str, reference: object) -> JsonObject:
    """Describe a Datastream of which only the record tells: its name, and its id when the record has one."""
    known = dict(reference) if isinstance(reference, dict) else {}
    return {**known, "name": name}
