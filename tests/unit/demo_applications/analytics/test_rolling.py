"""The rolling statistics of the road analytics."""

from typing import Any

from demo_applications.analytics.rolling import WINDOW, Rolling, Statistics


def _record(name: str, result: object, symbol: str | None = "°C") -> dict[str, Any]:
    unit = {} if symbol is None else {"unitOfMeasurement": {"symbol": symbol}}
    return {"result": result, "Datastream": {"name": name, **unit}}


def test_the_table_has_a_row_per_datastream_in_order() -> None:
    statistics = Statistics()
    for record in (
        _record("b.Speed", 2.0, "m/s"),
        _record("a.Temperature", 4.5),
        _record("b.Speed", 4.0, "m/s"),
    ):
        statistics.take(record)

    rows = [line.split() for line in statistics.table().splitlines()]

    assert rows[1:] == [
        ["a.Temperature", "1", "4.5", "°C", "4.500", "4.5", "4.5"],
        ["b.Speed", "2", "4", "m/s", "3.000", "2", "4"],
    ]


def test_a_unit_that_becomes_known_later_is_shown_and_stays() -> None:
    statistics = Statistics()
    for symbol in (None, "°C", None):
        statistics.take(_record("a.Temperature", 4.5, symbol))

    assert statistics.table().splitlines()[-1].split() == [
        "a.Temperature",
        "3",
        "4.5",
        "°C",
        "4.500",
        "4.5",
        "4.5",
    ]


def test_the_columns_are_aligned() -> None:
    statistics = Statistics()
    statistics.take(_record("short", 1.0))
    statistics.take(_record("a much longer name", 123.456))

    heading, *rows = statistics.table().splitlines()

    assert {len(row) for row in rows} == {len(heading)}


def test_only_the_newest_results_enter_the_mean() -> None:
    rolling = Rolling("°C")
    for result in [100.0, *[1.0] * WINDOW]:
        rolling.take(result)

    assert rolling.cells() == (str(WINDOW + 1), "1", "°C", "1.000", "1", "1")


def test_results_that_are_no_numbers_are_counted_and_shown() -> None:
    rolling = Rolling("")
    for result in (True, "open", None):
        rolling.take(result)

    assert rolling.cells() == ("3", "None", "", "", "", "")


def test_a_falsy_result_counts() -> None:
    rolling = Rolling("°C")
    rolling.take(0)

    assert rolling.cells() == ("1", "0", "°C", "0.000", "0", "0")


def test_a_datastream_without_a_unit_has_an_empty_one() -> None:
    statistics = Statistics()
    statistics.take(_record("state", "open", symbol=None))

    assert statistics.table().splitlines()[1].split() == ["state", "1", "open"]


def test_an_empty_table_says_what_to_look_at() -> None:
    assert "stream app" in Statistics().table()
