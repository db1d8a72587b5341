"""Reading with a client that only answers: where it goes on after a rebalance or an abort."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from client.errors import NotAuthorizedError
from client.messaging.security import KafkaSecurity
from streamhub.engine.settings import LaneSettings
from streamhub.engine.source import SourceReader
from streamhub.engine.topics import Memory, TopicFacts
from streamhub.engine.work import Partition, Place
from streamhub.errors import CopyFencedError
from streamhub.specification import StreamAppSpecification

SPECIFICATION = StreamAppSpecification(
    name="app",
    source_system="aa.bb.cc.dd",
    target_system="ee.ff.gg.hh",
    statement="SELECT * FROM *;",
    bootstrap_servers="127.0.0.1:1",
)


class Answer(TopicPartition):
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


def unknown(code: int) -> Answer:
    place = Answer("t", 1)
    place.error = KafkaError(code)
    return place


class Owner:
    def __init__(self) -> None:
        self.taken: Mapping[Partition, Place] = {}
        self.given_up: list[bool] = []

    def give_up_partitions(self, *, are_lost: bool) -> None:
        self.given_up.append(are_lost)

    def take_partitions(self, places: Mapping[Partition, Place]) -> None:
        self.taken = places


def reader(
    consumer: FakeConsumer, owner: Owner | None = None, facts: TopicFacts | None = None
) -> SourceReader:
    settings = LaneSettings(specification=SPECIFICATION, security=KafkaSecurity())
    made = SourceReader(
        settings,
        facts or TopicFacts(1),
        owner or Owner(),
        on_error=lambda _: None,
        give_up=lambda _: False,
    )
    made._consumer.close()
    made._consumer = cast("Consumer", consumer)
    return made


def rewind(consumer: FakeConsumer) -> None:
    reader(consumer).rewind()


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
    with pytest.raises(NotAuthorizedError, match="Kafka does not let this app"):
        rewind(consumer)
    assert consumer.assigned == []


def test_what_was_noted_with_the_offsets_is_given_back() -> None:
    owner = Owner()
    consumer = FakeConsumer([TopicPartition("t", 0, 17, "note"), TopicPartition("t", 1)])
    reader(consumer, owner).rewind()
    assert owner.taken == {("t", 0): Place(17, "note"), ("t", 1): Place(-1001)}


def test_an_owner_of_everything_reads_all_partitions_and_the_others_none() -> None:
    facts = TopicFacts(1, sources={"a.int": 2, "b.int": 1}, memory=Memory.WHOLE)
    consumer = FakeConsumer(
        [TopicPartition("a.int", 0, 5), TopicPartition("a.int", 1, 6), TopicPartition("b.int", 0, 7)]
    )
    owner = reader(consumer, facts=facts)
    owner._on_assign(cast("Consumer", consumer), [TopicPartition("state", 0)])
    owner.rewind()
    assert consumer.assigned == [(0, 5), (1, 6), (0, 7)]
    idle = FakeConsumer()
    standby = reader(idle, facts=facts)
    standby._on_assign(cast("Consumer", idle), [])
    standby.rewind()
    assert idle.assigned == []
    assert standby.is_assigned


FENCED = "Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id"


@pytest.mark.parametrize("are_lost", [True, False])
def test_a_fence_is_heard_although_it_is_told_once_and_maybe_while_partitions_are_lost(
    are_lost: bool,
) -> None:
    consumer = FakeConsumer()
    made = reader(consumer)

    def consume(_most: int, _wait_s: float) -> list[Message]:
        if are_lost:
            made._on_lost(cast("Consumer", consumer), consumer.assignment())
        return [Message(error=KafkaError(KafkaError._FATAL, FENCED))]

    consumer.consume = consume  # type: ignore[attr-defined]
    with pytest.raises(CopyFencedError, match=r"another process runs the same copy .*Static consumer fenced"):
        made.take(0.0, 1)
