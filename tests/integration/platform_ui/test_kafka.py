"""Topics and the live tail on a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName, SystemTopics
from platform_ui.broker import KafkaTopics
from platform_ui.errors import BrokerError, ConflictError
from platform_ui.systems.tail import HISTORY, ROWS, TailHub
from platform_ui.systems.units import UnitDirectory
from tests.kafka_clients import connection

NewSystem = Callable[[], str]
TIMEOUT_S = 90.0


@pytest.fixture
def system(unique_system: NewSystem) -> str:
    return unique_system()


@pytest.fixture
def made(kafka_bootstrap: str, system: str) -> SystemTopics:
    topics = SystemName.parse(system).topics
    KafkaTopics(kafka_bootstrap, KafkaSecurity.from_environment()).create(topics)
    return topics


def test_topics_are_made_with_their_partitions_and_kept_by_age(
    kafka_bootstrap: str, made: SystemTopics
) -> None:
    admin = AdminClient(connection(kafka_bootstrap))
    listing = admin.list_topics(timeout=60).topics
    assert [len(listing[name].partitions) for name in made.all()] == [3, 3, 1, 3]
    resource = ConfigResource(ResourceType.TOPIC, made.internal)
    configuration = admin.describe_configs([resource])[resource].result(timeout=60)
    assert configuration["cleanup.policy"].value == "delete"


def test_topics_of_an_earlier_system_are_refused_unless_adopted(
    kafka_bootstrap: str, made: SystemTopics
) -> None:
    topics = KafkaTopics(kafka_bootstrap, KafkaSecurity.from_environment())
    with pytest.raises(ConflictError, match=made.internal):
        topics.create(made)
    topics.create(made, adopt=True)
    assert topics.missing(made) == ()


def test_topics_are_gone_after_their_removal_and_can_be_made_again(
    kafka_bootstrap: str, made: SystemTopics
) -> None:
    topics = KafkaTopics(kafka_bootstrap, KafkaSecurity.from_environment())
    topics.remove(made)
    assert topics.missing(made) == made.all()
    topics.remove(made)
    topics.create(made)
    assert topics.missing(made) == ()


def test_a_refused_creation_leaves_no_topic(kafka_bootstrap: str, system: str) -> None:
    topics = KafkaTopics(kafka_bootstrap, KafkaSecurity.from_environment(), replication_factor=9)
    with pytest.raises(BrokerError, match="could not be created"):
        topics.create(SystemName.parse(system).topics)
    assert len(topics.missing(SystemName.parse(system).topics)) == 4


def test_a_broker_that_is_not_there_is_an_error_with_its_address() -> None:
    topics = KafkaTopics("127.0.0.1:1")
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
        topics.check()


class Watcher:
    """Reads the events of a tail."""

    def __init__(self, hub: TailHub, system: str) -> None:
        self.events = hub.follow(system)
        self.records: list[dict[str, object]] = []
        self.units: dict[str, str] = {}
        self.states: list[str] = []

    async def until(self, is_done: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not is_done():
                event = await anext(self.events)
                if event is not None:
                    self._take(event)

    def _take(self, event: str) -> None:
        kind, data = event.strip().split("\n")
        payload = json.loads(data.removeprefix("data: "))
        if kind == "event: units":
            self.units |= payload
        else:
            self.states.append(payload["state"])
            self.records += payload["records"]


@pytest.fixture
async def hub(kafka_bootstrap: str) -> AsyncIterator[TailHub]:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"value": [{"unitOfMeasurement": {"symbol": "degC"}}]})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    units = UnitDirectory("http://metadata", client=client)
    hub = TailHub(kafka_bootstrap, KafkaSecurity.from_environment(), units)
    yield hub
    hub.stop()
    await units.close()


def produce(kafka_bootstrap: str, topic: str, key: str, count: int, *, first: int = 0) -> None:
    producer = Producer(connection(kafka_bootstrap))
    for number in range(first, first + count):
        value = json.dumps({"phenomenonTime": "2026-01-02T03:04:05Z", "result": number})
        headers: list[tuple[str, str | bytes | None]] = [("dt-app", b"a.bb.cc.dd.app")]
        producer.produce(topic, key=key, value=value, partition=0, headers=headers)
    assert producer.flush(60) == 0


async def test_a_tail_begins_with_the_latest_records_and_goes_on_with_new_ones(
    kafka_bootstrap: str, made: SystemTopics, system: str, hub: TailHub
) -> None:
    key = f"{system}.Main.Air Temperature"
    produce(kafka_bootstrap, made.external, key, 50)
    watcher = Watcher(hub, system)
    await watcher.until(lambda: len(watcher.records) >= HISTORY)
    assert [record["result"] for record in watcher.records] == [str(n) for n in range(50 - HISTORY, 50)]
    produce(kafka_bootstrap, made.internal, key, 1, first=77)
    await watcher.until(lambda: watcher.records[-1]["result"] == "77" and bool(watcher.units))
    last = watcher.records[-1]
    assert (last["tab"], last["thing"], last["datastream"], last["offset"]) == (
        "int",
        "Main",
        "Air Temperature",
        0,
    )
    assert last["origin"] == "a.bb.cc.dd.app"
    assert watcher.units == {key: "degC"}
    await watcher.events.aclose()


async def test_two_watchers_share_one_reader_and_the_second_gets_what_was_there(
    kafka_bootstrap: str, made: SystemTopics, system: str, hub: TailHub
) -> None:
    first, second = Watcher(hub, system), Watcher(hub, system)
    produce(kafka_bootstrap, made.internal, f"{system}.Main.X", 5)
    await first.until(lambda: len(first.records) == 5)
    await second.until(lambda: len(second.records) == 5)
    assert hub.watchers == 2
    await first.events.aclose()
    await second.events.aclose()
    assert hub.watchers == 0


async def test_a_flood_neither_stops_the_tail_nor_is_shown_in_full(
    kafka_bootstrap: str, made: SystemTopics, system: str, hub: TailHub
) -> None:
    watcher = Watcher(hub, system)
    await watcher.until(lambda: "live" in watcher.states)
    produce(kafka_bootstrap, made.internal, f"{system}.Main.X", 60_000)
    await watcher.until(lambda: bool(watcher.records) and watcher.records[-1]["result"] == "59999")
    assert len(watcher.records) < 60_000 // 2
    snapshot = Watcher(hub, system)
    await snapshot.until(lambda: bool(snapshot.records))
    assert len(snapshot.records) == ROWS
    await snapshot.events.aclose()
    await watcher.events.aclose()
