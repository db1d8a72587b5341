"""A car: drives a track, produces what its sensors say and listens to the weather.

Run it with `python -m demo_applications.car_fleet.car --car 1`.

What lives here: the two loops, one that produces and one that consumes, and the warning. What does not:
motion (`drive`), geometry (`track`) and weather (`temperature`).
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Protocol

from client.digital_twin_client import DigitalTwinClient
from client.errors import DigitalTwinError
from client.messaging.topics import SystemName
from client.metadata.instances import read_mappings
from demo_applications.car_fleet.drive import Drive
from demo_applications.car_fleet.temperature import TemperatureModel
from demo_applications.car_fleet.track import Track, read_track
from demo_applications.lifetime import Connection, run_program, show_log, stop_on_signals, write_line
from demo_applications.programs import CAR_1, CAR_2

FOLDER = Path(__file__).parent
SYSTEMS = {1: CAR_1, 2: CAR_2}
ATTRIBUTES = "longitude,latitude,attitude"
CENTRAL_EUROPEAN_TIME = timezone(timedelta(hours=1), "CET")
"""The clock of the temperature model's day; winter time, as the model is of a winter day."""
SLIPPERY_BELOW = 4.0
"""Air temperature below which the car warns [degC]: the car industry's usual warning of ice."""
WARNING_LASTS_S = 30.0
"""So long a driver stays careful after the last report of cold [s]: warm reports may be filtered out."""
CONSUME_WAIT_S = 1.0


class Line(Protocol):
    """A way for records between a car and the stack."""

    def produce(
        self,
        *,
        quantity: str,
        result: float,
        timestamp: datetime,
        longitude: float,
        latitude: float,
        attitude: float,
    ) -> object:
        """Send one reading, with where the car was [deg, deg, m]."""

    def consume(self, timeout: float) -> Sequence[Mapping[str, Any]]:
        """Return records that others share with the car; waits for the first one so long [s]."""


@dataclass(slots=True)
class Car:
    """One car of the fleet.

    Attributes:
        number: 1 or 2.
        drive: Its motion.
        weather: Its thermometer.
        interval_s: Time between two readings [s].
        by_mqtt: Whether it speaks MQTT once its Things and Datastreams are registered.
    """

    number: int
    drive: Drive
    weather: TemperatureModel
    interval_s: float = 1.0
    by_mqtt: bool = False

    def work(self, client: DigitalTwinClient, stop: threading.Event) -> None:
        """Register, subscribe, then produce and consume in two threads until told to stop.

        Args:
            client: A connected client.
            stop: Ends both loops.

        Raises:
            DigitalTwinError: The registration, the subscription or a delivery failed.
        """
        folder = FOLDER / f"car_{self.number}"
        client.register(folder / "instances.json")
        client.logger.info("Car %d drives off", self.number)
        if self.by_mqtt:
            # Only here: a car that speaks Kafka needs no MQTT library.
            from demo_applications.car_fleet.by_mqtt import MqttAddress, MqttLine  # noqa: PLC0415

            system = SystemName.parse(SYSTEMS[self.number])
            names = read_mappings(folder / "instances.json", system)
            with MqttLine(MqttAddress.from_environment(), system, f"car_{self.number}", names) as line:
                self._drive(line, stop)
        else:
            client.subscribe(folder / "subscriptions.json")
            self._drive(client, stop)

    def _drive(self, line: Line, stop: threading.Event) -> None:
        listener = Listener()
        thread = threading.Thread(target=listener.listen, args=(line,), name=f"car_{self.number} listens")
        thread.start()
        try:
            while not (stop.is_set() or listener.is_done.is_set()):
                self.drive.is_warned = listener.is_warned()
                self.send(line, datetime.now(UTC))
                stop.wait(self.interval_s)
        finally:
            listener.is_done.set()
            thread.join()
        if listener.error is not None:
            raise listener.error

    def send(self, line: Line, moment: datetime) -> None:
        """Drive on for one interval and produce both readings with one timestamp and the position.

        Args:
            line: A way for records of the car, which is registered.
            moment: Time of the readings, aware.
        """
        motion = self.drive.go(self.interval_s)
        position: dict[str, Any] = {
            "longitude": round(motion.position.longitude, 6),
            "latitude": round(motion.position.latitude, 6),
            "attitude": round(motion.position.attitude, 1),
        }
        temperature = self.weather.at(
            moment.astimezone(CENTRAL_EUROPEAN_TIME), motion.position.attitude, self.interval_s
        )
        line.produce(quantity="temperature", result=temperature, timestamp=moment, **position)
        line.produce(quantity="acceleration", result=motion.acceleration, timestamp=moment, **position)


class Listener:
    """The consuming half of a car; an error ends it and is kept for the other half."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_done = threading.Event()
        self.error: DigitalTwinError | None = None
        self._clock = clock
        self._warned_until = clock()

    def is_warned(self) -> bool:
        """Tell whether the last report of cold is fresh."""
        return self._clock() < self._warned_until

    def listen(self, line: Line) -> None:
        """Consume until done.

        Args:
            line: A subscribed way for records.
        """
        try:
            while not self.is_done.is_set():
                for record in line.consume(timeout=CONSUME_WAIT_S):
                    self.take(record)
        except DigitalTwinError as error:
            self.error = error
            self.is_done.set()

    def take(self, record: Mapping[str, Any]) -> None:
        """Show one record, and warn when it tells of cold.

        Args:
            record: A consumed record.
        """
        text = describe(record)
        if is_air_temperature(record) and record["result"] < SLIPPERY_BELOW:
            self._warned_until = self._clock() + WARNING_LASTS_S
            text = f"{text}  WARNING: the road may be slippery"
        write_line(text)


def is_air_temperature(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is an air temperature.

    Args:
        record: A consumed record.

    Returns:
        True when its Datastream's name ends so.
    """
    return str(record["Datastream"]["name"]).endswith(".Air Temperature")


def describe(record: Mapping[str, Any]) -> str:
    """Put a record into one line.

    Args:
        record: A consumed record.

    Returns:
        Time, Datastream, result and unit.
    """
    datastream = record["Datastream"]
    unit = datastream.get("unitOfMeasurement", {}).get("symbol", "")
    return f"{record['phenomenonTime']} {datastream['name']} = {record['result']} {unit}".rstrip()


def build_car(number: int, track: Track, *, by_mqtt: bool = False) -> Car:
    """Put a car together.

    Args:
        number: 1 (calm, starts at the first waypoint) or 2 (fast, starts half a round ahead).
        track: Where it drives.
        by_mqtt: Whether it speaks MQTT.

    Returns:
        The car, standing at its start.
    """
    if number == 1:
        return Car(1, Drive(track, seed=1, cruising_speed=11.0), TemperatureModel(seed=1), by_mqtt=by_mqtt)
    drive = Drive(track, seed=2, cruising_speed=16.0, start_m=track.length_m / 2)
    return Car(2, drive, TemperatureModel(seed=2, mean=5.0, wander=2.0), by_mqtt=by_mqtt)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments: Arguments without the program's name; None for those of the process.

    Returns:
        `car`, 1 or 2, and `mqtt`.
    """
    parser = argparse.ArgumentParser(prog="car", description="Drive a car of the demo fleet.")
    parser.add_argument("--car", type=int, choices=sorted(SYSTEMS), required=True)
    parser.add_argument("--mqtt", action="store_true", help="speak MQTT with the broker at DTWIN_MQTT__URL")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Drive until SIGINT or SIGTERM.

    Args:
        arguments: Arguments without the program's name; None for those of the process.

    Returns:
        Exit code: 0 after a clean stop, 1 after a failure, 2 for a wrong option.
    """
    options = parse_arguments(arguments)
    number = options.car
    show_log()
    car = build_car(number, read_track(FOLDER / "track.json"), by_mqtt=options.mqtt)
    connection = Connection.from_environment()
    return run_program(
        lambda: connection.open(f"car_{number}", SYSTEMS[number], ATTRIBUTES),
        car.work,
        stop_on_signals(),
    )


if __name__ == "__main__":
    sys.exit(main())
