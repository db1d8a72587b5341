"""Who may do what at a broker that follows the registry: the same for Mosquitto and for the local broker."""

import time
from collections.abc import Callable, Iterator

import pytest

from platform_ui.pki.names import MAX_COMMON_NAME, Identity, Kind
from tests.integration.adapters.mqtt.brokers import (
    BROKERS,
    CAR,
    OTHER,
    Device,
    Files,
    LocalUnderTest,
    MosquittoUnderTest,
    Site,
    is_refused,
    wait_until,
)
from tests.integration.platform_ui.beginnings import begin

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]

LONG_SYSTEM = f"abcde.{'e' * 15}.{'w' * 30}.{'s' * 20}"
LONG_CLIENT = "c" * 20


class World:
    """One broker with a few participants."""

    def __init__(self, site: Site, broker: LocalUnderTest | MosquittoUnderTest, kind: str) -> None:
        self.site, self.broker, self.kind = site, broker, kind
        self._shown: dict[str, Files] = {}

    def files(self, system: str, name: str) -> Files:
        key = f"{system}.{name}"
        if key not in self._shown:
            self._shown[key] = self.site.client(system, name)
            self.site.tell()
            # A device comes seconds after its certificate; the broker knows it by then.
            files = self._shown[key]
            wait_until(lambda: not is_refused(self.broker.port, files), lambda: f"{key} is not known")
        return self._shown[key]

    def bridge(self) -> Device:
        return Device(self.broker.bridge_port, self._bridge_files)

    def device(self, system: str, name: str, identifier: str = "", **options: bool) -> Device:
        return Device(self.broker.port, self.files(system, name), identifier, **options)

    def prepare(self) -> None:
        for system in (CAR, OTHER, LONG_SYSTEM):
            self.site.registrar.system(system)
        self._bridge_files = self.site.issue(Identity(Kind.SERVICE, "mqtt"), known=False)
        for system, name in ((CAR, "car_1"), (CAR, "car_2"), (OTHER, "station"), (LONG_SYSTEM, LONG_CLIENT)):
            self._shown[f"{system}.{name}"] = self.site.client(system, name)


@pytest.fixture(scope="module", params=["mosquitto", "local"])
def world(
    request: pytest.FixtureRequest,
    new_database: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    site = Site(begin(new_database("mqtt")), tmp_path_factory.mktemp(f"mqtt-{request.param}"))
    try:
        broker = BROKERS[request.param](site)
        found = World(site, broker, request.param)
        found.prepare()
        try:
            broker.start()
            yield found
        finally:
            broker.stop()
    finally:
        site.close()


def test_the_bridge_receives_what_a_device_publishes_at_every_level(world: World) -> None:
    with world.bridge() as bridge, world.device(CAR, "car_1") as car:
        assert bridge.subscribe("dt/#") == 1
        for qos in (0, 1, 2):
            car.publish(f"dt/{CAR}/Main/Speed", str(qos), qos)
        wait_until(lambda: len(bridge.received) == 3, lambda: str(bridge.payloads))
        assert bridge.payloads == ["0", "1", "2"]
        assert [one.qos for one in bridge.received] == [0, 1, 1]


def test_a_name_longer_than_a_common_name_is_known_whole_and_so_is_its_epoch(world: World) -> None:
    name = f"{LONG_SYSTEM}.{LONG_CLIENT}"
    assert len(name) > MAX_COMMON_NAME
    other_epoch = world.site.issue(Identity(Kind.CLIENT, name, 7), known=False)
    topic = f"dt/{LONG_SYSTEM}/Main/Speed"
    with world.bridge() as bridge, world.device(LONG_SYSTEM, LONG_CLIENT) as device:
        bridge.subscribe("dt/#")
        if not is_refused(world.broker.port, other_epoch):
            with Device(world.broker.port, other_epoch) as impostor:
                impostor.publish(topic, "impostor")
        device.publish(topic, "right")
        wait_until(lambda: bool(bridge.received), lambda: "nothing came")
        assert bridge.payloads == ["right"]


def test_a_foreign_topic_is_refused_to_publish_and_to_subscribe(world: World) -> None:
    with (
        world.bridge() as bridge,
        world.device(CAR, "car_1") as car,
        world.device(OTHER, "station") as station,
    ):
        for text in ("dt/#", "dt-state/#", "dt-ext/#", "dt-err/#", "dt-config/#", "v1.1/#"):
            bridge.subscribe(text)
        foreign = (
            f"dt/{OTHER}/Main/Speed",
            f"dt/{CAR}/Main/Speed/more",
            f"dt-state/{CAR}/car_2",
            f"dt-ext/{CAR}/{OTHER}/Main/Speed",
            f"dt-config/{CAR}/car_1",
            f"dt-err/{CAR}/Main/Speed",
            "v1.1/Datastreams(1)/Observations",
            "v1.1/Observations",
        )
        for topic in foreign:
            car.publish(topic)
        granted = [
            station.subscribe(text)
            for text in ("dt/#", f"dt/{CAR}/#", f"dt-ext/{CAR}/#", f"dt-config/{CAR}/car_1", "#", "dt-sta/#")
        ]
        if world.kind == "local":
            assert granted == [0x80] * 6
        station.subscribe(f"dt/{OTHER}/#")
        car.publish(f"dt/{CAR}/Main/Speed", "own")
        bridge.publish(f"dt-ext/{CAR}/{OTHER}/Main/Speed")
        station.publish(f"dt/{OTHER}/Main/Speed", "own")
        wait_until(
            lambda: "own" in station.payloads and bridge.payloads.count("own") == 2,
            lambda: str(bridge.topics),
        )
        assert set(bridge.topics) == {
            f"dt/{CAR}/Main/Speed",
            f"dt-ext/{CAR}/{OTHER}/Main/Speed",
            f"dt/{OTHER}/Main/Speed",
        }
        assert station.topics == [f"dt/{OTHER}/Main/Speed"]


def test_a_device_receives_what_is_shared_with_its_system_and_its_configuration(world: World) -> None:
    with world.bridge() as bridge:
        bridge.publish(f"dt-ext/{CAR}/{OTHER}/Main/Temp", "21.5", retain=True)
        bridge.publish(f"dt-config/{CAR}/car_1", "{}", retain=True)
        bridge.publish(f"dt-config/{CAR}/car_2", "{}", retain=True)
        with world.device(CAR, "car_1") as car:
            car.subscribe(f"dt-ext/{CAR}/#")
            car.subscribe(f"dt-config/{CAR}/car_1")
            car.subscribe(f"dt-config/{CAR}/car_2")
            wait_until(lambda: len(car.received) >= 2, lambda: str(car.topics))
            time.sleep(0.2)
            assert sorted(car.topics) == [f"dt-config/{CAR}/car_1", f"dt-ext/{CAR}/{OTHER}/Main/Temp"]
            assert all(one.retain for one in car.received)


def test_a_certificate_of_somebody_else_or_none_is_refused(world: World) -> None:
    stranger = world.site.foreign(Identity(Kind.CLIENT, f"{CAR}.car_1"))
    assert is_refused(world.broker.port, stranger)


def test_a_last_will_comes_only_where_its_client_may_publish(world: World) -> None:
    with world.bridge() as bridge:
        bridge.subscribe("dt-state/#")
        leaving = world.device(CAR, "car_1")
        leaving.paho.will_set(f"dt-state/{CAR}/car_1", "gone", qos=1)
        leaving.connect()
        leaving.drop()
        wait_until(lambda: bridge.payloads == ["gone"], lambda: str(bridge.payloads))
        liar = world.device(CAR, "car_1")
        liar.paho.will_set(f"dt-state/{OTHER}/station", "gone", qos=1)
        liar.start()
        wait_until(lambda: bool(liar.answers), lambda: "no answer")
        if liar.answers == ["Success"]:
            liar.drop()
        else:
            liar.end()
        time.sleep(0.3)
        assert bridge.topics == [f"dt-state/{CAR}/car_1"]


def test_an_unknown_client_becomes_known_and_a_revoked_one_is_nobody_within_seconds(world: World) -> None:
    files = world.files(CAR, "car_9")
    topic = f"dt/{CAR}/Nine/Speed"
    with world.bridge() as bridge:
        bridge.subscribe("dt/#")
        device = Device(world.broker.port, files).connect()
        device.subscribe(f"dt/{CAR}/#")
        device.publish(topic, "before")
        wait_until(lambda: bridge.payloads == ["before"], lambda: str(bridge.payloads))
        world.site.revoke(CAR, "car_9")
        wait_until(lambda: is_refused(world.broker.port, files), lambda: "still let in")
        device.paho.publish(topic, "after", qos=1)
        bridge.publish(f"dt/{CAR}/Main/Speed", "for others")
        wait_until(lambda: "for others" in bridge.payloads, lambda: str(bridge.payloads))
        time.sleep(0.3)
        assert "after" not in bridge.payloads
        assert "for others" not in device.payloads, "nothing is delivered to it any more"
        if world.kind == "local":
            assert device.is_gone.wait(60), "its connection is ended"
        device.end()


def test_messages_of_quality_1_wait_for_a_client_that_is_away_also_over_a_restart(world: World) -> None:
    listener = world.device(CAR, "car_2", "keeper", is_kept=True, manual=True).connect()
    listener.subscribe(f"dt/{CAR}/#")
    topic = f"dt/{CAR}/Kept/Speed"
    with world.device(CAR, "car_1") as car:
        car.publish(topic, "0")
        wait_until(lambda: listener.payloads == ["0"], lambda: str(listener.payloads))
        listener.drop()  # "0" is not acknowledged
        for number in range(1, 51):
            car.publish(topic, str(number))
    world.broker.restart()
    again = world.device(CAR, "car_2", "keeper", is_kept=True).connect()
    try:
        assert again.is_resumed
        wait_until(lambda: len(again.received) >= 51, lambda: str(again.payloads))
        assert again.payloads == [str(number) for number in range(51)]
        assert again.received[0].dup
    finally:
        again.end()
    world.device(CAR, "car_2", "keeper").connect().end()  # forgets the session
