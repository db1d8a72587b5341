"""What Kafka permits on a system's topics, as people read it."""

from platform_ui.acls.compiling import CredentialState, Registry, StreamAppState
from platform_ui.overview.permitted import Permitted, permitted_on
from platform_ui.pki.names import Kind

CAR, STATIONS, MILL = "cz.icecars.Fleet.Car1", "is.iceland.Weather.Stations", "at.srfg.Hall.Mill"
GOOD = CredentialState(1, live_epochs=frozenset({1}))
REGISTRY = Registry(
    systems=(CAR, STATIONS, MILL),
    clients=((CAR, "car_1"), (CAR, "new_one"), (MILL, "spindle")),
    apps=(
        StreamAppState(STATIONS, "share", (STATIONS,), CAR),
        StreamAppState(CAR, "join", (CAR, MILL), STATIONS),
        StreamAppState(STATIONS, "else", (STATIONS,), MILL),
        StreamAppState(MILL, "ended", (MILL,), CAR, permitted=False),
    ),
    credentials={
        (Kind.CLIENT, f"{CAR}.car_1"): GOOD,
        (Kind.CLIENT, f"{MILL}.spindle"): GOOD,
        (Kind.APP, f"{STATIONS}.share"): GOOD,
        (Kind.APP, f"{CAR}.join"): GOOD,
        (Kind.APP, f"{STATIONS}.else"): GOOD,
        (Kind.APP, f"{MILL}.ended"): GOOD,
    },
)


def by_name(found: list[Permitted]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {one.name: (one.reads, one.writes) for one in found}


def test_everybody_with_a_rule_on_a_topic_of_the_system_is_listed_and_nobody_else() -> None:
    assert by_name(permitted_on(CAR, REGISTRY)) == {
        "join": ((".int",), (".int.dlq",)),
        "share": ((), (".ext",)),
        "car_1": ((".ext", ".int", ".log"), (".ext.dlq", ".int", ".int.dlq", ".log")),
        "mqtt": ((".ext", ".int"), (".int", ".int.dlq", ".log")),
        "recorder": ((".ext", ".int"), (".ext.dlq", ".int.dlq")),
        "sensorthings": ((), (".int",)),
    }


def test_a_system_that_an_app_joins_knows_of_the_app() -> None:
    assert set(by_name(permitted_on(MILL, REGISTRY))) >= {"join", "else", "spindle"}


def test_stream_apps_come_first_and_lead_to_their_pages() -> None:
    first, *_, last = permitted_on(CAR, REGISTRY)
    assert (first.kind, first.system, first.url) == ("stream app", CAR, f"/systems/{CAR}/apps/join")
    assert (last.kind, last.url) == ("service of the platform", "")


def test_who_is_blocked_is_shown_as_refused() -> None:
    blocked = CredentialState(1, is_blocked=True, live_epochs=frozenset({1}))
    registry = Registry(clients=((CAR, "car_1"),), credentials={(Kind.CLIENT, f"{CAR}.car_1"): blocked})
    (client,) = [one for one in permitted_on(CAR, registry) if one.identity.kind is Kind.CLIENT]
    assert client.is_refused
    assert client.reads == client.writes == ()
