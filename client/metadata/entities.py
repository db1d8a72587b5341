"""The SensorThings entities a client describes itself with, as frozen values; pure, no I/O.

What lives here: Thing with its Location, Sensor, ObservedProperty, Datastream. What does not: their JSON form
(`wire`), how they get to the service (`server`, `registration`).
Source: OGC 18-088, clause 8.2 "The Sensing Entities"; attributes are the snake_case of its names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

EntityId: TypeAlias = int | str


class ObservationType(StrEnum):
    """What the results of a Datastream are; the value is the last part of the URI in observationType."""

    MEASUREMENT = "OM_Measurement"
    COUNT_OBSERVATION = "OM_CountObservation"
    TRUTH_OBSERVATION = "OM_TruthObservation"
    CATEGORY_OBSERVATION = "OM_CategoryObservation"
    OBSERVATION = "OM_Observation"

    @property
    def uri(self) -> str:
        """The URI that stands in the attribute observationType."""
        return OBSERVATION_TYPE_PREFIX + self.value


OBSERVATION_TYPE_PREFIX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"


@dataclass(frozen=True, slots=True)
class UnitOfMeasurement:
    """Unit of a Datastream's results; all None when results have none (OGC 18-088, table 10)."""

    name: str | None
    symbol: str | None
    definition: str | None
    abbreviation: str | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """Where a Thing is: a point on the globe (WGS 84); without a name it is called after the Thing."""

    latitude: float
    longitude: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of the physical or the information world; nothing is said of its place without a Location."""

    name: str
    description: str
    properties: Mapping[str, object] = field(default_factory=dict)
    iot_id: EntityId | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """An instrument that observes a property."""

    name: str
    description: str
    encoding_type: str
    metadata: object
    properties: Mapping[str, object] = field(default_factory=dict)
    iot_id: EntityId | None = None


@dataclass(frozen=True, slots=True)
class ObservedProperty:
    """What is observed, for example the temperature of the air."""

    name: str
    description: str
    definition: str
    properties: Mapping[str, object] = field(default_factory=dict)
    iot_id: EntityId | None = None


@dataclass(frozen=True, slots=True)
class Datastream:
    """The Observations of one ObservedProperty by one Sensor at one Thing."""

    name: str
    description: str
    observation_type: ObservationType
    unit_of_measurement: UnitOfMeasurement
    thing: Thing
    sensor: Sensor
    observed_property: ObservedProperty
    properties: Mapping[str, object] = field(default_factory=dict)
    iot_id: EntityId | None = None


Entity: TypeAlias = Thing | Sensor | ObservedProperty | Datastream
