import pickle
import time

import pytest

from streamhub.query import QueryError, QuerySyntaxError, nodes
from streamhub.query.parser import MAX_NESTING, MAX_STATEMENT_LENGTH, parse_statement

BEGINNING = "SELECT * FROM * WHERE "


def condition_of(text: str) -> nodes.Expression:
    where = parse_statement(BEGINNING + text).where
    assert where is not None
    return where


def refusal_of(text: str) -> QuerySyntaxError:
    with pytest.raises(QuerySyntaxError) as refusal:
        parse_statement(text)
    return refusal.value


RESULT = nodes.Attribute("result")
ONE, TWO, THREE = nodes.Number(1), nodes.Number(2), nodes.Number(3)


@pytest.mark.parametrize(
    ("loose", "same"),
    [
        ("a = 1 XOR a = 2 OR a = 3", "a = 1 XOR (a = 2 OR a = 3)"),
        ("a = 1 OR a = 2 AND a = 3", "a = 1 OR (a = 2 AND a = 3)"),
        ("NOT a = 1 AND a = 2", "(NOT (a = 1)) AND a = 2"),
        ("a + 1 * 2 = 3", "(a + (1 * 2)) = 3"),
        ("a - 1 - 2 = 3", "((a - 1) - 2) = 3"),
        ("a / 1 * 2 % 3 = 3", "(((a / 1) * 2) % 3) = 3"),
        ("-a ^ 2 = 3", "-(a ^ 2) = 3"),
        ("a ^ 2 ^ 3 = 3", "(a ^ (2 ^ 3)) = 3"),
        ("a ^ -2 = 3", "(a ^ (-2)) = 3"),
        ("-a * 2 = 3", "(-a) * 2 = 3"),
        ("a BETWEEN 1 AND 2 AND b = 3", "(a BETWEEN 1 AND 2) AND b = 3"),
        ("result-5 < 10", "result - 5 < 10"),
        ("time = '2020'", "phenomenonTime = '2020'"),
        ("a != 1", "a <> 1"),
    ],
)
def test_operators_bind_as_documented(loose: str, same: str) -> None:
    assert condition_of(loose) == condition_of(same)


def test_words_may_be_in_any_case_and_on_any_line() -> None:
    assert parse_statement("select *\n\tfrom *\r\nwhere not result in (1, 2) ;") == parse_statement(
        "SELECT * FROM * WHERE NOT result IN (1, 2)"
    )


def test_words_of_joins_stay_usable_as_names() -> None:
    assert condition_of("max(unit, latency) = on") == nodes.Comparison(
        "=",
        nodes.Call("max", (nodes.Attribute("unit"), nodes.Attribute("latency"))),
        nodes.Attribute("on"),
    )


def test_quotes_are_escaped_by_doubling() -> None:
    assert condition_of("\"odd \"\" name\" = 'it''s'") == nodes.Comparison(
        "=", nodes.Attribute('odd " name'), nodes.Text("it's")
    )


def test_system_names_with_hyphens_need_no_quotes() -> None:
    tree = parse_statement("SELECT * FROM cz.icecars.iot4cps-wp5-CarFleet.Car1 AS car WHERE car.result > 1")
    assert tree.sources == (nodes.Source("cz.icecars.iot4cps-wp5-CarFleet.Car1", "car"),)
    assert tree.where == nodes.Comparison(">", nodes.Attribute("result", "car"), ONE)


WHOLE = nodes.Statement(
    (
        nodes.Column(
            nodes.Arithmetic("*", nodes.Attribute("result", "l"), nodes.Attribute("result", "r")),
            "power",
            "W",
        ),
    ),
    (nodes.Source("at.srfg.Mill.M1", "l"),),
    (
        nodes.Join(
            nodes.Source("at.srfg.Mill.M1", "r"),
            nodes.Duration(1, "s"),
            nodes.Comparison("=", nodes.Attribute("thing", "l"), nodes.Attribute("thing", "r")),
        ),
        nodes.Join(nodes.Source("at.srfg.Mill.M2", "z")),
    ),
    nodes.Comparison(">", nodes.Attribute("result", "l"), nodes.Number(0)),
    "MEAN",
    nodes.Duration(500, "ms"),
    nodes.Duration(2.5, "min"),
)
JOINS = (
    "SELECT l.result * r.result AS power UNIT 'W' FROM at.srfg.Mill.M1 AS l "
    "JOIN at.srfg.Mill.M1 AS r WITHIN 1 s ON l.thing = r.thing JOIN at.srfg.Mill.M2 AS z "
)


@pytest.mark.parametrize(
    "ending",
    [
        "WHERE l.result > 0 TIME MEAN MAX LATENCY 500 ms LATENESS 2.5 min;",
        "MAX LATENCY 500 ms LATENESS 2.5 min WHERE l.result > 0 TIME MEAN",
        "lateness 2.5 min where l.result > 0 max latency 500 ms time mean ;",
        "TIME MEAN LATENESS 2.5 MIN MAX LATENCY 500 ms WHERE l.result > 0",
    ],
)
def test_a_chain_of_joins_parses_whole_with_its_last_clauses_in_any_order(ending: str) -> None:
    assert parse_statement(JOINS + ending) == WHOLE


def test_within_and_on_may_change_places() -> None:
    turned = JOINS.replace("WITHIN 1 s ON l.thing = r.thing", "ON l.thing = r.thing WITHIN 1 s")
    assert parse_statement(turned) == parse_statement(JOINS)


def test_a_statement_may_ask_to_be_explained() -> None:
    assert parse_statement("explain select * from *").explain
    assert not parse_statement("select * from *").explain


def test_words_of_joins_stay_usable_as_aliases_and_names() -> None:
    tree = parse_statement(
        "SELECT explain.left AS later, time.time AS join FROM a AS explain JOIN b AS time "
        "ON time.on = explain.within WHERE time.max = max(explain.lateness, explain.mean) TIME RIGHT"
    )
    assert [source.alias for source in tree.streams] == ["explain", "time"]
    assert [column.name for column in tree.columns or ()] == ["later", "join"]
    assert tree.time == "RIGHT"


def test_lengths_of_time_become_microseconds() -> None:
    lengths = [("1", "ms"), ("0.0015", "ms"), ("1.5", "s"), ("2", "min"), ("1", "h"), ("1", "d")]
    read = [
        parse_statement(f"SELECT * FROM a JOIN b WITHIN {n} {unit}").joins[0].within for n, unit in lengths
    ]
    assert [within.microseconds for within in read if within] == [
        *(1_000, 2, 1_500_000, 120_000_000),
        *(3_600_000_000, 86_400_000_000),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "ends too early; expected EXPLAIN or SELECT"),
        ("SELECT * WHERE result > 3", 1, 10, "unexpected 'WHERE'; expected FROM"),
        ("SELECT * FROM", 1, 14, "expected a system name"),
        ("SELECT *\nFROM *\nWHERE result >", 3, 15, "expected an attribute, a number, a text"),
        (BEGINNING + "result == 3", 1, 31, "equality is written with one ="),
        (BEGINNING + "result > 5f", 1, 33, "numbers have no suffix"),
        (BEGINNING + "name = 'stranger's name'", 1, 40, "a quote inside a text is written twice"),
        (BEGINNING + "name = 'open", 1, 30, "never closed"),
        (BEGINNING + '"open = 1', 1, 23, "never closed"),
        (BEGINNING + "result " + "x" * 100, 1, 30, "unexpected '" + "x" * 40 + "...'"),
        (BEGINNING + "result > 3;;", 1, 34, "expected the end of the statement"),
        (BEGINNING + "(result > 3", 1, 34, "expected ')'"),
        (BEGINNING + "\nresult = '\udcff'", 2, 11, "not UTF-8"),
        (BEGINNING + "result > 1e999", 1, 32, "too large"),
        (BEGINNING + "result > " + "9" * 5000, 1, 32, "too large"),
        ("SELECT * FROM a AS l JOIN b AS r WITHIN 1 fortnight", 1, 43, "unknown unit of time"),
        ("SELECT * FROM a JOIN b WITHIN 1 s WITHIN 2 s", 1, 35, "WITHIN stands twice"),
        ("SELECT * FROM a JOIN b\nTIME LEFT WHERE x = 1 TIME LEFT", 2, 23, "TIME stands twice"),
        ("SELECT * FROM a JOIN b LATENESS 1 s\nLATENESS 1 s", 2, 1, "LATENESS stands twice"),
        ("SELECT * FROM a JOIN b TIME", 1, 28, "expected LATER, LEFT, MEAN or RIGHT"),
        ("SELECT * FROM a JOIN b TIME first", 1, 29, "unexpected 'first'; expected LATER"),
        ("SELECT * FROM a JOIN b MAX 1 s", 1, 28, "unexpected '1'; expected LATENCY"),
        ("SELECT * FROM a JOIN b LATENCY 1 s", 1, 24, "LATENESS, MAX LATENCY, ON, TIME, WHERE or WITHIN"),
        ("SELECT * FROM a WHERE x = 1 JOIN b", 1, 29, "LATENESS, MAX LATENCY or TIME"),
        ("SELECT * FROM a JOIN b TIME MEAN JOIN c", 1, 34, "LATENESS, MAX LATENCY, TIME or WHERE"),
        ("EXPLAIN * FROM a", 1, 9, "expected SELECT"),
    ],
)
def test_errors_say_where_and_what_was_expected(text: str, line: int, column: int, said: str) -> None:
    refusal = refusal_of(text)
    assert (refusal.line, refusal.column) == (line, column)
    assert said in str(refusal)


def test_the_caret_stands_under_the_fault() -> None:
    shown = refusal_of("SELECT *\nFROM *\nWHERE result ~ 3").render().split("\n")
    assert shown[1] == "  WHERE result ~ 3"
    assert shown[2].index("^") == shown[1].index("~")


def test_the_caret_of_a_long_line_stands_under_the_fault() -> None:
    shown = refusal_of(BEGINNING + "result > 1 AND " * 100 + "~").render().split("\n")
    assert len(shown[1]) < 120
    assert shown[2].index("^") == shown[1].index("~")


def test_an_error_survives_pickling() -> None:
    refusal = refusal_of(BEGINNING + "~")
    copy = pickle.loads(pickle.dumps(refusal))  # noqa: S301 - our own bytes
    assert isinstance(copy, QueryError)
    assert (str(copy), copy.render()) == (str(refusal), refusal.render())


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "result" + ")" * 10_000 + " = 1",
        "(" * 10_000,
        "NOT " * 10_000 + "result = 1",
        "-" * 10_000 + "result = 1",
        "result" + " + 1" * 10_000 + " = 1",
        "2 ^ " * 10_000 + "result = 1",
        "abs(" * 10_000 + "result",
    ],
)
def test_deep_nesting_is_refused_in_time_with_a_place(text: str) -> None:
    begun = time.process_time()
    refusal = refusal_of(BEGINNING + text)
    assert "nested" in refusal.reason
    assert refusal.column > len(BEGINNING)
    assert time.process_time() - begun < 5


def test_nesting_up_to_the_limit_is_fine() -> None:
    depth = MAX_NESTING
    assert condition_of("(" * depth + "result = 1" + ")" * depth) == nodes.Comparison("=", RESULT, ONE)


def test_brackets_inside_texts_do_not_count() -> None:
    assert condition_of(f"name = '{'(' * 1000}'") == nodes.Comparison(
        "=", nodes.Attribute("name"), nodes.Text("(" * 1000)
    )


def test_too_long_a_statement_is_refused() -> None:
    refusal = refusal_of(" " * (MAX_STATEMENT_LENGTH + 1))
    assert str(MAX_STATEMENT_LENGTH) in refusal.reason


def test_a_list_of_alternatives_may_be_long() -> None:
    where = condition_of(" OR ".join(f"name = 'a.bb.cc.dd.{index}'" for index in range(1500)))
    assert isinstance(where, nodes.Or)
    assert len(where.operands) == 1500


def test_trees_are_equal_wherever_they_were_written() -> None:
    assert condition_of("result = 1") == condition_of("   result\n= 1")
    assert condition_of("result = 1").at != condition_of("\nresult = 1").at
    assert list(nodes.walk(condition_of("result + 2 = 3")))[1:] == [
        nodes.Arithmetic("+", RESULT, TWO),
        RESULT,
        TWO,
        THREE,
    ]
