"""Kafka and SensorThings in memory, for tests of programs that use `DigitalTwinClient` without network.

What lives here: implementations of the ports `Broker` and `MetadataServer` for tests. What does not: anything
used at run time.

>>> from client.digital_twin_client import DigitalTwinClient
>>> from client.testing import InMemoryBroker, InMemorySensorThings
>>> broker, server = InMemoryBroker(), InMemorySensorThings()
>>> station = "is.iceland.iot4cps-wp5-WeatherService.Stations"
>>> with DigitalTwinClient("reader", station, "in-memory", broker=broker, server=server) as client:
...     client.subscribe(datastreams=["*"])
...     sent = broker.send(f"{station}.ext", "cz.icecars.Fleet.Car1.Main.Speed", {"result": 0})
...     [record] = client.consume(timeout=0)
>>> record["result"], record["name"]
(0, 'cz.icecars.Fleet.Car1.Main.Speed')
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from client.errors import (
    BrokerUnavailableError,
    DeliveryError,
    QueueFullError,
    TopicNotFoundError,
    UnavailableError,
)
from client.messaging.delivery import DeliveryBook, DeliveryHandle
from client.messaging.ports import ConnectionListener, Headers
from client.messaging.records import ReceivedRecord, partition_for
from client.metadata.entities import Entity, EntityId
from client.metadata.wire import DATASTREAMS, IOT_ID, LOCATIONS, JsonObject, entity_id, entity_set, to_wire

_EntityT = TypeVar("_EntityT", bound=Entity)
_LINKS: Final = {"Thing": "Things", "Sensor": "Sensors", "ObservedProperty": "ObservedProperties"}


class InMemoryBroker:
    """A broker that keeps records in lists; every topic exists unless it is named in `missing`.

    Args:
        partitions: Number of partitions of every topic.
        missing: Topics that do not exist.
        queue_max_records: How many records a producer keeps while the broker is stopped.
    """

    def __init__(
        self, *, partitions: int = 3, missing: Sequence[str] = (), queue_max_records: int = 1000
    ) -> None:
        self._partitions = partitions
        self._missing = frozenset(missing)
        self._logs: dict[tuple[str, int], list[ReceivedRecord]] = {}
        self._producers: list[InMemoryProducer] = []
        self.queue_max_records = queue_max_records
        self.committed: dict[tuple[str, str, int], int] = {}
        self.is_running = True
        self.changed = threading.Condition(threading.RLock())

    def stop(self) -> None:
        """Go away, as a broker in an outage; producers keep their records."""
        self.is_running = False
        for producer in self._producers:
            producer.notice_outage()

    def start(self) -> None:
        """Come back; what producers kept arrives."""
        self.is_running = True
        for producer in self._producers:
            producer.notice_return()

    def send(
        self,
        topic: str,
        key: str | bytes | None,
        value: Mapping[str, object] | bytes | None,
        headers: Headers | None = None,
    ) -> ReceivedRecord:
        """Put a record into a topic as if another client had sent it; a mapping is written as JSON."""
        content = json.dumps(value).encode() if isinstance(value, Mapping) else value
        return self.append(topic, key.encode() if isinstance(key, str) else key, content, headers or [])

    def records(self, topic: str) -> list[ReceivedRecord]:
        """Show what is in a topic: by partition, then by offset."""
        return [record for at in range(self._partitions) for record in self._logs.get((topic, at), [])]

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> ReceivedRecord:
        """Store a record and wake readers."""
        with self.changed:
            partition = partition_for(key or b"", self._partitions)
            log = self._logs.setdefault((topic, partition), [])
            record = ReceivedRecord(topic, partition, len(log), key, value, tuple(headers))
            log.append(record)
            self.changed.notify_all()
        return record

    def read(
        self, group_id: str, topics: Sequence[str], position: dict[tuple[str, int], int]
    ) -> list[ReceivedRecord]:
        """Show a group what it has not seen, moving `position` past it."""
        found: list[ReceivedRecord] = []
        for topic in topics:
            for partition in range(self._partitions):
                log = self._logs.get((topic, partition), [])
                begin = position.get((topic, partition), self.committed.get((group_id, topic, partition), 0))
                found.extend(log[begin:])
                position[topic, partition] = len(log)
        return found

    def partition_counts(self, topics: Sequence[str], timeout_s: float) -> Mapping[str, int]:
        """Look topics up; see the port."""
        if not self.is_running:
            raise BrokerUnavailableError(
                f"the broker in memory is stopped, after {timeout_s} s. Call start()"
            )
        for topic in topics:
            if topic in self._missing:
                raise TopicNotFoundError(f"the broker in memory has no topic {topic}", topic=topic)
        return dict.fromkeys(topics, self._partitions)

    def producer(self, client_id: str, listener: ConnectionListener | None = None) -> "InMemoryProducer":
        """Make a producer."""
        producer = InMemoryProducer(self, client_id, listener)
        self._producers.append(producer)
        return producer

    def consumer(
        self, client_id: str, group_id: str, topics: Sequence[str], start: str
    ) -> "InMemoryConsumer":
        """Make a consumer."""
        return InMemoryConsumer(self, client_id, group_id, topics, start)


class InMemoryProducer:
    """Delivers at once, or when the broker comes back; see `client.messaging.ports.Producer`."""

    def __init__(self, broker: InMemoryBroker, client_id: str, listener: ConnectionListener | None) -> None:
        self.client_id = client_id
        self.book = DeliveryBook()
        self._broker = broker
        self._listener = listener
        self._queue: list[tuple[DeliveryHandle | None, str, bytes, bytes, Headers]] = []

    def produce(
        self, topic: str, key: bytes, value: bytes, headers: Headers, *, wait_s: float | None = None
    ) -> DeliveryHandle:
        """Hand over a record; see the port. There is no waiting for room here."""
        if len(self._queue) >= self._broker.queue_max_records:
            raise QueueFullError(
                f"the queue is full (waited {wait_s} s); the record for {topic} was not taken"
            )
        handle = self.book.open(topic)
        self._send_or_keep(handle, topic, key, value, headers)
        return handle

    def produce_aside(self, topic: str, key: bytes, value: bytes, headers: Headers) -> bool:
        """Hand over a record whose loss is bearable; see the port."""
        if len(self._queue) >= self._broker.queue_max_records:
            return False
        self._send_or_keep(None, topic, key, value, headers)
        return True

    def _send_or_keep(
        self, handle: DeliveryHandle | None, topic: str, key: bytes, value: bytes, headers: Headers
    ) -> None:
        if not self._broker.is_running:
            self._queue.append((handle, topic, key, value, headers))
            return
        record = self._broker.append(topic, key, value, headers)
        if handle is not None:
            handle.succeed(record.partition, record.offset)

    def notice_outage(self) -> None:
        """Tell the listener that the broker is gone."""
        if self._listener is not None:
            self._listener.disconnected()

    def notice_return(self) -> None:
        """Send what was kept and tell the listener."""
        kept, self._queue = self._queue, []
        for handle, topic, key, value, headers in kept:
            self._send_or_keep(handle, topic, key, value, headers)
        if self._listener is not None:
            self._listener.reconnected()

    def fail_queued(self, reason: str) -> None:
        """Give up what is kept, as Kafka's client does after its delivery timeout."""
        kept, self._queue = self._queue, []
        for handle, topic, *_ in kept:
            if handle is not None:
                handle.fail(DeliveryError(f"a record for {topic} was not delivered: {reason}"))

    def reopen(self, timeout_s: float) -> bool:
        """Do nothing: there are no connections; see the port."""
        del timeout_s
        return True

    def flush(self, timeout_s: float) -> None:
        """Report what was not delivered; see the port."""
        self.book.raise_undelivered(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Flush; see the port."""
        self.flush(timeout_s)


class InMemoryConsumer:
    """Reads for a group from where it committed; see `client.messaging.ports.Consumer`."""

    def __init__(
        self, broker: InMemoryBroker, client_id: str, group_id: str, topics: Sequence[str], start: str
    ) -> None:
        self.client_id = client_id
        self._broker = broker
        self._group_id = group_id
        self._topics = tuple(topics)
        self._position: dict[tuple[str, int], int] = {}
        self._read_ahead: list[ReceivedRecord] = []
        self._handed_out: dict[tuple[str, int], int] = {}
        if start == "latest":
            broker.read(group_id, self._topics, self._position)

    def receive(self, max_records: int, timeout_s: float) -> list[ReceivedRecord]:
        """Return what is there; see the port."""
        deadline = time.monotonic() + timeout_s
        with self._broker.changed:
            while True:
                self._read_ahead += self._broker.read(self._group_id, self._topics, self._position)
                left_s = deadline - time.monotonic()
                if self._read_ahead or left_s <= 0:
                    break
                self._broker.changed.wait(left_s)
        records, self._read_ahead = self._read_ahead[:max_records], self._read_ahead[max_records:]
        for record in records:
            self._handed_out[record.topic, record.partition] = record.offset + 1
        return records

    def reopen(self) -> None:
        """Do nothing: there are no connections; see the port."""

    def commit(self, *, wait: bool) -> None:
        """Commit everything received so far; see the port. It is done at once, whatever `wait` says."""
        del wait
        for (topic, partition), offset in self._handed_out.items():
            self._broker.committed[self._group_id, topic, partition] = offset

    def close(self) -> None:
        """Leave the group; see the port."""
        self._handed_out.clear()


class InMemorySensorThings:
    """A SensorThings service that keeps entities in dicts; `is_available = False` makes it fail."""

    def __init__(self) -> None:
        self.is_available = True
        self.entities: dict[str, dict[str, JsonObject]] = {}
        self.requests: list[str] = []
        self._last_id = 0

    def _note(self, request: str) -> None:
        self.requests.append(request)
        if not self.is_available:
            raise UnavailableError("SensorThings in memory is switched off. Set is_available to True")

    def check(self) -> None:
        """Make sure that the service answers; see the port."""
        self._note("check")

    def upsert(self, entity: _EntityT) -> _EntityT:
        """Create or change an entity; see the port."""
        self._note(f"upsert {entity.name}")
        kept = self.entities.setdefault(entity_set(entity), {})
        known = kept.get(entity.name)
        iot_id: EntityId | None = None if known is None else entity_id(known)
        if iot_id is None:
            self._last_id += 1
            iot_id = self._last_id
        body = to_wire(entity)
        places = body.pop(LOCATIONS, None)
        if isinstance(places, list):
            self.entities.setdefault(LOCATIONS, {})[entity.name] = places[0]
        kept[entity.name] = {IOT_ID: iot_id, **body}
        return replace(entity, iot_id=iot_id)

    def datastream(self, name: str, *, patient: bool = True) -> JsonObject | None:
        """Look a Datastream up; see the port. There is no waiting here, whatever `patient` says."""
        del patient
        self._note(f"datastream {name}")
        known = self.entities.get(DATASTREAMS, {}).get(name)
        if known is None:
            return None
        return {**known, **{link: self._linked(entities, known[link]) for link, entities in _LINKS.items()}}

    def _linked(self, entities: str, reference: object) -> JsonObject:
        assert isinstance(reference, dict)  # noqa: S101 - written by to_wire
        return next(
            entity for entity in self.entities[entities].values() if entity[IOT_ID] == reference[IOT_ID]
        )

    def close(self) -> None:
        """Release nothing; see the port."""
