"""Chains, windows and restoring: single rules, one by one."""

import gc
from typing import Any

import pytest

from streamhub.join import SeriesJoin

Tuples = list[tuple[Any, ...]]


def run(
    arrivals: str, withins: list[int | None], max_latency: int | None = None
) -> tuple[Tuples, SeriesJoin]:
    """Join arrivals such as `a1 b2 c2`; return the tuples and the join."""
    found: Tuples = []
    join = SeriesJoin(withins, found.append, max_latency)
    for name in arrivals.split():
        join.adders["abcd".index(name[0])](int(name[1:]), name)
    return found, join


def test_one_stream_is_handed_through_and_remembers_nothing() -> None:
    found, join = run("a5 a3", [])
    assert found == [("a5",), ("a3",)]
    assert join.windows == ()
    assert (join.held, join.dropped) == (0, 0)
    join.restore([])


def test_two_streams_have_a_window_each() -> None:
    found, join = run("a1 b2 a3 a4", [None])
    assert found == [("a1", "b2"), ("a3", "b2")]
    left, right = join.windows
    assert (left.depth, left.first, left.end) == ((0,), 0, 3)
    assert (right.depth, right.first, right.end) == ((1,), 0, 1)
    assert left.since(0) == [(1, "a1"), (3, "a3"), (4, "a4")]
    assert left.since(2) == [(4, "a4")]
    assert left.since(3) == []
    assert join.held == 4


def test_windows_are_numbered_on_while_they_are_trimmed() -> None:
    _, join = run("a1 b2 a3 b4 a5 b6", [None])
    left, right = join.windows
    assert (left.first, left.end, left.since(0)) == (2, 3, [(5, "a5")])
    assert (right.first, right.end, right.since(2)) == (1, 3, [(6, "b6")])
    assert right.since(0) == [(4, "b4"), (6, "b6")]


def test_pair_goes_on_as_a_record_of_the_later_time_once_no_earlier_one_can_come() -> None:
    found, join = run("a1 b3 c3 a4", [None, None])
    assert found == []
    assert [window.depth for window in join.windows] == [(0,), (1,), (0, 1), (2,)]
    join.adders[1](5, "b5")
    assert found == [("a1", "b3", "c3")]
    assert join.windows[2].since(0) == [(3, ("a1", "b3"))]


def test_finishing_lets_the_pairs_go_that_waited_for_earlier_ones() -> None:
    found, join = run("a1 b3 c4 d4", [None, None, None])
    assert found == []
    join.finish()
    assert found == [("a1", "b3", "c4", "d4")]
    join.finish()
    assert len(found) == 1


def test_finishing_two_streams_or_one_changes_nothing() -> None:
    choices: list[list[int | None]] = [[], [None]]
    for withins in choices:
        found, join = run("a1", withins)
        before = list(found)
        join.finish()
        assert found == before


def test_limits_of_a_chain_belong_to_their_joins() -> None:
    arrivals = "a0 b5 c6 a20 b20 c20 a30 b30 c30"
    assert run(arrivals, [5, 1])[0][0] == ("a0", "b5", "c6")
    assert ("a0", "b5", "c6") not in run(arrivals, [4, 1])[0]
    assert ("a0", "b5", "c6") not in run(arrivals, [5, 0])[0]


def test_max_latency_of_a_chain_counts_from_the_newest_of_all_streams() -> None:
    found, join = run("a1 b3 c3", [None, None], max_latency=10)
    assert found == []
    assert join.adders[2](14, "c14")
    assert found == [("a1", "b3", "c3")]
    assert not join.adders[0](3, "late")
    assert join.adders[0](4, "a4")


def test_windows_of_four_streams_in_order() -> None:
    _, join = run("", [None, None, None])
    assert [window.depth for window in join.windows] == [(0,), (1,), (0, 1), (2,), (0, 1, 2), (3,)]


def test_restoring_emits_nothing_and_goes_on() -> None:
    found, join = run("a1 b2 b3", [None])
    successor = SeriesJoin([None], found.append)
    successor.restore([(window.first, window.since(0)) for window in join.windows])
    assert found == [("a1", "b2")]
    assert not successor.adders[1](2, "late")
    assert successor.adders[0](4, "a4")
    assert sorted(found) == [("a1", "b2"), ("a1", "b3"), ("a4", "b2"), ("a4", "b3")]
    assert [window.end for window in successor.windows] == [2, 2]


def test_restoring_nothing_is_a_fresh_start() -> None:
    for withins in ([None], [None, None]):
        found: Tuples = []
        join = SeriesJoin(withins, found.append, max_latency=5)
        join.restore([(0, ()) for _ in join.windows])
        assert [(window.first, window.end) for window in join.windows] == [(0, 0)] * len(join.windows)
        assert join.adders[0](-1_000_000, "a")


def test_restored_items_that_were_trimmed_already_go_again() -> None:
    _, join = run("", [None])
    join.restore([(4, [(1, "a1"), (3, "a3"), (5, "a5")]), (7, [(2, "b2"), (6, "b6")])])
    left, right = join.windows
    assert left.since(0) == [(5, "a5")]
    assert (left.first, left.end) == (6, 7)
    assert right.since(0) == [(2, "b2"), (6, "b6")]


def test_contents_of_another_kind_of_series_are_refused() -> None:
    _, join = run("", [None, None])
    with pytest.raises(ValueError, match=r"contents of 1 windows .* has 4"):
        join.restore([(0, ())])


class Record:
    """Something that the garbage collector can count."""


@pytest.mark.parametrize(
    ("width", "max_latency", "silent"),
    [(3, None, None), (3, 100, 0), (3, 100, 1), (3, 100, 2), (4, 100, 3)],
)
def test_memory_of_a_chain_stays_flat(width: int, max_latency: int | None, silent: int | None) -> None:
    join = SeriesJoin([20] * (width - 1), lambda _: None, max_latency)
    held = []
    for time in range(40_000):
        stream = time % width
        # One stream falls silent for long, where a latency bounds the wait.
        if stream != silent or time % 20_000 < 5_000:
            join.adders[stream](time // 2, Record())
        if time % 2_500 == 2_499:
            held.append(join.held)
    assert max(held) <= (20 if max_latency is None else 500)
    gc.collect()
    assert sum(isinstance(thing, Record) for thing in gc.get_objects()) <= max(held) * (width - 1)
