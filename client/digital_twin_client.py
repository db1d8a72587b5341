"""`DigitalTwinClient`: everything a device or a program needs to take part in the Digital Twin Stack.

What lives here: the facade users import, which checks, wires and delegates. What does not: how records,
metadata and logs work (`client.messaging`, `client.metadata`, `client.receiver`, `client.journal`).

    from client.digital_twin_client import DigitalTwinClient

    with DigitalTwinClient(
        client_name="car_1",
        system="cz.icecars.iot4cps-wp5-CarFleet.Car1",
        gost_servers="localhost:8084",
        kafka_bootstrap_servers="localhost:9092",
    ) as client:
        client.register("instances.json")
        client.produce("temperature", 21.5)
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from client.errors import (
    ConfigurationError,
    DigitalTwinError,
    RecordFormatError,
    UnknownAttributeError,
    UnknownQuantityError,
)
from client.journal import Journal
from client.messaging.broker import KafkaBroker
from client.messaging.delivery import DeliveryHandle
from client.messaging.ports import Broker, ConnectionListener, Producer
from client.messaging.records import HEADER_ID, HEADER_TRACEPARENT, new_record_id
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.metadata.catalogue import DatastreamCatalogue, find_existing, register_instances
from client.metadata.instances import read_instances, read_mappings, wanted_subscription
from client.metadata.observations import observation_value
from client.metadata.results import result_check
from client.metadata.server import MetadataServer, SensorThingsServer
from client.metadata.times import format_time, parse_time
from client.metadata.token import token_from_environment
from client.metadata.wire import DatastreamReference
from client.receiver import Receiver, ReceiverCounters
from client.renewal import CertificateWatch
from client.settings import ClientSettings, attribute_names, checked_client_name, checked_traceparent

_BOOTSTRAP_VARIABLE: Final = "DTWIN_KAFKA__BOOTSTRAP_SERVERS"


class ClientCounters(NamedTuple):
    """What a client did so far, in records."""

    produced: int
    delivered: int
    failed: int
    consumed: int
    not_subscribed: int
    unreadable: int
    metadata_missing: int
    log_records_dropped: int


class _Quantity(NamedTuple):
    reference: DatastreamReference
    key: bytes
    check: Callable[[object], object]


class DigitalTwinClient:
    """A client application of one system: registers Datastreams, produces and consumes observations.

    The constructor checks names and settings, then that SensorThings and Kafka answer and the system's topics
    exist. Safe to use from several threads.

    Args:
        client_name: Name of this client in its system; consumer group and log key.
        system: The system it belongs to, `domain.enterprise.workcenter.station`.
        gost_servers: SensorThings service: `host:port` or URL, several separated by commas.
        kafka_bootstrap_servers: `host:port`, several separated by commas; when None, the environment variable
            DTWIN_KAFKA__BOOTSTRAP_SERVERS.
        additional_attributes: Names of attributes that records may carry besides the result, separated by
            commas.
        sensorthings_token: Token of this client; when None, DTWIN_SENSORTHINGS__TOKEN or ..._TOKEN_FILE.
        security: TLS and SASL settings for Kafka; when None, the environment variables DTWIN_KAFKA__*.
        settings: Times and limits.
        broker: Used instead of Kafka, for example `client.testing.InMemoryBroker`.
        server: Used instead of SensorThings by HTTP, for example `client.testing.InMemorySensorThings`.
        now: The clock, aware.

    Raises:
        ConfigurationError: a setting or name is wrong; no network was touched.
        UnavailableError: SensorThings does not answer.
        AccessRefusedError: SensorThings does not know this client.
        BrokerUnavailableError: Kafka does not answer.
        TopicNotFoundError: a topic of the system is missing.
        NotAuthorizedError: Kafka refuses this client.
    """

    def __init__(
        self,
        client_name: str,
        system: str,
        gost_servers: str,
        kafka_bootstrap_servers: str | None = None,
        additional_attributes: str = "",
        *,
        sensorthings_token: str | None = None,
        security: KafkaSecurity | None = None,
        settings: ClientSettings | None = None,
        broker: Broker | None = None,
        server: MetadataServer | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(tz=UTC),
    ) -> None:
        self.client_name = checked_client_name(client_name)
        self.system = SystemName.parse(system)
        self.settings = settings or ClientSettings()
        self.additional_attributes = attribute_names(additional_attributes)
        self._now = now
        self._security = security or (KafkaSecurity() if broker else KafkaSecurity.from_environment())
        self._broker = broker or self._kafka(kafka_bootstrap_servers)
        self._server = server or SensorThingsServer(
            gost_servers,
            timeout_s=self.settings.metadata_timeout_s,
            retry_s=self.settings.metadata_retry_s,
            token=sensorthings_token or token_from_environment(),
        )
        self._internal = self.system.topics.internal
        self._quantities: dict[str, _Quantity] = {}
        self._receiver: Receiver | None = None
        self._state = threading.RLock()
        self._is_connected = True
        self._journal = Journal(self.client_name, self.system.topics.log, now, self.settings.alive_s)
        self.logger = logging.getLogger(f"{__name__}.{self.system}.{self.client_name}")
        self._watch = CertificateWatch(self._security, self._reopen, self.settings.certificate_check_s)
        self._producer = self._connect()
        self._watch.start()

    def _kafka(self, bootstrap_servers: str | None) -> Broker:
        servers = bootstrap_servers or os.environ.get(_BOOTSTRAP_VARIABLE, "")
        return KafkaBroker(servers, self._security, self.settings.producer)

    def _connect(self) -> Producer:
        topics = self.system.topics
        try:
            self._server.check()
            self._broker.partition_counts(
                (topics.internal, topics.external, topics.log), self.settings.check_timeout_s
            )
        except DigitalTwinError:
            self._server.close()
            raise
        listener = ConnectionListener(self._journal.disconnected, self._journal.reconnected)
        producer = self._broker.producer(f"{self.system}.{self.client_name}", listener)
        # This logger belongs to the user and its purpose is the log topic, to which INFO is meant to go.
        if self.logger.level == logging.NOTSET:
            self.logger.setLevel(logging.INFO)
        self.logger.addHandler(self._journal)
        self._journal.start(producer)
        atexit.register(self._disconnect_at_exit)
        return producer

    @property
    def quantities(self) -> dict[str, str]:
        """The registered quantities and the full names of their Datastreams."""
        return {quantity: known.reference.name for quantity, known in self._quantities.items()}

    @property
    def counters(self) -> ClientCounters:
        """What this client did so far."""
        read = self._receiver.counters if self._receiver is not None else ReceiverCounters()
        book = self._producer.book
        return ClientCounters(
            book.accepted,
            book.delivered,
            book.failed,
            **asdict(read),
            log_records_dropped=self._journal.dropped,
        )

    def register(self, instance_file: Path | str) -> None:
        """Register the Things, Sensors and Datastreams of an instances file; the file is not changed.

        What SensorThings holds already under its name is changed only where it differs.

        Raises:
            InstanceFileError: the file is wrong; nothing was sent.
            SensorThingsError: its children say why.
        """
        self._check_connected()
        instances = read_instances(instance_file, self.system)
        self._take_over(register_instances(self._server, instances))

    def register_new(self, instance_file: Path | str) -> None:
        """Do the same as `register`; the name is older."""
        self.register(instance_file)

    def register_existing(self, mappings_file: Path | str) -> None:
        """Use Datastreams that were registered before, without changing them.

        Raises:
            InstanceFileError: the file is wrong.
            EntityNotFoundError: a Datastream is not registered.
            SensorThingsError: its other children say why.
        """
        self._check_connected()
        self._take_over(find_existing(self._server, read_mappings(mappings_file, self.system)))

    def _take_over(self, references: dict[str, DatastreamReference]) -> None:
        added = {
            quantity: _Quantity(known, known.name.encode(), result_check(known.observation_type))
            for quantity, known in references.items()
        }
        with self._state:
            self._quantities = {**self._quantities, **added}
            self._journal.registered([known.reference.name for known in self._quantities.values()])
        names = ", ".join(sorted(reference.name for reference in references.values()))
        self.logger.info("registered %s", names)

    def produce(
        self,
        quantity: str,
        result: object,
        timestamp: datetime | str | float | None = None,
        *,
        traceparent: str | None = None,
        **attributes: object,
    ) -> DeliveryHandle:
        """Send an observation; returns at once, the handle tells what became of it.

        Args:
            quantity: Key of the Datastream in the instances file.
            result: The result; it must fit the Datastream's observationType.
            timestamp: When it was observed: aware datetime, ISO 8601 text with an offset, or epoch number [s,
                ms, us or ns]; now when None.
            traceparent: W3C trace context to hand on.
            attributes: Additional attributes by name; falsy values are values.

        Raises:
            UnknownQuantityError: the quantity is not registered.
            UnknownAttributeError: an attribute was not named in the constructor.
            InvalidResultError: the result or an attribute does not fit.
            InvalidTimeError: the timestamp is none.
            QueueFullError: Kafka takes records too slowly; this one was not taken.
            DeliveryError: the record can never be delivered, for example because it is too large.
        """
        self._check_connected()
        known = self._quantities.get(quantity)
        if known is None:
            raise UnknownQuantityError(quantity, self._quantities)
        for name in attributes:
            if name not in self.additional_attributes:
                raise UnknownAttributeError(name, self.additional_attributes)
        result_time = format_time(self._now())
        value = observation_value(
            phenomenon_time=result_time
            if timestamp is None
            else format_time(parse_time(timestamp, now=self._now)),
            result_time=result_time,
            result=known.check(result),
            datastream_id=known.reference.iot_id,
            attributes=attributes,
        )
        headers = [(HEADER_ID, new_record_id().encode())]
        if traceparent is not None:
            headers.append((HEADER_TRACEPARENT, checked_traceparent(traceparent)))
        return self._producer.produce(self._internal, known.key, value, headers)

    def flush(self, timeout_s: float = 60.0) -> None:
        """Wait until everything produced is delivered.

        Raises:
            DeliveryError: listing what was not, since the last flush.
        """
        self._check_connected()
        self._producer.flush(timeout_s)

    def subscribe(
        self,
        subscription_file: Path | str | None = None,
        *,
        datastreams: Iterable[str] | None = None,
        start: str = "earliest",
    ) -> None:
        """Begin to read what a subscription file lists; a second call replaces the first.

        Reading goes on where this client (by its name) stopped the last time. Datastreams are told by the
        names in the records themselves, so those that are registered later are seen as well. One program
        reads under a client name at a time: a second one cuts the first off, whose `consume` then says so.

        Args:
            subscription_file: The file, `subscriptions.json` when neither this nor `datastreams` is given.
            datastreams: Names instead of a file; `*` is everything that other systems share with this one.
            start: Where to begin when this client reads for the first time: `earliest` or `latest`.

        Raises:
            SubscriptionFileError: the file is wrong or missing.
            ConfigurationError: `start` or a name is wrong.
            MessagingError: a topic to read is missing or forbidden.
        """
        self._check_connected()
        subscription = wanted_subscription(subscription_file, datastreams)
        if start not in {"earliest", "latest"}:
            raise ConfigurationError(f"start is {start!r}; choose earliest or latest", setting="start")
        logs = [system.topics.log for system in subscription.logs]
        if logs:
            self._broker.partition_counts(logs, self.settings.check_timeout_s)
        topics = self.system.topics
        name = f"{self.system}.{self.client_name}"
        with self._state:
            if self._receiver is not None:
                self._receiver.close()
            self._receiver = Receiver(
                self._broker.consumer(name, name, [topics.internal, topics.external, *logs], start),
                self.system,
                subscription,
                DatastreamCatalogue(self._server, time.monotonic),
                self._report_unreadable,
            )

    def consume(self, timeout: float = 1.0) -> list[dict[str, Any]]:
        """Return subscribed records, waiting at most `timeout` [s] for the first; perhaps an empty list.

        At least once: the offsets of what this call returns are committed by the next call, or by
        `disconnect`; after a `with` block that ends with an exception these records come again.

        Returns: per record its fields, `Datastream` being the whole metadata (name, unitOfMeasurement, Thing
            ...), plus topic, partition, offset, key and name; in order within a partition.

        Raises:
            ConfigurationError: `subscribe` was not called.
            MessagingError: reading cannot go on; its children say why.
        """
        self._check_connected()
        receiver = self._receiver
        if receiver is None:
            raise ConfigurationError("nothing is subscribed. Call subscribe() before consume()")
        return receiver.receive(self.settings.max_records, timeout)

    def _reopen(self, timeout_s: float) -> bool:
        if not self._producer.reopen(timeout_s):
            return False
        with self._state:
            if self._receiver is not None:
                self._receiver.reopen()
        return True

    def _report_unreadable(self, error: RecordFormatError) -> None:
        self.logger.warning("a record cannot be read and is left out: %s", error)

    def disconnect(self, timeout_s: float | None = None) -> None:
        """Commit what was consumed, deliver what was produced, and leave; a second call does nothing.

        Args:
            timeout_s: How long to wait for deliveries [s]; the setting `disconnect_timeout_s` when None.

        Raises:
            DeliveryError: listing what was not delivered; the client is disconnected all the same.
        """
        self._leave(timeout_s, commit=True)

    def _leave(self, timeout_s: float | None, *, commit: bool) -> None:
        with self._state:
            if not self._is_connected:
                return
            self._is_connected = False
        atexit.unregister(self._disconnect_at_exit)
        self._watch.stop()
        try:
            if self._receiver is not None:
                self._receiver.close(commit=commit)
        finally:
            self.logger.removeHandler(self._journal)
            self._journal.stop()
            self._server.close()
            self._producer.close(self.settings.disconnect_timeout_s if timeout_s is None else timeout_s)

    def _disconnect_at_exit(self) -> None:
        self.logger.warning("the program ends without disconnect(); disconnecting now")
        self._leave(None, commit=False)  # an uncaught exception ends here, too

    def _check_connected(self) -> None:
        if not self._is_connected:
            raise ConfigurationError(f"{self.client_name} is disconnected. Make a new DigitalTwinClient")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave(None, commit=kind is None)  # what it was working on when it failed comes again
