"""Addresses and errors of Kafka, without Kafka."""

import logging
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from client.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    DeliveryError,
    MessagingError,
    NotAuthorizedError,
    TopicNotFoundError,
)
from client.messaging.broker import KafkaBroker
from client.messaging.failures import to_messaging_error
from client.messaging.producer import ProducerSettings
from client.messaging.security import KafkaSecurity


@pytest.mark.parametrize(
    "servers", ["", " , ", "localhost", "localhost:", ":9092", "localhost:kafka", "a:1,b"]
)
def test_an_address_that_is_not_host_and_port_is_refused(servers: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        KafkaBroker(servers)
    assert caught.value.setting == "kafka_bootstrap_servers"


def test_blanks_in_a_list_of_addresses_do_not_matter() -> None:
    assert KafkaBroker(" a:1 , b:2,").bootstrap_servers == "a:1,b:2"


def test_the_library_does_not_flood_the_logs_of_those_who_did_not_ask(
    caplog: pytest.LogCaptureFixture,
) -> None:
    library = logging.getLogger("client.messaging.broker.librdkafka")
    with caplog.at_level(logging.WARNING):
        library.error("FAIL: connection refused")
    assert caplog.records == []
    with caplog.at_level(logging.INFO):
        library.error("FAIL: connection refused")
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_the_producer_never_gives_up_within_minutes_and_never_doubles() -> None:
    settings = ProducerSettings(delivery_timeout_s=300).to_librdkafka()
    assert settings["delivery.timeout.ms"] == 300_000
    assert settings["enable.idempotence"] == "true"
    assert settings["acks"] == "all"
    assert settings["linger.ms"] == 5
    assert float(ProducerSettings().to_librdkafka()["delivery.timeout.ms"]) >= 120_000


@pytest.mark.parametrize(
    ("code", "operation", "expected"),
    [
        ("UNKNOWN_TOPIC_OR_PART", "Write", TopicNotFoundError),
        ("TOPIC_AUTHORIZATION_FAILED", "Read", NotAuthorizedError),
        ("_SSL", "Connect", NotAuthorizedError),
        ("_ALL_BROKERS_DOWN", "Read", BrokerUnavailableError),
        ("_TRANSPORT", "Describe", BrokerUnavailableError),
        ("MSG_SIZE_TOO_LARGE", "Write", DeliveryError),
        ("_MSG_TIMED_OUT", "Write", DeliveryError),
        ("_FAIL", "Read", MessagingError),
    ],
)
def test_errors_of_the_library_become_ours(code: str, operation: str, expected: type[MessagingError]) -> None:
    error = to_messaging_error(KafkaError(getattr(KafkaError, code)), topic="a.int", operation=operation)
    assert type(error) is expected
    assert error.retriable is (expected is BrokerUnavailableError)


def test_a_file_that_holds_no_certificate_is_a_wrong_setting(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("not a certificate")
    broker = KafkaBroker("127.0.0.1:1", KafkaSecurity(protocol="SSL", ca_file=path))
    with pytest.raises(ConfigurationError, match=r"refuses the settings: .*ssl\.ca\.location"):
        broker.partition_counts(["t"], 1.0)
