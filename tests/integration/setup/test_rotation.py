"""The broker gets a new certificate while it runs."""

import contextlib
import json
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, NewTopic  # type: ignore[attr-defined]

from setup.errors import SetupError
from setup.local import rotation
from setup.local.kafka import LocalKafka
from setup.local.rotation import rotate_broker, shown_certificate
from setup.local.trust import OPERATOR, LocalTrust

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
TOPIC = "platform.rotation"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A broker of our own: its certificate is changed."""
    made = LocalKafka(tmp_path_factory.mktemp("rotated"))
    made.start()
    try:
        made.wait_ready()
        admin = AdminClient(made.client_settings())
        admin.create_topics([NewTopic(TOPIC, 1)])[TOPIC].result(timeout=30)
        yield made
    finally:
        made.stop()


def trust_of(broker: LocalKafka) -> LocalTrust:
    assert broker.trust is not None
    return broker.trust


class Writer:
    """A producer that counts how often it had to connect, and what was not delivered."""

    def __init__(self, broker: LocalKafka) -> None:
        self.connects = self.delivered = 0
        self.failures: list[str] = []
        settings = {**broker.client_settings(), "statistics.interval.ms": 100, "enable.idempotence": True}
        self._producer = Producer({**settings, "stats_cb": self._note})

    def _note(self, text: str) -> None:
        nodes = [node for node in json.loads(text)["brokers"].values() if node["nodeid"] == 1]
        self.connects = max([self.connects, *(node["connects"] for node in nodes)])

    def _done(self, error: object, _: object) -> None:
        if error is not None:
            self.failures.append(str(error))
        else:
            self.delivered += 1

    def write(self, records: int) -> None:
        for number in range(records):
            self._producer.produce(TOPIC, str(number).encode(), on_delivery=self._done)
        assert self._producer.flush(60) == 0
        until = time.monotonic() + 60
        while not self.connects and time.monotonic() < until:
            self._producer.poll(0.1)
        self._producer.poll(0.3)


def test_new_connections_see_the_new_certificate_and_open_ones_go_on(broker: LocalKafka) -> None:
    trust, process = trust_of(broker), broker.process
    operator = trust.service(OPERATOR)
    old = shown_certificate(broker.bootstrap_servers, operator)
    writer = Writer(broker)
    writer.write(100)
    for _ in range(2):  # the second time, the setting has the value already
        serial = rotate_broker(trust, broker.bootstrap_servers)
        new = shown_certificate(broker.bootstrap_servers, operator)
        assert new.serial_number == serial != old.serial_number
        assert (new.subject, new.issuer) == (old.subject, old.issuer)
        writer.write(100)
        old = new
    assert (writer.delivered, writer.failures) == (300, [])
    assert writer.connects == 1, "the connection that was open is the one that goes on"
    assert broker.process == process
    assert broker.process is not None
    assert broker.process.is_running()
    fresh = Writer(broker)
    fresh.write(10)
    assert fresh.delivered == 10


@pytest.mark.extended
def test_a_restarted_broker_goes_on_with_the_new_certificate(broker: LocalKafka) -> None:
    trust = trust_of(broker)
    serial = rotate_broker(trust, broker.bootstrap_servers)
    broker.stop()
    broker.start()
    broker.wait_ready()
    shown = shown_certificate(broker.bootstrap_servers, trust.service(OPERATOR))
    assert shown.serial_number == serial


def test_a_broker_that_is_given_a_broken_keystore_keeps_its_own_and_takes_the_next(
    broker: LocalKafka,
) -> None:
    trust = trust_of(broker)
    operator = trust.service(OPERATOR)
    before = shown_certificate(broker.bootstrap_servers, operator)
    trust.keystore.write_text("no keystore", encoding="utf-8")
    with contextlib.suppress(SetupError):
        rotation._alter(trust, broker.bootstrap_servers, 1, AlterConfigOpType.SET)
    assert [shown_certificate(broker.bootstrap_servers, operator) for _ in range(8)] == [before] * 8
    assert rotate_broker(trust, broker.bootstrap_servers) != before.serial_number
