"""What follows from the registry, principal by principal."""

from dataclasses import replace

import pytest

from adapters.observation_store.settings import GROUP as RECORDERS
from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import (
    OUTBOX_STATE_TOPIC,
    RECORDER_GROUP,
    CredentialState,
    Registry,
    StreamAppState,
    compile_entries,
)
from platform_ui.acls.entries import (
    ALTER,
    CREATE,
    DENY,
    DESCRIBE_CONFIGS,
    GROUP,
    READ,
    RESOURCES,
    TOPIC,
    TRANSACTIONAL_ID,
    WRITE,
)
from platform_ui.pki.names import Kind
from sensorthings.outbox.carrier import STATE_TOPIC
from tests.unit.platform_ui.acls.memory import may

CARS, FLEET, WEATHER = "cz.icecars.Cars.Car1", "cz.icecars.Cars.Fleet", "is.iceland.Weather.Stations"
CAR, APP = "User:client.cz.icecars.Cars.Car1.car_1", "User:app.cz.icecars.Cars.Car1.warm"
GOOD = CredentialState(1, live_epochs=frozenset([1]))
WARM = StreamAppState(CARS, "warm", (CARS,), FLEET)
REGISTRY = Registry(
    systems=(CARS, FLEET, WEATHER),
    clients=((CARS, "car_1"),),
    apps=(WARM,),
    credentials={(Kind.CLIENT, f"{CARS}.car_1"): GOOD, (Kind.APP, f"{CARS}.warm"): GOOD},
)

CLIENT_CELLS = [
    (TOPIC, f"{CARS}.int", {READ, WRITE}),
    (TOPIC, f"{CARS}.log", {READ, WRITE}),
    (TOPIC, f"{CARS}.ext", {READ}),
    (TOPIC, f"{CARS}.int.dlq", {WRITE}),
    (TOPIC, f"{CARS}.ext.dlq", {WRITE, CREATE}),
    (TOPIC, f"{FLEET}.ext", set()),
    (TOPIC, f"{FLEET}.int.dlq", set()),
    (TOPIC, f"{WEATHER}.int", set()),
    (GROUP, f"{CARS}.car_1", {READ}),
    (GROUP, f"{CARS}.car_1.night", {READ}),
    (GROUP, f"{CARS}.car_10", set()),
    (GROUP, f"{CARS}.car_10.night", set()),
    (TRANSACTIONAL_ID, f"{CARS}.car_1", {WRITE}),
    (TRANSACTIONAL_ID, f"{CARS}.car_1.0", {WRITE}),
    (TRANSACTIONAL_ID, f"{CARS}.car_10", set()),
]
APP_CELLS = [
    (TOPIC, f"{CARS}.int", {READ}),
    (TOPIC, f"{CARS}.int.dlq", {WRITE, DESCRIBE_CONFIGS}),
    (TOPIC, f"{CARS}.ext", set()),
    (TOPIC, f"{FLEET}.ext", {WRITE, DESCRIBE_CONFIGS}),
    (TOPIC, f"{FLEET}.int", set()),
    (TOPIC, f"{WEATHER}.int", set()),
    (TOPIC, f"platform.apps.{CARS}.warm.state", {READ, WRITE, CREATE, ALTER, DESCRIBE_CONFIGS}),
    (TOPIC, f"platform.apps.{CARS}.warmer.state", set()),
    (GROUP, f"{CARS}.warm", {READ}),
    (GROUP, f"{CARS}.warmer", set()),
    (TRANSACTIONAL_ID, f"{CARS}.warm.0", {WRITE}),
    (TRANSACTIONAL_ID, f"{CARS}.warmer.0", set()),
]
OPERATIONS = (READ, WRITE, CREATE, ALTER, DESCRIBE_CONFIGS)


@pytest.mark.parametrize(("resource", "name", "operations"), CLIENT_CELLS)
def test_a_client_app_may_do_just_this(resource: str, name: str, operations: set[str]) -> None:
    entries = compile_entries(REGISTRY)
    assert {one for one in OPERATIONS if may(entries, CAR, one, resource, name)} == operations


@pytest.mark.parametrize(("resource", "name", "operations"), APP_CELLS)
def test_a_stream_app_may_do_just_this(resource: str, name: str, operations: set[str]) -> None:
    entries = compile_entries(REGISTRY)
    assert {one for one in OPERATIONS if may(entries, APP, one, resource, name)} == operations


def test_a_joined_source_is_read_and_gets_its_dead_letters_back() -> None:
    joined = replace(REGISTRY, apps=(replace(WARM, sources=(CARS, WEATHER)),))
    entries = compile_entries(joined)
    assert may(entries, APP, READ, TOPIC, f"{WEATHER}.int")
    assert may(entries, APP, WRITE, TOPIC, f"{WEATHER}.int.dlq")
    assert not may(entries, APP, WRITE, TOPIC, f"{WEATHER}.int")


def test_an_app_that_its_contracts_stop_may_do_nothing() -> None:
    entries = compile_entries(replace(REGISTRY, apps=(replace(WARM, permitted=False),)))
    assert not [entry for entry in entries if entry.principal == APP]


def test_who_has_no_certificate_may_do_nothing() -> None:
    entries = compile_entries(replace(REGISTRY, credentials={}))
    assert {entry.principal for entry in entries} == {
        "User:service.mqtt",
        "User:service.recorder",
        "User:service.sensorthings",
    }


def test_who_has_only_expired_certificates_may_do_nothing() -> None:
    expired = {key: CredentialState(1) for key in REGISTRY.credentials}
    entries = compile_entries(replace(REGISTRY, credentials=expired))
    assert CAR not in {entry.principal for entry in entries}


@pytest.mark.parametrize(
    ("state", "allowed", "refused"),
    [
        (CredentialState(1, live_epochs=frozenset([1])), CAR, []),
        (CredentialState(2, live_epochs=frozenset([1])), None, [CAR]),
        (CredentialState(2, live_epochs=frozenset([1, 2])), f"{CAR}~2", [CAR]),
        (CredentialState(3, live_epochs=frozenset([1, 2, 3])), f"{CAR}~3", [CAR, f"{CAR}~2"]),
        (CredentialState(2, live_epochs=frozenset([2])), f"{CAR}~2", []),
        (CredentialState(1, is_blocked=True, live_epochs=frozenset([1])), None, [CAR]),
    ],
)
def test_earlier_epochs_and_blocked_ones_are_refused_everything(
    state: CredentialState, allowed: str | None, refused: list[str]
) -> None:
    known = {(Kind.CLIENT, f"{CARS}.car_1"): state}
    entries = compile_entries(replace(REGISTRY, apps=(), credentials=known))
    ours = [entry for entry in entries if entry.principal.startswith("User:client.")]
    assert {entry.principal for entry in ours if entry.permission != DENY} == (
        {allowed} if allowed else set()
    )
    denials = [entry for entry in ours if entry.permission == DENY]
    assert sorted({entry.principal for entry in denials}) == refused
    assert len(denials) == len(RESOURCES) * len(refused)


def test_a_client_app_that_was_deleted_is_refused_until_its_certificates_end() -> None:
    entries = compile_entries(replace(REGISTRY, clients=()))
    assert {entry.permission for entry in entries if entry.principal == CAR} == {DENY}


def test_with_names_everybody_who_is_registered_counts() -> None:
    entries = compile_entries(replace(REGISTRY, credentials={}, principals=Principals.NAMES))
    assert may(entries, CAR, WRITE, TOPIC, f"{CARS}.int")
    assert may(entries, APP, READ, TOPIC, f"{CARS}.int")


def test_services_do_their_work_for_every_system() -> None:
    entries = compile_entries(REGISTRY)
    for system in REGISTRY.systems:
        assert may(entries, "User:service.recorder", READ, TOPIC, f"{system}.int")
        assert may(entries, "User:service.recorder", READ, TOPIC, f"{system}.ext")
        assert not may(entries, "User:service.recorder", WRITE, TOPIC, f"{system}.int")
        assert may(entries, "User:service.sensorthings", WRITE, TOPIC, f"{system}.int")
        assert not may(entries, "User:service.sensorthings", READ, TOPIC, f"{system}.int")


def test_names_are_those_that_the_services_use() -> None:
    assert RECORDER_GROUP == RECORDERS
    assert OUTBOX_STATE_TOPIC == STATE_TOPIC
