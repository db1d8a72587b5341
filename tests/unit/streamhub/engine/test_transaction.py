"""What each kind of Kafka error asks for; producer and consumer only remember what they were asked."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from client.errors import DigitalTwinError, NotAuthorizedError
from streamhub.engine.transaction import (
    StoppedWhileWaitingError,
    TransactionAbortedError,
    TransactionLog,
    call_patiently,
    translate,
)
from streamhub.engine.watched import CallLostError
from streamhub.engine.work import Place
from streamhub.errors import CopyFencedError, StreamAppError


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamhub.engine.transaction._RETRY_PAUSE_S", 0.0)


def error(code: int, **kinds: bool) -> KafkaError:
    return KafkaError(code, "said the broker", **kinds)


@dataclass
class FakeClients:
    calls: list[str] = field(default_factory=list)
    offsets: list[tuple[str, int, int, str | None]] = field(default_factory=list)
    refusal: KafkaException | None = None

    def init_transactions(self, _timeout_s: float) -> None:
        self.calls.append("init")

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def send_offsets_to_transaction(self, offsets: Sequence[TopicPartition], group: object, _: float) -> None:
        assert group == "metadata"
        self.calls.append("offsets")
        self.offsets = [(place.topic, place.partition, place.offset, place.metadata) for place in offsets]

    def commit_transaction(self, _timeout_s: float) -> None:
        self.calls.append("commit")
        if self.refusal is not None:
            raise self.refusal

    def abort_transaction(self, _timeout_s: float) -> None:
        self.calls.append("abort")

    def consumer_group_metadata(self) -> object:
        return "metadata"


@dataclass
class StuckClients(FakeClients):
    comes_back: threading.Event = field(default_factory=threading.Event)

    def commit_transaction(self, _timeout_s: float) -> None:
        self.calls.append("commit")
        self.comes_back.wait()


@dataclass
class SlowClients(FakeClients):
    refusals: int = 0

    def commit_transaction(self, _timeout_s: float) -> None:
        self.calls.append("commit")
        self.refusals -= 1
        if self.refusals >= 0:
            raise KafkaException(error(KafkaError._TIMED_OUT, retriable=True))


def wait_while_under_way(log: TransactionLog) -> None:
    while log.is_under_way:
        pass


def log_of(clients: FakeClients) -> TransactionLog:
    return TransactionLog(cast("Consumer", clients), cast("Producer", clients), lambda _: False)


def test_a_transaction_begins_once_and_commits_with_the_offsets_of_the_group() -> None:
    clients = FakeClients()
    log = log_of(clients)
    log.take_over()
    assert not log.is_open
    log.begin(10.0)
    log.begin(10.5)
    assert log.age_s(11.0) == 1.0
    log.begin_commit({("t", 0): Place(7), ("t", 1): Place(9, "note")})
    assert log.is_committing
    assert not log.is_open
    log.join_commit()
    assert not log.is_committing
    assert clients.calls == ["init", "begin", "offsets", "commit"]
    assert clients.offsets == [("t", 0, 7, None), ("t", 1, 9, "note")]
    assert log.age_s(12.0) == 0.0


def test_a_transaction_whose_commit_failed_is_aborted_once() -> None:
    clients = FakeClients()
    clients.refusal = KafkaException(error(KafkaError.INVALID_PRODUCER_EPOCH, txn_requires_abort=True))
    log = log_of(clients)
    log.begin(0.0)
    log.begin_commit({})
    with pytest.raises(TransactionAbortedError):
        log.join_commit()
    log.abort()
    log.abort()
    assert clients.calls == ["begin", "commit", "abort"]


def test_aborting_waits_for_a_commit_that_has_begun() -> None:
    clients = FakeClients()
    log = log_of(clients)
    log.begin(0.0)
    log.begin_commit({})
    log.abort()
    assert clients.calls == ["begin", "commit"]


def test_a_commit_that_does_not_come_back_is_lost_and_nothing_more_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamhub.engine.transaction._PATIENCE_S", 0.05)
    clients = StuckClients()
    log = log_of(clients)
    log.begin(0.0)
    log.begin_commit({})
    with pytest.raises(CallLostError, match="has not come back"):
        log.join_commit()
    log.abort()
    clients.comes_back.set()
    assert clients.calls == ["begin", "commit"]


def test_a_commit_that_is_only_looked_at_is_found_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamhub.engine.transaction._PATIENCE_S", 0.05)
    clients = StuckClients()
    log = log_of(clients)
    log.begin(0.0)
    log.begin_commit({})
    with pytest.raises(CallLostError):
        wait_while_under_way(log)
    clients.comes_back.set()


def test_a_call_that_is_made_again_and_again_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamhub.engine.transaction._PATIENCE_S", 0.2)
    monkeypatch.setattr("streamhub.engine.transaction._RETRY_PAUSE_S", 0.02)
    clients = SlowClients(refusals=25)
    log = log_of(clients)
    log.begin(0.0)
    log.begin_commit({})
    log.join_commit()
    assert clients.calls == ["begin", *["commit"] * 26]


def test_aborting_without_an_open_transaction_asks_nothing() -> None:
    clients = FakeClients()
    log = log_of(clients)
    log.abort()
    log.begin(0.0)
    log.abort()
    assert clients.calls == ["begin", "abort"]


def test_a_retriable_error_is_tried_again() -> None:
    answers = [KafkaException(error(KafkaError._TIMED_OUT, retriable=True))] * 3

    def call() -> str:
        if answers:
            raise answers.pop()
        return "done"

    assert call_patiently(call, lambda _: False) == "done"


def test_waiting_ends_when_the_app_is_asked_to_stop() -> None:
    def call() -> None:
        raise KafkaException(error(KafkaError._TRANSPORT))

    with pytest.raises(StoppedWhileWaitingError):
        call_patiently(call, lambda _: True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (error(KafkaError._FENCED, fatal=True), CopyFencedError),
        (error(KafkaError.FENCED_INSTANCE_ID, fatal=True), CopyFencedError),
        (error(KafkaError.INVALID_PRODUCER_EPOCH, txn_requires_abort=True), TransactionAbortedError),
        (error(KafkaError.TOPIC_AUTHORIZATION_FAILED, txn_requires_abort=True), NotAuthorizedError),
        (error(KafkaError.GROUP_AUTHORIZATION_FAILED, txn_requires_abort=True), NotAuthorizedError),
        (error(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True), StreamAppError),
        (error(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, fatal=True), NotAuthorizedError),
    ],
)
def test_errors_that_waiting_does_not_cure_are_told_apart(
    given: KafkaError, expected: type[DigitalTwinError]
) -> None:
    assert type(translate(given)) is expected


def test_a_fatal_error_is_not_waited_for() -> None:
    def call() -> None:
        raise KafkaException(error(KafkaError._FENCED, fatal=True, retriable=True))

    with pytest.raises(CopyFencedError):
        call_patiently(call, lambda _: False)
