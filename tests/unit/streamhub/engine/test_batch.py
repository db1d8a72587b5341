"""The forwarder with a producer that only remembers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from streamhub.contracts import ContractTerms
from streamhub.engine.batch import BatchForwarder, Decision, Headers, Statement
from streamhub.engine.counters import RecordCounts
from streamhub.engine.records import TimedRecord
from streamhub.engine.topics import TopicFacts
from streamhub.query import CompiledStatement, Restriction, compile_filter, compile_statement
from streamhub.specification import StreamAppSpecification

SOURCE = "aa.bb.cc.dd"
KEY = b"aa.bb.cc.dd.T1.Air Temperature"
TOPICS = TopicFacts(5)


@dataclass
class FakeRecord:
    number: int
    text: bytes | None
    found: Headers | None = None
    name: bytes | None = KEY
    is_odd: bool = False
    """A header whose name is not UTF-8, as confluent-kafka tells it: once, by an exception."""

    def topic(self) -> str:
        return f"{SOURCE}.int"

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.text

    def headers(self) -> Headers | None:
        if self.is_odd:
            raise SystemError("returned a result with an exception set")
        return self.found

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self.number

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000 + self.number


@dataclass
class Sent:
    topic: str
    value: bytes | None
    key: bytes | None
    partition: int
    headers: dict[str, str | bytes | None]


@dataclass
class FakeProducer:
    """Refuses records above `limit` bytes, and every record while `full` is above 0."""

    limit: int = 1000
    full: int = 0
    polls: int = 0
    sent: list[Sent] = field(default_factory=list)

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        _callback: object = None,
        _on_delivery: object = None,
        _timestamp: int = 0,
        headers: Headers | None = None,
    ) -> None:
        if self.full:
            self.full -= 1
            raise BufferError
        if value is not None and len(value) > self.limit:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        self.sent.append(Sent(topic, value, key, partition, dict(headers or [])))

    def poll(self, _timeout_s: float) -> int:
        self.polls += 1
        return 0


def make_forwarder(
    producer: FakeProducer,
    *,
    statement: str = "SELECT * FROM * WHERE result < 4;",
    contract: str | None = None,
    compiled: Statement | None = None,
    topics: TopicFacts = TOPICS,
) -> BatchForwarder:
    specification = StreamAppSpecification(
        name="app",
        source_system=SOURCE,
        target_system="ee.ff.gg.hh",
        statement=statement,
        bootstrap_servers="127.0.0.1:9092",
        contract=contract,
    )
    known = compiled or compile_filter(statement)
    return BatchForwarder(specification, known, cast("Producer", producer), topics)


def forward(
    records: Sequence[FakeRecord],
    producer: FakeProducer,
    *,
    statement: str = "SELECT * FROM * WHERE result < 4;",
    contract: str | None = None,
    compiled: Statement | None = None,
    topics: TopicFacts = TOPICS,
) -> RecordCounts:
    counts = RecordCounts()
    forwarder = make_forwarder(
        producer, statement=statement, contract=contract, compiled=compiled, topics=topics
    )
    forwarder.forward(cast("Sequence[TimedRecord]", records), counts)
    return counts


def test_matching_records_pass_unchanged_to_the_partition_of_their_thing() -> None:
    producer = FakeProducer()
    counts = forward([FakeRecord(0, b'{"result": 1}'), FakeRecord(1, b'{"result":9}')], producer)
    (sent,) = producer.sent
    assert (sent.topic, sent.value, sent.key) == ("ee.ff.gg.hh.ext", b'{"result": 1}', KEY)
    assert 0 <= sent.partition < 5
    assert (counts.consumed, counts.forwarded, counts.dead_lettered) == (2, 1, 0)


def test_only_id_and_trace_are_kept_of_the_headers() -> None:
    producer = FakeProducer()
    found: Headers = [("dt-id", b"7"), ("traceparent", b"00"), ("dt-origin", b"forged"), ("secret", b"x")]
    forward([FakeRecord(5, b'{"result":1}', found)], producer, contract="c1")
    assert producer.sent[0].headers == {
        "dt-id": b"7",
        "traceparent": b"00",
        "dt-app": b"aa.bb.cc.dd.app",
        "dt-contract": b"c1",
        "dt-origin": "aa.bb.cc.dd.int/3/5",
    }


@pytest.mark.parametrize(
    "found",
    [
        [("traceparent", b"00"), ("dt-id", b"7")],
        [("dt-id", b"7"), ("secret", b"x")],
        [("dt-id", b"7")],
        [("dt-id", b"7"), ("traceparent", b"00")],
        [],
    ],
)
def test_headers_in_any_order_and_number_keep_what_is_to_be_kept(found: Headers) -> None:
    producer = FakeProducer()
    forward([FakeRecord(5, b'{"result":1}', list(found))], producer)
    kept = {name: text for name, text in found if name != "secret"}
    added = {"dt-app": b"aa.bb.cc.dd.app", "dt-origin": "aa.bb.cc.dd.int/3/5"}
    assert producer.sent[0].headers == kept | added


def test_deciding_sends_nothing_and_sending_counts_what_was_decided() -> None:
    producer = FakeProducer()
    forwarder = make_forwarder(producer)
    values = [b'{"result":1}', b"junk", b"{}", b'{"result":"x"}', b'{"result":9}', b'{"result":2}']
    records = [FakeRecord(n, value) for n, value in enumerate(values)]
    decided = forwarder.decide(cast("Sequence[TimedRecord]", records))
    assert producer.sent == []
    counts = RecordCounts()
    forwarder.send(decided, counts)
    assert [sent.headers["dt-origin"] for sent in producer.sent if sent.topic.endswith(".ext")] == [
        "aa.bb.cc.dd.int/3/0",
        "aa.bb.cc.dd.int/3/5",
    ]
    assert (counts.forwarded, counts.dead_lettered, counts.missing, counts.mismatches) == (2, 1, 1, 1)
    assert counts.consumed == 0  # whoever took the batch counts that


def test_batches_that_were_decided_ahead_are_sent_in_their_order() -> None:
    producer = FakeProducer()
    forwarder = make_forwarder(producer)
    batches = [[FakeRecord(n, b'{"result":1}'), FakeRecord(n + 1, b'{"result":1}')] for n in (0, 2, 4)]
    ahead = [forwarder.decide(cast("Sequence[TimedRecord]", batch)) for batch in batches]
    counts = RecordCounts()
    for decided in ahead:
        forwarder.send(decided, counts)
    assert [sent.headers["dt-origin"] for sent in producer.sent] == [
        f"aa.bb.cc.dd.int/3/{n}" for n in range(6)
    ]


def test_accepted_values_that_are_not_utf8_throughout_are_set_aside() -> None:
    producer = FakeProducer()
    counts = forward([FakeRecord(0, b'{"result":1,"x":"\xff"}')], producer)
    assert counts.dead_letters == {"record.not_utf8": 1}
    assert counts.forwarded == 0


def test_a_record_without_headers_gets_no_invented_id() -> None:
    producer = FakeProducer()
    forward([FakeRecord(5, b'{"result":1}')], producer)
    assert set(producer.sent[0].headers) == {"dt-app", "dt-origin"}


def test_unusable_records_go_to_the_dead_letters_of_the_source_with_code_and_place() -> None:
    producer = FakeProducer()
    counts = forward([FakeRecord(0, b"junk", [("dt-id", b"7")]), FakeRecord(1, None)], producer)
    first, second = producer.sent
    assert first.topic == "aa.bb.cc.dd.int.dlq"
    assert (first.value, first.key) == (b"junk", KEY)
    assert first.headers["dt-error"] == "record.not_json"
    assert first.headers["dt-origin"] == "aa.bb.cc.dd.int/3/0"
    assert first.headers["dt-id"] == b"7"
    assert second.headers["dt-error"] == "record.empty_value"
    assert counts.dead_letters == {"record.not_json": 1, "record.empty_value": 1}
    assert counts.forwarded == 0


def test_a_record_that_is_too_large_is_set_aside_without_its_value() -> None:
    producer = FakeProducer(limit=50)
    counts = forward([FakeRecord(0, b'{"result":1,"x":"' + b"y" * 100 + b'"}')], producer)
    (letter,) = producer.sent
    assert letter.topic == "aa.bb.cc.dd.int.dlq"
    assert letter.value is None
    assert letter.headers["dt-error"] == "record.too_large"
    assert (counts.forwarded, counts.dead_lettered) == (0, 1)


def test_a_small_dead_letter_topic_keeps_nothing_from_the_target_and_gets_letters_without_value() -> None:
    producer = FakeProducer()
    large = b'{"result":1,"x":"' + b"y" * 500 + b'"}'
    topics = TopicFacts(5, max_dead_letter_bytes=256 + 300)
    counts = forward(
        [FakeRecord(0, large), FakeRecord(1, large[:-1], [("dt-id", b"7")])], producer, topics=topics
    )
    forwarded, letter = producer.sent
    assert (forwarded.topic, forwarded.value) == ("ee.ff.gg.hh.ext", large)
    assert (letter.topic, letter.value, letter.key) == ("aa.bb.cc.dd.int.dlq", None, None)
    assert letter.headers["dt-error"] == "record.not_json"
    assert letter.headers["dt-origin"] == "aa.bb.cc.dd.int/3/1"
    assert (counts.forwarded, counts.dead_lettered) == (1, 1)


def test_a_full_queue_is_waited_for_and_nothing_is_lost() -> None:
    producer = FakeProducer(full=3)
    counts = forward([FakeRecord(n, b'{"result":1}') for n in range(3)], producer)
    assert len(producer.sent) == counts.forwarded == 3
    assert producer.polls == 2


def test_other_errors_of_the_producer_are_not_swallowed() -> None:
    class Refusing(FakeProducer):
        def produce(self, *_: object, **__: object) -> None:
            raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    with pytest.raises(KafkaException):
        forward([FakeRecord(0, b'{"result":1}')], Refusing())


def test_a_record_that_breaks_the_evaluator_is_found_and_set_aside_alone() -> None:
    class Fragile:
        rewrites = False
        needs_key = False

        def filter_batch(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Decision:
            if b"bomb" in values:
                raise ZeroDivisionError
            known = compile_filter("SELECT * FROM * WHERE result < 4;")
            return known.filter_batch(keys, values)

        def rewrite(self, key: bytes | None, value: bytes | None) -> bytes:
            raise NotImplementedError

    producer = FakeProducer()
    values = [b'{"result":1}', b"bomb", b'{"result":2}']
    counts = forward([FakeRecord(n, value) for n, value in enumerate(values)], producer, compiled=Fragile())
    assert [sent.topic.rpartition(".")[2] for sent in producer.sent] == ["ext", "ext", "dlq"]
    assert producer.sent[2].headers["dt-error"] == "record.processing_failed"
    assert (counts.consumed, counts.forwarded, counts.dead_lettered) == (3, 2, 1)


def test_keys_beyond_the_cache_still_find_their_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamhub.engine.batch._MOST_CACHED_KEYS", 2)
    producer = FakeProducer()
    names = [b"aa.bb.cc.dd.T%d.D" % number for number in range(9)]
    forward([FakeRecord(n, b'{"result":1}', name=name) for n, name in enumerate(names * 2)], producer)
    partitions = [sent.partition for sent in producer.sent]
    assert partitions[:9] == partitions[9:]
    assert len(set(partitions)) > 1


@pytest.mark.parametrize("statement", ["SELECT * FROM * WHERE result < 4;", "SELECT result FROM *;"])
def test_a_record_whose_headers_cannot_be_read_is_set_aside_and_the_others_pass(statement: str) -> None:
    producer = FakeProducer()
    records = [
        FakeRecord(0, b'{"result":1}'),
        FakeRecord(1, b'{"result":1}', is_odd=True),
        FakeRecord(2, b'{"result":1}'),
    ]
    counts = forward(records, producer, statement=statement)
    assert [sent.topic.rpartition(".")[2] for sent in producer.sent] == ["ext", "ext", "dlq"]
    letter = producer.sent[2]
    assert (letter.value, letter.key) == (b'{"result":1}', KEY)
    assert letter.headers["dt-error"] == "record.headers_not_text"
    assert letter.headers["dt-origin"] == "aa.bb.cc.dd.int/3/1"
    assert (counts.consumed, counts.forwarded, counts.dead_lettered) == (3, 2, 1)


def test_many_records_with_unreadable_headers_are_all_found() -> None:
    producer = FakeProducer()
    records = [FakeRecord(n, b'{"result":1}', is_odd=n % 3 != 0) for n in range(3_000)]
    counts = forward(records, producer)
    assert (counts.forwarded, counts.dead_lettered) == (1_000, 2_000)
    forwarded = [sent.headers["dt-origin"] for sent in producer.sent if sent.topic.endswith(".ext")]
    assert forwarded == [f"aa.bb.cc.dd.int/3/{n}" for n in range(0, 3_000, 3)]


def test_a_record_with_bad_value_and_bad_headers_is_set_aside_for_its_value() -> None:
    producer = FakeProducer()
    forward([FakeRecord(1, b"junk", is_odd=True)], producer)
    assert producer.sent[0].headers["dt-error"] == "record.not_json"


def bound(terms: ContractTerms) -> tuple[BatchForwarder, FakeProducer]:
    producer = FakeProducer()
    app = StreamAppSpecification(
        name="app",
        source_system=SOURCE,
        target_system="ee.ff.gg.hh",
        statement="SELECT * FROM * WHERE result < 4;",
        bootstrap_servers="127.0.0.1:9092",
        contracts=(terms,),
    )
    compiled = app.compile()
    assert isinstance(compiled, CompiledStatement)
    return BatchForwarder(app, compiled, cast("Producer", producer), TOPICS), producer


def test_what_a_contract_keeps_back_does_not_leave_and_dead_letters_stay_with_their_source() -> None:
    forwarder, producer = bound(
        ContractTerms(id="c-1", provider=SOURCE, predicate="result > 1", fields=("quality",))
    )
    values = [b'{"result":1}', b'{"result":2,"secret":7}', b'{"quality":1, "result":3}', b"no JSON"]
    counts = RecordCounts()
    records = [FakeRecord(number, value) for number, value in enumerate(values)]
    forwarder.forward(cast("Sequence[TimedRecord]", records), counts)
    assert [(sent.topic, sent.value) for sent in producer.sent] == [
        ("ee.ff.gg.hh.ext", b'{"result":2}'),
        ("ee.ff.gg.hh.ext", b'{"quality":1, "result":3}'),
        (f"{SOURCE}.int.dlq", b"no JSON"),
    ]
    assert {sent.headers["dt-contract"] for sent in producer.sent} == {b"c-1"}
    assert (counts.consumed, counts.forwarded, counts.dead_lettered) == (4, 2, 1)


def test_a_value_that_cannot_be_trimmed_is_set_aside_although_the_key_decides() -> None:
    compiled = compile_statement("SELECT * FROM *", {"*": Restriction("contract c-1", members=frozenset())})
    producer = FakeProducer()
    counts = forward(
        [FakeRecord(0, b'{"secret":'), FakeRecord(1, None)], producer, compiled=cast("Statement", compiled)
    )
    assert [(sent.topic.rpartition(".")[2], sent.value) for sent in producer.sent] == [
        ("ext", None),
        ("dlq", b'{"secret":'),
    ]
    assert (counts.forwarded, counts.dead_lettered) == (1, 1)


def test_records_that_kafka_got_outside_of_the_contract_s_time_do_not_leave() -> None:
    forwarder, producer = bound(
        ContractTerms(
            id="c-1",
            provider=SOURCE,
            starts_at="1970-01-01T00:00:01.001Z",
            ends_at="1970-01-01T00:00:01.003Z",
        )
    )
    counts = RecordCounts()
    records = [FakeRecord(number, b'{"result":1}') for number in range(5)]
    forwarder.forward(cast("Sequence[TimedRecord]", records), counts)
    assert [sent.headers["dt-origin"] for sent in producer.sent] == [
        f"{SOURCE}.int/3/1",
        f"{SOURCE}.int/3/2",
    ]
    assert counts.consumed == 5
