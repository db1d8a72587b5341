"""How far a sink says that it is, and why it waits."""

from collections.abc import Mapping, Sequence

import pytest
from confluent_kafka import KafkaError

from streamhub.engine.records import Record
from streamhub.engine.sinks.observed import ObservedSink
from streamhub.engine.sinks.source import not_beyond
from streamhub.engine.work import Partition
from tests.unit.adapters.records import SYSTEM, FakeRecord

TOPIC = f"{SYSTEM}.int"
AWAY = KafkaError(KafkaError._ALL_BROKERS_DOWN)


class EmptySource:
    """Has one partition and no records; keeps what is committed."""

    def __init__(self) -> None:
        self.positions: Mapping[Partition, int] = {(TOPIC, 0): 5}
        self.is_assigned = True
        self.newest_ms = 7
        self.is_done = False
        self.committed: list[Mapping[Partition, int]] = []

    def open(self) -> None: ...

    def take(self, _wait_s: float, _most: int) -> Sequence[Record]:
        return []

    def rest(self, _wait_s: float) -> None: ...

    def has(self, _topic: str) -> bool:
        return True

    def commit(self, positions: Mapping[Partition, int]) -> None:
        self.committed.append(positions)

    def close(self) -> None: ...


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_kafka_is_told_once_how_far_everything_is_settled() -> None:
    source = EmptySource()
    sink = ObservedSink(source)
    assert (sink.is_assigned, sink.positions, sink.newest_ms) == (False, {}, 7)
    for end in (5, 5, 6):
        sink._commit({(TOPIC, 0): end})
    assert source.committed == [{(TOPIC, 0): 5}, {(TOPIC, 0): 6}]
    assert (sink.is_assigned, sink.positions) == (True, {(TOPIC, 0): 6})


def test_what_was_settled_while_no_partition_was_dealt_out_is_told_when_it_was_read_again() -> None:
    source = EmptySource()
    sink = ObservedSink(source)
    sink._commit({(TOPIC, 0): 5})
    source.is_assigned = False
    sink._commit({(TOPIC, 0): 6})
    assert (source.committed, sink.positions) == ([{(TOPIC, 0): 5}], {})
    source.is_assigned = True
    sink._commit({(TOPIC, 0): 6})
    assert source.committed == [{(TOPIC, 0): 5}, {(TOPIC, 0): 6}]


def test_an_outage_is_logged_once_and_is_over_when_records_are_settled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = ObservedSink(EmptySource())
    sink.note_error(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    sink._commit({(TOPIC, 0): 5})
    told = [sink.trouble]
    sink.note_error(AWAY)
    sink.note_error(AWAY)
    sink._commit({(TOPIC, 0): 5})
    told.append(sink.trouble)
    assert len(caplog.records) == 1
    sink._commit({(TOPIC, 0): 6})
    assert [*told, sink.trouble] == [None, f"Kafka: {AWAY.str()}", None]


def test_an_outage_is_over_when_kafka_answers_and_nothing_is_complained_about_for_a_while() -> None:
    clock = Clock()
    sink = ObservedSink(EmptySource(), clock)
    sink.note_error(AWAY)
    clock.now = 10.0
    sink.note_error(AWAY)
    clock.now = 24.0
    sink.note_answer()
    told = sink.trouble
    clock.now = 26.0
    sink.note_answer()
    assert [told, sink.trouble] == [f"Kafka: {AWAY.str()}", None]


def test_nothing_is_committed_beyond_a_record_that_is_not_settled() -> None:
    positions = {(TOPIC, 0): 9, (TOPIC, 1): 9}
    unsettled = [FakeRecord({}, offset=at, partition=place) for place, at in ((0, 7), (0, 3), (2, 1))]
    assert not_beyond(unsettled, positions) == {(TOPIC, 0): 3, (TOPIC, 1): 9}
    assert not_beyond([], positions) == positions
