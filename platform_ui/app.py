"""The composition root: the one place that chooses technologies and puts the site together."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, partial
from operator import attrgetter

from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import State
from starlette.routing import BaseRoute
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
from platform_ui.accounts.access import find_visitor
from platform_ui.accounts.oidc_provider import OidcProvider
from platform_ui.acls.kafka_port import AclPort, KafkaAcls
from platform_ui.acls.keeper import AclKeeper
from platform_ui.acls.of_apps import rights_of
from platform_ui.acls.quotas import KafkaQuotas
from platform_ui.assets import api as assets_api
from platform_ui.assets import datastream_pages
from platform_ui.assets import pages as assets_pages
from platform_ui.audit.keeper import AuditKeeper
from platform_ui.audit.keys import read_key
from platform_ui.audit.origin import OriginMiddleware
from platform_ui.audit.publisher import KafkaLogSink
from platform_ui.broker import KafkaTopics, TopicAdministrator
from platform_ui.browser import BrowserMiddleware, check_csrf
from platform_ui.changes import Bell, ChangesMiddleware, ring_for_others
from platform_ui.client_logs import api as client_logs_api
from platform_ui.client_logs import log_pages as client_log_pages
from platform_ui.client_logs import pages as client_logs_pages
from platform_ui.client_logs.live import ReportHub
from platform_ui.client_logs.reading import KafkaTopicReader, RememberingReader
from platform_ui.clients import api as clients_api
from platform_ui.clients import pages as clients_pages
from platform_ui.companies import api as companies_api
from platform_ui.companies import pages as companies_pages
from platform_ui.companies import people_api as company_people_api
from platform_ui.contracts import api as contracts_api
from platform_ui.contracts import pages as contracts_pages
from platform_ui.contracts.offers import api as offers_api
from platform_ui.contracts.offers import pages as offers_pages
from platform_ui.contracts.preview import KafkaRecords
from platform_ui.credentials import api as credentials_api
from platform_ui.credentials import pages as credentials_pages
from platform_ui.db import Sessions, create_engine, create_sessions
from platform_ui.demo import load_demo
from platform_ui.documents import api as documents_api
from platform_ui.documents import pages as documents_pages
from platform_ui.documents.openapi import describe
from platform_ui.documents.registry import SchemaRegistry
from platform_ui.errors import PlatformError
from platform_ui.explain import api as explain_api
from platform_ui.explain import pages as explain_pages
from platform_ui.finding import api as finding_api
from platform_ui.finding import pages as finding_pages
from platform_ui.flows import api as flows_api
from platform_ui.flows.offsets import KafkaOffsets, OffsetPort
from platform_ui.flows.sampler import FlowSampler
from platform_ui.lineage import api as lineage_api
from platform_ui.lineage import pages as lineage_pages
from platform_ui.live import api as live_api
from platform_ui.live import pages as live_pages
from platform_ui.live.following import FollowHub
from platform_ui.live.reading import KafkaRecordLog
from platform_ui.metadata import pages as metadata_pages
from platform_ui.metadata.gateway import Gateway, RehearsedGateway
from platform_ui.operations import api as operations_api
from platform_ui.operations import certificate_pages, health_pages, welcome_pages
from platform_ui.operations.first_run import FirstRun, FirstRunMiddleware, announce
from platform_ui.operations.watch import Watch
from platform_ui.overview import (
    audit_api,
    audit_pages,
    company_pages,
    home_pages,
    limits_api,
    limits_pages,
    start_pages,
    system_pages,
)
from platform_ui.pki.authority import Authority
from platform_ui.rest.exchange import RestMiddleware, keep_conventions
from platform_ui.rest.rehearsal import Reader
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from platform_ui.streams import api as streams_api
from platform_ui.streams import pages as streams_pages
from platform_ui.streams import service as streams
from platform_ui.streams.detail import api as stream_app_api
from platform_ui.streams.detail import app_pages as stream_app_pages
from platform_ui.streams.detail import log_pages as stream_log_pages
from platform_ui.streams.detail import version_pages as stream_version_pages
from platform_ui.streams.editor import api as editor_api
from platform_ui.streams.editor import pages as editor_pages
from platform_ui.streams.enforcement import Enforcement
from platform_ui.streams.figures import FigureHistory
from platform_ui.streams.ports import RehearsedMetadata, StreamPorts, open_metadata
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.systems import api as systems_api
from platform_ui.systems import pages as systems_pages
from platform_ui.systems import people_api, people_pages
from platform_ui.systems import service as systems
from platform_ui.systems.membership import needs_second_factor
from platform_ui.systems.tail import TailHub
from platform_ui.systems.units import UnitDirectory
from platform_ui.web import STATIC, look_pages
from streamhub.outputs import MetadataRegistry
from streamhub.runner import RunnerDirectory

_log = logging.getLogger(__name__)

RECONCILE_RETRY_S = 5.0
MOST_WAITING = 64  # threads; they wait for Kafka, files and other services, and take no processor
# These two come last: /systems/{name} must not catch /systems/new.
PAGES = (
    accounts_pages,
    account_pages,
    oidc_pages,
    companies_pages,
    systems_pages,
    people_pages,
    clients_pages,
    client_logs_pages,
    client_log_pages,
    live_pages,
    credentials_pages,
    contracts_pages,
    offers_pages,
    editor_pages,
    streams_pages,
    stream_app_pages,
    stream_version_pages,
    stream_log_pages,
    access_pages,
    metadata_pages,
    assets_pages,
    datastream_pages,
    lineage_pages,
    audit_pages,
    explain_pages,
    documents_pages,
    finding_pages,
    look_pages,
    welcome_pages,
    health_pages,
    certificate_pages,
    home_pages,
    start_pages,
    limits_pages,
    company_pages,
    system_pages,
)
API = (
    accounts_api,
    companies_api,
    company_people_api,
    limits_api,
    systems_api,
    people_api,
    clients_api,
    client_logs_api,
    live_api,
    credentials_api,
    contracts_api,
    offers_api,
    editor_api,
    streams_api,
    stream_app_api,
    access_api,
    assets_api,
    audit_api,
    explain_api,
    documents_api,
    finding_api,
    flows_api,
    lineage_api,
    operations_api,
)


def create_app(
    settings: PlatformSettings,
    *,
    topics: TopicAdministrator | None = None,
    runner: StreamRunner | None = None,
    metadata: MetadataRegistry | None = None,
    acls: AclPort | None = None,
    offsets: OffsetPort | None = None,
) -> FastAPI:
    """Put the site together; it connects when it is first used.

    Args:
        settings: what the operator wants.
        topics: the broker's topics; a real broker when left out.
        runner: the runner of stream apps; the folder of the settings when left out.
        metadata: units and output Datastreams; the SensorThings service of the settings when left out.
        acls: the broker's access rules; a real broker when left out, unless `topics` is given.
        offsets: how far the broker's topics are; a real broker when left out, unless `topics` is given.

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
        generate_unique_id_function=attrgetter("name"),
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
    registry_url = settings.schema_registry_url
    app.state.schema_registry = SchemaRegistry(registry_url) if registry_url else None
    app.state.oidc = OidcProvider(settings.oidc) if settings.oidc else None
    app.state.tails = TailHub(settings.kafka_bootstrap_servers, settings.security, app.state.units)
    app.state.records = KafkaRecords(settings.kafka_bootstrap_servers, settings.security)
    app.state.metrics = health.SiteMetrics()
    app.state.find_principal, app.state.rehearsal_ports = find_visitor, _rehearsal_ports
    app.state.watch = Watch(app.state)
    app.state.first_run = FirstRun(asks_for_code=not app.state.is_demo)
    app.state.load_demo = partial(
        load_demo, settings, topics=topics, runner=app.state.runner, metadata=app.state.metadata
    )
    app.add_middleware(FirstRunMiddleware, first_run=app.state.first_run)
    app.add_middleware(RestMiddleware)
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
        offsets = offsets or KafkaOffsets(settings.kafka_bootstrap_servers, settings.security)
    app.state.flows = FlowSampler(app.state.runner, offsets)
    app.state.bells.append(app.state.flows.bell)
    _add_client_reports(app, settings, has_broker=topics is None)
    _add_acls(app, settings, acls)
    _add_enforcement(app, settings)
    app.add_middleware(BrowserMiddleware, rules=settings.rules)
    app.add_middleware(health.MetricsMiddleware, metrics=app.state.metrics)
    problems.install(app)
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # the framework's way to extend it
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.router.routes.extend(_routes())
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return all routes; every site of a process shares them, because it takes long to work them out."""
    router = APIRouter(dependencies=[Depends(check_csrf)], generate_unique_id_function=attrgetter("name"))
    router.include_router(health.router)
    for pages in PAGES:
        router.include_router(pages.router)
    for api in API:
        router.include_router(api.router, prefix="/api/v1", dependencies=[Depends(keep_conventions)])
    return tuple(router.routes)


def _authority(settings: PlatformSettings) -> Authority | None:
    """Open the authority of the settings, if they name one."""
    if settings.pki_directory is None:
        return None
    return Authority.open(settings.pki_directory, settings.pki_passphrase)


def _rehearsal_ports(state: State) -> dict[str, object]:
    """Make the ports of a request that is only tried: they are read, and change nothing."""
    runner = Reader(state.runner, idle=("deploy", "limit", "stop", "restart", "remove"))
    rules = Reader(state.acl_keeper, idle=("ensure",)) if state.acl_keeper else None
    metadata, registry = RehearsedMetadata(state.metadata), state.schema_registry
    rights = ("put_principal", "delete_principal", "revoke_token", "put_share", "delete_share")
    return {
        "topics": Reader(state.topics, idle=("create", "remove")),
        "runner": runner,
        "metadata": metadata,
        "stream_ports": replace(state.stream_ports, runner=runner, metadata=metadata, rules=rules),
        "access": Reader(state.access, idle=rights, refused=("create_token",)) if state.access else None,
        "gateway": RehearsedGateway(state.gateway),
        "schema_registry": Reader(registry, refused=("publish",)) if registry else None,
    }


def _add_access(app: FastAPI, settings: PlatformSettings) -> None:
    """Let the site administer access to SensorThings, when it has the token for it."""
    app.state.access = app.state.keeper = app.state.client_token = None
    if settings.sensorthings_token:
        access = SensorThingsAccess(settings.sensorthings_url, settings.sensorthings_token)
        app.state.access = access
        app.state.client_token = partial(create_token, port=access)
        app.state.keeper = AccessKeeper(app.state.sessions, app.state.access, app.state.runner)
        app.state.bells.append(app.state.keeper.bell)


def _add_client_reports(app: FastAPI, settings: PlatformSettings, *, has_broker: bool) -> None:
    """Let the site read what client apps say about themselves, when there is a real broker."""
    app.state.client_topics = app.state.client_reports = None
    app.state.live_log = app.state.live_hub = None
    if has_broker:
        servers, security = settings.kafka_bootstrap_servers, settings.security
        app.state.client_topics = RememberingReader(KafkaTopicReader(servers, security))
        app.state.client_reports = ReportHub(servers, security)
        app.state.live_log = KafkaRecordLog(servers, security)
        app.state.live_hub = FollowHub(servers, security)


def _add_acls(app: FastAPI, settings: PlatformSettings, port: AclPort | None) -> None:
    """Let the site keep the broker's access rules and quotas."""
    app.state.acl_keeper, app.state.acl_port = None, port
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
        settings.limits,
    )
    app.state.app_rights = rights_of
    app.state.figures = FigureHistory(app.state.runner)
    app.state.enforcement = Enforcement(app.state.sessions, app.state.stream_ports, app.state.bells)
    app.state.bells.append(app.state.enforcement.bell)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: PlatformSettings = app.state.settings
    _make_room_for_waiting()
    await announce(
        app.state.first_run, app.state.sessions, settings.url or f"http://{settings.host}:{settings.port}"
    )
    tasks = [
        asyncio.create_task(_reconcile(app.state.sessions, app.state.topics, app.state.stream_ports)),
        asyncio.create_task(app.state.enforcement.run()),
    ]
    database_url = app.state.settings.database_url
    tasks.append(asyncio.create_task(ring_for_others(database_url, app.state.bells)))
    tasks.append(asyncio.create_task(app.state.audit_keeper.run()))
    tasks.append(asyncio.create_task(app.state.flows.run()))
    tasks.append(asyncio.create_task(app.state.figures.run()))
    if app.state.keeper is not None:
        tasks.append(asyncio.create_task(app.state.keeper.run()))
    if app.state.acl_keeper is not None:
        tasks.append(asyncio.create_task(app.state.acl_keeper.run()))
    for task in tasks:
        task.add_done_callback(_tell_end)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if app.state.access is not None:
            app.state.access.close()
        app.state.audit_keeper.close()
        app.state.tails.stop()
        if app.state.client_reports is not None:
            app.state.client_reports.stop()
        if app.state.live_hub is not None:
            app.state.live_hub.stop()
        await app.state.units.close()
        await app.state.gateway.close()
        if app.state.schema_registry is not None:
            await app.state.schema_registry.close()
        app.state.metadata.close()
        await app.state.engine.dispose()


def _make_room_for_waiting() -> None:
    """Let many blocking calls wait at a time: by itself Python lets six on two cores.

    Six people who look at records while Kafka is away would hold up every page that asks the runner.
    """
    room = ThreadPoolExecutor(MOST_WAITING, thread_name_prefix="waiting")
    asyncio.get_running_loop().set_default_executor(room)


def _tell_end(task: asyncio.Task[None]) -> None:
    """Tell the operator of work in the background that has ended by a fault: nobody else would notice."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        _log.critical("work in the background has ended; start the platform again", exc_info=fault)


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
