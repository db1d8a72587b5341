"""From records to new records: which come out, with which key, id and headers, and what is set aside."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from client.messaging.records import partition_for
from client.messaging.security import KafkaSecurity
from streamhub.contracts import ContractTerms
from streamhub.engine.counters import RecordCounts
from streamhub.engine.derivation import memory_of
from streamhub.engine.deriving import DerivingWork
from streamhub.engine.settings import LaneSettings
from streamhub.engine.topics import Memory, TopicFacts
from streamhub.engine.work import Batch, Place
from streamhub.errors import StreamAppError
from streamhub.query import Derivation
from streamhub.specification import StreamAppSpecification

SYSTEM, TARGET = "aa.bb.cc.dd", "ee.ff.gg.hh"
TOPIC = f"{SYSTEM}.int"
POWER = (
    f"SELECT l.result * r.result AS power UNIT 'W', l.shift FROM {SYSTEM} AS l JOIN {SYSTEM} AS r WITHIN 1 s "
    "WHERE l.name LIKE '%.Speed' AND r.name LIKE '%.Torque'"
)


@dataclass
class Fake:
    key_text: str
    content: bytes
    place: int = 0
    number: int = 0

    def key(self) -> bytes:
        return self.key_text.encode()

    def value(self) -> bytes:
        return self.content

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.number

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, self.number


@dataclass
class Sent:
    topic: str
    value: Any
    key: bytes | None
    partition: int
    headers: dict[str, Any]


@dataclass
class FakeProducer:
    full: int = 0
    limit: int = 10_000
    sent: list[Sent] = field(default_factory=list)

    def produce(
        self,
        topic: str,
        value: Any = None,  # noqa: ANN401 - text or bytes
        key: bytes | None = None,
        partition: int = -1,
        *_: object,
        headers: list[tuple[str, Any]] | None = None,
    ) -> None:
        if self.full:
            self.full -= 1
            raise BufferError
        if len(value or "") > self.limit:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        given = headers if headers is not None else cast("list[tuple[str, Any]]", _[3] if _ else [])
        self.sent.append(Sent(topic, value, key, partition, dict(given)))

    def poll(self, _timeout_s: float) -> int:
        return 0


def work(
    producer: FakeProducer, statement: str = POWER, partitions: int = 1, **changes: object
) -> DerivingWork:
    fields: dict[str, Any] = {
        "name": "app",
        "source_system": SYSTEM,
        "target_system": TARGET,
        "statement": statement,
        "bootstrap_servers": "127.0.0.1:1",
    }
    specification = StreamAppSpecification(**(fields | changes))
    compiled = cast("Derivation", specification.compile())
    memory = memory_of(compiled, spread=specification.spread)
    facts = TopicFacts(3, sources={TOPIC: partitions}, memory=memory)
    settings = LaneSettings(specification=specification, security=KafkaSecurity())
    made = DerivingWork(settings, compiled, producer=cast("Producer", producer), topics=facts)
    if memory is Memory.NONE:
        made.restore({(TOPIC, number): Place(0) for number in range(partitions)})
    return made


def record(name: str, second: float, result: object = 2, **more: object) -> Fake:
    whole, fraction = divmod(round(second * 1_000), 1_000)
    value = {"phenomenonTime": f"2026-01-02T03:04:{whole:02}.{fraction:03}Z", "result": result, **more}
    return Fake(f"{SYSTEM}.{name}", json.dumps(value).encode())


def batch(*records: Fake) -> Batch:
    for number, one in enumerate(records):
        one.number = number
    positions = {(TOPIC, one.place): one.number + 1 for one in records}
    return Batch(cast("list[Message]", list(records)), positions)


def run(made: DerivingWork, *records: Fake) -> RecordCounts:
    counts = RecordCounts()
    decided = made.decide(batch(*records))
    assert decided is not None
    made.send(decided, counts)
    return counts


def test_a_pair_becomes_a_record_of_the_datastream_of_the_target() -> None:
    producer = FakeProducer()
    made = work(producer, contract="c1", datastreams={f"{TARGET}.app.power": 7})
    counts = run(made, record("Mill.Speed", 1, 3, shift="late"), record("Mill.Torque", 1.5, 5))
    (sent,) = producer.sent
    key = f"{TARGET}.app.power"
    assert (sent.topic, sent.key, sent.partition) == (f"{TARGET}.ext", key.encode(), partition_for(key, 3))
    value = json.loads(sent.value)
    value.pop("resultTime")
    assert value == {
        "phenomenonTime": "2026-01-02T03:04:01.500000Z",
        "result": 15.0,
        "shift": "late",
        "Datastream": {"@iot.id": 7},
    }
    assert (sent.headers["dt-app"], sent.headers["dt-contract"]) == (b"aa.bb.cc.dd.app", b"c1")
    assert uuid.UUID(sent.headers["dt-id"]).version == 7
    assert (counts.joined, counts.tuples, counts.forwarded) == (2, 1, 1)


def test_a_computed_column_of_one_source_belongs_to_the_thing_of_its_record() -> None:
    producer = FakeProducer()
    made = work(producer, f"SELECT result * 2 AS doubled FROM {SYSTEM} WHERE result < 9")
    run(made, record("Mill.Speed", 1, 3), record("Saw.Speed", 2, 4), record("Saw.Speed", 3, 10))
    assert [(sent.key, json.loads(sent.value)["result"]) for sent in producer.sent] == [
        (f"{TARGET}.Mill.doubled".encode(), 6.0),
        (f"{TARGET}.Saw.doubled".encode(), 8.0),
    ]
    assert "Datastream" not in json.loads(producer.sent[0].value)


def test_records_that_cannot_be_used_are_set_aside_with_the_reason_and_the_others_are_joined() -> None:
    producer = FakeProducer()
    made = work(producer)
    broken = Fake(f"{SYSTEM}.Mill.Speed", b"junk")
    timeless = Fake(f"{SYSTEM}.Mill.Speed", b'{"result": 1}')
    of_no_interest = Fake(f"{SYSTEM}.Mill.Noise", b"junk")
    counts = run(made, record("Mill.Speed", 1), broken, timeless, of_no_interest, record("Mill.Torque", 1))
    letters = [sent for sent in producer.sent if sent.topic == f"{TOPIC}.dlq"]
    assert [sent.headers["dt-error"] for sent in letters] == ["record.not_json", "record.no_time"]
    assert letters[0].headers["dt-origin"] == f"{TOPIC}/0/1"
    assert counts.dead_letters == {"record.not_json": 1, "record.no_time": 1}
    assert (counts.forwarded, counts.joined) == (1, 2)


def test_a_late_record_is_counted_and_not_joined() -> None:
    made = work(FakeProducer())
    counts = run(made, record("Mill.Speed", 5), record("Mill.Speed", 4), record("Mill.Torque", 4))
    assert (counts.late, counts.joined, counts.tuples) == (1, 3, 1)


def test_a_full_queue_is_waited_for_and_nothing_is_left_out() -> None:
    producer = FakeProducer(full=3)
    records = [record(f"Mill.{side}", second) for second in range(9) for side in ("Speed", "Torque")]
    counts = run(work(producer), *records)
    assert counts.forwarded == len(producer.sent) == counts.tuples == 9


def test_an_output_that_does_not_fit_stops_the_app_with_what_to_do() -> None:
    made = work(FakeProducer(limit=10))
    with pytest.raises(StreamAppError, match=r"app\.power does not fit .* max\.message\.bytes"):
        run(made, record("Mill.Speed", 1), record("Mill.Torque", 1))


def test_sides_in_two_partitions_are_joined_in_the_order_of_their_time() -> None:
    producer = FakeProducer()
    made = work(producer, partitions=2)
    made._alignment.reset({(TOPIC, 0): Place(0), (TOPIC, 1): Place(0)})  # type: ignore[union-attr]
    assert made.needs_ends
    speeds = [record("Mill.Speed", second) for second in range(5)]
    assert made.decide(batch(*speeds)) is not None
    assert made.is_waiting
    positions = {(TOPIC, 0): 5, (TOPIC, 1): 0}
    assert made.places(positions) == {(TOPIC, 0): Place(0), (TOPIC, 1): Place(0)}
    torque = record("Mill.Torque", 2.4)
    torque.place = 1
    counts = run(made, torque)
    assert (counts.joined, counts.tuples) == (4, 1)
    assert made.places({(TOPIC, 0): 5, (TOPIC, 1): 1})[TOPIC, 0] == Place(3)


def test_several_copies_need_records_that_lie_where_their_thing_belongs() -> None:
    statement = POWER.replace("WHERE", "ON l.thing = r.thing WHERE")
    made = work(FakeProducer(), statement, partitions=4, spread=True)
    there = partition_for(f"{SYSTEM}.Mill.Speed", 4)
    right, wrong = record("Mill.Speed", 1), record("Mill.Speed", 1)
    right.place, wrong.place = there, (there + 1) % 4
    run(made, right)
    with pytest.raises(StreamAppError, match="does not place records by Thing"):
        run(made, wrong)


def test_a_batch_with_more_keys_than_are_kept_in_mind_leaves_no_series_unwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamhub.engine.deriving._MOST_KEYS", 2)
    made = work(FakeProducer(), POWER.replace("WHERE", "ON l.thing = r.thing WHERE"))
    for batch_of in ("ABCDE", "FGH"):
        run(made, *(record(f"{thing}.Speed", 1) for thing in batch_of))
    assert len(made._memory.touched) == 8


def test_records_that_a_contract_refuses_are_nobody_s_neighbours() -> None:
    producer = FakeProducer()
    terms = ContractTerms(id="c-1", provider=SYSTEM, predicate="name LIKE '%.Speed' OR quality = 'good'")
    made = work(producer, contracts=(terms,))
    counts = run(
        made,
        record("Mill.Speed", 1, 3, shift="late"),
        record("Mill.Torque", 1.1, 5, quality="bad"),
        record("Mill.Torque", 1.2, 7, quality="good"),
        record("Mill.Torque", 1.3, 9),
        record("Mill.Speed", 2.2, 1),
        record("Mill.Torque", 2.3, 1, quality="good"),
    )
    values = [json.loads(sent.value) for sent in producer.sent if sent.topic.endswith(".ext")]
    assert 21.0 in [value["result"] for value in values]
    assert {15.0, 27.0}.isdisjoint(value["result"] for value in values)
    assert {sent.headers["dt-contract"] for sent in producer.sent} == {b"c-1"}
    assert counts.dead_lettered == 0


def test_records_of_a_join_that_kafka_got_outside_of_the_contract_s_time_do_not_go_in() -> None:
    producer = FakeProducer()
    terms = ContractTerms(id="c-1", provider=SYSTEM, starts_at="1970-01-01T00:00:00.002Z")
    made = work(producer, contracts=(terms,))
    records = [record("Mill.Speed", 1, 3), record("Mill.Torque", 1.1, 5), record("Mill.Speed", 1.2, 7)]
    counts = run(made, *records, record("Mill.Torque", 1.3, 9))
    assert [json.loads(sent.value)["result"] for sent in producer.sent] == [63.0]
    assert counts.joined == 2


def test_a_value_that_the_terms_cannot_judge_is_set_aside() -> None:
    producer = FakeProducer()
    made = work(producer, contracts=(ContractTerms(id="c-1", provider=SYSTEM, predicate="quality = 'x'"),))
    broken = record("Mill.Speed", 1, 3)
    broken.content = b"no JSON"
    counts = run(made, broken)
    assert counts.dead_letters == {"record.not_json": 1}
    assert producer.sent[0].topic == f"{TOPIC}.dlq"
    assert producer.sent[0].headers["dt-contract"] == b"c-1"
