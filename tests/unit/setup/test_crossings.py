import json
from typing import cast

import pytest
from confluent_kafka import Message

from setup.crossings import CrossingWatch

STATIONS = "is.iceland.iot4cps-wp5-WeatherService.Stations"
SERVICES = "is.iceland.iot4cps-wp5-WeatherService.Services"
CAR = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
KEY = f"{STATIONS}.Seattle.Air Temperature".encode()
VALUE = json.dumps({"phenomenonTime": "2026-01-02T03:04:05Z", "result": 3.14159}).encode()


class Record:
    """Stands for a record that was read."""

    def __init__(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._content = (topic, key, value)

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return self._content[0]

    def key(self) -> bytes | None:
        return self._content[1]

    def value(self) -> bytes | None:
        return self._content[2]


@pytest.fixture
def watch() -> CrossingWatch:
    """A watch that has not connected to anything, and knows one unit."""
    fresh = CrossingWatch.__new__(CrossingWatch)
    fresh._units = {KEY.decode(): "°C"}
    return fresh


def test_a_crossing_tells_name_value_unit_and_way(watch: CrossingWatch) -> None:
    crossing = watch._crossing(cast("Message", Record(f"{CAR}.ext", KEY, VALUE)))
    assert crossing is not None
    assert crossing.text() == (
        "Seattle Air Temperature = 3.14 °C at 2026-01-02T03:04:05Z   is.iceland Stations → cz.icecars Car1"
    )


@pytest.mark.parametrize("result", [0, 0.0, False, ""])
def test_a_falsy_result_is_a_result(watch: CrossingWatch, result: object) -> None:
    value = json.dumps({"phenomenonTime": "t", "result": result}).encode()
    assert watch._crossing(cast("Message", Record(f"{CAR}.ext", KEY, value))) is not None


def test_a_record_that_stays_in_its_company_is_no_crossing(watch: CrossingWatch) -> None:
    assert watch._crossing(cast("Message", Record(f"{SERVICES}.ext", KEY, VALUE))) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, VALUE),
        (KEY, None),
        (b"\xff\xfe", VALUE),
        (b"short.name", VALUE),
        (KEY, b"not json"),
        (KEY, b"[]"),
        (KEY, b"{}"),
    ],
)
def test_what_cannot_be_understood_is_not_shown(
    watch: CrossingWatch, key: bytes | None, value: bytes | None
) -> None:
    assert watch._crossing(cast("Message", Record(f"{CAR}.ext", key, value))) is None
