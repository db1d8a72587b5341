import json
from itertools import permutations
from typing import Any

import pytest

from streamhub.query import QueryTypeError
from streamhub.query.replay import QueryRun, run_query

LEFT, RIGHT = "at.srfg.Mill.Left", "at.srfg.Mill.Right"
PAIR = f"FROM {LEFT} AS l JOIN {RIGHT} AS r "


def line(system: str, time: object, result: object = None, thing: str = "T", **members: object) -> str:
    value = {"phenomenonTime": time, "result": result, **members}
    return json.dumps({"topic": f"{system}.int", "key": f"{system}.{thing}.D", "value": value})


def rows(run: QueryRun) -> list[dict[str, Any]]:
    return [record.value for record in run]


def pairs(statement: str, lines: list[str]) -> list[tuple[Any, ...]]:
    """The columns of every output, without its time."""
    return sorted(tuple(row.values())[1:] for row in rows(run_query(statement, lines)))


ALTERNATING = [
    line(LEFT, 1, 10),
    line(RIGHT, 2, 20),
    line(LEFT, 3, 30),
    line(RIGHT, 9, 90),
    line("at.srfg.Mill.Other", 9, 90),
]


def test_every_pair_is_one_line_with_the_columns_by_their_names() -> None:
    statement = f'SELECT l.result + r.result AS sum, r.result / (l.result - 10) AS "a b", l.thing {PAIR}'
    run = run_query(statement, ALTERNATING)
    assert [record.to_json() for record in run] == [
        f'{{"key":null,"value":{{"phenomenonTime":"1970-01-01T00:00:0{second}.000000Z",{columns},"thing":"T"}}}}'
        for second, columns in (
            (2, '"sum":30.0,"a b":null'),
            (3, '"sum":50.0,"a b":1.0'),
            (9, '"sum":120.0,"a b":4.5'),
        )
    ]
    assert run.counters.to_dict() == {
        "read": 5,
        "matched": 3,
        "rejected": {},
        "mismatches": 0,
        "missing": 0,
        "other_sources": 1,
        "pairs": 3,
        "late": 0,
        "unjoined": 0,
        "dropped": 0,
    }


def test_star_shows_what_matters_of_every_source() -> None:
    (row,) = rows(run_query(f"SELECT * {PAIR} WITHIN 0.5 s", [line(LEFT, 1, "a"), line(RIGHT, 1.25, None)]))
    assert row == {
        "phenomenonTime": "1970-01-01T00:00:01.250000Z",
        "l.name": f"{LEFT}.T.D",
        "l.phenomenonTime": 1,
        "l.result": "a",
        "r.name": f"{RIGHT}.T.D",
        "r.phenomenonTime": 1.25,
        "r.result": None,
    }


def test_within_limits_the_distance_and_where_is_judged_on_pairs() -> None:
    columns = "SELECT l.result AS l, r.result AS r "
    assert pairs(f"{columns}{PAIR} WITHIN 1 s", ALTERNATING) == [(10, 20), (30, 20)]
    run = run_query(f"{columns}{PAIR} WHERE l.result < r.result AND r.unit = 'W'", ALTERNATING)
    assert rows(run) == []
    assert (run.counters.matched, run.counters.missing) == (0, 2)
    assert run.counters.joins is not None
    assert run.counters.joins.pairs == 3


def test_conditions_on_names_choose_streams_before_the_join() -> None:
    lines = [
        *(line(LEFT, 1, 10, "a"), line(LEFT, 2, 20, "b")),
        *(line(LEFT, 3, 30, "a"), line(LEFT, 4, 40, "b")),
    ]
    statement = f"SELECT l.result AS l, r.result AS r FROM {LEFT} AS l JOIN {LEFT} AS r WHERE {{}}"
    chosen = "l.thing = 'a' AND r.thing = 'b'"
    assert pairs(statement.format(chosen), lines) == [(10, 20), (30, 20), (30, 40)]
    assert pairs(statement.format(f"{chosen} AND l.result = 10"), lines) == [(10, 20)]


def test_on_keeps_apart_what_does_not_belong_together() -> None:
    lines = [
        *(line(LEFT, 1, 1, "a", car=1), line(RIGHT, 2, 2, "b", vehicle=1.0)),
        *(line(RIGHT, 3, 3, "a", vehicle=2), line(RIGHT, 4, 4, "a")),
    ]
    columns = "SELECT l.result AS l, r.result AS r "
    assert pairs(f"{columns}{PAIR} ON l.thing = r.thing", lines) == [(1, 3)]
    run = run_query(f"{columns}{PAIR} ON l.car = r.vehicle", lines)
    assert [tuple(row.values())[1:] for row in rows(run)] == [(1, 2)]
    assert run.counters.joins is not None
    assert run.counters.joins.unjoined == 1
    assert [(refusal.line, refusal.code) for refusal in run.refusals] == [(4, "line.not_joined")]
    assert "as 'r'" in run.refusals[0].detail


def test_a_chain_of_three_joins_the_pairs_with_the_third() -> None:
    statement = (
        f"SELECT l.result AS l, r.result AS r, z.result AS z {PAIR} WITHIN 1 s "
        f"JOIN {LEFT} AS z WITHIN 1 s WHERE l.thing = 'a' AND z.thing = 'z' TIME LEFT"
    )
    lines = [
        *(line(LEFT, 1, "l", "a"), line(RIGHT, 2, "r"), line(LEFT, 2.5, "z1", "z")),
        *(line(LEFT, 8, "l2", "a"), line(RIGHT, 7, "r2"), line(LEFT, 12, "z2", "z")),
    ]
    assert rows(run_query(statement, lines)) == [
        {"phenomenonTime": "1970-01-01T00:00:01.000000Z", "l": "l", "r": "r", "z": "z1"}
    ]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_end_of_the_lines_completes_a_chain_of_four_whatever_arrived_first(
    order: tuple[int, ...],
) -> None:
    systems = [LEFT, RIGHT, "at.srfg.Mill.Third", "at.srfg.Mill.Fourth"]
    statement = (
        f"SELECT l.result AS l, r.result AS r, y.result AS y, z.result AS z {PAIR} "
        f"JOIN {systems[2]} AS y JOIN {systems[3]} AS z"
    )
    lines = [line(systems[source], source, source) for source in order]
    assert pairs(statement, lines) == [(0, 1, 2, 3)]


def test_a_late_record_is_counted_and_explained() -> None:
    lines = [line(LEFT, 1, 1), line(LEFT, 5, 5), line(LEFT, 3, 3), line(RIGHT, 2, 2), line(RIGHT, 6, 6)]
    run = run_query(f"SELECT l.result AS l, r.result AS r {PAIR}", lines)
    assert [tuple(row.values())[1:] for row in rows(run)] == [(1, 2), (5, 2), (5, 6)]
    assert run.counters.joins is not None
    assert run.counters.joins.late == 1
    assert [(refusal.line, refusal.code) for refusal in run.refusals] == [(3, "line.late")]
    assert "LATENESS" in run.refusals[0].detail


def test_lateness_sorts_records_before_they_are_joined() -> None:
    lines = [line(LEFT, time, time) for time in (1, 5, 6.5, 3)] + [line(RIGHT, time, time) for time in (2, 6)]
    columns = f"SELECT l.result AS l, r.result AS r {PAIR} LATENESS "
    assert pairs(columns + "2.5 s", lines) == [(1, 2), (3, 2), (3, 6), (5, 2), (5, 6), (6.5, 6)]
    run = run_query(columns + "1 s", lines)
    assert len(rows(run)) == 4
    assert run.counters.joins is not None
    assert run.counters.joins.late == 1
    assert [refusal.line for refusal in run.refusals] == [4]


def test_max_latency_settles_pairs_without_waiting_for_a_silent_side() -> None:
    lines = [line(LEFT, 1, 1), line(RIGHT, 2, 2), *(line(RIGHT, time, time) for time in (3, 20))]
    columns = f"SELECT l.result AS l, r.result AS r {PAIR}"
    assert pairs(columns, lines) == [(1, 2)]
    assert pairs(f"{columns} MAX LATENCY 5 s", lines) == [(1, 2), (1, 3)]
    run = run_query(f"{columns} MAX LATENCY 5 s", [*lines, line(LEFT, 14, 14)])
    rows(run)
    assert [(refusal.line, refusal.code) for refusal in run.refusals] == [(5, "line.late")]


def test_records_that_cannot_be_used_are_explained_and_the_rest_goes_on() -> None:
    lines = [
        *(line(LEFT, 1, 1), line(LEFT, None, 2), line(LEFT, "soon", 3), "no json"),
        json.dumps({"topic": RIGHT, "key": None, "value": "{"}),
        json.dumps({"topic": RIGHT, "value": {"phenomenonTime": 2, "result": 4}}),
    ]
    run = run_query(f"SELECT l.result AS l, r.result AS r, r.name AS n {PAIR}", lines)
    assert [tuple(row.values())[1:] for row in rows(run)] == [(1, 4, None)]
    assert dict(run.counters.rejected) == {
        "record.no_time": 1,
        "record.time_invalid": 1,
        "line.not_json": 1,
        "record.not_json": 1,
    }
    assert sorted(refusal.line for refusal in run.refusals) == [2, 3, 4, 5]


def test_a_record_that_goes_into_both_streams_is_refused_once() -> None:
    run = run_query(f"SELECT * FROM {LEFT} AS l JOIN {LEFT} AS r", [line(LEFT, None), line(LEFT, 1, 1)])
    assert len(rows(run)) == 1
    assert run.counters.rejected.total() == 1


def test_the_pairs_are_the_same_across_batches() -> None:
    lines = [line(LEFT if index % 2 else RIGHT, index, index) for index in range(12_001)]
    run = run_query(f"SELECT l.result AS l, r.result AS r {PAIR}", lines)
    assert [tuple(row.values())[1:] for row in rows(run)] == [
        (index, index - 1) if index % 2 else (index - 1, index) for index in range(1, 12_001)
    ]


def test_computed_columns_of_one_source_stand_beside_what_the_record_keeps() -> None:
    lines = [line(LEFT, "2026-01-02T03:04:05Z", 4, Datastream={"@iot.id": 7}, resultTime=None)]
    run = run_query(f"SELECT result, result * 2 AS twice UNIT 'K' FROM {LEFT}", lines)
    assert rows(run) == [
        {"phenomenonTime": "2026-01-02T03:04:05Z", "Datastream": {"@iot.id": 7}, "result": 4, "twice": 8.0}
    ]
    assert "pairs" not in run.counters.to_dict()


def test_a_statement_to_be_explained_is_not_run() -> None:
    with pytest.raises(QueryTypeError, match="EXPLAIN says what a statement would do"):
        run_query("EXPLAIN SELECT * FROM *", [])
