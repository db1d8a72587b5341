"""Topics mean Datastreams and clients, whatever is in their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mqtt.topics import (
    configuration_topic,
    data_topic,
    decode,
    encode,
    external_topic,
    incoming_filters,
    parse_data,
    parse_external,
    parse_state,
    refusal_topic,
    state_topic,
    system_of,
)
from client.errors import ConfigurationError, InvalidNameError
from client.messaging.topics import DatastreamName, SystemName

CAR = SystemName.parse("cz.icecars.CarFleet.Car1")
WEATHER = SystemName.parse("is.iceland.Weather.Stations")


@given(st.text())
def test_every_name_comes_back_and_makes_one_level(name: str) -> None:
    level = encode(name)
    assert decode(level) == name
    assert not set(level) & set("/+#\0")


def test_a_datastream_has_one_topic_for_data_and_one_for_those_it_is_shared_with() -> None:
    name = DatastreamName(WEATHER, "Hekla 50%", "Wind m/s + gusts #1")
    assert data_topic(name) == f"dt/{WEATHER}/Hekla 50%25/Wind m%2Fs %2B gusts %231"
    assert parse_data(data_topic(name)) == name
    topic = external_topic(CAR, name)
    assert topic == f"dt-ext/{CAR}/{WEATHER}/Hekla 50%25/Wind m%2Fs %2B gusts %231"
    found = parse_external(topic)
    assert (found.system, found.datastream) == (CAR, name)


def test_a_client_has_a_topic_for_its_state_and_one_for_its_configuration() -> None:
    assert state_topic(CAR, "car_1") == f"dt-state/{CAR}/car_1"
    assert configuration_topic(CAR, "car_1") == f"dt-config/{CAR}/car_1"
    found = parse_state(state_topic(CAR, "car_1"))
    assert (found.system, found.client) == (CAR, "car_1")


@pytest.mark.parametrize(
    "topic",
    [
        "dt",
        "dt/cz.icecars.CarFleet.Car1/Main",
        "dt/cz.icecars.CarFleet.Car1/Main/Speed/x",
        "dt/cz.icecars.CarFleet/Main/Speed",
        "dt/cz.icecars.CarFleet.Car1//Speed",
        "dt/cz.icecars.CarFleet.Car1/Ma.in/Speed",
        "dt/cz.icecars.CarFleet.Car1/Main/Speed %",
        "dt/cz.icecars.CarFleet.Car1/Main/%FF",
        "dt-state/cz.icecars.CarFleet.Car1/Main/Speed",
    ],
)
def test_a_data_topic_of_another_form_is_refused(topic: str) -> None:
    with pytest.raises(InvalidNameError):
        parse_data(topic)


@pytest.mark.parametrize("topic", ["dt-state/x/car_1", f"dt-state/{CAR}/c", f"dt-state/{CAR}/car_1/x"])
def test_a_state_topic_of_another_form_is_refused(topic: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_state(topic)


def test_refusals_are_told_beside_the_data() -> None:
    assert refusal_topic(f"dt/{CAR}/Main/Speed %") == f"dt-err/{CAR}/Main/Speed %"
    assert refusal_topic(f"dt-state/{CAR}/car_1") is None


def test_the_system_is_read_from_every_form() -> None:
    for first in ("dt", "dt-state", "dt-ext", "dt-config", "dt-err"):
        assert system_of(f"{first}/{CAR}/x") == CAR
    assert system_of(f"v1.1/{CAR}/x") is None
    assert system_of("dt/nobody/x") is None
    assert system_of("dt") is None


def test_filters_take_one_system_or_all() -> None:
    assert incoming_filters() == ("dt/#", "dt-state/#")
    assert incoming_filters(CAR) == (f"dt/{CAR}/#", f"dt-state/{CAR}/#")


def test_a_topic_that_is_as_long_as_can_be_has_no_topic_for_its_refusal() -> None:
    longest = f"dt/{CAR}/Main/".ljust(65_535, "x")
    assert refusal_topic(longest) is None
    assert refusal_topic(longest[:-4]) == f"dt-err{longest[2:-4]}"
