"""Dead letters before a producer that ends for good: they wait, and another one takes them."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from client.errors import MessagingError, NotAuthorizedError
from streamhub.engine.counters import RecordCounts
from streamhub.engine.sinks import letters as module
from streamhub.engine.sinks.letters import KafkaLetters, Refusal
from streamhub.engine.sinks.settings import SinkSettings

SETTINGS = SinkSettings(bootstrap_servers="127.0.0.1:1", topics=("t",), group="g")
NO_RIGHT = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Failed to acquire idempotence PID", True)
ENDED = KafkaError(KafkaError._FATAL, "Unable to produce message: Local: Fatal error")


class FakeProducer:
    """Takes letters; raises what it is given, once, in the place where it is given."""

    def __init__(self, *, on_produce: KafkaError | None = None, on_flush: KafkaError | None = None) -> None:
        self._on_produce, self._on_flush = on_produce, on_flush
        self.taken: list[tuple[object, ...]] = []
        self.is_purged = False

    def produce(self, *letter: object, **_: object) -> None:
        if self._on_produce is not None:
            raise KafkaException(self._on_produce)
        self.taken.append(letter)

    def poll(self, _timeout_s: float) -> int:
        return 0

    def flush(self, _timeout_s: float) -> int:
        error, self._on_flush = self._on_flush, None
        if error is not None:
            raise KafkaException(error)
        return 0

    def purge(self) -> None:
        self.is_purged = True


class FakeAdmin:
    """Kafka: it has the topic."""

    def __init__(self, *_: object, **__: object) -> None:
        """Nothing is asked of it."""

    def list_topics(self, *, timeout: float) -> SimpleNamespace:
        assert timeout > 0
        return SimpleNamespace(topics={"t.dlq": None})


def refused() -> Refusal:
    message: Any = SimpleNamespace(
        topic=lambda: "t",
        partition=lambda: 0,
        offset=lambda: 3,
        key=lambda: b"k",
        value=lambda: b"{",
        headers=lambda: None,
    )
    return Refusal(message, "record.not_json", "it is none")


@pytest.mark.parametrize("place", ["on_flush", "on_produce"])
def test_letters_that_a_producer_took_along_when_it_ended_go_to_another_one_and_count_once(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    error, kind = {"on_flush": (NO_RIGHT, NotAuthorizedError), "on_produce": (ENDED, MessagingError)}[place]
    first, second = FakeProducer(**{place: error}), FakeProducer()
    producers = iter([first, second])
    monkeypatch.setattr(module, "Producer", lambda *_, **__: next(producers))
    monkeypatch.setattr(module, "AdminClient", FakeAdmin)
    letters, counts, refusals = KafkaLetters(SETTINGS, lambda _: None), RecordCounts(), [refused(), refused()]
    with pytest.raises(kind):
        letters.write(refusals, counts)
    assert first.is_purged
    assert counts.dead_lettered == 0
    letters.write(refusals, counts)
    assert len(second.taken) == counts.dead_lettered == 2
