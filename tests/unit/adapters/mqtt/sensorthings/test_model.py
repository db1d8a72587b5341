"""The table of sets and relations is the service's own, and paths are read by it."""

import pytest

from adapters.mqtt.sensorthings.model import TO_ONE, Path, leads_to, read_path
from sensorthings.model.entities import ENTITY_TYPES, target_of


def test_sets_and_relations_are_those_of_the_service() -> None:
    assert set(TO_ONE) == {entity.set_name for entity in ENTITY_TYPES}
    for entity in ENTITY_TYPES:
        to_one = {one.name: target_of(one).set_name for one in entity.relations if one.own_column is not None}
        assert TO_ONE[entity.set_name] == to_one
        assert all(one.inverse == entity.set_name for one in entity.relations if one.own_column is not None)
        to_many = {one.name for one in entity.relations if one.is_to_many}
        assert {name for name in TO_ONE if leads_to(entity.set_name, name)} == to_many


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Things", Path("Things", None, None, is_set=True, member=None, length=1)),
        ("Things(2)", Path("Things", None, 2, is_set=False, member=None, length=1)),
        ("Things(2)/name", Path("Things", None, 2, is_set=False, member="name", length=1)),
        (
            "Datastreams(1)/Observations",
            Path("Observations", ("Datastreams", 1), None, is_set=True, member=None, length=2),
        ),
        (
            "Datastreams(1)/Thing",
            Path("Things", ("Datastreams", 1), None, is_set=False, member=None, length=2),
        ),
        (
            "Things(1)/Datastreams(2)/Observations",
            Path("Observations", None, None, is_set=True, member=None, length=3),
        ),
    ],
)
def test_a_path_is_read(text: str, path: Path) -> None:
    assert read_path(text) == path


@pytest.mark.parametrize(
    "text", ["", "Nothing", "Things/Datastreams", "Things(1)/name/x", "Things(x)", "Things(1)/properties/a"]
)
def test_what_is_no_path_of_entities_is_none(text: str) -> None:
    assert read_path(text) is None
