"""What the tests of joins share: streams of numbered records with known times, the pairs to expect."""

import bisect
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confluent_kafka import Producer

from client.messaging.records import partition_for
from tests.integration.streamhub.flows import Flow
from tests.kafka_clients import connection

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LEFT, RIGHT = "Speed", "Torque"


@dataclass(frozen=True, slots=True)
class Sample:
    """A record to produce: its side, its number within the side, and its time [ms since START]."""

    side: str
    number: int
    time_ms: int
    thing: str = "Mill"


def expected_pairs(samples: Iterable[Sample], within_ms: int | None) -> set[tuple[int, int]]:
    """Pairs of numbers by the definition, worked out on sorted lists; sides are in order by themselves."""
    left = [sample for sample in samples if sample.side == LEFT]
    right = [sample for sample in samples if sample.side == RIGHT]
    found: set[tuple[int, int]] = set()
    for mine, other, turn in ((left, right, False), (right, left, True)):
        times = [sample.time_ms for sample in other]
        for sample in mine:
            for near in _neighbours(times, sample.time_ms):
                if within_ms is None or abs(times[near] - sample.time_ms) <= within_ms:
                    pair = (sample.number, other[near].number)
                    found.add(pair[::-1] if turn else pair)
    return found


def _neighbours(times: Sequence[int], moment: int) -> Iterable[int]:
    after = bisect.bisect_left(times, moment)
    if after < len(times):
        yield after
    before = bisect.bisect_right(times, moment)
    # The last one before is only known once a later one of its stream is there.
    if 0 < before < len(times):
        yield before - 1


class JoinFlow:
    """Two streams of one source system, or of two, and what arrives in the target."""

    def __init__(self, flow: Flow, right_system: str | None = None, partitions: int = 1) -> None:
        self.flow = flow
        self.left_system = str(flow.source)
        self.right_system = right_system or self.left_system
        self.partitions = partitions
        if right_system is not None:
            flow.create(f"{right_system}.int", partitions)
        self._producer = Producer(
            {**connection(flow.bootstrap), "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        )

    def statement(
        self, tail: str = "WITHIN 50 ms", select: str = "l.result * r.result AS power UNIT 'W'"
    ) -> str:
        return (
            f"SELECT {select}, l.number AS left_number, r.number AS right_number "
            f"FROM {self.left_system} AS l JOIN {self.right_system} AS r {tail} "
            f"WHERE l.name LIKE '%.{LEFT}' AND r.name LIKE '%.{RIGHT}';"
        )

    def produce(self, samples: Iterable[Sample], pace: Callable[[int], None] | None = None) -> None:
        for count, sample in enumerate(samples, 1):
            system = self.left_system if sample.side == LEFT else self.right_system
            key = f"{system}.{sample.thing}.{sample.side}"
            moment = (START + timedelta(milliseconds=sample.time_ms)).isoformat(timespec="milliseconds")
            value = {
                "phenomenonTime": moment.replace("+00:00", "Z"),
                "result": sample.number % 100 + 1,
                "number": sample.number,
            }
            while True:
                try:
                    self._producer.produce(
                        f"{system}.int",
                        json.dumps(value).encode(),
                        key.encode(),
                        partition_for(key, self.partitions),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            if pace is not None:
                pace(count)
        assert self._producer.flush(60) == 0

    def received_pairs(self) -> list[tuple[int, int]]:
        return [
            (value["left_number"], value["right_number"])
            for value in (json.loads(record.value or b"") for record in self.flow.received())
        ]


def alternating(number: int, step_ms: int = 7, thing: str = "Mill") -> list[Sample]:
    """So many samples of each side; the right ones a little later, every fifth one twice as far."""
    samples = []
    for index in range(number):
        samples.append(Sample(LEFT, index, index * step_ms, thing))
        samples.append(Sample(RIGHT, index, index * step_ms + (2 if index % 5 else 4), thing))
    return samples
