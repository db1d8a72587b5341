"""Certificates that are replaced while a client produces and consumes: no record is lost or doubled."""

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from client.digital_twin_client import DigitalTwinClient
from client.enrolment import replace_files
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.settings import ClientSettings
from client.testing import InMemorySensorThings
from platform_ui.pki.names import Identity, Kind
from setup.local.kafka import LocalKafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

RATE = 2000  # records per second
RENEWALS = 5


def allow(broker: LocalKafka, identity: Identity, system: SystemName) -> None:
    """Give the rights of a client app, and nothing else."""
    topics, literal = system.topics, ResourcePatternType.LITERAL
    rights = [
        (ResourceType.TOPIC, topics.internal, AclOperation.WRITE),
        (ResourceType.TOPIC, topics.internal, AclOperation.READ),
        (ResourceType.TOPIC, topics.external, AclOperation.READ),
        (ResourceType.TOPIC, topics.log, AclOperation.WRITE),
        (ResourceType.TOPIC, topics.log, AclOperation.READ),
        (ResourceType.GROUP, identity.name, AclOperation.READ),
    ]
    bindings = [
        AclBinding(kind, name, literal, identity.principal, "*", operation, AclPermissionType.ALLOW)
        for kind, name, operation in rights
    ]
    admin = AdminClient(broker.client_settings())
    for future in admin.create_acls(bindings).values():
        future.result(60)
    anything: Any = None  # the annotations forget that None matches everything
    wanted = AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        identity.principal,
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    # Rules are written by the controller; the broker enforces them a moment later.
    while len(admin.describe_acls(wanted).result(60)) < len(bindings):
        time.sleep(0.05)


def issue(broker: LocalKafka, identity: Identity, folder: Path) -> None:
    assert broker.trust is not None
    issued = broker.trust.authority().issue(identity, lifetime=dt.timedelta(hours=1))
    replace_files(folder / "certificate.pem", issued.certificate_pem, folder / "key.pem", issued.key_pem)


def wait_for_more(produced: list[int], number: int) -> None:
    wanted, deadline = produced[0] + number, time.monotonic() + 60
    while produced[0] < wanted:
        assert time.monotonic() < deadline, "nothing is produced"
        time.sleep(0.05)


def consume_all(
    client: DigitalTwinClient, stopping: threading.Event, produced: list[int], consumed: Counter[int]
) -> None:
    quiet_since = time.monotonic()
    # After the producer has stopped: until everything was read, or nothing has come for long.
    while not stopping.is_set() or (len(consumed) < produced[0] and time.monotonic() - quiet_since < 60):
        records = client.consume(timeout=0.5)
        consumed.update(record["result"] for record in records)
        if records or not stopping.is_set():
            quiet_since = time.monotonic()


@pytest.mark.extended
def test_renewals_under_load_lose_and_double_nothing(
    own_broker: LocalKafka,
    unique_system: Callable[[], str],
    create_topics: Callable[[str, SystemName], None],
    instance_file: Path,
    tmp_path: Path,
) -> None:
    system = SystemName.parse(unique_system())
    create_topics(own_broker.bootstrap_servers, system)
    identity = Identity(Kind.CLIENT, f"{system}.car_1")
    allow(own_broker, identity, system)
    issue(own_broker, identity, tmp_path)
    assert own_broker.trust is not None
    client = DigitalTwinClient(
        "car_1",
        str(system),
        "in-memory",
        own_broker.bootstrap_servers,
        security=KafkaSecurity(
            protocol="SSL",
            ca_file=own_broker.trust.authority_file,
            certificate_file=tmp_path / "certificate.pem",
            key_file=tmp_path / "key.pem",
        ),
        settings=ClientSettings(alive_s=0, certificate_check_s=0.3, check_timeout_s=60),
        server=InMemorySensorThings(),
    )
    client.register(instance_file)
    client.subscribe(datastreams=[f"{system}.Main.Open Doors"])
    stopping, produced, consumed = threading.Event(), [0], Counter[int]()

    def produce() -> None:
        while not stopping.is_set():
            client.produce("doors", produced[0])
            produced[0] += 1
            time.sleep(1 / RATE)

    threads = [
        threading.Thread(target=produce),
        threading.Thread(target=consume_all, args=(client, stopping, produced, consumed)),
    ]
    for thread in threads:
        thread.start()
    used = [client._producer._producer]  # type: ignore[attr-defined]
    for _ in range(RENEWALS):
        wait_for_more(produced, 500)
        issue(own_broker, identity, tmp_path)
        deadline = time.monotonic() + 60
        while client._producer._producer is used[-1]:  # type: ignore[attr-defined]
            assert time.monotonic() < deadline, "the new certificate was not taken into use"
            time.sleep(0.05)
        used.append(client._producer._producer)  # type: ignore[attr-defined]
    wait_for_more(produced, 500)
    stopping.set()
    for thread in threads:
        thread.join()
    client.disconnect()
    assert client.counters.failed == 0
    assert client.counters.delivered == client.counters.produced == produced[0]
    assert produced[0] > RENEWALS * 500
    assert set(consumed) == set(range(produced[0])), "none lost"
    assert set(consumed.values()) == {1}, "none doubled"
