"""Addresses: which paths are understood, and as what."""

import pytest

from sensorthings.errors import EntityMissingError
from sensorthings.http.paths import parse_path
from sensorthings.queries.resources import Shape


@pytest.mark.parametrize(
    ("text", "shape", "entities", "members"),
    [
        ("Things", Shape.SET, ["Thing"], ()),
        ("/Things/", Shape.SET, ["Thing"], ()),
        ("Things(1)", Shape.ENTITY, ["Thing"], ()),
        ("Things(1)/Datastreams", Shape.SET, ["Thing", "Datastream"], ()),
        (
            "Things(1)/Datastreams(2)/Observations(3)/FeatureOfInterest",
            Shape.ENTITY,
            ["Thing", "Datastream", "Observation", "FeatureOfInterest"],
            (),
        ),
        (
            "Observations(1)/Datastream/Thing/Locations",
            Shape.SET,
            ["Observation", "Datastream", "Thing", "Location"],
            (),
        ),
        ("Things(1)/Datastreams/$ref", Shape.REFERENCE, ["Thing", "Datastream"], ()),
        ("Things(1)/name", Shape.PROPERTY, ["Thing"], ("name",)),
        ("Things(1)/name/$value", Shape.VALUE, ["Thing"], ("name",)),
        ("Things(1)/properties/a b/c(1)", Shape.PROPERTY, ["Thing"], ("properties", "a b", "c(1)")),
        (
            "Locations(1)/location/coordinates/0",
            Shape.PROPERTY,
            ["Location"],
            ("location", "coordinates", "0"),
        ),
        (
            "Observations(1)/Datastream/unitOfMeasurement/name/$value",
            Shape.VALUE,
            ["Observation", "Datastream"],
            ("unitOfMeasurement", "name"),
        ),
    ],
)
def test_path_leads_over_its_entities(
    text: str, shape: Shape, entities: list[str], members: tuple[str, ...]
) -> None:
    found = parse_path(text)

    assert (found.shape, [step.entity.name for step in found.steps], found.members) == (
        shape,
        entities,
        members,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Foo",
        "things",
        "Things(x)",
        "Things('1')",
        "Things(-1)",
        "Things()",
        "Things(1",
        "Things(9223372036854775808)",
        "Things(" + "9" * 5000 + ")",
        "Things/Datastreams",
        "Things/name",
        "Things(1)/Foo",
        "Things(1)/name(1)",
        "Things(1)/name/foo",
        "Things(1)/$value",
        "Things(1)//Datastreams",
        "Observations(1)/Datastream(1)",
        "Things(1)/Datastreams/$ref/name",
        "Things(1)" + "/Datastreams(1)/Thing" * 20,
    ],
)
def test_what_cannot_be_there_is_not_found(text: str) -> None:
    with pytest.raises(EntityMissingError):
        parse_path(text)
