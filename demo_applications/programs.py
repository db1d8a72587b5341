"""The list of demo programs, in the order in which they are best started.

What lives here: what each program is called, to which system it belongs and how it is run. What does not:
starting it; `dtwin demo` does that with `python -m MODULE ARGUMENTS`, and so can anybody by hand.
"""

import sys
from dataclasses import dataclass, replace

STATIONS = "is.iceland.iot4cps-wp5-WeatherService.Stations"
SERVICES = "is.iceland.iot4cps-wp5-WeatherService.Services"
CAR_1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
CAR_2 = "cz.icecars.iot4cps-wp5-CarFleet.Car2"
ROAD_ANALYTICS = "at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics"


@dataclass(frozen=True, slots=True)
class Program:
    """One demo program.

    Attributes:
        name: Client name, as registered in the platform.
        system: The system that the client belongs to.
        module: Module to run with `python -m`.
        arguments: Command-line arguments of the module.
    """

    name: str
    system: str
    module: str
    arguments: tuple[str, ...] = ()

    def command(self, python: str = sys.executable) -> list[str]:
        """Return the argument list that runs the program.

        Args:
            python: Interpreter in whose environment the package is installed.

        Returns:
            The arguments for `subprocess`, interpreter first.
        """
        return [python, "-m", self.module, *self.arguments]


PROGRAMS: tuple[Program, ...] = (
    Program(
        "weatherstation_1",
        STATIONS,
        "demo_applications.weather_service.station",
        ("--city", "seattle", "--speed", "3600"),
    ),
    Program(
        "weatherstation_2",
        STATIONS,
        "demo_applications.weather_service.station",
        ("--city", "san-francisco", "--speed", "3600"),
    ),
    Program("forecast_service", SERVICES, "demo_applications.weather_service.forecast"),
    Program("car_1", CAR_1, "demo_applications.car_fleet.car", ("--car", "1")),
    Program("car_2", CAR_2, "demo_applications.car_fleet.car", ("--car", "2")),
    Program("datastack-adapter", ROAD_ANALYTICS, "demo_applications.analytics.road_analytics"),
)

SINK = Program(
    "elasticsearch-sink",
    ROAD_ANALYTICS,
    "adapters.elasticsearch",
    ("run", "--system", ROAD_ANALYTICS, "--client", "elasticsearch-sink", "--from", "ext"),
)
"""Sends what the partners share with the analysts to Elasticsearch."""
_CARS = frozenset({CAR_1, CAR_2})


def chosen_programs(*, with_sink: bool = False, by_mqtt: bool = False) -> tuple[Program, ...]:
    """Return the programs of one demo.

    Args:
        with_sink: Whether there is an Elasticsearch to fill.
        by_mqtt: Whether the cars speak MQTT.
    """
    programs = tuple(
        replace(program, arguments=(*program.arguments, "--mqtt"))
        if by_mqtt and program.system in _CARS
        else program
        for program in PROGRAMS
    )
    return (*programs, SINK) if with_sink else programs
