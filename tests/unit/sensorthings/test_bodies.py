"""Request bodies: what is taken, what is refused, and where the mistake is said to be."""

from typing import Any

import pytest

from sensorthings.errors import BodyError
from sensorthings.model.entities import DATASTREAM, ENTITY_TYPES, OBSERVATION, THING, target_of
from sensorthings.writes.bodies import Draft, Mode, Reference, read_body

SENSOR = {"name": "S", "description": "s", "encodingType": "text/html", "metadata": "m"}


def _datastream(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a JSON body
    return {
        "name": "D",
        "description": "d",
        "unitOfMeasurement": {},
        "observationType": "o",
        "Thing": {"@iot.id": 1},
        "Sensor": {"@iot.id": 2},
        "ObservedProperty": {"@iot.id": 3},
    } | more


def test_relations_lead_back_to_where_they_came_from() -> None:
    for entity in ENTITY_TYPES:
        for relation in entity.relations:
            back = target_of(relation).find_relation(relation.inverse)
            assert back is not None
            assert (back.inverse, back.target) == (relation.name, entity.name)


def test_links_and_inline_entities_are_told_apart() -> None:
    draft = read_body(DATASTREAM, _datastream(Sensor=SENSOR), Mode.CREATE)

    assert draft.links["Thing"] == [Reference(1)]
    assert isinstance(draft.links["Sensor"][0], Draft)
    assert draft.links["Sensor"][0].values["encoding_type"] == "text/html"


def test_what_the_server_sets_and_annotations_are_passed_over() -> None:
    body = _datastream(
        **{"phenomenonTime": "x", "observedArea": 5, "@iot.selfLink": 9, "Thing@iot.navigationLink": "y"}
    )

    assert read_body(DATASTREAM, body, Mode.CREATE).values.keys() == {
        "name",
        "description",
        "unit_of_measurement",
        "observation_type",
    }


def test_null_result_is_a_result() -> None:
    draft = read_body(OBSERVATION, {"result": None, "Datastream": {"@iot.id": 1}}, Mode.CREATE)

    assert draft.values == {"result": None}


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"name": 1}, "body.type", "/name"),
        ({"unitOfMeasurement": "C"}, "body.type", "/unitOfMeasurement"),
        ({"nam": "x"}, "body.unknown_property", "/nam"),
        ({"Thing": 5}, "body.not_object", "/Thing"),
        ({"Thing": {"@iot.id": True}}, "body.link", "/Thing"),
        ({"Thing": {"@iot.id": -1}}, "body.link_missing", "/Thing"),
        ({"Sensor": {"name": "S"}}, "body.missing_property", "/Sensor"),
        ({"Observations": {}}, "body.link", "/Observations"),
        ({"Observations": [{"result": 1}, {}]}, "body.missing_property", "/Observations/1"),
        ({"Observations": [{"result": 1, "resultTime": "no"}]}, "body.time", "/Observations/0/resultTime"),
    ],
)
def test_mistakes_are_told_with_their_place(change: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(BodyError) as caught:
        read_body(DATASTREAM, _datastream() | change, Mode.CREATE)

    assert (caught.value.code, caught.value.place) == (code, place)


def test_misspelt_property_gets_a_suggestion() -> None:
    with pytest.raises(BodyError) as caught:
        read_body(THING, {"nmae": "T"}, Mode.CREATE)

    assert caught.value.hint == "Did you mean name?"


def test_patch_needs_nothing_and_takes_no_inline_entity() -> None:
    assert read_body(DATASTREAM, {}, Mode.PATCH) == Draft(DATASTREAM)
    with pytest.raises(BodyError) as caught:
        read_body(DATASTREAM, {"Thing": {"@iot.id": 1, "name": "T"}}, Mode.PATCH)
    assert caught.value.code == "body.inline_entity"
