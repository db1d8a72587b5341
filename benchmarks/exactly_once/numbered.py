"""Numbered records, and which outputs they must lead to: told by their numbers alone, not by our engine.

What lives here: the plan of a run, made from a seed. What does not: Kafka, processes, and any code of the
stream hub: pairs are found here by sorting and searching, not by the join that is under test.
"""

import bisect
import json
import random
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

WITHIN_US: Final = 1_000_000
MATCHING_BELOW: Final = 4
_RESULTS: Final = 16
_START: Final = datetime(2026, 1, 2, tzinfo=UTC)
_LEFT, _RIGHT = 0, 1
_SIDES: Final = ("Speed", "Torque")
# Gaps between the records of one Thing: mostly inside WITHIN, sometimes none, sometimes beyond.
_GAPS_US: Final = (0, 1, 5_000, 40_000, 300_000, 700_000, 1_000_000, 1_100_000)
_CLOSING_GAP_US: Final = 3_600_000_000


class Record(NamedTuple):
    """One record to produce."""

    number: int
    side: int
    thing: str
    value: bytes


class FilterPlan:
    """A filter: the numbers that match must arrive, each once.

    Args:
        records: How many records.
        things: On how many Things.
    """

    def __init__(self, records: int, things: int) -> None:
        self.records = records
        self._things = things

    def expected(self) -> set[int]:
        """The numbers that match."""
        return {number for number in range(self.records) if number % _RESULTS < MATCHING_BELOW}

    def produced(self) -> Iterator[Record]:
        """The records in order."""
        for number in range(self.records):
            value = b'{"result":%d,"number":%d,"Datastream":{"@iot.id":7}}' % (number % _RESULTS, number)
            yield Record(number, _LEFT, f"Thing{number % self._things}", value)

    @staticmethod
    def read(value: bytes) -> int | None:
        """The number that an output record carries; None when it is not as it should be."""
        document = json.loads(value)
        number: int = document["number"]
        return number if document["result"] == number % _RESULTS else None


class JoinPlan:
    """A join of two quantities: every pair of nearest neighbours within the limit must arrive, each once.

    Args:
        records: How many records, those not counted that close the streams.
        things: On how many Things; each is joined for itself.
        seed: Decides sides and times.
    """

    def __init__(self, records: int, things: int, seed: int) -> None:
        chance = random.Random(seed)
        self._things = things
        self._sides = array("b", (chance.randrange(2) for _ in range(records)))
        self._times = array("q")
        clocks = [0] * things
        for number in range(records):
            clocks[number % things] += chance.choice(_GAPS_US)
            self._times.append(clocks[number % things])
        # What comes before a stream's last record is settled only by that one: so it comes much later.
        for side in (_LEFT, _RIGHT):
            self._sides.extend([side] * things)
            self._times.extend([max(clocks) + (side + 1) * _CLOSING_GAP_US] * things)
        self._regular = records
        self.records = len(self._sides)

    def _thing(self, number: int) -> int:
        return (number if number < self._regular else number - self._regular) % self._things

    def expected(self) -> set[int]:
        """The pairs, as `pair_number` of both numbers."""
        streams: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]
        streams = [([], []) for _ in range(self._things)]
        for number, (side, moment) in enumerate(zip(self._sides, self._times, strict=True)):
            streams[self._thing(number)][side].append((moment, number))
        return {
            self.pair_number(left, right)
            for lefts, rights in streams
            for left, right in neighbours(lefts, rights, WITHIN_US)
        }

    def pair_number(self, left: int, right: int) -> int:
        """One number for two."""
        return left * self.records + right

    def produced(self) -> Iterator[Record]:
        """The records in order."""
        for number, (side, moment) in enumerate(zip(self._sides, self._times, strict=True)):
            stamp = (_START + timedelta(microseconds=moment)).isoformat(timespec="microseconds")
            text = (
                f'{{"phenomenonTime":"{stamp.removesuffix("+00:00")}Z","result":{_result(number)},'
                f'"number":{number},"Datastream":{{"@iot.id":7}}}}'
            )
            yield Record(number, side, f"Thing{self._thing(number)}", text.encode())

    def read(self, value: bytes) -> int | None:
        """The pair that an output record carries; None when it is not as it should be."""
        document = json.loads(value)
        left, right = document["left_number"], document["right_number"]
        if document["result"] != _result(left) * _result(right):
            return None
        return self.pair_number(left, right)


def side_name(side: int) -> str:
    """The Datastream of a side."""
    return _SIDES[side]


def neighbours(
    lefts: list[tuple[int, int]], rights: list[tuple[int, int]], within_us: int
) -> set[tuple[int, int]]:
    """Pairs of which one is the other's nearest neighbour, before or after, inclusive, and not too far.

    Args:
        lefts: (time [us], number) in the order of both.
        rights: The same of the other stream.
        within_us: Largest distance of a pair [us].
    """
    times = [moment for moment, _ in lefts], [moment for moment, _ in rights]
    pairs: set[tuple[int, int]] = set()
    for moment, number in lefts:
        for other in _around(times[_RIGHT], moment):
            if abs(rights[other][0] - moment) <= within_us:
                pairs.add((number, rights[other][1]))
    for moment, number in rights:
        for other in _around(times[_LEFT], moment):
            if abs(lefts[other][0] - moment) <= within_us:
                pairs.add((lefts[other][1], number))
    return pairs


def _around(times: list[int], moment: int) -> Iterator[int]:
    """Of equal times, the first is the successor and the last is the predecessor."""
    after = bisect.bisect_left(times, moment)
    if after < len(times):
        yield after
    before = bisect.bisect_right(times, moment) - 1
    if before >= 0:
        yield before


def _result(number: int) -> float:
    return number % 1000 + 0.5
