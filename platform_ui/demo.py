"""The demo's people, companies, systems, client apps and stream apps.

What lives here: what the demo consists of, created through the same services as by hand. What does not: the
programs that produce its records (``demo_applications``). Refused outside demo mode, because its passwords
are known to everybody. Can be repeated: what is there stays as it is, also an app that somebody stopped.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import ConfigurationError
from platform_ui.access.keeper import bring_principals
from platform_ui.access.port import AccessPort, SensorThingsAccess
from platform_ui.accounts import service as accounts
from platform_ui.accounts.models import User
from platform_ui.broker import KafkaTopics, TopicAdministrator
from platform_ui.clients import service as clients
from platform_ui.clients.forms import ClientForm
from platform_ui.companies import service as companies
from platform_ui.companies.forms import CompanyForm
from platform_ui.db import create_engine, create_sessions
from platform_ui.errors import NotFoundError
from platform_ui.settings import Mode, PlatformSettings
from platform_ui.streams import service as streams
from platform_ui.streams.forms import StreamAppForm
from platform_ui.streams.ports import StreamPorts, open_metadata
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.systems import service as systems
from platform_ui.systems.forms import SystemForm
from streamhub.outputs import MetadataRegistry
from streamhub.runner import RunnerDirectory

PASSWORD = "asdf"  # noqa: S105 - the demo's known password, refused outside demo mode


@dataclass(frozen=True, slots=True)
class _Person:
    first_name: str
    last_name: str

    @property
    def email(self) -> str:
        return f"{self.first_name}.{self.last_name}@example.com".lower()


@dataclass(frozen=True, slots=True)
class _System:
    workcenter: str
    station: str
    description: str
    clients: tuple[tuple[str, str], ...]
    agents: tuple[_Person, ...] = ()


@dataclass(frozen=True, slots=True)
class _Company:
    domain: str
    enterprise: str
    description: str
    owner: _Person
    systems: tuple[_System, ...]

    @property
    def name(self) -> str:
        return f"{self.domain}.{self.enterprise}"


@dataclass(frozen=True, slots=True)
class _App:
    owner: _Person
    name: str
    source: str
    target: str
    statement: str
    description: str


SUE = _Person("Sue", "Smith")
STEFAN = _Person("Stefan", "Gunnarsson")
PETER = _Person("Peter", "Novak")
ANNA = _Person("Anna", "Gruber")
PEOPLE = (SUE, STEFAN, PETER, ANNA)

CAR1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
CAR2 = "cz.icecars.iot4cps-wp5-CarFleet.Car2"
STATIONS = "is.iceland.iot4cps-wp5-WeatherService.Stations"
SERVICES = "is.iceland.iot4cps-wp5-WeatherService.Services"
ANALYTICS = "at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics"

COMPANIES = (
    _Company(
        "cz",
        "icecars",
        "A maker of connected cars.",
        SUE,
        (
            _System(
                "iot4cps-wp5-CarFleet",
                "Car1",
                "A prototype car that feels ice on the road.",
                (("car_1", "The computer on board of car 1."),),
                (PETER,),
            ),
            _System(
                "iot4cps-wp5-CarFleet",
                "Car2",
                "A second prototype car.",
                (("car_2", "The computer on board of car 2."),),
                (PETER,),
            ),
        ),
    ),
    _Company(
        "is",
        "iceland",
        "A weather service.",
        STEFAN,
        (
            _System(
                "iot4cps-wp5-WeatherService",
                "Stations",
                "Weather stations beside the road.",
                (
                    ("weatherstation_1", "The station in Seattle."),
                    ("weatherstation_2", "The station in San Francisco."),
                ),
            ),
            _System(
                "iot4cps-wp5-WeatherService",
                "Services",
                "Forecasts made from the stations' records.",
                (("forecast_service", "Forecasts the temperature of each station."),),
            ),
        ),
    ),
    _Company(
        "at",
        "datahouse",
        "A house of data analysts.",
        ANNA,
        (
            _System(
                "iot4cps-wp5-Analytics",
                "RoadAnalytics",
                "Analyses of road conditions.",
                (("datastack-adapter", "Collects what the partners share."),),
            ),
        ),
    ),
)

APPS = (
    _App(
        STEFAN,
        "weather2services",
        STATIONS,
        SERVICES,
        "SELECT * FROM is.iceland.iot4cps-wp5-WeatherService.Stations;",
        "All records of the stations, for the forecast.",
    ),
    _App(
        STEFAN,
        "weather2car1",
        STATIONS,
        CAR1,
        "SELECT * FROM is.iceland.iot4cps-wp5-WeatherService.Stations\n"
        "WHERE thing = 'Seattle' AND result < 15;",
        "Seattle, where car 1 drives, and only when it is cool [degC].",
    ),
    _App(
        SUE,
        "car1analytics",
        CAR1,
        ANALYTICS,
        "SELECT * FROM cz.icecars.iot4cps-wp5-CarFleet.Car1\n"
        "WHERE name = 'cz.icecars.iot4cps-wp5-CarFleet.Car1.Main.Air Temperature'\n"
        "   OR name = 'cz.icecars.iot4cps-wp5-CarFleet.Car1.Main.Acceleration';",
        "Temperature and acceleration, nothing else of the car.",
    ),
    _App(
        SUE,
        "car2analytics",
        CAR2,
        ANALYTICS,
        "SELECT * FROM cz.icecars.iot4cps-wp5-CarFleet.Car2\n"
        "WHERE name = 'cz.icecars.iot4cps-wp5-CarFleet.Car2.Main.Air Temperature' AND result < 30;",
        "Plausible temperatures only.",
    ),
    _App(
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


async def load_demo(
    settings: PlatformSettings,
    *,
    topics: TopicAdministrator | None = None,
    runner: StreamRunner | None = None,
    metadata: MetadataRegistry | None = None,
) -> str:
    """Create what is missing of the demo and return a summary.

    Args:
        settings: those of the platform.
        topics: the broker's topics; a real broker when left out.
        runner: the runner of stream apps; the folder of the settings when left out.
        metadata: units and output Datastreams; the SensorThings service of the settings when left out.

    Raises:
        ConfigurationError: the platform is not in demo mode.
        PlatformError: a service refused a part.
    """
    if settings.mode is not Mode.DEMO:
        raise ConfigurationError(
            "The demo's accounts have a known password: set DTWIN_PLATFORM__MODE=demo to load them.",
            setting="DTWIN_PLATFORM__MODE",
        )
    registry = metadata or open_metadata(settings.sensorthings_url, settings.sensorthings_token)
    access = None
    if settings.sensorthings_token:
        access = SensorThingsAccess(settings.sensorthings_url, settings.sensorthings_token)
    loader = _Loader(
        topics or KafkaTopics(settings.kafka_bootstrap_servers, settings.security),
        StreamPorts(
            runner or RunnerDirectory(settings.runner_directory), registry, settings.kafka_bootstrap_servers
        ),
        access,
    )
    engine = create_engine(settings.database_url)
    try:
        async with create_sessions(engine)() as session:
            await loader.load(session)
    finally:
        await engine.dispose()
        if metadata is None:
            registry.close()
        if access is not None:
            access.close()
    return f"demo: {loader.created} created, {loader.kept} kept"


class _Loader:
    """Creates the parts in order; counts what it made and what was there."""

    def __init__(self, topics: TopicAdministrator, ports: StreamPorts, access: AccessPort | None) -> None:
        self.created = 0
        self.kept = 0
        self._topics = topics
        self._ports = ports
        self._access = access
        self._people: dict[_Person, User] = {}

    async def load(self, session: AsyncSession) -> None:
        for person in PEOPLE:
            self._people[person] = await self._person(session, person)
        for company in COMPANIES:
            await self._company(session, company)
            for system in company.systems:
                await self._system(session, company, system)
        if self._access is not None:
            # The running site does it soon, but what an app computes is registered in a moment.
            await bring_principals(session, self._access)
        for app in APPS:
            await self._app(session, app)

    async def _person(self, session: AsyncSession, person: _Person) -> User:
        user = await accounts.find_by_email(session, person.email)
        if user is not None:
            self.kept += 1
            return user
        self.created += 1
        return await accounts.create_user(
            session,
            email=person.email,
            first_name=person.first_name,
            last_name=person.last_name,
            password=PASSWORD,
        )

    async def _company(self, session: AsyncSession, company: _Company) -> None:
        owner = self._people[company.owner]
        form = CompanyForm(
            domain=company.domain, enterprise=company.enterprise, description=company.description
        )
        if await self._is_missing(companies.get_company(session, owner, company.name)):
            await companies.create_company(session, owner, form)

    async def _system(self, session: AsyncSession, company: _Company, system: _System) -> None:
        owner = self._people[company.owner]
        form = SystemForm(
            company=company.name,
            workcenter=system.workcenter,
            station=system.station,
            description=system.description,
        )
        if await self._is_missing(systems.get_system(session, owner, form.name)):
            await systems.create_system(session, owner, form, self._topics, adopt=True)
            for agent in system.agents:
                await systems.add_agent(session, owner, form.name, agent.email)
        for name, description in system.clients:
            if await self._is_missing(clients.get_client(session, owner, form.name, name)):
                await clients.create_client(
                    session, owner, form.name, ClientForm(name=name, description=description)
                )

    async def _app(self, session: AsyncSession, app: _App) -> None:
        owner = self._people[app.owner]
        form = StreamAppForm(
            name=app.name, target_system=app.target, statement=app.statement, description=app.description
        )
        ports = self._ports
        if await self._is_missing(streams.get_app(session, owner, app.source, app.name, ports.runner)):
            await streams.create_app(session, owner, app.source, form, ports.metadata)
        view = await streams.get_app(session, owner, app.source, app.name, ports.runner)
        if view.status is None:
            await streams.deploy_app(session, owner, view, ports)

    async def _is_missing(self, looking: Awaitable[object]) -> bool:
        try:
            await looking
        except NotFoundError:
            self.created += 1
            return True
        self.kept += 1
        return False
