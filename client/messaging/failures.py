# ruff: noqa: SLF001 - librdkafka spells its own (not the broker's) error codes with an underscore; they are public
"""Errors of librdkafka in the words of this house: one table, used wherever they enter.

What lives here: the translation. What does not: deciding what to do about an error (the ports).
"""

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from client.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    DeliveryError,
    MessagingError,
    NotAuthorizedError,
    TopicNotFoundError,
)
from client.messaging.fencing import is_fence

TOPIC_MISSING: Final = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError.TOPIC_EXCEPTION}
)
PARTITION_MISSING: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION})
NOT_ALLOWED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
    }
)
UNTRUSTED: Final = frozenset({KafkaError._SSL, KafkaError._AUTHENTICATION})
ALL_BROKERS_DOWN: Final = KafkaError._ALL_BROKERS_DOWN
UNREACHABLE: Final = frozenset(
    {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._RESOLVE}
)
_FENCED_ADVICE: Final = (
    ". Another program reads under the same client_name and system, so this one was cut off. "
    "Give every program its own client_name"
)
TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})


def to_configuration_error(refusal: KafkaException) -> ConfigurationError:
    """Translate what a constructor of the client library raises: it can only be about settings.

    Args:
        refusal: What was raised, for instance because a certificate file holds no certificate.
    """
    return ConfigurationError(
        f"Kafka's client library refuses the settings: {refusal.args[0].str()}. "
        "Check kafka_bootstrap_servers and the files and passwords in DTWIN_KAFKA__*",
        setting="DTWIN_KAFKA__",
    )


def to_messaging_error(error: KafkaError, *, topic: str | None, operation: str) -> MessagingError:
    """Translate an error; what no row knows becomes a `DeliveryError` when writing, else a `MessagingError`.

    Args:
        error: What librdkafka says.
        topic: The topic concerned, when there is one.
        operation: The Kafka operation: Describe, Write, Read, Connect.
    """
    code, text = error.code(), error.str().rstrip(".")
    if code in TOPIC_MISSING:
        return TopicNotFoundError(
            f"Kafka has no topic {topic}. Check the system's name; its topics are created with the system, "
            "on the platform's page of systems",
            topic=topic or "",
        )
    if code in NOT_ALLOWED:
        return NotAuthorizedError(
            f"Kafka refuses to {operation.lower()}{f' {topic}' if topic else ''}: {text}. "
            "Check the certificate of this client, and its system's rights on the platform",
            topic=topic,
            operation=operation,
        )
    if code in UNREACHABLE:
        return BrokerUnavailableError(f"Kafka does not answer: {text}. Check the broker and the network")
    if code in TOO_LARGE:
        return DeliveryError(f"the record for {topic} is too large: {text}. Send less in one record")
    if operation == "Write":
        return DeliveryError(f"a record for {topic} was not delivered: {text}")
    advice = _FENCED_ADVICE if is_fence(error) else ""
    return MessagingError(f"{operation} of {topic or 'Kafka'} failed: {text}{advice}")
