"""What a client says about itself: its log lines and states, as JSON records in the topic `<system>.log`.

What lives here: the form of these records, the handler behind `DigitalTwinClient.logger`, and the thread that
says "alive". What does not: log lines of the library modules, which go to `logging` like everywhere.

Records have the client's name as key and one of three forms as value:

    {"time": ..., "client": "car_1", "type": "state", "state": "started", ...}
    {"time": ..., "client": "car_1", "type": "log", "level": "INFO", "message": ...}
    {"time": ..., "client": "car_1", "type": "registered", "datastreams": [...], "count": 3}

States are started, alive, disconnected, reconnected (with `outage_s`) and stopped. Nothing here waits for
Kafka or raises because of it: what finds no room is counted in `dropped`.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from client.errors import DigitalTwinError, InvalidResultError
from client.messaging.ports import Headers, Producer
from client.messaging.records import HEADER_ID, encode_json, new_record_id
from client.metadata.times import format_time

_log = logging.getLogger(__name__)

_FORMAT: Final = logging.Formatter()
# Names of Datastreams in one record: it stays well below the megabyte that a topic takes.
_MOST_NAMES: Final = 1000
# What is registered is said again now and then: whoever reads the topic looks back only so far.
_REPEAT_S: Final = 1800.0


class Journal(logging.Handler):
    """Writes log lines and states of one client to its log topic; a `logging.Handler` as well.

    Args:
        client_name: The key of every record.
        topic: The log topic.
        now: The clock, aware.
        alive_s: How often to say "alive" [s]; 0 for never.
    """

    def __init__(self, client_name: str, topic: str, now: Callable[[], datetime], alive_s: float) -> None:
        super().__init__()
        self.dropped = 0
        self._client_name = client_name
        self._topic = topic
        self._now = now
        self._alive_s = alive_s
        self._producer: Producer | None = None
        self._down_since: datetime | None = None
        self._datastreams: tuple[str, ...] = ()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._say_alive, name="dtwin-alive", daemon=True)

    def start(self, producer: Producer) -> None:
        """Say "started" and go on saying "alive"."""
        self._producer = producer
        self.state("started")
        if self._alive_s > 0:
            self._thread.start()

    def stop(self) -> None:
        """Say "stopped" and be quiet."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.state("stopped")
        self._producer = None

    def state(self, state: str, **facts: object) -> None:
        """Record a state of the client."""
        self._write({"type": "state", "state": state, **facts})

    def registered(self, datastreams: Sequence[str]) -> None:
        """Record all Datastreams that the client writes: whoever reads its records can tell them by that."""
        self._datastreams = tuple(datastreams)
        names = list(self._datastreams[:_MOST_NAMES])
        self._write({"type": "registered", "datastreams": names, "count": len(self._datastreams)})

    def disconnected(self) -> None:
        """Record that no broker is reachable; delivered, with its time, when one is again."""
        self._down_since = self._now()
        self.state("disconnected")
        _log.warning("%s: Kafka is unreachable; records are kept and sent later", self._client_name)

    def reconnected(self) -> None:
        """Record that records arrive again, and how long they did not."""
        since, self._down_since = self._down_since, None
        outage_s = None if since is None else round((self._now() - since).total_seconds(), 3)
        self.state("reconnected", outage_s=outage_s)
        _log.warning("%s: Kafka is reachable again after %s s", self._client_name, outage_s)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a log line; called by `logging`."""
        line: dict[str, object] = {"type": "log", "level": record.levelname, "logger": record.name}
        try:
            line["message"] = record.getMessage()
        except (TypeError, ValueError, KeyError):
            self.handleError(record)
            return
        if record.exc_info:
            line["exception"] = _FORMAT.formatException(record.exc_info)
        self._write(line)

    def _write(self, facts: dict[str, object]) -> None:
        producer = self._producer
        if producer is None:
            return
        headers: Headers = [(HEADER_ID, new_record_id().encode())]
        try:
            value = encode_json({"time": format_time(self._now()), "client": self._client_name, **facts})
            is_taken = producer.produce_aside(self._topic, self._client_name.encode(), value, headers)
        except (InvalidResultError, DigitalTwinError) as error:
            _log.warning("a log record of %s cannot be written: %s", self._client_name, error)
            is_taken = False
        self.dropped += not is_taken

    def _say_alive(self) -> None:
        quiet_s = 0.0
        while not self._stopping.wait(self._alive_s):
            self.state("alive")
            quiet_s += self._alive_s
            if quiet_s >= _REPEAT_S and self._datastreams:
                quiet_s = 0.0
                self.registered(self._datastreams)
