"""Kafka as a whole: where it is, how it is reached, and how its errors read in the words of this house.

What lives here: `KafkaBroker`, which looks topics up and makes producers and consumers, and the translation
of librdkafka's errors. What does not: sending (`producer`) and receiving (`consumer`).
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from client.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    MessagingError,
    NotAuthorizedError,
    TopicNotFoundError,
)
from client.messaging.consumer import KafkaConsumer
from client.messaging.failures import UNTRUSTED, to_configuration_error, to_messaging_error
from client.messaging.ports import ConnectionListener
from client.messaging.producer import KafkaProducer, ProducerSettings
from client.messaging.security import KafkaSecurity

_POLL_S: Final = 0.1
_SECOND_CHANCE_S: Final = 1.0
"""How long another broker has for an answer after one did not trust us [s]."""
_LIBRARY_LOGGER: Final = logging.getLogger(f"{__name__}.librdkafka")


def _demote(record: logging.LogRecord) -> bool:
    # While a broker is away librdkafka says so many times per second. Whoever uses this module hears of it by
    # a typed error or a state; the details are for those who asked for INFO.
    record.levelno = min(record.levelno, logging.INFO)
    record.levelname = logging.getLevelName(record.levelno)
    return _LIBRARY_LOGGER.isEnabledFor(record.levelno)


_LIBRARY_LOGGER.addFilter(_demote)


class KafkaBroker:
    """A Kafka cluster reached with one set of credentials; opens no connection until it is used.

    Args:
        bootstrap_servers: `host:port`, several separated by commas.
        security: TLS and SASL settings; PLAINTEXT when left out.
        producer_settings: Limits of queue and delivery.

    Raises:
        ConfigurationError: when `bootstrap_servers` is not of that form.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        security: KafkaSecurity | None = None,
        producer_settings: ProducerSettings | None = None,
    ) -> None:
        self.bootstrap_servers = _checked_servers(bootstrap_servers)
        self._security = security or KafkaSecurity()
        self._producer_settings = producer_settings or ProducerSettings()
        self._known_counts: dict[str, int] = {}

    def _connection(self, client_id: str) -> dict[str, str | int]:
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": client_id,
            # The defaults wait up to 10 s before they look again; a device should be back sooner.
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 1000,
            "socket.keepalive.enable": "true",
            **self._security.to_librdkafka(),
        }

    def partition_counts(self, topics: Sequence[str], timeout_s: float) -> Mapping[str, int]:
        """Look topics up without creating them; see `client.messaging.ports.Broker`."""
        last_errors: list[KafkaError] = []
        settings: dict[str, Any] = {**self._connection("dtwin-lookup"), "error_cb": last_errors.append}
        try:
            admin = AdminClient(settings, logger=_LIBRARY_LOGGER)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal
        futures = admin.describe_topics(TopicCollection(list(topics)), request_timeout=timeout_s)
        self._wait(admin, futures.values(), last_errors, timeout_s + 1)
        for topic, future in futures.items():
            if not future.done():
                raise self._refusal(last_errors) or self._unavailable(timeout_s, last_errors)
            try:
                self._known_counts[topic] = len(future.result().partitions)
            except KafkaException as error:
                admin.poll(0)
                raise self._lookup_error(error.args[0], topic, timeout_s, last_errors) from error
        return {topic: self._known_counts[topic] for topic in topics}

    @staticmethod
    def _wait(
        admin: AdminClient,
        futures: Collection[Future[Any]],
        last_errors: Sequence[KafkaError],
        timeout_s: float,
    ) -> None:
        """Wait for the answers; after one broker's distrust no longer than another may take."""
        end, is_refused = time.monotonic() + timeout_s, False
        while wait(futures, timeout=_POLL_S).not_done and time.monotonic() < end:
            admin.poll(0)
            if not is_refused and any(error.code() in UNTRUSTED for error in last_errors):
                end, is_refused = min(end, time.monotonic() + _SECOND_CHANCE_S), True

    def _lookup_error(
        self, error: KafkaError, topic: str, timeout_s: float, last_errors: list[KafkaError]
    ) -> MessagingError:
        translated = to_messaging_error(error, topic=topic, operation="Describe")
        if isinstance(translated, TopicNotFoundError | NotAuthorizedError):
            return translated
        return self._refusal(last_errors) or self._unavailable(timeout_s, last_errors)

    @staticmethod
    def _refusal(last_errors: Sequence[KafkaError]) -> MessagingError | None:
        refused = [known for known in last_errors if known.code() in UNTRUSTED]
        return to_messaging_error(refused[-1], topic=None, operation="Connect") if refused else None

    def _unavailable(self, timeout_s: float, last_errors: list[KafkaError]) -> BrokerUnavailableError:
        reason = f" ({last_errors[-1].str()})" if last_errors else ""
        return BrokerUnavailableError(
            f"no Kafka broker answers at {self.bootstrap_servers} within {timeout_s} s{reason}. "
            "Check kafka_bootstrap_servers, or start the local stack with: dtwin up"
        )

    def producer(self, client_id: str, listener: ConnectionListener | None = None) -> KafkaProducer:
        """Make an idempotent producer."""
        return KafkaProducer(
            self._connection(client_id),
            self._producer_settings,
            self.partition_counts,
            self._known_counts,
            listener=listener,
            library_logger=_LIBRARY_LOGGER,
        )

    def consumer(self, client_id: str, group_id: str, topics: Sequence[str], start: str) -> KafkaConsumer:
        """Make a consumer of a group and subscribe it."""
        return KafkaConsumer(self._connection(client_id), group_id, topics, start, _LIBRARY_LOGGER)


def _checked_servers(text: str) -> str:
    servers = [server.strip() for server in text.split(",") if server.strip()]
    for server in servers:
        host, colon, port = server.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit()):
            raise ConfigurationError(
                f"kafka_bootstrap_servers {server!r} is not host:port, for example localhost:9092",
                setting="kafka_bootstrap_servers",
            )
    if not servers:
        raise ConfigurationError(
            "kafka_bootstrap_servers is empty. Pass host:port, for example localhost:9092, "
            "or set DTWIN_KAFKA__BOOTSTRAP_SERVERS",
            setting="kafka_bootstrap_servers",
        )
    return ",".join(servers)
