"""The service as a whole: health, metrics, migrations, start without settings."""

import os
import re
import subprocess
import sys
from collections.abc import Callable

import httpx2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from sensorthings.migrations import VERSION_TABLE, upgrade
from sensorthings.model.tables import SCHEMA, metadata
from tests.integration.sensorthings.samples import Api


@pytest.mark.parametrize("path", ["health/live", "health/ready", "metrics", "version"])
def test_operators_endpoints_answer(sensorthings_url: str, path: str) -> None:
    assert httpx2.get(f"{sensorthings_url}/{path}", timeout=60).status_code == 200


def test_metrics_count_requests_by_status(api: Api, sensorthings_url: str) -> None:
    api.refuse("GET", "Things(999999999)")

    assert (
        'dtwin_sensorthings_requests_total{method="GET",status="404"}'
        in httpx2.get(f"{sensorthings_url}/metrics", timeout=60).text
    )


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "", 404), ("DELETE", "v1.1", 405), ("GET", "v2/Things", 404)]
)
def test_addresses_outside_the_service_are_problems_too(
    sensorthings_url: str, method: str, path: str, status: int
) -> None:
    answer = httpx2.request(method, f"{sensorthings_url}/{path}", timeout=60)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_migrations_give_exactly_the_tables_described(new_database: Callable[[str], str]) -> None:
    url = make_url(new_database("migrations"))
    first, second = upgrade(url), upgrade(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: name == SCHEMA if kind == "schema" else True,
                # The partitions of Observations are made when they are needed.
                "include_object": lambda _, name, *__: (
                    name != VERSION_TABLE and not re.fullmatch(r"observation_(before|after|\d{6})", name)
                ),
                "compare_type": True,
            },
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert first == second
    assert differences == []


def test_start_without_a_database_names_the_setting() -> None:
    environment = {name: value for name, value in os.environ.items() if "SENSORTHINGS" not in name}

    started = subprocess.run(
        [sys.executable, "-m", "sensorthings", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert started.returncode == 2
    assert "DTWIN_SENSORTHINGS__DATABASE_URL is not set" in started.stderr
