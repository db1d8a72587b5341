"""One copy of the sink as a process: its parts wired, its figures written each second, signals obeyed.

What lives here: the composition root of the sink, and its own metrics. What does not: the loop (`sink`), the
command line (`commands`).
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Final

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.elasticsearch.bulks import BulkWriter
from adapters.elasticsearch.connection import connect
from adapters.elasticsearch.indices import Indices
from adapters.elasticsearch.metadata import MetadataCache
from adapters.elasticsearch.settings import ElasticsearchSinkSettings
from adapters.elasticsearch.sink import ElasticsearchSink
from client.metadata.server import SensorThingsServer
from streamhub.engine.observer import LaneObserver, ProgressCollector
from streamhub.engine.progress import AppProgress
from streamhub.engine.sinks.letters import CountedLetters, KafkaLetters
from streamhub.engine.sinks.metrics import serve_metrics
from streamhub.engine.sinks.settings import RunOptions, common_settings
from streamhub.engine.sinks.source import GroupSource, WholeSource

_kafka_log = logging.getLogger("adapters.kafka")

_OBSERVE_INTERVAL_S: Final = 1.0
_METADATA_RETRY_S: Final = 10.0

Report = Callable[[AppProgress], None]


def run_sink(settings: ElasticsearchSinkSettings, options: RunOptions, report: Report) -> AppProgress:
    """Run the sink until SIGINT or SIGTERM, or until a replay is done; to be called in the main thread.

    Args:
        settings: How it runs.
        options: How it is run from the outside.
        report: Called each second with the latest figures.

    Returns:
        The last figures.

    Raises:
        ConfigurationError: A client library refuses the settings, or the metrics port is taken.
        MessagingError: Kafka refuses for good, or a replay does not find it.
    """
    stopping, ended = threading.Event(), threading.Event()
    client = connect(settings.address, connections=settings.in_flight)
    indices = Indices(
        client, settings.system, kind=settings.kind, period=settings.period, shape=settings.shape
    )
    writer = BulkWriter(client, indices, stopping, is_replay=options.is_replay)
    metadata = MetadataCache(_sensorthings(settings), grace_s=settings.grace_s)
    sink = _make_sink(settings, metadata, writer, stopping, is_replay=options.is_replay)
    admin = AdminClient({**common_settings(settings), "metadata.max.age.ms": 10_000}, logger=_kafka_log)
    observer = LaneObserver(sink, admin, options.progress_file)
    stop_metrics = serve_metrics(
        options.metrics_port, ProgressCollector(settings.group, observer), _SinkCollector(sink, writer)
    )

    def stop(_number: int, _frame: object) -> None:
        observer.stopping()
        stopping.set()

    def watch() -> None:
        while not ended.wait(_OBSERVE_INTERVAL_S):
            progress = observer.observe()
            if progress.lag is not None:
                sink.note_answer()
            report(progress)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    metadata.start()
    threading.Thread(target=writer.prepare, name="prepare", daemon=True).start()
    watching = threading.Thread(target=watch, name="watch", daemon=True)
    watching.start()
    try:
        sink.run()
    finally:
        ended.set()
        watching.join()
        metadata.close()
        stop_metrics()
        client.close()
        observer.stopping()
        last = observer.observe()
        report(last)
    return last


def _make_sink(
    settings: ElasticsearchSinkSettings,
    metadata: MetadataCache,
    writer: BulkWriter,
    stopping: threading.Event,
    *,
    is_replay: bool,
) -> ElasticsearchSink:
    sink: ElasticsearchSink | None = None

    def on_error(error: KafkaError) -> None:
        if sink is not None:
            sink.note_error(error)

    source = (WholeSource if is_replay else GroupSource)(settings, on_error)
    letters = CountedLetters() if is_replay else KafkaLetters(settings, on_error)
    sink = ElasticsearchSink(settings, source, metadata, writer, letters, stopping=stopping)
    return sink


def _sensorthings(settings: ElasticsearchSinkSettings) -> SensorThingsServer | None:
    if settings.sensorthings_url is None:
        return None
    return SensorThingsServer(
        settings.sensorthings_url, token=settings.sensorthings_token, retry_s=_METADATA_RETRY_S
    )


class _SinkCollector(Collector):
    """What the sink has besides the figures that all apps have."""

    def __init__(self, sink: ElasticsearchSink, writer: BulkWriter) -> None:
        self._sink = sink
        self._writer = writer

    def collect(self) -> Iterator[Metric]:
        """Make the metric families."""
        sink, writer = self._sink, self._writer
        yield _counter("documents_created", "Documents that were new.", sink.committed.forwarded)
        yield _counter("documents_present", "Documents that were there already.", sink.present)
        yield _counter("documents_without_metadata", "Of unknown Datastreams.", sink.committed.missing)
        yield _counter("bulks_sent", "Bulk requests.", writer.requests)
        yield _counter("bulks_repeated", "Bulk requests after a failure.", writer.repetitions)
        yield _gauge("bulks_in_flight", "Bulks that wait for their acknowledgement.", sink.bulks_in_flight)
        yield _gauge("bytes_in_flight", "Documents that are not settled yet.", sink.bytes_in_flight)
        yield _gauge("waiting", "1 while Elasticsearch or Kafka is waited for.", sink.trouble is not None)


def _counter(name: str, text: str, number: float) -> Metric:
    family = CounterMetricFamily(f"dtwin_elasticsearch_{name}", text)
    family.add_metric([], number)
    return family


def _gauge(name: str, text: str, number: float) -> Metric:
    family = GaugeMetricFamily(f"dtwin_elasticsearch_{name}", text)
    family.add_metric([], number)
    return family
