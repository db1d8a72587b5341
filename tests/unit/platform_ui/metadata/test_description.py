"""What the explorer's pages are told of entity types, and which paths they may read."""

import json

import pytest

from platform_ui.metadata.description import describe, is_readable
from sensorthings.model.entities import ENTITY_TYPES


@pytest.mark.parametrize(
    "path",
    [
        "",
        "Things",
        "Things(1)",
        "Things(-3)",
        "Things('it''s')/Datastreams",
        "Datastreams(1)/Observations/$ref",
        "Datastreams(1)/unitOfMeasurement/name/$value",
        "Observations(1)/Datastream/Thing/Locations",
        "Observations(1)/result[0]",
        "Things(1)/properties/Größe in-cm.x",
    ],
)
def test_paths_of_the_standard_can_be_read(path: str) -> None:
    assert is_readable(path)


@pytest.mark.parametrize(
    "path",
    [
        "$batch",
        "CreateObservations",
        "access/principals",
        "../v1.0/Things",
        "Things/..",
        "Things/.",
        "Things(1)/properties/..\n",
        "Things/../../health/ready",
        "Things(1)/",
        "/Things",
        "Things(1)//Datastreams",
        "Things(1 or 1)",
        "Things('a/b')",
        "Things?x=1",
        "Things#x",
        "Things\n",
        "http://elsewhere.test/Things",
        "Things/$batch",
        "Things" + "/Things" * 20,
    ],
)
def test_other_paths_cannot(path: str) -> None:
    assert not is_readable(path)


def test_every_entity_type_is_described_with_all_its_parts() -> None:
    document = json.loads(json.dumps(describe()))
    assert [one["set"] for one in document["types"]] == [one.set_name for one in ENTITY_TYPES]
    for described, entity in zip(document["types"], ENTITY_TYPES, strict=True):
        names = [one["name"] for one in described["properties"] + described["relations"]]
        assert names == list(entity.names())


def test_every_property_has_a_meaning_and_every_relation_leads_to_a_type() -> None:
    types = describe()["types"]
    names = {one["name"] for one in types}
    assert [one["name"] for kind in types for one in kind["properties"] if not one["meaning"]] == []
    assert {one["target"] for kind in types for one in kind["relations"]} <= names
