"""The versions of the statements of stream apps; what an app has now becomes its version 1."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_FIRST = """
INSERT INTO stream_app_versions (app_id, number, statement, contracts, note, created_at, created_by)
SELECT app.id, 1, app.statement, coalesce(held.ids, '[]'::jsonb), '', app.changed_at, app.created_by
FROM stream_apps AS app
LEFT JOIN (
    SELECT app_id, jsonb_agg(contract_id ORDER BY contract_id) AS ids
    FROM stream_app_contracts GROUP BY app_id
) AS held ON held.app_id = app.id
"""


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "stream_app_versions",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("statement", sa.String(length=16384), nullable=False),
        sa.Column("contracts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["stream_apps.id"], name=op.f("fk_stream_app_versions_app_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_stream_app_versions_created_by"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("app_id", "number", name=op.f("pk_stream_app_versions")),
    )
    op.add_column("stream_apps", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("stream_apps", "version", server_default=None)
    op.execute(_FIRST)
