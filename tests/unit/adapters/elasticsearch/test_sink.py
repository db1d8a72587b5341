"""The loop: what is committed when, and what becomes of records that cannot be indexed."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from confluent_kafka import KafkaError

from adapters.elasticsearch.bulks import BulkWriter, Item, Outcome
from adapters.elasticsearch.documents import StreamMetadata
from adapters.elasticsearch.indices import Indices
from adapters.elasticsearch.metadata import MetadataCache, Tail
from adapters.elasticsearch.settings import ElasticsearchSinkSettings
from adapters.elasticsearch.sink import ElasticsearchSink
from client.errors import DeliveryError
from streamhub.engine.counters import RecordCounts
from streamhub.engine.records import Record
from streamhub.engine.sinks.letters import Refusal
from tests.unit.adapters.elasticsearch.doubles import FakeServer, ListLetters, ListSource, dt_id, record
from tests.unit.adapters.records import NAME, SYSTEM, FakeRecord, observation

TOPIC = f"{SYSTEM}.int"
SETTINGS = replace(
    ElasticsearchSinkSettings.from_environment(
        system=SYSTEM,
        client="sink",
        url="http://127.0.0.1:9200",
        environment={"DTWIN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092"},
    ),
    bulk_bytes=2_000,
    linger_s=0.0,
)


class Clock:
    """Goes on a little whenever it is asked."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


class Stop(threading.Event):
    """Lets time pass instead of waiting for it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.now += timeout or 0.0
        return self.is_set()


class Learning(MetadataCache):
    """Knows a Datastream from a time on; never, where that is not told."""

    def __init__(self, clock: Clock, known_from: float | None = None, grace_s: float = 5.0) -> None:
        super().__init__(_Nobody(), clock, grace_s=grace_s)
        self.clock = clock
        self._from = known_from

    def tail(self, topic: str, name: str, owner: str) -> Tail:
        if self._from is not None and self.clock.now >= self._from:
            self._renew(owner, {NAME: StreamMetadata(unit="km/h")}, is_whole=True)
        return super().tail(topic, name, owner)


class _Nobody:
    def search(self, *_arguments: object, **_more: object) -> list[dict[str, object]]:
        return []


class Setting:
    """A sink between doubles."""

    def __init__(
        self,
        *batches: Sequence[Record],
        metadata: "Learning | None" = None,
        **changes: int,
    ) -> None:
        self.source = ListSource(*batches)
        self.server = FakeServer()
        self.letters = ListLetters()
        self.clock = Clock() if metadata is None else metadata.clock
        self.stopping = Stop(self.clock)
        self.writer = BulkWriter(self.server, Indices(self.server, SYSTEM), self.stopping, jitter=lambda: 0.0)
        settings = replace(SETTINGS, **changes)  # type: ignore[arg-type] # numbers only
        self.sink = ElasticsearchSink(
            settings,
            self.source,
            metadata or MetadataCache(None),
            self.writer,
            self.letters,
            stopping=self.stopping,
            monotonic=self.clock,
        )


def test_everything_is_indexed_and_committed() -> None:
    setting = Setting([record(number) for number in range(30)], [], [record(30)])
    setting.sink.run()
    assert setting.server.results == list(range(31))
    assert setting.source.committed[-1] == {(TOPIC, 0): 31}
    assert setting.sink.positions == {(TOPIC, 0): 31}
    assert (setting.sink.committed.consumed, setting.sink.committed.forwarded) == (31, 31)
    assert setting.sink.committed.missing == 31
    assert (setting.sink.committed.held, setting.sink.bytes_in_flight) == (0, 0)


def test_nothing_is_committed_beyond_what_is_acknowledged_when_a_later_bulk_is_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting = Setting([record(number) for number in range(12)], [record(12)], [], [])
    write, first_may_go = setting.writer.write, threading.Event()
    done: list[int] = []

    def out_of_order(items: Sequence[Item]) -> Outcome:
        numbers = [item.message.offset() for item in items]
        if 0 in numbers:
            assert first_may_go.wait(60)
        outcome = write(items)
        # What was committed before the first bulk is acknowledged does not count any record.
        assert done or numbers[0] == 0 or not setting.source.committed
        done.extend(numbers if 0 in numbers else [])
        first_may_go.set()
        return outcome

    monkeypatch.setattr(setting.writer, "write", out_of_order)
    setting.sink.run()
    assert setting.server.results == list(range(13))
    ends = [positions[TOPIC, 0] for positions in setting.source.committed]
    assert ends == sorted(ends)
    assert ends[-1] == 13
    assert len(ends) > 1


def test_a_bulk_is_cut_within_what_was_taken_and_commits_only_its_part() -> None:
    setting = Setting([record(number) for number in range(40)], in_flight=8)
    setting.sink.run()
    sizes = [len(body) for body in setting.server.bodies if isinstance(body, bytes)]
    assert len(sizes) > 5
    assert max(sizes) < 2 * 2_000
    assert setting.source.committed[-1] == {(TOPIC, 0): 40}


def test_bad_records_are_set_aside_and_counted() -> None:
    batch = [record(1), FakeRecord(b"{", offset=2), FakeRecord({"result": 1}, offset=3), record(4)]
    setting = Setting(batch)
    setting.server.refuse = lambda document: (400, "x_exception") if document["result"] == 4 else None
    setting.sink.run()
    assert setting.sink.committed.dead_letters == {
        "record.not_json": 1,
        "record.no_time": 1,
        "document.rejected": 1,
    }
    assert setting.server.results == [1]
    assert setting.source.committed[-1] == {(TOPIC, 0): 5}


def _raise_once(letters: ListLetters) -> Callable[[], None]:
    def event() -> None:
        assert not letters.kept
        raise DeliveryError("Kafka is away")

    return event


def test_offsets_wait_for_dead_letters_that_kafka_does_not_take() -> None:
    setting = Setting([FakeRecord(b"{", offset=2), record(3)], [], [])
    setting.letters.events = [_raise_once(setting.letters)] * 2
    setting.sink.run()
    assert [one.message.offset() for one in setting.letters.kept] == [2]
    assert setting.source.rests == 2
    assert setting.source.committed[-1] == {(TOPIC, 0): 4}


OTHER = f"{SYSTEM}.Main.Fuel".encode()


def test_records_wait_for_their_datastream_and_the_offsets_with_them_while_others_go_on() -> None:
    clock = Clock()
    metadata = Learning(clock, known_from=2.0)
    batches = [[record(1)], [record(number, key=None) for number in range(2, 40)], *[[]] * 40]
    setting = Setting(*batches, metadata=metadata)
    taken = setting.source.take

    def take(wait_s: float, most: int) -> Sequence[Record]:
        clock.now += 0.1
        if clock.now < 1.9:
            assert all(positions.get((TOPIC, 0), 0) <= 1 for positions in setting.source.committed)
        elif clock.now < 2.0:
            assert len(setting.server.results) == 38
        return taken(wait_s, most)

    setting.source.take = take  # type: ignore[assignment, method-assign]
    setting.sink.run()
    units = {found["result"]: found.get("unit") for found in setting.server.documents}
    assert units == {1: "km/h"} | dict.fromkeys(range(2, 40))
    assert setting.source.committed[-1] == {(TOPIC, 0): 40}
    assert (setting.sink.committed.consumed, setting.sink.committed.missing) == (39, 38)


def test_records_of_a_datastream_that_stays_unknown_wait_once() -> None:
    clock = Clock()
    setting = Setting([record(1)], [record(2)], *[[]] * 5, [record(3)], metadata=Learning(clock))
    setting.sink.run()
    assert setting.server.results == [1, 2, 3]
    assert 5.0 <= clock.now < 6.0
    assert setting.source.committed[-1] == {(TOPIC, 0): 4}
    assert setting.sink.committed.missing == 3


def test_what_is_held_is_left_to_the_next_sink_when_this_one_is_stopped() -> None:
    clock = Clock()
    setting = Setting([record(1), record(2, key=None)], [], [], metadata=Learning(clock))
    taken = setting.source.take

    def take(wait_s: float, most: int) -> Sequence[Record]:
        if len(setting.server.results) == 1:
            setting.stopping.set()
        return taken(wait_s, most) if not setting.source.is_done else []

    setting.source.take = take  # type: ignore[assignment, method-assign]
    setting.sink.run()
    assert setting.server.results == [2]
    assert setting.source.committed in ([], [{(TOPIC, 0): 1}])


def test_no_more_is_read_than_may_be_held() -> None:
    clock = Clock()
    batches = [[record(number)] for number in range(200)]
    setting = Setting(*batches, metadata=Learning(clock))
    taken = setting.source.take

    def take(wait_s: float, most: int) -> Sequence[Record]:
        assert clock.now > 5.0 or setting.sink._held.size < 2_000
        return taken(wait_s, most)

    setting.source.take = take  # type: ignore[assignment, method-assign]
    setting.sink.run()
    assert setting.server.results == list(range(200))


def test_records_that_are_refused_fill_a_bulk_as_documents_do() -> None:
    setting = Setting(*[[FakeRecord(b"{" * 500, offset=number)] for number in range(20)], in_flight=1)
    held = threading.Event()
    write = setting.letters.write

    def later(refusals: Sequence[Refusal], counts: RecordCounts) -> None:
        assert len(refusals) <= 5
        held.set()
        write(refusals, counts)

    setting.letters.write = later  # type: ignore[method-assign]
    setting.sink._settings = replace(setting.sink._settings, linger_s=1e9)
    setting.sink.run()
    assert held.is_set()
    assert len(setting.letters.kept) == 20


def test_records_without_a_value_fill_a_bulk_too() -> None:
    setting = Setting(*[[FakeRecord(None, offset=number)] for number in range(20)], in_flight=1)
    sizes: list[int] = []
    write = setting.letters.write

    def later(refusals: Sequence[Refusal], counts: RecordCounts) -> None:
        sizes.append(len(refusals))
        write(refusals, counts)

    setting.letters.write = later  # type: ignore[method-assign]
    setting.sink._settings = replace(setting.sink._settings, linger_s=1e9)
    setting.sink.run()
    assert sum(sizes) == 20
    assert max(sizes) <= 4


def test_a_device_that_repeats_the_id_of_another_datastream_s_record_does_not_hide_that_record() -> None:
    genuine = record(1)
    forged = FakeRecord(observation(result=2), key=OTHER, headers=genuine.headers(), offset=2)
    for batch in ([forged, genuine], [genuine, forged]):
        setting = Setting(batch, [genuine], [forged])
        setting.sink.run()
        assert setting.server.results == [1, 2]
        assert setting.sink.committed.forwarded == 2
        assert {document["dt_id"] for document in setting.server.documents} == {dt_id(1)}


def test_a_record_that_no_document_can_carry_does_not_stop_the_others() -> None:
    deep = b'{"phenomenonTime":"2026-01-02T03:04:05Z","result":' + b"[" * 500 + b"]" * 500 + b"}"
    setting = Setting([record(1), FakeRecord(deep, offset=2), record(3)])
    setting.sink.run()
    assert setting.server.results == [1, 3]
    assert setting.sink.committed.dead_letters == {"record.nested_too_deeply": 1}


def test_a_name_that_elasticsearch_cannot_keep_does_not_come_there() -> None:
    longest, longer = (f"{NAME}{'x' * (size - len(NAME))}".encode() for size in (8191, 8192))
    setting = Setting([record(1, key=longest), record(2, key=longer)])
    setting.sink.run()
    assert setting.server.results == [1]
    assert setting.sink.committed.dead_letters == {"record.name_too_long": 1}


def test_what_kafka_complained_about_is_over_once_it_answers_and_is_quiet() -> None:
    setting = Setting()
    setting.sink.note_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    setting.sink.note_answer()
    assert "Kafka" in (setting.sink.trouble or "")
    setting.clock.now += 16
    setting.sink.note_answer()
    assert setting.sink.trouble is None


def test_a_sink_that_has_nothing_to_do_goes_on_saying_that_kafka_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    setting = Setting([], [], [])
    taken = setting.source.take

    def take(wait_s: float, most: int) -> Sequence[Record]:
        setting.sink.note_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        return taken(wait_s, most)

    setting.source.take = take  # type: ignore[assignment, method-assign]
    setting.sink.run()
    assert "Kafka" in (setting.sink.trouble or "")
    assert caplog.text.count("Kafka: ") == 1


def test_a_stopped_sink_leaves_what_is_not_acknowledged_to_the_next_one() -> None:
    setting = Setting([record(1)], [], [])

    def away() -> None:
        setting.stopping.set()
        raise ValueError("it answers, but not as Elasticsearch does")

    setting.server.events = [away] * 3
    setting.sink.run()
    assert setting.server.results == []
    assert setting.source.committed == []
