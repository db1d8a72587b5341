"""A system whose rights at Kafka are withdrawn holds up nobody else, and loses nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.mqtt.settings import GROUP
from benchmarks.mqtt.devices import Access
from benchmarks.mqtt.site import MqttSite, terminate
from client.messaging.topics import SystemTopics
from tests.integration.streamhub.principals import GROUP as KAFKA_GROUP
from tests.integration.streamhub.principals import READ, TOPIC, WRITE, Principal
from tests.mosquitto import Mosquitto

MESSAGES = 150
IN_FLIGHT = 20


def written(topics: SystemTopics) -> tuple[str, ...]:
    return topics.internal, topics.dead_letters, topics.log


@pytest.fixture
def principal(kafka_bootstrap: str, tmp_path: Path) -> Principal:
    made = Principal(kafka_bootstrap, "at.lab.bridges.Own.mqtt")
    given = made.credentials()
    for name, text in (("ca", given.authority), ("certificate", given.certificate), ("key", given.key)):
        (tmp_path / f"{name}.pem").write_text(text)
    made.allow(KAFKA_GROUP, GROUP, READ, prefixed=True)
    return made


@pytest.mark.extended
def test_a_system_without_rights_at_kafka_waits_on_disk_while_others_pass_and_loses_nothing(  # noqa: PLR0917 - a world
    site: MqttSite,
    access: Access,
    mosquitto: Mosquitto,
    principal: Principal,
    unique_system: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = MqttSite(site.bootstrap, site.sensorthings, mosquitto, unique_system(), tmp_path / "other")
    for one in (site, other):
        one.register("Main", {"Count": "OM_CountObservation"})
        principal.allow(TOPIC, one.topics.external, READ)
        for topic in written(one.topics):
            principal.allow(TOPIC, topic, WRITE)
    with monkeypatch.context() as as_bridge:
        for name, file in (("CA", "ca"), ("CERTIFICATE", "certificate"), ("KEY", "key")):
            as_bridge.setenv(f"DTWIN_KAFKA__SSL_{name}_FILE", str(tmp_path / f"{file}.pem"))
        bridge = site.start_ready(
            system="", client="", receive_maximum=str(IN_FLIGHT), aside_after_s="0.5", session_expiry_s="3600"
        )
    device = access.client("device")

    def publish(one: MqttSite, number: int) -> None:
        device.publish(f"dt/{one.system}/Main/Count", str(number), qos=1).wait_for_publish(60)

    publish(site, 0)
    publish(other, 0)
    site.wait(lambda: len(site.records()) == len(other.records()) == 1, "first records of both")
    for topic in written(site.topics):
        principal.withdraw(TOPIC, topic, WRITE)
    for number in range(1, MESSAGES):
        publish(site, number)
        publish(other, number)
    site.wait(lambda: len(other.records()) == MESSAGES, "records of the other system")
    site.wait(lambda: site.figures().get("unacknowledged") == 0, "acknowledgements")
    figures = site.figures()
    assert figures["buffer_bytes"] > 0
    assert any(f"messages of {site.system} wait on disk" in one for one in figures["troubles"])
    assert len(site.records()) < MESSAGES
    for topic in written(site.topics):
        principal.allow(TOPIC, topic, WRITE)
    site.wait(lambda: len(site.records()) >= MESSAGES, "records of the system that waited")
    ids = {dict(record.headers() or ())["dt-id"] for record in site.records()}
    assert len(ids) == MESSAGES, "what comes twice carries the same id"
    assert {value["result"] for value in site.values()} == set(range(MESSAGES))
    site.wait(lambda: site.figures().get("buffer_bytes") == 0, "an empty disk")
    device.disconnect()
    assert terminate(bridge)
