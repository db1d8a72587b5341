"""The local broker with slow, lost and doubled clients, in this process."""

import asyncio
import contextlib
import datetime as dt
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from adapters.mqtt.local_broker.running import serve
from adapters.mqtt.local_broker.settings import BrokerSettings
from adapters.mqtt.rules.access import Known, Member, Rules, compile_rules
from platform_ui.pki.authority import Authority
from platform_ui.pki.names import Identity, Kind
from setup.local.ports import LOOPBACK, any_free_port, is_answering
from tests.integration.adapters.mqtt.brokers import CAR, OTHER, Device, Files, wait_until

pytestmark = pytest.mark.timeout(180)

QUEUED = 100
TOPIC = f"dt/{CAR}/Main/Speed"
PEOPLE = {"car_1": CAR, "car_2": CAR, "station": OTHER}


class Broker:
    """The broker in a thread, with a small queue."""

    def __init__(self, folder: Path) -> None:
        self.port = any_free_port()
        self._authority = Authority.create(folder / "pki", "x" * 32)
        self._folder = folder
        (folder / "ca.pem").write_text(self._authority.certificate_pem)
        own = self._issue(Identity(Kind.SERVICE, "mqtt-broker"), (LOOPBACK,))
        self.files = {
            name: self._issue(Identity(Kind.CLIENT, f"{system}.{name}")) for name, system in PEOPLE.items()
        }
        self.files["bridge"] = self._issue(Identity(Kind.SERVICE, "mqtt"))
        self._settings = BrokerSettings(
            host=LOOPBACK,
            port=self.port,
            certificate_file=own.certificate,
            key_file=own.key,
            ca_file=own.ca,
            data_folder=folder / "data",
            queued_messages=QUEUED,
            inflight_messages=10,
        )
        self._apply: Callable[[Rules], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: is_answering(self.port), lambda: "it does not listen")

    def stop(self) -> None:
        assert self._loop is not None
        assert self._stopped is not None
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    def permit(self, *names: str) -> None:
        """Let rules count that name only these client apps, and the bridge."""
        assert self._loop is not None
        assert self._apply is not None
        self._loop.call_soon_threadsafe(self._apply, self._rules(names))

    def device(self, name: str, identifier: str = "", **options: bool) -> Device:
        return Device(self.port, self.files[name], identifier, **options)

    def modern(self, name: str) -> tuple[Any, list[paho.MQTTMessage]]:
        """Connect a client of MQTT 5; return it with what it receives."""
        client: Any = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.tls_set_context(self.files[name].context())
        received: list[paho.MQTTMessage] = []
        client.on_message = lambda _c, _u, message: received.append(message)
        client.connect(LOOPBACK, self.port)
        client.loop_start()
        wait_until(client.is_connected, lambda: "not connected")
        return client, received

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        await serve(self._settings, self._follow, self._stopped)

    async def _follow(self, apply: Callable[[Rules], None]) -> None:
        self._apply = apply
        apply(self._rules(tuple(PEOPLE)))
        await asyncio.Event().wait()

    def _rules(self, names: tuple[str, ...]) -> Rules:
        members = tuple(
            Member(
                Identity(Kind.CLIENT, f"{PEOPLE[name]}.{name}").subject.rfc4514_string(), PEOPLE[name], name
            )
            for name in names
        )
        bridge = Identity(Kind.SERVICE, "mqtt").subject.rfc4514_string()
        return compile_rules(Known(members, (bridge,)))

    def _issue(self, identity: Identity, hosts: tuple[str, ...] = ()) -> Files:
        issued = self._authority.issue(identity, lifetime=dt.timedelta(days=1), hosts=hosts)
        name = f"{identity.kind}-{identity.uid}"
        files = Files(self._folder / "ca.pem", self._folder / f"{name}.crt", self._folder / f"{name}.key")
        files.certificate.write_text(issued.certificate_pem)
        files.key.write_text(issued.key_pem)
        return files


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    found = Broker(tmp_path_factory.mktemp("local-broker"))
    found.start()
    try:
        yield found
    finally:
        found.stop()


def test_a_slow_receiver_holds_its_senders_back_and_loses_nothing(broker: Broker) -> None:
    slow = broker.device("car_2", manual=True).connect()
    slow.subscribe(f"dt/{CAR}/#")
    sent = 3 * QUEUED
    with broker.device("car_1") as car:
        infos = [car.paho.publish(TOPIC, str(number), qos=1) for number in range(sent)]
        time.sleep(1)
        acknowledged = sum(one.is_published() for one in infos)
        assert acknowledged <= QUEUED + 10, "what is acknowledged is in the queue, or sent"
        for number in range(sent):
            wait_until(partial(slow.has_received, number + 1), lambda: f"{len(slow.received)} came")
            slow.paho.ack(slow.received[number].mid, 1)
        for one in infos:
            one.wait_for_publish(60)
    assert slow.payloads == [str(number) for number in range(sent)]
    slow.end()


def test_properties_of_mqtt_5_go_through_and_old_clients_do_not_see_them(broker: Broker) -> None:
    new, received = broker.modern("bridge")
    old = broker.device("car_2").connect()
    old.subscribe(f"dt/{CAR}/#")
    new.subscribe("dt/#", options=SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True))
    device, _ = broker.modern("car_1")
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.UserProperty = [("dt-id", "0190f3c4-0000-7000-8000-000000000001")]
    properties.ContentType = "application/json"
    device.publish(TOPIC, "21.5", qos=2, retain=True, properties=properties).wait_for_publish(60)
    new.publish("dt/own/of/bridge", "not for itself", qos=1).wait_for_publish(60)
    wait_until(lambda: bool(received) and bool(old.received), lambda: "nothing came")
    (message,) = received
    found: Any = message.properties
    assert found.UserProperty == [("dt-id", "0190f3c4-0000-7000-8000-000000000001")]
    assert found.ContentType == "application/json"
    assert message.retain, "as it was published"
    assert (old.payloads, old.received[0].retain) == (["21.5"], False)
    device.publish(TOPIC, "", qos=1, retain=True).wait_for_publish(60)
    for client in (new, device):
        client.disconnect()
        client.loop_stop()
    old.end()


def test_a_refusal_of_mqtt_5_says_so(broker: Broker) -> None:
    device, _ = broker.modern("car_1")
    reasons: list[str] = []
    device.on_publish = lambda _c, _u, _m, reason, _p: reasons.append(str(reason))
    device.publish(f"dt/{OTHER}/Main/Speed", "1", qos=1).wait_for_publish(60)
    device.publish(f"dt/{OTHER}/Main/Speed", "1", qos=2)
    wait_until(lambda: len(reasons) == 2, lambda: str(reasons))
    # paho releases a message of QoS 2 whatever the answer was; then there is nothing to release.
    assert reasons == ["Not authorized", "Packet identifier not found"]
    device.disconnect()
    device.loop_stop()


def test_a_known_client_identifier_brings_nobody_the_session_of_somebody_else(broker: Broker) -> None:
    bridge = broker.device("bridge", "dtwin-bridge", is_kept=True).connect()
    bridge.subscribe("dt/#")
    thief = broker.device("station", "dtwin-bridge", is_kept=True).connect()
    assert not thief.is_resumed
    with broker.device("car_1") as car:
        car.publish(TOPIC, "for the bridge")
    wait_until(lambda: bridge.payloads == ["for the bridge"], lambda: str(bridge.payloads))
    assert not bridge.is_gone.is_set()
    assert thief.received == []
    bridge.end()
    thief.end()


def test_the_same_client_that_connects_again_gets_its_session_and_the_old_connection_ends(
    broker: Broker,
) -> None:
    first = broker.device("car_1", "twice", is_kept=True).connect()
    first.subscribe(f"dt/{CAR}/#")
    first.paho.reconnect_delay_set(60, 60)
    second = broker.device("car_1", "twice", is_kept=True).connect()
    assert second.is_resumed
    wait_until(first.is_gone.is_set, lambda: "the old connection goes on")
    with broker.device("car_2") as car:
        car.publish(TOPIC, "once")
    wait_until(lambda: second.payloads == ["once"], lambda: str(second.payloads))
    assert first.received == []
    first.paho.loop_stop()
    second.end()


def test_who_loses_every_right_while_connected_is_said_to_be_gone(broker: Broker) -> None:
    with broker.device("bridge") as bridge:
        bridge.subscribe("dt-state/#")
        bridge.subscribe("dt/#")
        deleted, injecting = broker.device("car_2"), broker.device("station")
        deleted.paho.will_set(f"dt-state/{CAR}/car_2", "offline", qos=1, retain=True)
        injecting.paho.will_set(f"dt/{OTHER}/Main/Speed", "last words", qos=1)
        for device in (deleted, injecting):
            device.connect()
        broker.permit("car_1")
        wait_until(lambda: bridge.payloads == ["offline"], lambda: str(bridge.payloads))
        for device in (deleted, injecting):
            assert device.is_gone.wait(60)
            device.end()
        broker.permit(*PEOPLE)
        bridge.publish(TOPIC, "later")
        wait_until(lambda: "later" in bridge.payloads, lambda: str(bridge.payloads))
        assert bridge.payloads == ["offline", "later"], "data of somebody without rights is no last word"
        bridge.publish(f"dt-state/{CAR}/car_2", "", retain=True)


def test_new_rules_cut_connections_and_forget_what_waits(broker: Broker) -> None:
    gone = broker.device("station", "cut", is_kept=True).connect()
    gone.paho.reconnect_delay_set(60, 60)
    gone.subscribe(f"dt/{OTHER}/#")
    broker.permit("car_1", "car_2")
    wait_until(gone.is_gone.is_set, lambda: "the connection goes on")
    gone.paho.loop_stop()
    broker.permit(*PEOPLE)
    again = broker.device("station", "cut", is_kept=True).connect()
    assert not again.is_resumed
    again.end()


def test_a_client_that_is_silent_for_too_long_is_sent_away_with_its_will(broker: Broker) -> None:
    with broker.device("bridge") as bridge:
        bridge.subscribe("dt-state/#")
        silent = broker.device("car_1")
        silent.paho.will_set(f"dt-state/{CAR}/car_1", "lost", qos=1)
        silent.paho.connect(LOOPBACK, broker.port, keepalive=1)

        def is_in() -> bool:  # connects, and does nothing more: no sign of life
            silent.paho.loop_read()
            silent.paho.loop_write()
            return bool(silent.answers)

        wait_until(is_in, lambda: "no answer")
        assert silent.answers == ["Success"]
        wait_until(lambda: bridge.payloads == ["lost"], lambda: str(bridge.payloads))
        sock = silent.paho.socket()
        assert sock is not None
        sock.close()


def test_what_the_bridge_has_no_room_for_is_not_acknowledged_and_comes_again(broker: Broker) -> None:
    bridge = broker.device("bridge", "full", is_kept=True).connect()
    bridge.subscribe("dt/#")
    bridge.end()
    with broker.device("car_1") as car:
        car.paho.reconnect_delay_set(1, 1)
        infos = [car.paho.publish(TOPIC, str(number), qos=1) for number in range(QUEUED + 5)]
        wait_until(car.is_gone.is_set, lambda: "the connection goes on")
        assert sum(one.is_published() for one in infos) == QUEUED
        again = broker.device("bridge", "full", is_kept=True).connect()
        for one in infos:
            one.wait_for_publish(60)
        wait_until(lambda: len(set(again.payloads)) == QUEUED + 5, lambda: f"{len(again.payloads)} came")
    again.paho.unsubscribe("dt/#")
    again.end()


def test_the_bridge_never_waits_for_a_client_that_takes_nothing(broker: Broker) -> None:
    slow = broker.device("car_2", manual=True).connect()
    slow.subscribe(f"dt-ext/{CAR}/#")
    with broker.device("bridge") as bridge:
        for number in range(2 * QUEUED):  # each is acknowledged: no full queue of one client holds it back
            bridge.publish(f"dt-ext/{CAR}/{OTHER}/Main/Speed", str(number))
    slow.end()


def test_whatever_a_client_sends_the_broker_serves_the_others(broker: Broker) -> None:
    chance = random.Random(8)
    connect = b"\x10\x12\x00\x04MQTT\x05\x02\x00\x05\x00\x00\x05fuzz" + b"r"
    context = broker.files["car_1"].context()
    for number in range(60):
        with socket.create_connection((LOOPBACK, broker.port)) as raw:
            secured = context.wrap_socket(raw, server_hostname=LOOPBACK)
            start = connect if number % 3 else b""
            body = chance.randbytes(chance.randrange(60))
            head = bytes((chance.randrange(256), len(body))) if number % 2 else b""
            with contextlib.suppress(OSError):
                secured.sendall(start + head + body)
            secured.close()
    with broker.device("car_2") as other, broker.device("bridge") as bridge:
        bridge.subscribe("dt/#")
        other.subscribe(f"dt/{CAR}/#")
        other.publish(TOPIC, "still here")
        wait_until(lambda: "still here" in other.payloads, lambda: str(other.payloads))
