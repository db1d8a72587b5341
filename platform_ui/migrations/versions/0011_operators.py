"""People who run the platform."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add who is an operator; nobody is until somebody is made one."""
    op.add_column(
        "users", sa.Column("is_operator", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
