"""The lane with clients that only answer: where it goes on after a rebalance or an abort."""

from collections.abc import Sequence
from typing import cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from client.messaging.security import KafkaSecurity
from streamhub.engine.lane import BatchLane
from streamhub.engine.settings import LaneSettings
from streamhub.engine.topics import TopicFacts
from streamhub.errors import StreamAppError
from streamhub.query import compile_statement
from streamhub.specification import StreamAppSpecification

SPECIFICATION = StreamAppSpecification(
    name="app",
    source_system="aa.bb.cc.dd",
    target_system="ee.ff.gg.hh",
    statement="SELECT * FROM *;",
    bootstrap_servers="127.0.0.1:1",
)


class Place(TopicPartition):
    """A partition with an error of its own, which only the client library can set."""

    error: KafkaError | None = None


class FakeConsumer:
    def __init__(self, *answers: Sequence[TopicPartition]) -> None:
        self.answers = list(answers)
        self.assigned: list[tuple[int, int]] = []

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("t", 0), TopicPartition("t", 1)]

    def committed(self, _places: Sequence[TopicPartition], _timeout_s: float) -> Sequence[TopicPartition]:
        return self.answers.pop(0)

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self.assigned = [(place.partition, place.offset) for place in places]

    def get_watermark_offsets(self, _place: TopicPartition, _timeout_s: float) -> tuple[int, int]:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def unknown(code: int) -> Place:
    place = Place("t", 1)
    place.error = KafkaError(code)
    return place


def rewind(consumer: FakeConsumer) -> None:
    settings = LaneSettings(specification=SPECIFICATION, security=KafkaSecurity())
    lane = BatchLane(settings, compile_statement(SPECIFICATION.statement), TopicFacts(1))
    lane._consumer = cast("Consumer", consumer)
    lane._rewind()


def test_it_goes_on_at_the_committed_offsets_and_at_the_beginning_where_there_is_none() -> None:
    consumer = FakeConsumer([TopicPartition("t", 0, 17), TopicPartition("t", 1)])
    rewind(consumer)
    assert consumer.assigned == [(0, 17), (1, OFFSET_BEGINNING)]


def test_an_offset_that_kafka_cannot_tell_yet_is_asked_again_and_never_taken_for_none() -> None:
    consumer = FakeConsumer(
        [TopicPartition("t", 0, 17), unknown(KafkaError.UNSTABLE_OFFSET_COMMIT)],
        [TopicPartition("t", 0, 17), TopicPartition("t", 1, 5)],
    )
    rewind(consumer)
    assert consumer.assigned == [(0, 17), (1, 5)]


def test_an_offset_that_kafka_refuses_to_tell_ends_the_lane() -> None:
    consumer = FakeConsumer([TopicPartition("t", 0, 17), unknown(KafkaError.TOPIC_AUTHORIZATION_FAILED)])
    with pytest.raises(StreamAppError, match="Kafka refuses to go on"):
        rewind(consumer)
    assert consumer.assigned == []
