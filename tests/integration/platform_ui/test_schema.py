"""Migrations and models agree, on a real database."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from platform_ui import db
from platform_ui.tables import METADATA


def test_the_migrated_schema_is_that_of_the_models(platform_database: str) -> None:
    engine = create_engine(platform_database)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": db.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_a_second_migration_changes_nothing(platform_database: str) -> None:
    db.migrate(platform_database)
