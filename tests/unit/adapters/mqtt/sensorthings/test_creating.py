"""From a message to a POST: whose it is, its time, and what becomes of it."""

import json
from datetime import UTC, datetime
from itertools import count

import pytest

from adapters.mqtt.sensorthings.creating import (
    Created,
    Creator,
    Later,
    Outcome,
    Refused,
    time_told,
)
from adapters.mqtt.sensorthings.lanes import Lanes
from adapters.mqtt.sensorthings.service import Posted
from client.errors import DigitalTwinError, SensorThingsError
from tests.unit.adapters.mqtt.sensorthings.fake_service import ROOT, FakeService

SYSTEM, OTHER = "at.srfg.Mill.M1", "at.srfg.Mill.M2"
TOPIC = "v1.1/Datastreams(7)/Observations"
ID = "0190a5d0-0000-7000-8000-0000000000aa"
BODY = b'{"result": 1, "phenomenonTime": "2026-01-02T03:04:05Z"}'
MISSING = Posted(404, None, {"code": "entity.missing", "detail": "nothing there"})


def test_the_owner_of_the_datastream_is_who_creates_and_is_looked_up_once() -> None:
    service = FakeService(owners={7: SYSTEM})
    creator = Creator(service, clock=lambda: 0.0)

    outcomes = [creator.handle(TOPIC, BODY, ID) for _ in range(2)]

    assert outcomes == [Created(f"{ROOT}/v1.1/Observations(1)")] * 2
    assert service.posted == [("v1.1", "Datastreams(7)/Observations", BODY, ID, SYSTEM)] * 2
    assert service.asked_owners == [7]


def test_a_datastream_that_has_changed_hands_is_looked_up_again() -> None:
    service = FakeService(owners={7: SYSTEM}, answers=[Posted(201, "x", {}), MISSING, Posted(201, "y", {})])
    creator = Creator(service, clock=lambda: 0.0)
    creator.handle(TOPIC, BODY, ID)
    service.owners[7] = OTHER

    assert creator.handle(TOPIC, BODY, ID) == Created("y")
    assert [one[4] for one in service.posted] == [SYSTEM, SYSTEM, OTHER]


def test_an_owner_is_remembered_for_a_minute() -> None:
    ticks = count(0, 61)
    service = FakeService(owners={7: SYSTEM})
    creator = Creator(service, clock=lambda: float(next(ticks)))

    for _ in range(2):
        creator.handle(TOPIC, BODY, ID)

    assert service.asked_owners == [7, 7]


def test_a_site_creates_with_its_own_rights_on_every_topic() -> None:
    service = FakeService()
    creator = Creator(service, system=SYSTEM)

    for topic in ("v1.1/Observations", "v1.0/FeaturesOfInterest(1)/Observations", TOPIC):
        assert isinstance(creator.handle(topic, BODY, ID), Created)

    assert [(one[0], one[1], one[4]) for one in service.posted] == [
        ("v1.1", "Observations", None),
        ("v1.0", "FeaturesOfInterest(1)/Observations", None),
        ("v1.1", "Datastreams(7)/Observations", None),
    ]


def test_an_observation_without_a_time_gets_the_one_in_its_id() -> None:
    service = FakeService()

    Creator(service, system=SYSTEM).handle(TOPIC, b'{"result": 1}', ID)
    Creator(service, system=SYSTEM).handle(TOPIC, b'{"result": 1}', "0190a5d0-0000-4000-8000-0000000000aa")

    assert json.loads(service.posted[0][2]) == {"result": 1, "phenomenonTime": "2024-07-12T07:19:50.528000Z"}
    assert json.loads(service.posted[1][2]) == {"result": 1}


@pytest.mark.parametrize(
    ("topic", "payload", "code"),
    [
        ("v1.1/Observations", BODY, "mqtt.bad_topic"),
        (TOPIC, b"21.5", "mqtt.payload_not_json"),
        (TOPIC, b"\xff", "mqtt.payload_not_json"),
        (TOPIC, b"[" * 100_000, "mqtt.payload_not_json"),
        ("v1.1/Datastreams(8)/Observations", BODY, "mqtt.no_owner"),
    ],
)
def test_what_can_never_be_created_is_refused_without_a_request(
    topic: str, payload: bytes, code: str
) -> None:
    service = FakeService(owners={7: SYSTEM})

    outcome = Creator(service).handle(topic, payload, ID)

    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.problem["code"]) == (code, code)
    assert service.posted == []


def test_what_creates_nothing_is_refused_to_the_system_that_published_it() -> None:
    outcome = Creator(FakeService()).handle(f"dt-sta-in/{SYSTEM}/v1.1/Things", b"{}", ID)

    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.system) == ("mqtt.bad_topic", SYSTEM)


def test_a_site_takes_nothing_for_another_system() -> None:
    service = FakeService()

    outcome = Creator(service, system=SYSTEM).handle(f"dt-sta-in/{OTHER}/{TOPIC}", BODY, ID)

    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.system, service.posted) == ("mqtt.bad_topic", SYSTEM, [])


def test_what_the_service_refuses_is_refused_with_its_problem() -> None:
    problem = {"code": "body.missing_property", "detail": "result is missing", "status": 400}
    service = FakeService(answers=[Posted(400, None, problem)], owners={7: SYSTEM})

    outcome = Creator(service).handle(TOPIC, b"{}", ID)

    assert outcome == Refused("body.missing_property", "result is missing", SYSTEM, problem)


def test_two_deliveries_at_once_are_settled_by_trying_again() -> None:
    service = FakeService(answers=[Posted(409, None, {}), Posted(200, "there", {})])

    assert Creator(service, system=SYSTEM).handle(TOPIC, BODY, ID) == Created("there")


@pytest.mark.parametrize("payload", [BODY, b'{"result": 1}'])
def test_nothing_is_decided_while_the_service_is_away(payload: bytes) -> None:
    assert Creator(FakeService(away=1)).handle(TOPIC, payload, ID) == Later("away")


@pytest.mark.parametrize(("system", "posts"), [(SYSTEM, 0), (None, 1)])
def test_an_update_of_the_bridge_itself_creates_nothing_at_a_site(system: str | None, posts: int) -> None:
    service = FakeService(owners={7: SYSTEM})
    update = {"@iot.id": 1, "@iot.selfLink": f"{ROOT}/v1.1/Observations(1)", "result": 1}

    outcome = Creator(service, system=system).handle(TOPIC, json.dumps(update).encode(), ID)

    assert isinstance(outcome, Created)
    assert len(service.posted) == posts


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (BODY, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (
            b'{"phenomenonTime": "2026-01-02T03:04:05Z/2026-01-03T03:04:05Z"}',
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ),
        (b'{"result": 1}', None),
        (b'{"phenomenonTime": "soon"}', None),
        (b'{"phenomenonTime": 5}', None),
        (b"5", None),
    ],
)
def test_the_time_that_a_payload_tells_is_found(payload: bytes, told: datetime | None) -> None:
    assert time_told(payload) == told


def test_lanes_keep_messages_of_a_topic_in_order_while_the_service_is_away() -> None:
    service = FakeService(away=3)
    lanes = Lanes(Creator(service, system=SYSTEM), 2, first_pause_s=0.0)
    done: list[object] = []

    for number in range(50):
        lanes.put(TOPIC, b'{"result": %d}' % number, ID, number)
    while len(done) < 50:
        done += [one.token for one in lanes.finished()]
    lanes.close()

    assert done == list(range(50))
    assert [json.loads(one[2])["result"] for one in service.posted] == list(range(50))
    assert lanes.trouble is None


def test_a_forged_id_of_the_end_of_time_creates_an_observation() -> None:
    service = FakeService(owners={7: SYSTEM})
    outcome = Creator(service).handle(TOPIC, b'{"result": 1}', "ffffffff-ffff-7fff-bfff-ffffffffffff")
    assert isinstance(outcome, Created)
    assert json.loads(service.posted[0][2])["phenomenonTime"].startswith("9999-12-31")


def test_a_request_that_the_service_refuses_is_a_refusal() -> None:
    class Refusing(FakeService):
        def owner(self, stream: int) -> str | None:
            raise SensorThingsError(f"GET owner of {stream} is refused")

    outcome = Creator(Refusing()).handle(TOPIC, BODY, ID)
    assert isinstance(outcome, Refused)
    assert outcome.code == "mqtt.not_taken"


def test_a_lane_that_fails_is_not_silent() -> None:
    class Failing:
        def handle(self, topic: str, payload: bytes, record_id: str) -> Outcome:
            raise OverflowError(f"nobody has thought of {topic} {payload!r} {record_id}")

    lanes = Lanes(Failing(), 1)
    lanes.put(TOPIC, BODY, ID, "token")
    lanes._threads[0].join(60)
    with pytest.raises(DigitalTwinError, match="nobody has thought of"):
        lanes.finished()
    lanes.close()
