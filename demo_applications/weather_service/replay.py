"""The hourly temperatures of a city and their replay at a chosen speed.

What lives here: reading the data set that comes with the package `vega-datasets`, the conversion to degrees
Celsius, and the order and pace of the replay. What does not: Kafka and the clock (`station`).

The data are the hourly normals of the US National Oceanic and Atmospheric Administration (public domain): for
each hour of the year the mean of thirty measured years, dated 2010 in the file. So they are real
temperatures, but of no single day. The times of the file are Pacific Standard Time all year; one
hour (14 March, 3 o'clock) is missing in it and is not invented here.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from client.errors import ConfigurationError

PACIFIC_STANDARD_TIME = timezone(timedelta(hours=-8), "PST")
SECONDS_PER_RECORD = 3600.0
"""Step of the data set [s]."""
HIGHEST_SPEED = 360_000.0
"""100 records per second: more says nothing more about temperatures."""


class City(StrEnum):
    """A city of the data set; the value is the word of the command line."""

    SEATTLE = "seattle"
    SAN_FRANCISCO = "san-francisco"

    @property
    def file_name(self) -> str:
        """Name of the file in `vega-datasets`."""
        return {City.SEATTLE: "seattle-temps.csv", City.SAN_FRANCISCO: "sf-temps.csv"}[self]


@dataclass(frozen=True, slots=True)
class HourlyTemperature:
    """One hour of the data set.

    Attributes:
        recorded_at: Time in the data set, Pacific Standard Time.
        temperature: Air temperature [degC], two decimals.
    """

    recorded_at: datetime
    temperature: float


def celsius_from_fahrenheit(fahrenheit: float) -> float:
    """Convert a temperature.

    Args:
        fahrenheit: Temperature [degF].

    Returns:
        Temperature [degC], unrounded.
    """
    return (fahrenheit - 32.0) * 5.0 / 9.0


def read_temperatures(path: Path) -> tuple[HourlyTemperature, ...]:
    """Read a file with the columns `date` and `temp` [degF], in either order.

    Args:
        path: CSV file with a header line.

    Returns:
        The hours in the order of the file.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(
            HourlyTemperature(
                recorded_at=datetime.fromisoformat(row["date"].replace("/", "-")).replace(
                    tzinfo=PACIFIC_STANDARD_TIME
                ),
                temperature=round(celsius_from_fahrenheit(float(row["temp"])), 2),
            )
            for row in csv.DictReader(lines)
        )


def data_file(city: City) -> Path:
    """Find the data of a city in the installed package `vega-datasets`.

    The file is looked up without importing the package, whose import loads pandas (1 s, 60 MB) for nothing.

    Args:
        city: One of the two cities.

    Returns:
        Path of an existing CSV file.

    Raises:
        ConfigurationError: The package is not installed or has another layout.
    """
    found = find_spec("vega_datasets")
    for folder in (found.submodule_search_locations or []) if found else []:
        path = Path(folder) / "_data" / city.file_name
        if path.is_file():
            return path
    raise ConfigurationError(
        f"The temperatures of {city} ({city.file_name}) were not found in the package vega-datasets. "
        "Install it with: pip install 'digital-twin-stack[demo]'"
    )


def interval_s(speed: float) -> float:
    """Return the time between two records of the replay.

    Args:
        speed: Hours of the data set per hour of the wall clock; 3600 gives one record per second.

    Returns:
        Interval [s].

    Raises:
        ConfigurationError: The speed is not above 0 or beyond 360,000.
    """
    if not 0 < speed <= HIGHEST_SPEED:
        raise ConfigurationError(
            f"The speed {speed:g} is out of range: choose a number above 0, at most {HIGHEST_SPEED:,.0f}; "
            "3600 replays one hour of the data set per second."
        )
    return SECONDS_PER_RECORD / speed


def first_hour(hours: Sequence[HourlyTemperature], month: int, day: int) -> int:
    """Find where a replay starts.

    Args:
        hours: The data set, ascending in time.
        month: Month, 1 to 12.
        day: Day of the month.

    Returns:
        Index of the first hour on or after that day; 0 when there is none.
    """
    for index, hour in enumerate(hours):
        if (hour.recorded_at.month, hour.recorded_at.day) >= (month, day):
            return index
    return 0


def endless(hours: Sequence[HourlyTemperature], start: int = 0) -> Iterator[HourlyTemperature]:
    """Go through the data set again and again.

    Args:
        hours: The data set, not empty.
        start: Index of the first hour returned.

    Yields:
        Hour after hour; after the last one the first.
    """
    index = start
    while True:
        yield hours[index % len(hours)]
        index += 1
