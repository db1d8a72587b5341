"""The topics of a system: created with it, removed with it, both verified.

What lives here: topic administration for the platform. What does not: records (``systems.tail`` reads
them) and what a system is (``client.messaging.topics``). All calls block: run them in a thread.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemTopics
from platform_ui.errors import BrokerError, ConflictError

_log = logging.getLogger(__name__)

RECORD_PARTITIONS = 3  # the seed's number: one Thing keeps one partition, three consumers share the load
LOG_PARTITIONS = 1
REQUEST_TIMEOUT_S = 10.0
VERIFY_TIMEOUT_S = 20.0
VERIFY_PAUSE_S = 0.1
# Time series are kept by age, never compacted: a key is a Datastream, not a row.
TOPIC_CONFIGURATION = {"cleanup.policy": "delete"}


class TopicAdministrator(Protocol):
    """What the platform needs of a broker."""

    def create(self, topics: SystemTopics, *, adopt: bool = False) -> None:
        """Create all topics of a system; all or none, verified.

        Args:
            topics: the topics of one system.
            adopt: keep topics that exist already instead of refusing them.

        Raises:
            ConflictError: a topic exists already and `adopt` is false.
            BrokerError: the broker did not create them; what was created has been removed again.
        """

    def remove(self, topics: SystemTopics) -> None:
        """Remove all topics of a system that exist, verified.

        Raises:
            BrokerError: at least one topic is still there.
        """

    def missing(self, topics: SystemTopics) -> tuple[str, ...]:
        """Return those topics of a system that the broker does not have.

        Raises:
            BrokerError: the broker does not answer.
        """

    def check(self) -> int:
        """Return the number of brokers that answer.

        Raises:
            BrokerError: the broker does not answer.
        """


class KafkaTopics:
    """Topic administration on a real broker."""

    def __init__(
        self,
        bootstrap_servers: str,
        security: KafkaSecurity | None = None,
        *,
        replication_factor: int = -1,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._security = (security or KafkaSecurity()).to_librdkafka()
        self._replication_factor = replication_factor  # -1: the broker's default.replication.factor
        self._pause = pause
        self._client: AdminClient | None = None

    def create(self, topics: SystemTopics, *, adopt: bool = False) -> None:
        """Create all topics of a system; see `TopicAdministrator.create`."""
        present = [name for name in topics.all() if name in self._names()]
        if present and not adopt:
            raise ConflictError(
                f"The broker already has the topic {present[0]}, left by an earlier system of this name.",
                code="broker.topic_exists",
                hint="Choose another name, or ask the operator to remove the topic and the records in it.",
            )
        wanted = [name for name in topics.all() if name not in present]
        try:
            self._create(wanted, topics)
            self._wait(lambda names: all(name in names for name in wanted), f"create {', '.join(wanted)}")
        except BrokerError:
            self._discard(wanted)
            raise

    def remove(self, topics: SystemTopics) -> None:
        """Remove all topics of a system; see `TopicAdministrator.remove`."""
        existing = [name for name in topics.all() if name in self._names()]
        if not existing:
            return
        futures = self._admin().delete_topics(existing, operation_timeout=REQUEST_TIMEOUT_S)
        for name, future in futures.items():
            try:
                future.result(timeout=REQUEST_TIMEOUT_S)
            except (KafkaException, TimeoutError) as error:
                raise BrokerError(f"The topic {name} could not be removed: {_reason(error)}") from error
        self._wait(lambda names: not any(name in names for name in existing), f"remove {', '.join(existing)}")

    def missing(self, topics: SystemTopics) -> tuple[str, ...]:
        """Return the topics that are not there; see `TopicAdministrator.missing`."""
        names = self._names()
        return tuple(name for name in topics.all() if name not in names)

    def check(self) -> int:
        """Return the number of brokers that answer; see `TopicAdministrator.check`."""
        try:
            return len(self._admin().list_topics(timeout=REQUEST_TIMEOUT_S / 2).brokers)
        except KafkaException as error:
            raise BrokerError(
                f"Kafka at {self._bootstrap_servers} does not answer: {_reason(error)}"
            ) from error

    def _admin(self) -> AdminClient:
        if self._client is None:
            self._client = AdminClient(
                {
                    **self._security,
                    "bootstrap.servers": self._bootstrap_servers,
                    "client.id": "platform-topics",
                    "log_level": 2,
                }
            )
        return self._client

    def _names(self) -> set[str]:
        try:
            listing = self._admin().list_topics(timeout=REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise BrokerError(
                f"Kafka at {self._bootstrap_servers} does not answer: {_reason(error)}",
                hint="Try again when the broker is up; nothing has been changed.",
            ) from error
        return {name for name, topic in listing.topics.items() if topic.error is None and topic.partitions}

    def _create(self, wanted: Iterable[str], topics: SystemTopics) -> None:
        new = [
            NewTopic(
                name,
                num_partitions=LOG_PARTITIONS if name == topics.log else RECORD_PARTITIONS,
                replication_factor=self._replication_factor,
                config=dict(TOPIC_CONFIGURATION),
            )
            for name in wanted
        ]
        if not new:
            return
        futures = self._admin().create_topics(new, operation_timeout=REQUEST_TIMEOUT_S)
        for name, future in futures.items():
            try:
                future.result(timeout=REQUEST_TIMEOUT_S)
            except (KafkaException, TimeoutError) as error:
                raise BrokerError(f"The topic {name} could not be created: {_reason(error)}") from error

    def _wait(self, is_done: Callable[[set[str]], bool], what: str) -> None:
        deadline = time.monotonic() + VERIFY_TIMEOUT_S
        while not is_done(self._names()):
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not {what} within {VERIFY_TIMEOUT_S:.0f} s.")
            self._pause(VERIFY_PAUSE_S)

    def _discard(self, names: list[str]) -> None:
        """Remove what a failed creation left behind; a failure here is logged, the first one is raised."""
        if not names:
            return
        for name, future in self._admin().delete_topics(names, operation_timeout=REQUEST_TIMEOUT_S).items():
            try:
                future.result(timeout=REQUEST_TIMEOUT_S)
            except (KafkaException, TimeoutError) as error:
                _log.warning("topic %s could not be discarded: %s", name, error)


def _reason(error: Exception) -> str:
    if isinstance(error, KafkaException) and error.args:
        first = error.args[0]
        text = getattr(first, "str", None)
        return str(text()) if callable(text) else str(first)
    return str(error) or type(error).__name__
