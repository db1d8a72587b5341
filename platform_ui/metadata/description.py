"""What the explorer's pages know of SensorThings: its entity types and its query language, as JSON.

What lives here: the document that completion, the tree and the details follow, made from the service's own
description of its entities. What does not: functions and operators (``language``), reading entities
(``gateway``).
"""

import re
from functools import cache
from typing import Any, Final

from platform_ui.metadata.language import FUNCTIONS, OPERATORS, OPTIONS
from sensorthings.model.entities import ENTITY_TYPES, EntityType, Property, Relation

_MEANINGS: Final = {
    "name": "a short name for people",
    "description": "what it is, in a sentence",
    "properties": "whatever its owner adds, as a JSON object; ask for a part by properties/part",
    "encodingType": "how the next property is to be read",
    "location": "where it is, as GeoJSON",
    "feature": "the place or object that is observed, as GeoJSON",
    "time": "when the Thing was there",
    "unitOfMeasurement": "name, symbol and definition of the results' unit",
    "unitOfMeasurements": "one unit for each part of a result, in order",
    "observationType": "what kind of results it has: numbers, counts, truth values, categories, anything",
    "multiObservationDataTypes": "what kind each part of a result is, in order",
    "observedArea": "the area around all observed features; kept by the service",
    "phenomenonTime": "when it happened",
    "resultTime": "when the result was made",
    "metadata": "more about the Sensor, often an address",
    "definition": "address of what the property means",
    "result": "what was observed",
    "resultQuality": "how good the result is",
    "validTime": "how long the result may be used",
    "parameters": "circumstances of the Observation, as a JSON object",
}
_KINDS: Final = {
    "TEXT": "text",
    "ANY": "any",
    "OBJECT": "object",
    "RESULT": "result",
    "UNIT": "unit",
    "UNITS": "unit",
    "TYPES": "list",
    "INSTANT": "time",
    "PERIOD": "interval",
    "MOMENT": "time or interval",
    "AREA": "area",
}
# Below a JSON property, a step is whatever its owner has named it; dots alone would lead elsewhere.
_PLAIN_STEP: Final = re.compile(r"\$ref|\$value|(?!\.+$)[\w .:@-]+(\[[0-9]{1,4}\])?")
_ENTITY_STEP: Final = re.compile(r"([A-Za-z]+)\((-?[0-9]{1,19}|'([^'/]|''){1,200}')\)")
_MAX_STEPS: Final = 20


@cache
def describe() -> dict[str, Any]:
    """Return the entity types in the order of the landing page, and the language of queries.

    Returns:
        ``types`` (name, set, properties, relations), ``operators``, ``functions``, ``options``.
    """
    return {
        "types": [_describe_type(one) for one in ENTITY_TYPES],
        "operators": [operator.document() for operator in OPERATORS],
        "functions": [function.document() for function in FUNCTIONS],
        "options": [option.document() for option in OPTIONS],
    }


def is_readable(path: str) -> bool:
    """Return whether a path can be read here: the landing page, or one that begins with an entity set.

    Args:
        path: Percent-decoded, without a leading slash, such as ``Things(1)/Datastreams``.
    """
    if not path:
        return True
    steps = path.split("/")
    first = _ENTITY_STEP.fullmatch(steps[0])
    set_name = first[1] if first else steps[0]
    if set_name not in _set_names() or len(steps) > _MAX_STEPS:
        return False
    return all(_PLAIN_STEP.fullmatch(step) or _ENTITY_STEP.fullmatch(step) for step in steps[1:])


@cache
def _set_names() -> frozenset[str]:
    return frozenset(one.set_name for one in ENTITY_TYPES)


def _describe_type(entity: EntityType) -> dict[str, Any]:
    return {
        "name": entity.name,
        "set": entity.set_name,
        "properties": [_describe_property(one) for one in entity.properties],
        "relations": [_describe_relation(one) for one in entity.relations],
    }


def _describe_property(one: Property) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": _KINDS.get(one.kind.name, "any"),
        "meaning": _MEANINGS.get(one.name, ""),
        "mandatory": one.is_mandatory,
    }


def _describe_relation(one: Relation) -> dict[str, Any]:
    return {"name": one.name, "target": one.target, "many": one.is_to_many}
