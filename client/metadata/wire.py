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
    Location,
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
LOCATIONS: Final = "Locations"
# What a consumer gets with every record: the Datastream and everything it leads to in one step.
DATASTREAM_EXPANSION: Final = "Thing,Sensor,ObservedProperty"

_ENTITY_SETS: Final[dict[type[Entity], str]] = {
    Thing: "Things",
    Sensor: "Sensors",
    ObservedProperty: "ObservedProperties",
    Datastream: DATASTREAMS,
}
_LINKS: Final = frozenset({"Thing", "Sensor", "ObservedProperty"})
_GEO_JSON: Final = "application/geo+json"
_MOST_NORTH: Final = 90  # [degrees]
_MOST_EAST: Final = 180  # [degrees]
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
    if isinstance(entity, Thing):
        return LOCATIONS if entity.location is not None else None
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
        case Thing() if entity.location is not None:
            body[LOCATIONS] = [_location_to_wire(entity.name, entity.location)]
    return body


def _location_to_wire(thing: str, location: Location) -> JsonObject:
    """Write where a Thing is (RFC 7946, clause 3.1.1: longitude first)."""
    return {
        "name": location.name or place_name(thing),
        "description": f"Where {thing} is",
        "encodingType": _GEO_JSON,
        "location": {"type": "Point", "coordinates": [location.longitude, location.latitude]},
    }


def place_name(thing: str) -> str:
    """Name the Location of a Thing to which nobody gave a name; `thing` is its full name."""
    return f"{thing} place"


def location_of(locations: object) -> Location | None:
    """Read where a Thing is from its expanded Locations: the first point; None when there is none."""
    found = (_point(one) for one in (locations if isinstance(locations, list) else ()))
    return next((one for one in found if one is not None), None)


def _point(document: object) -> Location | None:
    match document:
        case {
            "location": {
                "type": "Point",
                "coordinates": [int() | float() as east, int() | float() as north, *_],
            },
            **rest,
        } if abs(north) <= _MOST_NORTH and abs(east) <= _MOST_EAST:
            return Location(float(north), float(east), str(rest.get("name") or ""))
    return None


def _unit_to_wire(unit: UnitOfMeasurement) -> JsonObject:
    body: JsonObject = {"name": unit.name, "symbol": unit.symbol, "definition": unit.definition}
    if unit.abbreviation is not None:
        body["abbreviation"] = unit.abbreviation
    return body


def differences(wanted: Mapping[str, object], present: Mapping[str, object]) -> JsonObject:
    """Find what a PATCH has to change: the keys of `wanted` whose value in `present` is another one.

    A unit is compared by its standard keys only, because a service may drop others; a link by its id; a place
    by its point and its name. Locations among the changes are for `move_of`: no PATCH takes them.
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
    if key == LOCATIONS:
        return location_of(present) == location_of(wanted)
    return present == wanted


def move_of(changes: JsonObject) -> tuple[JsonObject, JsonObject | None]:
    """Split changes: what a PATCH of the entity takes, and what is sent to its Locations; None for no move.

    Source: OGC 18-088, clause 8.2.2: a Thing has one current Location, those before stay in its history.
    """
    locations = changes.get(LOCATIONS)
    rest = {key: value for key, value in changes.items() if key != LOCATIONS}
    return rest, locations[0] if isinstance(locations, list) else None


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
