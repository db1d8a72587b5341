"""`app preview` and `app explain` on a real broker: the last records, and nothing left behind."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from client.errors import BrokerUnavailableError, TopicNotFoundError
from client.messaging.security import KafkaSecurity
from streamhub.preview import count_partitions, read_last
from tests.integration.streamhub.flows import Flow
from tests.kafka_clients import connection


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: PLW1510 - tests look at the code themselves
        [sys.executable, "-m", "streamhub", *arguments], capture_output=True, text=True, timeout=120
    )


def send(flow: Flow, key: str, value: object, timestamp: int) -> None:
    """Produce a record at a time of arrival [ms since 1970]."""
    producer = Producer(connection(flow.bootstrap))
    written = value if isinstance(value, bytes) else json.dumps(value).encode()
    producer.produce(flow.source.topics.internal, written, key.encode(), timestamp=timestamp)
    assert producer.flush(30) == 0


def results(lines: list[str]) -> list[object]:
    return [json.loads(json.loads(line)["value"])["result"] for line in lines]


def test_the_last_records_come_in_the_order_of_arrival_over_all_partitions(
    new_flow: Callable[..., Flow],
) -> None:
    flow = new_flow(partitions=3)
    for number in range(30):
        send(flow, f"{flow.source}.Thing{number % 7}.T", {"result": number}, 1_700_000_000_000 + number)
    topic = flow.source.topics.internal
    found = read_last(flow.bootstrap, KafkaSecurity.from_environment(), [topic], 10, wait_s=60)
    assert results(found.lines) == list(range(20, 30))
    assert (found.found[topic], found.is_complete) == (10, True)
    assert results(
        read_last(flow.bootstrap, KafkaSecurity.from_environment(), [topic], 1000, wait_s=60).lines
    ) == list(range(30))


def test_several_topics_are_put_into_one_order(new_flow: Callable[..., Flow]) -> None:
    one, other = new_flow(), new_flow()
    for number in range(10):
        flow = one if number % 2 else other
        send(flow, f"{flow.source}.T.D", {"result": number}, 1_700_000_000_000 + number)
    topics = [one.source.topics.internal, other.source.topics.internal]
    found = read_last(one.bootstrap, KafkaSecurity.from_environment(), topics, 3, wait_s=60)
    assert results(found.lines) == [4, 5, 6, 7, 8, 9]


def test_records_of_a_transaction_that_is_open_or_was_given_up_are_not_seen(
    new_flow: Callable[..., Flow], unique_system: Callable[[], str]
) -> None:
    flow = new_flow()
    topic = flow.source.topics.internal
    producer = Producer({**connection(flow.bootstrap), "transactional.id": unique_system()})
    producer.init_transactions(20)
    for number, is_kept in enumerate((True, False, True)):
        producer.begin_transaction()
        producer.produce(topic, json.dumps({"result": number}).encode(), f"{flow.source}.T.D".encode())
        (producer.commit_transaction if is_kept else producer.abort_transaction)()
    producer.begin_transaction()
    producer.produce(topic, b'{"result": 3}', f"{flow.source}.T.D".encode())
    producer.flush(20)
    found = read_last(flow.bootstrap, KafkaSecurity.from_environment(), [topic], 100, wait_s=60)
    assert results(found.lines) == [0, 2]
    assert found.is_complete
    producer.abort_transaction()


def test_what_is_not_utf8_is_left_out_and_counted(new_flow: Callable[..., Flow]) -> None:
    flow = new_flow()
    topic = flow.source.topics.internal
    send(flow, f"{flow.source}.T.D", b"\xff", 1_700_000_000_000)
    send(flow, f"{flow.source}.T.D", {"result": 1}, 1_700_000_000_001)
    found = read_last(flow.bootstrap, KafkaSecurity.from_environment(), [topic], 10, wait_s=60)
    assert results(found.lines) == [1]
    assert (found.found[topic], found.unreadable[topic]) == (2, 1)


def test_partitions_are_counted_and_missing_topics_are_named(new_flow: Callable[..., Flow]) -> None:
    flow = new_flow(partitions=2)
    topic = flow.source.topics.internal
    assert count_partitions(flow.bootstrap, KafkaSecurity.from_environment(), [topic], wait_s=60) == {
        topic: 2
    }
    with pytest.raises(TopicNotFoundError, match=r"aa\.bb\.cc\.dd\.int"):
        read_last(flow.bootstrap, KafkaSecurity.from_environment(), ["aa.bb.cc.dd.int"], 1, wait_s=60)


def test_a_broker_that_does_not_answer_is_given_up_in_time() -> None:
    with pytest.raises(BrokerUnavailableError, match="within 1 s"):
        read_last("127.0.0.1:1", KafkaSecurity.from_environment(), ["aa.bb.cc.dd.int"], 1, wait_s=1)


def test_the_command_prints_what_an_app_would_send_and_leaves_no_trace(
    new_flow: Callable[..., Flow],
) -> None:
    flow = new_flow()
    flow.produce(range(20))
    before = set(AdminClient(connection(flow.bootstrap)).list_topics(timeout=30).topics)
    done = command(
        *("app", "preview", "--last", "16", "--filter-logic", "SELECT * FROM * WHERE result < 4;"),
        *("--source-system", str(flow.source), "--bootstrap-server", flow.bootstrap),
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["value"]["number"] for line in done.stdout.splitlines()] == [16, 17, 18, 19]
    *_, counters, topic = done.stderr.splitlines()
    assert json.loads(counters)["read"] == 16
    assert topic == f"{flow.source}.int: 16 records"
    admin = AdminClient(connection(flow.bootstrap))
    assert set(admin.list_topics(timeout=30).topics) == before
    groups = admin.list_consumer_groups().result(timeout=30).valid
    assert not [group.group_id for group in groups if "preview" in group.group_id]
    assert flow.received() == []


def test_the_command_joins_systems(new_flow: Callable[..., Flow]) -> None:
    one, other = new_flow(), new_flow()
    send(one, f"{one.source}.M.Speed", {"phenomenonTime": "2026-01-02T03:00:00Z", "result": 2}, 1)
    send(other, f"{other.source}.M.Torque", {"phenomenonTime": "2026-01-02T03:00:00.5Z", "result": 3}, 2)
    statement = (
        f"SELECT l.result * r.result AS product FROM {one.source} AS l JOIN {other.source} AS r "
        "WITHIN 1 s ON l.thing = r.thing"
    )
    done = command(
        *("app", "preview", "--filter-logic", statement, "--bootstrap-server", one.bootstrap),
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["value"]["product"] == 6
    assert json.loads(done.stderr.splitlines()[0])["pairs"] == 1


def test_an_explanation_counts_partitions_when_a_broker_is_given(new_flow: Callable[..., Flow]) -> None:
    flow = new_flow(partitions=2)
    done = command(
        *("app", "explain", "--filter-logic", f"SELECT * FROM {flow.source}"),
        *("--bootstrap-server", flow.bootstrap),
    )
    assert done.returncode == 0, done.stderr
    assert f"topic {flow.source}.int, 2 partitions" in done.stdout
    assert "at most 2 copies can work" in done.stdout


def test_a_missing_system_ends_with_its_own_code(kafka_bootstrap: str) -> None:
    done = command(
        *("app", "preview", "--filter-logic", "SELECT * FROM aa.bb.cc.nowhere"),
        *("--bootstrap-server", kafka_bootstrap),
    )
    assert done.returncode == 5
    assert "aa.bb.cc.nowhere.int" in done.stderr
