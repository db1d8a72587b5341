"""Fixtures that every kind of test may ask for: real services, started once per run and only when asked for.

A service given by URL in the environment is used instead of started, with the same names as `dtwin up`:
`DTWIN_KAFKA__BOOTSTRAP_SERVERS`, `DTWIN_POSTGRES__URL`, `DTWIN_SENSORTHINGS__URL`,
`DTWIN_ELASTICSEARCH__URL`.
"""

from __future__ import annotations

import gc
import itertools
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import pytest_socket

if TYPE_CHECKING:
    from setup.local.kafka import LocalKafka

_UNIT = Path(__file__).parent / "unit"
_READY_TIMEOUT_S = 300.0  # on a machine that has much else to do

# How long an example takes says more about what else runs on a machine than about the code.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Close the network to unit tests; the plugin opens it again after each test."""
    if item.path.is_relative_to(_UNIT):
        # Unix sockets stay: an asyncio event loop is made of a pair of them.
        pytest_socket.disable_socket(allow_unix_socket=True)


def pytest_collection_finish() -> None:
    """Take what was imported for all tests out of the collection of garbage: it stays until the end."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the services they use, so that `-m "not kafka"` means what it says."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if "kafka_bootstrap" in names:
            item.add_marker(pytest.mark.kafka)
        if names & {"postgres_url", "new_database", "sensorthings_url"}:
            item.add_marker(pytest.mark.postgres)
        if "elasticsearch_url" in names:
            item.add_marker(pytest.mark.elasticsearch)


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a real broker with TLS and access rules; the environment names its operator's files."""
    given = os.environ.get("DTWIN_KAFKA__BOOTSTRAP_SERVERS")
    if given:
        yield given
        return
    from setup.local.kafka import LocalKafka

    broker = LocalKafka(tmp_path_factory.mktemp("kafka"))
    broker.start()
    try:
        broker.wait_ready(_READY_TIMEOUT_S)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in broker.environment().items():
                # The address is what the fixture gives: a test that needs no broker must not find one.
                if name != "DTWIN_KAFKA__BOOTSTRAP_SERVERS":
                    patch.setenv(name, value)
            yield broker.bootstrap_servers
    finally:
        broker.stop()


@pytest.fixture
def own_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalKafka]:
    """A broker of the test's own, which it may stop and kill; the environment names its operator's files."""
    from setup.local.kafka import LocalKafka

    broker = LocalKafka(tmp_path / "kafka")
    broker.start()
    for name, value in broker.environment().items():
        monkeypatch.setenv(name, value)
    try:
        broker.wait_ready(_READY_TIMEOUT_S)
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """libpq URL of the maintenance database of a real server."""
    given = os.environ.get("DTWIN_POSTGRES__URL")
    if given:
        yield given
        return
    from setup.local.postgres import LocalPostgres

    server = LocalPostgres(tmp_path_factory.mktemp("postgres"), durable=False)
    server.start()
    try:
        server.wait_ready(_READY_TIMEOUT_S)
        yield server.url()
    finally:
        server.stop()
        server.remove()


@pytest.fixture(scope="session")
def new_database(postgres_url: str) -> Callable[[str], str]:
    """A function that makes a fresh, empty database and returns its SQLAlchemy URL (psycopg 3)."""
    from setup.local.postgres import create_database, database_url

    def create(prefix: str = "test") -> str:
        name = f"{re.sub('[^a-z0-9_]', '_', prefix.lower())[:40]}_{secrets.token_hex(4)}"
        create_database(postgres_url, name)
        return database_url(postgres_url, name)

    return create


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`http://127.0.0.1:PORT` of a real node without login; its indices are shared by all tests of a run."""
    given = os.environ.get("DTWIN_ELASTICSEARCH__URL")
    if given:
        yield given.rstrip("/")
        return
    from setup.local.elasticsearch import LocalElasticsearch

    node = LocalElasticsearch(tmp_path_factory.mktemp("elasticsearch"))
    node.start()
    try:
        node.wait_ready(_READY_TIMEOUT_S)  # it loads thousands of classes before it listens
        yield node.url
    finally:
        node.stop()


@pytest.fixture(scope="session")
def unique_system() -> Callable[[], str]:
    """A function that returns a valid system name which nothing else in this or another run uses."""
    company = f"at.test-{secrets.token_hex(4)}"
    numbers = itertools.count(1)
    return lambda: f"{company}.Workcenter.Station{next(numbers)}"


@pytest.fixture(scope="session")
def sensorthings_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a running SensorThings service on an empty database, without the version: `http://127.0.0.1:PORT`."""
    given = os.environ.get("DTWIN_SENSORTHINGS__URL")
    if given:
        yield given.rstrip("/")
        return
    from tests.sensorthings_service import running_service

    new_database_: Callable[[str], str] = request.getfixturevalue("new_database")
    with running_service(new_database_("sensorthings"), tmp_path_factory.mktemp("sensorthings")) as address:
        yield address
