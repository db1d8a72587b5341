"""Schemas of bodies: entities as they are read, created and changed, links, problems, batches, data arrays.

What lives here: JSON Schema made from the description of the entities. What does not: addresses.

Source: OpenAPI 3.1.0, clause 4.8.24 (Schema Object, a JSON Schema of draft 2020-12).
"""

from typing import Any, Final

from sensorthings.model.entities import (
    ENTITY_TYPES,
    OBSERVATION,
    EntityType,
    Kind,
    Property,
    Relation,
)

Schema = dict[str, Any]

_TIME: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$"
_EXAMPLE_TIME: Final = "2026-01-02T03:04:05Z"
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_INSTANT: Final[Schema] = {
    "type": "string",
    "description": "A time of ISO 8601.",
    "pattern": _TIME,
    "examples": [_EXAMPLE_TIME],
}
_PERIOD: Final[Schema] = {
    "type": "string",
    "description": "An interval of ISO 8601: two times with a slash between them.",
    "examples": [f"{_EXAMPLE_TIME}/2026-01-02T04:04:05Z"],
}
_ANY_BUT_NULL: Final[Schema] = {"type": ["object", "array", "string", "number", "boolean"]}
_BY_KIND: Final[dict[Kind, Schema]] = {
    Kind.TEXT: {"type": "string"},
    Kind.ANY: _ANY_BUT_NULL,
    Kind.OBJECT: {"type": "object"},
    Kind.RESULT: {"description": "Any JSON value, null too.", "examples": [21.5]},
    Kind.UNIT: {"$ref": "#/components/schemas/Unit"},
    Kind.UNITS: {"type": "array", "items": {"$ref": "#/components/schemas/Unit"}},
    Kind.TYPES: {"type": "array", "items": {"type": "string"}},
    Kind.INSTANT: _INSTANT,
    Kind.PERIOD: _PERIOD,
    Kind.MOMENT: {"anyOf": [_INSTANT, _PERIOD]},
    Kind.AREA: {"type": "object", "description": "A GeoJSON polygon around all features."},
}


def ref(name: str) -> Schema:
    """Point to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """Make all schemas, by name."""
    made = dict(_FIXED)
    for entity in ENTITY_TYPES:
        made[entity.name] = _read(entity)
        made[f"{entity.name}Page"] = _page(entity)
        made[f"{entity.name}Inline"] = _inline(entity)
        made[f"{entity.name}Create"] = _create(entity)
        made[f"{entity.name}Update"] = _update(entity)
    return made


def property_schema(described: Property) -> Schema:
    """Make the schema of a property's value."""
    return _BY_KIND[described.kind]


def _read(entity: EntityType) -> Schema:
    """Everything is optional here, because `$select` leaves things out."""
    members: dict[str, Schema] = {
        "@iot.id": {"type": "integer"},
        "@iot.selfLink": {"type": "string", "format": "uri"},
    }
    for described in entity.properties:
        members[described.name] = _nullable(property_schema(described))
    for relation in entity.relations:
        members[f"{relation.name}@iot.navigationLink"] = {"type": "string"}
        target = ref(relation.target)
        if relation.is_to_many:
            members[relation.name] = {"type": "array", "items": target}
            members[f"{relation.name}@iot.nextLink"] = {"type": "string"}
            members[f"{relation.name}@iot.count"] = {"type": "integer", "minimum": 0}
        else:
            members[relation.name] = target
    return {"type": "object", "description": f"A {entity.name} as it is read.", "properties": members}


def _page(entity: EntityType) -> Schema:
    return {
        "type": "object",
        "description": f"A page of {entity.set_name}.",
        "required": ["value"],
        "properties": {
            "@iot.count": {"type": "integer", "minimum": 0},
            "@iot.nextLink": {"type": "string", "format": "uri"},
            "value": {"type": "array", "items": ref(entity.name)},
        },
    }


def _inline(entity: EntityType) -> Schema:
    """A new entity inside another one, or below the address of one: that link is known already."""
    return {
        "type": "object",
        "description": f"A new {entity.name}; what it links to may be there already, or be described here.",
        "required": [one.name for one in entity.properties if one.is_mandatory and not one.has_default],
        "properties": _writable(entity)
        | {one.name: _link(one, is_new_allowed=True) for one in entity.relations},
    }


def _create(entity: EntityType) -> Schema:
    rules: Schema = {"required": [one.name for one in entity.relations if one.is_mandatory]}
    if entity is OBSERVATION:
        rules = {"anyOf": [{"required": ["Datastream"]}, {"required": ["MultiDatastream"]}]}
    return {
        "description": f"A new {entity.name} with its links.",
        "allOf": [ref(f"{entity.name}Inline"), rules],
    }


def _update(entity: EntityType) -> Schema:
    return {
        "type": "object",
        "description": f"Changes of a {entity.name}: properties are replaced whole, links are made by id.",
        "properties": _writable(entity)
        | {one.name: _link(one, is_new_allowed=False) for one in entity.relations},
    }


def _writable(entity: EntityType) -> dict[str, Schema]:
    return {
        one.name: property_schema(one) if one.is_mandatory else _nullable(property_schema(one))
        for one in entity.properties
        if not one.is_server_set
    }


def _link(relation: Relation, *, is_new_allowed: bool) -> Schema:
    one = ref("Link")
    if is_new_allowed:
        one = {"anyOf": [one, ref(f"{relation.target}Inline")]}
    return {"type": "array", "items": one} if relation.is_to_many else one


def _nullable(schema: Schema) -> Schema:
    kind = schema.get("type")
    if isinstance(kind, str):
        return {**schema, "type": [kind, "null"]}
    if isinstance(kind, list):
        return {**schema, "type": [*kind, "null"]}
    return schema if not schema.keys() & {"$ref", "anyOf"} else {"anyOf": [schema, {"type": "null"}]}


_TEXT: Final[Schema] = {"type": "string"}
_BATCH_REQUEST: Final[Schema] = {
    "type": "object",
    "required": ["id", "method", "url"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "description": "Others refer to it as $id."},
        "atomicityGroup": {"type": "string", "minLength": 1, "description": "All of a group, or nothing."},
        "method": {"enum": ["get", "post", "patch", "put", "delete"]},
        "url": {"type": "string", "minLength": 1, "examples": ["Things(1)", "$thing/Datastreams"]},
        "headers": {"type": "object", "additionalProperties": _TEXT},
        "body": {"description": "JSON as it is, other bodies as a text."},
        "dependsOn": {"type": "array", "items": _TEXT},
        "if": {"type": "string", "examples": ["$thing", "not $thing", "$thing eq null"]},
    },
}
_BATCH_RESPONSE: Final[Schema] = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "id": _TEXT,
        "atomicityGroup": _TEXT,
        "status": {"type": "integer"},
        "location": {"type": "string", "format": "uri"},
        "headers": {"type": "object", "additionalProperties": _TEXT},
        "body": {},
    },
}
_DATA_ARRAY: Final[Schema] = {
    "type": "object",
    "description": "Observations of one Datastream or MultiDatastream, as rows.",
    "required": ["components", "dataArray"],
    "anyOf": [{"required": ["Datastream"]}, {"required": ["MultiDatastream"]}],
    "properties": {
        "Datastream": {"$ref": "#/components/schemas/Link"},
        "MultiDatastream": {"$ref": "#/components/schemas/Link"},
        "components": {
            "type": "array",
            "items": {"enum": [*(one.name for one in OBSERVATION.properties), "FeatureOfInterest/id"]},
        },
        "dataArray": {"type": "array", "items": {"type": "array"}},
    },
}
_FIXED: Final[dict[str, Schema]] = {
    "Link": {
        "type": "object",
        "description": "A link to an entity that is there already.",
        "required": ["@iot.id"],
        "properties": {"@iot.id": {"type": "integer", "minimum": 1}},
        "additionalProperties": False,
    },
    "Unit": {
        "type": "object",
        "description": "A unit of measurement; UCUM codes are understood.",
        "properties": {"name": _TEXT_OR_NULL, "symbol": _TEXT_OR_NULL, "definition": _TEXT_OR_NULL},
        "examples": [{"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}],
    },
    "References": {
        "type": "object",
        "properties": {
            "@iot.selfLink": _TEXT,
            "value": {"type": "array", "items": {"type": "object", "properties": {"@iot.selfLink": _TEXT}}},
        },
    },
    "Problem": {
        "type": "object",
        "description": "What is wrong, and what to do next (RFC 9457).",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": _TEXT,
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable name of the kind of mistake."},
            "detail": _TEXT,
            "hint": {"type": "string", "description": "The next step."},
            "pointer": {"type": "string", "description": "Place in the body (RFC 6901)."},
            "option": {"type": "string", "description": "Query option that is wrong."},
            "column": {"type": "integer", "description": "Place in its text, from 1."},
        },
    },
    "JsonPatch": {
        "type": "array",
        "description": "Operations of RFC 6902; paths begin at the entity.",
        "items": {
            "type": "object",
            "required": ["op", "path"],
            "properties": {
                "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
                "path": {"type": "string", "examples": ["/properties/colour"]},
                "from": _TEXT,
                "value": {},
            },
        },
    },
    "DataArrays": {"type": "array", "items": _DATA_ARRAY},
    "CreatedObservations": {
        "type": "array",
        "description": "For each row in its order: the address of the Observation, or `error`.",
        "items": _TEXT,
    },
    "Batch": {
        "type": "object",
        "required": ["requests"],
        "properties": {"requests": {"type": "array", "items": _BATCH_REQUEST}},
    },
    "BatchAnswer": {
        "type": "object",
        "required": ["responses"],
        "properties": {"responses": {"type": "array", "items": _BATCH_RESPONSE}},
    },
    "LandingPage": {
        "type": "object",
        "required": ["value", "serverSettings"],
        "properties": {
            "value": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "url"],
                    "properties": {"name": _TEXT, "url": {"type": "string", "format": "uri"}},
                },
            },
            "serverSettings": {
                "type": "object",
                "required": ["conformance"],
                "properties": {"conformance": {"type": "array", "items": _TEXT}},
            },
        },
    },
}
