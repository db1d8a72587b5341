"""Credentials and the certificates issued for them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables of credentials, certificates, enrolment tokens and used proofs."""
    op.create_table(
        "credentials",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=134), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('client', 'app', 'service')", name=op.f("ck_credentials_kind_known")),
        sa.CheckConstraint("epoch >= 1", name=op.f("ck_credentials_epoch_counts")),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_credentials")),
    )
    op.create_table(
        "certificates",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=134), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_by", sa.String(length=254), nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "origin IN ('archive', 'csr', 'enrolment', 'renewal', 'platform')",
            name=op.f("ck_certificates_origin_known"),
        ),
        sa.ForeignKeyConstraint(
            ["kind", "name"],
            ["credentials.kind", "credentials.name"],
            name=op.f("fk_certificates_kind_name"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_certificates")),
    )
    op.create_index("ix_certificates_kind_name_not_after", "certificates", ["kind", "name", "not_after"])
    op.create_table(
        "enrolment_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=134), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["kind", "name"],
            ["credentials.kind", "credentials.name"],
            name=op.f("fk_enrolment_tokens_kind_name"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_enrolment_tokens")),
    )
    op.create_index("ix_enrolment_tokens_kind_name", "enrolment_tokens", ["kind", "name"])
    op.create_index(op.f("ix_enrolment_tokens_expires_at"), "enrolment_tokens", ["expires_at"])
    op.create_table(
        "used_proofs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_proofs")),
    )
    op.create_index(op.f("ix_used_proofs_used_at"), "used_proofs", ["used_at"])


def downgrade() -> None:
    """Drop them."""
    for table in ("used_proofs", "enrolment_tokens", "certificates", "credentials"):
        op.drop_table(table)
