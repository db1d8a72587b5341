"""A join against the filter of one source: the same conditions and columns give the same."""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from streamhub.query import CompiledStatement, Derivation, QueryTypeError, compile_filter, nodes
from streamhub.query.checker import is_output
from streamhub.query.rendering import render_statement
from tests.conformance.random_statements import (
    as_bytes,
    conditions,
    number_value,
    records,
    text_value,
)

STEADY = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SYSTEM = "at.srfg.Mill.M1"
KEYS = (f"{SYSTEM}.Spindle.Speed", f"{SYSTEM}.Spindle.Air Temperature")
TIME = "2026-01-02T03:04:05.000006Z"
BEYOND_DOUBLES = 10**400
STAMP = "2026-01-02T03:04:06.000006Z"

columns = st.lists(number_value | text_value, min_size=1, max_size=3).map(
    lambda values: tuple(nodes.Column(value, f"c{index}") for index, value in enumerate(values))
)


@dataclass(frozen=True)
class End:
    """Where results of a column go."""

    column: int
    tail: str = "}"


def qualified(expression: Any, alias: str) -> Any:  # noqa: ANN401 - any part of a tree
    """The same expression with an alias in front of every attribute."""
    match expression:
        case nodes.Attribute(name=name):
            return nodes.Attribute(name, alias)
        case tuple():
            return tuple(qualified(part, alias) for part in expression)
        case nodes.Node():
            names: tuple[str, ...] = expression.__match_args__
            return type(expression)(**{one: qualified(getattr(expression, one), alias) for one in names})
        case _:
            return expression


def compiled(tree: nodes.Statement) -> tuple[CompiledStatement, Derivation]:
    """The statement as a filter, and as the second source of a join whose first one is chosen by name."""
    try:
        filtering = compile_filter(render_statement(tree))
    except QueryTypeError:
        assume(False)
        raise
    conditions = (
        nodes.Comparison("=", nodes.Attribute("name", "l"), nodes.Text("left")),
        qualified(tree.where, "r"),
    )
    joined = nodes.Statement(
        tuple(nodes.Column(qualified(column.expression, "r"), column.name) for column in tree.columns or ()),
        (nodes.Source(SYSTEM, "l"),),
        (nodes.Join(nodes.Source(SYSTEM, "r")),),
        nodes.And(conditions),
        "RIGHT",
    )
    return filtering, Derivation(render_statement(joined), joined)


@given(condition=conditions, columns=columns, key=st.sampled_from(KEYS), record=records)
@settings(STEADY, max_examples=300)
def test_a_join_judges_and_computes_as_the_filter_of_one_source_does(
    condition: nodes.Expression, columns: tuple[nodes.Column, ...], key: str, record: dict[str, Any]
) -> None:
    assume(BEYOND_DOUBLES not in record.values())  # such a record is refused
    filtering, joining = compiled(nodes.Statement(columns, (nodes.Source("*"),), (), condition))
    value = as_bytes(record | {"phenomenonTime": TIME})
    (left,) = [route for route in joining.routes(SYSTEM, b"left") if route.source == 0]
    rights = [route for route in joining.routes(SYSTEM, key.encode()) if route.source == 1]
    accepted = filtering.filter_batch([key.encode()], [value]).accepted == [0]
    if not rights:
        assert not accepted
        return
    pair = (left.read(as_bytes({"phenomenonTime": TIME})), rights[0].read(value))

    shown = joining.describe(pair)
    assert (shown is not None) == accepted
    joining.take_counts()
    outputs: dict[tuple[int, str | None], End] = {
        (index, None): End(index) for index in range(len(joining.columns))
    }
    results: list[tuple[Any, str]] = []
    joining.derive([pair], STAMP, outputs, results)
    if shown is None:
        assert results == []
        return

    projected = json.loads(filtering.project(key.encode(), value))
    assert json.loads(json.dumps(shown))["phenomenonTime"] == TIME
    assert {name: shown[name] for name in joining.column_names} == {
        name: projected[name] for name in joining.column_names
    }
    computed = [column.name for column in columns if is_output(column)]
    made = {computed[output.column]: json.loads(text) for output, text in results}
    assert {name: value["result"] for name, value in made.items()} == {
        name: projected[name] for name in computed if projected[name] is not None
    }
    missing, mismatches = joining.take_counts()
    assert missing + mismatches >= len(computed) - len(made)
    added = {column.name: projected[str(column.name)] for column in columns if not is_output(column)}
    for value in made.values():
        assert (value["phenomenonTime"], value["resultTime"]) == (TIME, STAMP)
        assert {name: value.get(name) for name in added} == added
