"""The simulated weather around a car."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean, pstdev

import pytest

from demo_applications.car_fleet.temperature import REFERENCE_HEIGHT_M, TemperatureModel

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def _calm() -> TemperatureModel:
    return TemperatureModel(seed=1, mean=4.0, day_amplitude=2.5, wander=0.0)


def test_the_same_seed_gives_the_same_weather() -> None:
    first, second = TemperatureModel(seed=3), TemperatureModel(seed=3)
    moments = [NOON + timedelta(seconds=step) for step in range(30)]

    assert [first.at(m, 500.0, 1.0) for m in moments] == [second.at(m, 500.0, 1.0) for m in moments]


@pytest.mark.parametrize(("hour", "expected"), [(15, 6.5), (3, 1.5), (9, 4.0), (21, 4.0)])
def test_afternoon_is_warm_and_night_is_cold(hour: int, expected: float) -> None:
    moment = NOON.replace(hour=hour)

    assert _calm().at(moment, REFERENCE_HEIGHT_M, 1.0) == pytest.approx(expected)


def test_a_hundred_metres_up_it_is_two_thirds_of_a_degree_colder() -> None:
    low = _calm().at(NOON, REFERENCE_HEIGHT_M, 1.0)
    high = _calm().at(NOON, REFERENCE_HEIGHT_M + 100.0, 1.0)

    assert low - high == pytest.approx(0.65, abs=0.011)


@pytest.mark.parametrize("step_s", [1.0, 60.0, 3600.0])
def test_the_weather_wanders_as_far_as_told_at_any_step(step_s: float) -> None:
    model = TemperatureModel(seed=5, day_amplitude=0.0, wander=1.5, memory_s=30.0)
    readings = [model.at(NOON, REFERENCE_HEIGHT_M, step_s) for _ in range(20_000)]

    assert mean(readings) == pytest.approx(4.0, abs=0.2)
    assert pstdev(readings) == pytest.approx(1.5, rel=0.1)


def test_the_weather_does_not_jump_within_a_second() -> None:
    model = TemperatureModel(seed=5)
    readings = [model.at(NOON, REFERENCE_HEIGHT_M, 1.0) for _ in range(1000)]

    assert max(abs(a - b) for a, b in pairwise(readings)) < 1.0
