"""The tables of the service, as SQLAlchemy Core metadata.

What lives here: columns, keys, cascades and indexes of the entity types and their link tables, of who may see
them, of what still has to be sent to Kafka, and of what was changed. What does not: what the columns mean to
a client (`sensorthings.model.entities`) and how they came to be (`sensorthings.migrations`).

Texts carry the collation "C", so that they are compared and ordered by code point. A time that may be an
interval is a pair of columns, equal for an instant. Areas are four columns (degrees), so that they can be
widened by LEAST and GREATEST.

Datastreams and MultiDatastreams share a table and a sequence of ids, so that everything that concerns their
Observations (extents, retention, the store) is written once. An entity without a system is common: seen by
all, changed by administrators only.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    false,
    func,
    text,
    true,
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


def _owner(name: str, table: str, *, nullable: bool = False) -> Column[int]:
    target = f"{SCHEMA}.{table}.id"
    return Column(name, BigInteger, ForeignKey(target, ondelete="CASCADE"), nullable=nullable)


def _paired(name: str, table: str) -> Column[int]:
    """A column of a link table: part of its key."""
    return Column(name, BigInteger, ForeignKey(f"{SCHEMA}.{table}.id", ondelete="CASCADE"), primary_key=True)


def _system() -> Column[int]:
    return Column("system_id", BigInteger, ForeignKey(f"{SCHEMA}.system.id"), nullable=True, index=True)


def _feature() -> Column[int]:
    return Column(
        "generated_feature_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.feature_of_interest.id", ondelete="SET NULL"),
        nullable=True,
        index=True,
    )


system = Table("system", metadata, _id(), Column("name", Text(collation="C"), nullable=False, unique=True))
"""`domain.enterprise.workcenter.station`: whom entities belong to."""

principal = Table(
    "principal",
    metadata,
    _id(),
    Column("name", Text(collation="C"), nullable=False, unique=True),
    Column("is_admin", Boolean, nullable=False, server_default=false()),
    Column(
        "home_system_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.system.id", ondelete="SET NULL"),
        nullable=True,
        index=True,
    ),
    Column("certificate", Text(collation="C"), nullable=True, unique=True),
)
"""Who sends requests: a client app, a user, a service; its certificates may carry another name than it."""

access_grant = Table(
    "access_grant",
    metadata,
    _paired("principal_id", "principal"),
    _paired("system_id", "system"),
    Column("may_write", Boolean, nullable=False),
    Index(None, "system_id"),
)
"""Systems whose entities a principal sees, and may change."""

token = Table(
    "token",
    metadata,
    _id(),
    _owner("principal_id", "principal"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    _text("label"),
    Column("created", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _time("expires"),
    _time("revoked"),
    Index(None, "principal_id"),
)
"""Secrets of principals, as SHA-256 digests of random texts."""

thing = Table(
    "thing",
    metadata,
    _id(),
    _text("name"),
    _text("description"),
    _json("properties"),
    _system(),
    _feature(),
)

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
    _system(),
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
    _feature(),
    _system(),
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
    _system(),
)

observed_property = Table(
    "observed_property",
    metadata,
    _id(),
    _text("name"),
    _text("definition"),
    _text("description"),
    _json("properties"),
    _system(),
)

datastream = Table(
    "datastream",
    metadata,
    _id(),
    _text("name"),
    _text("description"),
    _json("unit_of_measurement", nullable=False),
    _text("observation_type"),
    _json("multi_observation_data_types"),
    Column("is_multi", Boolean, nullable=False, server_default=false()),
    _json("properties"),
    _time("phenomenon_start"),
    _time("phenomenon_end"),
    _time("result_start"),
    _time("result_end"),
    *_area(),
    _owner("thing_id", "thing"),
    _owner("sensor_id", "sensor"),
    _owner("observed_property_id", "observed_property", nullable=True),
    _system(),
    Index(None, "thing_id"),
    Index(None, "sensor_id"),
    Index(None, "observed_property_id"),
)
"""Datastreams and, where `is_multi`, MultiDatastreams: unit_of_measurement then is the array of units."""

datastream_observed_property = Table(
    "datastream_observed_property",
    metadata,
    _paired("datastream_id", "datastream"),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    _owner("observed_property_id", "observed_property"),
    Index(None, "observed_property_id"),
)
"""The ObservedProperties of a MultiDatastream, in the order of its results; one may be there twice."""

observation_ids = Sequence("observation_id_seq", metadata=metadata, data_type=BigInteger)
"""Ids of Observations; a sequence of its own, so that blocks of ids can be taken before rows are copied."""

observation = Table(
    "observation",
    metadata,
    Column(
        "id",
        BigInteger,
        nullable=False,
        server_default=text(f"nextval('{SCHEMA}.observation_id_seq'::regclass)"),
    ),
    _owner("datastream_id", "datastream"),
    _owner("feature_of_interest_id", "feature_of_interest"),
    _time("phenomenon_start", nullable=False),
    _time("phenomenon_end", nullable=False),
    Column("result_number", Double, nullable=True),
    _time("result_time"),
    Column("dt_id", Uuid, nullable=True),
    _time("valid_start"),
    _time("valid_end"),
    Column("is_multi", Boolean, nullable=False, server_default=false()),
    Column("result", JSONB(none_as_null=False), nullable=True),
    _json("result_quality"),
    _json("parameters"),
    PrimaryKeyConstraint("phenomenon_start", "id"),
    Index(None, "id"),
    Index("ix_observation_datastream_time", "datastream_id", text("phenomenon_start DESC"), "id"),
    Index(None, "feature_of_interest_id", "datastream_id"),
    postgresql_partition_by="RANGE (phenomenon_start)",
)
"""Observations, in one partition per month of their phenomenonTime.

A result that is a number is in result_number; where Postgres would print another text than the client's, and
for everything else, jsonb result holds it (`sensorthings.model.results`).
"""
Index(
    "uq_observation_dt_id",
    observation.c.dt_id,
    observation.c.phenomenon_start,
    observation.c.datastream_id,  # else a device could take the ids of another system's records
    unique=True,
    postgresql_where=observation.c.dt_id.is_not(None),
)

share = Table(
    "share",
    metadata,
    _paired("system_id", "system"),
    _paired("datastream_id", "datastream"),
    Column("contract", Text(collation="C"), primary_key=True),
    Column("observations", Boolean, nullable=False, server_default=true()),
    _time("since"),
    Index(None, "datastream_id"),
)
"""Datastreams that a contract lets a system see which they do not belong to, and how much of each."""

outbox = Table(
    "outbox",
    metadata,
    _id(),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("dt_id", Uuid, nullable=False),
    # Of the transaction that wrote the row: those below every open one's are complete.
    Column(
        "transaction",
        BigInteger,
        nullable=False,
        server_default=text("((pg_current_xact_id())::text)::bigint"),
    ),
)
"""Observations made over HTTP that Kafka has not got yet, written in the transaction that made them."""

change = Table(
    "change",
    metadata,
    Column("id", BigInteger, Identity(), nullable=False),
    # Of the transaction that wrote the row: those below every open one's are complete.
    Column(
        "transaction",
        BigInteger,
        nullable=False,
        server_default=text("((pg_current_xact_id())::text)::bigint"),
    ),
    Column("entity", Text, nullable=False),
    Column("ids", ARRAY(BigInteger), nullable=False),
    Column("columns", ARRAY(Text), nullable=True),
    Column("made", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("transaction", "id"),
)
"""Entities (by the name of their table) that a statement created or, where columns are named, changed."""

change_reader = Table(
    "change_reader",
    metadata,
    Column("principal", Text(collation="C"), primary_key=True),
    Column("name", Text(collation="C"), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("is_new", Boolean, nullable=False, server_default=true()),
    Column("transaction", BigInteger, nullable=False),
    Column("change_id", BigInteger, nullable=False),
    Column("next_transaction", BigInteger, nullable=False),
    Column("next_change_id", BigInteger, nullable=False),
    Column("seen", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""Who follows the changes: the last one that each is done with, and the last one of its last answer.

That answer has the number; whoever asks with it is done with it.
"""

thing_location = Table(
    "thing_location",
    metadata,
    _paired("thing_id", "thing"),
    _paired("location_id", "location"),
    Index(None, "location_id"),
)

historical_location_location = Table(
    "historical_location_location",
    metadata,
    _paired("historical_location_id", "historical_location"),
    _paired("location_id", "location"),
    Index(None, "location_id"),
)

for _named in (thing, location, sensor, observed_property, datastream, feature_of_interest):
    # A hash, because it takes texts of any length and names are looked up by equality.
    Index(None, _named.c.name, postgresql_using="hash")
