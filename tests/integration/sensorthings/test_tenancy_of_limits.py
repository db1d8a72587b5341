"""Shares without Observations, or with those from some time on: what else could tell of the hidden ones."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from sensorthings.settings import Settings
from tests.certificates import TestAuthority
from tests.integration.sensorthings.samples import Json
from tests.integration.sensorthings.tenants import (
    ADMIN_TOKEN,
    ALPHA,
    BETA,
    DELTA,
    GAMMA,
    SINCE,
    World,
    bearer,
    body_of,
)
from tests.sensorthings_service import running_service

pytestmark = pytest.mark.postgres
WHO = "delta consumer"
HIDDEN = ("phenomenonTime", "resultTime", "observedArea")


@pytest.fixture
def described(world: World) -> int:
    """A Datastream that delta sees without its Observations."""
    return min(world.owned["described"]["Datastreams"])


@pytest.fixture
def since(world: World) -> int:
    """A Datastream of which delta sees Observations from some time on."""
    return min(world.owned["since"]["Datastreams"])


@pytest.fixture
def spare(world: World) -> Iterator[int]:
    """A Datastream that no contract shares yet; what the test shares ends with it."""
    yield max(world.owned[BETA]["Datastreams"])
    for share in world.administer("GET", "shares").json()["shares"]:
        if share["contract"].startswith("spare"):
            world.administer("DELETE", f"shares/{share['contract']}")


def times(world: World, who: str, stream: int) -> list[str]:
    page = world.read(who, f"Datastreams({stream})/Observations?$orderby=phenomenonTime")
    return [one["phenomenonTime"] for one in page["value"]]


def test_what_follows_from_hidden_observations_is_hidden_too(world: World, described: int) -> None:
    owner = world.read("alpha client", f"Datastreams({described})")
    assert all(owner[name] for name in HIDDEN)
    shown = world.read(WHO, f"Datastreams({described})")
    assert not any(shown.get(name) for name in HIDDEN)
    assert shown["unitOfMeasurement"] == owner["unitOfMeasurement"]
    expanded = world.read(WHO, f"Things?$expand=Datastreams&$filter=Datastreams/id eq {described}")
    assert not any(expanded["value"][0]["Datastreams"][0].get(name) for name in HIDDEN)


def test_the_times_of_a_datastream_begin_where_its_observations_may_be_seen(world: World, since: int) -> None:
    shown = world.read(WHO, f"Datastreams({since})")
    assert shown["phenomenonTime"].split("/") == [SINCE, "2026-01-03T00:00:00Z"]
    assert not shown.get("observedArea")
    assert not shown.get("resultTime")


@pytest.mark.parametrize(
    "condition",
    [
        "phenomenonTime lt 2030-01-01T00:00:00Z",
        "not (phenomenonTime gt 2030-01-01T00:00:00Z)",
        "geo.intersects(observedArea, geography'POLYGON((0 0,90 0,90 90,0 90,0 0))')",
        "Observations/result gt 0",
        "Observations/FeatureOfInterest/id gt 0",
    ],
)
def test_filters_do_not_betray_hidden_observations(world: World, described: int, condition: str) -> None:
    path = f"Datastreams?$filter={quote(f'id eq {described} and ({condition})')}"
    assert world.read("alpha client", path)["value"]
    assert not world.read(WHO, path)["value"]


@pytest.mark.parametrize("form", ["dataArray", "CSV", "GeoJSON"])
def test_every_result_format_holds_only_what_may_be_seen(world: World, since: int, form: str) -> None:
    path = f"Observations?$resultFormat={form}&$select=id,phenomenonTime&$top=100"
    answer = world.ask(WHO, "GET", path)
    assert answer.status_code == 200, answer.text
    assert "2026-01-03" in answer.text
    assert "2026-01-01" not in answer.text
    nothing = world.ask(
        WHO, "GET", path.replace("Observations?", f"Datastreams({since - 10**6})/Observations?")
    )
    assert nothing.status_code == 404


def test_aggregates_begin_at_the_time_of_the_share(world: World, described: int, since: int) -> None:
    answer = world.read(WHO, f"Datastreams({since})/Observations?bucket=P1M&aggregate=count,min&$top=1000")
    assert [(one["count"], one["min"]) for one in answer["value"]] == [(2, 22)]
    none = world.read(WHO, f"Datastreams({described})/Observations?bucket=P1M&aggregate=count&$top=1000")
    assert none["value"] == []


def test_the_widest_of_several_contracts_counts(world: World, spare: int) -> None:
    assert world.ask(WHO, "GET", f"Datastreams({spare})").status_code == 404
    world.share("spare-1", spare, DELTA, observations=False)
    assert times(world, WHO, spare) == []
    world.share("spare-2", spare, DELTA, since="2026-01-03T00:00:00Z")
    assert len(times(world, WHO, spare)) == 1
    world.share("spare-3", spare, DELTA, since=SINCE)
    assert len(times(world, WHO, spare)) == 2
    world.share("spare-4", spare, DELTA)
    assert len(times(world, WHO, spare)) == 3
    assert world.read(WHO, f"Datastreams({spare})")["observedArea"]
    world.administer("DELETE", "shares/spare-4")
    assert len(times(world, WHO, spare)) == 2


def test_a_limited_share_takes_nothing_from_the_owner(world: World, spare: int) -> None:
    world.share("spare-own", spare, BETA, observations=False)
    assert len(times(world, "beta user", spare)) == 3
    assert world.read("beta user", f"Datastreams({spare})")["observedArea"]


def test_a_limited_share_takes_nothing_from_other_contracts_of_the_principal(
    world: World, spare: int
) -> None:
    whole = min(world.owned["shared"]["Datastreams"])
    world.share("spare-gamma", spare, GAMMA, observations=False)
    assert len(times(world, "gamma consumer", whole)) == 3
    assert times(world, "gamma consumer", spare) == []


def test_since_needs_a_time_zone(world: World, spare: int) -> None:
    body: Json = {"system": DELTA, "datastreams": [spare], "since": "2026-01-01T00:00:00"}
    assert world.administer("PUT", "shares/spare-bad", body).status_code in (400, 422)


def test_what_is_shared_can_be_read_back(world: World) -> None:
    found = {one["contract"]: one for one in world.administer("GET", "shares").json()["shares"]}
    assert found["contract-1"]["observations"] is True
    assert found["contract-1"]["since"] is None
    assert found["contract-described"]["observations"] is False
    assert found["contract-since"]["since"].startswith("2026-01-02T00:00:00")


def test_a_datastream_of_alpha_is_hidden_from_delta_when_its_share_ends(world: World, spare: int) -> None:
    world.share("spare-end", spare, DELTA, observations=False)
    assert world.ask(WHO, "GET", f"Datastreams({spare})").status_code == 200
    world.administer("DELETE", "shares/spare-end")
    assert world.ask(WHO, "GET", f"Datastreams({spare})").status_code == 404
    assert ALPHA in json.dumps(world.read(WHO, "Datastreams"))


@pytest.mark.extended
def test_other_replicas_refuse_what_was_removed(new_database: Callable[[str], str], tmp_path: Path) -> None:
    """A change goes through one of two services; the other one remembers whom it has just looked up."""
    assert Settings.model_fields["token_memory_s"].default <= 1
    settings = {"anonymous": "none", "admin_token": ADMIN_TOKEN}
    url = new_database("replicas")
    with (
        running_service(url, tmp_path, **settings) as one,
        running_service(url, tmp_path, **settings) as other,
        httpx2.Client(timeout=30) as http,
    ):
        near, far = (World(address, http, TestAuthority()) for address in (one, other))
        near.headers["admin"] = far.headers["admin"] = bearer(ADMIN_TOKEN)
        near.principal("car", grants={ALPHA: True})
        near.principal("guest", grants={BETA: False})
        tokens = [near.token("car") for _ in range(2)]
        far.headers["car"], far.headers["first"] = (bearer(one["token"]) for one in reversed(tokens))
        far.headers["guest"] = bearer(near.token("guest")["token"])
        assert far.ask("car", "POST", "Things", body_of(ALPHA)).status_code == 201
        stream = near.read("admin", "Datastreams")["value"][0]["@iot.id"]
        near.share("share", stream, BETA)
        removals = {
            "share": ("guest", f"Datastreams({stream})", "shares/share"),
            "token": ("first", "Things", f"principals/car/tokens/{tokens[0]['id']}"),
            "principal": ("car", "Things", "principals/car"),
        }
        for what, (who, path, removed) in removals.items():
            while far.ask(who, "GET", path).status_code != 200:
                time.sleep(0.01)
            assert near.administer("DELETE", removed).status_code == 204
            begin = time.monotonic()
            while far.ask(who, "GET", path).status_code == 200:
                assert time.monotonic() - begin < 60, what
                time.sleep(0.01)
            print(f"the removed {what} is refused after {time.monotonic() - begin:.2f} s")
