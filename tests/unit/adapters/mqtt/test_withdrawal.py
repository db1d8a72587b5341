"""Last values go from the broker when their Datastream is shared no more, and only then."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from adapters.mqtt.bridge.withdrawal import SensorThingsSight, Withdrawal, by_system, ended
from adapters.mqtt.storage.retained import RetainedValues
from adapters.mqtt.topics import external_topic
from client.errors import AccessRefusedError, UnavailableError
from client.messaging.topics import DatastreamName, SystemName
from client.metadata.wire import JsonObject
from tests.unit.adapters.mqtt.test_remembering import AtOnce

CAR = SystemName.parse("cz.icecars.CarFleet.Car1")
OTHER = SystemName.parse("at.roads.Lab.Roads")
WIND, RAIN = (f"is.iceland.Weather.Stations.Hekla.{one}" for one in ("Wind m/s", "Rain"))
APP, OTHER_APP = (f"is.iceland.Weather.Stations.{one}" for one in ("frost", "rain"))
PAUSE_S = 15.0


def topic(name: str, system: SystemName = CAR) -> str:
    return external_topic(system, DatastreamName.parse(name))


class FakeSight:
    """What systems see; may be away."""

    def __init__(self) -> None:
        self.shared: dict[SystemName, frozenset[str] | None] = {CAR: frozenset({WIND, RAIN})}
        self.is_away = False
        self.asked: list[tuple[SystemName, frozenset[str]]] = []

    def seen(self, system: SystemName, names: Sequence[str]) -> frozenset[str] | None:
        self.asked.append((system, frozenset(names)))
        if self.is_away:
            raise UnavailableError("SensorThings does not answer")
        return self.shared.get(system)


class FakeService:
    """Who keeps principals; may refuse."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.is_away = False

    def principals(self) -> Mapping[str, bool]:
        if self.is_away:
            raise UnavailableError("not to us")
        return {str(CAR): True} | {f"app:{app}": False for app in self.running}


class Desk:
    """A withdrawal with a clock that is set."""

    def __init__(self, path: Path | None = None) -> None:
        self.now = 1_000_000.0
        self.sight, self.service = FakeSight(), FakeService()
        self.values = RetainedValues(path, lambda: self.now)
        self.withdrawal = Withdrawal(
            self.sight,
            self.values,
            PAUSE_S,
            now=lambda: self.now,
            monotonic=lambda: self.now,
            threads=AtOnce(),
            service=self.service,
        )

    def due(self, most: int = 100) -> list[str]:
        """Let some minutes pass in which it looks; give what is to go at the last look."""
        self.now += 10 * PAUSE_S
        self.withdrawal.due(0)
        return [found for found, _ in self.withdrawal.due(most)]


def test_what_a_system_does_not_see_has_to_go_and_nothing_else() -> None:
    asked = by_system([topic(WIND), topic(RAIN), topic(WIND, OTHER), "dt-ext/no topic of ours"])
    assert asked == {CAR: {WIND: topic(WIND), RAIN: topic(RAIN)}, OTHER: {WIND: topic(WIND, OTHER)}}
    assert ended(asked, {CAR: frozenset({WIND}), OTHER: frozenset({WIND})}) == [topic(RAIN)]
    assert ended(asked, {CAR: None}) == []
    assert ended(asked, {CAR: frozenset(), OTHER: None}) == [topic(WIND), topic(RAIN)]


def test_a_value_is_taken_back_some_time_after_its_contract_has_ended() -> None:
    desk = Desk()
    desk.values.note(topic(WIND))
    desk.values.note(topic(RAIN))
    assert desk.due() == []
    desk.sight.shared[CAR] = frozenset({RAIN})
    assert desk.due() == [topic(WIND)]


def test_a_value_that_has_just_come_is_left_alone() -> None:
    desk = Desk()
    desk.sight.shared[CAR] = frozenset()
    desk.values.note(topic(WIND))
    desk.now += PAUSE_S
    assert [desk.withdrawal.due(9) for _ in range(2)] == [[], []]
    assert len(desk.sight.asked) == 1, "what has just begun may not be shared yet"
    desk.now += 10 * PAUSE_S
    desk.withdrawal.due(0)
    desk.values.note(topic(WIND))
    assert desk.withdrawal.due(9) == [], "another value came while the answer was open"


def test_nothing_is_taken_back_while_nobody_can_say_what_is_shared() -> None:
    desk = Desk()
    desk.values.note(topic(WIND))
    desk.sight.is_away = True
    assert desk.due() == []
    assert desk.withdrawal.trouble == "SensorThings does not answer"
    desk.sight.is_away = False
    desk.sight.shared[CAR] = None
    assert desk.due() == []
    assert desk.withdrawal.trouble is None
    desk.sight.shared[CAR] = frozenset()
    assert desk.due() == [topic(WIND)]


def test_so_many_go_at_a_time_and_it_asks_seldom() -> None:
    desk = Desk()
    desk.sight.shared[CAR] = frozenset()
    for name in (WIND, RAIN):
        desk.values.note(topic(name))
    first = desk.due(1)
    second = [found for found, _ in desk.withdrawal.due(1)]
    assert sorted(first + second) == sorted([topic(WIND), topic(RAIN)])
    asked = len(desk.sight.asked)
    for _ in range(100):
        desk.withdrawal.due(1)
    assert len(desk.sight.asked) == asked


def test_a_value_goes_when_its_stream_app_has_ended_although_its_datastream_is_still_seen() -> None:
    desk = Desk()
    desk.service.running = {APP, OTHER_APP}
    desk.values.note(topic(WIND), APP)
    desk.values.note(topic(RAIN), OTHER_APP)
    assert desk.due() == []
    desk.service.running = {OTHER_APP}
    assert desk.due() == [topic(WIND)]


def test_what_an_app_computes_goes_with_it_although_it_belongs_to_the_system_that_receives_it() -> None:
    desk = Desk()
    own = f"{CAR}.frost.Warning"
    desk.sight.shared[CAR] = frozenset({own})
    desk.service.running = {APP}
    desk.values.note(topic(own), APP)
    assert desk.due() == []
    desk.service.running.clear()
    assert desk.due() == [topic(own)]


def test_a_value_stays_when_another_app_has_brought_it_since() -> None:
    desk = Desk()
    desk.service.running = {APP, OTHER_APP}
    desk.values.note(topic(WIND), APP)
    assert desk.due() == []
    desk.values.note(topic(WIND), OTHER_APP)
    desk.service.running = {OTHER_APP}
    assert desk.due() == []


def test_values_of_apps_that_the_platform_never_ran_stay() -> None:
    desk = Desk()
    desk.service.running = {OTHER_APP}
    desk.values.note(topic(WIND), APP)
    desk.values.note(topic(RAIN))
    assert desk.due() == []
    desk.service.running.clear()
    assert desk.due() == []


def test_values_stay_while_nobody_says_which_apps_run_and_what_is_shared_no_more_goes_all_the_same() -> None:
    desk = Desk()
    desk.service.running = {APP}
    for name in (WIND, RAIN):
        desk.values.note(topic(name), APP)
    assert desk.due() == []
    desk.service.is_away = True
    desk.sight.shared[CAR] = frozenset({WIND})
    assert desk.due() == [topic(RAIN)]


def test_an_app_that_ended_while_the_bridge_was_away_is_found(tmp_path: Path) -> None:
    before = Desk(tmp_path / "retained.json")
    before.service.running = {APP}
    before.values.note(topic(WIND), APP)
    assert before.due() == []
    before.values.save()
    after = Desk(tmp_path / "retained.json")
    after.now += 1000
    assert after.due() == [topic(WIND)]


def test_a_file_of_a_version_that_did_not_remember_apps_is_read(tmp_path: Path) -> None:
    path = tmp_path / "retained.json"
    path.write_text(json.dumps({topic(WIND): 5.0}))
    assert dict(RetainedValues(path).noted) == {topic(WIND): 5.0}


def test_what_the_broker_retains_is_remembered_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "retained.json"
    before = Desk(path)
    for name in (WIND, RAIN):
        before.values.note(topic(name))
    before.values.save()
    after = Desk(path)
    after.sight.shared[CAR] = frozenset({RAIN})
    after.now += 1000
    after.withdrawal.due(0)
    ((found, noted),) = after.withdrawal.due(9)
    assert found == topic(WIND)
    after.values.forget(found, noted)
    after.values.save()
    assert list(RetainedValues(path).noted) == [topic(RAIN)]


def test_a_topic_with_a_newer_value_is_not_forgotten(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "retained.json")
    desk.values.note(topic(WIND))
    noted = desk.values.noted[topic(WIND)]
    desk.now += 1
    desk.values.note(topic(WIND))
    desk.values.forget(topic(WIND), noted)
    assert topic(WIND) in desk.values.noted


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": "b"}'])
def test_a_file_that_cannot_be_read_is_made_anew(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "retained.json"
    path.write_text(content)
    assert dict(RetainedValues(path).noted) == {}
    assert "is made anew" in caplog.text


class FakeServer:
    """SensorThings: each principal sees some Datastreams; who is not there is refused."""

    def __init__(self, seen: Mapping[str, frozenset[str]], principal: str = "") -> None:
        self._seen, self._principal = seen, principal
        self.conditions: list[str] = []

    def acting_as(self, principal: str) -> "FakeServer":
        acting = FakeServer(self._seen, principal)
        acting.conditions = self.conditions
        return acting

    def search(self, entities: str, condition: str, *, select: Sequence[str]) -> list[JsonObject]:
        assert select == ("id", "name")
        if self._principal not in self._seen:
            raise AccessRefusedError("no such principal", status=403)
        self.conditions.append(condition)
        kind = "Multi" if entities == "MultiDatastreams" else "Single"
        named = (one for one in self._seen[self._principal] if one.replace("'", "''") in condition)
        return [{"name": one} for one in named if kind in one]


def test_both_kinds_of_datastreams_are_looked_for_on_behalf_of_the_system() -> None:
    names = ["Single 'a'", "Multi b", "Single c"]
    server = FakeServer({str(CAR): frozenset({"Single 'a'", "Multi b", "Single x"}), "": frozenset()})
    sight = SensorThingsSight(server, acts=True)  # type: ignore[arg-type]
    assert sight.seen(CAR, names) == frozenset({"Single 'a'", "Multi b"})
    assert server.conditions == [
        "name eq 'Single ''a''' or name eq 'Multi b' or name eq 'Single c'",
        "name eq 'Multi b' or name eq 'Single c'",
    ]
    assert sight.seen(OTHER, names) is None, "nobody knows what a system sees that has no principal"
    assert SensorThingsSight(server, acts=False).seen(CAR, names) == frozenset()  # type: ignore[arg-type]


def test_many_names_are_asked_for_in_parts_that_servers_take() -> None:
    names = [f"Single {'ü' * 100} {number}" for number in range(50)]
    server = FakeServer({"": frozenset(names)})
    assert SensorThingsSight(server, acts=False).seen(CAR, names) == frozenset(names)  # type: ignore[arg-type]
    assert len(server.conditions) > 1
    assert max(map(len, server.conditions)) < 4_000
