"""Addresses and what can be done at each of them.

What lives here: the paths of the document, made from the description of the entities. What does not: schemas.

Source: OpenAPI 3.1.0, clause 4.8.8 (Paths Object); OGC 18-088, clauses 9 to 11.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sensorthings.http.openapi.parameters import (
    ENTITY_OPTIONS,
    OBSERVATION_OPTIONS,
    SET_OPTIONS,
    parameter,
)
from sensorthings.http.openapi.schemas import Schema, property_schema, ref
from sensorthings.model.entities import (
    ENTITY_TYPES,
    OBSERVATION,
    EntityType,
    Property,
    Relation,
    target_of,
)

JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
Path = dict[str, Any]

RESPONSES: Final[dict[str, Any]] = {
    "Problem": {
        "description": "The request cannot be served; the document tells why and what to do.",
        "content": {_PROBLEM: {"schema": ref("Problem")}},
    },
    "Null": {"description": "The property is null."},
}


def paths(*, is_filtered_delete_on: bool) -> dict[str, Path]:
    """Make all paths."""
    made = dict(_special())
    for entity in ENTITY_TYPES:
        made |= _paths_of(entity, is_filtered_delete_on=is_filtered_delete_on)
    return made


def _paths_of(entity: EntityType, *, is_filtered_delete_on: bool) -> Iterator[tuple[str, Path]]:
    whole = f"/{entity.set_name}"
    one = f"{whole}({{id}})"
    yield whole, _set_path(entity, is_filtered_delete_on=is_filtered_delete_on)
    yield f"{whole}/$ref", {"get": _read(entity, f"list{entity.set_name}References", "References")}
    yield one, _entity_path(entity)
    for described in entity.properties:
        yield f"{one}/{described.name}", _property_path(entity, described)
        yield f"{one}/{described.name}/$value", _value_path(entity, described)
    for relation in entity.relations:
        yield f"{one}/{relation.name}", _relation_path(entity, relation)
        yield f"{one}/{relation.name}/$ref", _reference_path(entity, relation)


def _operation(
    entity: str, name: str, summary: str, answers: dict[str, Any], parameters: Iterable[str] = ()
) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": [entity],
        "summary": summary,
        "parameters": [parameter(one) for one in parameters],
        "responses": {**answers, "4XX": _problem(), "501": _problem(), "503": _problem()},
    }


def _problem() -> dict[str, Any]:
    return {"$ref": "#/components/responses/Problem"}


def _answer(description: str, schema: Schema, media_type: str = JSON) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _body(schema: Schema, **others: Schema) -> dict[str, Any]:
    content = {JSON: {"schema": schema}} | {name: {"schema": one} for name, one in others.items()}
    return {"required": True, "content": content}


def _read(entity: EntityType, name: str, schema: str) -> dict[str, Any]:
    more = OBSERVATION_OPTIONS if entity is OBSERVATION else ()
    answer = _answer(f"A page of {entity.set_name}.", ref(schema))
    answer["content"] |= {
        "text/csv": {"schema": {"type": "string"}},
        "application/geo+json": {"schema": {"type": "object"}},
    }
    if schema == "References":
        answer, more = _answer("Addresses only.", ref(schema)), ()
    # With a result format or buckets the answer is of another form.
    elif entity is OBSERVATION:
        answer["content"][JSON] = {"schema": {"anyOf": [ref(schema), {"type": "object"}]}}
    return _operation(
        entity.set_name, name, f"List {entity.set_name}", {"200": answer}, (*SET_OPTIONS, *more)
    )


def _create(entity: EntityType, name: str, schema: str) -> dict[str, Any]:
    made = _answer("Created.", ref(entity.name))
    made["headers"] = {"Location": {"description": "Its address.", "schema": {"type": "string"}}}
    answers = {"200": _answer("It was there already, and is changed.", ref(entity.name)), "201": made}
    return _operation(entity.set_name, name, f"Create a {entity.name}", answers, ("upsert",)) | {
        "requestBody": _body(ref(schema))
    }


def _set_path(entity: EntityType, *, is_filtered_delete_on: bool) -> Path:
    path = {
        "get": _read(entity, f"list{entity.set_name}", f"{entity.name}Page"),
        "post": _create(entity, f"create{entity.name}", f"{entity.name}Create"),
    }
    if is_filtered_delete_on:
        deleted = {"200": {"description": "Deleted."}}
        summary = f"Delete the {entity.set_name} that match"
        path["delete"] = _operation(
            entity.set_name, f"delete{entity.set_name}", summary, deleted, ("filter",)
        )
    return path


def _entity_path(entity: EntityType) -> Path:
    name, tag = entity.name, entity.set_name
    found = {"200": _answer(f"The {name}.", ref(name))}
    update = _body(ref(f"{name}Update"))
    patch = _body(ref(f"{name}Update"), **{"application/json-patch+json": ref("JsonPatch")})
    return {
        "parameters": [parameter("id")],
        "get": _operation(tag, f"read{name}", f"Read a {name}", found, ENTITY_OPTIONS),
        "patch": _operation(tag, f"change{name}", f"Change a {name}", found) | {"requestBody": patch},
        "put": _operation(tag, f"replace{name}", f"Replace a {name}", found) | {"requestBody": update},
        "delete": _operation(tag, f"delete{name}", f"Delete a {name}", {"200": {"description": "Deleted."}}),
    }


def _property_path(entity: EntityType, described: Property) -> Path:
    schema = {"type": "object", "properties": {described.name: property_schema(described)}}
    answers = {"200": _answer("The property.", schema), "204": {"$ref": "#/components/responses/Null"}}
    name = f"read{entity.name}_{described.name}"
    summary = f"Read {described.name} of a {entity.name}"
    return {
        "parameters": [parameter("id")],
        "get": _operation(entity.set_name, name, summary, answers),
    }


def _value_path(entity: EntityType, described: Property) -> Path:
    answer = _answer("The bare value.", {"type": "string"}, "text/plain")
    answer["content"][JSON] = {"schema": {}}
    answers = {"200": answer, "204": {"$ref": "#/components/responses/Null"}}
    name = f"read{entity.name}_{described.name}_value"
    summary = f"Read the bare {described.name} of a {entity.name}"
    return {
        "parameters": [parameter("id")],
        "get": _operation(entity.set_name, name, summary, answers),
    }


def _relation_path(entity: EntityType, relation: Relation) -> Path:
    target = target_of(relation)
    name = f"{entity.name}_{relation.name}"
    if relation.is_to_many:
        return {
            "parameters": [parameter("id")],
            "get": _read(target, f"list{name}", f"{target.name}Page"),
            "post": _create(target, f"create{name}", f"{target.name}Inline"),
        }
    found = {"200": _answer(f"The {target.name}.", ref(target.name))}
    summary = f"Read the {relation.name} of a {entity.name}"
    return {
        "parameters": [parameter("id")],
        "get": _operation(target.set_name, f"read{name}", summary, found, ENTITY_OPTIONS),
    }


def _reference_path(entity: EntityType, relation: Relation) -> Path:
    tag = target_of(relation).set_name
    name = f"{entity.name}_{relation.name}_references"
    options = SET_OPTIONS if relation.is_to_many else ()
    links = {"200": {"description": "Linked, or not any more."}}
    summary = f"{relation.name} of a {entity.name}"
    found = {"200": _answer("Addresses only.", ref("References"))}
    body = {"requestBody": _body(ref("Link"))}
    path: Path = {
        "parameters": [parameter("id")],
        "get": _operation(tag, f"read{name}", f"List the addresses of {summary}", found, options),
    }
    if relation.is_to_many:
        path["post"] = _operation(tag, f"add{name}", f"Link one more of the {summary}", links) | body
        path["delete"] = _operation(tag, f"remove{name}", f"Unlink {summary}", links, ("linked",))
    else:
        path["put"] = _operation(tag, f"set{name}", f"Link another {summary}", links) | body
        path["delete"] = _operation(tag, f"remove{name}", f"Unlink the {summary}", links)
    return path


def _special() -> Iterator[tuple[str, Path]]:
    landing = {"200": _answer("The landing page.", ref("LandingPage"))}
    yield "/", {"get": _operation("Service", "landingPage", "List the sets and what is served", landing)}
    described = {"200": _answer("This document.", {"type": "object"})}
    yield "/api", {"get": _operation("Service", "describe", "Describe the service", described)}
    rows = {"201": _answer("What became of each row.", ref("CreatedObservations"))}
    create = _operation("Observations", "createObservations", "Create many Observations", rows)
    yield "/CreateObservations", {"post": create | {"requestBody": _body(ref("DataArrays"))}}
    answers = {"200": _answer("What became of each request.", ref("BatchAnswer"))}
    answers["200"]["content"]["multipart/mixed"] = {"schema": {"type": "string"}}
    batch = _operation("Service", "batch", "Send many requests in one", answers, ("prefer",))
    multipart = {
        "type": "string",
        "description": "Parts of application/http; change sets are nested multipart.",
    }
    yield "/$batch", {"post": batch | {"requestBody": _body(ref("Batch"), **{"multipart/mixed": multipart})}}
