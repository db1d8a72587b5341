"""Every page of the site in a browser: no error, no breach of the content policy, readable by everybody.

What each page must fulfil is in ``inspection``, which pages there are in ``screens``.
"""

import secrets
from pathlib import Path

import pytest
from playwright.sync_api import Page

from platform_ui.app import create_app
from platform_ui.settings import PlatformSettings
from tests.acceptance.demo import Demo
from tests.acceptance.inspection import Inspector
from tests.acceptance.screens import FURTHER, OPEN, PAGES, DemoObjects, routes_without_a_line
from tests.acceptance.test_trust import log_in

_IN_DARK = (
    "/dashboard",
    "/systems/{name}",
    "/systems/{system}/apps/{name}",
    "/systems/{system}/apps/new",
    "/systems/{system}/clients/{name}",
    "/systems/{name}/datastreams/{datastream}",
    "/contracts/{contract}",
    "/explorer",
    "/live",
    "/lineage",
    "/explain",
)


@pytest.mark.browser
def test_every_route_is_said_to_be_a_page_or_not(tmp_path: Path) -> None:
    settings = PlatformSettings(
        database_url="postgresql+psycopg://nobody@127.0.0.1/nothing",
        secret_key=secrets.token_hex(32),
        kafka_bootstrap_servers="kafka.test:9092",
        sensorthings_url="http://metadata.test:8084",
        runner_directory=tmp_path,
    )
    assert routes_without_a_line(create_app(settings)) == []


@pytest.mark.browser
@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_page_is_whole_and_accessible(page: Page, demo: Demo) -> None:
    inspector = Inspector(page)
    for address in OPEN.values():
        inspector.visit(address)
    log_in(page, "sue.smith")
    objects = DemoObjects(page.request)
    for pattern in PAGES.values():
        inspector.visit(objects.address(pattern))
    for pattern, status in FURTHER.items():
        inspector.visit(objects.address(pattern), status=status)
    page.emulate_media(color_scheme="dark")
    for route in _IN_DARK:
        inspector.visit(objects.address(PAGES.get(route, route)), dark=True)
    assert not inspector.findings, inspector.told()
