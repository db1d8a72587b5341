"""The Faust app of a stream app, of one or several sources: wires specification, engine and worker.

What lives here: the only place where the engine meets Faust. What does not: the command line
(`streamhub.commands`). Faust is the worker: signals, supervision, and room for agents and tables of later
apps. Its record-at-a-time path is not used for data, and as long as no agent needs it no broker connection of
Faust is opened: so the app needs no topics or rights beyond those of the lane.
"""

import gc
import logging
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faust
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from faust.app.base import BootStrategy

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from streamhub.apps.lane_service import LaneService
from streamhub.engine.batch import BatchForwarder
from streamhub.engine.derivation import Derivation, memory_of
from streamhub.engine.deriving import DerivingWork
from streamhub.engine.forwarding import ForwardingWork
from streamhub.engine.lane import BatchLane
from streamhub.engine.observer import LaneObserver, ProgressCollector
from streamhub.engine.progress import AppProgress
from streamhub.engine.settings import LaneSettings, observer_settings
from streamhub.engine.sinks.metrics import serve_metrics
from streamhub.engine.topics import inspect_topics
from streamhub.engine.windows import FlowEnd
from streamhub.engine.work import Work
from streamhub.errors import StreamAppError
from streamhub.query import CompiledStatement

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("streamhub.kafka")

_SCHEME: Final = "kafka://"
# A batch makes tens of thousands of objects that die young without cycles; looking for cycles among them, and
# through all of Faust's modules, cost a fifth of the processor time.
_GARBAGE_THRESHOLDS: Final = (200_000, 20, 20)


class _LaneOnly(BootStrategy):  # type: ignore[misc] # faust is untyped
    """Start no Kafka client and no web server of Faust's own."""

    enable_kafka = False
    enable_web = False


class _LaneApp(faust.App):  # type: ignore[misc] # faust is untyped
    BootStrategy = _LaneOnly


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a copy is run from the outside.

    Attributes:
        broker_wait_s: Longest wait for a broker at the start [s].
        progress_file: Where to write progress each second.
        metrics_port: Port of the Prometheus page on the loopback address; 0 for none.
    """

    broker_wait_s: float = 15.0
    progress_file: Path | None = None
    metrics_port: int = 0


def make_app(settings: LaneSettings, data_folder: Path) -> faust.App:
    """Make the Faust app, configured for the same brokers and certificates as the lane.

    Args:
        settings: How the copy runs.
        data_folder: Where Faust may keep files.
    """
    specification = settings.specification
    return _LaneApp(
        specification.app_id,
        broker=[f"{_SCHEME}{address.strip()}" for address in specification.bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings.security),
        datadir=str(data_folder),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_auto_create=False,
    )


def _credentials(security: KafkaSecurity) -> ssl.SSLContext | None:
    if security.protocol != "SSL":
        return None
    context = ssl.create_default_context(cafile=security.ca_file)
    if security.certificate_file is not None:
        context.load_cert_chain(security.certificate_file, security.key_file, security.key_password)
    return context


def run_stream_app(
    settings: LaneSettings,
    options: RunOptions,
    report: Callable[[AppProgress], None],
    derivation: Derivation | None = None,
) -> None:
    """Run one copy of a stream app until SIGINT or SIGTERM; then commit and leave the group.

    Args:
        settings: How the copy runs.
        options: How it is run from the outside.
        report: Called each second with the latest figures.
        derivation: What is done to the records, when that is not the specification's statement.

    Raises:
        BrokerUnavailableError: no broker answered at the start.
        TopicNotFoundError: a source or the target topic does not exist.
        NotAuthorizedError: the app may not see a topic.
        ContractEndedError: a contract that binds the app has ended, before or while it ran.
        ConfigurationError: functions are to run that terms of a contract cannot bind, or the metrics port is
            taken.
        StreamAppError: the app cannot go on.
    """
    specification = settings.specification
    FlowEnd(specification).check()
    if derivation is not None and specification.contracts:
        raise ConfigurationError(
            "stream app: the terms of a contract bind statements, not Python functions: write a statement",
            setting="contracts",
        )
    compiled = derivation or specification.compile()
    if isinstance(compiled, CompiledStatement):
        topics = inspect_topics(settings, options.broker_wait_s)
    else:
        if derivation is None and not compiled.columns:
            raise StreamAppError(
                "the statement computes nothing that could become a Datastream: name a computed column with "
                "AS, or give an attribute its UNIT"
            )
        topics = inspect_topics(
            settings, options.broker_wait_s, memory_of(compiled, spread=settings.specification.spread)
        )

    def make_work(producer: Producer) -> Work:
        if isinstance(compiled, CompiledStatement):
            return ForwardingWork(BatchForwarder(settings.specification, compiled, producer, topics))
        return DerivingWork(settings, compiled, producer=producer, topics=topics)

    lane = BatchLane(settings, topics, make_work)
    admin = AdminClient(observer_settings(settings), logger=_kafka_log)
    observer = LaneObserver(lane, admin, options.progress_file)
    stop_metrics = serve_metrics(options.metrics_port, ProgressCollector(specification.app_id, observer))
    service = LaneService(lane, observer, report)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    try:
        with tempfile.TemporaryDirectory(prefix="dtwin-app-") as folder:
            _work(make_app(settings, Path(folder)), service)
    finally:
        stop_metrics()
    if service.failure is not None:
        raise service.failure


def _work(app: faust.App, service: LaneService) -> None:
    worker: Any = faust.Worker(
        app, service, loglevel="WARN", quiet=True, redirect_stdouts=False, override_logging=False
    )
    # The spinner writes terminal codes even into files.
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        _log.debug("the worker ended with %s", end.code, extra={"action": "worker_end"})
