"""The tables of the service, as SQLAlchemy Core metadata.

What lives here: columns, keys, cascades and indexes of the eight entity types and their two link tables. What
does not: what the columns mean to a client (`sensorthings.model.entities`) and how they came to be
(`sensorthings.migrations`).

Texts carry the collation "C", so that they are compared and ordered by code point. A time that may be an
interval is a pair of columns, equal for an instant. Areas are four columns (degrees), so that they can be
widened by LEAST and GREATEST.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "sensorthings"
"""Postgres schema of all tables, so that a database can be shared."""

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(), primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text(collation="C"), nullable=False)


def _json(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, JSONB(none_as_null=True), nullable=nullable)


def _time(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _area() -> list[Column[float]]:
    return [Column(name, Double, nullable=True) for name in ("west", "south", "east", "north")]


def _owner(name: str, table: str) -> Column[int]:
    target = f"{SCHEMA}.{table}.id"
    return Column(name, BigInteger, ForeignKey(target, ondelete="CASCADE"), nullable=False)


thing = Table("thing", metadata, _id(), _text("name"), _text("description"), _json("properties"))

feature_of_interest = Table(
    "feature_of_interest",
    metadata,
    _id(),
    _text("name"),
    _text("description"),
    _text("encoding_type"),
    _json("feature", nullable=False),
    _json("properties"),
    *_area(),
)

location = Table(
    "location",
    metadata,
    _id(),
    _text("name"),
    _text("description"),
    _text("encoding_type"),
    _json("location", nullable=False),
    _json("properties"),
    Column(
        "generated_feature_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.feature_of_interest.id", ondelete="SET NULL"),
        nullable=True,
        index=True,
    ),
)

historical_location = Table(
    "historical_location",
    metadata,
    _id(),
    _time("time", nullable=False),
    _owner("thing_id", "thing"),
    Index(None, "thing_id", "time"),
)

sensor = Table(
    "sensor",
    metadata,
    _id(),
    _text("name"),
    _text("description"),
    _text("encoding_type"),
    _json("metadata", nullable=False),
    _json("properties"),
)

observed_property = Table(
    "observed_property",
    metadata,
    _id(),
    _text("name"),
    _text("definition"),
    _text("description"),
    _json("properties"),
)

datastream = Table(
    "datastream",
    metadata,
    _id(),
    _text("name"),
    _text("description"),
    _json("unit_of_measurement", nullable=False),
    _text("observation_type"),
    _json("properties"),
    _time("phenomenon_start"),
    _time("phenomenon_end"),
    _time("result_start"),
    _time("result_end"),
    *_area(),
    _owner("thing_id", "thing"),
    _owner("sensor_id", "sensor"),
    _owner("observed_property_id", "observed_property"),
    Index(None, "thing_id"),
    Index(None, "sensor_id"),
    Index(None, "observed_property_id"),
)

observation = Table(
    "observation",
    metadata,
    _id(),
    _time("phenomenon_start", nullable=False),
    _time("phenomenon_end", nullable=False),
    Column("result", JSONB(none_as_null=False), nullable=False),
    _time("result_time"),
    _json("result_quality"),
    _time("valid_start"),
    _time("valid_end"),
    _json("parameters"),
    _owner("datastream_id", "datastream"),
    _owner("feature_of_interest_id", "feature_of_interest"),
    Index(None, "datastream_id", "phenomenon_start", "id"),
    Index(None, "phenomenon_start", "id"),
    Index(None, "feature_of_interest_id", "datastream_id"),
)

thing_location = Table(
    "thing_location",
    metadata,
    Column("thing_id", BigInteger, ForeignKey(f"{SCHEMA}.thing.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "location_id", BigInteger, ForeignKey(f"{SCHEMA}.location.id", ondelete="CASCADE"), primary_key=True
    ),
    Index(None, "location_id"),
)

historical_location_location = Table(
    "historical_location_location",
    metadata,
    Column(
        "historical_location_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.historical_location.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column(
        "location_id", BigInteger, ForeignKey(f"{SCHEMA}.location.id", ondelete="CASCADE"), primary_key=True
    ),
    Index(None, "location_id"),
)

for _named in (thing, location, sensor, observed_property, datastream, feature_of_interest):
    # A hash, because it takes texts of any length and names are looked up by equality.
    Index(None, _named.c.name, postgresql_using="hash")
