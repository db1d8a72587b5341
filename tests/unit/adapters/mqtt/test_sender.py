"""What the bridge learns of Kafka from its producer: that it has ended, and that nobody can be reached."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from adapters.mqtt.bridge.sender import Outcome, Sender
from adapters.mqtt.settings import BridgeSettings, MqttConnection
from client.errors import MessagingError

ALL_DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
NOT_ALLOWED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
TIMED_OUT = KafkaError(KafkaError._TIMED_OUT)


class FakeProducer:
    """The client library: ends when it is told to."""

    def __init__(self) -> None:
        self.ends_by: KafkaError | None = None

    def poll(self, _timeout_s: float) -> int:
        error, self.ends_by = self.ends_by, None
        if error is not None:
            raise KafkaException(error)
        return 0

    def flush(self, timeout_s: float) -> int:
        return self.poll(timeout_s)

    def __len__(self) -> int:
        return 0


class Desk:
    """A sender without Kafka."""

    def __init__(self, folder: Path) -> None:
        settings = BridgeSettings(
            mqtt=MqttConnection(host="mqtt.example.org", port=1883, uses_tls=False),
            bootstrap_servers="127.0.0.1:1",
            sensorthings="http://sta.example.org",
            folder=folder,
        )
        self.sender = Sender(settings)
        self.producer = FakeProducer()
        self.asked: list[Future[object]] = []
        admin: Any = SimpleNamespace(describe_cluster=self._ask)
        producer: Any = self.producer
        self.sender._producer, self.sender.admin = producer, admin

    def _ask(self, *, request_timeout: float) -> Future[object]:
        assert request_timeout > 0
        self.asked.append(Future())
        return self.asked[-1]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.sender.close(0.0)


def test_a_producer_that_has_ended_is_said_in_words_by_every_call(desk: Desk) -> None:
    desk.producer.ends_by = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no right to write", True)
    for _ in range(2):
        with pytest.raises(MessagingError, match="cannot go on: no right to write"):
            desk.sender.serve()


def test_a_producer_that_ends_while_it_is_closed_keeps_nothing_from_being_closed(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.producer.ends_by = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no right to write", True)
    desk.sender.close(0.0)
    assert "no right to write" in caplog.text


@pytest.mark.parametrize(
    ("answer", "is_away"),
    [(None, False), (NOT_ALLOWED, False), (TIMED_OUT, True)],
    ids=["done", "refused", "none"],
)
def test_kafka_is_away_until_it_has_answered_for_a_record(
    desk: Desk, answer: KafkaError | None, *, is_away: bool
) -> None:
    assert not desk.sender.is_away
    desk.sender._on_error(ALL_DOWN)
    assert desk.sender.is_away
    outcome, _ = desk.sender._judge(answer, "t")
    assert outcome is (Outcome.DELIVERED if answer is None else Outcome.REFUSED)
    assert desk.sender.is_away is is_away


def test_without_records_that_show_it_kafka_is_asked_whether_it_is_back(desk: Desk) -> None:
    desk.sender.serve()
    assert not desk.asked
    desk.sender._on_error(ALL_DOWN)
    for _ in range(3):
        desk.sender.serve()
    (first,) = desk.asked
    first.set_exception(KafkaException(TIMED_OUT))
    desk.sender.serve()
    assert desk.sender.is_away
    desk.sender.serve()
    desk.asked[1].set_result(None)
    desk.sender.serve()
    assert not desk.sender.is_away
    desk.sender.serve()
    assert len(desk.asked) == 2
