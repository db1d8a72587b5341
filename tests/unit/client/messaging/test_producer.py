"""The producer against a broker that is not there: what it promises without one."""

import logging
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException

from client.errors import DeliveryError, NotAuthorizedError, QueueFullError
from client.messaging import producer as module
from client.messaging.producer import KafkaProducer, ProducerSettings

# Nothing listens there.
AWAY = {"bootstrap.servers": "127.0.0.1:1"}
SETTINGS = ProducerSettings(delivery_timeout_s=60, queue_max_records=1)


@pytest.fixture
def producer() -> Iterator[KafkaProducer]:
    library_logger = logging.getLogger("silent")
    library_logger.setLevel(logging.CRITICAL)
    made = KafkaProducer(AWAY, SETTINGS, _no_look_up, {"t": 1}, listener=None, library_logger=library_logger)
    yield made
    made._producer.purge()
    made._stopping.set()
    made._thread.join()


def _no_look_up(topics: object, timeout_s: float) -> dict[str, int]:
    raise AssertionError(f"{topics} looked up for {timeout_s} s")


def test_an_interrupt_while_waiting_for_room_leaves_nothing_to_wait_for(
    producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_record: object) -> None:
        raise BufferError

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(producer, "_enqueue", full)
    monkeypatch.setattr(producer, "_retry_when_room", interrupted)
    with pytest.raises(KeyboardInterrupt):
        producer.produce("t", b"k", b"v", [])
    assert producer.book.pending == 0


def test_a_record_without_room_is_not_taken_and_not_waited_for(producer: KafkaProducer) -> None:
    taken = producer.produce("t", b"k", b"v", [])
    with pytest.raises(QueueFullError, match=r"stayed full for 0\.0 s; the record for t was not taken"):
        producer.produce("t", b"k", b"v", [], wait_s=0.0)
    assert (producer.book.accepted, producer.book.pending) == (1, 1)
    assert not taken.done()


def test_a_record_waits_for_room_and_is_taken_when_there_is_some(
    producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([BufferError, BufferError, None])
    sent: list[tuple[object, ...]] = []

    def enqueue(*record: object) -> None:
        answer = next(answers)
        if answer is not None:
            raise answer
        sent.append(record)

    monkeypatch.setattr(producer, "_enqueue", enqueue)
    producer.produce("t", b"k", b"v", [("dt-id", b"1")], wait_s=30)
    assert [record[:4] for record in sent] == [("t", b"k", b"v", [("dt-id", b"1")])]
    assert producer.book.pending == 1


def test_every_record_has_a_handle_of_its_own(
    producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Acknowledged:
        def __init__(self, offset: int) -> None:
            self._offset = offset

        def partition(self) -> int:
            return 0

        def offset(self) -> int:
            return self._offset

    settle: list[Callable[[KafkaError | None, Acknowledged], None]] = []
    monkeypatch.setattr(producer, "_enqueue", lambda *record: settle.append(record[-1]))
    handles = [producer.produce("t", b"k", b"v", []) for _ in range(3)]
    for offset in (2, 0, 1):
        settle[offset](None, Acknowledged(offset))
    assert [handle.result(0).offset for handle in handles] == [0, 1, 2]
    assert (producer.book.delivered, producer.book.pending) == (3, 0)


def test_a_closed_producer_takes_no_record(producer: KafkaProducer) -> None:
    producer.close(0)
    with pytest.raises(DeliveryError, match="a record for t was not taken: the client is disconnected"):
        producer.produce("t", b"k", b"v", [])
    assert producer.book.accepted == 0


def test_records_that_are_given_up_are_said_at_once_but_not_one_by_one(
    producer: KafkaProducer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle: list[Callable[[KafkaError, None], None]] = []
    monkeypatch.setattr(producer, "_enqueue", lambda *record: settle.append(record[-1]))
    for _ in range(100):
        producer.produce("t", b"k", b"v", [])
    for give_up in settle:
        give_up(KafkaError(KafkaError._MSG_TIMED_OUT), None)
    assert producer.book.failed == 100
    (said,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert said.getMessage().startswith("a record for t was given up: ")


class EndingLibrary:
    """The client library: ends once it is asked for acknowledgements, and takes its records along."""

    def __init__(self, ends_by: KafkaError | None) -> None:
        self._ends_by = ends_by
        self.settles: list[Callable[[KafkaError | None, object], None]] = []
        self.is_purged = False

    def produce(self, *_record: object, on_delivery: Callable[..., None], headers: object) -> None:
        assert headers == []
        self.settles.append(on_delivery)

    def poll(self, timeout_s: float) -> int:
        time.sleep(min(timeout_s, 0.001))
        error, self._ends_by = (
            self._ends_by if self.settles else None,
            None if self.settles else self._ends_by,
        )
        if error is not None:
            raise KafkaException(error)
        while self.is_purged and self.settles:
            self.settles.pop()(KafkaError(KafkaError._PURGE_QUEUE), None)
        return 0

    def flush(self, timeout_s: float) -> int:
        self.poll(timeout_s)
        return len(self.settles)

    def purge(self) -> None:
        self.is_purged = True

    def __len__(self) -> int:
        return len(self.settles)


def test_a_library_producer_that_ends_gives_up_its_records_with_the_reason_and_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_right = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no right to write", True)
    made = [EndingLibrary(no_right), EndingLibrary(None)]
    following = iter(made)
    monkeypatch.setattr(module, "_ANEW_PAUSE_S", 3600.0)
    monkeypatch.setattr(module, "LibraryProducer", lambda *_, **__: next(following))
    producer = KafkaProducer(
        AWAY, SETTINGS, _no_look_up, {"t": 1}, listener=None, library_logger=logging.getLogger("silent")
    )
    with pytest.raises(NotAuthorizedError, match="no right to write"):
        producer.produce("t", b"k", b"v", []).result(30)
    handle = producer.produce("t", b"k", b"v", [])
    assert not handle.done()
    producer._note_end(made[1], no_right)  # type: ignore[arg-type]
    with pytest.raises(NotAuthorizedError, match="no right to write"):
        handle.result(30)
    with pytest.raises(DeliveryError, match="no right to write"):
        producer.produce("t", b"k", b"v", [])  # it ended soon: too early for another one
    with pytest.raises(DeliveryError, match="2 records were not delivered"):
        producer.close(1)
