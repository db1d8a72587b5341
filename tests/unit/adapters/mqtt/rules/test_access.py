"""What everybody may do, compiled from what is registered; and as Mosquitto reads it."""

import pytest

from adapters.mqtt.rules.access import Grant, Known, Member, Rules, compile_rules
from adapters.mqtt.rules.mosquitto import MosquittoOptions, configuration_text, rules_text

CAR, OTHER = "cz.icecars.CarFleet.Car1", "is.iceland.Weather.Stations"
CAR_1 = "UID=cz.icecars.CarFleet.Car1.car_1,CN=cz.icecars.CarFleet.Car1.car_1,OU=dt-client,O=dt"
BRIDGE = "UID=mqtt,CN=mqtt,OU=dt-service,O=dt"
KNOWN = Known(
    members=(Member(CAR_1, CAR, "car_1"),),
    bridges=(BRIDGE,),
    datastreams={CAR: frozenset({7}), OTHER: frozenset({8})},
    multi_datastreams={CAR: frozenset({3})},
)


def grant_of(subject: str) -> Grant:
    found = compile_rules(KNOWN).of(subject)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "topic",
    [
        f"dt/{CAR}/Main/Speed",
        f"dt-state/{CAR}/car_1",
        "v1.1/Datastreams(7)/Observations",
        "v1.0/MultiDatastreams(3)/Observations",
        f"dt-sta-in/{CAR}/v1.1/Observations",
    ],
)
def test_a_client_publishes_for_its_own_system(topic: str) -> None:
    assert grant_of(CAR_1).publish.hold(topic)


@pytest.mark.parametrize(
    "topic",
    [
        f"dt/{OTHER}/Main/Speed",
        f"dt/{CAR}/Main",
        f"dt/{CAR}/Main/Speed/x",
        f"dt/{CAR}2/Main/Speed",
        f"dt-state/{CAR}/car_2",
        f"dt-ext/{CAR}/{OTHER}/Main/Speed",
        f"dt-config/{CAR}/car_1",
        f"dt-err/{CAR}/Main/Speed",
        f"dt-sta/{CAR}/v1.1/Things",
        "v1.1/Datastreams(8)/Observations",
        "v1.1/Datastreams(3)/Observations",
        "v1.1/Observations",
        "dt-sta-asked",
        "$SYS/broker",
    ],
)
def test_a_client_publishes_nothing_else(topic: str) -> None:
    assert not grant_of(CAR_1).publish.hold(topic)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"dt/{CAR}/#", True),
        (f"dt-ext/{CAR}/+/Main/+", True),
        (f"dt-err/{CAR}/#", True),
        (f"dt-config/{CAR}/car_1", True),
        (f"dt-sta/{CAR}/v1.1/Datastreams(7)/Observations", True),
        (f"dt-config/{CAR}/+", False),
        ("dt/#", False),
        ("dt/+/Main/Speed", False),
        (f"dt/{OTHER}/#", False),
        ("#", False),
        ("v1.1/#", False),
        ("v1.1/Datastreams(7)/Observations", False),
    ],
)
def test_a_client_subscribes_within_its_system(text: str, expected: bool) -> None:
    assert grant_of(CAR_1).subscribe.cover(text) is expected


def test_the_bridge_may_do_all_that_has_our_forms_and_no_more() -> None:
    bridge = grant_of(BRIDGE)
    for text in ("dt/#", "dt-state/#", "dt-ext/#", "dt-err/#", "dt-config/#", "v1.1/#", "dt-sta/#"):
        assert bridge.publish.cover(text)
        assert bridge.subscribe.cover(text)
    assert not bridge.subscribe.cover("#")
    assert not bridge.subscribe.cover("$SYS/#")


@pytest.mark.parametrize("subject", ["", CAR_1.replace("car_1,", "car_1~2,"), CAR_1.replace("client", "app")])
def test_who_is_not_registered_under_this_subject_may_nothing(subject: str) -> None:
    assert compile_rules(KNOWN).of(subject) is None


def test_mosquitto_reads_a_rule_per_topic() -> None:
    text = rules_text(compile_rules(KNOWN))
    lines = text.partition(f"user {CAR_1}\n")[2].partition("\nuser ")[0].splitlines()
    assert f"topic write dt/{CAR}/+/+" in lines
    assert f"topic read dt/{CAR}/#" in lines
    assert f"topic read dt-ext/{CAR}/#" in lines
    assert f"topic readwrite dt-state/{CAR}/car_1" not in lines
    assert f"topic write dt-state/{CAR}/car_1" in lines
    assert f"user {BRIDGE}\n" in text


def test_rules_of_nobody_let_nobody_in() -> None:
    assert "topic" not in rules_text(Rules())


def test_the_configuration_of_mosquitto_has_no_door_without_certificates() -> None:
    text = configuration_text(MosquittoOptions(folder="/etc/m/", data="/var/m", with_revocations=True))
    assert text.count("listener ") == 2
    for line in ("require_certificate true", "use_subject_as_username true", "crlfile /etc/m/revoked.pem"):
        assert text.count(line) == 2, line
    assert "allow_anonymous false" in text
    assert text.count("use_username_as_clientid true") == 1, "the bridge has several connections"
    assert "listener 8884 127.0.0.1" in text
    free = configuration_text(MosquittoOptions(folder="/m", data="/m", has_free_identifiers=True))
    assert "use_username_as_clientid" not in free
    assert "crlfile" not in free
