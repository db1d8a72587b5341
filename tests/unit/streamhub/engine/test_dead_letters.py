"""Dead letters with a producer that only remembers."""

from dataclasses import dataclass, field
from typing import cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from streamhub.engine.counters import RecordCounts
from streamhub.engine.dead_letters import DeadLetters
from streamhub.engine.records import Headers
from streamhub.specification import StreamAppSpecification

SPECIFICATION = StreamAppSpecification(
    name="app",
    source_system="aa.bb.cc.dd",
    target_system="ee.ff.gg.hh",
    statement="SELECT * FROM *",
    bootstrap_servers="127.0.0.1:9092",
    contract="c1",
)


@dataclass
class FakeRecord:
    source: str = "aa.bb.cc.dd.int"
    number: int = 7
    text: bytes | None = b"junk"
    found: Headers | None = None
    is_odd: bool = False

    def topic(self) -> str:
        return self.source

    def key(self) -> bytes | None:
        return b"aa.bb.cc.dd.T1.Air"

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


@dataclass
class Sent:
    topic: str
    value: bytes | None
    key: bytes | None
    headers: dict[str, str | bytes | None]


@dataclass
class FakeProducer:
    """Refuses values above `limit` bytes, and every record while `full` is above 0."""

    limit: int = 1_000
    full: int = 0
    polls: int = 0
    sent: list[Sent] = field(default_factory=list)

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: Headers | None = None,
    ) -> None:
        if self.full:
            self.full -= 1
            raise BufferError
        if value is not None and len(value) > self.limit:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        self.sent.append(Sent(topic, value, key, dict(headers or [])))

    def poll(self, _timeout_s: float) -> int:
        self.polls += 1
        return 0


def letters(producer: FakeProducer, most_bytes: int = 1_000_000) -> DeadLetters:
    return DeadLetters(cast("Producer", producer), SPECIFICATION, most_bytes)


def test_a_dead_letter_is_the_record_with_reason_origin_and_the_headers_of_a_forwarded_one() -> None:
    producer, counts = FakeProducer(), RecordCounts()
    record = FakeRecord(found=[("dt-id", b"1"), ("secret", b"x"), ("traceparent", b"00")])
    letters(producer).set_aside(record, "record.not_json", "it is junk", counts)
    (letter,) = producer.sent
    assert (letter.topic, letter.value, letter.key) == ("aa.bb.cc.dd.int.dlq", b"junk", b"aa.bb.cc.dd.T1.Air")
    assert letter.headers == {
        "dt-id": b"1",
        "traceparent": b"00",
        "dt-app": b"aa.bb.cc.dd.app",
        "dt-contract": b"c1",
        "dt-origin": "aa.bb.cc.dd.int/3/7",
        "dt-error": "record.not_json",
        "dt-error-detail": b"it is junk",
    }
    assert counts.dead_letters == {"record.not_json": 1}


def test_each_record_goes_to_the_dead_letters_of_its_own_source() -> None:
    producer, counts = FakeProducer(), RecordCounts()
    target = letters(producer)
    for source in ("aa.bb.cc.dd.int", "aa.bb.cc.ee.int", "aa.bb.cc.dd.int"):
        target.set_aside(FakeRecord(source), "record.no_time", "no time", counts)
    assert [letter.topic for letter in producer.sent] == [
        "aa.bb.cc.dd.int.dlq",
        "aa.bb.cc.ee.int.dlq",
        "aa.bb.cc.dd.int.dlq",
    ]
    assert producer.sent[1].headers["dt-origin"] == "aa.bb.cc.ee.int/3/7"
    assert counts.dead_lettered == 3


def test_a_record_whose_headers_cannot_be_read_is_kept_without_them() -> None:
    producer, counts = FakeProducer(), RecordCounts()
    letters(producer).set_aside(FakeRecord(is_odd=True), "record.not_json", "junk", counts)
    assert producer.sent[0].headers["dt-error"] == "record.not_json"
    assert "dt-id" not in producer.sent[0].headers


def test_unreadable_headers_as_the_reason_are_not_asked_for_again() -> None:
    producer, counts = FakeProducer(), RecordCounts()
    error = SystemError("returned a result")
    error.__cause__ = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    record = FakeRecord(found=[("dt-id", b"what a second question would give")])
    letters(producer).set_aside_without_headers(record, error, counts)
    (letter,) = producer.sent
    assert letter.headers["dt-error"] == "record.headers_not_text"
    assert b"invalid start byte" in cast("bytes", letter.headers["dt-error-detail"])
    assert "dt-id" not in letter.headers
    assert counts.dead_letters == {"record.headers_not_text": 1}


@pytest.mark.parametrize(("limit", "most_bytes"), [(2, 1_000_000), (1_000, 256 + 150)])
def test_a_letter_that_is_too_large_goes_without_key_and_value(limit: int, most_bytes: int) -> None:
    producer, counts = FakeProducer(limit=limit), RecordCounts()
    record = FakeRecord(text=b"x" * 100, found=[("dt-id", b"1")])
    letters(producer, most_bytes).set_aside(record, "record.not_json", "junk", counts)
    (letter,) = producer.sent
    assert (letter.value, letter.key) == (None, None)
    assert letter.headers["dt-origin"] == "aa.bb.cc.dd.int/3/7"
    assert "dt-id" not in letter.headers
    assert counts.dead_lettered == 1


def test_only_the_beginning_of_a_long_detail_is_kept_and_any_text_can_be_written() -> None:
    producer, counts = FakeProducer(), RecordCounts()
    letters(producer).set_aside(FakeRecord(), "record.not_json", "\ud800" + "y" * 10_000, counts)
    detail = cast("bytes", producer.sent[0].headers["dt-error-detail"])
    assert detail.startswith(b"\\ud800yyy")
    assert len(detail) < 600


def test_a_full_queue_is_waited_for() -> None:
    producer, counts = FakeProducer(full=2), RecordCounts()
    letters(producer).set_aside(FakeRecord(), "record.not_json", "junk", counts)
    assert (len(producer.sent), producer.polls, counts.dead_lettered) == (1, 2, 1)


def test_other_errors_of_the_producer_are_not_swallowed() -> None:
    class Refusing(FakeProducer):
        def produce(self, *_: object, **__: object) -> None:
            raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    with pytest.raises(KafkaException):
        letters(Refusing()).set_aside(FakeRecord(), "record.not_json", "junk", RecordCounts())
