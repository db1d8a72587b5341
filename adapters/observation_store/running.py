"""One copy of the recorder as a process: its parts wired, its figures written each second, signals obeyed.

What lives here: the composition root of the recorder. What does not: the loop (`recorder`), the command line
(`commands`).
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from adapters.observation_store.recorder import Recorder
from adapters.observation_store.settings import RecorderSettings
from sensorthings.database import Database
from sensorthings.store.postgres import PostgresObservationStore
from streamhub.engine.observer import LaneObserver, ProgressCollector
from streamhub.engine.progress import AppProgress
from streamhub.engine.sinks.letters import CountedLetters, KafkaLetters
from streamhub.engine.sinks.metrics import serve_metrics
from streamhub.engine.sinks.settings import RunOptions, common_settings
from streamhub.engine.sinks.source import GroupSource, WholeSource

_kafka_log = logging.getLogger("adapters.kafka")

_OBSERVE_INTERVAL_S: Final = 1.0
_CONNECTIONS: Final = 3
_CONNECTION_WAIT_S: Final = 5.0
# A batch makes tens of thousands of objects that die young without cycles.
_GARBAGE_THRESHOLDS: Final = (200_000, 20, 20)

Report = Callable[[AppProgress], None]


def run_recorder(settings: RecorderSettings, options: RunOptions, report: Report) -> AppProgress:
    """Run the recorder until SIGINT or SIGTERM, or until a replay is done.

    Args:
        settings: How it runs.
        options: How it is run from the outside.
        report: Called each second with the latest figures.

    Returns:
        The last figures.

    Raises:
        ConfigurationError: The client library refuses the settings, or the metrics port is taken.
        MessagingError: Kafka refuses for good, or a replay does not find it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    return asyncio.run(_run(settings, options, report))


async def _run(settings: RecorderSettings, options: RunOptions, report: Report) -> AppProgress:
    database = Database(settings.database, pool_size=_CONNECTIONS, wait_s=_CONNECTION_WAIT_S)
    recorder = _make_recorder(settings, database, is_replay=options.is_replay)
    admin = AdminClient({**common_settings(settings), "metadata.max.age.ms": 10_000}, logger=_kafka_log)
    observer = LaneObserver(recorder, admin, options.progress_file)
    stop_metrics = serve_metrics(options.metrics_port, ProgressCollector(settings.group, observer))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, recorder, observer)
    await database.open()
    watching = asyncio.create_task(_watch(recorder, observer, report))
    try:
        await recorder.run()
    finally:
        watching.cancel()
        await database.close()
        stop_metrics()
        observer.stopping()
        last = observer.observe()
        report(last)
    return last


def _make_recorder(settings: RecorderSettings, database: Database, *, is_replay: bool) -> Recorder:
    recorder: Recorder | None = None

    def on_error(error: KafkaError) -> None:
        if recorder is not None:
            recorder.note_error(error)

    source = (WholeSource if is_replay else GroupSource)(settings, on_error)
    letters = CountedLetters() if is_replay else KafkaLetters(settings, on_error)
    recorder = Recorder(settings, database, PostgresObservationStore(database), source, letters)
    return recorder


def _stop(recorder: Recorder, observer: LaneObserver) -> None:
    observer.stopping()
    recorder.stop()


async def _watch(recorder: Recorder, observer: LaneObserver, report: Report) -> None:
    while True:
        progress = observer.observe()
        if progress.lag is not None:
            recorder.note_answer()
        report(progress)
        await asyncio.sleep(_OBSERVE_INTERVAL_S)
