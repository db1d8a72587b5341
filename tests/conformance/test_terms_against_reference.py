"""Terms of contracts on random conditions, statements and records: both hold, and nothing hidden leaves."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from streamhub.contracts import ContractTerms
from streamhub.query import CompiledStatement, QueryTypeError, compile_statement, nodes
from streamhub.query.derivation.derivation import Derivation
from streamhub.query.rendering import render_expression, render_statement
from tests.conformance.random_statements import MEMBERS, as_bytes, conditions, keys, records
from tests.conformance.reference_evaluator import judged
from tests.conformance.test_compiled_against_reference import STEADY

PROVIDER = "at.srfg.Mill.M1"
OTHER = "at.srfg.Mill.M2"
DATASTREAMS = ("at.srfg.Mill.M1.Spindle.Speed", "at.srfg.Mill.M1.Spindle.Air Temperature")
ALWAYS = {"phenomenonTime", "resultTime", "result", "Datastream"}

arrivals = st.lists(st.tuples(keys, records), min_size=1, max_size=6)
lists = st.sets(st.sampled_from(DATASTREAMS)).map(lambda found: tuple(sorted(found)))
hidden = st.sets(st.sampled_from([name for name in MEMBERS if name not in ALWAYS]), min_size=1)


def terms(
    predicate: nodes.Expression | None, datastreams: tuple[str, ...] = (), fields: tuple[str, ...] = ()
) -> ContractTerms:
    written = "" if predicate is None else render_expression(predicate)
    return ContractTerms(
        id="c-1", provider=PROVIDER, predicate=written, datastreams=datastreams, fields=fields
    )


def compiled(statement: nodes.Statement, by: ContractTerms) -> CompiledStatement | Derivation:
    restrictions = {"*": by.restriction, PROVIDER: by.restriction}
    return compile_statement(render_statement(statement), restrictions)


def lets_pass(
    by: ContractTerms, predicate: nodes.Expression | None, key: str | None, record: Mapping[str, Any]
) -> bool:
    # A key may hold any name: without a list, those of the provider's own Datastreams.
    own = nodes.Membership(nodes.Attribute("system"), (nodes.Text(PROVIDER),), negated=False)
    listed = key in by.datastreams if by.datastreams else judged(own, key, record)[0]
    return listed and (predicate is None or judged(predicate, key, record)[0])


def possible(*parts: nodes.Expression | None) -> None:
    """Leave out examples with a part that can never be computed, such as 1 / 0."""
    for part in parts:
        if part is not None:
            try:
                terms(part)
            except QueryTypeError as refusal:
                assert refusal.reason == "this can never be computed"  # noqa: PT017
                assume(False)


@given(predicate=st.none() | conditions, where=st.none() | conditions, datastreams=lists, arrivals=arrivals)
@example(
    predicate=nodes.Or((nodes.Boolean(False), nodes.NullTest(nodes.Attribute("flag"), negated=False))),
    where=nodes.Or((nodes.Boolean(True), nodes.NullTest(nodes.Attribute("flag"), negated=True))),
    datastreams=(),
    arrivals=[("at.srfg.Mill.M1", {"flag": 1}), ("at.srfg.Mill.M1", {})],
)
@STEADY
def test_a_record_passes_when_terms_and_statement_both_hold(
    predicate: nodes.Expression | None,
    where: nodes.Expression | None,
    datastreams: tuple[str, ...],
    arrivals: list[tuple[str | None, dict[str, Any]]],
) -> None:
    possible(predicate, where)
    by = terms(predicate, datastreams=datastreams)
    statement = compiled(nodes.Statement(None, (nodes.Source("*"),), (), where), by)
    assert isinstance(statement, CompiledStatement)
    encoded = [None if key is None else key.encode() for key, _ in arrivals]
    values = [as_bytes(record) for _, record in arrivals]
    expected = [
        index
        for index, (key, record) in enumerate(arrivals)
        if lets_pass(by, predicate, key, record) and (where is None or judged(where, key, record)[0])
    ]
    assert statement.filter_batch(encoded, values).accepted == expected
    assert not statement.rewrites


@given(predicate=st.none() | conditions, datastreams=lists, arrivals=arrivals)
@STEADY
def test_a_join_takes_in_what_the_terms_let_pass_and_all_of_a_source_without_terms(
    predicate: nodes.Expression | None,
    datastreams: tuple[str, ...],
    arrivals: list[tuple[str | None, dict[str, Any]]],
) -> None:
    possible(predicate)
    by = terms(predicate, datastreams=datastreams)
    text = (
        f"SELECT l.result + r.result + s.result AS total UNIT '1' FROM {PROVIDER} AS l "
        f"JOIN {PROVIDER} AS r WITHIN 1 s JOIN {OTHER} AS s WITHIN 1 s"
    )
    joined = compile_statement(text, {PROVIDER: by.restriction})
    assert isinstance(joined, Derivation)
    for key, record in arrivals:
        encoded = None if key is None else key.encode()
        value = as_bytes(record)
        entered = [
            route.source
            for route in joined.routes(PROVIDER, encoded)
            if route.admits is None or route.admits(value)
        ]
        assert entered == ([0, 1] if lets_pass(by, predicate, key, record) else [])
        assert [route.source for route in joined.routes(OTHER, encoded) if route.admits is None] == [2]


@given(fields=hidden, record=records)
@STEADY
def test_what_leaves_holds_the_allowed_members_only_and_they_are_as_they_were(
    fields: set[str], record: dict[str, Any]
) -> None:
    statement = compiled(
        nodes.Statement(None, (nodes.Source("*"),)), terms(None, fields=tuple(sorted(fields)))
    )
    assert isinstance(statement, CompiledStatement)
    value = as_bytes(record)
    leaving = statement.rewrite(b"at.srfg.Mill.M1", value)
    assert leaving is not None
    allowed = fields | ALWAYS
    if set(record) <= allowed:
        assert leaving == value
    else:
        assert json.loads(leaving) == {name: held for name, held in record.items() if name in allowed}


@given(fields=hidden, where=conditions)
@STEADY
def test_a_statement_that_looks_at_something_hidden_is_refused(
    fields: set[str], where: nodes.Expression
) -> None:
    possible(where)
    looked_at = nodes.attributes(where) - {"name", "thing", "system"}
    tree = nodes.Statement(None, (nodes.Source("*"),), (), where)
    try:
        compiled(tree, terms(None, fields=tuple(sorted(fields))))
    except QueryTypeError as refusal:
        assert "may not leave by contract c-1" in refusal.reason  # noqa: PT017
        assert not looked_at <= fields | ALWAYS
    else:
        assert looked_at <= fields | ALWAYS
