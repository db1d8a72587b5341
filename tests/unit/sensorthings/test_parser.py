"""The parser of query options: trees, precedence, limits, mistakes with their column."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings.errors import QuerySyntaxError
from sensorthings.odata.nodes import (
    Call,
    Junction,
    Literal,
    Membership,
    Negation,
    Node,
    Operation,
    Options,
    OrderKey,
    Path,
    PeriodLiteral,
)
from sensorthings.odata.options import parse_options
from sensorthings.odata.parser import parse_expand, parse_filter, parse_orderby, parse_select
from sensorthings.odata.writer import write_node, write_query

A, B, C = (Path((name,)) for name in "abc")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("true", True),
        ("-5", -5),
        ("2.50", Decimal("2.50")),
        ("1e3", Decimal(1000)),
        ("'it''s; (a)'", "it's; (a)"),
        ("''", ""),
        ("2015-03-01T01:00:00+01:00", datetime(2015, 3, 1, tzinfo=UTC)),
        ("2015-03-01T01:00:00 01:00", datetime(2015, 3, 1, tzinfo=UTC)),
        ("2015-03-01T00:00:00", datetime(2015, 3, 1, tzinfo=UTC)),
        ("2015-03-01", date(2015, 3, 1)),
        ("12:30:00", time(12, 30)),
        ("duration'P1DT2H'", timedelta(days=1, hours=2)),
    ],
)
def test_constants_are_read_as_their_kind(text: str, value: object) -> None:
    assert parse_filter(text) == Literal(value)  # type: ignore[arg-type]


def test_interval_is_one_constant() -> None:
    found = parse_filter("2015-01-01T00:00:00Z/PT1H")

    assert found == PeriodLiteral(datetime(2015, 1, 1, tzinfo=UTC), datetime(2015, 1, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "spelt_out"),
    [
        ("a or b and c", "a or (b and c)"),
        ("not a and b", "(not a) and b"),
        ("not a eq b", "not (a eq b)"),
        ("a add b mul c eq 1", "(a add (b mul c)) eq 1"),
        ("a sub b sub c eq 1", "((a sub b) sub c) eq 1"),
        ("a gt b eq true", "(a gt b) eq true"),
    ],
)
def test_operators_bind_by_precedence(text: str, spelt_out: str) -> None:
    assert parse_filter(text) == parse_filter(spelt_out)


def test_words_of_the_language_inside_names_stay_names() -> None:
    found = parse_filter("android eq equipment or properties/mod/not-yet gt order")

    assert isinstance(found, Junction)
    assert found.parts[0] == Operation("eq", Path(("android",)), Path(("equipment",)))
    assert found.parts[1] == Operation("gt", Path(("properties", "mod", "not-yet")), Path(("order",)))


def test_paths_calls_and_membership_are_read() -> None:
    assert parse_filter("result[0]/x") == Path(("result", "0", "x"))
    assert parse_filter("location/coordinates/0") == Path(("location", "coordinates", "0"))
    assert parse_filter("@iot.id") == Path(("@iot.id",))
    assert parse_filter("substring(a,1,2)") == Call("substring", (A, Literal(1), Literal(2)))
    assert parse_filter("now()") == Call("now", ())
    assert parse_filter("a in (1,'x')") == Membership(A, (Literal(1), Literal("x")))
    assert parse_filter("not a") == Negation(A)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("name eq", 8),
        ("name eq 'x", 9),
        ("", 1),
        ("a b", 3),
        ("(a eq 1", 8),
        ("a eq 1)", 7),
        ("a ~ 1", 3),
        ("5x eq 1", 1),
    ],
)
def test_mistake_is_told_with_its_column(text: str, column: int) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_filter(text)

    assert (caught.value.column, caught.value.status) == (column, 400)


@pytest.mark.parametrize(
    "text",
    [
        "a eq 2015-13-01T00:00:00Z",
        "a eq 2015-01-02T00:00:00Z/2015-01-01T00:00:00Z",
        "a eq duration'P1Y'",
        "a eq 1e999",
        "a eq " + "9" * 500,
        "not " * 60 + "a",
        "a" + " add 1" * 60,
        "a eq '" + "x" * 20_000 + "'",
    ],
)
def test_what_is_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        parse_filter(text)


def test_thousands_of_parentheses_do_no_harm() -> None:
    assert parse_filter("(" * 5000 + "a" + ")" * 5000) == A


def test_many_conditions_side_by_side_are_no_depth() -> None:
    found = parse_filter(" or ".join(["a eq 1"] * 300))

    assert isinstance(found, Junction)
    assert len(found.parts) == 300


def test_expand_nests_options_and_merges_paths() -> None:
    found = parse_expand("A($filter=b eq ');';$top=2;$expand=B($count=true)),C/D,C/E($select=x,y)")

    assert found["A"].where == Operation("eq", B, Literal(");"))
    assert (found["A"].top, found["A"].expand["B"].is_counted) == (2, True)
    assert found["C"].expand.keys() == {"D", "E"}
    assert found["C"].expand["E"].select == ("x", "y")


@pytest.mark.parametrize(
    "text",
    [
        "A(",
        "A()",
        "A($top=-1)",
        "A($top=1;$top=2)",
        "A($foo=1)",
        "A($top=1),A($top=2)",
        ",",
        "/".join("A" * 30),
    ],
)
def test_wrong_expands_are_refused(text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        parse_expand(text)


def test_order_keys_have_directions() -> None:
    assert parse_orderby("a desc,b asc,c/d") == (
        OrderKey(A, is_descending=True),
        OrderKey(B),
        OrderKey(Path(("c", "d"))),
    )


def test_select_names_whole_properties() -> None:
    assert parse_select("a, b,a") == ("a", "b")
    with pytest.raises(QuerySyntaxError):
        parse_select("a/b")


def test_plus_is_a_space_and_names_without_dollar_are_left_alone() -> None:
    found = parse_options("$filter=a+eq+%27x%26y%27&$top=5&token=1&$count=true")

    assert found == Options(
        where=Operation("eq", A, Literal("x&y")),
        top=5,
        is_counted=True,
        given=frozenset({"$filter", "$top", "$count"}),
    )


_names = st.sampled_from([A, B, Path(("Datastream", "name")), Path(("result", "0", "x")), Path(("@iot.id",))])
_constants = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.timedeltas(timedelta(days=-999), timedelta(days=999)),
).map(Literal)


def _composites(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pair = st.tuples(nodes, nodes)
    words = ("eq", "ne", "gt", "le", "add", "sub", "mul", "div", "mod")
    operations = st.sampled_from(words).flatmap(lambda word: pair.map(lambda two: Operation(word, *two)))
    return st.one_of(
        operations,
        pair.map(lambda two: Junction("and", two)),
        pair.map(lambda two: Junction("or", two)),
        nodes.map(Negation),
        pair.map(lambda two: Membership(two[0], (two[1],))),
        pair.map(lambda two: Call("concat", two)),
    )


@given(st.recursive(st.one_of(_names, _constants), _composites, max_leaves=8))
def test_what_is_written_reads_back_the_same(node: Node) -> None:
    assert write_node(parse_filter(write_node(node))) == write_node(node)


def test_written_query_reads_back_the_same() -> None:
    text = (
        "$filter=a eq 'é&%+;'&$orderby=b desc,c&$select=a&$expand=A($top=2;$skip=4;$expand=B)"
        "&$top=3&$skip=6&$count=false"
    )
    options = parse_options(text.replace("%", "%25").replace("é&", "é%26").replace("+", "%2B"))

    assert parse_options(write_query(options)) == options
