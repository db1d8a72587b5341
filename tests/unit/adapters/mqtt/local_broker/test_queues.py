"""The queue of one client: nothing of QoS 1 goes before it is acknowledged."""

import pytest

from adapters.mqtt.local_broker import queues
from adapters.mqtt.local_broker.queues import Message, Outbox


def message(number: int, qos: int = 1) -> Message:
    return Message("t", str(number).encode(), qos)


def test_messages_leave_in_order_and_stay_until_they_are_acknowledged() -> None:
    box = Outbox(100, 2)
    for number in range(4):
        assert box.put(message(number))
    first, second = box.take(), box.take()
    assert [first, second] == [(1, message(0)), (2, message(1))]
    assert box.take() is None, "two are on their way"
    assert box.acknowledge(1)
    assert not box.acknowledge(1)
    assert box.take() == (3, message(2))
    assert list(box.inflight) == [2, 3]


def test_a_full_queue_drops_counts_and_has_room_again() -> None:
    box = Outbox(2, 10)
    assert box.put(message(1))
    assert box.put(message(2))
    assert not box.room.is_set()
    assert not box.put(message(3))
    assert box.dropped == 1
    box.take()
    assert box.room.is_set()
    assert box.put(message(4))


def test_identifiers_go_round_without_meeting_one_that_is_under_way() -> None:
    box = Outbox(100_000, 65_535)
    box.put(message(0))
    assert box.take() == (1, message(0))
    for number in range(65_534):
        box.put(message(number))
        taken = box.take()
        assert taken is not None
        assert box.acknowledge(taken[0] or 0)
    box.put(message(1))
    assert box.take() == (2, message(1)), "1 is under way still"


def test_what_is_not_sure_is_forgotten_when_nobody_is_there() -> None:
    box = Outbox(2, 10)
    box.put(message(1, qos=0))
    box.put(message(2))
    box.forget_unsure()
    assert list(box.waiting) == [message(2)]
    assert box.room.is_set()


def test_a_queue_is_full_by_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST_BYTES", 10)
    box = Outbox(100, 10)
    assert box.put(Message("t", b"x" * 10, 0))
    assert not box.put(message(1))
    box.forget_unsure()
    assert box.put(message(1))
    assert box.put(Message("t", b"x" * 10, 1))
    assert box.is_full
    box.take()
    box.take()
    assert not box.is_full
