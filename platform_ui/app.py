"""The composition root: the one place that chooses technologies and puts the site together."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.staticfiles import StaticFiles

from platform_ui import health, problems
from platform_ui.access import api as access_api
from platform_ui.access import pages as access_pages
from platform_ui.access.keeper import AccessKeeper
from platform_ui.access.port import SensorThingsAccess
from platform_ui.access.service import create_token
from platform_ui.accounts import account_pages, oidc_pages
from platform_ui.accounts import api as accounts_api
from platform_ui.accounts import pages as accounts_pages
from platform_ui.accounts.oidc_provider import OidcProvider
from platform_ui.acls.kafka_port import AclPort, KafkaAcls
from platform_ui.acls.keeper import AclKeeper
from platform_ui.acls.quotas import KafkaQuotas
from platform_ui.audit.keeper import AuditKeeper
from platform_ui.audit.keys import read_key
from platform_ui.audit.origin import OriginMiddleware
from platform_ui.audit.publisher import KafkaLogSink
from platform_ui.broker import KafkaTopics, TopicAdministrator
from platform_ui.browser import BrowserMiddleware, check_csrf
from platform_ui.changes import Bell, ChangesMiddleware, ring_for_others
from platform_ui.clients import api as clients_api
from platform_ui.clients import pages as clients_pages
from platform_ui.companies import api as companies_api
from platform_ui.companies import pages as companies_pages
from platform_ui.contracts import api as contracts_api
from platform_ui.contracts import pages as contracts_pages
from platform_ui.contracts.preview import KafkaRecords
from platform_ui.credentials import api as credentials_api
from platform_ui.credentials import pages as credentials_pages
from platform_ui.db import Sessions, create_engine, create_sessions
from platform_ui.errors import PlatformError
from platform_ui.explain import api as explain_api
from platform_ui.explain import pages as explain_pages
from platform_ui.metadata import pages as metadata_pages
from platform_ui.metadata.gateway import Gateway
from platform_ui.overview import audit_api, audit_pages
from platform_ui.overview import pages as overview_pages
from platform_ui.pki.authority import Authority
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from platform_ui.streams import api as streams_api
from platform_ui.streams import pages as streams_pages
from platform_ui.streams import service as streams
from platform_ui.streams.enforcement import Enforcement
from platform_ui.streams.ports import StreamPorts, open_metadata
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.systems import api as systems_api
from platform_ui.systems import pages as systems_pages
from platform_ui.systems import people_pages
from platform_ui.systems import service as systems
from platform_ui.systems.membership import needs_second_factor
from platform_ui.systems.tail import TailHub
from platform_ui.systems.units import UnitDirectory
from platform_ui.web import STATIC
from streamhub.outputs import MetadataRegistry
from streamhub.runner import RunnerDirectory

_log = logging.getLogger(__name__)

RECONCILE_RETRY_S = 5.0
# overview comes last: its /systems/{name} must not catch /systems/new.
PAGES = (
    accounts_pages,
    account_pages,
    oidc_pages,
    companies_pages,
    systems_pages,
    people_pages,
    clients_pages,
    credentials_pages,
    contracts_pages,
    streams_pages,
    access_pages,
    metadata_pages,
    audit_pages,
    explain_pages,
    overview_pages,
)
API = (
    accounts_api,
    companies_api,
    systems_api,
    clients_api,
    credentials_api,
    contracts_api,
    streams_api,
    access_api,
    audit_api,
    explain_api,
)


def create_app(
    settings: PlatformSettings,
    *,
    topics: TopicAdministrator | None = None,
    runner: StreamRunner | None = None,
    metadata: MetadataRegistry | None = None,
    acls: AclPort | None = None,
) -> FastAPI:
    """Put the site together; it connects when it is first used.

    Args:
        settings: what the operator wants.
        topics: the broker's topics; a real broker when left out.
        runner: the runner of stream apps; the folder of the settings when left out.
        metadata: units and output Datastreams; the SensorThings service of the settings when left out.
        acls: the broker's access rules; a real broker when left out, unless `topics` is given.

    Raises:
        ConfigurationError: the certificate authority cannot be opened.
    """
    app = FastAPI(
        title="Digital Twin Stack",
        version=health.package_version(),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        dependencies=[Depends(check_csrf)],
    )
    app.state.settings = settings
    app.state.secret_key = settings.secret_key
    app.state.second_factor_rule = needs_second_factor
    app.state.is_demo = settings.mode is Mode.DEMO
    app.state.authority = _authority(settings)
    app.state.engine = create_engine(settings.database_url)
    app.state.sessions = create_sessions(app.state.engine)
    app.state.topics = topics or KafkaTopics(settings.kafka_bootstrap_servers, settings.security)
    app.state.runner = runner or RunnerDirectory(settings.runner_directory)
    app.state.metadata = metadata or open_metadata(settings.sensorthings_url, settings.sensorthings_token)
    app.state.units = UnitDirectory(settings.sensorthings_url, settings.sensorthings_token)
    app.state.gateway = Gateway(settings)
    app.state.oidc = OidcProvider(settings.oidc) if settings.oidc else None
    app.state.tails = TailHub(settings.kafka_bootstrap_servers, settings.security, app.state.units)
    app.state.records = KafkaRecords(settings.kafka_bootstrap_servers, settings.security)
    app.state.metrics = health.SiteMetrics()
    bells: list[Bell] = []
    app.state.bells = bells
    app.add_middleware(ChangesMiddleware, bells=bells)
    app.add_middleware(OriginMiddleware)
    app.state.audit_keeper = AuditKeeper(
        app.state.sessions,
        KafkaLogSink(settings.kafka_bootstrap_servers, settings.security),
        read_key(settings.audit_key_file) if settings.audit_key_file else None,
    )
    _add_access(app, settings)
    if topics is None:
        acls = acls or KafkaAcls(settings.kafka_bootstrap_servers, settings.security)
    _add_acls(app, settings, acls)
    _add_enforcement(app, settings)
    app.add_middleware(BrowserMiddleware, rules=settings.rules)
    app.add_middleware(health.MetricsMiddleware, metrics=app.state.metrics)
    problems.install(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(health.router)
    for pages in PAGES:
        app.include_router(pages.router)
    for api in API:
        app.include_router(api.router, prefix="/api/v1")
    return app


def _authority(settings: PlatformSettings) -> Authority | None:
    """Open the authority of the settings, if they name one."""
    if settings.pki_directory is None:
        return None
    return Authority.open(settings.pki_directory, settings.pki_passphrase)


def _add_access(app: FastAPI, settings: PlatformSettings) -> None:
    """Let the site administer access to SensorThings, when it has the token for it."""
    app.state.access = app.state.keeper = app.state.client_token = None
    if settings.sensorthings_token:
        access = SensorThingsAccess(settings.sensorthings_url, settings.sensorthings_token)
        app.state.access = access
        app.state.client_token = partial(create_token, port=access)
        app.state.keeper = AccessKeeper(app.state.sessions, app.state.access, app.state.runner)
        app.state.bells.append(app.state.keeper.bell)


def _add_acls(app: FastAPI, settings: PlatformSettings, port: AclPort | None) -> None:
    """Let the site keep the broker's access rules and quotas."""
    app.state.acl_keeper = None
    if port is not None:
        quotas = KafkaQuotas(settings.kafka_bootstrap_servers, settings.security)
        app.state.acl_keeper = AclKeeper(
            app.state.sessions,
            port,
            settings.acl.principals,
            app.state.metrics,
            bring_quotas=lambda: quotas.bring(settings.acl),
        )
        app.state.bells.append(app.state.acl_keeper.bell)


def _add_enforcement(app: FastAPI, settings: PlatformSettings) -> None:
    """Let the site keep stream apps within their contracts."""
    app.state.stream_ports = StreamPorts(
        app.state.runner,
        app.state.metadata,
        settings.kafka_bootstrap_servers,
        app.state.authority,
        app.state.acl_keeper,
    )
    app.state.enforcement = Enforcement(app.state.sessions, app.state.stream_ports, app.state.bells)
    app.state.bells.append(app.state.enforcement.bell)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(_reconcile(app.state.sessions, app.state.topics, app.state.stream_ports)),
        asyncio.create_task(app.state.enforcement.run()),
    ]
    database_url = app.state.settings.database_url
    tasks.append(asyncio.create_task(ring_for_others(database_url, app.state.bells)))
    tasks.append(asyncio.create_task(app.state.audit_keeper.run()))
    if app.state.keeper is not None:
        tasks.append(asyncio.create_task(app.state.keeper.run()))
    if app.state.acl_keeper is not None:
        tasks.append(asyncio.create_task(app.state.acl_keeper.run()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if app.state.access is not None:
            app.state.access.close()
        app.state.audit_keeper.close()
        app.state.tails.stop()
        await app.state.units.close()
        await app.state.gateway.close()
        app.state.metadata.close()
        await app.state.engine.dispose()


async def _reconcile(sessions: Sessions, topics: TopicAdministrator, ports: StreamPorts) -> None:
    """Mend systems that a crash left half-made and tell apps where Kafka is now, as soon as all answer."""
    while True:
        try:
            async with sessions() as session:
                await systems.reconcile(session, topics)
                moved = await streams.reconcile(session, ports)
        except (PlatformError, SQLAlchemyError) as error:
            _log.warning("systems and stream apps cannot be checked yet: %s", error)
            await asyncio.sleep(RECONCILE_RETRY_S)
        else:
            if moved:
                _log.warning("deployed again with the present settings: %s", ", ".join(moved))
            return
