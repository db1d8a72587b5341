"""What the broker lets a principal do, explained: as the rules have it, with what stands against it."""

from dataclasses import replace
from itertools import product

import pytest

from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import CredentialState, Registry, StreamAppState, compile_entries
from platform_ui.acls.entries import ALTER, GROUP, READ, TOPIC, TRANSACTIONAL_ID, WRITE
from platform_ui.explain.kafka import Action, KafkaQuestion, decide
from platform_ui.explain.rulings import Answer
from platform_ui.pki.names import Identity, Kind
from tests.unit.platform_ui.acls.memory import may

CARS, WEATHER = "cz.icecars.Cars.Car1", "is.iceland.Weather.Stations"
CAR, WARM = Identity(Kind.CLIENT, f"{CARS}.car_1"), Identity(Kind.APP, f"{WEATHER}.warm")
GOOD = CredentialState(1, live_epochs=frozenset([1]))
REGISTRY = Registry(
    systems=(CARS, WEATHER),
    clients=((CARS, "car_1"),),
    apps=(StreamAppState(WEATHER, "warm", (WEATHER,), CARS),),
    credentials={(one.kind, one.name): GOOD for one in (CAR, WARM)},
)
STATES = {
    "none": None,
    "good": GOOD,
    "expired": CredentialState(1),
    "blocked": CredentialState(1, is_blocked=True, live_epochs=frozenset([1])),
    "revoked": CredentialState(2, live_epochs=frozenset([1])),
    "renewed": CredentialState(2, live_epochs=frozenset([1, 2])),
}
OPERATIONS = {
    Action.PRODUCE: (TOPIC, (WRITE,)),
    Action.CONSUME: (TOPIC, (READ,)),
    Action.DESCRIBE: (TOPIC, (READ, WRITE, ALTER)),
    Action.JOIN_GROUP: (GROUP, (READ,)),
    Action.USE_TRANSACTIONAL_ID: (TRANSACTIONAL_ID, (WRITE,)),
}
NAMES = (f"{CARS}.int", f"{CARS}.ext", f"{WEATHER}.int", CAR.name, f"{WARM.name}.0", f"{CAR.name}x")


def registry(state: str, *, permitted: bool = True) -> Registry:
    found = STATES[state]
    credentials = {} if found is None else {(one.kind, one.name): found for one in (CAR, WARM)}
    apps = tuple(replace(app, permitted=permitted) for app in REGISTRY.apps)
    return replace(REGISTRY, apps=apps, credentials=credentials)


def ask(known: Registry, identity: Identity, action: Action, name: str) -> tuple[Answer, str, str]:
    ruling = decide(known, KafkaQuestion(identity, action, name))
    return ruling.answer, ruling.missing, ruling.step


@pytest.mark.parametrize(("state", "permitted"), list(product(STATES, (True, False))))
def test_it_agrees_with_the_rules_whatever_became_of_the_credentials(state: str, permitted: bool) -> None:
    known = registry(state, permitted=permitted)
    entries = compile_entries(known)
    for identity, action, name in product((CAR, WARM, replace(CAR, epoch=2)), Action, NAMES):
        kind, operations = OPERATIONS[action]
        expected = any(may(entries, identity.principal, one, kind, name) for one in operations)
        ruling = decide(known, KafkaQuestion(identity, action, name))
        assert ruling.is_allowed == expected, ruling.lines()
        assert ruling.clauses if expected else ruling.missing


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        ("none", "a certificate that has not expired"),
        ("expired", "a certificate that has not expired"),
        ("blocked", "it is blocked"),
        ("revoked", f"its certificates are revoked: it is {replace(CAR, epoch=2).principal} now"),
        ("renewed", f"its certificates are revoked: it is {replace(CAR, epoch=2).principal} now"),
    ],
)
def test_what_stands_against_a_right_is_named(state: str, missing: str) -> None:
    assert ask(registry(state), CAR, Action.PRODUCE, f"{CARS}.int")[:2] == (Answer.REFUSED, missing)


def test_a_right_names_its_rule_and_whose_app_it_is() -> None:
    ruling = decide(REGISTRY, KafkaQuestion(CAR, Action.PRODUCE, f"{CARS}.int"))
    assert ruling.clauses == (
        f"the rule {CAR.principal} ALLOW WRITE on TOPIC {CARS}.int",
        f"car_1 is a client app of {CARS}",
    )


def test_what_no_rule_gives_is_told_from_what_does_not_count_at_present() -> None:
    never = ask(REGISTRY, CAR, Action.PRODUCE, f"{WEATHER}.int")
    assert never[0] is Answer.REFUSED
    assert never[1].startswith("a rule; a client app writes")
    ended = ask(registry("good", permitted=False), WARM, Action.CONSUME, f"{WEATHER}.int")
    assert ended[1] == "a contract in force for each source of another company"


def test_names_count_without_certificates_where_the_broker_knows_people_by_itself() -> None:
    known = replace(registry("none"), principals=Principals.NAMES)
    assert ask(known, CAR, Action.CONSUME, f"{CARS}.ext")[0] is Answer.ALLOWED


@pytest.mark.parametrize("name", ["operator", "platform", "broker", "kettle"])
def test_nothing_is_said_of_services_without_rules(name: str) -> None:
    answer, missing, _ = ask(REGISTRY, Identity(Kind.SERVICE, name), Action.PRODUCE, f"{CARS}.int")
    assert answer is Answer.UNKNOWN
    assert missing
