"""From Kafka to the MQTT broker: headers that go along, values taken back, and a reader that cannot go on."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from adapters.mqtt.bridge import downward
from adapters.mqtt.bridge.downward import Downward
from adapters.mqtt.bridge.headers import headers_of, shown_headers
from adapters.mqtt.bridge.pipeline import BridgeCounts
from adapters.mqtt.settings import BridgeSettings, MqttConnection
from adapters.mqtt.storage.retained import RetainedValues
from client.errors import MessagingError

PROVIDER = "is.iceland.Weather.Stations"
SYSTEM = "cz.icecars.CarFleet.Car1"
TOPIC = f"dt-ext/{SYSTEM}/{PROVIDER}/Hekla/Wind"


FENCED = KafkaError(
    KafkaError._FATAL,
    "Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id",
)


class FakeMessage:
    """A record of Kafka, or what the client library says in place of one."""

    def __init__(self, *headers: tuple[str, bytes | None], error: KafkaError | None = None) -> None:
        self._headers = list(headers)
        self._error = error

    def headers(self) -> list[tuple[str, bytes | None]]:
        return self._headers

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str:
        return f"{SYSTEM}.ext"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 41

    def key(self) -> bytes:
        return f"{PROVIDER}.Hekla.Wind".encode()

    def value(self) -> bytes:
        return b'{"result":1}'


class FakeConsumer:
    """Kafka: gives what it is told to give, and remembers what was committed."""

    def __init__(self, settings: dict[str, Any], **_: object) -> None:
        self.on_error: Callable[[KafkaError], None] = settings["error_cb"]
        self.messages: list[FakeMessage] = []
        self.committed: list[int] = []
        self.before_commit: Callable[[], None] = lambda: None
        self.subscriptions = 0
        self.is_closed = False
        self.topics: dict[str, None] = {}
        self.dealt: list[TopicPartition] = []

    def subscribe(self, *_: object, **__: object) -> None:
        self.subscriptions += 1

    def unsubscribe(self) -> None:
        self.dealt = []

    def close(self) -> None:
        self.is_closed = True

    def resume(self, _partitions: list[TopicPartition]) -> None:
        """Nothing was paused."""

    def list_topics(self, *, timeout: float) -> SimpleNamespace:
        assert timeout < 1, "values wait meanwhile"
        return SimpleNamespace(topics=self.topics)

    def assignment(self) -> list[TopicPartition]:
        return self.dealt

    def consume(self, _most: int, _wait_s: float) -> list[FakeMessage]:
        found, self.messages = self.messages, []
        return found

    def commit(self, *, offsets: list[Any], asynchronous: bool) -> None:
        assert asynchronous
        self.before_commit()
        self.committed += [one.offset for one in offsets]


class FakeSession:
    """The MQTT broker: takes everything, and acknowledges when it is told to."""

    is_connected = True

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, bool]] = []

    def turn(self, _timeout_s: float) -> None:
        """Nothing comes by itself."""

    def takes(self, *_: object) -> bool:
        return True

    def publish(
        self, topic: str, payload: bytes, *, retained: bool, properties: Properties | None = None
    ) -> int:
        assert properties is not None or not payload
        self.published.append((topic, payload, retained))
        return len(self.published)


class FakeWithdrawal:
    """Says which values have to go."""

    def __init__(self) -> None:
        self.now: list[tuple[str, float]] = []

    def due(self, _most: int) -> list[tuple[str, float]]:
        found, self.now = self.now, []
        return found


class Desk:
    """The direction between fakes, with clocks that are set."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.path = folder / "retained.json"
        self.counts, self.withdrawal, self.session = BridgeCounts(), FakeWithdrawal(), FakeSession()
        self.values = RetainedValues(self.path, lambda: self.now)
        settings = BridgeSettings(
            mqtt=MqttConnection(host="mqtt.example.org", port=1883, uses_tls=False),
            bootstrap_servers="kafka.example.org:9092",
            sensorthings="http://sta.example.org",
            folder=folder,
        )
        self.down: Any = Downward(
            settings,
            self.counts,
            self.values,
            self.withdrawal,  # type: ignore[arg-type]
            lambda: self.now,
        )
        self.down.session = self.session  # type: ignore[assignment]

    @property
    def consumer(self) -> FakeConsumer:
        """The one that is used now."""
        consumer: FakeConsumer = self.down._consumer
        return consumer

    def turn(self) -> None:
        self.now += 10
        self.down.turn()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(downward, "Consumer", FakeConsumer)
    return Desk(tmp_path)


def test_a_value_is_remembered_on_disk_before_kafka_is_told_that_it_was_published(desk: Desk) -> None:
    remembered: list[list[str]] = []
    desk.consumer.before_commit = lambda: remembered.append(list(RetainedValues(desk.path).noted))
    desk.consumer.messages = [FakeMessage()]
    desk.turn()
    assert desk.session.published == [(TOPIC, b'{"result":1}', True)]
    assert desk.consumer.committed == []
    desk.down._on_published(1, None)
    desk.turn()
    assert (desk.consumer.committed, remembered) == ([42], [[TOPIC]])
    assert desk.counts.published == 1


def test_the_stream_app_that_brought_a_value_is_remembered_with_it(desk: Desk) -> None:
    app = f"{PROVIDER}.wind"
    desk.consumer.messages = [FakeMessage(("dt-app", app.encode()))]
    desk.turn()
    assert desk.values.of_ended_apps({app}) == []
    assert desk.values.of_ended_apps(()) == [TOPIC]
    desk.consumer.messages = [FakeMessage()]
    desk.turn()
    assert desk.values.of_ended_apps(()) == []


def test_a_value_that_is_shared_no_more_is_cleared_and_forgotten_when_the_broker_says_so(desk: Desk) -> None:
    desk.values.note(TOPIC)
    desk.withdrawal.now = [(TOPIC, desk.values.noted[TOPIC])]
    desk.turn()
    assert desk.session.published == [(TOPIC, b"", True)]
    desk.turn()
    assert list(RetainedValues(desk.path).noted) == [TOPIC], "the broker may still have it"
    desk.down._on_published(1, None)
    desk.turn()
    assert dict(RetainedValues(desk.path).noted) == {}
    assert (desk.counts.withdrawn, desk.counts.published) == (1, 0)


@pytest.mark.parametrize("is_lost", [True, False], ids=["connection lost", "refused"])
def test_what_the_broker_does_not_clear_stays_remembered(
    desk: Desk, caplog: pytest.LogCaptureFixture, *, is_lost: bool
) -> None:
    desk.values.note(TOPIC)
    desk.withdrawal.now = [(TOPIC, desk.values.noted[TOPIC])]
    desk.turn()
    if is_lost:
        desk.down._forget_sent()
        desk.down._on_published(1, None)
    else:
        desk.down._on_published(1, "not authorized")
        assert "not authorized" in caplog.text
    assert list(desk.values.noted) == [TOPIC]
    assert desk.counts.withdrawn == 0


def test_a_value_that_comes_while_the_one_before_is_cleared_stays_remembered(desk: Desk) -> None:
    desk.values.note(TOPIC)
    desk.withdrawal.now = [(TOPIC, desk.values.noted[TOPIC])]
    desk.turn()
    desk.consumer.messages = [FakeMessage()]
    desk.turn()
    desk.down._on_published(1, None)
    desk.down._on_published(2, None)
    assert desk.session.published == [(TOPIC, b"", True), (TOPIC, b'{"result":1}', True)]
    assert list(desk.values.noted) == [TOPIC]


def test_a_reader_of_kafka_that_cannot_go_on_ends_the_process_and_no_other_fault_does(desk: Desk) -> None:
    desk.consumer.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "all are away"))
    desk.turn()
    assert desk.down.trouble == "Kafka: all are away"
    desk.consumer.on_error(KafkaError(KafkaError._FATAL, "broken", True))
    with pytest.raises(MessagingError, match="broken"):
        desk.turn()


def test_what_is_fatal_ends_the_process_although_it_comes_as_a_message_without_a_mark(desk: Desk) -> None:
    desk.consumer.messages = [FakeMessage(error=KafkaError(KafkaError._FATAL, "broken"))]
    with pytest.raises(MessagingError, match="broken"):
        desk.turn()


def test_a_fenced_reader_comes_back_and_publishes_again_what_it_cannot_commit_any_more(desk: Desk) -> None:
    first = desk.consumer
    first.messages = [FakeMessage()]
    desk.turn()
    first.messages = [FakeMessage(), FakeMessage(error=FENCED)]
    desk.turn()
    assert first.is_closed
    assert desk.consumer.subscriptions == 1
    assert "fenced" in str(desk.down.trouble)
    desk.down._on_published(1, None)
    desk.turn()
    assert (first.committed, desk.consumer.committed) == ([], []), "a rival may be further"
    desk.down._on_assign(desk.consumer, [])
    assert desk.down.trouble is None
    desk.consumer.messages = [FakeMessage()]
    desk.turn()
    desk.down._on_published(2, None)
    desk.turn()
    assert desk.session.published == [(TOPIC, b'{"result":1}', True)] * 2
    assert (first.committed, desk.consumer.committed) == ([], [42])


def test_a_fence_that_is_told_by_the_callback_counts_too(desk: Desk) -> None:
    first = desk.consumer
    first.on_error(KafkaError(KafkaError.FENCED_INSTANCE_ID, "fenced", True))
    desk.turn()
    assert first.is_closed
    assert not desk.consumer.is_closed
    desk.turn()
    assert desk.consumer.subscriptions == 1


def test_a_reader_that_is_fenced_again_and_again_gives_way_to_its_rival(desk: Desk) -> None:
    for _ in range(3):
        desk.consumer.messages = [FakeMessage(error=FENCED)]
        desk.turn()
    desk.consumer.messages = [FakeMessage(error=FENCED)]
    with pytest.raises(MessagingError, match=r"another bridge reads as .* Stop one of them"):
        desk.turn()


def test_a_reader_that_came_back_from_a_fence_looks_for_new_topics_again(desk: Desk) -> None:
    old, new = f"{SYSTEM}.ext", f"{PROVIDER}.ext"
    desk.consumer.topics = dict.fromkeys((old,))
    desk.consumer.dealt = [TopicPartition(old, 0)]
    desk.down._on_assign(desk.consumer, desk.consumer.dealt)
    desk.turn()
    desk.consumer.messages = [FakeMessage(error=FENCED)]
    desk.turn()
    desk.consumer.topics = dict.fromkeys((old, new))
    desk.turn()
    assert desk.consumer.subscriptions == 1, "nothing was dealt out yet"
    desk.consumer.dealt = [TopicPartition(old, 0)]
    desk.down._on_assign(desk.consumer, desk.consumer.dealt)
    desk.turn()
    assert desk.consumer.subscriptions == 2


def test_a_reader_that_came_back_and_got_what_it_had_joins_again_for_topics_that_are_new(desk: Desk) -> None:
    old, new = f"{SYSTEM}.ext", f"{PROVIDER}.ext"
    desk.consumer.topics = dict.fromkeys((old, new, f"{SYSTEM}.int", "platform.state"))
    desk.turn()
    assert desk.consumer.subscriptions == 1, "nothing was dealt out yet"
    desk.consumer.dealt = [TopicPartition(old, 0)]
    desk.down._on_assign(desk.consumer, desk.consumer.dealt)
    desk.turn()
    assert desk.consumer.subscriptions == 2
    desk.down._on_assign(desk.consumer, [])
    desk.turn()
    assert desk.consumer.subscriptions == 2, "once is enough"


def test_a_reader_that_got_all_topics_does_not_join_again(desk: Desk) -> None:
    desk.consumer.topics = dict.fromkeys((f"{SYSTEM}.ext", f"{SYSTEM}.int"))
    desk.consumer.dealt = [TopicPartition(f"{SYSTEM}.ext", 0)]
    desk.down._on_assign(desk.consumer, desk.consumer.dealt)
    desk.turn()
    assert desk.consumer.subscriptions == 1


def test_id_contract_and_origin_are_shown() -> None:
    headers = [("dt-origin", b"a.int/0/5"), ("other", b"x"), ("dt-id", b"0190"), ("dt-contract", None)]
    assert shown(*headers) == [("dt-id", "0190"), ("dt-contract", ""), ("dt-origin", "a.int/0/5")]


@pytest.mark.parametrize(
    "value",
    [b"x" * 70_000, b"a\0b", b"a\x01b", "\ufffe".encode(), "\ufeff".encode()],
    ids=["too long", "NUL", "control", "no character", "byte order mark"],
)
def test_a_header_that_would_end_the_connection_is_left_out(value: bytes) -> None:
    found = shown(("dt-id", value), ("dt-contract", b"7"))
    assert found == [("dt-contract", "7")]
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.UserProperty = found
    assert properties.pack()  # type: ignore[no-untyped-call]


def test_bytes_that_are_no_text_are_shown_as_far_as_they_are() -> None:
    assert shown(("dt-id", b"a\xff")) == [("dt-id", "a\ufffd")]


def shown(*headers: tuple[str, bytes | None]) -> list[tuple[str, str]]:
    message: Any = FakeMessage(*headers)
    return shown_headers(headers_of(message))
