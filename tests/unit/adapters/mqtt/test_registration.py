"""Clients that are deleted or blocked while they are connected are not said to be alive."""

from collections.abc import Mapping

import pytest

from adapters.mqtt.bridge.registration import Registration, deleted_and_blocked
from adapters.mqtt.storage.clients import KnownClients
from client.errors import UnavailableError
from client.messaging.topics import SystemName
from tests.unit.adapters.mqtt.test_remembering import AtOnce

CAR = SystemName.parse("cz.icecars.CarFleet.Car1")
NEW = SystemName.parse("at.roads.Lab.Roads")
ONE, TWO = (CAR, "car_1"), (CAR, "car_2")
REGISTERED = {str(CAR): True, f"{CAR}.car_1": True, f"{CAR}.car_2": True}


class FakeService:
    """Principals; may be away."""

    def __init__(self) -> None:
        self.known: dict[str, bool] = dict(REGISTERED)
        self.is_away = False
        self.asked = 0

    def principals(self) -> Mapping[str, bool]:
        self.asked += 1
        if self.is_away:
            raise UnavailableError("SensorThings does not answer")
        return self.known


class Desk:
    """Two clients that are there, and a clock that is set."""

    def __init__(self, *, has_service: bool = True) -> None:
        self.now = 0.0
        self.service, self.clients = FakeService(), KnownClients(None)
        for system, client in (ONE, TWO):
            self.clients.note(system, client, "started")
        self.registration = Registration(
            self.service if has_service else None,
            self.clients,
            15.0,
            monotonic=lambda: self.now,
            threads=AtOnce(),
        )

    def look(self) -> list[tuple[SystemName, str]]:
        self.now += 1000
        self.registration.turn()
        self.registration.turn()
        return self.registration.present()


def test_who_is_missing_beside_its_system_is_deleted_and_who_may_use_nothing_is_blocked() -> None:
    clients = [ONE, TWO, (CAR, "car_3"), (NEW, "car_1")]
    principals = {str(CAR): True, f"{CAR}.car_1": True, f"{CAR}.car_2": False}
    assert deleted_and_blocked(clients, principals) == (frozenset({(CAR, "car_3")}), frozenset({TWO}))
    assert deleted_and_blocked(clients, {}) == (frozenset(), frozenset()), "nobody keeps principals"


def test_a_deleted_client_is_present_no_more_and_does_not_come_back_by_being_registered_anew() -> None:
    desk = Desk()
    assert desk.look() == [ONE, TWO]
    del desk.service.known[f"{CAR}.car_2"]
    assert desk.look() == [ONE, TWO], "it may be too new to be known"
    assert desk.look() == [ONE]
    desk.service.known[f"{CAR}.car_2"] = True
    assert desk.look() == [ONE]
    desk.clients.note(*TWO, "started")
    assert desk.look() == [ONE, TWO]


def test_a_client_that_becomes_known_late_is_present_all_the_time() -> None:
    desk = Desk()
    del desk.service.known[f"{CAR}.car_2"]
    assert desk.look() == [ONE, TWO]
    desk.service.known[f"{CAR}.car_2"] = True
    assert desk.look() == [ONE, TWO]
    del desk.service.known[f"{CAR}.car_2"]
    assert desk.look() == [ONE, TWO]


def test_a_blocked_client_is_present_again_when_it_is_let_go_on() -> None:
    desk = Desk()
    desk.service.known[f"{CAR}.car_1"] = False
    assert desk.look() == [TWO]
    desk.service.is_away = True
    assert desk.look() == [TWO], "what was known counts on"
    desk.service.is_away = False
    desk.service.known[f"{CAR}.car_1"] = True
    assert desk.look() == [ONE, TWO]


def test_nobody_is_gone_because_the_service_is_away_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    desk.service.is_away = True
    assert [desk.look() for _ in range(3)] == [[ONE, TWO]] * 3
    assert caplog.text.count("is not known") == 1


def test_it_asks_seldom_and_only_when_somebody_is_there_and_may_be_asked() -> None:
    desk = Desk()
    desk.look()
    for _ in range(100):
        desk.registration.turn()
    assert desk.service.asked == 1
    for system, client in (ONE, TWO):
        desk.clients.note(system, client, "stopped")
    desk.look()
    assert desk.service.asked == 1
    alone = Desk(has_service=False)
    assert alone.look() == [ONE, TWO]
    assert alone.service.asked == 0
