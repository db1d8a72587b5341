"""Values of properties: kinds that only some entity types have."""

from typing import Any

import pytest

from sensorthings.errors import BodyError
from sensorthings.model.entities import DATASTREAM, MULTI_DATASTREAM, THING, EntityType
from sensorthings.writes.values import columns_of


def _columns(entity: EntityType, name: str, value: object) -> dict[str, Any]:
    described = entity.find_property(name)
    assert described is not None
    return columns_of(entity, described, value, f"/{name}")


@pytest.mark.parametrize("retention", ["P30D", "PT1H30M", "P2W", "PT0.5S", None])
def test_retention_is_a_duration_above_zero(retention: str | None) -> None:
    properties = {"retention": retention}

    assert _columns(DATASTREAM, "properties", properties) == {"properties": properties}


@pytest.mark.parametrize(
    "retention", ["", "P", "30 days", "P0D", "-P1D", "P1Y", 30, ["P1D"], "P99999999999D"]
)
@pytest.mark.parametrize("entity", [DATASTREAM, MULTI_DATASTREAM])
def test_wrong_retention_is_refused_with_its_place(entity: EntityType, retention: object) -> None:
    with pytest.raises(BodyError) as caught:
        _columns(entity, "properties", {"retention": retention})

    assert (caught.value.code, caught.value.place) == ("body.retention", "/properties/retention")


def test_retention_means_nothing_elsewhere() -> None:
    assert _columns(THING, "properties", {"retention": "soon"}) == {"properties": {"retention": "soon"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unitOfMeasurements", {}),
        ("unitOfMeasurements", []),
        ("unitOfMeasurements", ["C"]),
        ("multiObservationDataTypes", "OM_Measurement"),
        ("multiObservationDataTypes", []),
        ("multiObservationDataTypes", [None]),
    ],
)
def test_parts_of_multi_datastreams_are_arrays_of_their_kind(name: str, value: object) -> None:
    with pytest.raises(BodyError) as caught:
        _columns(MULTI_DATASTREAM, name, value)

    assert (caught.value.code, caught.value.place) == ("body.type", f"/{name}")
