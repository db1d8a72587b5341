"""A weather station: replays the hourly temperatures of one city as live records.

Run it with `python -m demo_applications.weather_service.station --city seattle --speed 3600`.

What lives here: the command line and the loop that produces. What does not: the data (`replay`).

Each record says when it was sent (`phenomenonTime`, the wall clock, so that the stream behaves like a live
one) and, as the additional attribute `recordedAt`, to which hour of the data set its temperature belongs.
"""

import argparse
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from client.digital_twin_client import DigitalTwinClient
from client.errors import ConfigurationError
from demo_applications.lifetime import Connection, run_program, show_log, stop_on_signals
from demo_applications.programs import STATIONS
from demo_applications.weather_service.replay import (
    City,
    HourlyTemperature,
    data_file,
    endless,
    first_hour,
    interval_s,
    read_temperatures,
)

QUANTITY = "temperature"
CLIENT_NAMES = {City.SEATTLE: "weatherstation_1", City.SAN_FRANCISCO: "weatherstation_2"}


@dataclass(frozen=True, slots=True)
class Station:
    """One station.

    Attributes:
        city: Whose temperatures it sends.
        hours: The hours left to send, endless; kept over a reconnection, so the replay goes on where it was.
        interval_s: Time between two records [s].
    """

    city: City
    hours: Iterator[HourlyTemperature]
    interval_s: float

    def work(self, client: DigitalTwinClient, stop: threading.Event) -> None:
        """Register the station and produce until told to stop.

        Args:
            client: A connected client.
            stop: Ends the loop.

        Raises:
            DigitalTwinError: The registration or a delivery failed.
        """
        client.register(instance_file(self.city))
        client.logger.info("The station %s sends a temperature every %g s", self.city, self.interval_s)
        due = time.monotonic()
        while not stop.is_set():
            self.send(client, next(self.hours))
            # The next moment is counted from the last one due, so the pace does not drift.
            due = max(due + self.interval_s, time.monotonic() - self.interval_s)
            stop.wait(max(0.0, due - time.monotonic()))

    @staticmethod
    def send(client: DigitalTwinClient, hour: HourlyTemperature) -> None:
        """Produce one hour of the data set as a live record.

        Args:
            client: A client that has registered the station.
            hour: What to send.
        """
        client.produce(
            quantity=QUANTITY,
            result=hour.temperature,
            timestamp=datetime.now(UTC),
            recordedAt=hour.recorded_at.isoformat(),
        )


def instance_file(city: City) -> Path:
    """Return the instance file of a city's station.

    Args:
        city: One of the two cities.

    Returns:
        Path of the file beside this module.
    """
    return Path(__file__).parent / city.value.replace("-", "_") / "instances.json"


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments: Arguments without the program's name; None for those of the process.

    Returns:
        `city`, `speed` and `start` (month, day).
    """
    parser = argparse.ArgumentParser(
        prog="station", description="Replay hourly temperatures as live records."
    )
    parser.add_argument("--city", type=City, choices=list(City), required=True)
    parser.add_argument(
        "--speed",
        type=float,
        default=3600.0,
        help="hours of the data set per hour; 3600 = one record per second",
    )
    parser.add_argument(
        "--start",
        type=_month_and_day,
        default=(1, 1),
        metavar="MM-DD",
        help="day of the data set to begin with",
    )
    return parser.parse_args(arguments)


def _month_and_day(text: str) -> tuple[int, int]:
    """Read `MM-DD`; the year 2000 lets 29 February pass."""
    day = datetime.fromisoformat(f"2000-{text}")
    return day.month, day.day


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a station until SIGINT or SIGTERM.

    Args:
        arguments: Arguments without the program's name; None for those of the process.

    Returns:
        Exit code: 0 after a clean stop, 1 after a failure, 2 for a wrong option.
    """
    options = parse_arguments(arguments)
    show_log()
    try:
        pace_s = interval_s(options.speed)
        hours = read_temperatures(data_file(options.city))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    station = Station(options.city, endless(hours, first_hour(hours, *options.start)), pace_s)
    connection = Connection.from_environment()
    return run_program(
        lambda: connection.open(CLIENT_NAMES[station.city], STATIONS, "recordedAt"),
        station.work,
        stop_on_signals(),
    )


if __name__ == "__main__":
    sys.exit(main())
