"""Access rules and quotas on a real broker of its own: through the port, the command and the keeper.

The controller answers a change, and the broker that is asked what there is follows a moment later: so whoever
has just changed something waits until it is seen.
"""

import asyncio
import datetime as dt
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from client.messaging.security import KafkaSecurity
from platform_ui import db
from platform_ui.acl_settings import AclSettings, Principals
from platform_ui.acls import keeper
from platform_ui.acls.entries import ALLOW, DENY, LITERAL, READ, TOPIC, WRITE, Entry, deny_all, is_ours
from platform_ui.acls.kafka_port import KafkaAcls
from platform_ui.acls.keeper import AclKeeper, Comparison
from platform_ui.acls.quotas import PRODUCE, KafkaQuotas, wanted_quotas
from platform_ui.errors import AuthorizerMissingError, BrokerRefusedError
from platform_ui.health import SiteMetrics
from platform_ui.pki.names import Identity, Kind
from setup.local.kafka import LocalKafka
from tests.integration.platform_ui.registered import Registrar
from tests.integration.streamhub.flows import eventually
from tests.kafka_clients import READY_S
from tests.unit.platform_ui.acls.memory import MemoryAcls, may

pytestmark = pytest.mark.kafka

FOREIGN = Entry("User:kafka-connect", TOPIC, "orders", LITERAL, READ)
CAR = "at.rules.Work.Car"
FLEET = "at.rules.Work.Fleet"

# `dtwin acl apply` in small steps, killed when it is about to send one request too many.
_DYING = """
import os, signal, sys
from platform_ui.acls import connection, kafka_port
from platform_ui.acls.commands import acl

left, send = int(sys.argv[1]), connection.AIOKafkaClient.send
kafka_port.BATCH, kafka_port.DELETED_AT_ONCE, connection.IN_FLIGHT = 40, 10, 1

async def send_or_die(client, node, request, **more):
    global left
    if isinstance(request, connection._Sent):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
    return await send(client, node, request, **more)

connection.AIOKafkaClient.send = send_or_die
acl(["apply"])
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    server = LocalKafka(tmp_path_factory.mktemp("acls"))
    server.start()
    try:
        server.wait_ready(READY_S)
        yield server
    finally:
        server.stop()


def port_of(broker: LocalKafka, service: str = "operator") -> KafkaAcls:
    security = KafkaSecurity.from_environment(broker.environment(service))
    return KafkaAcls(broker.bootstrap_servers, security)


@pytest.fixture
def port(broker: LocalKafka) -> Iterator[KafkaAcls]:
    found = port_of(broker)
    yield found

    def is_empty() -> bool:
        found.delete(found.describe())
        return not found.describe()

    eventually(is_empty, what="the end of all rules")


@pytest.fixture
def database(new_database: Callable[[str], str]) -> str:
    url = new_database("acls")
    db.migrate(url)
    return url


@pytest.fixture
def registrar(database: str) -> Iterator[Registrar]:
    found = Registrar(database)
    found.system(CAR)
    found.system(FLEET)
    yield found
    found.close()


def run(broker: LocalKafka, database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(broker, database),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "setup", "acl", *arguments]


def environment(broker: LocalKafka, database: str, service: str = "operator") -> dict[str, str]:
    return {**os.environ, **broker.environment(service), "DTWIN_PLATFORM__DATABASE_URL": database}


class TestThePort:
    def test_rules_are_made_read_and_removed_and_all_of_it_can_be_repeated(self, port: KafkaAcls) -> None:
        principal = "User:client.at.rules.Work.Car.car_1"
        entries = {Entry(principal, TOPIC, "a", LITERAL, READ), *deny_all(principal), FOREIGN}
        for _ in range(2):
            port.create(entries)
            eventually(lambda: port.describe() == entries)
        assert port.describe(principal) == entries - {FOREIGN}
        for _ in range(2):
            port.delete_allowed([principal])
            eventually(lambda: port.describe(principal) == set(deny_all(principal)))
        for _ in range(2):
            port.delete(deny_all(principal))
            eventually(lambda: port.describe() == {FOREIGN})

    def test_who_may_not_is_told_so(self, broker: LocalKafka) -> None:
        with pytest.raises(BrokerRefusedError, match="refuses"):
            port_of(broker, "recorder").describe()
        with pytest.raises(BrokerRefusedError):
            port_of(broker, "recorder").create([FOREIGN])

    @pytest.mark.extended
    def test_a_broker_without_an_authorizer_is_told_what_it_lacks(self, tmp_path: Path) -> None:
        open_broker = LocalKafka(tmp_path, is_protected=False)
        open_broker.start()
        try:
            open_broker.wait_ready(READY_S)
            with pytest.raises(AuthorizerMissingError) as caught:
                KafkaAcls(open_broker.bootstrap_servers).describe()
        finally:
            open_broker.stop()
        assert "authorizer.class.name" in caught.value.hint


class TestTheCommand:
    def test_it_shows_brings_and_finds_drift(
        self, broker: LocalKafka, database: str, registrar: Registrar, port: KafkaAcls
    ) -> None:
        registrar.client(CAR, "car_1")
        everybody = Entry("User:*", TOPIC, "*", LITERAL, READ)
        port.create([FOREIGN, everybody])
        eventually(lambda: port.describe() == {FOREIGN, everybody})
        shown = run(broker, database, "plan")
        assert shown.returncode == 0, shown.stderr
        assert f"+ User:client.{CAR}.car_1 ALLOW WRITE on TOPIC {CAR}.int" in shown.stdout
        assert "! everybody: User:* ALLOW READ on TOPIC *" in shown.stdout
        assert port.describe() == {FOREIGN, everybody}
        assert run(broker, database, "drift").returncode == 3
        assert run(broker, database, "apply").returncode == 0
        quiet = run(broker, database, "drift", "--json")
        assert quiet.returncode == 0
        document = json.loads(quiet.stdout)
        assert document["make"] == document["remove"] == []
        assert document["rules"] == len([entry for entry in port.describe() if is_ours(entry.principal)])
        assert {FOREIGN, everybody} <= port.describe()

    @pytest.mark.extended
    def test_its_exit_codes_tell_what_is_wrong(self, broker: LocalKafka, database: str) -> None:
        refused = subprocess.run(
            command("drift"),
            env=environment(broker, database, "recorder"),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert refused.returncode == 4, refused.stderr
        nowhere = environment(broker, database) | {"DTWIN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        away = subprocess.run(
            command("drift"), env=nowhere, capture_output=True, text=True, check=False, timeout=120
        )
        assert away.returncode == 6, away.stderr
        assert "Kafka at 127.0.0.1:1 does not answer.\n" in away.stderr

    @pytest.mark.parametrize(
        "requests", [2, *(pytest.param(number, marks=pytest.mark.extended) for number in (1, 6, 14))]
    )
    async def test_killed_between_two_requests_the_next_run_ends_in_the_same_state(
        self, broker: LocalKafka, database: str, registrar: Registrar, port: KafkaAcls, requests: int
    ) -> None:
        for number in range(40):
            registrar.client(CAR, f"car_{number}")
        registrar.client(CAR, "revoked")
        registrar.revoke(Kind.CLIENT, f"{CAR}.revoked")
        stale = {
            Entry(f"User:client.{CAR}.gone_{number}", TOPIC, f"{CAR}.int", LITERAL, WRITE)
            for number in range(40)
        }
        await asyncio.to_thread(port.create, stale)
        await _until(lambda: port.describe() == stale)
        died = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", _DYING, str(requests)],
            env=environment(broker, database),
            check=False,
            timeout=120,
        )
        assert died.returncode == -signal.SIGKILL
        left = await asyncio.to_thread(port.describe)
        whole = (await apply(database, port)).wanted
        assert whole != left
        await _until(lambda: port.describe() == whole)
        assert len([entry for entry in whole if ".car_" in entry.principal]) == 40 * 12
        assert [entry for entry in whole if ".gone_" in entry.principal] == []
        assert {entry.permission for entry in whole if ".revoked" in entry.principal} == {DENY}
        assert (await apply(database, port)).plan.is_empty


class TestTheKeeper:
    async def test_a_revocation_reaches_open_connections_without_waiting_for_the_next_comparison(
        self,
        broker: LocalKafka,
        database: str,
        registrar: Registrar,
        port: KafkaAcls,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(keeper, "COMPARE_PERIOD_S", 3600.0)  # how long it takes: benchmarks/revocation
        registrar.client(CAR, "car_1")
        admin = AdminClient(broker.client_settings())
        admin.create_topics([NewTopic(f"{CAR}.int", 1)])[f"{CAR}.int"].result(60)
        engine = db.create_engine(database)
        acl_keeper = AclKeeper(db.create_sessions(engine), port)
        task = asyncio.create_task(acl_keeper.run())
        try:
            wanted = await wanted_of(database, port)
            await _until(lambda: port.describe() == wanted)
            producer = Producer(client_settings(broker, Identity(Kind.CLIENT, f"{CAR}.car_1")))
            assert await asyncio.to_thread(send, producer, f"{CAR}.int") is None
            registrar.revoke(Kind.CLIENT, f"{CAR}.car_1")
            acl_keeper.bell.ring()
            await _until(lambda: send(producer, f"{CAR}.int") == KafkaError.TOPIC_AUTHORIZATION_FAILED)
            # The DENY comes first; what was allowed is removed after it.
            await _until(lambda: permissions(port, ".car_1") == {DENY})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await engine.dispose()

    async def test_drift_is_mended_counted_and_said(
        self, database: str, registrar: Registrar, port: KafkaAcls, caplog: pytest.LogCaptureFixture
    ) -> None:
        registrar.client(CAR, "car_1")
        hours = [0.0]
        metrics = SiteMetrics()
        engine = db.create_engine(database)
        acl_keeper = AclKeeper(db.create_sessions(engine), port, counters=metrics, clock=lambda: hours[0])
        await acl_keeper.turn()
        whole = await wanted_of(database, port)
        await _until(lambda: port.describe() == whole)
        lost = next(entry for entry in whole if entry.operation == WRITE and ".car_1" in entry.principal)
        made = Entry(f"User:client.{CAR}.stranger", TOPIC, f"{CAR}.int", LITERAL, WRITE)
        await asyncio.to_thread(port.delete, [lost])
        await asyncio.to_thread(port.create, [made])
        await _until(lambda: port.describe() == whole - {lost} | {made})
        await acl_keeper.turn()
        assert made in await asyncio.to_thread(port.describe), (
            "between two comparisons only changes of the registry are brought"
        )
        hours[0] += 60
        with caplog.at_level(logging.WARNING):
            await acl_keeper.turn()
        await _until(lambda: port.describe() == whole)
        assert [record.getMessage() for record in caplog.records if "drift" in record.getMessage()] == [
            f"drift of access rules mended: - {made}",
            f"drift of access rules mended: + {lost}",
        ]
        assert metrics.registry.get_sample_value("dtwin_platform_acl_drift_total", {"change": "made"}) == 1
        assert metrics.registry.get_sample_value("dtwin_platform_acl_drift_total", {"change": "removed"}) == 1
        await engine.dispose()

    async def test_a_program_about_to_start_has_its_rules_before_the_commit(
        self, database: str, registrar: Registrar, port: KafkaAcls
    ) -> None:
        registrar.client(CAR, "car_1")
        registrar.app(CAR, "warm", FLEET, "SELECT * FROM * WHERE result < 4;")
        principal = Identity(Kind.APP, f"{CAR}.warm").principal
        engine = db.create_engine(database)
        async with db.create_sessions(engine)() as session:
            await keeper.ensure(session, port, Principals.CERTIFICATES, [principal])
        assert {entry.principal for entry in await asyncio.to_thread(port.describe)} == {principal}
        registrar.revoke(Kind.APP, f"{CAR}.warm")
        async with db.create_sessions(engine)() as session:
            await keeper.ensure(session, port, Principals.CERTIFICATES, [principal])
        assert {entry.permission for entry in await asyncio.to_thread(port.describe)} == {DENY}
        await engine.dispose()

    async def test_what_a_starting_program_was_given_ends_with_the_next_look(
        self, database: str, registrar: Registrar
    ) -> None:
        engine = db.create_engine(database)
        sessions, acls = db.create_sessions(engine), MemoryAcls()
        acl_keeper = AclKeeper(sessions, acls)
        await acl_keeper.turn()
        registrar.app(CAR, "warm", FLEET, "SELECT * FROM * WHERE result < 4;")
        principal = Identity(Kind.APP, f"{CAR}.warm").principal
        async with sessions() as session:
            await acl_keeper.ensure(session, [principal])
        assert may(acls.entries, principal, WRITE, TOPIC, f"{FLEET}.ext")
        registrar.unregister_app(CAR, "warm")
        await acl_keeper.turn()
        assert not may(acls.entries, principal, WRITE, TOPIC, f"{FLEET}.ext")
        await engine.dispose()

    async def test_an_app_whose_statement_is_not_read_any_more_has_no_rules(
        self, database: str, registrar: Registrar
    ) -> None:
        registrar.app(CAR, "old", FLEET, "SELECT what nobody reads any more")
        engine = db.create_engine(database)
        async with db.create_sessions(engine)() as session:
            found = await keeper.drift(session, MemoryAcls(), Principals.CERTIFICATES)
        assert not any(entry.principal.startswith("User:app.") for entry in found.wanted)
        await engine.dispose()

    async def test_an_app_across_companies_has_no_rules_without_a_contract(
        self, database: str, registrar: Registrar, port: KafkaAcls
    ) -> None:
        other = "is.other.Work.Weather"
        registrar.system(other)
        registrar.app(CAR, "out", other, "SELECT * FROM *;")
        registrar.app(CAR, "inside", FLEET, "SELECT * FROM *;")
        engine = db.create_engine(database)
        async with db.create_sessions(engine)() as session:
            found = await keeper.apply(session, port, Principals.CERTIFICATES)
        apps = {entry.principal for entry in found.wanted if entry.principal.startswith("User:app.")}
        assert apps == {f"User:app.{CAR}.inside"}
        await engine.dispose()


class TestQuotas:
    def test_they_are_brought_once_and_removed_again(self, broker: LocalKafka) -> None:
        quotas = KafkaQuotas(broker.bootstrap_servers, KafkaSecurity.from_environment(broker.environment()))
        settings = AclSettings()
        none = AclSettings(produce_bytes_per_s=0, fetch_bytes_per_s=0, request_percent=0)
        quotas.bring(none)
        eventually(lambda: not any(quotas.describe().values()))
        assert quotas.bring(settings) == 7
        eventually(lambda: quotas.describe() == wanted_quotas(settings))
        assert quotas.bring(settings) == 0
        assert quotas.bring(none) == 7
        eventually(lambda: not any(quotas.describe().values()))

    @pytest.mark.extended
    def test_a_flooding_producer_is_slowed_down_and_a_neighbour_is_not(
        self, broker: LocalKafka, port: KafkaAcls
    ) -> None:
        topic = "flooded"
        admin = AdminClient(broker.client_settings())
        admin.create_topics([NewTopic(topic, 1)])[topic].result(60)
        names = ("flood", "calm")
        port.create(
            [
                Entry(Identity(Kind.CLIENT, f"{CAR}.{name}").principal, TOPIC, topic, LITERAL, WRITE, ALLOW)
                for name in names
            ]
        )
        quotas = KafkaQuotas(broker.bootstrap_servers, KafkaSecurity.from_environment(broker.environment()))
        limit = 200_000
        quotas.alter({None: {PRODUCE: float(limit)}})
        try:
            flood, calm = (
                Producer(client_settings(broker, Identity(Kind.CLIENT, f"{CAR}.{name}"))) for name in names
            )
            assert send(flood, topic) is send(calm, topic) is None  # connected: only the quota is measured
            # The broker learns of a quota a moment after it was set, and its first window is free.
            rates: list[float] = []
            while not rates or (rates[-1] > 5 * limit and len(rates) < 10):
                began, size = time.monotonic(), 20_000
                for _ in range(150):
                    flood.produce(topic, os.urandom(size))
                waited = []
                for _ in range(5):
                    asked = time.monotonic()
                    assert send(calm, topic) is None
                    waited.append(time.monotonic() - asked)
                assert flood.flush(60) == 0
                rates.append(150 * size / (time.monotonic() - began))
        finally:
            quotas.alter({None: {PRODUCE: None}})
        assert rates[-1] <= 5 * limit, f"{rates} bytes/s, allowed are {limit}"
        assert max(waited) < 3, waited  # while the flood is held up for many seconds


async def apply(database: str, port: KafkaAcls) -> Comparison:
    engine = db.create_engine(database)
    async with db.create_sessions(engine)() as session:
        found = await keeper.apply(session, port, Principals.CERTIFICATES)
    await engine.dispose()
    return found


async def wanted_of(database: str, port: KafkaAcls) -> frozenset[Entry]:
    """Return what should be at the broker."""
    engine = db.create_engine(database)
    async with db.create_sessions(engine)() as session:
        found = await keeper.drift(session, port, Principals.CERTIFICATES)
    await engine.dispose()
    return found.wanted


def permissions(port: KafkaAcls, name: str) -> set[str]:
    return {entry.permission for entry in port.describe() if name in entry.principal}


def client_settings(broker: LocalKafka, identity: Identity) -> dict[str, str | int | float | bool]:
    """Give settings with which a client app reaches the broker, with a new certificate."""
    assert broker.trust is not None
    issued = broker.trust.authority().issue(identity, lifetime=dt.timedelta(days=1))
    return {
        "bootstrap.servers": broker.bootstrap_servers,
        "security.protocol": "SSL",
        "ssl.ca.location": str(broker.trust.authority_file),
        "ssl.certificate.pem": issued.certificate_pem,
        "ssl.key.pem": issued.key_pem,
        "enable.idempotence": True,
        "delivery.timeout.ms": 60_000,
        "log_level": 0,
    }


def send(producer: Producer, topic: str) -> int | None:
    """Send one record; give the error's number, None when it was delivered."""
    errors: list[int | None] = []

    def note(error: KafkaError | None, _message: object) -> None:
        errors.append(None if error is None else error.code())

    producer.produce(topic, b"{}", on_delivery=note)
    producer.flush(60)
    assert errors, "no answer"
    return errors[0]


async def _until(ask: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not await asyncio.to_thread(ask):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
