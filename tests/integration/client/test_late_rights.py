"""A client that may not write at Kafka yet: it is told so of each record, and goes on when it may."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AclOperation,
    AdminClient,
)
from confluent_kafka.cimpl import NewTopic

from client.errors import DeliveryError, DigitalTwinError
from client.messaging.broker import KafkaBroker
from client.messaging.producer import KafkaProducer
from client.messaging.security import KafkaSecurity
from tests.integration.streamhub.flows import eventually
from tests.integration.streamhub.principals import TOPIC, WRITE, Principal
from tests.kafka_clients import connection


@pytest.fixture
def topic(kafka_bootstrap: str, unique_system: Callable[[], str]) -> str:
    name = f"{unique_system()}.int"
    admin = AdminClient(connection(kafka_bootstrap))
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    return name


@pytest.fixture
def principal(kafka_bootstrap: str, topic: str) -> Principal:
    made = Principal(kafka_bootstrap, f"{topic.removesuffix('.int')}.device")
    made.allow(TOPIC, topic, AclOperation.DESCRIBE)
    return made


@pytest.fixture
def producer(
    kafka_bootstrap: str, principal: Principal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KafkaProducer]:
    given = principal.credentials()
    for name, text in (("CA", given.authority), ("CERTIFICATE", given.certificate), ("KEY", given.key)):
        file = tmp_path / f"{name}.pem"
        file.write_text(text)
        monkeypatch.setenv(f"DTWIN_KAFKA__SSL_{name}_FILE", str(file))
    made = KafkaBroker(kafka_bootstrap, KafkaSecurity.from_environment()).producer("device")
    yield made
    made.close(30)


def test_a_client_that_starts_before_it_has_its_rights_is_told_so_and_sends_when_it_has_them(
    producer: KafkaProducer, principal: Principal, topic: str
) -> None:
    said: list[str] = []

    def is_sent() -> bool:
        try:
            producer.produce(topic, b"k", b"{}", []).result(20)
        except DigitalTwinError as error:
            said.append(str(error))
            return False
        return True

    for _ in range(3):
        assert not is_sent()
    assert all("authorization failed" in one for one in said), said
    principal.allow(TOPIC, topic, WRITE)
    eventually(is_sent, what="a record")
    with pytest.raises(DeliveryError, match="were not delivered"):
        producer.flush(0)
