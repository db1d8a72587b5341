"""Messages stay in order by topic, wait for what is missing, and are done only when Kafka has them."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from adapters.mqtt.bridge.incoming import Incoming, Outgoing
from adapters.mqtt.bridge.pipeline import BridgeCounts, Pipeline, Slot
from adapters.mqtt.bridge.sender import Handing, Outcome
from adapters.mqtt.storage.clients import KnownClients
from client.messaging.records import new_record_id
from client.messaging.topics import SystemName
from client.metadata.entities import ObservationType
from client.metadata.wire import DatastreamReference

CAR = SystemName.parse("cz.icecars.CarFleet.Car1")
TOPIC = f"dt/{CAR}/Main/Speed"


class FakeSender:
    """Kafka: takes what it is told to take, and confirms when it is told to."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.answers: list[Handing] = []
        self.trouble: str | None = None
        self.is_away = False
        self._open: list[Callable[[Outcome, str], None]] = []

    def send(self, record: Outgoing, done: Callable[[Outcome, str], None]) -> Handing:
        answer = self.answers.pop(0) if self.answers else Handing.TAKEN
        if answer is Handing.TAKEN:
            self.taken.append(record)
            self._open.append(done)
        return answer

    def serve(self) -> None:
        """Nothing comes by itself."""

    def settle(self, outcome: Outcome = Outcome.DELIVERED, number: int = 1000) -> None:
        now, self._open = self._open[:number], self._open[number:]
        for done in now:
            done(outcome, "what Kafka says")


class FakeCatalogue:
    trouble: str | None = None

    def __init__(self) -> None:
        self.found: dict[str, DatastreamReference | bool] = {}

    def find(self, name: str) -> DatastreamReference | bool:
        return self.found.get(name, DatastreamReference(name, ObservationType.MEASUREMENT, 5))


class Refusal(NamedTuple):
    code: str
    detail: str
    system: str | None


class FakeElsewhere:
    def __init__(self) -> None:
        self.tokens: list[object] = []
        self.outcomes: list[tuple[object, object]] = []

    def takes(self, topic: str) -> bool:
        return topic.startswith("v1.1/")

    def put(self, topic: str, payload: bytes, record_id: str, token: object) -> bool:
        self.tokens.append((topic, record_id, token))
        return payload != b"asked"

    def finished(self) -> Sequence[tuple[object, object]]:
        now, self.outcomes = self.outcomes, []
        return now


class Bench:
    """A pipeline between fakes, with a clock that is set."""

    def __init__(self, only: SystemName | None = None) -> None:
        self.now = 0.0
        self.sender, self.catalogue, self.elsewhere = FakeSender(), FakeCatalogue(), FakeElsewhere()
        self.counts, self.clients = BridgeCounts(), KnownClients(None)
        self.pipeline = Pipeline(
            self.sender,  # type: ignore[arg-type]
            self.catalogue,  # type: ignore[arg-type]
            self.clients,
            self.counts,
            elsewhere=self.elsewhere,
            only=only,
            monotonic=lambda: self.now,
        )

    def add(self, payload: bytes, topic: str = TOPIC) -> Slot:
        return self.pipeline.add(Incoming(topic, payload, new_record_id(), 1_767_355_200_000_000))

    def work(self, later_s: float = 0.0) -> None:
        self.now += later_s
        self.pipeline.work()

    def results(self) -> list[object]:
        return [json.loads(record.value or b"").get("result") for record in self.sender.taken]


def headers(record: Outgoing) -> dict[str, bytes]:
    return dict(record.headers)


def test_a_message_is_done_when_kafka_has_it_and_not_before() -> None:
    bench = Bench()
    slot = bench.add(b"0")
    bench.work()
    assert bench.results() == [0.0]
    assert not slot.is_done
    assert bench.pipeline.is_busy
    bench.sender.settle()
    assert slot.is_done
    assert not bench.pipeline.is_busy
    assert bench.counts.forwarded == 1
    record = bench.sender.taken[0]
    assert (record.topic, record.key) == (f"{CAR}.int", f"{CAR}.Main.Speed".encode())
    assert headers(record) == {"dt-id": slot.incoming.dt_id.encode()}
    assert json.loads(record.value or b"")["phenomenonTime"] == "2026-01-02T12:00:00.000000Z"


def test_messages_of_a_topic_wait_in_order_while_others_pass() -> None:
    bench = Bench()
    name = f"{CAR}.Main.Speed"
    bench.catalogue.found[name] = True
    for payload in (b"1", b"2"):
        bench.add(payload)
    bench.add(b"7", f"dt/{CAR}/Main/Other")
    bench.work()
    assert bench.results() == [7.0]
    del bench.catalogue.found[name]
    bench.add(b"3")
    bench.work(1.0)
    assert bench.results() == [7.0, 1.0, 2.0, 3.0]


def test_what_kafka_gives_back_is_sent_again_in_its_first_order() -> None:
    bench = Bench()
    slots = [bench.add(str(number).encode()) for number in range(4)]
    bench.work()
    bench.sender.settle(Outcome.REFUSED)
    bench.add(b"4")
    assert not any(slot.is_done for slot in slots)
    bench.sender.taken.clear()
    bench.work(0.1)
    bench.work(1.0)
    assert bench.results() == [0.0, 1.0, 2.0, 3.0, 4.0]
    bench.sender.settle()
    assert all(slot.is_done for slot in slots)
    assert bench.pipeline.waiting == 0


def test_a_refused_message_is_done_when_its_dead_letter_is_in_kafka() -> None:
    bench = Bench()
    slot = bench.add(b"warm")
    bench.work()
    letter = bench.sender.taken[0]
    assert not slot.is_done
    assert (letter.topic, letter.value) == (f"{CAR}.int.dlq", b"warm")
    assert letter.key == f"{CAR}.Main.Speed".encode()
    found = headers(letter)
    assert found["dt-error"] == b"mqtt.bad_result"
    assert found["mqtt-topic"] == TOPIC.encode()
    assert b"number" in found["dt-error-detail"]
    bench.sender.settle()
    assert slot.is_done
    assert bench.counts.refused == {"mqtt.bad_result": 1}
    assert bench.counts.forwarded == 0


def test_an_unknown_datastream_is_a_dead_letter() -> None:
    bench = Bench()
    bench.catalogue.found[f"{CAR}.Main.Speed"] = False
    bench.add(b"1")
    bench.work()
    assert headers(bench.sender.taken[0])["dt-error"] == b"record.unknown_datastream"


def test_what_is_too_large_is_a_dead_letter_and_that_may_go_without_its_payload() -> None:
    bench = Bench()
    slot = bench.add(b"1")
    bench.sender.answers = [Handing.TOO_LARGE]
    bench.work()
    assert bench.sender.taken[0].value == b"1"
    assert headers(bench.sender.taken[0])["dt-error"] == b"mqtt.too_large"
    bench.sender.settle(Outcome.TOO_LARGE)
    bench.work(1.0)
    assert bench.sender.taken[1].value is None
    bench.sender.settle()
    assert slot.is_done


def test_a_system_without_topics_leaves_nothing_but_a_count() -> None:
    bench = Bench()
    slots = [bench.add(b"1"), bench.add(b"1", "dt/nonsense")]
    bench.sender.answers = [Handing.NO_TOPIC]
    bench.work()
    assert all(slot.is_done for slot in slots)
    assert bench.counts.refused == {"mqtt.unknown_system": 1, "mqtt.bad_topic": 1}
    assert bench.sender.taken == []


def test_a_site_serves_its_own_system_only() -> None:
    bench = Bench(only=CAR)
    bench.add(b"1", "dt/is.iceland.Weather.Stations/Hekla/Wind")
    bench.work()
    letter = bench.sender.taken[0]
    assert letter.topic == f"{CAR}.int.dlq"
    assert headers(letter)["dt-error"] == b"mqtt.unknown_system"


def test_states_go_to_the_log_and_are_remembered() -> None:
    bench = Bench()
    for payload in (b"online", b'{"state": "charging", "percent": 0}', b"", b"offline", b"\xff"):
        bench.add(payload, f"dt-state/{CAR}/car_1")
    bench.work()
    records = bench.sender.taken
    assert [record.topic for record in records] == [f"{CAR}.log"] * 3 + [f"{CAR}.int.dlq"]
    states = [json.loads(record.value or b"") for record in records[:3]]
    assert [state["state"] for state in states] == ["started", "charging", "stopped"]
    assert states[1]["percent"] == 0
    assert bench.clients.all() == [(CAR, "car_1")]
    assert bench.clients.present() == []


def test_other_topics_are_dealt_with_elsewhere_and_may_come_back_refused() -> None:
    bench = Bench()
    topic = "v1.1/Datastreams(1)/Observations"
    good, bad, done = (bench.add(payload, topic) for payload in (b"{}", b"[]", b"asked"))
    bench.work()
    assert done.is_done
    assert not good.is_done
    bench.elsewhere.outcomes = [(good, object()), (bad, Refusal("body.wrong", "why", str(CAR)))]
    bench.work()
    assert good.is_done
    assert not bad.is_done
    letter = bench.sender.taken[0]
    assert (letter.topic, letter.value) == (f"{CAR}.int.dlq", b"[]")
    assert headers(letter)["dt-error"] == b"body.wrong"
    bench.sender.settle()
    assert bad.is_done
    assert bench.pipeline.waiting == 0


def test_a_site_throws_nothing_away_when_its_kafka_lacks_the_topic() -> None:
    bench = Bench(only=CAR)
    slot = bench.add(b"1")
    bench.sender.answers = [Handing.NO_TOPIC, Handing.NO_TOPIC]
    bench.work()
    bench.work(1.0)
    assert not slot.is_done
    assert f"no topic {CAR}.int" in (bench.pipeline.trouble or "")
    bench.work(1.0)
    bench.sender.settle()
    assert slot.is_done
    assert bench.pipeline.trouble is None
