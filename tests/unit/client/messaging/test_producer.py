"""The producer against a broker that is not there: what it promises without one."""

import logging
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import KafkaError

from client.errors import DeliveryError
from client.messaging.producer import KafkaProducer, ProducerSettings, _Outgoing

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
    def interrupted(_outgoing: _Outgoing, _limit_s: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(producer, "_enqueue_when_room", interrupted)
    with pytest.raises(KeyboardInterrupt):
        producer.produce("t", b"k", b"v", [])
    assert producer.book.pending == 0


def test_a_closed_producer_takes_no_record(producer: KafkaProducer) -> None:
    producer.close(0)
    with pytest.raises(DeliveryError, match="a record for t was not taken: the client is disconnected"):
        producer.produce("t", b"k", b"v", [])
    assert producer.book.accepted == 0


def test_records_that_are_given_up_are_said_at_once_but_not_one_by_one(
    producer: KafkaProducer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle: list[Callable[[KafkaError, None], None]] = []
    monkeypatch.setattr(producer, "_enqueue_when_room", lambda outgoing, _: settle.append(outgoing.settle))
    for _ in range(100):
        producer.produce("t", b"k", b"v", [])
    for give_up in settle:
        give_up(KafkaError(KafkaError._MSG_TIMED_OUT), None)
    assert producer.book.failed == 100
    (said,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert said.getMessage().startswith("a record for t was given up: ")
