"""Who can do what at a real broker: three companies, each operation of each principal on each resource.

What should be possible is written here from the rules in the documentation, not taken from the compiler of
access rules.
"""

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from cryptography import x509
from cryptography.x509.oid import NameOID

from client.messaging.topics import SystemName
from platform_ui.acls.compiling import CredentialState, Registry, StreamAppState, compile_entries
from platform_ui.acls.kafka_port import KafkaAcls
from platform_ui.demo_world import ANALYTICS, CAR1, CAR2, SERVICES, STATIONS
from platform_ui.pki.authority import Authority, service_of
from platform_ui.pki.names import Identity, Kind
from setup.local.kafka import LocalKafka
from tests.integration.platform_ui.probes import ADMINISTRATION, Powers, cannot_connect, probe
from tests.integration.streamhub.flows import eventually
from tests.kafka_clients import READY_S

pytestmark = pytest.mark.kafka

SYSTEMS = (CAR1, CAR2, STATIONS, SERVICES, ANALYTICS)
CLIENTS = (
    (CAR1, "car_1"),
    (CAR1, "car_11"),  # its name begins with that of another
    (CAR2, "car_2"),
    (STATIONS, "weatherstation_1"),
    (SERVICES, "forecast_service"),
    (ANALYTICS, "datastack-adapter"),
)
APPS = (
    StreamAppState(STATIONS, "weather2car1", (STATIONS,), CAR1),
    StreamAppState(CAR1, "carsnearby", (CAR1, CAR2), ANALYTICS),
    StreamAppState(CAR2, "without-contract", (CAR2,), ANALYTICS, permitted=False),
)
REVOKED = (CAR2, "revoked")
BLOCKED = (CAR2, "blocked")
PLATFORM_TOPICS = ("platform.outbox.state", *(f"platform.apps.{app.app_id}.state" for app in APPS))
TOPICS = (*(topic for name in SYSTEMS for topic in SystemName.parse(name).topics.all()), *PLATFORM_TOPICS)
NAMES = (
    *(f"{system}.{client}" for system, client in CLIENTS),
    *(f"{system}.{client}.second" for system, client in CLIENTS),
    *(app.app_id for app in APPS),
    *(f"{app.app_id}.0" for app in APPS),
    "platform.recorder",
    "platform.mqtt",
    "platform.mqtt.down",
    "sensorthings-outbox-1",
    "anything",
)
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Somebody:
    """A principal and what it should be able to do."""

    identity: Identity
    powers: Powers


def nobody(kind: Kind, name: str, epoch: int = 1) -> Somebody:
    return Somebody(Identity(kind, name, epoch), Powers())


def client(system: str, name: str) -> Somebody:
    topics, own = SystemName.parse(system).topics, f"{system}.{name}"
    readable = {topics.internal, topics.external, topics.log}
    names = {own, f"{own}.second"}
    # Dead letters of its own system: sinks and gateways are client apps too, and refuse what they cannot use.
    written = {topics.internal, topics.log, topics.dead_letters}
    return Somebody(Identity(Kind.CLIENT, own), Powers(written, readable, readable | written, names, names))


def app(state: StreamAppState) -> Somebody:
    if not state.permitted:
        return nobody(Kind.APP, state.app_id)
    read = {SystemName.parse(system).topics.internal for system in state.sources}
    letters = {SystemName.parse(system).topics.dead_letters for system in state.sources}
    state_topic = f"platform.apps.{state.app_id}.state"
    written = {SystemName.parse(state.target).topics.external, state_topic} | letters
    read.add(state_topic)
    return Somebody(
        Identity(Kind.APP, state.app_id),
        Powers(written, read, read | written, {state.app_id}, {f"{state.app_id}.0"}),
    )


def services() -> tuple[Somebody, ...]:
    every = [SystemName.parse(name).topics for name in SYSTEMS]
    read = {topic for topics in every for topic in (topics.internal, topics.external)}
    letters = {topics.dead_letters for topics in every}
    recorder = Powers(letters, read, read | letters, {"platform.recorder"})
    state = "platform.outbox.state"
    written = {topics.internal for topics in every} | {state}
    relay = Powers(written, {state}, written, set(), {"sensorthings-outbox-1"})
    carried = {topic for topics in every for topic in (topics.internal, topics.log, topics.dead_letters)}
    bridge = Powers(carried, read, read | carried, {"platform.mqtt", "platform.mqtt.down"})
    return (
        Somebody(service_of("recorder"), recorder),
        Somebody(service_of("sensorthings"), relay),
        Somebody(service_of("mqtt"), bridge),
    )


PEOPLE = (
    *(client(*one) for one in CLIENTS),
    *(app(one) for one in APPS),
    *services(),
    nobody(Kind.CLIENT, ".".join(REVOKED)),
    nobody(Kind.CLIENT, ".".join(BLOCKED)),
    nobody(Kind.CLIENT, f"{CAR1}.never-registered"),
    nobody(Kind.APP, f"{CAR1}.car_1"),  # an app with the name of a client
    nobody(Kind.CLIENT, f"{CAR1}.carsnearby"),  # a client with the name of an app
    nobody(Kind.SERVICE, "never-heard-of"),
)


def registry() -> Registry:
    good = CredentialState(1, live_epochs=frozenset({1}))
    credentials = {(Kind.CLIENT, f"{system}.{name}"): good for system, name in CLIENTS}
    credentials |= {(Kind.APP, one.app_id): good for one in APPS}
    credentials[Kind.CLIENT, ".".join(REVOKED)] = CredentialState(2, live_epochs=frozenset({1, 2}))
    credentials[Kind.CLIENT, ".".join(BLOCKED)] = CredentialState(
        1, is_blocked=True, live_epochs=frozenset({1})
    )
    return Registry(SYSTEMS, (*CLIENTS, REVOKED, BLOCKED), APPS, credentials)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A broker with all topics, one record in each, and the rules of the registry."""
    own = LocalKafka(tmp_path_factory.mktemp("isolation") / "kafka")
    own.start()
    try:
        own.wait_ready(READY_S)
        settings = own.client_settings()
        admin = AdminClient(settings)
        for future in admin.create_topics([NewTopic(topic, 1, 1) for topic in TOPICS]).values():
            future.result(60)
        producer = Producer(settings)
        for topic in TOPICS:
            producer.produce(topic, b"{}", b"seed")
        assert producer.flush(60) == 0
        rules = compile_entries(registry())
        acls = KafkaAcls(own.bootstrap_servers, own.security())
        acls.create(rules)
        eventually(lambda: acls.describe() == rules, what="seeing the rules at the broker")
        yield own
    finally:
        own.stop()


@pytest.fixture(scope="module")
def authority(broker: LocalKafka) -> Authority:
    assert broker.trust is not None
    return broker.trust.authority()


def settings_with(
    broker: LocalKafka, folder: Path, certificate: str, key: str
) -> dict[str, str | int | float | bool]:
    folder.mkdir()
    (folder / "certificate.pem").write_text(certificate)
    (folder / "key.pem").write_text(key)
    return {
        **broker.client_settings(),
        "ssl.certificate.location": str(folder / "certificate.pem"),
        "ssl.key.location": str(folder / "key.pem"),
    }


def names_to_try(number: int, step: int) -> tuple[str, ...]:
    """Return the own names of a person and each `step`-th of all, another part for each person."""
    own = PEOPLE[number].powers
    return tuple(
        name
        for place, name in enumerate(NAMES)
        if name in own.group | own.transactional_id or place % step == number % step
    )


def expected(number: int, names: tuple[str, ...]) -> Powers:
    powers = PEOPLE[number].powers
    return replace(
        powers,
        group=powers.group.intersection(names),
        transactional_id=powers.transactional_id.intersection(names),
    )


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.extended)])
def test_exactly_the_allowed_cells_succeed(
    broker: LocalKafka, authority: Authority, tmp_path: Path, step: int
) -> None:
    """Everybody tries every topic and all administration, and each fifth group and transaction (or all)."""
    tried = [names_to_try(number, step) for number in range(len(PEOPLE))]
    assert {name for names in tried for name in names} == set(NAMES)

    def look(number: int) -> Powers:
        identity = PEOPLE[number].identity
        issued = authority.issue(identity, lifetime=HOUR)
        settings = settings_with(broker, tmp_path / str(number), issued.certificate_pem, issued.key_pem)
        return probe(settings, TOPICS, tried[number], identity.principal)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(look, range(len(PEOPLE))))
    wrong = [
        f"{somebody.identity.principal} {what}: {sorted(getattr(seen, what))}, "
        f"but should: {sorted(getattr(expected(number, tried[number]), what))}"
        for number, (somebody, seen) in enumerate(zip(PEOPLE, found, strict=True))
        for what in Powers.__dataclass_fields__
        if getattr(seen, what) != getattr(expected(number, tried[number]), what)
    ]
    assert wrong == []
    cells = sum(3 * len(TOPICS) + 2 * len(names) + len(ADMINISTRATION) for names in tried)
    allowed = sum(len(getattr(seen, what)) for seen in found for what in Powers.__dataclass_fields__)
    print(f"{cells} cells tried, {allowed} allowed, {cells - allowed} refused")


def test_certificates_of_others_expired_ones_and_none_do_not_get_in(
    broker: LocalKafka, authority: Authority, tmp_path: Path
) -> None:
    somebody = Identity(Kind.CLIENT, f"{CAR1}.car_1")
    expired = authority.issue(somebody, lifetime=dt.timedelta(seconds=-30))
    stranger = Authority.create(tmp_path / "other", "a passphrase of sixteen").issue(somebody, lifetime=HOUR)
    for name, issued in (("expired", expired), ("stranger", stranger)):
        settings = settings_with(broker, tmp_path / name, issued.certificate_pem, issued.key_pem)
        assert cannot_connect(settings), name
    without = {
        name: value
        for name, value in broker.client_settings().items()
        if name not in {"ssl.certificate.location", "ssl.key.location"}
    }
    assert cannot_connect(without)
    assert cannot_connect({"bootstrap.servers": broker.bootstrap_servers})


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([("CN", "platform"), ("OU", "dt-service"), ("O", "dt")], id="no UID"),
        pytest.param([("UID", "platform,OU=dt-service"), ("CN", "x"), ("O", "dt")], id="comma in the UID"),
        pytest.param(
            [("UID", "x"), ("CN", "x"), ("OU", "dt-client"), ("O", "dt,UID=platform,OU=dt-service,O=dt")],
            id="comma in O",
        ),
        pytest.param(
            [("UID", "platform"), ("CN", "platform"), ("OU", "dt-service"), ("OU", "x"), ("O", "dt")],
            id="another OU",
        ),
        pytest.param(
            [("UID", "platform"), ("CN", "platform"), ("OU", "dt-service"), ("O", "dt"), ("C", "AT")],
            id="a country behind",
        ),
        pytest.param(
            [("UID", "platform"), ("CN", "plat\nform"), ("OU", "dt-service"), ("O", "dt")], id="line feed"
        ),
        pytest.param([("UID", "Platform"), ("CN", "p"), ("OU", "DT-SERVICE"), ("O", "DT")], id="other case"),
    ],
)
def test_a_forged_subject_signed_by_our_own_authority_stays_powerless(
    broker: LocalKafka,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parts: list[tuple[str, str]],
) -> None:
    oids = {
        "UID": NameOID.USER_ID,
        "CN": NameOID.COMMON_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "C": NameOID.COUNTRY_NAME,
    }
    subject = x509.Name([x509.NameAttribute(oids[kind], value) for kind, value in reversed(parts)])
    monkeypatch.setattr(Identity, "subject", property(lambda _: subject))
    issued = authority.issue(Identity(Kind.SERVICE, "platform"), lifetime=HOUR)
    assert issued.certificate.subject == subject
    settings = settings_with(broker, tmp_path / "forged", issued.certificate_pem, issued.key_pem)
    # No rule fits a line feed, not even the last one: the broker does not let such a subject in at all.
    assert cannot_connect(settings) or probe(settings, TOPICS, ("anything",), "User:nobody") == Powers()


def test_old_protocols_are_refused(broker: LocalKafka) -> None:
    host, _, port = broker.bootstrap_servers.partition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((host, int(port)), timeout=60) as plain,
        pytest.raises((ssl.SSLError, OSError)),
    ):
        context.wrap_socket(plain)


def test_what_a_rule_gives_it_takes_again_from_open_connections(
    broker: LocalKafka, authority: Authority, tmp_path: Path
) -> None:
    identity = Identity(Kind.CLIENT, f"{STATIONS}.weatherstation_1")
    topic = SystemName.parse(STATIONS).topics.internal
    issued = authority.issue(identity, lifetime=HOUR)
    settings = settings_with(broker, tmp_path / "open", issued.certificate_pem, issued.key_pem)
    acls = KafkaAcls(broker.bootstrap_servers, broker.security())
    producer = Producer(settings)
    errors: list[KafkaError | None] = []
    producer.produce(topic, b"{}", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(60) == 0
    acls.delete_allowed([identity.principal])
    eventually(lambda: not acls.describe(identity.principal), what="the end of the rules")
    producer.produce(topic, b"{}", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(60) == 0
    acls.create([entry for entry in compile_entries(registry()) if entry.principal == identity.principal])
    eventually(lambda: acls.describe() == compile_entries(registry()), what="seeing the rules again")
    assert errors[0] is None
    assert errors[1] is not None
    assert errors[1].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
