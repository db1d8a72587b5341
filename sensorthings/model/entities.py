"""The entity types of SensorThings, described once: properties, relations, what is mandatory.

What lives here: data that reading, writing, deleting and every check follow. What does not: SQL or HTTP. A
further entity type (Tasking) is a further description here.

Source: OGC 18-088, clause 8.2 (requirements class "datamodel"), tables 2 to 17; clause 11.2
("multi-datastream").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Column, Table

from sensorthings.model import tables


class Kind(Enum):
    """What a property holds, and so how it is read, stored, shown and compared."""

    TEXT = auto()
    """A string."""
    ANY = auto()
    """Any JSON value but null."""
    OBJECT = auto()
    """A JSON object."""
    RESULT = auto()
    """Any JSON value, null too."""
    UNIT = auto()
    """A JSON object with the keys name, symbol, definition."""
    UNITS = auto()
    """A JSON array of units, one for each part of a result."""
    TYPES = auto()
    """A JSON array of observation types, one for each part of a result."""
    INSTANT = auto()
    """One time."""
    PERIOD = auto()
    """An interval; stored as start and end."""
    MOMENT = auto()
    """A time or an interval; stored as start and end, equal for a time."""
    AREA = auto()
    """A GeoJSON geometry around an area; stored as west, south, east, north."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an entity type.

    Attributes:
        name: Name on the wire.
        kind: What it holds.
        columns: Columns it is stored in: one, two (start, end) or four (west, south, east, north).
        is_mandatory: A POST without it is refused.
        has_default: Mandatory, but the server fills it in.
        is_server_set: A client's value is ignored.
        shows_null: Shown as null when there is no value; others are left out.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    is_mandatory: bool = False
    has_default: bool = False
    is_server_set: bool = False
    shows_null: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation of an entity type to another one, by exactly one of three ways.

    Attributes:
        name: Name on the wire, such as `Datastreams`.
        target: Name of the other entity type.
        inverse: Name of the same relation seen from there.
        own_column: The own table's column with the other's id (to-one).
        foreign_column: The other table's column with the own id (to-many).
        link: Table of pairs, with the columns of own and other id (many to many).
        order_column: Column of the table of pairs that keeps the order; None where there is no order.
        is_mandatory: A POST without it is refused.
    """

    name: str
    target: str
    inverse: str
    own_column: str | None = None
    foreign_column: str | None = None
    link: tuple[Table, str, str] | None = None
    order_column: str | None = None
    is_mandatory: bool = False

    @property
    def is_to_many(self) -> bool:
        """Whether the relation leads to a set."""
        return self.own_column is None


@dataclass(frozen=True, slots=True)
class EntityType:
    """One entity type.

    Attributes:
        name: Singular, such as `Thing`.
        set_name: Plural, such as `Things`.
        table: Where it is stored.
        properties: In the order of the standard's table.
        relations: In the order in which a deep insert makes them: Locations before Observations need them.
        is_multi: For the two types that share a table: which of its rows are meant.
        natural_key: Columns that tell entities of one system (one Thing, one Datastream) apart.
    """

    name: str
    set_name: str
    table: Table
    properties: tuple[Property, ...]
    relations: tuple[Relation, ...]
    is_multi: bool | None = None
    natural_key: tuple[str, ...] = ("name",)

    def find_property(self, name: str) -> Property | None:
        """Find a property by its name on the wire."""
        return next((one for one in self.properties if one.name == name), None)

    def find_relation(self, name: str) -> Relation | None:
        """Find a relation by its name on the wire."""
        return next((one for one in self.relations if one.name == name), None)

    @property
    def id_column(self) -> Column[int]:
        """The column with the entity's id."""
        return self.table.c.id

    def names(self) -> Iterator[str]:
        """Give the names of all properties, then of all relations."""
        yield from (one.name for one in self.properties)
        yield from (one.name for one in self.relations)


def _text(name: str, column: str | None = None) -> Property:
    return Property(name, Kind.TEXT, (column or name,), is_mandatory=True)


_NAME = _text("name")
_DESCRIPTION = _text("description")
_ENCODING = _text("encodingType", "encoding_type")
_PROPERTIES = Property("properties", Kind.OBJECT, ("properties",))
_EXTENTS = (
    Property("observedArea", Kind.AREA, ("west", "south", "east", "north"), is_server_set=True),
    Property("phenomenonTime", Kind.PERIOD, ("phenomenon_start", "phenomenon_end"), is_server_set=True),
    Property("resultTime", Kind.PERIOD, ("result_start", "result_end"), is_server_set=True),
)
_MULTI_PROPERTIES = tables.datastream_observed_property
_THING_LOCATION = tables.thing_location
_HISTORY = tables.historical_location_location

THING = EntityType(
    "Thing",
    "Things",
    tables.thing,
    (_NAME, _DESCRIPTION, _PROPERTIES),
    (
        Relation("Locations", "Location", "Things", link=(_THING_LOCATION, "thing_id", "location_id")),
        Relation("HistoricalLocations", "HistoricalLocation", "Thing", foreign_column="thing_id"),
        Relation("Datastreams", "Datastream", "Thing", foreign_column="thing_id"),
        Relation("MultiDatastreams", "MultiDatastream", "Thing", foreign_column="thing_id"),
    ),
)
LOCATION = EntityType(
    "Location",
    "Locations",
    tables.location,
    (
        _NAME,
        _DESCRIPTION,
        _ENCODING,
        Property("location", Kind.ANY, ("location",), is_mandatory=True),
        _PROPERTIES,
    ),
    (
        Relation("Things", "Thing", "Locations", link=(_THING_LOCATION, "location_id", "thing_id")),
        Relation(
            "HistoricalLocations",
            "HistoricalLocation",
            "Locations",
            link=(_HISTORY, "location_id", "historical_location_id"),
        ),
    ),
)
HISTORICAL_LOCATION = EntityType(
    "HistoricalLocation",
    "HistoricalLocations",
    tables.historical_location,
    (Property("time", Kind.INSTANT, ("time",), is_mandatory=True),),
    (
        Relation("Thing", "Thing", "HistoricalLocations", own_column="thing_id", is_mandatory=True),
        Relation(
            "Locations",
            "Location",
            "HistoricalLocations",
            link=(_HISTORY, "historical_location_id", "location_id"),
            is_mandatory=True,
        ),
    ),
    natural_key=("time",),
)
DATASTREAM = EntityType(
    "Datastream",
    "Datastreams",
    tables.datastream,
    (
        _NAME,
        _DESCRIPTION,
        Property("unitOfMeasurement", Kind.UNIT, ("unit_of_measurement",), is_mandatory=True),
        _text("observationType", "observation_type"),
        _PROPERTIES,
        *_EXTENTS,
    ),
    (
        Relation("Thing", "Thing", "Datastreams", own_column="thing_id", is_mandatory=True),
        Relation("Sensor", "Sensor", "Datastreams", own_column="sensor_id", is_mandatory=True),
        Relation(
            "ObservedProperty",
            "ObservedProperty",
            "Datastreams",
            own_column="observed_property_id",
            is_mandatory=True,
        ),
        Relation("Observations", "Observation", "Datastream", foreign_column="datastream_id"),
    ),
    is_multi=False,
)
MULTI_DATASTREAM = EntityType(
    "MultiDatastream",
    "MultiDatastreams",
    tables.datastream,
    (
        _NAME,
        _DESCRIPTION,
        Property(
            "multiObservationDataTypes", Kind.TYPES, ("multi_observation_data_types",), is_mandatory=True
        ),
        Property("unitOfMeasurements", Kind.UNITS, ("unit_of_measurement",), is_mandatory=True),
        Property("observationType", Kind.TEXT, ("observation_type",), is_mandatory=True, has_default=True),
        _PROPERTIES,
        *_EXTENTS,
    ),
    (
        Relation("Thing", "Thing", "MultiDatastreams", own_column="thing_id", is_mandatory=True),
        Relation("Sensor", "Sensor", "MultiDatastreams", own_column="sensor_id", is_mandatory=True),
        Relation(
            "ObservedProperties",
            "ObservedProperty",
            "MultiDatastreams",
            link=(_MULTI_PROPERTIES, "datastream_id", "observed_property_id"),
            order_column="position",
            is_mandatory=True,
        ),
        Relation("Observations", "Observation", "MultiDatastream", foreign_column="datastream_id"),
    ),
    is_multi=True,
)
SENSOR = EntityType(
    "Sensor",
    "Sensors",
    tables.sensor,
    (
        _NAME,
        _DESCRIPTION,
        _ENCODING,
        Property("metadata", Kind.ANY, ("metadata",), is_mandatory=True),
        _PROPERTIES,
    ),
    (
        Relation("Datastreams", "Datastream", "Sensor", foreign_column="sensor_id"),
        Relation("MultiDatastreams", "MultiDatastream", "Sensor", foreign_column="sensor_id"),
    ),
)
OBSERVED_PROPERTY = EntityType(
    "ObservedProperty",
    "ObservedProperties",
    tables.observed_property,
    (_NAME, _text("definition"), _DESCRIPTION, _PROPERTIES),
    (
        Relation("Datastreams", "Datastream", "ObservedProperty", foreign_column="observed_property_id"),
        Relation(
            "MultiDatastreams",
            "MultiDatastream",
            "ObservedProperties",
            link=(_MULTI_PROPERTIES, "observed_property_id", "datastream_id"),
        ),
    ),
)
OBSERVATION = EntityType(
    "Observation",
    "Observations",
    tables.observation,
    (
        Property(
            "phenomenonTime",
            Kind.MOMENT,
            ("phenomenon_start", "phenomenon_end"),
            is_mandatory=True,
            has_default=True,
        ),
        Property("result", Kind.RESULT, ("result", "result_number"), is_mandatory=True, shows_null=True),
        Property(
            "resultTime",
            Kind.INSTANT,
            ("result_time",),
            is_mandatory=True,
            has_default=True,
            shows_null=True,
        ),
        Property("resultQuality", Kind.ANY, ("result_quality",)),
        Property("validTime", Kind.PERIOD, ("valid_start", "valid_end")),
        Property("parameters", Kind.OBJECT, ("parameters",)),
    ),
    (
        # One of the two is mandatory; both are kept in one column, because their entities share a table.
        Relation("Datastream", "Datastream", "Observations", own_column="datastream_id"),
        Relation("MultiDatastream", "MultiDatastream", "Observations", own_column="datastream_id"),
        # Mandatory in the model, but made from the Thing's Location when it is not given.
        Relation(
            "FeatureOfInterest", "FeatureOfInterest", "Observations", own_column="feature_of_interest_id"
        ),
    ),
    natural_key=("phenomenon_start", "phenomenon_end"),
)
FEATURE_OF_INTEREST = EntityType(
    "FeatureOfInterest",
    "FeaturesOfInterest",
    tables.feature_of_interest,
    (
        _NAME,
        _DESCRIPTION,
        _ENCODING,
        Property("feature", Kind.ANY, ("feature",), is_mandatory=True),
        _PROPERTIES,
    ),
    (Relation("Observations", "Observation", "FeatureOfInterest", foreign_column="feature_of_interest_id"),),
)

ENTITY_TYPES: tuple[EntityType, ...] = (
    THING,
    LOCATION,
    HISTORICAL_LOCATION,
    DATASTREAM,
    MULTI_DATASTREAM,
    SENSOR,
    OBSERVED_PROPERTY,
    OBSERVATION,
    FEATURE_OF_INTEREST,
)
"""All entity types, in the order of the landing page."""

BY_NAME = {one.name: one for one in ENTITY_TYPES}
BY_SET_NAME = {one.set_name: one for one in ENTITY_TYPES}


def target_of(relation: Relation) -> EntityType:
    """Give the entity type a relation leads to."""
    return BY_NAME[relation.target]
