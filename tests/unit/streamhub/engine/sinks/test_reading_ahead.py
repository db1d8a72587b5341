"""Resting, coming back, and what may be committed meanwhile, with a consumer that only answers."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from client.errors import MessagingError, NotAuthorizedError
from streamhub.engine.sinks import source as module
from streamhub.engine.sinks.settings import SinkSettings
from streamhub.engine.sinks.source import GroupSource

SETTINGS = SinkSettings(bootstrap_servers="127.0.0.1:1", topics=("t",), group="g")
FENCED = KafkaError(
    KafkaError._FATAL,
    "Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id",
)


class Message:
    def __init__(self, offset: int, error: KafkaError | None = None) -> None:
        self._offset, self._error = offset, error

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 5


class FakeConsumer:
    """Gives messages; a function among them is called instead, as a rebalance is."""

    def __init__(self, *given: Message | Callable[[], None]) -> None:
        self._given = list(given)
        self.paused = False
        self.committed: list[int] = []
        self.assigned = [TopicPartition("t", 0)]
        self.is_subscribed = self.is_closed = False

    def subscribe(self, topics: list[str], **_: object) -> None:
        assert topics == ["t"]
        self.is_subscribed = True

    def close(self) -> None:
        self.is_closed = True

    def assign(self, places: list[TopicPartition]) -> None:
        self.assigned = places

    def assignment(self) -> list[TopicPartition]:
        return self.assigned

    def pause(self, _places: Sequence[TopicPartition]) -> None:
        self.paused = True

    def resume(self, _places: Sequence[TopicPartition]) -> None:
        self.paused = False

    def consume(self, most: int, _wait_s: float) -> list[Message]:
        taken: list[Message] = []
        while self._given and len(taken) < most:
            found = self._given.pop(0)
            if isinstance(found, Message):
                taken.append(found)
            else:
                found()
        return taken

    def commit(self, offsets: Sequence[TopicPartition], *, asynchronous: bool) -> None:
        assert not asynchronous
        self.committed += [one.offset for one in offsets]


def source(consumer: FakeConsumer) -> GroupSource:
    made = GroupSource(SETTINGS, lambda _: None)
    made._consumer.close()
    made._consumer = cast("Consumer", consumer)
    return made


def test_what_came_while_it_rested_does_not_count_before_it_is_taken() -> None:
    consumer = FakeConsumer(Message(0), Message(1), Message(2))
    subject = source(consumer)
    assert len(subject.take(0.0, 1)) == 1
    subject.rest(0.0)
    subject.rest(0.0)
    assert consumer.paused
    assert subject.positions == {("t", 0): 1}
    subject.commit(subject.positions)
    assert consumer.committed == [1]
    assert [message.offset() for message in subject.take(0.0, 10)] == [1, 2]
    assert subject.positions == {("t", 0): 3}
    assert not consumer.paused


def test_what_came_before_a_rebalance_is_forgotten_with_it() -> None:
    subject: GroupSource

    def revoke() -> None:
        subject._on_revoke(cast("Consumer", None), [])

    consumer = FakeConsumer(Message(0), Message(1), revoke, Message(7))
    subject = source(consumer)
    subject.take(0.0, 1)
    subject.rest(0.0)
    subject.rest(0.0)
    assert subject.positions == {}
    assert [message.offset() for message in subject.take(0.0, 10)] == [7]
    assert subject.positions == {("t", 0): 8}


def test_the_end_of_a_partition_is_noted_and_a_refusal_ends_it() -> None:
    end = KafkaError(KafkaError._PARTITION_EOF)
    refused = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    subject = source(FakeConsumer(Message(0), Message(3, end), Message(3, refused)))
    subject.take(0.0, 1)
    subject.rest(0.0)
    assert not subject.take(0.0, 10)
    assert subject.positions == {("t", 0): 3}
    with pytest.raises(NotAuthorizedError):
        subject.take(0.0, 10)


def test_the_end_of_a_partition_counts_although_its_last_records_come_at_once_with_it() -> None:
    end = KafkaError(KafkaError._PARTITION_EOF)
    subject = source(FakeConsumer(Message(0), Message(1), Message(3, end)))
    assert len(subject.take(0.0, 10)) == 2
    assert subject.positions == {("t", 0): 3}
    more = source(FakeConsumer(Message(0), Message(2, end), Message(2)))
    more.take(0.0, 10)
    assert more.positions == {("t", 0): 3}


def coming_back(monkeypatch: pytest.MonkeyPatch, first: FakeConsumer, *others: FakeConsumer) -> GroupSource:
    """Make a source that reads with the first consumer, and then with the others."""
    subject = source(first)
    following = iter(others)
    monkeypatch.setattr(module, "Consumer", lambda *_, **__: next(following))
    return subject


def test_a_fenced_member_comes_back_and_commits_what_was_stored_only_for_what_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = FakeConsumer(Message(0), Message(1), Message(2), Message(0, FENCED)), FakeConsumer(Message(1))
    new.assigned = []
    subject = coming_back(monkeypatch, old, new)
    subject._on_assign(cast("Consumer", old), old.assigned)
    assert len(subject.take(0.0, 2)) == 2
    under_way = subject.positions
    assert not subject.take(0.0, 10), "what came with the fence comes again"
    assert (old.is_closed, new.is_subscribed) == (True, True)
    assert (subject.positions, subject.is_assigned) == ({}, False)
    subject.commit(under_way)
    assert (old.committed, new.committed) == ([], [])
    new.assigned = [TopicPartition("t", 0)]
    subject._on_assign(cast("Consumer", new), new.assigned)
    subject.commit(under_way)
    assert (old.committed, new.committed) == ([], [2])
    assert [message.offset() for message in subject.take(0.0, 10)] == [1]
    assert subject.is_assigned


def test_a_member_that_was_fenced_while_it_rested_comes_back_when_it_reads_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = FakeConsumer(Message(0))
    subject = coming_back(monkeypatch, FakeConsumer(Message(0), Message(0, FENCED)), new)
    for _ in range(3):
        subject.rest(0.0)
    assert not subject.take(0.0, 10)
    subject.rest(0.0)
    assert new.paused
    assert [message.offset() for message in subject.take(0.0, 10)] == [0]
    assert not new.paused


def test_a_member_that_is_fenced_again_and_again_gives_way_to_its_rival(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, *others = (FakeConsumer(Message(0, FENCED)) for _ in range(4))
    subject = coming_back(monkeypatch, first, *others)
    for _ in range(3):
        assert not subject.take(0.0, 10)
    with pytest.raises(MessagingError, match=r"another process reads as g of the group g .* --copy number"):
        subject.take(0.0, 10)


def test_another_fatal_error_ends_it_although_it_is_not_marked_as_one() -> None:
    subject = source(FakeConsumer(Message(0, KafkaError(KafkaError._FATAL, "it is broken"))))
    with pytest.raises(MessagingError, match="it is broken"):
        subject.take(0.0, 10)
