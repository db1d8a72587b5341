"""Reading for a client: which records are meant for it, and what it gets to see of them.

What lives here: matching by record key, decoding, metadata, and the order of committing. What does not: Kafka
(`client.messaging.consumer`) and the subscription file (`client.metadata.instances`).

At least once: offsets of the records that one call returned are committed by the next call or by `close`. A
program that dies while it works on records gets them again, whether it is killed or ends by an exception.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from client.errors import RecordFormatError
from client.messaging.ports import Consumer
from client.messaging.records import ReceivedRecord, decode_object
from client.messaging.topics import SystemName
from client.metadata.catalogue import DatastreamCatalogue
from client.metadata.instances import Subscription
from client.metadata.wire import known_metadata

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ReceiverCounters:
    """What became of the records that were read."""

    consumed: int = 0
    not_subscribed: int = 0
    unreadable: int = 0
    metadata_missing: int = 0


class Receiver:
    """Turns records of a consumer into what `consume()` returns.

    Args:
        consumer: Where records come from.
        system: The client's own system.
        subscription: What the client wants.
        catalogue: Where metadata comes from.
        report: Told about every record that cannot be read.
    """

    def __init__(
        self,
        consumer: Consumer,
        system: SystemName,
        subscription: Subscription,
        catalogue: DatastreamCatalogue,
        report: Callable[[RecordFormatError], None],
    ) -> None:
        self._consumer = consumer
        self._external = system.topics.external
        self._subscription = subscription
        self._logs = {log_system.topics.log for log_system in subscription.logs}
        self._catalogue = catalogue
        self._report = report
        self._lock = threading.Lock()
        self._is_closed = False
        self.counters = ReceiverCounters()

    def receive(self, max_records: int, timeout_s: float) -> list[dict[str, Any]]:
        """Commit what the call before returned, then wait for matching records.

        Raises:
            MessagingError: when reading cannot go on; its children say why.
        """
        deadline = time.monotonic() + timeout_s
        with self._lock:
            # Closed while this thread waited for its turn: there is nothing more to come.
            while not self._is_closed:
                self._consumer.commit(wait=False)
                left_s = max(0.0, deadline - time.monotonic())
                records = self._consumer.receive(max_records, left_s)
                seen = [shown for shown in map(self._show, records) if shown is not None]
                if seen or time.monotonic() >= deadline:
                    self.counters.consumed += len(seen)
                    return seen
        return []

    def _show(self, record: ReceivedRecord) -> dict[str, Any] | None:
        try:
            name = _name(record)
            if record.topic in self._logs:
                return {**decode_object(record), **_position(record, name)}
            if not self._is_wanted(record.topic, name):
                self.counters.not_subscribed += 1
                return None
            document = decode_object(record)
        except RecordFormatError as error:
            self.counters.unreadable += 1
            self._report(error)
            return None
        reference = document.get("Datastream")
        return {**document, "Datastream": self._metadata(name, reference), **_position(record, name)}

    def _is_wanted(self, topic: str, name: str) -> bool:
        return name in self._subscription.datastream_names or (
            self._subscription.everything and topic == self._external
        )

    def _metadata(self, name: str, reference: object) -> dict[str, object]:
        found = self._catalogue.find(name)
        if found is None:
            self.counters.metadata_missing += 1
            return known_metadata(name, reference)
        return found

    def reopen(self) -> None:
        """Let the consumer connect anew before it reads again."""
        self._consumer.reopen()

    def close(self, *, commit: bool = True) -> None:
        """Leave the group, after a commit unless told not to; waits for a call of `receive` under way."""
        with self._lock:
            self._is_closed = True
            if commit:
                self._consumer.commit(wait=True)
            self._consumer.close()


def _name(record: ReceivedRecord) -> str:
    try:
        return (record.key or b"").decode()
    except UnicodeDecodeError as error:
        raise RecordFormatError(
            "record.key_not_utf8", str(error), record.topic, record.partition, record.offset
        ) from error


def _position(record: ReceivedRecord, name: str) -> dict[str, object]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": name,
        "name": name,
    }
