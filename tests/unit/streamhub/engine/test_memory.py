"""What joins remember: written with every commit, read back after a crash, never more than it needs to be."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
import pytest

from streamhub.engine.counters import RecordCounts
from streamhub.engine.memory import JoinMemory
from streamhub.errors import StreamAppError
from streamhub.join.series import SeriesJoin
from streamhub.query import Derivation, compile_statement

SYSTEM = "aa.bb.cc.dd"
NAMES = "abcd"


def derivation(width: int = 2, tail: str = "") -> Derivation:
    joins = "".join(f" JOIN {SYSTEM} AS {NAMES[index]} WITHIN 20 ms" for index in range(1, width))
    compiled = compile_statement(
        f"SELECT a.result + b.result AS total FROM {SYSTEM} AS a{joins} "
        f"WHERE a.name LIKE '%.A' AND b.name LIKE '%.B'{tail};"
    )
    return cast("Derivation", compiled)


class Log:
    """A compacted log in memory, with one open transaction."""

    topic = "state"

    def __init__(self) -> None:
        self.committed: dict[tuple[int, bytes], bytes] = {}
        self.open: list[tuple[int, bytes, bytes | None]] = []
        self.writes = 0

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        self.open.append((partition, key, value))

    def commit(self) -> None:
        for partition, key, value in self.open:
            self.writes += 1
            if value is None:
                self.committed.pop((partition, key), None)
            else:
                self.committed[partition, key] = value
        self.open = []

    def read(self, partitions: Sequence[int]) -> Mapping[tuple[int, bytes], bytes]:
        return {place: value for place, value in self.committed.items() if place[0] in partitions}


Sample = tuple[int, str, int]


def record_of(compiled: Derivation, source: int, time: int) -> Any:  # noqa: ANN401 - made by the statement
    kind = compiled.record_types[source]
    others = dict.fromkeys(kind.__struct_fields__)  # type: ignore[attr-defined]
    return kind(**{**others, "time": time})


def feed(memory: JoinMemory, compiled: Derivation, sample: Sample) -> None:
    source, key, time = sample
    record = record_of(compiled, source, time)
    series = memory.series(0, key)
    series.join.adders[source](time, record)
    memory.touched.add(series)


def numbers(group: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(record.time for record in group)


def interleaved(source: random.Random, width: int, keys: Sequence[str], length: int) -> list[Sample]:
    """Streams in order by themselves, mixed at random, one of them sometimes far ahead."""
    streams = [
        [
            (index, key, number * 3_000 + index * 700 + source.randint(0, 600))
            for number in range(source.randint(0, length))
        ]
        for index in range(width)
        for key in keys
    ]
    mixed: list[Sample] = []
    while streams := [stream for stream in streams if stream]:
        stream = source.choice(streams)
        count = source.choice([1, 1, 1, 5, 40])
        mixed += stream[:count]
        del stream[:count]
    return mixed


def in_one_go(compiled: Derivation, samples: Sequence[Sample]) -> Counter[tuple[str, tuple[int, ...]]]:
    found: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for key in {key for _, key, _ in samples}:
        groups: list[tuple[Any, ...]] = []
        join = SeriesJoin(compiled.withins, groups.append, compiled.max_latency)
        for index, _, time in (sample for sample in samples if sample[1] == key):
            join.adders[index](time, record_of(compiled, index, time))
        found.update((key, numbers(group)) for group in groups)
    return found


@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize("tail", ["", " MAX LATENCY 50 ms"])
def test_crashes_at_random_moments_lose_and_repeat_no_group(width: int, tail: str) -> None:
    source = random.Random(20260102 + width)
    compiled = derivation(width, tail)
    crashes = 0
    for _ in range(25):
        samples = interleaved(source, width, ["", "x"], 60)
        log = Log()
        done: Counter[tuple[str, tuple[int, ...]]] = Counter()
        position = committed = 0
        while position < len(samples):
            groups: list[tuple[Any, ...]] = []
            memory = JoinMemory(compiled, log, groups.append)
            memory.read([0])
            log.open = []
            uncommitted: list[tuple[str, tuple[int, ...]]] = []
            lives = source.choice([7, 30, 100_000])
            for sample in samples[position : position + lives]:
                feed(memory, compiled, sample)
                uncommitted += [(sample[1], numbers(group)) for group in groups]
                groups.clear()
                position += 1
                if source.random() < 0.3 or position == len(samples):
                    memory.write(RecordCounts())
                    log.commit()
                    done.update(uncommitted)
                    uncommitted = []
                    committed = position
            crashes += 1
            position = committed if position < len(samples) else position
        assert done == in_one_go(compiled, samples)
    assert crashes > 50


def test_the_log_stays_as_small_as_what_is_remembered() -> None:
    compiled = derivation()
    log = Log()
    memory = JoinMemory(compiled, log, lambda _: None)
    for number in range(5_000):
        feed(memory, compiled, (number % 2, "", number * 1_000))
        if number % 10 == 9:
            memory.write(RecordCounts())
            log.commit()
    assert log.writes == 500
    assert len(log.committed) <= 3


def test_the_log_stays_small_although_one_side_is_silent_with_a_latency() -> None:
    compiled = derivation(tail=" MAX LATENCY 50 ms")
    log = Log()
    memory = JoinMemory(compiled, log, lambda _: None)
    counts = RecordCounts()
    feed(memory, compiled, (1, "", 0))
    for number in range(5_000):
        feed(memory, compiled, (0, "", number * 1_000))
        if number % 10 == 9:
            memory.write(counts)
            log.commit()
    assert len(log.committed) < 20
    assert counts.held < 100


def test_many_items_are_spread_over_several_records_and_come_back() -> None:
    compiled = derivation()
    log = Log()
    memory = JoinMemory(compiled, log, lambda _: None)
    for number in range(9_000):
        feed(memory, compiled, (0, "", number * 1_000))
    memory.write(RecordCounts())
    log.commit()
    assert len(log.committed) > 4
    groups: list[tuple[Any, ...]] = []
    again = JoinMemory(compiled, log, groups.append)
    again.read([0])
    feed(again, compiled, (1, "", 8_000_500))
    # The first left one behind it; of those before, all that were waiting for the right side.
    assert {numbers(group)[0] for group in groups} >= {8_001_000, 8_000_000}
    counts = RecordCounts()
    again.write(counts)
    log.commit()
    assert counts.held < 1_010


def test_holding_more_than_a_process_should_stops_the_app_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamhub.engine.memory._MOST_HELD", 99)
    compiled = derivation()
    memory = JoinMemory(compiled, Log(), lambda _: None)
    for number in range(100):
        feed(memory, compiled, (0, "", number * 1_000))
    with pytest.raises(StreamAppError, match=r"holds 100 records .* MAX LATENCY"):
        memory.write(RecordCounts())


def test_what_another_statement_remembered_is_given_up_and_deleted() -> None:
    log = Log()
    first = derivation()
    memory = JoinMemory(first, log, lambda _: None)
    feed(memory, first, (0, "", 1_000))
    memory.write(RecordCounts())
    log.commit()
    second = derivation(3)
    again = JoinMemory(second, log, lambda _: None)
    again.read([0])
    again.write(RecordCounts())
    log.commit()
    assert log.committed == {}


def test_a_record_that_the_app_did_not_write_stops_it_with_the_name_of_the_topic() -> None:
    log = Log()
    log.committed[0, b"?"] = msgspec.msgpack.encode("?")
    with pytest.raises(StreamAppError, match="topic state holds a record that this app did not write"):
        JoinMemory(derivation(), log, lambda _: None).read([0])
