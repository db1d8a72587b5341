"""The OpenAPI document: complete, consistent in itself, and for the address that the client uses."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from sensorthings.access.principals import ANYONE
from sensorthings.http import openapi
from sensorthings.http.landing import landing_page
from sensorthings.http.messages import Request
from sensorthings.http.openapi.document import describe
from sensorthings.model.entities import ENTITY_TYPES, EntityType
from sensorthings.settings import Settings, read_settings

ROOT = "https://twin.example.org/sta/v1.1"


@pytest.fixture
def described() -> dict[str, Any]:
    return describe(ROOT, "v1.1")


def _settings(**changes: object) -> Settings:
    return read_settings(database_url="postgresql://u@h/d", **changes)


def _request() -> Request:
    return Request("GET", "", "", {}, b"", ROOT, "v1.1", ANYONE)


def _nodes(node: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    for child in children:
        yield from _nodes(child)


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    pointers = [node["$ref"] for node in _nodes(described) if isinstance(node.get("$ref"), str)]

    assert pointers
    for pointer in pointers:
        place: Any = described
        for key in pointer.removeprefix("#/").split("/"):
            place = place[key]


def test_every_component_is_used(described: dict[str, Any]) -> None:
    used = {node["$ref"] for node in _nodes(described) if isinstance(node.get("$ref"), str)}

    for kind in ("schemas", "parameters", "responses"):
        names = {f"#/components/{kind}/{name}" for name in described["components"][kind]}
        assert names <= used


def test_every_operation_has_a_name_of_its_own(described: dict[str, Any]) -> None:
    names = [node["operationId"] for node in _nodes(described["paths"]) if "operationId" in node]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("entity", ENTITY_TYPES, ids=lambda one: one.name)
def test_every_entity_has_all_its_addresses(described: dict[str, Any], entity: EntityType) -> None:
    paths = described["paths"]
    one = f"/{entity.set_name}({{id}})"

    assert {"get", "post"} <= paths[f"/{entity.set_name}"].keys()
    assert {"get", "patch", "put", "delete"} <= paths[one].keys()
    for name in (described.name for described in entity.properties):
        assert {f"{one}/{name}", f"{one}/{name}/$value"} <= paths.keys()
    for relation in entity.relations:
        assert ("post" in paths[f"{one}/{relation.name}"]) == relation.is_to_many
        assert f"{one}/{relation.name}/$ref" in paths


def test_a_new_datastream_needs_the_links_that_its_path_does_not_give(
    described: dict[str, Any],
) -> None:
    paths, schemas = described["paths"], described["components"]["schemas"]

    def body(path: str) -> str:
        schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return str(schema["$ref"]).rpartition("/")[2]

    assert body("/Datastreams") == "DatastreamCreate"
    assert schemas["DatastreamCreate"]["allOf"][1]["required"] == ["Thing", "Sensor", "ObservedProperty"]
    assert body("/Things({id})/Datastreams") == "DatastreamInline"
    assert "Thing" not in schemas["DatastreamInline"]["required"]
    assert "phenomenonTime" not in schemas["DatastreamInline"]["properties"]


def test_changes_take_links_only(described: dict[str, Any]) -> None:
    schema = described["components"]["schemas"]["DatastreamUpdate"]

    assert schema["properties"]["Thing"] == {"$ref": "#/components/schemas/Link"}
    assert "required" not in schema


def test_strangers_are_mentioned_only_where_they_may_come() -> None:
    assert {} not in describe(ROOT, "v1.1")["security"]
    assert {} in describe(ROOT, "v1.1", anonymous="read")["security"]


def test_deleting_a_set_is_described_only_where_it_is_on() -> None:
    assert "delete" not in describe(ROOT, "v1.1")["paths"]["/Things"]
    assert "delete" in describe(ROOT, "v1.1", is_filtered_delete_on=True)["paths"]["/Things"]


def test_the_document_is_for_the_address_that_the_client_uses() -> None:
    answer = openapi.document(_request(), _settings())

    assert orjson.loads(answer.body)["servers"] == [{"url": ROOT}]


def test_the_landing_page_tells_what_is_set_for_a_requirement() -> None:
    page = orjson.loads(landing_page(_request(), _settings(page_size=7)).body)

    settings = page["serverSettings"]
    standard = "http://www.opengis.net/spec/iot_sensing/1.1/req"
    assert {one["url"] for one in page["value"]} == {f"{ROOT}/{one.set_name}" for one in ENTITY_TYPES}
    assert settings[f"{standard}/request-data/top"]["default"] == 7
    assert settings[f"{standard}/batch-request/batch-request"]["url"] == f"{ROOT}/$batch"
    assert settings.keys() - {"conformance"} <= set(settings["conformance"])


def test_the_landing_page_names_extensions_only_where_they_are_on() -> None:
    def own(**changes: object) -> set[str]:
        page = orjson.loads(landing_page(_request(), _settings(**changes)).body)
        return {one for one in page["serverSettings"]["conformance"] if one.endswith("filtered-delete")}

    assert not own()
    assert own(filtered_delete=True)
