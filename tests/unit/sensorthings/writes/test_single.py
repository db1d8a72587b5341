"""Which Observations one statement can make, and how they are shown."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from sensorthings.model.entities import OBSERVATION, THING
from sensorthings.writes.bodies import Draft, Reference
from sensorthings.writes.single import observation_text, stream_of

INLINE = Draft(THING)


@pytest.mark.parametrize(
    ("links", "parent_id", "stream_id"),
    [
        ({}, 5, 5),
        ({"FeatureOfInterest": [Reference(3)]}, 5, 5),
        ({"Datastream": [Reference(4)]}, None, 4),
        ({"Datastream": [Reference(4)], "FeatureOfInterest": [Reference(3)]}, None, 4),
        ({"Datastream": [Reference(4)]}, 5, None),
        ({"Datastream": [INLINE]}, None, None),
        ({"FeatureOfInterest": [INLINE]}, 5, None),
        ({"MultiDatastream": [Reference(4)]}, None, None),
    ],
)
def test_plain_observations_are_told_from_others(
    links: dict[str, Any], parent_id: int | None, stream_id: int | None
) -> None:
    assert stream_of(Draft(OBSERVATION, {"result": 1}, links), parent_id) == stream_id


def test_other_entities_and_chosen_ids_take_the_general_way() -> None:
    assert stream_of(Draft(THING), 5) is None
    assert stream_of(Draft(OBSERVATION, {"result": 1}, identifier=7), 5) is None


def test_observation_is_shown_with_its_links_and_without_what_it_lacks() -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, 120_000, tzinfo=UTC)
    values = {"phenomenon_start": time, "phenomenon_end": time, "result": None, "result_quality": None}

    assert orjson.loads(observation_text("http://h/v1.1", 9, values)) == {
        "@iot.id": 9,
        "@iot.selfLink": "http://h/v1.1/Observations(9)",
        "phenomenonTime": "2026-01-02T03:04:05.12Z",
        "result": None,
        "resultTime": None,
        "Datastream@iot.navigationLink": "http://h/v1.1/Observations(9)/Datastream",
        "FeatureOfInterest@iot.navigationLink": "http://h/v1.1/Observations(9)/FeatureOfInterest",
    }
