"""The join of two streams: single rules, one by one."""

import gc
from typing import Any
from weakref import WeakSet

import pytest

from streamhub.join import NeighbourJoin
from tests.unit.streamhub.join.brute_force import joined_places

Pairs = list[tuple[Any, ...]]


def run(
    arrivals: str, within: int | None = None, max_latency: int | None = None
) -> tuple[Pairs, list[str], NeighbourJoin]:
    """Join arrivals such as `l1 r2`; return pairs, refused arrivals and the join."""
    found: Pairs = []
    join = NeighbourJoin(within, found.append, max_latency)
    adders = {"l": join.left, "r": join.right}
    late = [name for name in arrivals.split() if not adders[name[0]](int(name[1:].rstrip("abcde")), name)]
    return found, late, join


def pairs(text: str) -> set[tuple[str, ...]]:
    return {tuple(pair.split("-")) for pair in text.split()}


@pytest.mark.parametrize("arrivals", ["l1 r2", "r2 l1"])
def test_successor_is_joined_at_once(arrivals: str) -> None:
    found, _, _ = run(arrivals)
    assert found == [("l1", "r2")]


def test_predecessor_waits_for_a_later_record_of_its_stream() -> None:
    found, _, join = run("l1 r2 r3")
    assert found == [("l1", "r2")]
    assert join.left(4, "l4")
    assert set(found) == pairs("l1-r2 l1-r3 l4-r2 l4-r3")


def test_pair_that_the_original_loses_is_found() -> None:
    found, _, _ = run("r2 r29 l3 l13")
    assert set(found) == pairs("l3-r2 l3-r29 l13-r2 l13-r29")


@pytest.mark.parametrize("arrivals", ["l5 r5 l7 r9", "r5 l5 r9 l7", "l5 l7 r5 r9", "r5 r9 l5 l7"])
def test_equal_times_across_the_streams_make_one_pair(arrivals: str) -> None:
    found, _, _ = run(arrivals)
    assert sorted(found) == sorted(pairs("l5-r5 l7-r5 l7-r9"))


@pytest.mark.parametrize(
    "arrivals",
    ["l5a l5b l5c r5d r5e l8 r8", "r5d r5e r8 l5a l5b l5c l8", "l5a r5d l5b r5e l5c r8 l8", "r5d l5a l8 r5e"],
)
def test_of_equal_times_in_a_stream_the_first_succeeds_and_the_last_precedes(arrivals: str) -> None:
    names = arrivals.split()
    lefts, rights = ([name for name in names if name[0] == side] for side in "lr")
    places = joined_places(
        [int(name[1:].rstrip("abcde")) for name in lefts],
        [int(name[1:].rstrip("abcde")) for name in rights],
        None,
    )
    found, late, _ = run(arrivals)
    assert late == []
    assert sorted(found) == sorted((lefts[left], rights[right]) for left, right in places)
    if len(names) == 7:
        # (b, d) by succession, (c, e) by precedence, but b is neither the first nor the last for e.
        assert ("l5b", "r5d") in found
        assert ("l5c", "r5e") in found


def test_limit_is_inclusive_and_zero_is_a_limit() -> None:
    assert run("l0 r3", within=3)[0] == [("l0", "r3")]
    assert run("l0 r4", within=3)[0] == []
    assert run("l0 r0 l1 r2", within=0)[0] == [("l0", "r0")]


def test_late_record_is_refused_and_changes_nothing() -> None:
    found, late, _ = run("l1 l5 r2 l3 r4 r1 r6")
    assert late == ["l3", "r1"]
    assert set(found) == pairs("l1-r2 l1-r4 l5-r2 l5-r4 l5-r6")


def test_record_as_old_as_its_forerunner_is_not_late() -> None:
    _, late, _ = run("l1 l1 r0 r0")
    assert late == []


def test_head_goes_when_its_successor_is_not_newer_than_the_other_side() -> None:
    _, _, join = run("l1 l2 l3 r2")
    assert join.left_side.last(9) == [(2, "l2"), (3, "l3")]
    assert join.right(3, "r3")
    assert join.left_side.last(9) == [(3, "l3")]
    assert join.right_side.last(9) == [(3, "r3")]


def test_equal_times_go_together_once_the_other_side_is_beyond_them() -> None:
    _, _, join = run("l5a l5b l5c r5d")
    assert join.held == 4
    assert join.left(6, "l6")
    assert join.right(7, "r7")
    assert join.held == 3
    assert join.right_side.last(9) == [(5, "r5d"), (7, "r7")]


def test_record_that_hangs_at_one_time_does_not_fill_memory() -> None:
    _, _, join = run("r9")
    for number in range(1000):
        assert join.left(5, number)
    assert join.held == 2


def test_max_latency_refuses_what_is_older_than_the_horizon() -> None:
    found, late, _ = run("l100 r94 r95 l106 r95", within=50, max_latency=5)
    assert late == ["r94", "r95"]
    assert found == [("l100", "r95")]


def test_max_latency_settles_predecessors_of_a_silent_stream() -> None:
    arrivals = "r1 l2 l3 l4 l12"
    assert set(run(arrivals)[0]) == pairs("l2-r1")
    assert set(run(arrivals, max_latency=8)[0]) == pairs("l2-r1 l3-r1")
    assert set(run(arrivals, max_latency=8, within=1)[0]) == pairs("l2-r1")


def test_max_latency_settles_nothing_twice_when_the_stream_speaks_again() -> None:
    found, _, _ = run("r1 l2 l3 l4 l12 r13", max_latency=8)
    assert sorted(found) == sorted(pairs("l2-r1 l3-r1 l4-r1 l12-r1 l12-r13"))


def test_max_latency_without_a_limit_gives_up_successors_that_are_too_far() -> None:
    found, _, join = run("l1 l2 l11 r11", max_latency=4)
    assert found == [("l11", "r11")]
    assert join.dropped == 1


def test_max_latency_with_a_limit_waits_for_the_successor_within_it() -> None:
    found, _, _ = run("l1 l2 l11 r11", within=9, max_latency=4)
    assert set(found) == pairs("l2-r11 l11-r11")


def test_settling_from_outside_completes_equal_times_on_both_sides() -> None:
    found, _, join = run("l5a l5b r5d r5e", max_latency=100)
    assert ("l5b", "r5e") not in found
    join.settle(6)
    join.settle(6)
    assert sorted(found) == sorted(pairs("l5a-r5d l5a-r5e l5b-r5d l5b-r5e"))
    assert join.held == 2
    assert not join.left(5, "late")


def test_newest_record_of_each_side_always_stays() -> None:
    _, _, join = run("l1 l2 r1", within=3, max_latency=5)
    join.settle(1_000)
    assert join.left_side.last(9) == [(2, "l2")]
    assert join.right_side.last(9) == [(1, "r1")]


def test_restored_side_keeps_no_predecessor_beside_an_equal_time() -> None:
    join = NeighbourJoin(None, lambda _: None)
    join.restore((0, [(1, "l1"), (5, "l5"), (7, "l7")]), (0, [(5, "r5")]))
    assert join.left_side.last(9) == [(5, "l5"), (7, "l7")]


def test_silent_side_with_max_latency_holds_a_bounded_number_of_records() -> None:
    for within in (None, 0, 70):
        join = NeighbourJoin(within, lambda _: None, max_latency=50)
        for time in range(5_000):
            assert join.left(time, time)
        assert join.held <= 50 + 70 + 2
        assert join.dropped >= 5_000 - 50 - 70 - 2


def test_silent_side_without_max_latency_is_waited_for() -> None:
    found: Pairs = []
    join = NeighbourJoin(None, found.append)
    for time in range(1_000):
        assert join.left(time, time)
    assert join.held == 1_000
    assert join.right(999, "r")
    assert len(found) == 1_000
    assert join.held == 2


class Record:
    """Something that a weak reference can watch."""


def test_equal_times_are_not_kept_alive_by_what_was_noted_of_them() -> None:
    alive: WeakSet[Record] = WeakSet()
    join = NeighbourJoin(None, lambda _: None)
    for add, time in [(join.left, 5), (join.left, 5), (join.left, 7), (join.right, 5), (join.right, 5)]:
        record = Record()
        alive.add(record)
        assert add(time, record)
    del record
    assert len(alive) == 5
    assert join.right(9, "r9")
    assert join.left(8, "l8")
    assert [time for time, _ in join.right_side.last(9)] == [5, 9]
    assert len(alive) == 1


@pytest.mark.parametrize("max_latency", [None, 500])
def test_trimmed_records_are_not_kept_alive(max_latency: int | None) -> None:
    alive: WeakSet[Record] = WeakSet()
    join = NeighbourJoin(40, lambda _: None, max_latency)
    most = 0
    for time in range(200_000):
        record = Record()
        if time % 100 == 0:
            alive.add(record)
        # Alternating, bursts, equal times.
        add = join.left if (time // 30 if time % 3_000 < 1_000 else time) % 2 else join.right
        assert add(time // 2, record)
        if time % 10_000 == 9_999:
            most = max(most, len(alive), join.held)
    assert most <= 35
    gc.collect()
    assert sum(isinstance(thing, Record) for thing in gc.get_objects()) == join.held
