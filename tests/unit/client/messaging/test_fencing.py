"""Fences: how they are told, and when there is a rival."""

import pytest
from confluent_kafka import KafkaError

from client.messaging.fencing import Fences, is_fatal, is_fence

TOLD = "Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id"


@pytest.mark.parametrize(
    ("error", "fatal", "fence"),
    [
        (KafkaError(KafkaError._FATAL, TOLD), True, True),
        (KafkaError(KafkaError.FENCED_INSTANCE_ID, TOLD, True), True, True),
        (KafkaError(KafkaError._FATAL, "Fatal error: Broker: Unsupported version"), True, False),
        (KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "unknown", True), True, False),
        (KafkaError(KafkaError.FENCED_LEADER_EPOCH, "fenced"), False, False),
        (KafkaError(KafkaError._ALL_BROKERS_DOWN), False, False),
    ],
    ids=["as a message", "by the callback", "fatal", "fatal by its mark", "an old leader", "an outage"],
)
def test_a_fence_is_known_however_it_is_told(error: KafkaError, *, fatal: bool, fence: bool) -> None:
    assert (is_fatal(error), is_fence(error)) == (fatal, fence)


def test_the_fourth_fence_within_a_minute_is_that_of_a_rival() -> None:
    times = iter([0.0, 20.0, 40.0, 59.9])
    fences = Fences(lambda: next(times))
    assert [fences.note() for _ in range(4)] == [False, False, False, True]


def test_fences_that_are_far_apart_are_never_those_of_a_rival() -> None:
    times = iter([0.0, 20.0, 40.0, 60.0, 80.0, 100.0])
    fences = Fences(lambda: next(times))
    assert [fences.note() for _ in range(6)] == [False] * 6
