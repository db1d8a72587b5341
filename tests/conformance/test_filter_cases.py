"""Every case of the filter table, through the compiled statement."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamhub.query import QueryError, compile_filter

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("filter_cases.json").read_text(encoding="utf-8")
)["cases"]

REFUSED = "error"

# The table was measured on an older program without these operators, which the language of this product has
# by decision (docs/explanations/decisions): case -> why, and the verdict that holds instead.
SUPERSEDED: dict[int, tuple[str, bool]] = {
    185: ("LIKE is part of the language", True),
    186: ("IN is part of the language", False),
    187: ("BETWEEN is part of the language", True),
    189: ("functions such as abs() are part of the language", True),
}

# Where the table leaves the choice, this is what the product does (docs/reference/query-language.md).
CHOSEN: dict[int, object] = {
    106: -2.0,  # -7%5: the sign of the dividend, as in SQL
    107: REFUSED,  # 1/0: a constant that can never be computed
    148: True,  # and: keywords in any case
    149: True,  # true
    151: REFUSED,  # Name: names are case-sensitive, and a near miss is more likely a slip
    161: False,  # double quotes make a name, and the record has no such attribute
    171: False,  # a text is no number
    172: False,  # a number does not equal a text
    197: REFUSED,  # an empty condition: leave WHERE out
    198: REFUSED,
    206: True,  # select: keywords in any case
}

# The original looked the name up by the Datastream's id; the key of a record says it here.
NAMES = dict.fromkeys((58, 59), "cz.icecars.iot4cps-wp5-CarFleet.Car1")


def expected_of(case: dict[str, Any]) -> object:
    if case["id"] in SUPERSEDED:
        return SUPERSEDED[case["id"]][1]
    return CHOSEN[case["id"]] if case["expected"] == "choice" else case["expected"]


def key_of(case: dict[str, Any]) -> str:
    return NAMES[case["id"]] if case["id"] in NAMES else case["record"]["name"]


def statement_of(case: dict[str, Any]) -> str:
    if case["kind"] == "query":
        return str(case["expression"])
    if case["kind"] == "condition":
        return "".join(("SELECT * FROM * WHERE ", case["expression"], ";"))
    return "".join(("SELECT ", case["expression"], " AS computed FROM *;"))


def verdict(case: dict[str, Any]) -> object:
    compiled = compile_filter(statement_of(case))
    if case["kind"] == "arith":
        return json.loads(compiled.project(b"a.bb.cc.dd.Thing.Datastream", b"{}"))["computed"]
    value = json.dumps(case["record"]).encode()
    decision = compiled.filter_batch([key_of(case).encode()], [value])
    assert decision.rejected == []
    matched = decision.accepted == [0]
    assert compiled.matches(key_of(case), case["record"]) is matched
    return matched


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_case_has_the_verdict_of_the_table(case: dict[str, Any]) -> None:
    expected = expected_of(case)
    if expected == REFUSED:
        with pytest.raises(QueryError) as refusal:
            compile_filter(statement_of(case))
        assert refusal.value.line >= 1
        assert refusal.value.column >= 1
    elif case["kind"] == "arith":
        assert verdict(case) == pytest.approx(expected, abs=1e-6)
    else:
        assert verdict(case) is expected


def test_only_operators_that_the_language_gained_are_superseded() -> None:
    superseded = {case["id"]: case for case in CASES if case["id"] in SUPERSEDED}
    assert set(superseded) == {185, 186, 187, 189}
    assert all(case["expected"] == REFUSED for case in superseded.values())


def test_every_open_case_is_decided_and_no_other() -> None:
    assert set(CHOSEN) == {case["id"] for case in CASES if case["expected"] == "choice"}


def test_the_table_is_whole() -> None:
    assert len(CASES) == len({case["id"] for case in CASES})
    assert {case["kind"] for case in CASES} == {"condition", "query", "arith"}
