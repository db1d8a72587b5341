"""A sink's reader whose place in the group was taken: it comes back, and leaves nothing out."""

import logging
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from client.messaging.security import KafkaSecurity
from streamhub.engine.sinks.settings import SinkSettings
from streamhub.engine.sinks.source import GroupSource
from tests.integration.streamhub.flows import eventually
from tests.kafka_clients import connection
from tests.rivals import take_place


@pytest.fixture
def settings(kafka_bootstrap: str, unique_system: Callable[[], str]) -> SinkSettings:
    topic = f"{unique_system()}.int"
    admin = AdminClient(connection(kafka_bootstrap))
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(60)
    eventually(lambda: topic in admin.list_topics(timeout=60).topics, what=f"topic {topic}")
    return SinkSettings(
        bootstrap_servers=kafka_bootstrap,
        topics=(topic,),
        group=f"{topic}.sink",
        copy=0,
        security=KafkaSecurity.from_environment(),
    )


@pytest.fixture
def source(settings: SinkSettings) -> Iterator[GroupSource]:
    made = GroupSource(settings, lambda _: None)
    made.open()
    yield made
    made.close()


def test_a_reader_whose_place_was_taken_comes_back_to_what_is_committed(
    source: GroupSource, settings: SinkSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    topic, bootstrap = settings.topics[0], settings.bootstrap_servers
    producer = Producer(connection(bootstrap))
    offsets: list[int] = []

    def produce(count: int) -> None:
        for _ in range(count):
            producer.produce(topic, b"{}")
        producer.flush(30)

    def has_read(end: int) -> bool:
        offsets.extend(record.offset() for record in source.take(0.1, 100))
        return source.positions == {(topic, 0): end}

    produce(3)
    eventually(lambda: has_read(3), what="reading")
    source.commit({(topic, 0): 2})
    take_place(bootstrap, settings.group, settings.name, topic)
    eventually(lambda: has_read(3) and "coming back with a new consumer" in caplog.text, what="coming back")
    assert offsets == [0, 1, 2, 2]
    assert source.is_assigned
    source.commit(source.positions)
    asking = Consumer(connection(bootstrap, group_id=settings.group))
    assert [place.offset for place in asking.committed([TopicPartition(topic, 0)], 30)] == [3]
    asking.close()
