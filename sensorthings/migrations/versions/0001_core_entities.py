"""The eight entity types, their two link tables and their indexes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "sensorthings"
TABLES = (
    "observation",
    "datastream",
    "historical_location_location",
    "thing_location",
    "historical_location",
    "location",
    "thing",
    "sensor",
    "observed_property",
    "feature_of_interest",
)


def upgrade() -> None:
    _create_metadata_tables()
    _create_location_tables()
    _create_observation_tables()


def downgrade() -> None:
    for name in TABLES:
        op.drop_table(name, schema=SCHEMA)


def _create_metadata_tables() -> None:
    op.create_table(
        "feature_of_interest",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=False),
        sa.Column("encoding_type", sa.Text(collation="C"), nullable=False),
        sa.Column("feature", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("properties", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("west", sa.Double(), nullable=True),
        sa.Column("south", sa.Double(), nullable=True),
        sa.Column("east", sa.Double(), nullable=True),
        sa.Column("north", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feature_of_interest")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_feature_of_interest_name"),
        "feature_of_interest",
        ["name"],
        unique=False,
        schema=SCHEMA,
        postgresql_using="hash",
    )
    op.create_table(
        "observed_property",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("definition", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=False),
        sa.Column("properties", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observed_property")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_observed_property_name"),
        "observed_property",
        ["name"],
        unique=False,
        schema=SCHEMA,
        postgresql_using="hash",
    )
    op.create_table(
        "sensor",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=False),
        sa.Column("encoding_type", sa.Text(collation="C"), nullable=False),
        sa.Column("metadata", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("properties", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_sensor_name"), "sensor", ["name"], unique=False, schema=SCHEMA, postgresql_using="hash"
    )
    op.create_table(
        "thing",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=False),
        sa.Column("properties", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thing")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_thing_name"), "thing", ["name"], unique=False, schema=SCHEMA, postgresql_using="hash"
    )


def _create_location_tables() -> None:
    op.create_table(
        "historical_location",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("thing_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thing_id"],
            [f"{SCHEMA}.thing.id"],
            name=op.f("fk_historical_location_thing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_historical_location")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_historical_location_thing_id_time"),
        "historical_location",
        ["thing_id", "time"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_table(
        "location",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=False),
        sa.Column("encoding_type", sa.Text(collation="C"), nullable=False),
        sa.Column("location", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("properties", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("generated_feature_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["generated_feature_id"],
            [f"{SCHEMA}.feature_of_interest.id"],
            name=op.f("fk_location_generated_feature_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_location")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_location_generated_feature_id"),
        "location",
        ["generated_feature_id"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_location_name"), "location", ["name"], unique=False, schema=SCHEMA, postgresql_using="hash"
    )
    op.create_table(
        "historical_location_location",
        sa.Column("historical_location_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["historical_location_id"],
            [f"{SCHEMA}.historical_location.id"],
            name=op.f("fk_historical_location_location_historical_location_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["location_id"],
            [f"{SCHEMA}.location.id"],
            name=op.f("fk_historical_location_location_location_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "historical_location_id", "location_id", name=op.f("pk_historical_location_location")
        ),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_historical_location_location_location_id"),
        "historical_location_location",
        ["location_id"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_table(
        "thing_location",
        sa.Column("thing_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["location_id"],
            [f"{SCHEMA}.location.id"],
            name=op.f("fk_thing_location_location_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["thing_id"], [f"{SCHEMA}.thing.id"], name=op.f("fk_thing_location_thing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("thing_id", "location_id", name=op.f("pk_thing_location")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_thing_location_location_id"), "thing_location", ["location_id"], unique=False, schema=SCHEMA
    )


def _create_observation_tables() -> None:
    op.create_table(
        "datastream",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=False),
        sa.Column("unit_of_measurement", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("observation_type", sa.Text(collation="C"), nullable=False),
        sa.Column("properties", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("phenomenon_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("phenomenon_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("west", sa.Double(), nullable=True),
        sa.Column("south", sa.Double(), nullable=True),
        sa.Column("east", sa.Double(), nullable=True),
        sa.Column("north", sa.Double(), nullable=True),
        sa.Column("thing_id", sa.BigInteger(), nullable=False),
        sa.Column("sensor_id", sa.BigInteger(), nullable=False),
        sa.Column("observed_property_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["observed_property_id"],
            [f"{SCHEMA}.observed_property.id"],
            name=op.f("fk_datastream_observed_property_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sensor_id"], [f"{SCHEMA}.sensor.id"], name=op.f("fk_datastream_sensor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["thing_id"], [f"{SCHEMA}.thing.id"], name=op.f("fk_datastream_thing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datastream")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_datastream_name"),
        "datastream",
        ["name"],
        unique=False,
        schema=SCHEMA,
        postgresql_using="hash",
    )
    op.create_index(
        op.f("ix_datastream_observed_property_id"),
        "datastream",
        ["observed_property_id"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_index(op.f("ix_datastream_sensor_id"), "datastream", ["sensor_id"], unique=False, schema=SCHEMA)
    op.create_index(op.f("ix_datastream_thing_id"), "datastream", ["thing_id"], unique=False, schema=SCHEMA)
    op.create_table(
        "observation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("phenomenon_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("phenomenon_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=False),
        sa.Column("result_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result_quality", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("valid_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parameters", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("datastream_id", sa.BigInteger(), nullable=False),
        sa.Column("feature_of_interest_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["datastream_id"],
            [f"{SCHEMA}.datastream.id"],
            name=op.f("fk_observation_datastream_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["feature_of_interest_id"],
            [f"{SCHEMA}.feature_of_interest.id"],
            name=op.f("fk_observation_feature_of_interest_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_observation_datastream_id_phenomenon_start_id"),
        "observation",
        ["datastream_id", "phenomenon_start", "id"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_observation_feature_of_interest_id_datastream_id"),
        "observation",
        ["feature_of_interest_id", "datastream_id"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_observation_phenomenon_start_id"),
        "observation",
        ["phenomenon_start", "id"],
        unique=False,
        schema=SCHEMA,
    )
