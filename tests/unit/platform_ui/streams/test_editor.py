"""The editor's pure parts: places of faults, plans, what a request asks for, trials, examples, names."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from platform_ui.streams.editor.checking import Diagnostic
from platform_ui.streams.editor.examples import examples_for, suggest_name
from platform_ui.streams.editor.plan import plan_of
from platform_ui.streams.editor.reading import Sight, visible
from platform_ui.streams.editor.rights import request_of, wish_of
from platform_ui.streams.editor.trial import SHOWN, SourceRecords, try_statement
from platform_ui.streams.editor.words import KnownDatastream, signature
from streamhub.contracts import ContractTerms
from streamhub.preview import LastRecords
from streamhub.query import QueryError, compile_statement
from streamhub.query.functions import FUNCTIONS

HOME, OTHER, TARGET = "at.srfg.Mill.M1", "at.srfg.Mill.M2", "cz.icecars.Fleet.Car1"
SPEED, TORQUE = f"{HOME}.Spindle.Speed", f"{HOME}.Spindle.Torque"
JOIN = (
    f"SELECT l.result * r.result AS power UNIT 'W' FROM {HOME} AS l JOIN {HOME} AS r WITHIN 1 s "
    f"WHERE l.name = '{SPEED}' AND r.name = '{TORQUE}' AND l.result > 3;"
)
_CASES = Path(__file__).parents[3] / "conformance" / "filter_cases.json"
REFUSED = [
    f"SELECT * FROM * WHERE {case['expression']};"
    for case in json.loads(_CASES.read_text(encoding="utf-8"))["cases"]
    if case["kind"] == "condition" and case["expected"] == "error"
]


def refusal(statement: str) -> Diagnostic:
    with pytest.raises(QueryError) as caught:
        compile_statement(statement)
    return Diagnostic.of(caught.value)


def line(system: str, name: str, **value: object) -> str:
    return json.dumps({"topic": f"{system}.int", "key": f"{system}.{name}", "value": json.dumps(value)})


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}Z"


def records(*lines: str, timestamps_ms: Sequence[int] = ()) -> SourceRecords:
    return SourceRecords(HOME, list(lines), list(timestamps_ms), read=len(lines))


def test_every_refused_case_of_the_table_has_a_place_inside_its_text() -> None:
    refused = 0
    for statement in REFUSED:
        try:
            compile_statement(statement)
        except QueryError as error:
            refused += 1
            fault = Diagnostic.of(error)
            text = statement.split("\n")[fault.line - 1]
            assert 1 <= fault.column <= fault.end_column <= len(text) + 1, statement
            assert fault.message
    assert refused > len(REFUSED) / 2, "the others are part of the language by now"


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("SELECT * FROM * WHERE result << 4;", "<"),
        ("SELECT * FROM * WHERE Result < 4;", "Result"),
        ("SELECT * FROM * WHERE result < sqroot(2);", "sqroot"),
        ("SELECT * FROM *\nWHERE result < 'abc' + 1;", "'abc'"),
        ("SELECT * FROM *\n  WHERE thing = 'Main", "'Main"),
    ],
)
def test_a_fault_is_drawn_under_the_word_that_is_meant(statement: str, meant: str) -> None:
    fault = refusal(statement)
    text = statement.split("\n")[fault.line - 1]
    assert text[fault.column - 1 : fault.end_column - 1] == meant


def test_a_fault_at_the_end_has_no_width_and_says_what_was_expected() -> None:
    fault = refusal("SELECT * FROM * WHERE result <")
    assert (fault.line, fault.column, fault.end_column) == (1, 31, 31)
    assert any("a number" in one for one in fault.expected)


def test_a_plan_says_in_order_what_is_read_joined_kept_and_written() -> None:
    plan = plan_of(compile_statement(JOIN), HOME, TARGET)
    assert [one.alias for one in plan.sources] == ["l", "r"]
    assert plan.sources[0].clauses == (f"l.name = '{SPEED}'",)
    assert [(step.kind, step.text) for step in plan.steps] == [
        ("join", "JOIN r WITHIN 1 s"),
        ("filter", "l.result > 3"),
    ]
    assert [(one.name, one.unit) for one in plan.outputs] == [(f"{TARGET}.<app>.power", "W")]
    assert plan.words[0] == f"Reads the records of {HOME} (as l) and {HOME} (as r)."
    assert (
        plan.words[1] == "Pairs each record of r with its nearest neighbour in time of l, at most 1 s apart."
    )
    assert not plan.is_fast


def test_a_plan_tells_what_the_key_alone_decides() -> None:
    fast = plan_of(compile_statement("SELECT * FROM * WHERE thing = 'Main'"), HOME)
    assert fast.is_fast
    assert fast.sources[0].system == HOME, "the star is the app's own system"
    assert "no value is even read" in fast.words[-1]
    mixed = plan_of(compile_statement("SELECT * FROM * WHERE thing = 'Main' AND result < 4"), HOME)
    assert (mixed.by_key, mixed.by_value, mixed.is_fast) == (("thing = 'Main'",), ("result < 4",), False)


def test_a_request_for_a_contract_asks_for_what_the_statement_takes_of_that_source_alone() -> None:
    statement = (
        f"SELECT l.result - r.result AS gap UNIT 'K' FROM {HOME} AS l JOIN {OTHER} AS r WITHIN 1 s "
        f"WHERE l.name = '{SPEED}' AND r.name IN ('{OTHER}.A.T', '{OTHER}.B.T') "
        "AND (r.result < 4 OR r.result > 9) AND l.result > 3"
    )
    compiled = compile_statement(statement)
    assert wish_of(compiled, OTHER) == ((f"{OTHER}.A.T", f"{OTHER}.B.T"), "(result < 4 OR result > 9)")
    assert wish_of(compiled, HOME) == ((SPEED,), "result > 3")
    address = request_of(OTHER, TARGET, compiled)
    assert address.startswith(f"/contracts/new?provider={OTHER}&consumer={TARGET}&datastreams=")
    assert wish_of(compile_statement(JOIN), HOME) == ((), ""), "read twice: no single predicate says it"


def test_a_trial_counts_what_matches_what_not_and_what_cannot_be_used() -> None:
    lines = [line(HOME, "Spindle.Speed", phenomenonTime=at(n), result=n, road="A1") for n in range(10)]
    lines.append(f'{{"topic": "{HOME}.int", "key": "{SPEED}", "value": "no JSON"}}')
    compiled = compile_statement("SELECT * FROM * WHERE result < 4 AND gone = 1 AND thing = 'Spindle'")
    trial = try_statement(compiled, HOME, [records(*lines)])
    assert (trial.read, trial.matched, trial.dropped, trial.failed) == (11, 0, 10, 1)
    assert [(one.text, one.judged, one.refused, one.missing) for one in trial.clauses] == [
        ("result < 4", 10, 6, 0),
        ("gone = 1", 10, 10, 10),
        ("thing = 'Spindle'", 11, 0, 0),
    ]
    assert [(code, count) for code, count, _ in trial.reasons] == [("record.not_json", 1)]
    assert trial.attributes == ("road",)


def test_a_trial_shows_the_newest_outputs_with_what_else_they_hold() -> None:
    lines = [line(HOME, "Spindle.Speed", phenomenonTime=at(n), result=n, road="A1") for n in range(50)]
    trial = try_statement(compile_statement("SELECT * FROM *"), HOME, [records(*lines)])
    assert len(trial.outputs) == SHOWN
    first = trial.outputs[0]
    assert (first.time, first.datastream, first.cells, first.more) == (
        at(49),
        SPEED,
        ("49",),
        (("road", "A1"),),
    )
    assert trial.datastreams == (SPEED,)


def test_a_trial_of_a_join_counts_pairs_and_shows_columns_with_their_units() -> None:
    lines = [
        line(HOME, f"Spindle.{name}", phenomenonTime=at(n), result=n)
        for n in range(10)
        for name in ("Speed", "Torque")
    ]
    trial = try_statement(compile_statement(JOIN), HOME, [records(*lines)])
    assert (trial.pairs, trial.matched, trial.dropped) == (10, 6, 4)
    assert [(one.name, one.unit) for one in trial.columns] == [("power", "W")]
    assert trial.outputs[0].cells == ("81",)


def test_a_trial_of_a_computed_column_counts_records_not_pairs() -> None:
    lines = [line(HOME, "Spindle.Speed", phenomenonTime=at(n), result=n) for n in range(10)]
    statement = "SELECT result / 3 AS third UNIT 'm' FROM * WHERE result < 4"
    trial = try_statement(compile_statement(statement), HOME, [records(*lines)])
    assert (trial.pairs, trial.matched, trial.dropped) == (None, 4, 6)
    assert trial.outputs[0].cells == ("1",)
    assert trial.outputs[1].cells == ("0.666666666667",)


def test_sources_are_put_into_the_order_of_arrival() -> None:
    one = records(line(HOME, "A.T", phenomenonTime=at(1), result=1), timestamps_ms=[20])
    other = SourceRecords(OTHER, [line(OTHER, "A.T", phenomenonTime=at(1), result=2)], [10], read=1)
    statement = f"SELECT l.result - r.result AS gap UNIT 'm' FROM {HOME} AS l JOIN {OTHER} AS r WITHIN 1 s"
    trial = try_statement(compile_statement(statement), HOME, [one, other])
    assert [output.cells for output in trial.outputs] == [("-1",)]


TERMS = ContractTerms(
    id="c-1",
    provider=HOME,
    datastreams=(SPEED,),
    predicate="result < 4",
    fields=("road",),
    starts_at="2026-01-01T00:00:00Z",
)


def found() -> LastRecords:
    start_ms = 1_767_225_600_000
    lines = [
        line(HOME, "Spindle.Speed", result=1, road="A1", driver="Nia"),
        line(HOME, "Spindle.Speed", result=9, road="A1"),
        line(HOME, "Spindle.Torque", result=1),
        line(HOME, "Spindle.Speed", result=2),
    ]
    return LastRecords(lines, timestamps_ms=[start_ms, start_ms, start_ms, start_ms - 1])


def test_who_sees_the_source_learns_how_much_a_contract_keeps_back() -> None:
    seen = visible(Sight(HOME, TERMS, is_own=True), found())
    assert (seen.read, seen.held_back, len(seen.lines)) == (4, 3, 1)


def test_who_has_records_by_contract_sees_those_alone_and_no_hidden_attribute() -> None:
    seen = visible(Sight(HOME, TERMS, is_own=False), found())
    assert (seen.read, seen.held_back, len(seen.lines)) == (1, 0, 1)
    assert "driver" not in seen.lines[0]
    assert "A1" in seen.lines[0]


def test_without_a_contract_all_records_are_taken() -> None:
    assert visible(Sight(HOME, None, is_own=True), found()).lines == found().lines


@pytest.mark.parametrize("names", [(), ("Speed",), ("Speed", "Torque")])
def test_every_example_is_a_statement_that_compiles(names: tuple[str, ...]) -> None:
    known = [KnownDatastream(f"{HOME}.Spindle.{name}", HOME, "Spindle", "Cel") for name in names]
    titles = []
    for example in examples_for(HOME, known):
        compile_statement(example.statement)
        titles.append(example.title)
    third = "Outside of a range" if len(names) == 1 else "Join two sensors"
    assert titles == ["All records", "Threshold", third, "Compute with unit"]


def test_a_datastream_alone_is_not_joined_with_itself() -> None:
    known = [KnownDatastream(f"{HOME}.Spindle.Speed", HOME, "Spindle", "Cel")]
    assert not any("JOIN" in example.statement for example in examples_for(HOME, known))


def test_a_suggested_name_says_what_the_app_does_and_is_free() -> None:
    assert suggest_name("SELECT * FROM *;", ()) == "all-records"
    assert suggest_name("SELECT * FROM * WHERE result < 4;", ("selected", "selected-2")) == "selected-3"
    assert suggest_name(JOIN, ()) == "power"
    long = f"SELECT result AS {'x' * 40} UNIT 'm' FROM *"
    assert suggest_name(long, ()) == "x" * 20
    assert suggest_name(long, ("x" * 20,)) == f"{'x' * 18}-2"


def test_a_signature_says_what_may_be_left_out() -> None:
    assert signature("round", FUNCTIONS["round"]) == "round(number, [number])"
    assert signature("max", FUNCTIONS["max"]) == "max(number, …)"
    assert signature("pi", FUNCTIONS["pi"]) == "pi()"
