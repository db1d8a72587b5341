"""Shares without Observations or with those from some time on, certificates of principals."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE sensorthings.share"
        " ADD COLUMN observations boolean NOT NULL DEFAULT true, ADD COLUMN since timestamptz"
    )
    op.execute(
        'ALTER TABLE sensorthings.principal ADD COLUMN certificate text COLLATE "C"'
        " CONSTRAINT uq_principal_certificate UNIQUE"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE sensorthings.principal DROP COLUMN certificate")
    op.execute("ALTER TABLE sensorthings.share DROP COLUMN observations, DROP COLUMN since")
