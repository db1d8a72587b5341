"""An id of a record counts within its Datastream: nobody's records stand in the way of another system's."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_index("dt_id, phenomenon_start, datastream_id")


def downgrade() -> None:
    _make_index("dt_id, phenomenon_start")


def _make_index(columns: str) -> None:
    op.execute("DROP INDEX sensorthings.uq_observation_dt_id")
    op.execute(
        f"CREATE UNIQUE INDEX uq_observation_dt_id ON sensorthings.observation ({columns})"
        " WHERE dt_id IS NOT NULL"
    )
