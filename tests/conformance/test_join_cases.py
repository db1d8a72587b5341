"""Every case of the table of joins, whole and through a restart; times of the table are in seconds."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamhub.join import SeriesJoin

TABLE = json.loads((Path(__file__).parent / "join_cases.json").read_text())["cases"]
CASES = {case["name"]: case for case in TABLE}

# The two cases that the table leaves open, as this house decides them.
CHOICES: dict[str, tuple[list[list[float]], list[list[Any]]]] = {
    # A limit of 0 is a limit: equal times only. No limit is to leave WITHIN out.
    "delta 0 means no limit in the original": ([], []),
    # What is older than the newest of its own stream is late: not used, and reported.
    "late record inside one stream": ([[1, 2], [1, 4], [5, 2], [5, 4], [5, 6]], [["L", 3]]),
}


def microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


def joined(case: dict[str, Any], cut: int | None = None) -> tuple[list[tuple[float, float]], list[list[Any]]]:
    """Return the pairs found and the late arrivals; with `cut`, another join takes over there."""
    found: list[tuple[float, ...]] = []
    delta = case["delta_time"]
    withins = [None if delta is None else microseconds(delta)]
    join = SeriesJoin(withins, found.append)
    late = []
    for at, (side, time) in enumerate(case["ingest"]):
        if at == cut:
            contents = [(window.first, window.since(0)) for window in join.windows]
            join = SeriesJoin(withins, found.append)
            join.restore(contents)
        if not join.adders["LR".index(side)](microseconds(time), time):
            late.append([side, time])
    return [(left, right) for left, right in found], late


@pytest.mark.parametrize("name", CASES)
def test_join_finds_the_pairs_of_the_table(name: str) -> None:
    case = CASES[name]
    pairs, late = CHOICES.get(name, (case["expected_pairs"], []))

    found, refused = joined(case)

    assert sorted(found) == sorted((left, right) for left, right in pairs)
    assert refused == late
    if case["expected_count"] is not None:
        assert len(found) == case["expected_count"]


@pytest.mark.parametrize("name", CASES)
def test_join_taken_over_at_any_place_finds_the_same(name: str) -> None:
    case = CASES[name]
    whole = joined(case)
    for cut in range(len(case["ingest"])):
        assert joined(case, cut) == whole


def test_open_cases_of_the_table_are_all_decided() -> None:
    assert {name for name, case in CASES.items() if case["expected_pairs"] is None} == set(CHOICES)
