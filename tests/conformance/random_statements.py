"""Random conditions, statements and records for the property tests of the language."""

import json
from typing import Any

from hypothesis import strategies as st

from streamhub.query import nodes
from tests.conformance.reference_evaluator import INSTANTS

NAMES = (
    "at.srfg.Mill.M1.Spindle.Speed",
    "at.srfg.Mill.M1.Spindle.Air Temperature",
    "at.srfg.Mill.M2.Spindle.Speed",
    "at.srfg.Mill.M1",
    "it's",
    "",
)
TEXTS = (*NAMES, "Spindle", "at.srfg.Mill.M1", "x%_\\y", "ä", "", "12.5", *INSTANTS)
MEMBERS = ("result", "phenomenonTime", "resultTime", "unit", "quality", "max", "odd name", "flag")

numbers = st.sampled_from((0, 1, 2, 3, 5, 12.3, 0.5, 1e-8, 2e-7, 1e9, 1e300, 2**53, 2**53 + 1, 12.30000005))
texts = st.sampled_from(TEXTS)
any_attribute = st.sampled_from(("result", "quality", "max", "odd name", "flag")).map(nodes.Attribute)
text_attribute = st.sampled_from(("name", "thing", "system", "unit")).map(nodes.Attribute)
time_attribute = st.sampled_from(("phenomenonTime", "resultTime")).map(nodes.Attribute)
number_literal = numbers.map(nodes.Number)


def calls(function: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[nodes.Call]:
    return st.tuples(*arguments).map(lambda given: nodes.Call(function, given))


def larger_numbers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(nodes.Signed, st.sampled_from("+-"), inner),
        st.builds(nodes.Arithmetic, st.sampled_from("+-*/%^"), inner, inner),
        st.sampled_from(("abs", "floor", "neg", "pos", "sqrt")).flatmap(lambda name: calls(name, inner)),
        st.sampled_from(("max", "min", "coalesce")).flatmap(lambda name: calls(name, inner, inner)),
    )


number_value = st.recursive(
    st.one_of(
        number_literal,
        any_attribute,
        any_attribute,
        calls("length", text_attribute),
        calls("hour", time_attribute),
    ),
    larger_numbers,
    max_leaves=5,
)
text_value = st.one_of(
    texts.map(nodes.Text),
    text_attribute,
    any_attribute,
    calls("upper", text_attribute),
    calls("coalesce", any_attribute, text_attribute),
)
time_value = st.one_of(
    st.sampled_from(tuple(INSTANTS)).map(nodes.Text),
    time_attribute,
    any_attribute,
    calls("coalesce", time_attribute, time_attribute),
)
truth_value = st.one_of(st.booleans().map(nodes.Boolean), any_attribute)

ORDER = ("=", "<>", "<", "<=", ">", ">=")


def comparisons(
    value: st.SearchStrategy[Any], operators: tuple[str, ...] = ORDER
) -> st.SearchStrategy[nodes.Comparison]:
    return st.builds(nodes.Comparison, st.sampled_from(operators), value, value)


def ranges(value: st.SearchStrategy[Any]) -> st.SearchStrategy[nodes.Expression]:
    return st.one_of(
        st.builds(nodes.Between, value, value, value, st.booleans()),
        st.builds(nodes.Membership, value, st.lists(value, min_size=1, max_size=3).map(tuple), st.booleans()),
    )


comparison = st.one_of(
    comparisons(number_value),
    comparisons(any_attribute),
    comparisons(text_value),
    comparisons(time_value),
    comparisons(truth_value, ("=", "<>")),
    st.builds(nodes.Comparison, st.sampled_from(("=", "<>")), text_attribute, texts.map(nodes.Text)),
    st.builds(nodes.Comparison, st.sampled_from(ORDER), st.just(nodes.Attribute("result")), number_literal),
    ranges(number_value),
    ranges(text_value),
    ranges(any_attribute),
    st.builds(
        nodes.Like,
        text_value,
        st.sampled_from(("%Speed", "at._rfg%M1%", "%", "", "x\\%\\_%", "%a%a%")).map(nodes.Text),
        st.booleans(),
    ),
    st.builds(nodes.NullTest, st.one_of(number_value, text_value), st.booleans()),
).filter(lambda node: bool(nodes.attributes(node)))


def larger_conditions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(nodes.Not, inner),
        st.builds(nodes.And, several),
        st.builds(nodes.Or, several),
        st.builds(nodes.Xor, several),
    )


conditions = st.recursive(
    st.one_of(comparison, comparison, comparison, st.booleans().map(nodes.Boolean)),
    larger_conditions,
    max_leaves=6,
)

durations = st.builds(
    nodes.Duration, st.sampled_from((1, 2.5, 500)), st.sampled_from(("ms", "s", "min", "h", "d"))
)
sources = st.builds(
    nodes.Source,
    st.sampled_from(("*", "at.srfg.Mill.M1", "cz.icecars.iot4cps-wp5-CarFleet.Car1")),
    st.sampled_from((None, "l", "time")),
)
joins = st.lists(
    st.builds(nodes.Join, sources, st.none() | durations, st.none() | conditions), max_size=3
).map(tuple)
columns = st.lists(
    st.builds(
        nodes.Column,
        number_value | text_value,
        st.sampled_from((None, "power", "two words", 'a "quoted" one', "unit")),
        st.sampled_from((None, "W", "degC", "it's")),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
statements = st.builds(
    nodes.Statement,
    st.none() | columns,
    st.lists(sources, min_size=1, max_size=2).map(tuple),
    joins,
    st.none() | conditions,
    st.sampled_from((None, "LEFT", "RIGHT", "MEAN", "LATER")),
    st.none() | durations,
    st.none() | durations,
    st.booleans(),
)

member_values = st.one_of(
    numbers,
    st.sampled_from((-1, -12.3, 0.0, -0.0, 10**400, 2**64, 12.3 + 2e-7)),
    texts,
    st.none(),
    st.booleans(),
    st.just([1, {"a": None}]),
    st.just({}),
)
records = st.dictionaries(st.sampled_from(MEMBERS), member_values)
keys = st.sampled_from((*NAMES, None))


def as_bytes(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode()
