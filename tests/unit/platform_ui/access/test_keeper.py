"""Which principals and shares the platform wants, and how the difference is brought to the service."""

from typing import NamedTuple

import pytest

from client.metadata.server import SensorThingsServer
from platform_ui.access import keeper
from platform_ui.access.port import Grant, KnownToken, Rights, Share, client_principal, own_rights
from platform_ui.access.wanted import Flow, is_ours, passed_datastreams, passed_systems
from platform_ui.streams.ports import acting_as

WEATHER, CAR = "is.iceland.weather.Stations", "cz.icecars.fleet.Car1"
RUNNING_APP, STOPPED_APP = f"{WEATHER}.frost", f"{WEATHER}.wind"
TEMPERATURE, WIND = f"{WEATHER}.s1.Air Temperature", f"{WEATHER}.s1.Wind"


class MemoryAccess:
    """The administration, in memory."""

    def __init__(self) -> None:
        self.known: dict[str, Rights] = {}
        self.shared: dict[str, Share] = {}
        self.calls: list[str] = []

    def principals(self) -> dict[str, Rights]:
        return dict(self.known)

    def put_principal(self, name: str, rights: Rights) -> None:
        self.calls.append(f"put {name}")
        self.known[name] = rights

    def delete_principal(self, name: str) -> None:
        self.calls.append(f"delete {name}")
        del self.known[name]

    def tokens(self, name: str) -> list[KnownToken]:
        raise NotImplementedError(name)

    def create_token(self, name: str, label: str) -> str:
        raise NotImplementedError(name, label)

    def revoke_token(self, name: str, number: int) -> None:
        raise NotImplementedError(name, number)

    def datastreams(self, system: str) -> dict[str, int]:
        return {TEMPERATURE: 5, WIND: 6} if system == WEATHER else {}

    def shares(self) -> dict[str, Share]:
        return dict(self.shared)

    def put_share(self, contract: str, share: Share) -> None:
        self.calls.append(f"share {contract}")
        self.shared[contract] = share

    def delete_share(self, contract: str) -> None:
        self.calls.append(f"unshare {contract}")
        del self.shared[contract]

    def close(self) -> None:
        pass


def test_only_the_difference_is_brought_and_strangers_are_left_alone() -> None:
    access = MemoryAccess()
    client, gone = client_principal(CAR, "car_1"), client_principal(CAR, "gone")
    access.known = {
        CAR: own_rights(CAR),
        client: Rights(None, ()),
        gone: own_rights(CAR),
        "left@example.com": Rights(None, ()),
        "recorder": Rights(None, (), is_admin=True),
        "root@example.com": Rights(None, (), is_admin=True),
        "made.by.hand": Rights(None, ()),
    }
    wanted = {
        CAR: own_rights(CAR),
        client: own_rights(CAR),
        "sue@example.com": Rights(CAR, (Grant(CAR, write=True),)),
    }
    changed = keeper._bring_principals(wanted, access)
    assert sorted(changed) == sorted([client, gone, "left@example.com", "sue@example.com"])
    assert set(access.known) == {*wanted, "recorder", "root@example.com", "made.by.hand"}
    access.calls.clear()
    assert keeper._bring_principals(wanted, access) == []
    assert access.calls == []


class MemoryStatus(NamedTuple):
    app_id: str
    desired: str


class MemoryRunner:
    """Knows of two apps, one of them stopped."""

    def list(self) -> list[MemoryStatus]:
        return [MemoryStatus(RUNNING_APP, "running"), MemoryStatus(STOPPED_APP, "stopped")]


def test_an_app_has_a_principal_without_rights_as_long_as_it_is_meant_to_run() -> None:
    access = MemoryAccess()
    access.known = {
        f"app:{STOPPED_APP}": Rights(None, ()),
        "app:of.somebody.deleted.Long.ago": Rights(None, ()),
        CAR: own_rights(CAR),
    }
    keeping = keeper.AccessKeeper(None, access, MemoryRunner())  # type: ignore[arg-type]
    keeping._bring_shares([], [])
    assert access.known == {f"app:{RUNNING_APP}": Rights(None, ()), CAR: own_rights(CAR)}
    assert keeper._bring_principals({CAR: own_rights(CAR)}, access) == [], "the others leave them alone"
    assert f"app:{RUNNING_APP}" in access.known


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("sue@example.com", True),
        (CAR, True),
        (f"{CAR}.car_1", True),
        ("recorder", False),
        ("a.b.c", False),
        (f"app:{CAR}.fast", False),
        ("no such.system.name.at all", False),
    ],
)
def test_people_systems_and_client_apps_are_the_platforms(name: str, ours: bool) -> None:
    assert is_ours(name) is ours


@pytest.mark.parametrize(
    ("statement", "systems", "names"),
    [
        (f"SELECT * FROM {WEATHER};", (WEATHER,), [TEMPERATURE, WIND]),
        (f"SELECT * FROM {WEATHER} WHERE name = '{TEMPERATURE}' AND result < 4;", (WEATHER,), [TEMPERATURE]),
        ("SELECT * FROM *;", (WEATHER,), [TEMPERATURE, WIND]),
        ("not a statement", (), None),
        (f"SELECT 2 * result AS twice UNIT 'K' FROM {WEATHER} WHERE name = '{WIND}';", (), None),
    ],
    ids=["whole system", "one Datastream", "any system", "old text", "computed"],
)
def test_what_an_app_passes_on_is_shared_and_what_it_computes_is_not(
    statement: str, systems: tuple[str, ...], names: list[str] | None
) -> None:
    flow = Flow(f"{WEATHER}.app", WEATHER, CAR, statement)
    assert passed_systems(flow) == systems
    if names is not None:
        assert passed_datastreams(flow, [TEMPERATURE, WIND, f"{CAR}.c.x"]) == names


def test_the_platform_acts_for_the_one_who_is_shown_something() -> None:
    server = SensorThingsServer("localhost:8084", token="t-1", retry_s=0)
    acting = acting_as(server, "sue+x@example.com")
    assert isinstance(acting, SensorThingsServer)
    headers = acting._headers("http://localhost:8084/v1.1")
    assert headers == {"Authorization": "Bearer t-1", "DTWIN-Act-As": "sue%2Bx@example.com"}
    assert "DTWIN-Act-As" not in server._headers("http://localhost:8084/v1.1")
    server.close()
