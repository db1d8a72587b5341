"""What the demo consists of: people, companies, systems, client apps, contracts and stream apps, as data.

What does not live here: making them (``demo``), and the programs that produce records
(``demo_applications``).
"""

from dataclasses import dataclass, replace

PASSWORD = "asdf"  # noqa: S105 - the demo's known password, refused outside demo mode


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody with an account."""

    first_name: str
    last_name: str

    @property
    def email(self) -> str:
        """The address to log in with."""
        return f"{self.first_name}.{self.last_name}@example.com".lower()


@dataclass(frozen=True, slots=True)
class DemoSystem:
    """A system of a company, with names and descriptions of its client apps and its further agents."""

    workcenter: str
    station: str
    description: str
    clients: tuple[tuple[str, str], ...]
    agents: tuple[DemoPerson, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoCompany:
    """A company with its systems."""

    domain: str
    enterprise: str
    description: str
    owner: DemoPerson
    systems: tuple[DemoSystem, ...]

    @property
    def name(self) -> str:
        """``domain.enterprise``."""
        return f"{self.domain}.{self.enterprise}"


@dataclass(frozen=True, slots=True)
class DemoContract:
    """What one system shares with another, and who signs for the two sides."""

    giver: DemoPerson
    taker: DemoPerson
    provider: str
    consumer: str
    purpose: str
    things: tuple[str, ...] = ()
    predicate: str = ""


@dataclass(frozen=True, slots=True)
class DemoApp:
    """A stream app of its source system."""

    owner: DemoPerson
    name: str
    source: str
    target: str
    statement: str
    description: str


SUE = DemoPerson("Sue", "Smith")
STEFAN = DemoPerson("Stefan", "Gunnarsson")
PETER = DemoPerson("Peter", "Novak")
ANNA = DemoPerson("Anna", "Gruber")
PEOPLE = (SUE, STEFAN, PETER, ANNA)

CAR1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
CAR2 = "cz.icecars.iot4cps-wp5-CarFleet.Car2"
STATIONS = "is.iceland.iot4cps-wp5-WeatherService.Stations"
SERVICES = "is.iceland.iot4cps-wp5-WeatherService.Services"
ANALYTICS = "at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics"

COMPANIES = (
    DemoCompany(
        "cz",
        "icecars",
        "A maker of connected cars.",
        SUE,
        (
            DemoSystem(
                "iot4cps-wp5-CarFleet",
                "Car1",
                "A prototype car that feels ice on the road.",
                (("car_1", "The computer on board of car 1."),),
                (PETER,),
            ),
            DemoSystem(
                "iot4cps-wp5-CarFleet",
                "Car2",
                "A second prototype car.",
                (("car_2", "The computer on board of car 2."),),
                (PETER,),
            ),
        ),
    ),
    DemoCompany(
        "is",
        "iceland",
        "A weather service.",
        STEFAN,
        (
            DemoSystem(
                "iot4cps-wp5-WeatherService",
                "Stations",
                "Weather stations beside the road.",
                (
                    ("weatherstation_1", "The station in Seattle."),
                    ("weatherstation_2", "The station in San Francisco."),
                ),
            ),
            DemoSystem(
                "iot4cps-wp5-WeatherService",
                "Services",
                "Forecasts made from the stations' records.",
                (("forecast_service", "Forecasts the temperature of each station."),),
            ),
        ),
    ),
    DemoCompany(
        "at",
        "datahouse",
        "A house of data analysts.",
        ANNA,
        (
            DemoSystem(
                "iot4cps-wp5-Analytics",
                "RoadAnalytics",
                "Analyses of road conditions.",
                (("datastack-adapter", "Collects what the partners share."),),
            ),
        ),
    ),
)

SINK = ("elasticsearch-sink", "Sends what the partners share to Elasticsearch.")
"""The client app that the house of analysts has besides, where there is an Elasticsearch."""


def companies_with(*, is_sink: bool) -> tuple[DemoCompany, ...]:
    """Return the companies of the demo.

    Args:
        is_sink: Whether the house of analysts has a sink to Elasticsearch.
    """
    if not is_sink:
        return COMPANIES
    *others, analysts = COMPANIES
    (system,) = analysts.systems
    return (*others, replace(analysts, systems=(replace(system, clients=(*system.clients, SINK)),)))


CONTRACTS = (
    DemoContract(
        STEFAN,
        SUE,
        STATIONS,
        CAR1,
        "Car 1 warns of ice where it drives.",
        predicate="result < 15",
    ),
    DemoContract(
        SUE,
        ANNA,
        CAR1,
        ANALYTICS,
        "Road conditions, and how close the prototypes drive.",
        ("Main.Air Temperature", "Main.Acceleration"),
    ),
    DemoContract(
        SUE,
        ANNA,
        CAR2,
        ANALYTICS,
        "Road conditions, and how close the prototypes drive.",
        ("Main.Air Temperature", "Main.Acceleration"),
    ),
)

APPS = (
    DemoApp(
        STEFAN,
        "weather2services",
        STATIONS,
        SERVICES,
        "SELECT * FROM is.iceland.iot4cps-wp5-WeatherService.Stations;",
        "All records of the stations, for the forecast.",
    ),
    DemoApp(
        STEFAN,
        "weather2car1",
        STATIONS,
        CAR1,
        "SELECT * FROM is.iceland.iot4cps-wp5-WeatherService.Stations\n"
        "WHERE thing = 'Seattle' AND result < 15;",
        "Seattle, where car 1 drives, and only when it is cool [degC].",
    ),
    DemoApp(
        SUE,
        "car1analytics",
        CAR1,
        ANALYTICS,
        "SELECT * FROM cz.icecars.iot4cps-wp5-CarFleet.Car1\n"
        "WHERE name = 'cz.icecars.iot4cps-wp5-CarFleet.Car1.Main.Air Temperature'\n"
        "   OR name = 'cz.icecars.iot4cps-wp5-CarFleet.Car1.Main.Acceleration';",
        "Temperature and acceleration, nothing else of the car.",
    ),
    DemoApp(
        SUE,
        "car2analytics",
        CAR2,
        ANALYTICS,
        "SELECT * FROM cz.icecars.iot4cps-wp5-CarFleet.Car2\n"
        "WHERE name = 'cz.icecars.iot4cps-wp5-CarFleet.Car2.Main.Air Temperature' AND result < 30;",
        "Plausible temperatures only.",
    ),
    DemoApp(
        SUE,
        "carsnearby",
        CAR1,
        ANALYTICS,
        "SELECT distance_m(l.latitude, l.longitude, r.latitude, r.longitude) AS distance UNIT 'm'\n"
        "FROM cz.icecars.iot4cps-wp5-CarFleet.Car1 AS l\n"
        "JOIN cz.icecars.iot4cps-wp5-CarFleet.Car2 AS r WITHIN 1 s\n"
        "WHERE l.name = 'cz.icecars.iot4cps-wp5-CarFleet.Car1.Main.Acceleration'\n"
        "  AND r.name = 'cz.icecars.iot4cps-wp5-CarFleet.Car2.Main.Acceleration'\n"
        "MAX LATENCY 10 s;",
        "How far apart the two cars are, each time one of them tells where it is.",
    ),
)
