"""The ports of the site: what it speaks to the world by, and who keeps things in step, by the settings.

What lives here: all that handlers find in ``app.state``. What does not: routes (``routes``), middleware
(``app``), and running what runs by itself (``background``).
"""

from dataclasses import dataclass
from functools import partial

from starlette.datastructures import State

from platform_ui import health
from platform_ui.access.keeper import AccessKeeper
from platform_ui.access.port import SensorThingsAccess
from platform_ui.access.service import create_token
from platform_ui.accounts.access import find_visitor
from platform_ui.accounts.oidc_provider import OidcProvider
from platform_ui.acls.kafka_port import AclPort, KafkaAcls
from platform_ui.acls.keeper import AclKeeper
from platform_ui.acls.of_apps import rights_of
from platform_ui.acls.quotas import KafkaQuotas
from platform_ui.audit.keeper import AuditKeeper
from platform_ui.audit.keys import read_key
from platform_ui.audit.publisher import KafkaLogSink
from platform_ui.broker import KafkaTopics, TopicAdministrator
from platform_ui.changes import Bell
from platform_ui.client_logs.live import ReportHub
from platform_ui.client_logs.reading import KafkaTopicReader, RememberingReader
from platform_ui.composition.rehearsal import rehearsal_ports
from platform_ui.contracts.preview import KafkaRecords
from platform_ui.db import create_engine, create_sessions
from platform_ui.demo import load_demo
from platform_ui.documents.registry import SchemaRegistry
from platform_ui.flows.offsets import KafkaOffsets, OffsetPort
from platform_ui.flows.sampler import FlowSampler
from platform_ui.live.following import FollowHub
from platform_ui.live.reading import KafkaRecordLog
from platform_ui.metadata.gateway import Gateway
from platform_ui.operations.first_run import FirstRun
from platform_ui.operations.watch import Watch
from platform_ui.pki.authority import Authority
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from platform_ui.streams.enforcement import Enforcement
from platform_ui.streams.figures import FigureHistory
from platform_ui.streams.ports import StreamPorts, open_metadata
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.systems.membership import has_part_within, needs_second_factor
from platform_ui.systems.tail import TailHub
from platform_ui.systems.units import UnitDirectory
from streamhub.outputs import MetadataRegistry
from streamhub.runner import RunnerDirectory


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller brings in place of what the settings name; each None for the settings' own.

    Attributes:
        topics: The broker's topics; with them there is no broker.
        runner: The runner of stream apps.
        metadata: Units and output Datastreams.
        acls: The broker's access rules.
        offsets: How far the broker's topics are.
    """

    topics: TopicAdministrator | None = None
    runner: StreamRunner | None = None
    metadata: MetadataRegistry | None = None
    acls: AclPort | None = None
    offsets: OffsetPort | None = None


def add_ports(state: State, settings: PlatformSettings, given: Given) -> None:
    """Put everything that the site needs into its state; it connects when it is first used.

    Raises:
        ConfigurationError: the certificate authority cannot be opened.
    """
    bells: list[Bell] = []
    state.settings, state.bells = settings, bells
    state.secret_key = settings.secret_key
    state.second_factor_rule, state.part_rule = needs_second_factor, has_part_within
    state.is_demo = settings.mode is Mode.DEMO
    state.authority = _authority(settings)
    state.engine = create_engine(settings.database_url)
    state.sessions = create_sessions(state.engine)
    state.oidc = OidcProvider(settings.oidc) if settings.oidc else None
    state.metrics = health.SiteMetrics()
    state.find_principal, state.rehearsal_ports = find_visitor, rehearsal_ports
    state.watch = Watch(state)
    state.first_run = FirstRun(asks_for_code=not state.is_demo)
    state.runner = given.runner or RunnerDirectory(settings.runner_directory)
    _add_sensorthings(state, settings, given)
    _add_kafka(state, settings, given)
    state.load_demo = partial(
        load_demo, settings, topics=given.topics, runner=state.runner, metadata=state.metadata
    )
    _add_access(state, settings)
    _add_flows(state, settings, given)
    _add_client_reports(state, settings, has_broker=given.topics is None)
    _add_acls(state, settings, given)
    _add_enforcement(state, settings)


def _authority(settings: PlatformSettings) -> Authority | None:
    """Open the authority of the settings, if they name one."""
    if settings.pki_directory is None:
        return None
    return Authority.open(settings.pki_directory, settings.pki_passphrase)


def _add_sensorthings(state: State, settings: PlatformSettings, given: Given) -> None:
    """Let the site ask the SensorThings service, and a schema registry if there is one."""
    url, token = settings.sensorthings_url, settings.sensorthings_token
    state.metadata = given.metadata or open_metadata(url, token)
    state.units = UnitDirectory(url, token)
    state.gateway = Gateway(settings)
    registry_url = settings.schema_registry_url
    state.schema_registry = SchemaRegistry(registry_url) if registry_url else None


def _add_kafka(state: State, settings: PlatformSettings, given: Given) -> None:
    """Let the site keep topics, look at records, and write the audit log to Kafka."""
    servers, security = settings.kafka_bootstrap_servers, settings.security
    state.topics = given.topics or KafkaTopics(servers, security)
    state.tails = TailHub(servers, security, state.units)
    state.records = KafkaRecords(servers, security)
    state.audit_keeper = AuditKeeper(
        state.sessions,
        KafkaLogSink(servers, security),
        read_key(settings.audit_key_file) if settings.audit_key_file else None,
    )


def _add_flows(state: State, settings: PlatformSettings, given: Given) -> None:
    """Let the site see what flows."""
    offsets = given.offsets
    if given.topics is None:
        offsets = offsets or KafkaOffsets(settings.kafka_bootstrap_servers, settings.security)
    state.flows = FlowSampler(state.runner, offsets)
    state.bells.append(state.flows.bell)


def _add_access(state: State, settings: PlatformSettings) -> None:
    """Let the site administer access to SensorThings, when it has the token for it."""
    state.access = state.keeper = state.client_token = None
    if settings.sensorthings_token:
        access = SensorThingsAccess(settings.sensorthings_url, settings.sensorthings_token)
        state.access = access
        state.client_token = partial(create_token, port=access)
        state.keeper = AccessKeeper(state.sessions, state.access, state.runner)
        state.bells.append(state.keeper.bell)


def _add_client_reports(state: State, settings: PlatformSettings, *, has_broker: bool) -> None:
    """Let the site read what client apps say about themselves, when there is a real broker."""
    state.client_topics = state.client_reports = None
    state.live_log = state.live_hub = None
    if has_broker:
        servers, security = settings.kafka_bootstrap_servers, settings.security
        state.client_topics = RememberingReader(KafkaTopicReader(servers, security))
        state.client_reports = ReportHub(servers, security)
        state.live_log = KafkaRecordLog(servers, security)
        state.live_hub = FollowHub(servers, security)


def _add_acls(state: State, settings: PlatformSettings, given: Given) -> None:
    """Let the site keep the broker's access rules and quotas."""
    port = given.acls
    if given.topics is None:
        port = port or KafkaAcls(settings.kafka_bootstrap_servers, settings.security)
    state.acl_keeper, state.acl_port = None, port
    if port is not None:
        quotas = KafkaQuotas(settings.kafka_bootstrap_servers, settings.security)
        state.acl_keeper = AclKeeper(
            state.sessions,
            port,
            settings.acl.principals,
            state.metrics,
            bring_quotas=lambda: quotas.bring(settings.acl),
        )
        state.bells.append(state.acl_keeper.bell)


def _add_enforcement(state: State, settings: PlatformSettings) -> None:
    """Let the site keep stream apps within their contracts."""
    state.stream_ports = StreamPorts(
        state.runner,
        state.metadata,
        settings.kafka_bootstrap_servers,
        state.authority,
        state.acl_keeper,
        settings.limits,
    )
    state.app_rights = rights_of
    state.figures = FigureHistory(state.runner)
    state.enforcement = Enforcement(state.sessions, state.stream_ports, state.bells)
    state.bells.append(state.enforcement.bell)
