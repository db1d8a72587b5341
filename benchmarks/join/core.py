"""The join core alone, without Kafka: ours beside the algorithm of the original, same input, same process.

Run: ``python -m benchmarks.join.core [--records N] [--rounds N] [--within US]``. Prints, for several ways in
which two streams interleave, records per CPU second (best of the rounds, which alternate between the two),
their ratio, and the pairs that each found beside those that exist (by definition, on sorted lists). The join
function counts.
"""

import argparse
import gc
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

from benchmarks.join.original_algorithm import OriginalJoin
from streamhub.join import NeighbourJoin

Arrival = tuple[bool, int]
"""Whether the record is of the left stream, and its event time [us]."""
Source = Callable[[int, random.Random], Iterator[Arrival]]


def alternating(count: int, _: random.Random) -> Iterator[Arrival]:
    """Left and right in turn, in order of time."""
    for at in range(count):
        yield at % 2 == 0, at * 1000


def bursts(count: int, _: random.Random) -> Iterator[Arrival]:
    """Fifty of one stream, then fifty of the other, each burst of the same stretch of time."""
    for at in range(count):
        burst, place = divmod(at, 50)
        is_left = burst % 2 == 0
        yield is_left, (burst // 2 * 100 + place * 2 + (not is_left)) * 1000


def at_random(count: int, source: random.Random) -> Iterator[Arrival]:
    """In order of time, the stream by a coin."""
    for at in range(count):
        yield source.random() < 0.5, at * 1000


def delayed(count: int, source: random.Random) -> Iterator[Arrival]:
    """Both streams at random times, each record held up for up to 20 records by its way."""
    times = sorted(source.sample(range(count * 1000), count))
    sides = [source.random() < 0.5 for _ in times]
    order = sorted(range(count), key=lambda at: at + source.uniform(0, 20))
    lefts = iter([moment for moment, is_left in zip(times, sides, strict=True) if is_left])
    rights = iter([moment for moment, is_left in zip(times, sides, strict=True) if not is_left])
    for at in order:
        yield sides[at], next(lefts if sides[at] else rights)


def leading(count: int, _: random.Random) -> Iterator[Arrival]:
    """In turn, but the left stream is a thousand records ahead."""
    for at in range(count):
        is_left = at % 2 == 0
        yield is_left, (at + 2000 if is_left else at) * 1000


SOURCES: dict[str, Source] = {
    "alternating": alternating,
    "bursts of 50": bursts,
    "random, in time order": at_random,
    "random, delayed by up to 20": delayed,
    "one side leads by 1000": leading,
}


def run_ours(arrivals: Sequence[Arrival], within: int | None) -> tuple[float, int]:
    """Return CPU seconds and pairs found."""
    found = 0

    def count(_: tuple[int, int]) -> None:
        nonlocal found
        found += 1

    join = NeighbourJoin(within, count)
    left, right = join.left, join.right
    start = time.process_time()
    for is_left, moment in arrivals:
        if is_left:
            left(moment, moment)
        else:
            right(moment, moment)
    return time.process_time() - start, found


def run_original(arrivals: Sequence[Arrival], within: int | None) -> tuple[float, int]:
    """Return CPU seconds and pairs found."""
    found = 0

    def count(_: object, __: object) -> None:
        nonlocal found
        found += 1

    join = OriginalJoin(within, count)
    left, right = join.ingest_left, join.ingest_right
    start = time.process_time()
    for is_left, moment in arrivals:
        if is_left:
            left(moment, moment)
        else:
            right(moment, moment)
    return time.process_time() - start, found


def count_pairs(arrivals: Sequence[Arrival], within: int | None) -> int:
    """Return how many pairs exist by definition; times are distinct within each stream."""
    lefts = sorted(moment for is_left, moment in arrivals if is_left)
    rights = sorted(moment for is_left, moment in arrivals if not is_left)
    pairs = set(_neighbours(lefts, rights)) | {(mine, other) for other, mine in _neighbours(rights, lefts)}
    return sum(within is None or abs(left - right) <= within for left, right in pairs)


def _neighbours(times: Sequence[int], others: Sequence[int]) -> Iterator[tuple[int, int]]:
    for moment in times:
        after = bisect_left(others, moment)
        if after < len(others):
            yield moment, others[after]
        before = bisect_right(others, moment) - 1
        if before >= 0 and others[-1] > moment:
            yield moment, others[before]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--within", type=int, default=None, help="largest distance of a pair [us]")
    options = parser.parse_args()
    print(f"{options.records:,} records, WITHIN {options.within}; per CPU second, best of {options.rounds}")
    print(
        f"{'':28}{'ours':>12}{'original':>12}{'ratio':>7}{'us/rec':>8}{'pairs':>10}{'ours':>10}{'original':>10}"
    )
    for name, source in SOURCES.items():
        arrivals = list(source(options.records, random.Random(4)))
        rounds = []
        for _ in range(options.rounds):
            gc.collect()
            ours = run_ours(arrivals, options.within)
            gc.collect()
            rounds.append((ours, run_original(arrivals, options.within)))
        seconds = min(ours[0] for ours, _ in rounds)
        original_seconds = min(original[0] for _, original in rounds)
        print(
            f"{name:28}{options.records / seconds:>12,.0f}{options.records / original_seconds:>12,.0f}"
            f"{original_seconds / seconds:>7.2f}{seconds / options.records * 1e6:>8.2f}"
            f"{count_pairs(arrivals, options.within):>10,}{rounds[0][0][1]:>10,}{rounds[0][1][1]:>10,}"
        )


if __name__ == "__main__":
    main()
