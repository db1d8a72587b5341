"""What the engine must know about its topics before it starts, asked in a bounded time.

What lives here: that the topics exist, how many partitions they have, the largest record that they take;
dead-letter topics and the topic of an app's memory are created when they are missing. What does not: creating
the topics of systems (the platform).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
    TopicDescription,
)

from client.errors import BrokerUnavailableError, NotAuthorizedError, TopicNotFoundError
from client.messaging.failures import to_configuration_error
from client.messaging.topics import dead_letter_topic
from streamhub.engine.settings import DEFAULT_MAX_RECORD_BYTES, LaneSettings, common_settings
from streamhub.errors import StreamAppError

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("streamhub.kafka")

_REQUEST_TIMEOUT_S: Final = 3.0
_PAUSE_S: Final = 0.3
# Dead letters are few and looked at by people: kept longer than live records usually are.
_DEAD_LETTER_RETENTION_MS: Final = 14 * 24 * 3600 * 1000
_MISSING_CODES: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own codes have this spelling
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)
_FORBIDDEN_CODES: Final = frozenset(
    {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}
)
# What an app remembers changes with every commit: old versions go soon, so that reading it back is quick.
_STATE_SETTINGS: Final = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * 2**20),
    "segment.ms": str(600_000),
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": str(60_000),
}
_Answer = TypeVar("_Answer")


class Memory(Enum):
    """What an app remembers between records, and so how its work can be spread over copies."""

    NONE = "nothing: any copy may take any partition"
    BY_PARTITION = "by partition: any copy may take any partition, with what is remembered for it"
    WHOLE = "as a whole: one copy reads all partitions, the others stand by"


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the lane needs to know of the topics.

    Attributes:
        target_partitions: Number of partitions of the target topic, at least 1.
        max_record_bytes: Largest record that the target takes [bytes].
        max_dead_letter_bytes: Largest record that every dead-letter topic takes [bytes].
        sources: Number of partitions of each source topic.
        memory: What the app remembers.
    """

    target_partitions: int
    max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES
    max_dead_letter_bytes: int = DEFAULT_MAX_RECORD_BYTES
    sources: Mapping[str, int] = field(default_factory=dict)
    memory: Memory = Memory.NONE

    @property
    def one_owner(self) -> bool:
        """Whether one copy reads all partitions of all sources."""
        return self.memory is Memory.WHOLE


def inspect_topics(settings: LaneSettings, wait_s: float, memory: Memory = Memory.NONE) -> TopicFacts:
    """Look at the topics of an app; create those for dead letters and for its memory when they are missing.

    Args:
        settings: How the copy runs.
        wait_s: Longest time to wait for a broker [s].
        memory: What the app remembers.

    Raises:
        ConfigurationError: the client library refuses the settings, for instance a file without certificate.
        BrokerUnavailableError: no broker answered within `wait_s`.
        TopicNotFoundError: a source or the target does not exist.
        NotAuthorizedError: the app may not see a topic.
        StreamAppError: Kafka refused for another reason.
    """
    return _Inspection(settings, wait_s).run(memory)


class _Inspection:
    def __init__(self, settings: LaneSettings, wait_s: float) -> None:
        self._specification = settings.specification
        self._wait_s = wait_s
        self._deadline = time.monotonic() + wait_s
        try:
            self._admin = AdminClient(common_settings(settings), logger=_kafka_log)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal

    def run(self, memory: Memory) -> TopicFacts:
        specification = self._specification
        sources = {
            topic: len(self._describe(topic, "source").partitions) for topic in specification.source_topics
        }
        target = self._describe(specification.target_topic, "target")
        letters = [dead_letter_topic(topic) for topic in sources]
        for topic in letters:
            self._ensure(topic, 1, {"retention.ms": str(_DEAD_LETTER_RETENTION_MS)})
        if memory is not Memory.NONE:
            number = max(sources.values()) if memory is Memory.BY_PARTITION else 1
            self._ensure(specification.state_topic, number, _STATE_SETTINGS)
        return TopicFacts(
            target_partitions=len(target.partitions),
            max_record_bytes=self._max_record_bytes(specification.target_topic),
            max_dead_letter_bytes=min(map(self._max_record_bytes, letters)),
            sources=sources,
            memory=memory,
        )

    def _describe(self, topic: str, role: str) -> TopicDescription:
        try:
            found: TopicDescription = self._ask(
                lambda: self._admin.describe_topics(TopicCollection([topic]))[topic], topic
            )
        except TopicNotFoundError as error:
            raise TopicNotFoundError(
                f"the {role} topic {topic} does not exist at {self._specification.bootstrap_servers}. "
                f"Create the system {topic.rpartition('.')[0]} first, or check its spelling",
                topic=topic,
            ) from error
        return found

    def _ensure(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        """Create a topic of the app's own, or give it more partitions."""
        try:
            found = self._describe(topic, "own")
        except TopicNotFoundError:
            new = NewTopic(topic, partitions, config=dict(config))
            try:
                self._ask(lambda: self._admin.create_topics([new])[topic], topic)
            except StreamAppError as error:
                # Another copy was faster; anything else shows when it is looked at again.
                _log.info("creating %s: %s", topic, error, extra={"action": "create_topic"})
            self._describe_patiently(topic)
        else:
            if len(found.partitions) < partitions:
                more = NewPartitions(topic, partitions)
                self._ask(lambda: self._admin.create_partitions([more])[topic], topic)

    def _describe_patiently(self, topic: str) -> None:
        """A topic that was just created takes a moment to be known to every broker."""
        while True:
            try:
                self._describe(topic, "own")
            except TopicNotFoundError:
                if time.monotonic() > self._deadline:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return

    def _max_record_bytes(self, topic: str) -> int:
        resource = ConfigResource(ResourceType.TOPIC, topic)
        try:
            answer = self._ask(lambda: self._admin.describe_configs([resource])[resource], topic)
        except (NotAuthorizedError, StreamAppError):
            # The right to describe settings may be missing; then Kafka's default limit is the safe guess.
            return DEFAULT_MAX_RECORD_BYTES
        return int(answer["max.message.bytes"].value)

    def _ask(self, request: Callable[[], "Future[_Answer]"], topic: str) -> _Answer:
        while True:
            try:
                return request().result(timeout=_REQUEST_TIMEOUT_S)
            except TimeoutError as error:
                self._check_patience(error)
            except KafkaException as exception:
                code = exception.args[0].code()
                if code in _MISSING_CODES:
                    raise TopicNotFoundError(f"topic {topic} does not exist", topic=topic) from exception
                if code in _FORBIDDEN_CODES:
                    raise NotAuthorizedError(
                        f"this app may not use the topic {topic}: {exception.args[0].str()}. Look at the app "
                        "and its contracts on the platform: a right was withdrawn, or not given yet",
                        topic=topic,
                    ) from exception
                if not _is_outage(exception.args[0]):
                    raise StreamAppError(f"topic {topic}: {exception.args[0].str()}") from exception
                self._check_patience(exception)
            time.sleep(_PAUSE_S)

    def _check_patience(self, error: Exception) -> None:
        if time.monotonic() > self._deadline:
            raise BrokerUnavailableError(
                f"no Kafka broker answered at {self._specification.bootstrap_servers} within "
                f"{self._wait_s:g} s. Check the address, that the broker runs, and whether it wants a "
                "certificate (DTWIN_KAFKA__SECURITY_PROTOCOL=SSL and its files)"
            ) from error


def _is_outage(error: KafkaError) -> bool:
    outages: Sequence[int] = (
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_CONTROLLER,
    )
    return error.retriable() or error.code() in outages
