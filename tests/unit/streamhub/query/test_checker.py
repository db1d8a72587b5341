import pytest

from streamhub.query import QueryError, QuerySyntaxError, QueryTypeError, compile_statement

BEGINNING = "SELECT * FROM * WHERE "


@pytest.mark.parametrize(
    ("condition", "column", "said"),
    [
        ("result", 1, "result is a value, not a condition"),
        ("result > 1 AND 5 > 3", 16, "a comparison needs an attribute"),
        ("name > 5", 8, "cannot be compared"),
        ("name = TRUE", 8, "cannot be compared"),
        ("result IN (1, 'a')", 15, "cannot be compared"),
        ("result + 'a' > 1", 10, "'+' needs a number"),
        ("-name = 1", 2, "'-' needs a number"),
        ("flag > TRUE", 1, "have no order"),
        ("flag BETWEEN FALSE AND TRUE", 1, "have no order"),
        ("phenomenonTime > 'yesterday'", 18, "'yesterday' is not a time; expected ISO 8601"),
        ("year('soon') = result", 6, "is not a time"),
        ('"a\\b" = 1', 1, "empty or contain"),
        ('"" = 1', 1, "cannot be empty"),
        ("Name = 'x'", 1, "case-sensitive: 'Name' is not 'name'; expected name"),
        ("result LIKE name", 13, "the pattern of LIKE is a text in single quotes"),
        ("result * 2 LIKE 'x'", 1, "LIKE needs a text"),
        ("sqr(result) = 1", 1, "unknown function 'sqr'; expected sqrt()"),
        ("zzzzzz(result) = 1", 1, "one of abs, "),
        ("sqrt() = result", 1, "sqrt() takes 1 argument(s), not 0"),
        ("round(result, 1, 2) = 1", 1, "takes 1 to 2 argument(s), not 3"),
        ("max() = result", 1, "at least 1"),
        ("lower(result * 2) = 'x'", 7, "lower() needs a text"),
        ("coalesce(result, 1, 'a') = 1", 21, "cannot be compared"),
        ("abs(result > 3) = 1", 5, "a condition cannot be used as a value"),
        ("(result > 3) = TRUE", 2, "a condition cannot be used as a value"),
        ("l.result > 3", 1, "no source is called 'l'"),
        ("result > 1 / 0", 10, "can never be computed"),
        ("result > 3 + sqrt(0 - 1)", 14, "can never be computed"),
        ("result > 1e300 * 1e300", 10, "can never be computed"),
    ],
)
def test_a_statement_without_meaning_is_refused_at_its_place(condition: str, column: int, said: str) -> None:
    with pytest.raises(QueryTypeError) as refusal:
        compile_statement(BEGINNING + condition)
    assert said in str(refusal.value)
    assert refusal.value.column == len(BEGINNING) + column


@pytest.mark.parametrize(
    ("statement", "column"),
    [
        ("SELECT * FROM at.srfg.Mill.M1 AS l JOIN at.srfg.Mill.M2 AS r WITHIN 1 s", 36),
        ("SELECT * FROM at.srfg.Mill.M1, at.srfg.Mill.M2", 32),
    ],
)
def test_several_sources_are_refused_for_now(statement: str, column: int) -> None:
    with pytest.raises(QueryTypeError, match="multi-source statements are not supported") as refusal:
        compile_statement(statement)
    assert refusal.value.column == column


@pytest.mark.parametrize("system", ["Mill", "a.b.c", "at.srfg.Mill.M1.Thing", "at.srfg.Mi_ll.M1", "WHERE"])
def test_a_source_that_is_no_system_name_is_refused(system: str) -> None:
    with pytest.raises(QuerySyntaxError, match="is not a system name") as refusal:
        compile_statement(f"SELECT * FROM {system}")
    assert (refusal.value.line, refusal.value.column) == (1, 15)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT result, result * 2 AS result FROM *", "two columns are named 'result'"),
        ("SELECT result AS Datastream FROM *", "cannot name another column"),
        ("SELECT result > 3 AS high FROM *", "a condition cannot be used as a value"),
        ("SELECT 1 / 0 AS nothing FROM *", "can never be computed"),
    ],
)
def test_columns_without_meaning_are_refused(statement: str, said: str) -> None:
    with pytest.raises(QueryError, match=said.replace("(", r"\(")):
        compile_statement(statement)


def test_a_quoted_name_may_look_like_a_well_known_one() -> None:
    compiled = compile_statement(BEGINNING + "\"Name\" = 'x'")
    assert compiled.matches("a.bb.cc.dd.T.D", {"Name": "x"})


def test_an_alias_of_the_only_source_may_be_used() -> None:
    compiled = compile_statement("SELECT * FROM at.srfg.Mill.M1 AS mill WHERE mill.result > 3;")
    assert compiled.sources == ("at.srfg.Mill.M1",)
    assert compiled.matches("at.srfg.Mill.M1.T.D", {"result": 4})
