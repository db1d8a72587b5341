"""The demo's people, companies, systems, client apps, contracts and stream apps.

What lives here: what the demo consists of, created through the same services as by hand. What does not: the
programs that produce its records (``demo_applications``). Refused outside demo mode, because its passwords
are known to everybody. Can be repeated: what is there stays as it is, also an app that somebody stopped.
"""

from collections.abc import Awaitable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import ConfigurationError
from platform_ui.access.keeper import bring_principals
from platform_ui.access.port import AccessPort, SensorThingsAccess
from platform_ui.accounts import service as accounts
from platform_ui.accounts.models import User
from platform_ui.accounts.passwords import is_password
from platform_ui.acls.kafka_port import KafkaAcls
from platform_ui.acls.keeper import AclKeeper
from platform_ui.broker import KafkaTopics, TopicAdministrator
from platform_ui.clients import service as clients
from platform_ui.clients.forms import ClientForm
from platform_ui.companies import service as company_service
from platform_ui.companies.forms import CompanyForm
from platform_ui.contracts import service as contracts
from platform_ui.contracts import views as contract_views
from platform_ui.contracts.forms import ContractForm, SignatureForm
from platform_ui.contracts.models import CONSUMER, PROVIDER
from platform_ui.db import Sessions, create_engine, create_sessions
from platform_ui.demo_world import (
    APPS,
    COMPANIES,
    CONTRACTS,
    PASSWORD,
    PEOPLE,
    DemoApp,
    DemoCompany,
    DemoContract,
    DemoPerson,
    DemoSystem,
)
from platform_ui.errors import NotFoundError
from platform_ui.pki.authority import Authority
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from platform_ui.streams import service as streams
from platform_ui.streams.forms import StreamAppForm
from platform_ui.streams.ports import StreamPorts, open_metadata
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.systems import service as systems
from platform_ui.systems.forms import SystemForm
from streamhub.outputs import MetadataRegistry
from streamhub.runner import RunnerDirectory


async def refuse_known_passwords(settings: PlatformSettings) -> None:
    """Refuse to serve people while somebody may log in with the demo's password.

    Raises:
        ConfigurationError: such accounts are in the database of a platform in production mode; it names them.
    """
    if settings.mode is Mode.DEMO:
        return
    engine = create_engine(settings.database_url)
    try:
        async with create_sessions(engine)() as session:
            people = [await accounts.find_by_email(session, person.email) for person in PEOPLE]
            known = [
                user.email
                for user in people
                if user and user.disabled_at is None and await is_password(PASSWORD, user.password_hash)
            ]
    finally:
        await engine.dispose()
    if known:
        raise ConfigurationError(
            f"Everybody knows the password of {', '.join(known)}: the demo was loaded into this database. "
            "Go on with the demo by `dtwin up --mode demo` (DTWIN_PLATFORM__MODE), or remove it by "
            "`dtwin down --purge`. Else give production a database of its own in "
            "DTWIN_PLATFORM__DATABASE_URL, or change these passwords in demo mode first"
        )


async def load_demo(
    settings: PlatformSettings,
    *,
    companies: Sequence[DemoCompany] = COMPANIES,
    topics: TopicAdministrator | None = None,
    runner: StreamRunner | None = None,
    metadata: MetadataRegistry | None = None,
) -> str:
    """Create what is missing of the demo and return a summary.

    Args:
        settings: those of the platform.
        companies: which companies there should be, with their systems and client apps.
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
    engine = create_engine(settings.database_url)
    sessions = create_sessions(engine)
    ports = StreamPorts(
        runner or RunnerDirectory(settings.runner_directory),
        registry,
        settings.kafka_bootstrap_servers,
        None
        if settings.pki_directory is None
        else Authority.open(settings.pki_directory, settings.pki_passphrase),
        _rules(settings, sessions) if topics is None else None,
    )
    administrator = topics or KafkaTopics(settings.kafka_bootstrap_servers, settings.security)
    loader = _Loader(administrator, ports, access)
    try:
        async with sessions() as session:
            await loader.load(session, companies)
    finally:
        await engine.dispose()
        if metadata is None:
            registry.close()
        if access is not None:
            access.close()
    return f"demo: {loader.created} created, {loader.kept} kept"


def _rules(settings: PlatformSettings, sessions: Sessions) -> AclKeeper:
    """Return what gives an app its rights at the broker before it is started."""
    port = KafkaAcls(settings.kafka_bootstrap_servers, settings.security)
    return AclKeeper(sessions, port, settings.acl.principals)


class _Loader:
    """Creates the parts in order; counts what it made and what was there."""

    def __init__(self, topics: TopicAdministrator, ports: StreamPorts, access: AccessPort | None) -> None:
        self.created = 0
        self.kept = 0
        self._topics = topics
        self._ports = ports
        self._access = access
        self._people: dict[DemoPerson, User] = {}

    async def load(self, session: AsyncSession, companies: Sequence[DemoCompany]) -> None:
        for person in PEOPLE:
            self._people[person] = await self._person(session, person)
        for company in companies:
            await self._company(session, company)
            for system in company.systems:
                await self._system(session, company, system)
        if self._access is not None:
            # The running site does it soon, but what an app computes is registered in a moment.
            await bring_principals(session, self._access)
        for contract in CONTRACTS:
            await self._contract(session, contract)
        for app in APPS:
            await self._app(session, app)

    async def _person(self, session: AsyncSession, person: DemoPerson) -> User:
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
            is_operator=person is PEOPLE[0],
        )

    async def _company(self, session: AsyncSession, company: DemoCompany) -> None:
        owner = self._people[company.owner]
        form = CompanyForm(
            domain=company.domain, enterprise=company.enterprise, description=company.description
        )
        if await self._is_missing(company_service.get_company(session, owner, company.name)):
            await company_service.create_company(session, owner, form)

    async def _system(self, session: AsyncSession, company: DemoCompany, system: DemoSystem) -> None:
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
                await systems.add_member(session, owner, form.name, agent.email)
        for name, description in system.clients:
            if await self._is_missing(clients.get_client(session, owner, form.name, name)):
                await clients.create_client(
                    session, owner, form.name, ClientForm(name=name, description=description)
                )

    async def _contract(self, session: AsyncSession, wanted: DemoContract) -> None:
        """Let both sides sign; a contract of the two that is there stays as it is, also a revoked one."""
        giver, taker = self._people[wanted.giver], self._people[wanted.taker]
        ends = (wanted.provider, wanted.consumer)
        found = await contract_views.list_contracts(session, giver)
        if any((view.contract.provider, view.contract.consumer) == ends for view in found):
            self.kept += 1
            return
        self.created += 1
        form = ContractForm(
            provider=wanted.provider,
            consumer=wanted.consumer,
            datastreams=tuple(f"{wanted.provider}.{name}" for name in wanted.things),
            predicate=wanted.predicate,
            purpose=wanted.purpose,
        )
        contract = await contracts.create_contract(session, taker, form)
        for user, side in ((taker, CONSUMER), (giver, PROVIDER)):
            signature = SignatureForm.model_validate({"side": side, "version": 1})
            await contracts.sign_contract(session, user, contract.id, signature)

    async def _app(self, session: AsyncSession, app: DemoApp) -> None:
        owner = self._people[app.owner]
        form = StreamAppForm(
            name=app.name, target_system=app.target, statement=app.statement, description=app.description
        )
        ports = self._ports
        if await self._is_missing(streams.get_app(session, owner, app.source, app.name, ports.runner)):
            await streams.create_app(session, owner, app.source, form, ports.metadata)
        view = await streams.get_app(session, owner, app.source, app.name, ports.runner)
        if view.status is None and view.permission.permitted:
            await streams.deploy_app(session, owner, view, ports)

    async def _is_missing(self, looking: Awaitable[object]) -> bool:
        try:
            await looking
        except NotFoundError:
            self.created += 1
            return True
        self.kept += 1
        return False
