import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from streamhub.query import (
    READING_ERRORS,
    CompiledStatement,
    Derivation,
    Route,
    compile_statement,
    reason_for,
)
from streamhub.query.derivation.keeping import MAX_KEPT_DEPTH

SYSTEM = "at.srfg.Mill.M1"
PAIR = f"FROM {SYSTEM} AS l JOIN {SYSTEM} AS r WITHIN 1 s ON l.thing = r.thing "
SPEED, TORQUE = f"{SYSTEM}.Spindle.Speed".encode(), f"{SYSTEM}.Spindle.Torque".encode()
CHOICE = "WHERE l.name LIKE '%Speed' AND r.name LIKE '%Torque'"
STAMP = "2026-02-03T00:00:00.000000Z"


@dataclass
class End:
    """Where results go, for the tests: only the end of the value matters."""

    tail: str = "}"


class Ends(dict[tuple[int, str | None], End]):
    """Make an output when it is asked for."""

    def __missing__(self, place: tuple[int, str | None]) -> End:
        return self.setdefault(place, End())


def derivation_of(text: str) -> Derivation:
    compiled = compile_statement(text)
    assert isinstance(compiled, Derivation)
    return compiled


def value(**members: object) -> bytes:
    return json.dumps({"phenomenonTime": "2026-01-02T03:04:05.000006Z", **members}).encode()


def route_of(derivation: Derivation, key: bytes | None, source: int = 0, system: str = SYSTEM) -> Route:
    (found,) = [route for route in derivation.routes(system, key) if route.source == source]
    return found


def results_of(derivation: Derivation, *joined: bytes, keys: tuple[bytes, ...] = ()) -> list[dict[str, Any]]:
    """Derive from one value of each source and give the parsed values."""
    keys = keys or (SPEED, TORQUE)[: derivation.width]
    records = tuple(
        route_of(derivation, key, source).read(one)
        for source, (key, one) in enumerate(zip(keys, joined, strict=True))
    )
    results: list[tuple[Any, str]] = []
    derivation.derive([records], STAMP, Ends(), results)
    return [json.loads(text) for _, text in results]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT * FROM *", CompiledStatement),
        ("SELECT result, unit AS u FROM *", CompiledStatement),
        ("SELECT result * 2 AS x FROM *", Derivation),
        ("SELECT result AS x UNIT 'K' FROM *", Derivation),
        ("SELECT * FROM a.bb.cc.dd AS l JOIN a.bb.cc.dd AS r", Derivation),
    ],
)
def test_what_makes_new_records_is_a_derivation(statement: str, kind: type) -> None:
    assert type(compile_statement(statement)) is kind


def test_a_derivation_says_what_it_needs_and_makes() -> None:
    derivation = derivation_of(
        "SELECT l.result * r.result AS power UNIT 'W', l.unit, z.result AS third UNIT 'K', r.name AS n "
        "FROM a.bb.cc.dd AS l JOIN a.bb.cc.ee AS r WITHIN 1.5 s JOIN a.bb.cc.dd AS z "
        "MAX LATENCY 2 min LATENESS 3 ms"
    )
    assert derivation.sources == ("a.bb.cc.dd", "a.bb.cc.ee")
    assert derivation.width == 3
    assert derivation.withins == (1_500_000, None)
    assert (derivation.max_latency, derivation.lateness) == (120_000_000, 3_000)
    assert (derivation.is_keyed, derivation.is_co_partitioned, derivation.keeps_thing) == (
        False,
        False,
        False,
    )
    assert [(column.name, column.unit, column.expression) for column in derivation.columns] == [
        ("power", "W", "l.result * r.result"),
        ("third", "K", "z.result"),
    ]
    assert [(column.at.line, column.at.column) for column in derivation.columns] == [(1, 8), (1, 55)]
    assert derivation.column_names == ("power", "unit", "third", "n")


@pytest.mark.parametrize(
    ("ending", "co_partitioned", "keeps_thing"),
    [
        (f"{SYSTEM} AS l JOIN {SYSTEM} AS r ON l.thing = r.thing", True, True),
        (f"{SYSTEM} AS l JOIN {SYSTEM} AS r ON l.a = r.a AND l.name = r.name", True, True),
        (f"{SYSTEM} AS l JOIN {SYSTEM} AS r ON l.thing = r.a", False, True),
        (f"{SYSTEM} AS l JOIN {SYSTEM} AS r ON l.a = r.thing", False, False),
        (f"{SYSTEM} AS l JOIN {SYSTEM} AS r", False, False),
        (f"{SYSTEM} AS l JOIN a.bb.cc.dd AS r ON l.thing = r.thing", False, True),
        (SYSTEM, False, True),
    ],
)
def test_the_key_says_how_work_is_spread_and_whose_results_are(
    ending: str, co_partitioned: bool, keeps_thing: bool
) -> None:
    alias = "l." if "JOIN" in ending else ""
    derivation = derivation_of(f"SELECT {alias}result + 1 AS x FROM {ending}")
    assert (derivation.is_co_partitioned, derivation.keeps_thing) == (co_partitioned, keeps_thing)


def test_conditions_on_the_key_of_one_source_choose_its_stream() -> None:
    derivation = derivation_of(
        "SELECT l.result + 1 AS x "
        + PAIR
        + "WHERE (l.name LIKE '%Speed' OR l.thing = 'Fan') AND r.name LIKE '%Torque' AND NOT r.thing = 'Fan'"
    )

    def sources(key: bytes | None) -> list[int]:
        return [route.source for route in derivation.routes(SYSTEM, key)]

    assert sources(SPEED) == [0]
    assert sources(TORQUE) == [1]
    assert sources(f"{SYSTEM}.Fan.Torque".encode()) == [0]
    assert sources(f"{SYSTEM}.Spindle.Power".encode()) == []
    assert sources(None) == []
    assert derivation.routes("at.srfg.Mill.M2", SPEED) == ()
    with pytest.raises(UnicodeDecodeError):
        derivation.routes(SYSTEM, b"\xff")


def test_everything_else_of_where_is_judged_on_joined_records() -> None:
    derivation = derivation_of(
        f"SELECT l.result + r.result AS x {PAIR} {CHOICE} "
        "AND l.result > 3 AND (l.name = r.name OR r.result < 9) AND (l.thing = 'Spindle' OR l.result > 9)"
    )
    assert results_of(derivation, value(result=4), value(result=8)) != []
    assert results_of(derivation, value(result=3), value(result=8)) == []
    assert results_of(derivation, value(result=4), value(result=10)) == []


def test_a_value_that_never_matters_is_not_asked_of_who_reads_any_system() -> None:
    derivation = derivation_of("SELECT result + 1 AS x FROM * WHERE system = 'at.srfg.Mill.M1'")
    assert derivation.sources == ("*",)
    assert len(derivation.routes("any", SPEED)) == 1
    assert derivation.routes("any", b"a.bb.cc.dd.T.D") == ()


def test_a_join_key_told_by_the_key_is_known_without_the_value() -> None:
    derivation = derivation_of(f"SELECT l.result + 1 AS x {PAIR} {CHOICE}")
    left, right = route_of(derivation, SPEED, 0), route_of(derivation, TORQUE, 1)
    assert left.key == right.key is not None
    assert left.key_of is right.key_of is None
    other = route_of(derivation, f"{SYSTEM}.Fan.Speed".encode())
    assert other.key not in {None, left.key}


def test_without_on_all_records_have_one_join_key() -> None:
    derivation = derivation_of(f"SELECT l.result + 1 AS x FROM {SYSTEM} AS l JOIN {SYSTEM} AS r")
    keys = {route.key for key in (SPEED, TORQUE, None) for route in derivation.routes(SYSTEM, key)}
    assert len(keys) == 1
    assert None not in keys


def test_a_join_key_of_values_is_taken_from_the_record() -> None:
    derivation = derivation_of(
        f"SELECT l.result + 1 AS x FROM {SYSTEM} AS l JOIN {SYSTEM} AS r "
        "ON l.car = r.vehicle AND r.thing = l.thing"
    )
    left, right = route_of(derivation, SPEED, 0), route_of(derivation, TORQUE, 1)
    assert left.key is None
    assert left.key_of is not None
    assert right.key_of is not None

    def key(route: Route, **members: object) -> object:
        assert route.key_of is not None
        return route.key_of(route.read(value(**members)))

    assert key(left, car=1) == key(right, vehicle=1.0)
    cars: list[object] = [2, "1", True, 1.5, 10**18, 1e300, "a"]
    others = [key(left, car=car) for car in cars]
    assert len({key(left, car=1), *others}) == 8
    unusable: list[object] = [None, [1], {}]
    assert [key(left, car=car) for car in unusable] == [None] * 3
    assert key(route_of(derivation, None, 0), car=1) is None


@pytest.mark.parametrize(
    ("time", "microseconds", "text"),
    [
        ("1970-01-01T00:00:01.000002Z", 1_000_002, "1970-01-01T00:00:01.000002Z"),
        ("1970-01-01T00:00:01.002Z", 1_002_000, "1970-01-01T00:00:01.002000Z"),
        ("1970-01-01T00:00:01Z", 1_000_000, "1970-01-01T00:00:01.000000Z"),
        ("1969-12-31T23:59:59.999999Z", -1, "1969-12-31T23:59:59.999999Z"),
        ("1970-01-01T01:00:01+01:00", 1_000_000, "1970-01-01T00:00:01.000000Z"),
        ("1970-01-01T00:00:01.1234567Z", 1_123_457, "1970-01-01T00:00:01.123457Z"),
        ("1970-01-01T00:00:01Z/1970-01-01T00:00:09Z", 1_000_000, "1970-01-01T00:00:01.000000Z"),
        ("1970-W01-4T00:00:01.000000Z", 1_000_000, "1970-01-01T00:00:01.000000Z"),
        (1.5, 1_500_000, "1970-01-01T00:00:01.500000Z"),
        (-0.5, -500_000, "1969-12-31T23:59:59.500000Z"),
        (1_767_323_045_000, 1_767_323_045_000_000, "2026-01-02T03:04:05.000000Z"),
    ],
)
def test_the_event_time_is_read_whatever_its_form(time: object, microseconds: int, text: str) -> None:
    derivation = derivation_of("SELECT result + 1 AS x FROM *")
    one = value(phenomenonTime=time, result=1)
    assert route_of(derivation, SPEED).read(one).time == microseconds
    assert results_of(derivation, one) == [{"phenomenonTime": text, "resultTime": STAMP, "result": 2.0}]


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (b'{"result": 1}', "record.no_time"),
        (b'{"phenomenonTime": null}', "record.no_time"),
        (b'{"phenomenonTime": "yesterday"}', "record.time_invalid"),
        (b'{"phenomenonTime": "2026-01-02T03:04:05"}', "record.time_invalid"),
        (b'{"phenomenonTime": "2026-13-02T03:04:05.000006Z"}', "record.time_invalid"),
        (b'{"phenomenonTime": "2026-01-02T03:04:0x.000006Z"}', "record.time_invalid"),
        (b'{"phenomenonTime": true}', "record.time_invalid"),
        (b'{"phenomenonTime": [1]}', "record.time_invalid"),
        (b'{"phenomenonTime": 1e300}', "record.time_invalid"),
        (b"[]", "record.not_object"),
        (b"{", "record.not_json"),
        (b"", "record.empty_value"),
        (None, "record.empty_value"),
        (b'{"result": "\xff"}', "record.not_utf8"),
        (b'{"result": 1e999}', "record.number_out_of_range"),
        (b'{"a": ' + b"[" * 100_000, "record.nested_too_deep"),
    ],
)
def test_a_record_that_cannot_be_read_has_a_reason(one: bytes | None, code: str) -> None:
    read = route_of(derivation_of("SELECT result + 1 AS x FROM *"), SPEED).read
    with pytest.raises(READING_ERRORS) as refusal:
        read(one)
    assert reason_for(one, refusal.value)[0] == code
    assert reason_for(one, refusal.value)[1]


def test_records_survive_being_written_and_read_again() -> None:
    derivation = derivation_of(
        f"SELECT l.result + r.result AS x, l.tag, r.time AS t {PAIR} {CHOICE} AND l.flag = TRUE"
    )
    read = route_of(derivation, SPEED).read
    kind = derivation.record_types[0]
    for one in (value(result=1.5, tag={"a": [1, None]}, flag=True), value(result="x"), value()):
        record = read(one)
        assert type(record) is kind
        assert msgspec.json.decode(msgspec.json.encode(record), type=kind) == record
    assert msgspec.structs.fields(kind)[0].name == "time"


def test_what_is_kept_of_a_record_can_always_be_written_again() -> None:
    derivation = derivation_of("SELECT result + 1 AS x, tag FROM *")
    read = route_of(derivation, SPEED).read
    nested: object = 1
    for _ in range(MAX_KEPT_DEPTH):
        nested = [nested]
    for tag in (2**63 - 1, 10**30, -(10**30), [10**30, {"a": 10**30}], nested):
        record = read(value(result=10**30, tag=tag))
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=type(record)) == record
    with pytest.raises(RecursionError) as refusal:
        read(value(tag={"a": nested}))
    assert reason_for(b"{}", refusal.value)[0] == "record.nested_too_deep"
    with pytest.raises(READING_ERRORS) as refusal_of_number:
        read(b'{"phenomenonTime": 1, "tag": 1' + b"0" * 400 + b"}")
    assert reason_for(b"{}", refusal_of_number.value)[0] == "record.number_out_of_range"


@pytest.mark.parametrize(
    ("rule", "left", "right", "text"),
    [
        ("", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02.5Z", "2026-01-01T00:00:02.500000Z"),
        ("", "2026-01-01T00:00:03Z", "2026-01-01T00:00:02.5Z", "2026-01-01T00:00:03.000000Z"),
        ("TIME LATER", "2026-01-01T00:00:03Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:03.000000Z"),
        ("TIME LEFT", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:01.000000Z"),
        ("TIME RIGHT", "2026-01-01T00:00:03Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:02.000000Z"),
        ("TIME MEAN", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:01.500000Z"),
        ("TIME MEAN", 0, "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_the_time_of_a_result_follows_the_rule(rule: str, left: object, right: object, text: str) -> None:
    derivation = derivation_of(f"SELECT l.result + r.result AS x {PAIR} {CHOICE} {rule}")
    one, other = value(phenomenonTime=left, result=1), value(phenomenonTime=right, result=2)
    (result,) = results_of(derivation, one, other)
    assert result == {"phenomenonTime": text, "resultTime": STAMP, "result": 3.0}


def test_a_chain_of_three_has_all_records_at_hand() -> None:
    derivation = derivation_of(
        f"SELECT l.result + r.result * z.result AS x, z.unit AS u FROM {SYSTEM} AS l JOIN {SYSTEM} AS r "
        f"ON l.thing = r.thing JOIN {SYSTEM} AS z ON z.thing = l.thing WHERE z.result > l.result"
    )
    assert [route.source for route in derivation.routes(SYSTEM, SPEED)] == [0, 1, 2]
    times = [f"2026-01-01T00:00:0{second}.000000Z" for second in (1, 3, 2)]
    values = [value(phenomenonTime=time, result=n, unit="rpm") for n, time in enumerate(times, start=2)]
    assert results_of(derivation, *values, keys=(SPEED,) * 3) == [
        {"phenomenonTime": times[1], "resultTime": STAMP, "result": 14.0, "u": "rpm"}
    ]


def test_results_are_written_as_records_with_attributes_and_their_own_end() -> None:
    derivation = derivation_of(
        'SELECT l.result * 2 AS twice, l.tag AS "a ""tag""", r.unit, r.result AS raw '
        f"UNIT 'N.m' {PAIR} {CHOICE}"
    )
    read = [route_of(derivation, key, source).read for source, key in enumerate((SPEED, TORQUE))]
    joined = (read[0](value(result=1.25, tag="ä\n")), read[1](value(result=3)))
    outputs = Ends({(1, "Spindle"): End(',"Datastream":{"@iot.id":7}}')})
    results: list[tuple[Any, str]] = []
    derivation.derive([joined, joined], STAMP, outputs, results)
    beginning = f'{{"phenomenonTime":"2026-01-02T03:04:05.000006Z","resultTime":"{STAMP}","result":'
    assert [text for _, text in results] == [
        beginning + '2.5,"a \\"tag\\"":"ä\\n"}',
        beginning + '3,"a \\"tag\\"":"ä\\n","Datastream":{"@iot.id":7}}',
    ] * 2
    assert [output for output, _ in results] == [outputs[0, "Spindle"], outputs[1, "Spindle"]] * 2


@pytest.mark.parametrize(
    ("expression", "result", "expected"),
    [
        ("result + 1", 1, "2.0"),
        ("result * 1e300", 1e-300, "1.0"),
        ("result / 3", 1e-6, "3.333333333333333e-07"),
        ("coalesce(result, 1)", 12345678901234567, "12345678901234567"),
        ("coalesce(result, tag)", True, "true"),
        ("coalesce(result, tag)", 'a"b', '"a\\"b"'),
        ("coalesce(result, tag)", [1, None], "[1,null]"),
        ("upper(result)", "ä", '"Ä"'),
        ("coalesce(phenomenonTime, resultTime)", 1, '"2026-01-02T03:04:05.000006Z"'),
        ("TRUE", 1, "true"),
        ("5", 1, "5"),
        ("pi()", 1, "3.141592653589793"),
    ],
)
def test_results_are_json_of_their_kind(expression: str, result: object, expected: str) -> None:
    derivation = derivation_of(f"SELECT {expression} AS x FROM {SYSTEM}")
    record = route_of(derivation, SPEED).read(value(result=result))
    results: list[tuple[Any, str]] = []
    derivation.derive([(record,)], STAMP, Ends(), results)
    ((_, text),) = results
    assert text.endswith(f'"result":{expected}}}')


def test_a_column_that_cannot_be_computed_gives_no_record_and_is_counted() -> None:
    derivation = derivation_of(
        "SELECT 1 / result AS a, result AS b UNIT 'K', coalesce(x, y) AS c, result + 1 AS d "
        f"FROM {SYSTEM} WHERE result <> 5"
    )

    def made(**members: object) -> tuple[int, tuple[int, int]]:
        return len(results_of(derivation, value(**members))), derivation.take_counts()

    assert made(result=2, x=1) == (4, (0, 0))
    assert made(result=2) == (3, (1, 0))
    assert made(result=0, y=1) == (3, (0, 1))
    assert made(result=5) == (0, (0, 0))
    assert made() == (0, (1, 0))  # WHERE was false for want of a result
    assert made(result="x", y="y") == (0, (0, 1))
    assert derivation.take_counts() == (0, 0)


def test_a_unit_belongs_to_numbers_only() -> None:
    derivation = derivation_of(f"SELECT result AS x UNIT 'K' FROM {SYSTEM}")
    assert [len(results_of(derivation, value(result=result))) for result in (1, 1.5, "1", True, [1])] == [
        *(1, 1),
        *(0, 0, 0),
    ]
    assert derivation.take_counts() == (0, 3)


def test_a_result_needs_the_thing_it_belongs_to() -> None:
    derivation = derivation_of("SELECT result + 1 AS x FROM *")
    results: list[tuple[Any, str]] = []
    record = route_of(derivation, b"no.thing", system="any").read(value(result=1))
    derivation.derive([(record,)], STAMP, {}, results)
    assert results == []
    assert derivation.take_counts() == (1, 0)


def test_without_a_common_thing_all_results_of_a_column_go_to_one_output() -> None:
    derivation = derivation_of(f"SELECT l.result + r.result AS x FROM {SYSTEM} AS l JOIN {SYSTEM} AS r")
    routes = [route_of(derivation, key, source) for source, key in enumerate((SPEED, TORQUE))]
    records = tuple(route.read(value(result=1)) for route in routes)
    output = End()
    results: list[tuple[Any, str]] = []
    derivation.derive([records], STAMP, {(0, None): output}, results)
    assert [found for found, _ in results] == [output]


def test_nothing_joined_asks_for_no_output() -> None:
    derivation = derivation_of(f"SELECT l.result + r.result AS x FROM {SYSTEM} AS l JOIN {SYSTEM} AS r")
    derivation.derive([], STAMP, {}, [])


def test_describing_shows_all_columns_by_their_names() -> None:
    derivation = derivation_of(
        f"SELECT l.result / r.result AS ratio, r.thing, l.time AS t {PAIR} {CHOICE} AND r.result >= 0"
    )
    read = [route_of(derivation, key, source).read for source, key in enumerate((SPEED, TORQUE))]
    shown = derivation.describe((read[0](value(result=3)), read[1](value(result=0))))
    moment = "2026-01-02T03:04:05.000006Z"
    assert shown == {"phenomenonTime": moment, "ratio": None, "thing": "Spindle", "t": moment}
    assert derivation.describe((read[0](value(result=3)), read[1](value(result=-1)))) is None


def test_star_of_a_join_names_what_matters_of_every_source() -> None:
    derivation = derivation_of(f"SELECT * {PAIR} {CHOICE}")
    assert derivation.columns == ()
    assert derivation.column_names == (
        *("l.name", "l.phenomenonTime", "l.result"),
        *("r.name", "r.phenomenonTime", "r.result"),
    )
    assert results_of(derivation, value(result=1), value(result=2)) == []


BASE = f"SELECT l.result + r.result AS x {PAIR} {CHOICE}"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (BASE.replace("AS x", "AS y UNIT 'W'").replace("+", "*"), True),
        (BASE + " AND l.result > 3 TIME LATER", True),
        (BASE + ";", True),
        (BASE.replace("1 s", "1000 ms"), True),
        (BASE.replace("1 s", "2 s"), False),
        (BASE.replace("%Torque", "%Power"), False),
        (BASE.replace("ON l.thing = r.thing", ""), False),
        (BASE + " MAX LATENCY 1 s", False),
        (BASE + " LATENESS 1 s", False),
        (BASE + " AND l.flag = TRUE", False),
        (BASE + " TIME MEAN", True),
        (BASE.replace(f"JOIN {SYSTEM}", "JOIN a.bb.cc.dd"), False),
    ],
)
def test_the_fingerprint_tells_whether_remembered_records_are_still_of_use(other: str, same: bool) -> None:
    assert (derivation_of(BASE).fingerprint == derivation_of(other).fingerprint) is same
