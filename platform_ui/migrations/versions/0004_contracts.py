"""Contracts, their versions and signatures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STOPPED_BY = op.f("ck_stream_apps_stopped_by_a_side")


def upgrade() -> None:
    """Create the tables of contracts, and let a contract be what stopped an app."""
    _create_contracts()
    _create_versions()
    op.create_table(
        "contract_signatures",
        sa.Column("contract_id", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("full_name", sa.String(length=101), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "side IN ('provider', 'consumer')", name=op.f("ck_contract_signatures_side_known")
        ),
        sa.ForeignKeyConstraint(
            ["contract_id", "number"],
            ["contract_versions.contract_id", "contract_versions.number"],
            name=op.f("fk_contract_signatures_contract_id_contract_versions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_contract_signatures_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("contract_id", "number", "side", name=op.f("pk_contract_signatures")),
    )
    op.create_table(
        "stream_app_contracts",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("provider_system_id", sa.Uuid(), nullable=False),
        sa.Column("contract_id", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"],
            ["stream_apps.id"],
            name=op.f("fk_stream_app_contracts_app_id_stream_apps"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["provider_system_id"],
            ["systems.id"],
            name=op.f("fk_stream_app_contracts_provider_system_id_systems"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contracts.id"],
            name=op.f("fk_stream_app_contracts_contract_id_contracts"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("app_id", "provider_system_id", name=op.f("pk_stream_app_contracts")),
    )
    op.create_index(op.f("ix_stream_app_contracts_contract_id"), "stream_app_contracts", ["contract_id"])
    op.alter_column("stream_apps", "stopped_by", type_=sa.String(length=8))
    op.drop_constraint(STOPPED_BY, "stream_apps")
    op.create_check_constraint(STOPPED_BY, "stream_apps", "stopped_by IN ('source', 'target', 'contract')")


def _create_contracts() -> None:
    op.create_table(
        "contracts",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=True),
        sa.Column("consumer_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(length=73), nullable=False),
        sa.Column("consumer", sa.String(length=73), nullable=False),
        sa.Column("begun_by", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=254), nullable=True),
        sa.Column("ended_side", sa.String(length=8), nullable=True),
        sa.Column("reason", sa.String(length=1024), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'active', 'ended')", name=op.f("ck_contracts_state_known")
        ),
        sa.CheckConstraint("begun_by IN ('provider', 'consumer')", name=op.f("ck_contracts_begun_by_a_side")),
        sa.CheckConstraint(
            "(state = 'ended') = (outcome IS NOT NULL)", name=op.f("ck_contracts_ended_with_outcome")
        ),
        sa.CheckConstraint(
            "outcome IN ('expired', 'revoked', 'declined')", name=op.f("ck_contracts_outcome_known")
        ),
        sa.CheckConstraint(
            "state <> 'active' OR (provider_id IS NOT NULL AND consumer_id IS NOT NULL)",
            name=op.f("ck_contracts_active_with_both_systems"),
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["systems.id"],
            name=op.f("fk_contracts_provider_id_systems"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["consumer_id"],
            ["systems.id"],
            name=op.f("fk_contracts_consumer_id_systems"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
    )
    op.create_index(op.f("ix_contracts_provider_id"), "contracts", ["provider_id"])
    op.create_index(op.f("ix_contracts_consumer_id"), "contracts", ["consumer_id"])


def _create_versions() -> None:
    op.create_table(
        "contract_versions",
        sa.Column("contract_id", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("datastreams", postgresql.JSONB(), nullable=False),
        sa.Column("predicate", sa.String(length=8192), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("written_by", sa.String(length=254), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("in_force_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'in_force', 'replaced', 'superseded', 'declined', 'ended')",
            name=op.f("ck_contract_versions_state_known"),
        ),
        sa.CheckConstraint(
            "ends_at IS NULL OR starts_at IS NULL OR ends_at > starts_at",
            name=op.f("ck_contract_versions_ends_later"),
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contracts.id"],
            name=op.f("fk_contract_versions_contract_id_contracts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("contract_id", "number", name=op.f("pk_contract_versions")),
    )
    for state in ("open", "in_force"):  # at most one version is either
        op.create_index(
            f"uq_contract_versions_{state}",
            "contract_versions",
            ["contract_id"],
            unique=True,
            postgresql_where=sa.text(f"state = '{state}'"),
        )


def downgrade() -> None:
    """Remove the tables of contracts; apps that a contract stopped become apps that their source stopped."""
    op.execute("UPDATE stream_apps SET stopped_by = 'source' WHERE stopped_by = 'contract'")
    op.drop_constraint(STOPPED_BY, "stream_apps")
    op.create_check_constraint(STOPPED_BY, "stream_apps", "stopped_by IN ('source', 'target')")
    op.alter_column("stream_apps", "stopped_by", type_=sa.String(length=6))
    for name in ("stream_app_contracts", "contract_signatures", "contract_versions", "contracts"):
        op.drop_table(name)
