"""The broker and the database server of the local stack, as real processes."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from setup.errors import PartNotReadyError
from setup.local.kafka import LocalKafka
from setup.local.postgres import LocalPostgres, libpq_url


@pytest.mark.extended
def test_the_broker_keeps_its_topics_when_it_is_killed_and_started_again(tmp_path: Path) -> None:
    broker = LocalKafka(tmp_path / "kafka")
    broker.start()
    try:
        broker.wait_ready()
        admin = AdminClient(broker.client_settings())
        admin.create_topics([NewTopic("kept", 2, 1)])["kept"].result(60)
        first = broker.process
        broker.kill()
        assert first is not None
        assert not first.is_running()
        broker.start()
        broker.wait_ready()
        topics = AdminClient(broker.client_settings()).list_topics(timeout=60).topics
        assert len(topics["kept"].partitions) == 2
    finally:
        broker.stop()


@pytest.mark.extended
def test_a_broker_that_cannot_listen_says_so_with_its_log(tmp_path: Path, kafka_bootstrap: str) -> None:
    taken = int(kafka_bootstrap.rpartition(":")[2])
    broker = LocalKafka(tmp_path / "kafka", taken)
    broker.start()
    try:
        assert broker.process is not None
        broker.process.wait_ended(60)
        with pytest.raises(PartNotReadyError, match="Address already in use"):
            broker.wait_ready()
    finally:
        broker.stop()


def test_the_database_server_keeps_committed_rows_when_it_is_killed(tmp_path: Path) -> None:
    server = LocalPostgres(tmp_path / "postgres")
    server.start()
    try:
        server.wait_ready()
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept (id int)")
            connection.execute("INSERT INTO kept VALUES (7)")
        server.kill()
        server.start()
        server.wait_ready()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT id FROM kept").fetchone() == (7,)
    finally:
        server.stop()
        server.remove()
    assert not server.folder.exists()


def test_every_new_database_is_empty_and_its_own(new_database: Callable[[str], str]) -> None:
    first, second = new_database("Same Name"), new_database("Same Name")
    assert first != second
    with psycopg.connect(libpq_url(first)) as connection:
        connection.execute("CREATE TABLE only_here (id int)")
    with psycopg.connect(libpq_url(second)) as connection:
        assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)
