import pytest

from streamhub.query.parser import parse_statement
from streamhub.query.rendering import render_statement


@pytest.mark.parametrize(
    ("written", "rendered"),
    [
        ("select * from *", "SELECT * FROM *;"),
        (
            "SELECT * FROM * WHERE ((a = 1 OR (b = 2)) AND NOT (c = 3 XOR TRUE))",
            "SELECT * FROM * WHERE (a = 1 OR b = 2) AND NOT (c = 3 XOR TRUE);",
        ),
        (
            "SELECT * FROM * WHERE a-(1-2)-3 = -(2^3)^(-4) and ((a)) != 5.0",
            "SELECT * FROM * WHERE a - (1 - 2) - 3 = -(2 ^ 3) ^ -4 AND a <> 5.0;",
        ),
        (
            "SELECT * FROM * WHERE \"Name\" = 'it''s' OR \"or\" NOT IN (1,2) OR time IS NOT NULL",
            "SELECT * FROM * WHERE \"Name\" = 'it''s' OR \"or\" NOT IN (1, 2) OR phenomenonTime IS NOT NULL;",
        ),
        (
            (
                "EXPLAIN SELECT l.result*2 AS \"a b\" UNIT 'W' FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r "
                "WITHIN 1.50 S ON l.thing=r.thing join a.bb.cc.ff as z "
                "MAX LATENCY 5 s LATENESS 1 MS WHERE ABS(l.result) BETWEEN 1 AND 2 AND r.unit NOT LIKE 'k%' "
                "time later"
            ),
            (
                "EXPLAIN SELECT l.result * 2 AS \"a b\" UNIT 'W' FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r "
                "WITHIN 1.5 s ON l.thing = r.thing JOIN a.bb.cc.ff AS z "
                "WHERE abs(l.result) BETWEEN 1 AND 2 AND r.unit NOT LIKE 'k%' "
                "TIME LATER MAX LATENCY 5 s LATENESS 1 ms;"
            ),
        ),
    ],
)
def test_statements_are_written_with_no_more_brackets_than_needed(written: str, rendered: str) -> None:
    assert render_statement(parse_statement(written)) == rendered
    assert parse_statement(rendered) == parse_statement(written)
