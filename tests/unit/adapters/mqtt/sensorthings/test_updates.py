"""From changes to messages: what is wanted, what it costs, and the loop around it."""

import json
import threading
from typing import Any

import pytest

from adapters.mqtt.sensorthings.service import Change
from adapters.mqtt.sensorthings.updates.following import Follower
from adapters.mqtt.sensorthings.updates.messages import messages
from adapters.mqtt.sensorthings.updates.wanted import Mode, Wanted
from client.errors import UnavailableError
from tests.unit.adapters.mqtt.sensorthings.fake_service import ROOT, FakeService, part

SYSTEM = "at.srfg.Mill.M1"
LINK = f"{ROOT}/v1.1/Observations(5)"
READ = {
    "@iot.id": 5,
    "@iot.selfLink": LINK,
    "result": 1,
    "Datastream": {"@iot.id": 1},
    "FeatureOfInterest": {"@iot.id": 9},
}
WHOLE = {
    "@iot.id": 5,
    "@iot.selfLink": LINK,
    "result": 1,
    "Datastream@iot.navigationLink": f"{LINK}/Datastream",
    "FeatureOfInterest@iot.navigationLink": f"{LINK}/FeatureOfInterest",
}
NEW = Change("Observations", (5,), None)


def told(service: FakeService, wanted: Wanted, *changes: Change) -> dict[str, Any]:
    found = list(messages(service, changes, wanted.interests))
    assert len({one.topic for one in found}) == len(found)
    return {one.topic: json.loads(one.payload) for one in found}


def test_everything_is_told_with_and_without_the_system_at_a_site() -> None:
    service = FakeService(pages={"Observations": [READ]})

    found = told(service, Wanted("all", system=SYSTEM), NEW)

    paths = ["Observations", "Observations(5)", "Datastreams(1)/Observations"]
    paths += ["FeaturesOfInterest(9)/Observations"]
    expected = {f"{first}/{path}": WHOLE for first in ("v1.1", f"dt-sta/{SYSTEM}/v1.1") for path in paths}
    expected |= {f"{one}/Observations(5)/result": {"result": 1} for one in ("v1.1", f"dt-sta/{SYSTEM}/v1.1")}
    assert found == expected
    assert {one[3] for one in service.got} == {None, SYSTEM}


def test_only_changed_properties_are_told_and_each_entity_once() -> None:
    service = FakeService(pages={"Things": [{"@iot.id": 1, "name": "n", "description": "d"}]})
    changes = [Change("Things", (1,), ("description",)), Change("Things", (1,), ("description",))]

    found = told(service, Wanted("all", systems=[SYSTEM]), *changes)

    begin = f"dt-sta/{SYSTEM}/v1.1"
    assert set(found) == {f"{begin}/Things", f"{begin}/Things(1)", f"{begin}/Things(1)/description"}
    assert len(service.got) == 1


@pytest.mark.parametrize(
    ("topics", "condition"),
    [
        (["v1.1/Observations"], "id in (5)"),
        (["v1.1/Observations(5)"], "(id in (5)) and id in (5)"),
        (
            ["v1.1/Datastreams(1)/Observations", "v1.1/Datastreams(2)/Observations", "v1.1/Observations(4)"],
            "(Datastream/id in (1,2) or id in (4)) and id in (5)",
        ),
        (["v1.1/Datastreams(1)/Observations", "v1.1/Observations"], "id in (5)"),
        (["v1.1/+/Observations"], "id in (5)"),
    ],
)
def test_a_list_narrows_what_is_read(topics: list[str], condition: str) -> None:
    service = FakeService(pages={"Observations": [READ]})

    told(service, Wanted("listed", topics, system=SYSTEM), NEW)

    assert [one[2]["$filter"] for one in service.got] == [condition]


def test_what_nobody_wants_costs_no_request() -> None:
    service = FakeService()
    wanted = Wanted("listed", ["v1.1/Things", "v1.1/Sensors?$select=name"], system=SYSTEM)

    assert told(service, wanted, NEW) == {}
    assert service.got == []


def test_options_are_passed_on_and_joined_with_what_has_changed() -> None:
    topic = "v1.1/Observations?$select=result&$filter=result gt 0&$orderby=result&$top=1"
    service = FakeService(pages={"Observations": [{"result": 1}]})

    assert told(service, Wanted("listed", [topic], system=SYSTEM), NEW) == {topic: {"result": 1}}
    assert service.got[0][2] == {
        "$orderby": "id",
        "$select": "result",
        "$filter": "(result gt 0) and id in (5)",
        "$top": "1",
    }


@pytest.mark.parametrize(("identifier", "number"), [(3, 1), (4, 0)])
def test_one_entity_along_a_path_is_told_when_it_is_the_changed_one(identifier: int, number: int) -> None:
    service = FakeService(pages={"Datastreams(1)/Thing": {"@iot.id": identifier}})
    wanted = Wanted("listed", ["v1.1/Datastreams(1)/Thing"], system=SYSTEM)

    assert len(told(service, wanted, Change("Things", (3,), ("name",)))) == number


def test_many_ids_are_read_in_several_requests() -> None:
    service = FakeService()

    told(service, Wanted("all", systems=[SYSTEM]), Change("Observations", tuple(range(450)), None))

    assert [one[2]["$top"] for one in service.got] == ["200", "200", "50"]


@pytest.mark.parametrize(
    "topic",
    [
        "v1.1/Nothing",
        "v1.1/Things(1)/Datastreams(2)/name",
        "v1.1/+/Observations?$select=result",
        "dt-sta/+/v1.1/Things",
        "dt/x",
    ],
)
def test_topics_without_updates_are_named(topic: str) -> None:
    wanted = Wanted("listed", [topic], system=SYSTEM)

    assert wanted.unknown == (topic,)
    assert wanted.interests == ()


def test_without_a_system_nothing_is_told_where_there_are_several() -> None:
    assert Wanted("listed", ["v1.1/Things"]).unknown == ("v1.1/Things",)
    assert Wanted("listed", [f"dt-sta/{SYSTEM}/v1.1/Things"]).unknown == ()


@pytest.mark.parametrize(("mode", "number"), [("asked", 2), ("listed", 1), ("none", 0)])
def test_what_a_broker_names_counts_when_it_is_asked_for(mode: Mode, number: int) -> None:
    wanted = Wanted(mode, [f"dt-sta/{SYSTEM}/v1.1/Things"])

    wanted.ask([f"dt-sta/{SYSTEM}/v1.0/Things"])
    assert len(wanted.interests) == number
    wanted.ask([])
    assert len(wanted.interests) == min(number, 1)


def test_systems_come_and_go() -> None:
    wanted = Wanted("all")
    before = len(wanted.interests)

    wanted.serve([SYSTEM])

    assert (before, [one.system for one in wanted.interests]) == (0, [SYSTEM])


class FakePublisher:
    """Remembers messages; those of a part count when it is settled."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.settled: list[str] = []
        self._open: list[str] = []

    def publish(self, topic: str, payload: bytes) -> None:
        assert payload
        self._open.append(topic)

    def settle(self) -> None:
        topics, self._open = self._open, []
        if self.failures:
            self.failures -= 1
            raise UnavailableError("the broker is away")
        self.settled += topics


def test_a_part_that_the_broker_has_not_taken_is_told_again() -> None:
    service = FakeService(pages={"Observations": [READ]}, feed=[part("1.1", NEW), part("1.1", NEW)])
    publisher = FakePublisher(failures=1)
    follower = Follower(service, publisher, Wanted("listed", ["v1.1/Observations"], system=SYSTEM))

    with pytest.raises(UnavailableError):
        follower.step()
    assert follower.step() == 1
    follower.step()

    assert publisher.settled == ["v1.1/Observations"]
    assert service.read_after == [None, None, "1.1"]
    assert follower.published == 1


def test_losing_the_place_is_said(caplog: pytest.LogCaptureFixture) -> None:
    service = FakeService(feed=[part("1.1", is_new=True), part("9.1", is_new=True)])
    follower = Follower(service, FakePublisher(), Wanted("all", systems=[SYSTEM]))

    follower.step()
    assert caplog.records == []
    follower.step()

    assert "are lost" in caplog.text


def test_nothing_is_followed_while_nothing_is_wanted() -> None:
    service = FakeService()
    wanted = Wanted("asked")
    stopping = threading.Event()
    turns = 0

    def rest(_time_s: float) -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            wanted.ask([f"dt-sta/{SYSTEM}/v1.1/Things"])
        elif turns == 2:
            wanted.ask([])
        else:
            stopping.set()

    stopping.wait = lambda *_: False  # type: ignore[method-assign]
    Follower(service, FakePublisher(), wanted, rest=rest).run(stopping)

    assert service.forgotten == ["mqtt", "mqtt"]
    assert service.read_after == [None]


def test_trouble_shows_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    service = FakeService(away=2)
    stopping = threading.Event()
    seen = []

    def rest(_time_s: float) -> None:
        seen.append(follower.trouble)
        if len(seen) == 3:
            stopping.set()

    stopping.wait = lambda *_: False  # type: ignore[method-assign]
    follower = Follower(service, FakePublisher(), Wanted("all", systems=[SYSTEM]), rest=rest)
    follower.run(stopping)

    assert seen == ["away", "away", None]
    assert caplog.text.count("updates wait") == 1
