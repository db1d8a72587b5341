"""The replay of the hourly temperatures."""

from datetime import datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path

import pytest

from client.errors import ConfigurationError
from demo_applications.weather_service import replay
from demo_applications.weather_service.replay import (
    PACIFIC_STANDARD_TIME,
    City,
    HourlyTemperature,
    celsius_from_fahrenheit,
    data_file,
    endless,
    first_hour,
    interval_s,
    read_temperatures,
)


def _hour(month: int, day: int, hour: int = 0) -> HourlyTemperature:
    return HourlyTemperature(datetime(2010, month, day, hour, tzinfo=PACIFIC_STANDARD_TIME), float(day))


@pytest.mark.parametrize(
    ("fahrenheit", "celsius"), [(32.0, 0.0), (212.0, 100.0), (-40.0, -40.0), (39.2, 4.0)]
)
def test_fahrenheit_becomes_celsius(fahrenheit: float, celsius: float) -> None:
    assert celsius_from_fahrenheit(fahrenheit) == pytest.approx(celsius)


@pytest.mark.parametrize(
    ("city", "first", "lowest"), [(City.SEATTLE, 4.11, 3.06), (City.SAN_FRANCISCO, 8.78, 7.56)]
)
def test_the_data_set_of_a_city_has_all_hours_but_one(city: City, first: float, lowest: float) -> None:
    hours = read_temperatures(data_file(city))

    assert len(hours) == 365 * 24 - 1
    assert hours[0] == HourlyTemperature(datetime(2010, 1, 1, tzinfo=PACIFIC_STANDARD_TIME), first)
    assert min(hour.temperature for hour in hours) == lowest
    steps = [later.recorded_at - earlier.recorded_at for earlier, later in pairwise(hours)]
    assert steps.count(timedelta(hours=1)) == len(steps) - 1
    assert steps.count(timedelta(hours=2)) == 1


def test_a_column_order_and_a_date_with_slashes_do_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "city.csv"
    file.write_text("temp,date\n50,2010/02/03 04:00\n", encoding="utf-8")

    assert read_temperatures(file) == (
        HourlyTemperature(datetime(2010, 2, 3, 4, tzinfo=PACIFIC_STANDARD_TIME), 10.0),
    )


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "find_spec", lambda _name: None)

    with pytest.raises(ConfigurationError, match=r"vega-datasets.*pip install"):
        data_file(City.SEATTLE)


@pytest.mark.parametrize(("speed", "interval"), [(3600.0, 1.0), (1.0, 3600.0), (360_000.0, 0.01)])
def test_the_speed_gives_the_interval(speed: float, interval: float) -> None:
    assert interval_s(speed) == pytest.approx(interval)


@pytest.mark.parametrize("speed", [0.0, -1.0, 360_001.0, float("nan"), float("inf")])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(ConfigurationError, match="out of range"):
        interval_s(speed)


def test_the_replay_starts_on_the_chosen_day() -> None:
    hours = [_hour(1, 1), _hour(1, 1, 1), _hour(3, 5), _hour(12, 31)]

    assert [first_hour(hours, *day) for day in [(1, 1), (1, 2), (3, 5), (12, 31)]] == [0, 2, 2, 3]


def test_a_day_after_the_data_set_starts_it_anew() -> None:
    assert first_hour([_hour(1, 1), _hour(3, 5)], 12, 31) == 0


def test_after_the_last_hour_comes_the_first() -> None:
    hours = [_hour(1, 1), _hour(1, 2), _hour(1, 3)]

    assert list(islice(endless(hours, start=1), 5)) == [hours[1], hours[2], hours[0], hours[1], hours[2]]
