"""A client and a real broker: what goes in comes out, and what cannot work says so."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from client.digital_twin_client import DigitalTwinClient
from client.errors import (
    BrokerUnavailableError,
    DeliveryError,
    MessagingError,
    QueueFullError,
    TopicNotFoundError,
)
from client.messaging.broker import KafkaBroker
from client.messaging.delivery import DeliveryHandle
from client.messaging.producer import ProducerSettings
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.settings import ClientSettings
from client.testing import InMemorySensorThings
from tests.kafka_clients import connection
from tests.rivals import take_place

MakeClient = Callable[..., DigitalTwinClient]
Record = dict[str, object]


def consume(client: DigitalTwinClient, count: int, *, within_s: float = 60.0) -> list[Record]:
    deadline = time.monotonic() + within_s
    found: list[Record] = []
    while len(found) < count and time.monotonic() < deadline:
        found += client.consume(timeout=0.5)
    return found


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_record_comes_back_with_its_metadata_and_falsy_values(
    make_client: MakeClient, system: SystemName, instance_file: Path
) -> None:
    client = make_client("car_1")
    client.register(instance_file)
    handle = client.produce("temperature", 0, "2026-01-02T03:04:05.000006+02:00", longitude=0, latitude="")
    client.produce("locked", result=False).result(30)
    handle.result(30)
    client.subscribe(datastreams=[f"{system}.Main.Air Temperature", f"{system}.Main.Locked"])
    first, second = consume(client, 2)
    assert first["result"] == 0.0
    assert first["longitude"] == 0
    assert first["latitude"] == ""
    assert first["phenomenonTime"] == "2026-01-02T01:04:05.000006Z"
    assert first["name"] == first["key"] == f"{system}.Main.Air Temperature"
    assert (first["topic"], first["partition"]) == (system.topics.internal, handle.partition)
    assert first["offset"] == handle.offset
    assert isinstance(first["Datastream"], dict)
    assert first["Datastream"]["unitOfMeasurement"]["symbol"] == "degC"
    assert first["Datastream"]["Thing"]["name"] == f"{system}.Main"
    assert second["result"] is False
    assert second["partition"] == first["partition"], "one Thing, one partition, one order"


def test_what_was_consumed_but_not_followed_by_another_call_comes_again(
    make_client: MakeClient, system: SystemName, instance_file: Path, metadata: InMemorySensorThings
) -> None:
    producer = make_client("car_1")
    producer.register(instance_file)
    for number in range(3):
        producer.produce("doors", number)
    producer.flush(30)
    # A program that dies: its consumer leaves the group without the commit of disconnect().
    broker = KafkaBroker(producer._broker.bootstrap_servers, KafkaSecurity.from_environment())  # type: ignore[attr-defined]
    group = f"{system}.reader"
    dying = broker.consumer(group, group, [system.topics.internal], "earliest")
    deadline = time.monotonic() + 60
    seen = 0
    while seen < 3 and time.monotonic() < deadline:
        seen += len(dying.receive(100, 0.5))
    dying._consumer.close()
    reader = make_client("reader")
    reader.subscribe(datastreams=[f"{system}.Main.Open Doors"])
    assert [record["result"] for record in consume(reader, 3)] == [0, 1, 2]
    reader.disconnect()
    again = make_client("reader")
    again.subscribe(datastreams=[f"{system}.Main.Open Doors"])
    producer.produce("doors", 3)
    producer.flush(30)
    assert [record["result"] for record in consume(again, 1)] == [3], "disconnect() committed the others"


def test_records_of_other_systems_arrive_by_the_star_and_by_name_even_if_registered_later(
    make_client: MakeClient, system: SystemName, kafka_bootstrap: str
) -> None:
    client = make_client("reader")
    foreign = "is.iceland.Weather.Stations.Seattle.Air Temperature"
    client.subscribe(datastreams=[foreign, "*"])
    other = Producer(connection(kafka_bootstrap))
    other.produce(system.topics.external, b'{"result":1}', foreign.encode())
    other.produce(system.topics.external, b'{"result":2,"Datastream":{"@iot.id":9}}', b"x.yy.zz.ww.T.D")
    other.produce(system.topics.internal, b'{"result":3}', b"x.yy.zz.ww.T.D")
    other.flush(30)
    records = consume(client, 2)
    assert {(record["name"], record["result"]) for record in records} == {(foreign, 1), ("x.yy.zz.ww.T.D", 2)}
    assert {"@iot.id": 9, "name": "x.yy.zz.ww.T.D"} in [record["Datastream"] for record in records]
    assert consume(client, 1, within_s=1.0) == [], "the star is about what others share, not about .int"
    until(lambda: client.consume(timeout=0.2) == [] and client.counters.not_subscribed == 1)


def test_records_that_cannot_be_read_are_counted_logged_and_left_out(
    make_client: MakeClient, system: SystemName, kafka_bootstrap: str
) -> None:
    client = make_client("reader")
    client.subscribe(datastreams=["*"])
    other = Producer(connection(kafka_bootstrap))
    bad = [b"not json", b"", b'{"result":NaN}', b"[1]", b"\xff\xfe", b"[" * 100_000, None]
    for value in bad:
        other.produce(system.topics.external, value, b"k", partition=1)
    other.produce(system.topics.external, b'{"result":0}', b"\xff", partition=1)
    other.produce(system.topics.external, b'{"result":5}', b"k", partition=1)
    other.flush(30)
    assert [record["result"] for record in consume(client, 1)] == [5]
    assert client.counters.unreadable == len(bad) + 1
    lines = read_log(make_client, system, lambda line: line.get("level") == "WARNING", len(bad) + 1)
    assert any(f"topic {system.topics.external}, partition 1, offset 0" in str(line) for line in lines)


def read_log(
    make_client: MakeClient, system: SystemName, wanted: Callable[[Record], bool], count: int
) -> list[Record]:
    watcher = make_client(f"log_{time.monotonic_ns() % 100_000}")
    broker = watcher._broker
    consumer = broker.consumer("w", f"{system}.watch{time.monotonic_ns()}", [system.topics.log], "earliest")
    found: list[Record] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        lines = [json.loads(record.value or b"null") for record in consumer.receive(500, 0.5)]
        found += [line for line in lines if wanted(line)]
    consumer.close()
    return found


def test_the_log_topic_carries_states_and_lines_and_others_can_subscribe_to_it(
    make_client: MakeClient, system: SystemName, tmp_path: Path
) -> None:
    with make_client("car_1", settings=ClientSettings(alive_s=0.1)) as client:
        client.logger.info("door %s is open", 3)
        client.logger.debug("not for the topic")
        assert read_log(make_client, system, lambda line: line.get("state") == "alive", 1)
    subscription = tmp_path / "subscriptions.json"
    subscription.write_text(
        json.dumps({"subscribed_datastreams": [], "subscribed_logs": [str(system)]}), encoding="utf-8"
    )
    watcher = make_client("watcher")
    watcher.subscribe(subscription)
    deadline = time.monotonic() + 60
    lines: list[Record] = []
    while not any(line.get("state") == "stopped" for line in lines) and time.monotonic() < deadline:
        lines += [line for line in watcher.consume(0.5) if line["client"] == "car_1"]
    states = [line["state"] for line in lines if line["type"] == "state"]
    assert states[0] == "started"
    assert "alive" in states
    assert states[-1] == "stopped"
    messages = [(line["level"], line["message"]) for line in lines if line["type"] == "log"]
    assert ("INFO", "door 3 is open") in messages
    assert not any("not for the topic" in str(message) for _, message in messages)
    assert {line["key"] for line in lines} == {"car_1"}
    assert {line["topic"] for line in lines} == {system.topics.log}


def test_a_client_whose_place_was_taken_for_a_moment_reads_on_and_misses_nothing(
    make_client: MakeClient, system: SystemName, kafka_bootstrap: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client("car_1")
    client.subscribe(datastreams=["*"])
    topic = system.topics.external
    producer = Producer(connection(kafka_bootstrap))
    producer.produce(topic, b'{"result": "first"}', b"k")
    producer.flush(30)
    assert [record["result"] for record in consume(client, 1)] == ["first"]
    # The next call commits what this one has returned, and is told that it is not the member any more.
    take_place(kafka_bootstrap, f"{system}.car_1", f"{system}.car_1", topic)
    producer.produce(topic, b'{"result": "second"}', b"k")
    producer.flush(30)
    seen: list[object] = []

    def is_back() -> bool:
        seen.extend(record["result"] for record in client.consume(timeout=0.5))
        return "second" in seen and "reading goes on as a new member" in caplog.text

    until(is_back)
    assert set(seen) <= {"first", "second"}


def test_two_programs_under_the_same_client_name_read_in_turns_until_one_is_told(
    make_client: MakeClient, system: SystemName, kafka_bootstrap: str
) -> None:
    first, second = make_client("car_1"), make_client("car_1")
    producer = Producer(connection(kafka_bootstrap))
    for client in (first, second):
        client.subscribe(datastreams=["*"])
    deadline = time.monotonic() + 90

    def consume_both() -> None:
        while time.monotonic() < deadline:
            producer.produce(system.topics.external, b'{"result":1}', b"k")
            producer.flush(30)
            for client in (first, second):
                client.consume(timeout=0.2)

    with pytest.raises(MessagingError, match="Another program reads under the same client_name"):
        consume_both()


def test_a_system_without_topics_is_told_at_once(
    kafka_bootstrap: str, unique_system: Callable[[], str]
) -> None:
    name = unique_system()
    with pytest.raises(TopicNotFoundError, match="created with the system") as caught:
        DigitalTwinClient("car_1", name, "in-memory", kafka_bootstrap, server=InMemorySensorThings())
    assert caught.value.topic.startswith(name)


def test_a_dead_broker_is_told_within_the_time_that_was_set() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BrokerUnavailableError, match=f"answers at {address} within 1 s"):
            DigitalTwinClient(
                "car_1",
                "cz.icecars.Fleet.Car1",
                "in-memory",
                address,
                settings=ClientSettings(check_timeout_s=1),
                server=InMemorySensorThings(),
            )


def test_a_topic_deleted_while_producing_fails_the_handle_and_the_flush(
    make_client: MakeClient, system: SystemName, instance_file: Path, kafka_bootstrap: str
) -> None:
    settings = ClientSettings(alive_s=0, producer=ProducerSettings(delivery_timeout_s=3))
    client = make_client("car_1", settings=settings)
    client.register(instance_file)
    # The first connection may last longer than this client tries.
    until(lambda: client.produce("doors", 1).exception(60) is None)
    with contextlib.suppress(DeliveryError):
        client.flush(60)
    admin = AdminClient(connection(kafka_bootstrap))
    for deleted in admin.delete_topics([system.topics.internal]).values():
        deleted.result(30)
    until(lambda: system.topics.internal not in admin.list_topics(timeout=30).topics)
    handle = client.produce("doors", 2)
    assert handle.exception(60) is not None
    with pytest.raises(DeliveryError, match="were not delivered") as caught:
        client.flush(60)
    assert caught.value.undelivered == 1
    assert system.topics.internal in caught.value.first[0]
    client.flush(1)  # told once, not again


def test_a_full_queue_makes_the_caller_wait_and_then_says_so(
    make_client: MakeClient, system: SystemName, instance_file: Path, kafka_bootstrap: str
) -> None:
    limits = ProducerSettings(queue_max_records=5, queue_wait_s=0.3, linger_s=0.9, delivery_timeout_s=30)
    client = make_client(
        "car_1",
        settings=ClientSettings(alive_s=0, producer=limits),
        broker=KafkaBroker(kafka_bootstrap, KafkaSecurity.from_environment(), producer_settings=limits),
    )
    client.register(instance_file)
    client.flush(30)
    taken: list[DeliveryHandle] = []

    def produce_too_much() -> None:
        for number in range(50):
            taken.append(client.produce("doors", number))  # noqa: PERF401 - the error interrupts

    with pytest.raises(QueueFullError, match="was not taken"):
        produce_too_much()
    for handle in taken:
        handle.result(30)
    assert client.counters.delivered == client.counters.produced == len(taken)


def test_two_threads_may_produce_while_a_third_consumes(
    make_client: MakeClient, system: SystemName, instance_file: Path
) -> None:
    client = make_client("car_1")
    client.register(instance_file)
    client.subscribe(datastreams=[f"{system}.Main.Open Doors"])
    count = 500

    def produce(begin: int) -> None:
        for number in range(begin, begin + count):
            client.produce("doors", number)

    threads = [threading.Thread(target=produce, args=(begin,)) for begin in (0, count)]
    for thread in threads:
        thread.start()
    records = consume(client, 2 * count)
    for thread in threads:
        thread.join()
    assert sorted(int(str(record["result"])) for record in records) == list(range(2 * count))
