import pytest

from streamhub.query import (
    Derivation,
    QueryError,
    QuerySyntaxError,
    QueryTypeError,
    compile_filter,
    compile_statement,
    units,
)

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


JOINED = "SELECT l.result AS x FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r "
CHAIN = "SELECT * FROM a.bb.cc.dd AS l JOIN a.bb.cc.dd AS r ON l.thing = r.thing JOIN a.bb.cc.dd AS z "


@pytest.mark.parametrize(
    ("statement", "at", "said"),
    [
        ("SELECT * FROM a.bb.cc.dd, a.bb.cc.ee", "a.bb.cc.ee", "write JOIN instead of the comma"),
        ("SELECT * FROM * AS l JOIN a.bb.cc.dd AS r", "* AS l", "'*' cannot be joined; name a system"),
        ("SELECT * FROM a.bb.cc.dd AS l JOIN * AS r", "* AS r", "'*' cannot be joined"),
        ("SELECT * FROM a.bb.cc.dd AS l JOIN a.b AS r", "a.b AS r", "is not a system name"),
        ("SELECT * FROM a.bb.cc.dd JOIN a.bb.cc.ee AS r", "a.bb.cc.dd", "needs a name, such as AS l"),
        ("SELECT * FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee", "a.bb.cc.ee", "needs a name"),
        ("SELECT * FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS l", "a.bb.cc.ee", "two sources are called 'l'"),
        ("SELECT result AS x FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r", "result", "l.result or r.result"),
        (JOINED + "WHERE l.result > 3 AND result < 4", "result < 4", "result of which source?"),
        (JOINED + "WHERE x.result > 3", "x.result", "no source is called 'x' (known: l, r)"),
        (JOINED + "WITHIN 40000 d", "40000", "at most 36525 d"),
        (JOINED + "MAX LATENCY 1e300 s", "1e300", "at most 36525 d"),
        ("SELECT * FROM a.bb.cc.dd LATENESS 1 s", "1 s", "LATENESS says how sources are joined"),
        ("SELECT * FROM a.bb.cc.dd MAX LATENCY 1 s", "1 s", "MAX LATENCY says how"),
        ("SELECT * FROM a.bb.cc.dd TIME MEAN", "SELECT", "TIME says how"),
        ("SELECT l.result, r.result FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r", "r.result", "two columns"),
        ("SELECT l.time FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r", "l.time", "is a member of the result"),
        ("SELECT l.x * 2 UNIT 'W' FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r", "l.x", "name it with AS"),
        (
            "SELECT lower(name) AS x UNIT 'W' FROM *",
            "lower",
            "a unit belongs to a number; lower(name) is a text",
        ),
        (JOINED + "ON l.result > r.result", "l.result > r", "ON joins attributes with = and AND"),
        (JOINED + "ON l.thing = r.thing OR l.a = r.a", "l.thing = r.thing OR", "ON joins attributes"),
        (JOINED + "ON l.thing = 'car'", "l.thing", "ON joins attributes"),
        (
            JOINED + "ON l.thing = l.name",
            "l.thing =",
            "ON compares an attribute of 'r' with one of an earlier",
        ),
        (JOINED + "ON thing = r.thing", "thing = r", "thing of which source?"),
        (JOINED + "ON l.time = r.time", "l.time", "times are joined by WITHIN"),
        (CHAIN, "JOIN a.bb.cc.dd AS z", "have the same ON, or none of them has one"),
        (CHAIN + "ON z.car = l.car", "l.car", "'l.car' is no further part of the key of the JOIN before"),
        (CHAIN + "ON z.thing = l.thing AND z.a = r.thing", "r.thing", "no further part of the key"),
        (CHAIN.replace("r.thing", "r.thing AND l.a = r.a") + "ON z.a = r.a", "z.a", "one is left out"),
        (CHAIN.replace("l.thing", "z.thing"), "z.thing", "'z' is joined later; ON looks back only"),
    ],
)
def test_a_join_without_meaning_is_refused_at_its_place(statement: str, at: str, said: str) -> None:
    with pytest.raises(QueryError) as refusal:
        compile_statement(statement)
    assert said in str(refusal.value)
    found = statement[refusal.value.column - 1 :]
    assert found.startswith(at)


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "ON r.thing = l.thing",
        "ON (l.thing = r.thing AND l.car = r.machine)",
        "WITHIN 0 s ON l.thing = r.name JOIN a.bb.cc.dd AS z ON z.unit = l.thing",
        "ON l.thing = r.name AND l.a = r.a JOIN a.bb.cc.dd AS z ON r.a = z.a AND z.name = r.name",
    ],
)
def test_joins_that_mean_something_compile(ending: str) -> None:
    compiled = compile_statement(JOINED + ending)
    assert isinstance(compiled, Derivation)
    assert compiled.sources == ("a.bb.cc.dd", "a.bb.cc.ee")


@pytest.mark.parametrize(
    ("columns", "at", "said"),
    [
        ("result, result * 2 AS twice", "result,", "'result' is the result of the Datastreams; name"),
        ('result * 2 AS ""', "result", "cannot become a Datastream"),
        (f"result * 2 AS {'x' * 256}", "result", "cannot become a Datastream"),
    ],
)
def test_columns_that_cannot_become_datastreams_are_refused(columns: str, at: str, said: str) -> None:
    statement = f"SELECT {columns} FROM *"
    with pytest.raises(QueryTypeError) as refusal:
        compile_statement(statement)
    assert said in str(refusal.value)
    assert statement[refusal.value.column - 1 :].startswith(at)


@pytest.mark.parametrize(
    ("call", "column", "said"),
    [
        ("convert(result, 'Cel', unit)", 24, "the units of convert() are texts"),
        ("convert(result, 'Cel', 'K' )", 17, "no way from Cel"),
        ("convert('a', 'Cel', 'K')", 9, "convert() needs a number"),
        ("convert(result, 'Cel')", 1, "takes 3 argument(s), not 2"),
    ],
)
def test_a_conversion_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, call: str, column: int, said: str
) -> None:
    def refuse(from_unit: str, _to_unit: str) -> tuple[float, float]:
        raise units.UnitError(f"no way from {from_unit}")

    monkeypatch.setattr(units, "conversion", refuse)
    with pytest.raises(QueryTypeError) as refusal:
        compile_statement(BEGINNING + call + " > 3")
    assert said in str(refusal.value)
    assert refusal.value.column == len(BEGINNING) + column


def test_a_conversion_is_worked_out_when_the_statement_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def convert(from_unit: str, to_unit: str) -> tuple[float, float]:
        asked.append((from_unit, to_unit))
        return 1.8, 32.0

    monkeypatch.setattr(units, "conversion", convert)
    compiled = compile_filter(BEGINNING + "convert(result, 'Cel', '[degF]') > convert(20, 'Cel', '[degF]')")
    compilations = len(asked)
    assert set(asked) == {("Cel", "[degF]")}
    assert compiled.matches("a.bb.cc.dd.T.D", {"result": 20.1})
    assert not compiled.matches("a.bb.cc.dd.T.D", {"result": 19.9})
    assert len(asked) == compilations


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
    compiled = compile_filter(BEGINNING + "\"Name\" = 'x'")
    assert compiled.matches("a.bb.cc.dd.T.D", {"Name": "x"})


def test_an_alias_of_the_only_source_may_be_used() -> None:
    compiled = compile_filter("SELECT * FROM at.srfg.Mill.M1 AS mill WHERE mill.result > 3;")
    assert compiled.sources == ("at.srfg.Mill.M1",)
    assert compiled.matches("at.srfg.Mill.M1.T.D", {"result": 4})
