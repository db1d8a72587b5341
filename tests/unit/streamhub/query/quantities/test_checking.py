"""Units in statements: what may meet, what it becomes, and where an error points to."""

import pytest

from streamhub.errors import QueryTypeError
from streamhub.query.parser import parse_statement
from streamhub.query.quantities import check_units, datastreams_of, depends_on_units

MILL = "at.srfg.Mill.M1"
UNITS: dict[str, str | None] = {
    f"{MILL}.Spindle.Speed": "rpm",
    f"{MILL}.Spindle.Torque": "Nm",
    f"{MILL}.Spindle.Way": "km",
    f"{MILL}.Spindle.Oil": "°C",
    f"{MILL}.Spindle.Water": "°C",
    f"{MILL}.Spindle.Steam": "°F",
    f"{MILL}.Spindle.Gas": "K",
    f"{MILL}.Spindle.Angle": "°",
    f"{MILL}.Spindle.Phase": "rad",
    f"{MILL}.Spindle.Noise": "dB",
    f"{MILL}.Spindle.Share": "%",
    f"{MILL}.Spindle.Odd": "furlongs",
    f"{MILL}.Spindle.Word": None,
}


def of(columns: str, left: str = "Speed", right: str = "Torque", more: str = "") -> str:
    """Write a join of two Datastreams of the mill on one line."""
    return (
        f"SELECT {columns} FROM {MILL} AS l JOIN {MILL} AS r "
        f"WHERE l.name = '{MILL}.Spindle.{left}' AND r.name = '{MILL}.Spindle.{right}'{more}"
    )


def check(statement: str) -> None:
    check_units(parse_statement(statement), statement, UNITS)


def refusal(statement: str) -> QueryTypeError:
    with pytest.raises(QueryTypeError) as refused:
        check(statement)
    return refused.value


@pytest.mark.parametrize(
    ("columns", "left", "right"),
    [
        ("2 * PI() / 60 * l.result * r.result AS power UNIT 'W'", "Speed", "Torque"),
        ("l.result * r.result AS power UNIT '1/min.N.m'", "Speed", "Torque"),
        ("l.result ^ 2 AS area UNIT 'km2', sqrt(l.result ^ 2) + l.result AS way UNIT 'km'", "Way", "Word"),
        ("power(l.result, 2) / l.result + 3 AS way UNIT 'km'", "Way", "Word"),
        ("l.result * 1000 AS way UNIT 'm', 1000 * l.result > 5 AS far", "Way", "Word"),
        ("l.result - r.result AS gap UNIT 'K', r.result - l.result AS other UNIT 'Cel'", "Oil", "Water"),
        ("(l.result + r.result) / 2 AS mean UNIT 'Cel'", "Oil", "Water"),
        ("0.3 * l.result + 0.7 * r.result AS mean UNIT 'Cel'", "Oil", "Water"),
        ("-(20 - l.result) AS above UNIT 'K', l.result + 5 AS warmer UNIT 'Cel'", "Oil", "Water"),
        ("(l.result - 20) * r.result AS x UNIT 'K.N.m'", "Oil", "Torque"),
        ("convert(l.result, 'Cel', 'K') - r.result AS gap UNIT 'K'", "Oil", "Gas"),
        ("convert(l.result, '[degF]', 'Cel') - r.result AS gap", "Steam", "Oil"),
        ("convert(3, 'm', 'km') + l.result AS way UNIT 'km'", "Way", "Word"),
        ("sin(radians(l.result)) AS s UNIT '1', cos(r.result) AS c, tan(1) AS t", "Angle", "Phase"),
        ("degrees(atan2(l.result, r.result)) AS a UNIT 'deg'", "Oil", "Water"),
        ("distance_m(l.latitude, l.longitude, r.latitude, r.longitude) AS d UNIT 'm'", "Oil", "Gas"),
        ("distance_m(l.result, 1, 2, 3) / 1000 AS d UNIT 'km'", "Angle", "Gas"),
        ("coalesce(l.result, r.result, 0) AS t UNIT 'Cel', max(l.result, 0) AS m UNIT 'Cel'", "Oil", "Water"),
        ("abs(l.result) + round(r.result, 1) AS t UNIT 'K'", "Gas", "Gas"),
        ("l.result % 360 AS a UNIT 'deg'", "Angle", "Gas"),
        ("l.result + r.result AS unknown UNIT 'W', l.result * 2 AS twice UNIT 'V'", "Odd", "Torque"),
        ("l.height + r.result AS known_in_part UNIT 'W'", "Odd", "Torque"),
        ("1 / l.result AS time UNIT 'min', exp(l.result / r.result) AS e", "Speed", "Speed"),
        ("2 ^ r.result AS x, l.result ^ 0.5 * l.result ^ 0.5 AS way UNIT 'km'", "Way", "Share"),
        ("l.result AS loud UNIT 'dB'", "Noise", "Torque"),
        ("hour(l.time) + 1 AS h UNIT 'h', length(l.name) AS n", "Way", "Torque"),
    ],
)
def test_these_quantities_meet(columns: str, left: str, right: str) -> None:
    check(of(columns, left, right))


@pytest.mark.parametrize(
    ("columns", "left", "right", "place", "message"),
    [
        ("l.result - r.result AS g", "Oil", "Gas", "r.result", "'Cel' (temperature), but r.result is in 'K'"),
        ("l.result + r.result AS g", "Oil", "Gas", "r.result", "expected convert(r.result, 'K', 'Cel')"),
        ("l.result % r.result AS g", "Oil", "Gas", "r.result", "but r.result is in 'K'"),
        ("l.result - r.result AS g", "Oil", "Steam", "r.result", "convert(r.result, '[degF]', 'Cel')"),
        ("min(l.result, 3, r.result) AS g", "Oil", "Gas", "r.result", "but r.result is in 'K'"),
        ("coalesce(l.result, r.result) AS g", "Way", "Gas", "r.result", "'km' (length), but r.result"),
        ("atan2(l.result, r.result) AS g", "Way", "Gas", "r.result", "'km' (length), but r.result"),
        ("2 * l.result AS g", "Oil", "Gas", "2", "expected convert(l.result, 'Cel', 'K')"),
        ("l.result * r.result AS g", "Way", "Oil", "r.result", "expected convert(r.result, 'Cel', 'K')"),
        ("l.result * l.height AS g", "Oil", "Oil", "l.result", "expected convert(l.result, 'Cel', 'K')"),
        ("l.result + r.result AS g", "Oil", "Water", "l.result +", "it is no factor or sum"),
        ("l.result ^ 2 AS g", "Oil", "Gas", "l.result", "expected convert(l.result, 'Cel', 'K')"),
        ("abs(l.result + r.result) AS g", "Oil", "Water", "l.result +", "it is no factor or sum"),
        ("l.result * r.result AS g", "Noise", "Way", "l.result *", "'dB' cannot be multiplied"),
        ("l.result AS g UNIT 'K'", "Oil", "Gas", "'K'", "expected convert(l.result, 'Cel', 'K')"),
        ("l.result AS g UNIT 'm'", "Way", "Gas", "'m'", "l.result is in 'km', not in 'm'"),
        ("l.result * r.result AS p UNIT 'W'", "Speed", "Torque", "'W'", "is in '1/min.(N.m)', not in 'W'"),
        (
            "2 * l.result * r.result AS p UNIT 'm'",
            "Speed",
            "Torque",
            "'m'",
            "'m' is length, but 2 * l.result * r.result is in '1/min.(N.m)' (length2.mass.time-3)",
        ),
        ("sin(l.result) AS s", "Angle", "Gas", "l.result", "expected radians(l.result)"),
        ("cos(l.result) AS s", "Way", "Gas", "l.result", "cos() takes 'rad'; l.result is in 'km'"),
        ("distance_m(l.result, 1, 2, 3) AS d", "Phase", "Gas", "l.result", "distance_m() takes 'deg'"),
        ("convert(l.result, 'K', 'Cel') AS t", "Oil", "Gas", "'K'", "l.result is in 'Cel', not in 'K'"),
        ("convert(l.result, 'K', 'm') AS t", "Gas", "Gas", "'m'", "temperature is not length"),
        ("convert(l.result, 'degC', 'K') AS t", "Oil", "Gas", "'degC'", "write 'Cel'"),
        ("2 ^ l.result AS x", "Way", "Gas", "l.result", "an exponent has no unit; l.result is in 'km'"),
        ("l.result ^ r.result AS x", "Way", "Share", "l.result", "the exponent of a value in 'km' must be"),
        ("3 AS three UNIT 'Watt'", "Way", "Gas", "'Watt'", "'Watt' is no UCUM unit"),
        (
            "l.result ^ 90 ^ 90 AS x, power(l.result ^ 90, 90) AS y",
            "Way",
            "Gas",
            "l.result",
            "must be a number",
        ),
        ("power(power(l.result, 90), 90) AS y", "Way", "Gas", "power", "too large to be a unit"),
    ],
)
def test_these_do_not_and_the_place_is_that_of_the_operand(
    columns: str, left: str, right: str, place: str, message: str
) -> None:
    statement = of(columns, left, right)
    error = refusal(statement)
    assert message in str(error)
    assert (error.line, error.column) == (1, statement.index(place) + 1)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        (" AND l.result > r.result", "r.result"),
        (" AND (l.height = 2 OR NOT l.result = r.result)", "r.result"),
        (" AND l.result BETWEEN 3 AND r.result", "r.result"),
        (" AND l.result NOT IN (1, 2, r.result)", "r.result"),
        (" AND r.result * 0 IS NOT NULL AND l.result - r.result > 0", "l.result"),
    ],
)
def test_comparisons_are_checked_wherever_they_stand(more: str, place: str) -> None:
    statement = of("l.result AS oil", "Gas", "Oil", more)
    error = refusal(statement)
    assert "'K'" in str(error) or "convert(r.result" in str(error)
    assert error.column >= statement.index(place, statement.index(" AND r.name")) + 1


def test_the_place_is_right_on_a_later_line_too() -> None:
    statement = of("l.result AS a,\n  l.result AS b UNIT 'm'", "Gas", "Oil")
    error = refusal(statement)
    assert (error.line, error.column) == (2, 22)
    assert error.render().splitlines()[1:] == [
        "  " + statement.splitlines()[1][:100] + "…",
        "  " + " " * 21 + "^",
    ]


def test_mixed_units_are_refused_where_one_is_needed_and_two_are_named() -> None:
    statement = f"SELECT result * 2 AS twice UNIT 'N.m' FROM {MILL} WHERE thing = 'Spindle'"
    error = refusal(statement)
    assert f"in 1/min ('{MILL}.Spindle.Speed') and in N.m ('{MILL}.Spindle.Torque')" in str(error)
    assert error.column == 8
    refusal(f"SELECT result AS r UNIT 'N.m' FROM {MILL}")
    refusal(f"SELECT convert(result, 'N.m', 'J') AS r FROM {MILL}")
    refusal(f"SELECT sin(result) AS r FROM {MILL}")
    refusal(f"SELECT l.result AS x FROM {MILL} AS l JOIN {MILL} AS r WHERE l.result > r.result")
    check(f"SELECT * FROM {MILL} WHERE result < 4 OR abs(result) IN (1, 2)")


@pytest.mark.parametrize(
    "condition",
    [
        "name LIKE '%.Torque'",
        f"name = '{MILL}.Spindle.Torque' AND result > 3",
        f"(name = '{MILL}.Spindle.Torque' AND result > 3) OR (name = 'other' AND height = 2)",
        "name IN ('x', 'at.srfg.Mill.M1.Spindle.Torque') AND system = 'at.srfg.Mill.M1'",
        "NOT (name < 'at.srfg.Mill.M1.Spindle.To' OR name > 'at.srfg.Mill.M1.Spindle.Tp')",
    ],
)
def test_conditions_on_the_key_choose_the_datastreams(condition: str) -> None:
    for text in (f"SELECT * FROM {MILL} WHERE {condition}", f"SELECT * FROM * WHERE {condition}"):
        tree = parse_statement(text)
        assert datastreams_of(tree, tree.sources[0], UNITS) == [f"{MILL}.Spindle.Torque"]
    check(f"SELECT result * 2 AS twice UNIT 'N.m' FROM {MILL} WHERE {condition}")


def test_each_source_of_a_join_has_its_own_datastreams() -> None:
    tree = parse_statement(of("l.result AS x", "Oil", "Gas", " AND r.thing = 'Spindle' AND l.height > 3"))
    first, second = tree.streams
    assert datastreams_of(tree, first, UNITS) == [f"{MILL}.Spindle.Oil"]
    assert datastreams_of(tree, second, UNITS) == [f"{MILL}.Spindle.Gas"]


def test_another_system_has_none_of_them() -> None:
    tree = parse_statement("SELECT * FROM at.srfg.Mill.M11")
    assert datastreams_of(tree, tree.sources[0], UNITS) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (f"SELECT * FROM {MILL} WHERE result < 4 AND name = 'x'", False),
        (f"SELECT l.height - r.height AS h UNIT 'm' FROM {MILL} AS l JOIN {MILL} AS r", False),
        (of("distance_m(l.a, l.b, r.a, r.b) AS d UNIT 'm'"), False),
        (of("l.result - r.result AS d"), True),
        (of("l.result AS d UNIT 'm'"), True),
        (of("l.height AS h", more=" AND l.result > r.result"), True),
        (f"SELECT result AS r UNIT 'm' FROM {MILL}", True),
    ],
)
def test_a_statement_tells_whether_units_matter_to_it(statement: str, expected: bool) -> None:
    assert depends_on_units(parse_statement(statement), statement) is expected


def test_codes_are_judged_without_any_catalogue() -> None:
    statement = f"SELECT height AS h UNIT 'metres' FROM {MILL}"
    with pytest.raises(QueryTypeError, match="write 'm'"):
        depends_on_units(parse_statement(statement), statement)
