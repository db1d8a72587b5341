"""Alembic's environment: runs revisions on the connection that `sensorthings.migrations.upgrade` opened."""

from alembic import context

from sensorthings.migrations import VERSION_TABLE
from sensorthings.model.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
