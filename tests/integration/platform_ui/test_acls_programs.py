"""The programs of the house do their work on a real broker with just the rules that are compiled for them."""

import datetime as dt
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from sqlalchemy import make_url

from adapters.observation_store.settings import RecorderSettings
from client.errors import MessagingError, NotAuthorizedError
from client.messaging.broker import KafkaBroker
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import Registry, StreamAppState, compile_entries
from platform_ui.acls.kafka_port import KafkaAcls
from platform_ui.pki.names import Identity, Kind
from sensorthings.outbox.carrier import STATE_TOPIC, Carrier, KafkaAccess
from sensorthings.outbox.rows import WaitingRow
from setup.local.kafka import LocalKafka
from streamhub.engine.counters import RecordCounts
from streamhub.engine.sinks.letters import KafkaLetters, Refusal
from streamhub.engine.sinks.source import GroupSource
from tests.integration.streamhub.flows import AppProcess, Flow, eventually, matching
from tests.kafka_clients import READY_S

pytestmark = pytest.mark.kafka

OWN = SystemName.parse("at.programs.Work.Mill")
TARGET = SystemName.parse("at.programs.Work.Office")
STRANGE = SystemName.parse("is.strange.Work.Mill")
JOIN = (
    "SELECT l.result + r.result AS sum FROM at.programs.Work.Mill AS l JOIN at.programs.Work.Mill AS r "
    "WITHIN 1 s WHERE l.name = 'at.programs.Work.Mill.Seattle.Air Temperature' "
    "AND r.name = 'at.programs.Work.Mill.Reykjavik.Air Temperature'"
)
REGISTRY = Registry(
    systems=(str(OWN), str(TARGET), str(STRANGE)),
    clients=((str(OWN), "mill_1"), (str(STRANGE), "mill_1")),
    apps=tuple(StreamAppState(str(OWN), name, (str(OWN),), str(TARGET)) for name in ("filter", "joined")),
    principals=Principals.NAMES,
)

Reach = Callable[[Identity], KafkaSecurity]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    server = LocalKafka(tmp_path_factory.mktemp("programs"))
    server.start()
    try:
        server.wait_ready(READY_S)
        admin = AdminClient(server.client_settings())
        names = [name for system in (OWN, TARGET, STRANGE) for name in system.topics.all()]
        for created in admin.create_topics([NewTopic(name, 3) for name in names]).values():
            created.result(60)
        security = KafkaSecurity.from_environment(server.environment())
        port, entries = KafkaAcls(server.bootstrap_servers, security), compile_entries(REGISTRY)
        port.create(entries)
        eventually(lambda: port.describe() == entries, what="seeing the rules at the broker")
        yield server
    finally:
        server.stop()


@pytest.fixture
def reach(broker: LocalKafka, tmp_path: Path) -> Reach:
    """A function that issues a certificate and gives the settings with which its holder is let in."""

    def make(identity: Identity) -> KafkaSecurity:
        assert broker.trust is not None
        issued = broker.trust.authority().issue(identity, lifetime=dt.timedelta(days=1))
        certificate, key = tmp_path / f"{identity.uid}.pem", tmp_path / f"{identity.uid}.key"
        certificate.write_text(issued.certificate_pem)
        key.write_text(issued.key_pem)
        return KafkaSecurity(
            protocol="SSL", ca_file=broker.trust.authority_file, certificate_file=certificate, key_file=key
        )

    return make


def test_a_client_app_sends_logs_and_receives(broker: LocalKafka, reach: Reach) -> None:
    name = f"{OWN}.mill_1"
    client = KafkaBroker(broker.bootstrap_servers, reach(Identity(Kind.CLIENT, name)))
    topics = OWN.topics
    assert client.partition_counts([topics.internal, topics.external, topics.log], 60)[topics.internal] == 3
    producer = client.producer(name)
    for topic in (topics.internal, topics.log):
        producer.produce(topic, f"{OWN}.T.D".encode(), b"{}", []).result(60)
    consumer = client.consumer(name, name, [topics.internal, topics.external, topics.log], "earliest")
    found: set[str] = set()

    def has_both() -> bool:
        found.update(one.topic for one in consumer.receive(10, 1))
        return len(found) == len((topics.internal, topics.log))

    eventually(has_both)
    consumer.commit(wait=True)
    consumer.close()
    producer.close(60)


@pytest.mark.parametrize(
    "topic", [STRANGE.topics.internal, TARGET.topics.external, STRANGE.topics.dead_letters]
)
def test_a_client_app_sees_nothing_of_others(broker: LocalKafka, reach: Reach, topic: str) -> None:
    client = KafkaBroker(broker.bootstrap_servers, reach(Identity(Kind.CLIENT, f"{OWN}.mill_1")))
    with pytest.raises(NotAuthorizedError):
        client.partition_counts([topic], 60)
    with pytest.raises(MessagingError):
        client.producer("other").produce(topic, b"k", b"{}", []).result(60)


def test_a_client_app_reads_in_no_group_of_others(broker: LocalKafka, reach: Reach) -> None:
    client = KafkaBroker(broker.bootstrap_servers, reach(Identity(Kind.CLIENT, f"{OWN}.mill_1")))
    consumer = client.consumer("other", f"{OWN}.mill_2", [OWN.topics.internal], "earliest")

    def is_refused() -> bool:
        try:
            consumer.receive(1, 1)
        except NotAuthorizedError:
            return True
        return False

    eventually(is_refused)
    consumer.close()


@pytest.mark.parametrize(
    "app_of",
    [
        pytest.param(("filter", "SELECT * FROM * WHERE result < 4;"), id="filter"),
        pytest.param(("joined", JOIN), id="joined", marks=pytest.mark.extended),
    ],
)
def test_a_stream_app_runs(
    broker: LocalKafka,
    reach: Reach,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    app_of: tuple[str, str],
) -> None:
    name, statement = app_of
    for setting, value in broker.environment().items():
        monkeypatch.setenv(setting, value)
    flow = _Existing(broker.bootstrap_servers)
    security = reach(Identity(Kind.APP, f"{OWN}.{name}"))
    with monkeypatch.context() as patch:
        patch.setenv("DTWIN_KAFKA__SSL_CERTIFICATE_FILE", str(security.certificate_file))
        patch.setenv("DTWIN_KAFKA__SSL_KEY_FILE", str(security.key_file))
        app = AppProcess(flow, tmp_path, name=name, statement=statement)
    before = len(flow.received())
    try:
        flow.produce(range(160))
        flow.send(b"not a name", b"not json")
        flow.flush()
        app.wait_consumed(160)
        eventually(lambda: len(flow.dead_letters()) > 0, what="a dead letter")
        if name == "filter":
            eventually(lambda: len(flow.received()) - before >= len(matching(range(160))))
    finally:
        app.end(signal.SIGTERM)
    log = app.log.read_text()
    assert "AUTHORIZATION" not in log.upper(), log
    if name == "joined":
        listed = AdminClient(broker.client_settings()).list_topics(timeout=60).topics
        assert f"platform.apps.{OWN}.joined.state" in listed


class _Existing(Flow):
    """The systems of these tests, whose topics are there."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap, str(OWN), str(TARGET))

    def create(self, topic: str, partitions: int = 1, config: dict[str, str] | None = None) -> None:
        """Nothing is to be created."""


def test_the_outbox_of_sensorthings_sends(broker: LocalKafka, reach: Reach) -> None:
    access = KafkaAccess(broker.bootstrap_servers, reach(Identity(Kind.SERVICE, "sensorthings")))
    carrier = Carrier(access, "sensorthings-outbox-test")
    assert carrier.take_over() == ()
    row = WaitingRow(1, OWN.topics.internal, f"{OWN}.T.D", "{}", uuid.uuid4())
    assert carrier.missing([row.topic]) == frozenset()
    carrier.send([row])
    assert list(Carrier(access, "sensorthings-outbox-test").take_over()) == [(row.id, row.dt_id)]
    assert STATE_TOPIC in AdminClient(broker.client_settings()).list_topics(timeout=60).topics
    # Topics that are not of a system it may not make.
    assert carrier.missing(["orders"]) == {"orders"}


def test_the_recorder_reads_everything_and_writes_dead_letters(broker: LocalKafka, reach: Reach) -> None:
    producer = Producer({**broker.client_settings(), "log_level": 0})
    wanted = {OWN.topics.internal, OWN.topics.external}
    for topic in wanted:
        producer.produce(topic, b"not json", b"k")
    assert producer.flush(60) == 0
    settings = RecorderSettings(
        bootstrap_servers=broker.bootstrap_servers,
        database=make_url("postgresql+psycopg://nobody@127.0.0.1/nothing"),
        security=reach(Identity(Kind.SERVICE, "recorder")),
    )
    errors: list[object] = []
    source = GroupSource(settings, errors.append)
    source.open()
    taken: list[Refusal] = []

    def is_taken() -> bool:
        taken.extend(Refusal(record, "record.not_json", "no") for record in source.take(1, 100))
        return wanted <= {refusal.message.topic() for refusal in taken}

    eventually(is_taken)
    KafkaLetters(settings, errors.append).write(taken, RecordCounts())
    source.commit(source.positions)
    source.close()
    assert errors == []
    listed = AdminClient(broker.client_settings()).list_topics(timeout=60).topics
    assert f"{OWN.topics.external}.dlq" in listed
    assert os.environ.get("DTWIN_KAFKA__BOOTSTRAP_SERVERS") != broker.bootstrap_servers
