"""Offers of systems, and what the sides of a contract say to each other with a version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    texts = postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "offers",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("system_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("datastreams", texts, nullable=False),
        sa.Column("predicate", sa.String(length=8192), nullable=False),
        sa.Column("fields", texts, nullable=False),
        sa.Column("purposes", texts, nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.Column("companies", texts, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("details", texts, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=254), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'published', 'withdrawn')", name=op.f("ck_offers_state_known")
        ),
        sa.CheckConstraint(
            "visibility IN ('everybody', 'companies')", name=op.f("ck_offers_visibility_known")
        ),
        sa.ForeignKeyConstraint(
            ["system_id"], ["systems.id"], name=op.f("fk_offers_system_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_system_id"), "offers", ["system_id"], unique=False)
    op.create_index("ix_offers_published_at_id", "offers", ["published_at", "id"], unique=False)
    op.add_column("contracts", sa.Column("offer_id", sa.String(length=20), nullable=True))
    empty = sa.text("''")
    for column in (
        sa.Column("note", sa.String(length=1024), nullable=False, server_default=empty),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("declined_by", sa.String(length=254), nullable=True),
        sa.Column("declined_side", sa.String(length=8), nullable=True),
        sa.Column("decline_reason", sa.String(length=1024), nullable=False, server_default=empty),
    ):
        op.add_column("contract_versions", column)
