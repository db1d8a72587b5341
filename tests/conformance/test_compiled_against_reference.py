"""The compiled evaluator against the obvious one, on random statements and random records."""

from typing import Any

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from streamhub.query import QueryError, QueryTypeError, compile_filter, compile_statement, nodes
from streamhub.query.parser import parse_statement
from streamhub.query.rendering import render_statement
from tests.conformance.random_statements import as_bytes, conditions, keys, records, statements
from tests.conformance.reference_evaluator import judged

# The same examples on every machine, however loaded; raise max_examples and drop derandomize to explore.
STEADY = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

arrivals = st.lists(st.tuples(keys, records), min_size=1, max_size=6)


@given(condition=conditions, arrivals=arrivals)
@settings(STEADY, max_examples=400)
def test_compiled_statement_judges_as_the_reference_does(
    condition: nodes.Expression, arrivals: list[tuple[str | None, dict[str, Any]]]
) -> None:
    text = render_statement(nodes.Statement(None, (nodes.Source("*"),), (), condition))
    try:
        compiled = compile_filter(text)
    except QueryTypeError as refusal:
        # The only refusal that the generator cannot avoid: a constant such as 1 / 0.
        assert refusal.reason == "this can never be computed"  # noqa: PT017
        assume(False)
    encoded_keys = [None if key is None else key.encode() for key, _ in arrivals]
    decision = compiled.filter_batch(encoded_keys, [as_bytes(record) for _, record in arrivals])

    expected = [judged(condition, key, record) for key, record in arrivals]
    assert decision.rejected == []
    assert decision.accepted == [index for index, (verdict, _) in enumerate(expected) if verdict]
    assert decision.missing == sum(judge.missing for _, judge in expected)
    assert decision.mismatches == sum(judge.mismatches for _, judge in expected)
    for (key, record), (verdict, _) in zip(arrivals, expected, strict=True):
        if key is not None:
            assert compiled.matches(key, record) is verdict


@given(statement=statements)
@settings(STEADY, max_examples=300)
def test_rendered_statement_reads_back_as_the_same_tree(statement: nodes.Statement) -> None:
    assert parse_statement(render_statement(statement)) == statement


PIECES = (
    *("SELECT", "FROM", "WHERE", "AND", "OR", "XOR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "AS"),
    *("UNIT", "JOIN", "WITHIN", "1 s", "ON", "TIME", "MEAN", "MAX", "LATENCY", "LATENESS", "EXPLAIN"),
    *(
        "a.bb.cc.dd AS l",
        "JOIN a.bb.cc.ee AS r",
        "l.result",
        "r.thing",
        "convert",
        "'Cel'",
        "TRUE",
        "*",
        ",",
        ";",
        "(",
        ")",
        "=",
        "<>",
        "<",
        "+",
        "-",
        "/",
        "%",
    ),
    *("^", "3", "1e999", "0", "result", "name", "a.b", "abs", "coalesce", "at.srfg.Mill.M1"),
    *("'text'", "'", '"', '"odd name"', "é", "\n", "\x00"),
)


@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=12),
    beginning=st.sampled_from(
        ("", "SELECT * FROM * WHERE", "SELECT * FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r")
    ),
)
@example(pieces=["'"], beginning="")
@settings(STEADY, max_examples=500)
def test_any_text_either_compiles_or_is_refused_with_a_place(pieces: list[str], beginning: str) -> None:
    text = " ".join([beginning, *pieces])
    try:
        compile_statement(text)
    except QueryError as refusal:
        found = refusal
    else:
        return
    lines = text.split("\n")
    assert 1 <= found.line <= len(lines)
    assert 1 <= found.column <= len(lines[found.line - 1]) + 1
    assert found.render().endswith("^")


@given(text=st.text(max_size=40), value=st.binary(max_size=40))
@settings(STEADY, max_examples=300)
def test_any_bytes_are_judged_or_rejected_with_a_code(text: str, value: bytes) -> None:
    compiled = compile_filter("SELECT * FROM * WHERE result > 3 OR odd LIKE '%x';")
    decision = compiled.filter_batch([text.encode("utf-8", "surrogatepass"), None], [value, value])
    assert all(code.startswith("record.") for _, code, _ in decision.rejected)
    assert not set(decision.accepted) & {index for index, _, _ in decision.rejected}


def test_the_generator_reaches_both_verdicts_and_both_counters() -> None:
    seen: set[str] = set()

    @given(condition=conditions, key=keys, record=records)
    @settings(STEADY, max_examples=300, database=None)
    def collect(condition: nodes.Expression, key: str | None, record: dict[str, Any]) -> None:
        verdict, judge = judged(condition, key, record)
        seen.add(str(verdict))
        seen.update(name for name in ("missing", "mismatches") if getattr(judge, name))

    collect()
    assert seen == {"True", "False", "missing", "mismatches"}
