"""The consumer without Kafka: no record gets lost on the way through it, and a fence does not end it."""

import logging
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from client.errors import ConfigurationError, MessagingError
from client.messaging import consumer as module
from client.messaging.consumer import KafkaConsumer

FENCED = KafkaError(
    KafkaError._FATAL,
    "Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id",
)


class OddMessage:
    """A header whose name is not UTF-8, as confluent-kafka tells it."""

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> None:
        raise SystemError("returned a result with an exception set")


def test_a_record_whose_headers_cannot_be_read_arrives_without_them_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    library_logger = logging.getLogger("silent")
    library_logger.setLevel(logging.CRITICAL)
    consumer = KafkaConsumer({"bootstrap.servers": "127.0.0.1:1"}, "g", ["t"], "earliest", library_logger)
    record = consumer._accept(cast("Message", OddMessage()))
    consumer.close()
    assert record is not None
    assert (record.key, record.value, record.headers) == (b"k", b"v", ())
    assert "headers of t offset 7 are left out" in caplog.text


class Record:
    """A record, or what the client library says in place of one."""

    def __init__(self, offset: int | None, error: KafkaError | None = None) -> None:
        self._offset, self._error = offset, error

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str | None:
        return None if self._error else "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int | None:
        return self._offset

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> None:
        return None


class Member:
    """What the client library makes: gives what is next, and remembers what was asked of it."""

    def __init__(self, given: list[Record]) -> None:
        self._given = given
        self.committed: list[int] = []
        self.is_subscribed = self.is_closed = False

    def subscribe(self, topics: list[str], **_: object) -> None:
        assert topics == ["t"]
        self.is_subscribed = True

    def poll(self, _timeout_s: float) -> Record | None:
        return self._given.pop(0) if self._given else None

    def consume(self, most: int, _timeout_s: float) -> list[Record]:
        return [self._given.pop(0) for _ in range(min(most, len(self._given)))]

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert not (asynchronous and self.is_closed)
        self.committed += [one.offset for one in offsets]

    def close(self) -> None:
        self.is_closed = True


class Library:
    """Makes one member after the other, each with its records; refuses where it has an error instead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *planned: list[Record] | KafkaError) -> None:
        self._planned = list(planned)
        self.members: list[Member] = []
        monkeypatch.setattr(module, "LibraryConsumer", self._make)

    def _make(self, _settings: dict[str, Any], **_: object) -> Member:
        planned = self._planned.pop(0)
        if isinstance(planned, KafkaError):
            raise KafkaException(planned)
        self.members.append(Member(planned))
        return self.members[-1]

    def consumer(self) -> KafkaConsumer:
        return KafkaConsumer({}, "g", ["t"], "earliest", logging.getLogger("silent"))


def offsets(consumer: KafkaConsumer) -> list[int]:
    return [record.offset for record in consumer.receive(10, 0.0)]


def test_a_fenced_member_comes_back_and_what_it_had_not_committed_comes_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fence = Record(None, FENCED)
    library = Library(monkeypatch, [Record(0), Record(1)], [Record(1), Record(2)])
    consumer = library.consumer()
    first = library.members[0]
    assert offsets(consumer) == [0, 1]
    first._given += [Record(2), fence]
    assert offsets(consumer) == [2]
    consumer.commit(wait=True)
    assert first.committed == []
    assert first.is_closed
    assert "reading goes on as a new member" in caplog.text
    assert offsets(consumer) == [1, 2]
    consumer.commit(wait=True)
    second = library.members[1]
    assert second.committed == [3]
    assert (second.is_subscribed, second.is_closed) == (True, False)


def test_a_fenced_member_does_not_commit_later_what_it_could_not_while_its_files_are_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Library(monkeypatch, [Record(0)], [], [])
    consumer = library.consumer()
    assert offsets(consumer) == [0]
    consumer.commit(wait=False)
    library.members[0]._given.append(Record(None, FENCED))
    assert offsets(consumer) == []
    consumer.reopen()
    assert offsets(consumer) == []
    assert [member.committed for member in library.members] == [[1], [], []]


def test_a_member_that_is_fenced_again_and_again_has_a_rival_and_says_so_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Library(monkeypatch, *([Record(None, FENCED)] for _ in range(4)))
    consumer = library.consumer()
    for _ in range(3):
        assert offsets(consumer) == []
    for _ in range(2):
        with pytest.raises(MessagingError, match=r"Another program reads .* its own client_name"):
            consumer.receive(10, 0.0)
    assert len(library.members) == 4


def test_another_fatal_error_is_told_by_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(monkeypatch, [Record(None, KafkaError(KafkaError._FATAL, "it is broken"))])
    consumer = library.consumer()
    for _ in range(2):
        with pytest.raises(MessagingError, match="it is broken"):
            consumer.receive(10, 0.0)
    assert len(library.members) == 1


def test_a_fenced_member_whose_files_are_refused_says_so_and_comes_back_when_they_are_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = KafkaError(KafkaError._INVALID_ARG, "no certificate")
    library = Library(monkeypatch, [Record(None, FENCED)], refusal, [Record(0)])
    consumer = library.consumer()
    with pytest.raises(ConfigurationError, match="no certificate"):
        consumer.receive(10, 0.0)
    assert not library.members[0].is_closed
    assert offsets(consumer) == []
    assert offsets(consumer) == [0]
