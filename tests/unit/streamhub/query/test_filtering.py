import json
import math
import time

import pytest

from streamhub.query import compile_filter
from streamhub.query.execution import statement as statement_module

KEY = b"at.srfg.Mill.M1.Spindle.Air Temperature"
BEGINNING = "SELECT * FROM * WHERE "


def matches(condition: str, **record: object) -> bool:
    return compile_filter(BEGINNING + condition).matches(KEY.decode(), record)


def value_of(expression: str, record: bytes = b"{}", key: bytes = KEY) -> object:
    projected = compile_filter(f"SELECT {expression} AS v FROM *").project(key, record)
    return json.loads(projected)["v"]


def test_the_key_alone_decides_without_looking_at_values() -> None:
    compiled = compile_filter(BEGINNING + "thing = 'Spindle' AND system = 'at.srfg.Mill.M1'")
    decision = compiled.filter_batch([KEY, b"at.srfg.Mill.M2.Spindle.X"], [b"no json", None])
    assert not compiled.needs_value
    assert decision.accepted == [0]
    assert decision.rejected == []


def test_values_are_not_parsed_where_the_key_says_no() -> None:
    compiled = compile_filter(BEGINNING + f"name = '{KEY.decode()}' AND result < 4")
    decision = compiled.filter_batch([b"other", KEY, KEY], [b"no json", b'{"result": 3}', b'{"result": 5}'])
    assert compiled.needs_value
    assert (decision.accepted, decision.rejected) == ([1], [])


def test_no_condition_accepts_everything_unseen() -> None:
    decision = compile_filter("SELECT * FROM *").filter_batch([None, b"\xff"], [None, b"\xff"])
    assert decision.accepted == [0, 1]


def test_each_key_may_have_its_own_threshold() -> None:
    compiled = compile_filter(
        BEGINNING + "(name = 'a' AND result > 1) OR (name = 'b' AND result > 2) OR name = 'c'"
    )
    keys = [b"a", b"b", b"a", b"c", b"d", b"b"]
    values = [b'{"result":%d}' % result for result in (2, 2, 1, 0, 9, 3)]
    assert compiled.filter_batch(keys, values).accepted == [0, 3, 5]
    assert compiled.filter_batch(keys, values).accepted == [0, 3, 5]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "record.empty_value"),
        (b"", "record.empty_value"),
        (b"NaN", "record.not_json"),
        (b'{"result": NaN}', "record.not_json"),
        (b'{"result": -Infinity}', "record.not_json"),
        (b'{"result": 1', "record.not_json"),
        (b'{"result": 1}}', "record.not_json"),
        (b'{"result": 1}\x00', "record.not_json"),
        (b"\xef\xbb\xbf{}", "record.not_json"),
        (b'{"a": "\x00", "result": 1}', "record.not_json"),
        (b"[1, 2]", "record.not_object"),
        (b"17", "record.not_object"),
        (b"null", "record.not_object"),
        (b'{"result": 1e999}', "record.number_out_of_range"),
        (b'{"result": ' + b"9" * 5000 + b"}", "record.number_out_of_range"),
        (b'{"result": "\xff"}', "record.not_utf8"),
        (b'{"result": 1, "other": "\xff\xfe"}', "record.not_utf8"),
        (b'{"result": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "record.nested_too_deep"),
        (b'{"other": ' + b'{"a":' * 100_000, "record.nested_too_deep"),
    ],
)
def test_a_value_that_cannot_be_used_is_rejected_and_the_rest_goes_on(value: bytes | None, code: str) -> None:
    compiled = compile_filter(BEGINNING + "result < 4")
    decision = compiled.filter_batch([KEY] * 3, [b'{"result":1}', value, b'{"result":2}'])
    assert decision.accepted == [0, 2]
    assert [(index, found) for index, found, _ in decision.rejected] == [(1, code)]
    assert decision.rejected[0][2]


def test_a_key_that_is_not_utf8_is_rejected_when_the_key_is_looked_at() -> None:
    compiled = compile_filter(BEGINNING + "name = 'x' OR result = 1")
    decision = compiled.filter_batch([b"\xff", b"x", b"\xff"], [b'{"result":1}'] * 3)
    assert decision.accepted == [1]
    assert [(index, code) for index, code, _ in decision.rejected] == [
        (0, "record.key_not_utf8"),
        (2, "record.key_not_utf8"),
    ]


def test_what_does_not_fit_is_false_and_counted() -> None:
    compiled = compile_filter(BEGINNING + "result > 3")
    values = [b'{"result":"x"}', b'{"result":true}', b'{"result":null}', b"{}", b'{"result":[4]}']
    decision = compiled.filter_batch([KEY] * 5, values)
    assert (decision.accepted, decision.mismatches, decision.missing) == ([], 3, 2)
    again = compiled.filter_batch([KEY], [b"{}"])
    assert (again.mismatches, again.missing) == (0, 1)


def test_a_missing_key_counts_for_each_record() -> None:
    decision = compile_filter(BEGINNING + "thing = 'x'").filter_batch([None, b"too.short", None], [None] * 3)
    assert (decision.accepted, decision.missing) == ([], 3)


def test_not_of_a_comparison_that_does_not_fit_is_true_but_a_negated_operator_is_not() -> None:
    assert matches("NOT result = 5")
    assert not matches("result <> 5")
    assert not matches("result NOT IN (5)")
    assert not matches("result NOT BETWEEN 1 AND 5")
    assert not matches("unit NOT LIKE '%'")


@pytest.mark.parametrize(
    ("condition", "result", "verdict"),
    [
        ("result = 12.3", 12.3 + 5e-8, True),
        ("result <> 12.3", 12.3 + 5e-8, False),
        ("result < 12.3", 12.3 - 5e-8, False),
        ("result <= 12.3", 12.3 + 5e-8, True),
        ("result > 12.3", 12.3 + 5e-8, False),
        ("result >= 12.3", 12.3 - 5e-8, True),
        ("12.3 > result", 12.3 - 2e-7, True),
        ("result = 9007199254740993", 9007199254740993, True),
        ("result = 9007199254740993", 9007199254740992, False),
        ("result < 1e17", 1e17, False),
        ("result > 5", 10**400, True),
        ("result * 2 > 5", 10**400, False),
        ("result IN (1, 2.5)", 2.5, True),
        ("result NOT IN (1, 2.5)", 2.5, False),
        ("result BETWEEN 2 AND 1", 1.5, False),
        ("result = TRUE", True, True),
        ("result = 1", True, False),
        ("result <> 'x'", "y", True),
        ("result IN ('x', 'y')", "y", True),
        ("result % 0 = 0", 3, False),
        ("1 / result > 0", 0, False),
        ("ln(result) > 0", -1, False),
        ("result ^ 1000 > 0", 1e10, False),
        ("(0 - result) ^ 0.5 > 0", 2, False),
        ("result IS NULL", None, True),
        ("result IS NOT NULL", 0, True),
        ("result + 1 IS NULL", None, True),
        ("coalesce(result, 7) = 7", None, True),
        ("coalesce(result + 1, 7) = 7", None, True),
        ("coalesce(1 / result, 7) = 7", 0, False),
    ],
)
def test_comparisons_of_values(condition: str, result: object, verdict: bool) -> None:
    assert matches(condition, result=result) is verdict


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ("time = '2020-02-24T11:26:02Z'", True),
        ("phenomenonTime = '2020-02-24T12:26:02+01:00'", True),
        ("time < '2020-02-24T11:26:02.5Z'", True),
        ("'2020' <= time", True),
        ("time BETWEEN '2020-02' AND '2020-03'", True),
        ("time IN ('2020-02-24T11:26:02Z')", True),
        ("time < resultTime", True),
        ("time < other", True),
        ("time > wrong", False),
        ("year(time) = 2020 AND month(time) = 2 AND day(time) = 24", True),
        ("hour(time) = 11 AND minute(time) = 26 AND second(time) = 2", True),
        ("time LIKE '2020-02-%'", True),
    ],
)
def test_times_compare_as_instants(condition: str, verdict: bool) -> None:
    record = {
        "phenomenonTime": "2020-02-24T11:26:02",
        "resultTime": "2020-02-24T11:26:03Z",
        "other": "2020-02-24T11:26:02.000001Z",
        "wrong": "24.2.2020",
    }
    assert matches(condition, **record) is verdict


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("abs(-3)", 3),
        ("round(2.5)", 3),
        ("round(-2.5)", -3),
        ("round(1.257, 2)", 1.26),
        ("floor(-1.5)", -2),
        ("ceil(1.2)", 2),
        ("sqrt(16)", 4),
        ("exp(0)", 1),
        ("ln(exp(2))", 2),
        ("log10(1000)", 3),
        ("sin(pi() / 2)", 1),
        ("cos(0)", 1),
        ("tan(0)", 0),
        ("degrees(atan2(1, 1))", 45),
        ("asin(1) + acos(1) + atan(0)", math.pi / 2),
        ("sin(radians(30))", 0.5),
        ("min(3, 1, 2)", 1),
        ("max(3, 1, 2)", 3),
        ("pos(-2) + pos(3)", 3),
        ("neg(-2) + neg(3)", -2),
        ("sign(-7)", -1),
        ("power(2, 10)", 1024),
        ("PI()", math.pi),
        ("length('äö')", 2),
        ("upper('aä')", "AÄ"),
        ("lower('AÄ')", "aä"),
        ("coalesce(nothing, 5)", 5),
        ("year('2020-02-24')", 2020),
        ("distance_m(47.8, 13.04, 47.8, 13.04)", 0),
        ("distance_m(0, 0, 0, 90)", math.pi / 2 * 6_371_008.8),
        ("distance_m(0, 179.5, 0, -179.5)", math.pi / 180 * 6_371_008.8),
    ],
)
def test_functions_compute(expression: str, expected: object) -> None:
    found = value_of(expression)
    assert found == (expected if isinstance(expected, str) else pytest.approx(expected, abs=1e-6))


def test_distance_uses_the_attributes_of_a_record() -> None:
    record = {"latitude": 47.8, "longitude": 13.04}
    assert matches("distance_m(latitude, longitude, 47.81, 13.04) BETWEEN 1000 AND 1200", **record)
    assert not matches("distance_m(latitude, longitude, 47.81, 13.04) > 0", latitude=91, longitude=0)


@pytest.mark.parametrize(
    ("pattern", "text", "verdict"),
    [
        ("Station%", "Station_1", True),
        ("%1", "Station_1", True),
        ("%tion%", "Station_1", True),
        ("St_tion\\_1", "Station_1", True),
        ("St_tion\\_1", "Station-1", False),
        ("", "", True),
        ("", "x", False),
        ("%", "", True),
        ("a%a", "a", False),
        ("a%a", "aa", True),
        ("%a_%b", "xaxb", True),
        (".*", "x", False),
        ("a%", "a\nb", True),
        ("a_c", "a\nc", True),
        ("a", "a\n", False),
        ("a\\", "a\\", True),
    ],
)
def test_like_knows_two_wildcards_and_an_escape(pattern: str, text: str, verdict: bool) -> None:
    assert matches(f"result LIKE '{pattern}'", result=text) is verdict


def test_like_cannot_be_made_slow() -> None:
    begun = time.process_time()
    assert not matches("result LIKE '" + "%a" * 50 + "%b'", result="a" * 20_000)
    assert time.process_time() - begun < 2


def test_columns_are_written_by_name_and_time_and_datastream_stay() -> None:
    compiled = compile_filter(
        "SELECT name, result * 2 AS twice UNIT 'W', quality, result FROM * WHERE result > 1"
    )
    value = b'{"phenomenonTime":"2020-01-01T00:00:00Z","result":1.50,"Datastream":{"@iot.id":7},"x":1}'
    assert compiled.projects
    assert compiled.project(KEY, value) == (
        b'{"phenomenonTime":"2020-01-01T00:00:00Z","Datastream":{"@iot.id":7},'
        b'"name":"at.srfg.Mill.M1.Spindle.Air Temperature","twice":3.0,"quality":null,"result":1.5}'
    )


def test_a_column_without_a_name_is_called_as_it_is_written() -> None:
    compiled = compile_filter("SELECT result  *  (2+1) FROM *")
    assert json.loads(compiled.project(KEY, b'{"result":2}')) == {"result * (2 + 1)": 6.0}


def test_columns_keep_whole_numbers_beyond_64_bits() -> None:
    assert compile_filter("SELECT result FROM *").project(KEY, b'{"result":%d}' % 10**400) == (
        b'{"result":%d}' % 10**400
    )


def test_projecting_statements_reject_what_they_could_not_write() -> None:
    compiled = compile_filter("SELECT result FROM * WHERE thing = 'Spindle'")
    assert compiled.needs_value
    decision = compiled.filter_batch([KEY, KEY, b"other"], [b"{}", b"no json", b"no json"])
    assert decision.accepted == [0]
    assert [index for index, *_ in decision.rejected] == [1]


def test_star_has_nothing_to_project() -> None:
    with pytest.raises(TypeError, match="forwards"):
        compile_filter("SELECT * FROM *").project(KEY, b"{}")


def test_texts_of_users_never_become_code() -> None:
    nasty = "'); raise SystemExit #"
    quoted = nasty.replace("'", "''")
    assert matches(f"result = '{quoted}' AND \"{nasty}\" = 1", **{"result": nasty, nasty: 1})


def test_a_thousand_alternatives_and_parities_compile_and_run() -> None:
    several = " OR ".join(f"(result = {index} AND quality = 'q{index}')" for index in range(500))
    assert matches(several, result=499, quality="q499")
    assert matches(" XOR ".join(f"result = {index}" for index in range(500)), result=7)


def test_the_memory_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_module, "_MAX_REMEMBERED_BYTES", 2_100)
    monkeypatch.setattr(statement_module, "_MAX_RESIDUALS", 3)
    alternatives = " OR ".join(f"(name = 'k{index}' AND result = {index})" for index in range(20))
    compiled = compile_filter(BEGINNING + alternatives)
    keys: list[bytes | None] = [b"k%d" % (index % 50) for index in range(500)]
    values: list[bytes | None] = [b'{"result":%d}' % (index % 50) for index in range(500)]
    for _ in range(2):
        decision = compiled.filter_batch(keys, values)
        assert decision.accepted == [index for index in range(500) if index % 50 < 20]
    assert len(compiled._remembered) <= 10
    assert len(compiled._residuals) <= 3


def test_keys_may_be_left_out_when_they_are_not_looked_at() -> None:
    compiled = compile_filter(BEGINNING + "result < 4")
    assert not compiled.needs_key
    decision = compiled.filter_batch((), [b'{"result":3}', b'{"result":5}', b"no json"])
    assert (decision.accepted, [index for index, *_ in decision.rejected]) == ([0], [2])


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM * WHERE thing = 'Spindle'",
        "SELECT * FROM * WHERE result < 4 OR name LIKE '%x'",
        "SELECT name FROM *",
    ],
)
def test_a_statement_that_looks_at_the_key_says_so(statement: str) -> None:
    assert compile_filter(statement).needs_key
