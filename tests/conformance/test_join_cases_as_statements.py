"""The cases of the join, tried as statements on recorded lines."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamhub.query.replay import run_query

TABLE = json.loads(Path(__file__).with_name("join_cases.json").read_text(encoding="utf-8"))
CASES = [case for case in TABLE["cases"] if case["expected_pairs"] is not None]
Item = tuple[float, tuple[str, ...]]
"""Time and the names of the records that are joined so far."""
Stream = list[Item]
SYSTEMS = {"L": "at.srfg.Mill.Left", "R": "at.srfg.Mill.Right"}


def statement_of(case: dict[str, Any], ending: str = "") -> str:
    within = "" if case["delta_time"] is None else f"WITHIN {case['delta_time']} s"
    sources = f"FROM {SYSTEMS['L']} AS l JOIN {SYSTEMS['R']} AS r"
    return f"SELECT l.result AS l, r.result AS r {sources} {within} {ending};"


def lines_of(case: dict[str, Any], ending: str = "") -> list[str]:
    return [
        json.dumps(
            {
                "topic": SYSTEMS[side] + ending,
                "key": f"{SYSTEMS[side]}.T.D",
                "value": {"phenomenonTime": time, "result": time},
            }
        )
        for side, time in case["ingest"]
    ]


def pairs(rows: list[list[float]]) -> list[tuple[float, float]]:
    return sorted((left, right) for left, right in rows)


@pytest.mark.parametrize("ending", ["", ".int"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_lines_are_joined_as_the_table_says(case: dict[str, Any], ending: str) -> None:
    run = run_query(statement_of(case), lines_of(case, ending))
    found = [[record.value["l"], record.value["r"]] for record in run]
    assert pairs(found) == pairs(case["expected_pairs"])
    assert run.counters.matched == case["expected_count"]
    assert run.refusals == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_lines_in_any_order_are_joined_as_the_table_says_when_lateness_allows(case: dict[str, Any]) -> None:
    lines = lines_of(case)
    Random(4).shuffle(lines)
    run = run_query(statement_of(case, "LATENESS 10000 d"), lines)
    assert pairs([[record.value["l"], record.value["r"]] for record in run]) == pairs(case["expected_pairs"])
    assert run.refusals == []


def test_the_table_has_not_shrunk() -> None:
    assert len(CASES) >= 21


def neighbours(left: Stream, right: Stream, within: float | None) -> list[tuple[Item, Item]]:
    """Every pair in which one is the nearest neighbour of the other, by looking at all of them."""
    found = set()
    for one, other, turned in ((left, right, False), (right, left, True)):
        for number, (time, _) in enumerate(one):
            after = [index for index, (moment, _) in enumerate(other) if moment >= time][:1]
            before = [index for index, (moment, _) in enumerate(other) if moment <= time][-1:]
            final = [index for index in before if index + 1 < len(other)]
            found |= {(index, number) if turned else (number, index) for index in after + final}
    pairs = [(left[number], right[index]) for number, index in sorted(found)]
    return [(one, two) for one, two in pairs if within is None or abs(one[0] - two[0]) <= within]


def chain(streams: list[Stream], within: float | None) -> list[tuple[str, ...]]:
    joined: Stream = [(time, (name,)) for time, (name,) in streams[0]]
    for right in streams[1:]:
        found = neighbours(joined, right, within)
        joined = sorted(
            ((max(one[0], two[0]), one[1] + two[1]) for one, two in found), key=lambda item: item[0]
        )
    return sorted(names for _, names in joined)


@given(
    streams=st.lists(st.lists(st.integers(0, 9), max_size=6).map(sorted), min_size=3, max_size=3),
    within=st.sampled_from((None, 0, 1, 3)),
    seed=st.integers(0, 99),
)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_chain_of_three_is_what_looking_at_all_records_gives(
    streams: list[list[int]], within: float | None, seed: int
) -> None:
    named: list[Stream] = [
        [(time, (f"{alias}{number}",)) for number, time in enumerate(times)]
        for alias, times in zip("abc", streams, strict=True)
    ]
    waiting = [iter(stream) for stream in named]
    order = [source for source, stream in enumerate(named) for _ in stream]
    Random(seed).shuffle(order)
    lines = []
    for source in order:
        time, (name,) = next(waiting[source])
        value = {"phenomenonTime": time, "result": name}
        lines.append(json.dumps({"topic": f"a.bb.cc.s{source}", "value": value}))
    limit = "" if within is None else f"WITHIN {within} s"
    run = run_query(
        "SELECT a.result AS a, b.result AS b, c.result AS c FROM a.bb.cc.s0 AS a "
        f"JOIN a.bb.cc.s1 AS b {limit} JOIN a.bb.cc.s2 AS c {limit}",
        lines,
    )
    assert sorted(tuple(record.value.values())[1:] for record in run) == chain(named, within)
    assert run.refusals == []
