"""Moving from revision to revision: what was there before is there afterwards."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, make_url, text

from sensorthings.migrations import configuration, upgrade
from sensorthings.model.tables import SCHEMA
from sensorthings.store import timescale

BEFORE = f"""
SET search_path = {SCHEMA};
INSERT INTO thing (name, description) VALUES ('at.srfg.Mill.M1.Spindle', 'd'), ('loose', 'd');
INSERT INTO location (name, description, encoding_type, location) VALUES ('here', 'd', 'text/plain', '"x"');
INSERT INTO thing_location VALUES (1, 1);
INSERT INTO sensor (name, description, encoding_type, metadata)
    VALUES ('at.srfg.Mill.M1.probe', 'd', 'text/html', '"x"'), ('any', 'd', 'text/html', '"x"');
INSERT INTO observed_property (name, definition, description) VALUES ('Speed', 'http://x', 'd');
INSERT INTO feature_of_interest (name, description, encoding_type, feature)
    VALUES ('f', 'd', 'text/plain', '"x"');
INSERT INTO datastream (name, description, unit_of_measurement, observation_type, thing_id, sensor_id,
    observed_property_id) VALUES ('at.srfg.Mill.M1.Spindle.Speed', 'd', '{{}}', 'x', 1, 1, 1);
"""
RESULTS = ["21.5", "20.0", "null", '"on"', "[1, 2.50]", "true", "12345678901234567890", "1e20", "1e-300"]


@pytest.fixture
def migrated(new_database: Callable[[str], str]) -> Iterator[psycopg.Connection[Any]]:
    url = make_url(new_database("from_the_first_revision"))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        command.upgrade(configuration(connection), "0001")
        connection.exec_driver_sql(BEFORE)
        for number, result in enumerate(RESULTS):
            connection.exec_driver_sql(
                f"INSERT INTO {SCHEMA}.observation (phenomenon_start, phenomenon_end, result, datastream_id,"
                " feature_of_interest_id) VALUES (%(at)s, %(at)s, %(result)s::jsonb, 1, 1)",
                {"at": datetime(1990 + number * 20, 1, 1, tzinfo=UTC), "result": result},
            )
    engine.dispose()
    upgrade(url)
    with psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        options=f"-c search_path={SCHEMA} -c timezone=UTC",
    ) as connection:
        yield connection


def test_observations_keep_ids_times_and_the_text_of_their_results(
    migrated: psycopg.Connection[Any],
) -> None:
    found = migrated.execute(
        "SELECT id, extract(year FROM phenomenon_start), coalesce(result::text, result_number::text)"
        " FROM observation ORDER BY id"
    ).fetchall()

    assert [(row[0], row[1]) for row in found] == [(1 + n, 1990 + n * 20) for n in range(len(RESULTS))]
    assert [row[2] for row in found] == [
        migrated.execute("SELECT %s::jsonb::text", (result,)).fetchall()[0][0] for result in RESULTS
    ]


def test_new_ids_follow_the_old_ones(migrated: psycopg.Connection[Any]) -> None:
    assert migrated.execute("SELECT nextval('observation_id_seq')").fetchall() == [(len(RESULTS) + 1,)]


def test_what_was_there_belongs_to_the_system_of_its_name(migrated: psycopg.Connection[Any]) -> None:
    owners = {
        table: [
            row[0]
            for row in migrated.execute(
                f"SELECT system.name FROM {table} LEFT JOIN system ON system.id = {table}.system_id"
                f" ORDER BY {table}.id"
            ).fetchall()
        ]
        for table in ("thing", "sensor", "datastream", "location", "feature_of_interest", "observed_property")
    }

    mill = "at.srfg.Mill.M1"
    assert owners == {
        "thing": [mill, None],
        "sensor": [mill, None],
        "datastream": [mill],
        "location": [mill],
        "feature_of_interest": [mill],
        "observed_property": [None],
    }


def test_a_hypertable_gets_no_trigger_that_it_could_not_have(new_database: Callable[[str], str]) -> None:
    """TimescaleDB before 2.18 knows no transition tables: no chunk could be made any more."""
    engine = create_engine(make_url(new_database("hypertable_before")))
    statements = [one for one in timescale.CONVERT if "create_hypertable" not in one]
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        command.upgrade(configuration(connection), "0004")
        for statement in statements:
            connection.exec_driver_sql(statement)
        command.upgrade(configuration(connection), "0005")
        named = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        found = connection.exec_driver_sql(named).scalars().all()
        command.downgrade(configuration(connection), "0004")
    engine.dispose()
    assert f"{SCHEMA}.thing" in found
    assert f"{SCHEMA}.observation" not in found
