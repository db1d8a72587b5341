"""Alembic's entry: one transaction, guarded by an advisory lock so that two starts do not collide."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from platform_ui import tables
from platform_ui.db import VERSION_TABLE

LOCK = 190819  # any number, the same in every process


def _run() -> None:
    engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=tables.METADATA,
            version_table=VERSION_TABLE,
            compare_type=True,
        )
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            context.run_migrations()
    engine.dispose()


_run()
