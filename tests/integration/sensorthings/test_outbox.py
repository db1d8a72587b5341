"""Observations made over HTTP reach Kafka once, whatever dies on the way; real Kafka, real PostgreSQL."""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psycopg
import pytest
from confluent_kafka import Message
from sqlalchemy import make_url

from benchmarks.measuring.topics import create_topic, read_committed
from sensorthings.migrations import upgrade
from setup.local.postgres import libpq_url
from tests.integration.sensorthings.relays import start_relay
from tests.integration.sensorthings.samples import Api, Json, datastream, thing
from tests.sensorthings_service import running_service

_INSERT = (
    "INSERT INTO sensorthings.outbox (topic, key, value, dt_id)"
    " SELECT %s, %s || '.Mill' || i %% 7 || '.Speed', i::text, gen_random_uuid()"
    " FROM generate_series(%s::int, %s) AS i"
)


class Outbox:
    """A database with the service's tables and a system with its topic."""

    def __init__(self, database: str, bootstrap: str, system: str) -> None:
        self.database = database
        self.bootstrap = bootstrap
        self.system = system
        self.topic = f"{system}.int"
        upgrade(make_url(database))
        self.connection = psycopg.connect(libpq_url(database), autocommit=True)
        self.connection.execute("INSERT INTO sensorthings.system (name) VALUES (%s)", (system,))

    def fill(self, first: int, last: int) -> None:
        self.connection.execute(_INSERT, (self.topic, self.system, first, last))

    def scalar(self, statement: str) -> Json:
        row = self.connection.execute(statement).fetchone()
        assert row is not None
        return row[0]

    def wait_until_empty(self, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while self.scalar("SELECT count(*) FROM sensorthings.outbox"):
            assert time.monotonic() < deadline, "the outbox was not emptied"
            time.sleep(0.05)

    def sent(self) -> list[Message]:
        return list(read_committed(self.bootstrap, self.topic))


@pytest.fixture
def outbox(
    new_database: Callable[[str], str], kafka_bootstrap: str, unique_system: Callable[[], str]
) -> Iterator[Outbox]:
    made = Outbox(new_database("outbox"), kafka_bootstrap, unique_system())
    yield made
    made.connection.close()


@pytest.fixture
def api(outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A service whose outbox is on."""
    monkeypatch.setenv("DTWIN_KAFKA__BOOTSTRAP_SERVERS", outbox.bootstrap)
    with (
        running_service(outbox.database, tmp_path, outbox="true") as address,
        httpx2.Client(timeout=30) as client,
    ):
        yield Api(client, f"{address}/v1.1")


def _make_stream(api: Api, system: str) -> int:
    name = f"{system}.Mill.Speed"
    api.create("Things", thing(name=f"{system}.Mill", Datastreams=[datastream(name)]))
    return int(api.read(f"Datastreams?$filter=name eq '{name}'&$select=id")["value"][0]["@iot.id"])


def _headers(message: Message) -> dict[str, str]:
    return {str(name): bytes(text or b"").decode() for name, text in dict(message.headers() or ()).items()}  # type: ignore[arg-type]


def test_an_observation_posted_appears_in_kafka_once_with_the_id_of_its_row(outbox: Outbox, api: Api) -> None:
    stream = _make_stream(api, outbox.system)
    body = {"phenomenonTime": "2026-01-02T03:04:05.5Z", "result": 21.5, "parameters": {"humidity": 0}}
    api.create(f"Datastreams({stream})/Observations", body)
    outbox.wait_until_empty()
    (message,) = outbox.sent()
    assert message.key() == f"{outbox.system}.Mill.Speed".encode()
    value = json.loads(message.value() or b"")
    assert value["result"] == 21.5
    assert value["Datastream"] == {"@iot.id": stream}
    assert value["phenomenonTime"].startswith("2026-01-02T03:04:05.5")
    row = outbox.scalar("SELECT dt_id FROM sensorthings.observation")
    assert _headers(message)["dt-id"] == str(row)


def test_rows_of_a_data_array_appear_in_kafka_in_their_order(outbox: Outbox, api: Api) -> None:
    stream = _make_stream(api, outbox.system)
    rows = [[f"2026-01-02T03:{number // 60:02}:{number % 60:02}Z", number] for number in range(500)]
    group = {"components": ["phenomenonTime", "result"], "dataArray": rows}
    api.create("CreateObservations", [{"Datastream": {"@iot.id": stream}, **group}])
    outbox.wait_until_empty()
    messages = outbox.sent()
    assert [json.loads(message.value() or b"")["result"] for message in messages] == list(range(500))
    assert len({_headers(message)["dt-id"] for message in messages}) == 500
    assert outbox.scalar("SELECT count(DISTINCT dt_id) FROM sensorthings.observation") == 500


def test_a_refused_observation_leaves_nothing_in_kafka(outbox: Outbox, api: Api) -> None:
    stream = _make_stream(api, outbox.system)
    api.refuse("POST", f"Datastreams({stream})/Observations", {"phenomenonTime": "never", "result": 1})
    api.create(f"Datastreams({stream})/Observations", {"result": 2})
    outbox.wait_until_empty()
    assert [json.loads(message.value() or b"")["result"] for message in outbox.sent()] == [2]


@pytest.mark.extended
def test_no_record_is_lost_or_repeated_by_ten_deaths_of_the_relay(outbox: Outbox) -> None:
    chance = random.Random(5)
    number = 0
    for death in range(10):
        outbox.fill(number + 1, number + 3000)
        number += 3000
        is_at_the_gap = death % 2 == 0
        relay = start_relay(outbox.database, outbox.bootstrap, dies_before_removal=is_at_the_gap)
        if not is_at_the_gap:
            time.sleep(chance.uniform(0.7, 1.5))
            relay.kill()
        assert relay.wait(60) == -9
    last = start_relay(outbox.database, outbox.bootstrap)
    try:
        outbox.wait_until_empty()
    finally:
        last.kill()
        last.wait(10)
    numbers = [int(message.value() or b"") for message in outbox.sent()]
    assert len(numbers) == number
    assert sorted(numbers) == list(range(1, number + 1))
    by_key: dict[bytes | None, list[int]] = {}
    for message in outbox.sent():
        by_key.setdefault(message.key(), []).append(int(message.value() or b""))
    assert all(found == sorted(found) for found in by_key.values()), "the order of a key was lost"


def test_a_row_waits_for_transactions_that_began_before_it(outbox: Outbox) -> None:
    relay = start_relay(outbox.database, outbox.bootstrap)
    try:
        with psycopg.connect(libpq_url(outbox.database)) as slow:
            slow.execute(_INSERT, (outbox.topic, outbox.system, 1, 1))
            outbox.fill(8, 8)  # of the same key
            time.sleep(3.0)
            assert outbox.scalar("SELECT count(*) FROM sensorthings.outbox") == 1
        outbox.wait_until_empty()
    finally:
        relay.kill()
        relay.wait(10)
    assert [message.value() for message in outbox.sent()] == [b"1", b"8"]


def test_a_second_relay_stands_by_and_takes_over(outbox: Outbox) -> None:
    relays = [start_relay(outbox.database, outbox.bootstrap) for _ in range(2)]
    try:
        outbox.fill(1, 100)
        outbox.wait_until_empty()
        for relay in relays:
            outbox.fill(101, 200)
            outbox.wait_until_empty()
            relay.kill()
            relay.wait(10)
    finally:
        for relay in relays:
            relay.kill()
            relay.wait(10)
    assert len(outbox.sent()) == 300


def test_a_record_too_large_for_its_topic_does_not_stop_the_others(outbox: Outbox) -> None:
    create_topic(outbox.bootstrap, outbox.topic, 3)
    outbox.fill(1, 5)
    outbox.connection.execute("UPDATE sensorthings.outbox SET value = repeat('x', 2000000) WHERE value = '3'")
    relay = start_relay(outbox.database, outbox.bootstrap)
    try:
        outbox.wait_until_empty(120)
    finally:
        relay.kill()
        relay.wait(10)
    assert sorted(message.value() or b"" for message in outbox.sent()) == [b"1", b"2", b"4", b"5"]


def test_rows_that_kafka_has_are_removed_by_the_ids_of_their_records_only(outbox: Outbox) -> None:
    """A restored database may use the numbers of its rows again: they say nothing about what was sent."""
    with ExitStack() as stack:
        outbox.fill(1, 10)
        first = start_relay(outbox.database, outbox.bootstrap, dies_before_removal=True)
        stack.callback(first.kill)
        assert first.wait(60) == -9
        outbox.connection.execute("UPDATE sensorthings.outbox SET dt_id = %s WHERE id = 1", (uuid.uuid4(),))
        # Somebody sends the record of another row to another Datastream, too; a row comes from a backup.
        outbox.connection.execute(
            "INSERT INTO sensorthings.outbox (topic, key, value, dt_id, transaction)"
            " SELECT topic, key, '11', dt_id, transaction FROM sensorthings.outbox WHERE id = 2"
        )
        outbox.connection.execute("UPDATE sensorthings.outbox SET transaction = 4e18 WHERE value = '11'")
        second = start_relay(outbox.database, outbox.bootstrap)
        stack.callback(second.wait, 10)
        stack.callback(second.kill)
        outbox.wait_until_empty()
    assert len(outbox.sent()) == 12
