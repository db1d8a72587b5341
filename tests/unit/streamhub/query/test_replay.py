import json

import pytest

from streamhub.query import QuerySyntaxError
from streamhub.query.replay import run_query

SYSTEM = "at.srfg.Mill.M1"


def line(topic: str, key: str | None, value: object) -> str:
    return json.dumps({"topic": topic, "key": key, "value": value})


LINES = [
    line(f"{SYSTEM}.int", f"{SYSTEM}.T.D", {"result": 1}),
    line(f"{SYSTEM}.ext", f"{SYSTEM}.T.D", {"result": 2}),
    line(SYSTEM, f"{SYSTEM}.T.D", {"result": 3}),
    line("at.srfg.Mill.M2.int", "at.srfg.Mill.M2.T.D", {"result": 4}),
    line(f"{SYSTEM}.int", f"{SYSTEM}.T.D", {"result": 50}),
]


def test_only_the_internal_topic_of_the_source_is_read() -> None:
    run = run_query(f"SELECT * FROM {SYSTEM} WHERE result < 10;", LINES)
    assert [record.value["result"] for record in run] == [1, 3]
    assert run.counters.to_dict() == {
        "read": 5,
        "matched": 2,
        "rejected": {},
        "mismatches": 0,
        "missing": 0,
        "other_sources": 2,
    }


def test_star_reads_every_topic_in_the_order_of_arrival() -> None:
    run = run_query("SELECT * FROM * WHERE result < 10;", LINES)
    assert [record.value["result"] for record in run] == [1, 2, 3, 4]


def test_values_come_out_as_they_went_in() -> None:
    lines = ['{"topic":"t","key":"k","value":{ "result": 1.10, "n": 123456789012345678901234567890 }}']
    assert [record.to_json() for record in run_query("SELECT * FROM *", lines)] == [
        '{"key":"k","value":{"result":1.10,"n":123456789012345678901234567890}}'
    ]


def test_columns_are_written_anew() -> None:
    run = run_query("SELECT result * 2 AS twice FROM * WHERE result < 2", LINES)
    assert [record.to_json() for record in run] == [f'{{"key":"{SYSTEM}.T.D","value":{{"twice":2.0}}}}']


def test_a_text_holds_the_raw_value() -> None:
    lines = [line("t", "k", '{"result": 1}'), line("t", "k", '{"result": NaN}'), line("t", "k", "")]
    run = run_query("SELECT * FROM * WHERE result = 1", lines)
    assert [record.value for record in run] == [{"result": 1}]
    assert [(refusal.line, refusal.code) for refusal in run.refusals] == [
        (2, "record.not_json"),
        (3, "record.empty_value"),
    ]


def test_broken_lines_are_counted_and_explained_and_the_rest_goes_on() -> None:
    deep = '{"topic":"t","key":"k","value":' + "[" * 100_000
    lines = [
        "no json",
        "",
        "[1]",
        '{"key":"k"}',
        '{"topic":"t","key":1,"value":{}}',
        deep,
        "\ud800",
        LINES[0],
    ]
    run = run_query("SELECT * FROM * WHERE result = 1", lines)
    assert len(list(run)) == 1
    assert run.counters.read == 7
    assert dict(run.counters.rejected) == {"line.not_json": 3, "line.not_a_record": 3}
    assert [refusal.line for refusal in run.refusals] == [1, 3, 4, 5, 6, 7]


def test_records_that_the_key_alone_lets_through_are_shown_whatever_they_hold() -> None:
    lines = [line("t", None, None), line("t", "k", "no json")]
    assert [record.to_json() for record in run_query("SELECT * FROM *", lines)] == [
        '{"key":null,"value":null}',
        '{"key":"k","value":"no json"}',
    ]


def test_order_holds_across_batches() -> None:
    lines = (line("t", "k", {"result": index}) for index in range(12_001))
    run = run_query("SELECT * FROM * WHERE result % 4000 = 0", lines)
    assert [record.value["result"] for record in run] == [0, 4000, 8000, 12000]


def test_the_statement_is_refused_before_any_line_is_read() -> None:
    def never() -> str:
        raise AssertionError

    with pytest.raises(QuerySyntaxError):
        run_query("SELECT", (never() for _ in range(1)))
