"""The bridge as a process: its parts wired, its figures written each second, signals obeyed.

What lives here: the composition root of the bridge. What does not: the work (`bridge`, `storage`), the
command line (`commands`).

Two threads: one brings messages to Kafka and owns the disk, the other publishes what is shared.
"""

import fcntl
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from confluent_kafka.admin import AdminClient

from adapters.mqtt.bridge.aside import Aside
from adapters.mqtt.bridge.configuration import Configuration
from adapters.mqtt.bridge.downward import Downward
from adapters.mqtt.bridge.incoming import alive_record
from adapters.mqtt.bridge.pipeline import BridgeCounts, Pipeline
from adapters.mqtt.bridge.registration import Registration
from adapters.mqtt.bridge.sender import Outcome, Sender
from adapters.mqtt.bridge.session import RETAIN_ALWAYS, RETAIN_NEVER
from adapters.mqtt.bridge.upward import Upward
from adapters.mqtt.bridge.withdrawal import SensorThingsSight, Withdrawal
from adapters.mqtt.progress import BridgeFigures, write_progress
from adapters.mqtt.sensorthings.extension import SensorThingsExtension
from adapters.mqtt.sensorthings.service import HttpService
from adapters.mqtt.sensorthings.settings import ExtensionSettings
from adapters.mqtt.settings import GROUP, BridgeSettings
from adapters.mqtt.storage.buffer import DiskBuffer
from adapters.mqtt.storage.catalogue import Catalogue
from adapters.mqtt.storage.clients import KnownClients
from adapters.mqtt.storage.packets import PacketJournal
from adapters.mqtt.storage.retained import RetainedValues
from client.errors import ConfigurationError, DigitalTwinError
from client.metadata.server import SensorThingsServer
from streamhub.engine.counters import RecordCounts
from streamhub.engine.observer import LaneObserver, ProgressCollector
from streamhub.engine.progress import AppProgress
from streamhub.engine.sinks.metrics import serve_metrics
from streamhub.engine.work import Partition

_log = logging.getLogger(__name__)

_OBSERVE_INTERVAL_S: Final = 1.0
_ALIVE_INTERVAL_S: Final = 30.0
_CLIENTS_INTERVAL_S: Final = 0.2
_STOP_GRACE_S: Final = 10.0

Report = Callable[[AppProgress, BridgeFigures], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How the bridge is run from the outside.

    Attributes:
        progress_file: Where to write progress each second.
        metrics_port: Port of the Prometheus page on the loopback address; 0 for none.
    """

    progress_file: Path | None = None
    metrics_port: int = 0


class Bridge:
    """All parts of one bridge.

    Args:
        settings: How it runs.
        extension: How the SensorThings extension runs.

    Raises:
        ConfigurationError: A setting is refused, or the folder cannot be used.
    """

    def __init__(self, settings: BridgeSettings, extension: ExtensionSettings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self.counts = BridgeCounts()
        self.turned_at = time.monotonic()
        folder = settings.folder
        try:
            self._lock = _locked(folder)
            self._packets = PacketJournal(folder / "packets", settings.receive_maximum)
            most = settings.buffer_max_bytes
            self._buffer = DiskBuffer(folder / "buffer", most) if most else None
        except OSError as error:
            raise _unusable(folder, error) from error
        # Who asks comes again by itself; patience would keep the process from ending.
        server = SensorThingsServer(settings.sensorthings, token=settings.token, retry_s=0.0)
        self._clients = KnownClients(folder / "clients.json")
        if settings.system is not None and settings.client is not None:
            self._clients.note(settings.system, settings.client, "started")
        is_admin = settings.system is None and settings.token is not None
        self._service = HttpService(settings.sensorthings, settings.token) if is_admin else None
        self._registration = Registration(self._service, self._clients, settings.configuration_s)
        self._catalogue = Catalogue(server, folder / "datastreams.json")
        self._sender = Sender(settings)
        self._extension = SensorThingsExtension(settings, extension)
        self._pipeline = Pipeline(
            self._sender,
            self._catalogue,
            self._clients,
            self.counts,
            elsewhere=self._extension,
            only=settings.system,
        )
        self._aside = self._made_aside()
        self._upward = Upward(
            settings,
            self._pipeline,
            self._packets,
            self._buffer,
            self.counts,
            aside=self._aside,
            more_filters=(
                *((name, RETAIN_NEVER) for name in self._extension.filters),
                *((name, RETAIN_ALWAYS) for name in self._extension.retained_filters),
            ),
        )
        values = RetainedValues(folder / "retained.json")
        sight = SensorThingsSight(server, acts=settings.system is None)
        self._withdrawal = Withdrawal(sight, values, settings.configuration_s, service=self._service)
        self._downward = Downward(settings, self.counts, values, self._withdrawal)
        self._configuration = Configuration(server, self._upward.session, settings.configuration_s)
        self._alive_at = self._clients_at = time.monotonic()
        self._fresh_sessions = 0

    def _made_aside(self) -> Aside | None:
        """Make the place for messages that would hold up others; where all are of one system, there is none.

        Raises:
            ConfigurationError: The folder cannot be used.
        """
        settings = self._settings
        if settings.system is not None:
            return None
        folder = settings.folder / "aside"
        try:
            return Aside(folder, self._pipeline, settings.aside_after_s, settings.aside_max_bytes)
        except OSError as error:
            raise _unusable(settings.folder, error) from error

    @property
    def admin(self) -> AdminClient:
        """A connection to Kafka for questions."""
        return self._sender.admin

    @property
    def committed(self) -> RecordCounts:
        """What was done; see `streamhub.engine.observer.Observed`."""
        counts = self.counts
        return RecordCounts(
            consumed=counts.received,
            forwarded=counts.forwarded,
            dead_letters=counts.refused.copy(),
            dropped=counts.dropped,
            held=self._pipeline.waiting,
        )

    @property
    def positions(self) -> Mapping[Partition, int]:
        """None: MQTT has no offsets."""
        return {}

    @property
    def is_assigned(self) -> bool:
        """Whether both connections to the MQTT broker are there, and the subscriptions."""
        return self._upward.session.is_ready and self._downward.session.is_ready

    @property
    def newest_ms(self) -> int:
        """Not known."""
        return 0

    @property
    def trouble(self) -> str | None:
        """What is wrong at the moment; None when nothing is."""
        return "; ".join(self.troubles) or None

    @property
    def troubles(self) -> tuple[str, ...]:
        """Everything that is wrong at the moment, once each."""
        found = (
            self._upward.session.trouble,
            self._downward.session.trouble,
            self._sender.trouble,
            self._pipeline.trouble,
            self._downward.trouble,
            self._catalogue.trouble,
            self._configuration.trouble,
            self._withdrawal.trouble,
            self._extension.trouble,
            self._upward.trouble,
        )
        return tuple(dict.fromkeys(one for one in found if one))

    @property
    def figures(self) -> BridgeFigures:
        """What only the bridge has."""
        counts = self.counts
        return BridgeFigures(
            broker=self._settings.mqtt.url,
            is_connected=self.is_assigned,
            acknowledged=counts.acknowledged,
            unacknowledged=self._upward.unacknowledged,
            repeated=counts.repeated,
            dropped=counts.dropped,
            states=counts.states,
            published=counts.published,
            updates=self._extension.published,
            unpublished=counts.unpublished,
            withdrawn=counts.withdrawn,
            buffer_bytes=self._upward.buffer_bytes,
            troubles=self.troubles,
        )

    def stop(self) -> None:
        """Ask to finish what is on its way and end; returns at once."""
        self._stopping.set()

    def run(self) -> None:
        """Work until stopped.

        Raises:
            DigitalTwinError: It cannot go on; a new process can.
        """
        publishing = threading.Thread(target=self._publish, name="mqtt-downward", daemon=True)
        publishing.start()
        self._extension.start()
        try:
            while not self._stopping.is_set():
                self._upward.turn()
                self._look_after_clients()
                self._catalogue.save()
                self._say_alive()
                self.turned_at = time.monotonic()
        except OSError as error:
            raise DigitalTwinError(f"the bridge's folder {self._settings.folder} fails: {error}") from error
        finally:
            self._stopping.set()
            publishing.join(_STOP_GRACE_S)
            self._close()
        if self._failure is not None:
            raise DigitalTwinError(f"publishing shared data has failed: {self._failure}") from self._failure

    def _look_after_clients(self) -> None:
        """Tell clients what is registered, and learn who is; seldom, because there may be many of them."""
        if time.monotonic() < self._clients_at:
            return
        self._clients_at = time.monotonic() + _CLIENTS_INTERVAL_S
        self._registration.turn()
        if self._fresh_sessions != self._upward.fresh_sessions:
            self._fresh_sessions = self._upward.fresh_sessions
            self._configuration.forget()
        self._configuration.turn(self._clients.all())

    def _publish(self) -> None:
        try:
            while not self._stopping.is_set():
                self._downward.turn()
        except BaseException as error:  # whatever it is, the other thread has to end as well
            self._failure = error
            _log.exception("publishing shared data has failed")
            raise
        finally:
            self._stopping.set()
            self._downward.finish()

    def _say_alive(self) -> None:
        """Say that clients are alive: when one is not, the broker publishes its last will."""
        if time.monotonic() < self._alive_at:
            return
        self._alive_at = time.monotonic() + _ALIVE_INTERVAL_S
        self._clients.save()
        self._extension.serve(sorted({str(system) for system, _ in self._clients.all()}))
        for system, client in self._registration.present():
            self._sender.send(alive_record(system, client, datetime.now(UTC)), _forget)

    def _close(self) -> None:
        self._upward.finish(_STOP_GRACE_S)
        self._extension.close()
        self._sender.close(1.0)
        self._clients.save()
        self._configuration.close()
        self._registration.close()
        if self._service is not None:
            self._service.close()
        self._catalogue.close()
        self._lock.close()


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"DTWIN_MQTT__FOLDER names {folder}, which cannot be used: {error}", setting="DTWIN_MQTT__FOLDER"
    )


def _locked(folder: Path) -> BinaryIO:
    """Hold the folder until the file is closed, or the process ends.

    Raises:
        ConfigurationError: Another bridge holds it: both would write the same files.
        OSError: It cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigurationError(
            f"DTWIN_MQTT__FOLDER names {folder}, in which another bridge works. Stop it first, or give each "
            "its own folder and DTWIN_MQTT__CLIENT_ID",
            setting="DTWIN_MQTT__FOLDER",
        ) from error
    return lock


def run_bridge(
    settings: BridgeSettings, extension: ExtensionSettings, options: RunOptions, report: Report
) -> None:
    """Run the bridge until SIGINT or SIGTERM.

    Args:
        settings: How it runs.
        extension: How the SensorThings extension runs.
        options: How it is run from the outside.
        report: Called each second with the latest figures.

    Raises:
        ConfigurationError: A setting is refused, or the metrics port is taken.
        DigitalTwinError: It cannot go on; a new process can.
    """
    bridge = Bridge(settings, extension)
    observer = LaneObserver(bridge, bridge.admin)
    stop_metrics = serve_metrics(options.metrics_port, ProgressCollector(GROUP, observer))
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: bridge.stop())
    watching = threading.Thread(
        target=_watch, args=(bridge, observer, options, report, ended), name="mqtt-progress", daemon=True
    )
    watching.start()
    try:
        bridge.run()
    finally:
        observer.stopping()
        ended.set()
        watching.join()
        stop_metrics()


def _watch(
    bridge: Bridge, observer: LaneObserver, options: RunOptions, report: Report, ended: threading.Event
) -> None:
    is_last = False
    while not is_last:
        is_last = ended.wait(_OBSERVE_INTERVAL_S)
        progress, figures = observer.observe(), bridge.figures
        if options.progress_file is not None:
            write_progress(options.progress_file, progress, figures)
        report(progress, figures)


def _forget(_outcome: Outcome, _said: str) -> None:
    """A sign of life may be lost; the next one follows."""
