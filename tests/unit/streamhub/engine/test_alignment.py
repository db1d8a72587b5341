"""Holding records of several partitions back: in which order they go, and where to go on after a crash."""

import random
from collections.abc import Iterator

import pytest

from streamhub.engine.alignment import Alignment
from streamhub.engine.work import Partition, Place

A: Partition = ("a", 0)
B: Partition = ("b", 0)


def alignment(lateness: int = 0, most_held: int = 100) -> Alignment:
    made = Alignment(lateness, most_held)
    made.reset({A: Place(0), B: Place(0)})
    return made


def times(released: list[tuple[float, int, int, object, float]]) -> list[int]:
    return [entry[1] for entry in released]


def test_a_side_that_runs_ahead_waits_for_the_other() -> None:
    held = alignment()
    for offset, time in enumerate([10, 20, 30]):
        held.add(A, offset, time, None)
    assert held.release(ended=frozenset()) == []
    held.add(B, 0, 15, None)
    assert times(held.release(ended=frozenset())) == [10, 15]
    assert held.place(A, 3) == Place(1)
    assert held.place(B, 1) == Place(1)


def test_a_partition_that_was_read_to_its_end_is_not_waited_for() -> None:
    held = alignment()
    held.add(A, 0, 10, None)
    assert times(held.release(ended={B})) == [10]
    assert held.place(A, 1) == Place(1)


def test_without_lateness_a_record_out_of_order_keeps_its_place_behind_the_newer_one() -> None:
    held = alignment()
    for offset, time in enumerate([10, 30, 20]):
        held.add(A, offset, time, None)
    held.add(B, 0, 25, None)
    assert times(held.release(ended={A, B})) == [10, 25, 30, 20]


def test_with_lateness_records_are_put_in_order_once_their_partition_is_that_much_further() -> None:
    held = alignment(lateness=10)
    for offset, time in enumerate([30, 20, 25, 35, 41]):
        held.add(A, offset, time, None)
    assert times(held.release(ended={A, B})) == [20, 25, 30]
    assert held.place(A, 5) == Place(3, "[30,[5,31]]")


def test_what_comes_beyond_the_lateness_is_not_put_before_what_was_in_time() -> None:
    held = alignment(lateness=10)
    for offset, time in enumerate([10, 30, 15, 50]):
        held.add(A, offset, time, None)
    assert times(held.release(ended={A, B})) == [10, 15, 30]
    late = alignment(lateness=10)
    for offset, time in enumerate([10, 30, 41, 15, 60]):
        late.add(A, offset, time, None)
    assert times(late.release(ended={A, B})) == [10, 30, 15, 41]


def test_what_was_let_go_before_a_crash_is_not_let_go_again() -> None:
    held = alignment(lateness=10)
    records = [(0, 30), (1, 20), (2, 42), (3, 35), (4, 31)]
    for offset, time in records:
        held.add(A, offset, time, None)
    before = times(held.release(ended={A, B}))
    place = held.place(A, 5)
    again = alignment(lateness=10)
    again.reset({A: place, B: Place(0)})
    for offset, time in records[place.offset :]:
        again.add(A, offset, time, None)
    again.add(A, 5, 60, None)
    assert before == [20, 30, 31]
    assert times(again.release(ended={A, B})) == [35, 42]


def test_a_partition_is_crowded_until_most_of_it_is_let_go() -> None:
    held = alignment(most_held=8)
    for offset in range(9):
        held.add(A, offset, offset, None)
    held.release(ended=frozenset())
    assert held.crowded == {A}
    held.add(B, 0, 4, None)
    held.release(ended=frozenset())
    assert held.crowded == {A}
    held.add(B, 1, 6, None)
    held.release(ended=frozenset())
    assert held.crowded == frozenset()
    assert held.is_waiting


def reading(source: random.Random, length: int, spread: int) -> dict[Partition, list[int]]:
    """Times of two partitions, each up to `spread` out of order."""
    return {
        partition: [number * 10 + source.randint(0, spread) for number in range(length)]
        for partition in (A, B)
    }


def read_in_runs(source: random.Random, places: dict[Partition, int], length: int) -> Iterator[Partition]:
    """Partitions in the order of a consumer that reads them in runs of random length."""
    left = {partition: length - place for partition, place in places.items()}
    while any(left.values()):
        partition = source.choice([partition for partition, number in left.items() if number])
        for _ in range(min(source.randint(1, 30), left[partition])):
            left[partition] -= 1
            yield partition


@pytest.mark.parametrize("lateness", [0, 25])
def test_every_record_is_let_go_once_and_in_order_although_reading_starts_again_at_random_moments(
    lateness: int,
) -> None:
    source = random.Random(4711)
    for _ in range(60):
        length = 120
        series = reading(source, length, spread=lateness)
        committed = {A: Place(0), B: Place(0)}
        done: list[tuple[int, Partition, int]] = []
        while len(done) < 2 * length:
            held = Alignment(lateness, 1_000)
            held.reset(committed)
            read = {partition: place.offset for partition, place in committed.items()}
            crash_after = source.choice([20, 50, 10_000])
            for count, partition in enumerate(read_in_runs(source, dict(read), length)):
                offset = read[partition]
                read[partition] = offset + 1
                held.add(partition, offset, series[partition][offset], (partition, offset))
                if source.random() < 0.2:
                    ended = {part for part, place in read.items() if place == length}
                    done += [(time, *item) for _, time, _, item, _ in held.release(ended)]
                    committed = {part: held.place(part, place) for part, place in read.items()}
                if count > crash_after:
                    break
            else:
                if lateness:  # newer records set the last ones free
                    for partition in (A, B):
                        held.add(partition, length, 10**6, None)
                        read[partition] = length + 1
                free = held.release({A, B})
                done += [(time, *item) for _, time, _, item, _ in free if item is not None]
                committed = {part: held.place(part, place) for part, place in read.items()}
        assert sorted((partition, offset) for _, partition, offset in done) == [
            (partition, offset) for partition in (A, B) for offset in range(length)
        ]
        for partition in (A, B):
            order = [time for time, place, _ in done if place == partition]
            assert order == (sorted(order) if lateness else series[partition])
