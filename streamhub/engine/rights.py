"""What Kafka refuses an app: which right is missing, and what to do about it.

What lives here: the rights of a running app, asked for when Kafka has refused something, and the error that
says so. What does not: giving rights (the platform), the topics themselves (`topics`).

Kafka names the topic when it refuses to be read, but not when it refuses to be written to: the whole
transaction then fails, at times without a word of rights. So the topics of the app are asked for what it may.
"""

import logging
from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AclOperation,
    AdminClient,
    TopicDescription,
)

from client.errors import NotAuthorizedError
from client.messaging.topics import dead_letter_topic
from streamhub.engine.settings import LaneSettings, common_settings
from streamhub.engine.topics import Memory, TopicFacts

__all__ = ["REFUSALS", "Rights", "refusal"]

_log = logging.getLogger(__name__)
_kafka_log = logging.getLogger("streamhub.kafka")

REFUSALS: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
"""Codes with which Kafka refuses a principal."""

_READ: Final = "read"
_WRITE: Final = "write"
_OPERATIONS: Final = {_READ: AclOperation.READ, _WRITE: AclOperation.WRITE}
_OWN: Final = {
    KafkaError.GROUP_AUTHORIZATION_FAILED: "use its consumer group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "use its transactional ids",
}
_REQUEST_TIMEOUT_S: Final = 3.0
_ADVICE: Final = (
    "Look at the app and its contracts on the platform: a right was withdrawn, or not given yet. Nothing is "
    "lost: when it may again, the app goes on where it stopped"
)


def refusal(error: KafkaError, topic: str | None = None) -> NotAuthorizedError:
    """Make the error of something that Kafka has refused.

    Args:
        error: What Kafka said, with one of `REFUSALS`.
        topic: The topic that may not be read, when Kafka named one.
    """
    what = f"read topic {topic}" if topic else _OWN.get(error.code(), "do what it has to")
    return NotAuthorizedError(
        f"Kafka does not let this app {what}: {error.str()}. {_ADVICE}",
        topic=topic,
        operation=_READ.capitalize() if topic else None,
    )


class Rights:
    """The rights that one app needs on topics."""

    def __init__(self, settings: LaneSettings, topics: TopicFacts) -> None:
        """Take what the app reads and writes.

        Args:
            settings: How the copy runs.
            topics: What is known of its topics.
        """
        self._settings = settings
        app = settings.specification
        needed: dict[str, tuple[str, ...]] = dict.fromkeys(topics.sources, (_READ,))
        needed |= {dead_letter_topic(topic): (_WRITE,) for topic in topics.sources}
        needed[app.target_topic] = (_WRITE,)
        if topics.memory is not Memory.NONE:
            needed[app.state_topic] = (_READ, _WRITE)
        self._needed: Mapping[str, tuple[str, ...]] = needed

    def explain(self, error: NotAuthorizedError) -> NotAuthorizedError:
        """Say which right is missing, where Kafka did not; else give the error as it is."""
        if error.topic is not None:
            return error
        return self.missing() or error

    def missing(self) -> NotAuthorizedError | None:
        """Ask for the rights on all topics; give the error of the first that is missing, if one is.

        None as well when Kafka does not answer.
        """
        admin = AdminClient(common_settings(self._settings), logger=_kafka_log)
        answers = admin.describe_topics(
            TopicCollection(list(self._needed)),
            include_authorized_operations=True,
            request_timeout=_REQUEST_TIMEOUT_S,
        )
        for topic, operations in self._needed.items():
            try:
                found: TopicDescription = answers[topic].result(timeout=_REQUEST_TIMEOUT_S)
            except (KafkaException, TimeoutError) as exception:
                code = exception.args[0].code() if isinstance(exception, KafkaException) else None
                if code in REFUSALS:
                    return _not_allowed(topic, operations[0])
                _log.info("rights on %s: %s", topic, exception, extra={"action": "ask_rights"})
                continue
            for operation in operations:
                if _OPERATIONS[operation] not in found.authorized_operations:
                    return _not_allowed(topic, operation)
        return None


def _not_allowed(topic: str, operation: str) -> NotAuthorizedError:
    return NotAuthorizedError(
        f"Kafka does not let this app {operation} topic {topic}. {_ADVICE}",
        topic=topic,
        operation=operation.capitalize(),
    )
