"""The executable test suite of OGC itself, on a service that is started for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ogc.__main__ import table
from tests.ogc.suite import SuiteError, run_suite
from tests.sensorthings_service import running_service

TESTS = 22


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v1.1", pytest.param("v1.0", marks=pytest.mark.extended)])
def test_service_passes_every_test_of_the_suite(
    new_database: Callable[[str], str], tmp_path: Path, version: str
) -> None:
    with running_service(new_database("ogc"), tmp_path) as address:
        verdicts = run_suite(f"{address}/{version}", tmp_path)

    assert sum(verdict.is_passed for verdict in verdicts) == len(verdicts) == TESTS, table(verdicts)


def test_suite_refuses_a_service_that_has_entities(sensorthings_url: str, tmp_path: Path) -> None:
    import httpx2

    httpx2.post(f"{sensorthings_url}/v1.1/Things", json={"name": "mine", "description": "dear"}, timeout=60)

    with pytest.raises(SuiteError, match="has entities"):
        run_suite(f"{sensorthings_url}/v1.1", tmp_path)
