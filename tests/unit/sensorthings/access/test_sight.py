"""Every type has a source under every sight, and none of them shows a row without a condition."""

import pytest
from sqlalchemy import func, select

from sensorthings.access.sight import Sight
from sensorthings.database import prepare
from sensorthings.model.entities import ENTITY_TYPES, EntityType

BINDS = {
    Sight.ALL: set(),
    Sight.OWN: {"sight_systems"},
    Sight.SHARED: {"sight_systems", "sight_shared"},
    Sight.LIMITED: {"sight_systems", "sight_shared"},
    Sight.WRITE: {"sight_writes"},
}
SINCE = {"sight_since_ids", "sight_since_times"}
LIMITED_BINDS = {
    "Datastream": {"sight_systems", "sight_shared", "sight_limited", *SINCE},
    "MultiDatastream": {"sight_systems", "sight_shared", "sight_limited", *SINCE},
    "Observation": {"sight_systems", "sight_observed", *SINCE},
    "FeatureOfInterest": {"sight_systems", "sight_observed", *SINCE},
}


@pytest.mark.parametrize("sight", Sight)
@pytest.mark.parametrize("entity", ENTITY_TYPES, ids=lambda one: one.name)
def test_a_source_depends_on_who_asks(entity: EntityType, sight: Sight) -> None:
    source = sight.source(entity)
    assert set(entity.table.c.keys()) == set(source.c.keys())
    made = prepare(select(func.count()).select_from(source))
    expected = BINDS[sight]
    if entity.name == "HistoricalLocation" and sight in {Sight.SHARED, Sight.LIMITED}:
        expected = BINDS[Sight.OWN]  # where a Thing was is not shared
    elif sight is Sight.LIMITED:
        expected = LIMITED_BINDS.get(entity.name, expected)
    assert set(made.parameters) == expected


@pytest.mark.parametrize("sight", Sight)
def test_datastreams_and_multi_datastreams_are_told_apart(sight: Sight) -> None:
    found = {
        entity.name: "is_multi IS" in str(select(sight.source(entity)).compile())
        for entity in ENTITY_TYPES
        if entity.table.name == "datastream"
    }
    assert found == {"Datastream": True, "MultiDatastream": True}


def test_two_sources_of_a_type_are_two_aliases() -> None:
    thing = ENTITY_TYPES[0]
    for sight in Sight:
        one, other = sight.source(thing), sight.source(thing)
        assert one is not other
        prepare(select(one.c.id).join_from(one, other, one.c.id == other.c.id))


@pytest.mark.parametrize("entity", ENTITY_TYPES, ids=lambda one: one.name)
@pytest.mark.parametrize("sight", [one for one in Sight if one is not Sight.LIMITED])
def test_nobody_else_pays_for_limited_shares(entity: EntityType, sight: Sight) -> None:
    text = str(select(sight.source(entity)).compile())
    assert not any(name in text for name in ("sight_limited", "sight_observed", "sight_since"))


def test_a_limited_datastream_does_not_tell_of_its_hidden_observations() -> None:
    columns = Sight.LIMITED.source(next(one for one in ENTITY_TYPES if one.name == "Datastream")).c
    told = {name for name in columns.keys() if name.endswith(("_start", "_end"))}  # noqa: SIM118 - no dict
    for name in told | {"west", "south", "east", "north"}:
        assert "sight_limited" in prepare(select(columns[name])).parameters, name
