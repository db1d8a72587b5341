"""The crash loop's judge: what it expects, and what it finds."""

import json

from benchmarks.exactly_once.numbered import WITHIN_US, FilterPlan, JoinPlan, Record, neighbours
from benchmarks.exactly_once.verdict import judge

SEED = 20260102


def slow_neighbours(
    lefts: list[tuple[int, int]], rights: list[tuple[int, int]], within_us: int
) -> set[tuple[int, int]]:
    """The definition, word by word."""
    pairs = set()
    for left in lefts:
        for right in rights:
            is_next = any(
                one is min((x for x in others if x[0] >= mine[0]), key=lambda x: x[0], default=None)
                or one
                is max(reversed([x for x in others if x[0] <= mine[0]]), key=lambda x: x[0], default=None)
                for mine, one, others in ((left, right, rights), (right, left, lefts))
            )
            if is_next and abs(left[0] - right[0]) <= within_us:
                pairs.add((left[1], right[1]))
    return pairs


def test_a_record_is_paired_with_the_nearest_before_and_after_it() -> None:
    lefts = [(0, 0), (10, 1), (20, 2)]
    rights = [(9, 3), (12, 4)]
    assert neighbours(lefts, rights, 100) == {(0, 3), (1, 3), (1, 4), (2, 4)}
    assert neighbours(lefts, rights, 2) == {(1, 3), (1, 4)}


def test_of_equal_times_the_first_is_the_successor_and_the_last_the_predecessor() -> None:
    assert neighbours([(5, 0)], [(7, 1), (7, 2)], 10) == {(0, 1), (0, 2)}  # 2: its predecessor is 0
    assert neighbours([(5, 0), (9, 9)], [(7, 1), (7, 2), (7, 3)], 10) == {
        (0, 1),
        (0, 2),
        (0, 3),
        (9, 1),
        (9, 2),
        (9, 3),
    }


def test_the_fast_search_finds_what_the_definition_says() -> None:
    plan = JoinPlan(240, 3, SEED)
    streams: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for record in plan.produced():
        streams.setdefault((record.thing, record.side), []).append((_microseconds(record), record.number))
    slow = {
        plan.pair_number(*pair)
        for thing in {thing for thing, _ in streams}
        for pair in slow_neighbours(streams[thing, 0], streams[thing, 1], WITHIN_US)
    }
    assert plan.expected() == slow
    assert len(slow) > 100


def test_closing_records_make_no_pair_but_settle_all_others() -> None:
    plan = JoinPlan(100, 2, SEED)
    assert plan.records == 104
    assert all(max(divmod(pair, plan.records)) < 100 for pair in plan.expected())


def test_the_filter_expects_a_quarter_of_its_numbers() -> None:
    plan = FilterPlan(1_600, 3)
    kept = {record.number for record in plan.produced() if json.loads(record.value)["result"] < 4}
    assert plan.expected() == kept
    assert len(kept) == 400


def test_an_output_that_contradicts_its_numbers_is_malformed() -> None:
    plan = JoinPlan(100, 1, SEED)
    good = {"result": 3.5 * 4.5, "left_number": 3, "right_number": 4}
    assert plan.read(json.dumps(good).encode()) == plan.pair_number(3, 4)
    assert plan.read(json.dumps(good | {"result": 1.0}).encode()) is None
    assert FilterPlan(100, 1).read(b'{"result":5,"number":20}') is None


def test_lost_repeated_and_unexpected_are_told_apart() -> None:
    verdict = judge({1, 2, 3, 4}, [1, 2, 2, 2, 9, 9, None])
    assert (verdict.lost, verdict.repeated, verdict.unexpected) == ([3, 4], [2, 9], [9])
    assert (verdict.lost_count, verdict.repeated_count, verdict.unexpected_count) == (2, 3, 1)
    assert verdict.malformed == 1
    assert verdict.arrived == 7
    assert not verdict.is_right


def test_everything_once_is_right() -> None:
    assert judge({1, 2, 3}, [3, 1, 2]).is_right


def _microseconds(record: Record) -> int:
    hours, minutes, seconds = json.loads(record.value)["phenomenonTime"][11:-1].split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000_000 + round(float(seconds) * 1e6)
