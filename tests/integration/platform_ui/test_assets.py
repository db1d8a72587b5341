"""Assets through the pages and the API, with a real SensorThings service that asks everybody who they are."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from platform_ui.assets.series import MAX_POINTS
from platform_ui.settings import PlatformSettings
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser
from tests.sensorthings_service import running_service

pytestmark = pytest.mark.postgres
ADMIN_TOKEN = "assets-" + "p" * 40
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
FILE: dict[str, Any] = {
    "Things": {"car": {"name": "Main", "description": "The car"}},
    "Sensors": {
        "pt100": {"name": "PT100", "description": "T", "encodingType": "text/html", "metadata": "m"},
        "gps": {"name": "GPS", "description": "G", "encodingType": "text/html", "metadata": {"a": 1}},
    },
    "Datastreams": {
        key: {
            "name": name,
            "description": "In the car",
            "observationType": MEASUREMENT,
            "unitOfMeasurement": {"name": None, "symbol": unit, "definition": None},
            "ObservedProperty": {"name": name, "description": "d", "definition": "urn:d"},
            "Thing": "car",
            "Sensor": sensor,
        }
        for key, name, unit, sensor in (
            ("temperature", "Air Temperature", "°C", "pt100"),
            ("speed", "Speed", "km/h", "gps"),
        )
    },
}


@pytest.fixture(scope="module")
def closed_url(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that answers only to those it knows."""
    folder: Path = tmp_path_factory.mktemp("assets")
    with running_service(
        new_database("assets"), folder, anonymous="none", admin_token=ADMIN_TOKEN
    ) as address:
        yield address


@pytest.fixture
def settings(settings: PlatformSettings, closed_url: str) -> PlatformSettings:
    return replace(settings, sensorthings_url=closed_url, sensorthings_token=ADMIN_TOKEN)


@pytest.fixture
def ask(closed_url: str) -> Callable[..., httpx2.Response]:
    """A function that asks the service as its administrator."""

    def send(method: str, path: str, body: Any = None) -> httpx2.Response:  # noqa: ANN401 - JSON
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        return httpx2.request(method, f"{closed_url}/v1.1/{path}", headers=headers, json=body, timeout=60)

    return send


@pytest.fixture
async def agent(new_browser: MakeBrowser, word: Callable[[], str], site: FastAPI) -> tuple[Browser, str]:
    """Somebody who operates a system, and its name; the service knows of it."""
    browser = new_browser()
    await browser.sign_up(word())
    company = f"cz.{word()}"
    await browser.add("/companies/new", domain="cz", enterprise=company[3:])
    await browser.add("/systems/new", company=company, workcenter="Fleet", station="Car1")
    await site.state.keeper.bring()
    return browser, f"{company}.Fleet.Car1"


async def by_program(browser: Browser, method: str, path: str, body: object = None) -> httpx2.Response:
    token = (await browser.get("/api/v1/session")).json()["csrf_token"]
    content = body if isinstance(body, str) else None if body is None else json.dumps(body)
    headers = {"x-csrf-token": token, "content-type": "application/json"}
    return await browser.http.request(method, f"/api/v1{path}", content=content, headers=headers)


async def test_a_thing_that_a_program_registers_twice_with_one_key_is_registered_once(
    agent: tuple[Browser, str],
) -> None:
    browser, system = agent
    token = (await browser.get("/api/v1/session")).json()["csrf_token"]
    headers = {"x-csrf-token": token, "idempotency-key": f"{system}-main"}
    path, body = f"/api/v1/systems/{system}/things", {"name": "Main", "description": "The car"}
    first = await browser.http.post(path, json=body, headers=headers)
    assert first.status_code == 201, first.text
    again = await browser.http.post(path, json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"


async def register(browser: Browser, system: str) -> dict[str, int]:
    """Register the file; return the ids of the Datastreams by name."""
    answer = await by_program(browser, "POST", f"/systems/{system}/instances", FILE)
    assert answer.status_code == 200, answer.text
    things = (await browser.get(f"/api/v1/systems/{system}/things")).json()["items"]
    return {one["name"].rpartition(".")[2]: one["id"] for thing in things for one in thing["datastreams"]}


async def test_a_thing_and_its_datastream_are_registered_by_form_and_shown(
    agent: tuple[Browser, str],
) -> None:
    browser, system = agent
    empty = await browser.get(f"/systems/{system}/things")
    assert "Nothing is registered yet" in empty.text
    page = f"/systems/{system}/things/new"
    wrong = await browser.add(page, name="a.b", description="The car", latitude="47,8")
    assert wrong.status_code == 422
    assert "No dot here" in wrong.text
    place = {"latitude": "47.8", "longitude": "13.05"}
    shown = await browser.add(page, name="Main", description="The car", properties='{"a": 1}', **place)
    assert shown.url.path == f"/systems/{system}/things"
    assert "47.8, 13.05" in shown.text
    again = await browser.add(page, name="Main", description="The car")
    assert "There is a Thing named Main already" in again.text
    fields = {
        "thing": "Main",
        "name": "Air Temperature",
        "description": "In the car",
        "observed_property": "Air Temperature",
        "sensor": "PT100",
    }
    page = f"/systems/{system}/datastreams/new"
    refused = await browser.add(page, **fields, unit="Celsius")
    assert refused.status_code == 422
    assert "UCUM" in refused.text
    shown = await browser.add(page, **fields, unit="Cel", observation_type="OM_Measurement")
    assert "no value yet" in shown.text
    assert "Air Temperature" in shown.text
    token = (await browser.get(f"/api/v1/systems/{system}/datastreams/Main.Air Temperature")).json()
    assert (token["unit"], token["sensor"], token["observed_property"]) == ("°C", "PT100", "Air Temperature")


async def test_a_file_is_shown_before_it_is_saved_and_saved_once(agent: tuple[Browser, str]) -> None:
    browser, system = agent
    page = f"/systems/{system}/instances"
    shown = await browser.post(page, page, text=json.dumps(FILE))
    assert shown.status_code == 200
    assert "nothing is saved yet" in shown.text
    assert "<strong>7</strong> new" in shown.text
    assert (await browser.get(f"/api/v1/systems/{system}/things")).json()["items"] == []
    fingerprint = re.search(r'name="fingerprint" value="(\w+)"', shown.text)
    assert fingerprint
    fields = {"text": json.dumps(FILE), "fingerprint": fingerprint[1]}
    saved = await browser.post(f"{page}/save", page, **fields)
    assert saved.url.path == f"/systems/{system}/things"
    assert "7 new, 0 changed" in saved.text
    twice = await browser.post(f"{page}/save", page, **fields)
    assert twice.status_code == 409
    assert "has changed since you looked" in twice.text
    same = await browser.post(page, page, text=json.dumps(FILE))
    assert "Everything is in service as the file says" in same.text
    audit = (await browser.get(f"/api/v1/systems/{system}/audit")).text
    assert "asset.instances_applied" in audit


async def test_an_uploaded_file_counts_and_an_error_names_its_line(agent: tuple[Browser, str]) -> None:
    browser, system = agent
    page = f"/systems/{system}/instances"
    form = await browser.get(page)
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', form.text)
    assert token
    text = '{"Things": {},\n "Sensors": {},\n "Datastreams": {"t": {\n  "nam": "T"}}}'
    refused = await browser.http.post(
        page, data={"csrf_token": token[1]}, files={"file": ("instances.json", text.encode())}
    )
    assert refused.status_code == 422
    assert "Line 4, at <code>/Datastreams/t/nam</code>" in refused.text
    told = await by_program(browser, "POST", page, text)
    assert told.status_code == 422
    assert told.json()["code"] == "instances.refused"
    assert told.json()["errors"][0]["pointer"] == "/Datastreams/t/nam"
    assert "line 4" in told.json()["errors"][0]["detail"]


async def test_what_is_downloaded_changes_nothing_when_it_is_uploaded(agent: tuple[Browser, str]) -> None:
    browser, system = agent
    tried = await by_program(browser, "POST", f"/systems/{system}/instances?dry_run=true", FILE)
    assert (tried.json()["new"], tried.json()["changed"]) == (7, 0)
    assert (await browser.get(f"/api/v1/systems/{system}/things")).json()["items"] == []
    await register(browser, system)
    file = await browser.get(f"/systems/{system}/instances.json")
    assert "attachment" in file.headers["content-disposition"]
    again = (await by_program(browser, "POST", f"/systems/{system}/instances", file.text)).json()
    assert (again["new"], again["changed"], again["same"], again["absent"]) == (0, 0, 7, [])
    assert (await browser.get(f"/api/v1/systems/{system}/instances")).text == file.text
    less: dict[str, Any] = {"Things": {}, "Sensors": {}, "Datastreams": {}}
    kept = (await by_program(browser, "POST", f"/systems/{system}/instances", less)).json()
    assert len(kept["absent"]) == 7


async def test_a_file_places_things_moves_them_once_and_is_downloaded_with_their_places(
    agent: tuple[Browser, str], ask: Callable[..., httpx2.Response]
) -> None:
    browser, system = agent
    path = f"/systems/{system}/instances"
    document = json.loads(json.dumps(FILE))
    # Two Things may call their places the same and be elsewhere.
    hall = {"latitude": 47.8, "longitude": 13.05, "name": "Hall"}
    document["Things"]["car"]["Location"] = hall
    document["Things"]["trailer"] = {
        "name": "Trailer",
        "description": "d",
        "Location": hall | {"latitude": 48},
    }

    async def places() -> dict[str, tuple[str, float, float]]:
        things = (await browser.get(f"/api/v1/systems/{system}/things")).json()["items"]
        found = {one["name"].rpartition(".")[2]: one["place"] for one in things}
        return {name: (one["name"], one["latitude"], one["longitude"]) for name, one in found.items()}

    for expected in ((8, 0, 0), (0, 0, 8)):
        told = (await by_program(browser, "POST", path, document)).json()
        assert (told["new"], told["changed"], told["same"]) == expected, told
        assert await places() == {"Main": ("Hall", 47.8, 13.05), "Trailer": ("Hall", 48.0, 13.05)}
    del document["Things"]["trailer"]["Location"]
    document["Things"]["car"]["Location"] = {"latitude": 47.9, "longitude": 13.05}
    for expected in ((0, 1, 7), (0, 0, 8)):
        told = (await by_program(browser, "POST", path, document)).json()
        assert (told["new"], told["changed"], told["same"]) == expected, told
        moved = (f"{system}.Main place", 47.9, 13.05)
        assert await places() == {"Main": moved, "Trailer": ("Hall", 48.0, 13.05)}
    history = ask("GET", f"HistoricalLocations?$filter=Thing/name eq '{system}.Main'&$count=true").json()
    assert history["@iot.count"] == 2
    downloaded = json.loads((await browser.get(f"/api/v1{path}")).text)["Things"]
    assert downloaded["Main"]["Location"] == {"latitude": 47.9, "longitude": 13.05}
    assert downloaded["Trailer"]["Location"] == hall | {"latitude": 48}


async def test_a_changed_file_changes_what_differs_and_no_more(
    agent: tuple[Browser, str], ask: Callable[..., httpx2.Response]
) -> None:
    browser, system = agent
    ids = await register(browser, system)
    document = json.loads(json.dumps(FILE))
    document["Datastreams"]["speed"]["unitOfMeasurement"]["symbol"] = "m/s"
    document["Datastreams"]["speed"]["Sensor"] = "pt100"
    answer = (await by_program(browser, "POST", f"/systems/{system}/instances", document)).json()
    (change,) = [one for one in answer["changes"] if one["state"] == "changed"]
    assert change["name"] == "Main.Speed"
    assert {one["name"]: (one["before"], one["after"]) for one in change["fields"]} == {
        "unitOfMeasurement": ("km/h", "m/s"),
        "Sensor": ("GPS", "PT100"),
    }
    stored = ask("GET", f"Datastreams({ids['Speed']})?$expand=Sensor").json()
    assert (stored["unitOfMeasurement"]["symbol"], stored["Sensor"]["name"]) == ("m/s", f"{system}.PT100")


def fill(ask: Callable[..., httpx2.Response], iot_id: int, count: int, step_s: float, end: datetime) -> None:
    place = {"type": "Point", "coordinates": [13, 47]}
    location = {"name": "p", "description": "d", "encodingType": "application/geo+json", "location": place}
    thing = ask("GET", f"Datastreams({iot_id})/Thing").json()["@iot.id"]
    assert ask("POST", f"Things({thing})/Locations", location).status_code == 201
    rows = [
        [(end - timedelta(seconds=step_s * at)).isoformat().replace("+00:00", "Z"), at % 10]
        for at in range(count)
    ]
    array = {"Datastream": {"@iot.id": iot_id}, "components": ["phenomenonTime", "result"], "dataArray": rows}
    answer = ask("POST", "CreateObservations", [array])
    assert answer.status_code == 201, answer.text
    assert "error" not in answer.text, answer.text[:300] + answer.headers.get("DTwin-Refused-Rows", "")


async def test_few_results_are_drawn_as_they_are_and_many_are_summed_up(
    agent: tuple[Browser, str], ask: Callable[..., httpx2.Response]
) -> None:
    browser, system = agent
    ids = await register(browser, system)
    end = datetime.now(UTC)
    fill(ask, ids["Speed"], 20, 60, end)
    fill(ask, ids["Air Temperature"], 3000, 1, end)
    few = (await browser.get(f"/api/v1/systems/{system}/datastreams/{ids['Speed']}/series")).json()
    assert (few["bucket_s"], len(few["points"])) == (0, 20)
    assert few["points"][-1]["value"] == 0
    address = f"/api/v1/systems/{system}/datastreams/Main.Air Temperature/series"
    many = (await browser.get(address)).json()
    assert many["bucket_s"] == 5
    assert 600 <= len(many["points"]) <= MAX_POINTS
    assert sum(one["count"] for one in many["points"]) == 3000
    assert (min(one["low"] for one in many["points"]), max(one["high"] for one in many["points"])) == (0, 9)
    csv = await browser.get(f"/systems/{system}/datastreams/{ids['Air Temperature']}/observations.csv")
    lines = csv.text.splitlines()
    assert lines[0] == "phenomenonTime,result,unit,datastream"
    assert len(lines) == 3001
    assert lines[1].endswith(f",9,°C,{system}.Main.Air Temperature")


async def test_a_datastreams_page_shows_values_readers_links_and_that_it_is_stale(
    agent: tuple[Browser, str], ask: Callable[..., httpx2.Response]
) -> None:
    browser, system = agent
    ids = await register(browser, system)
    fill(ask, ids["Speed"], 5, 1, datetime.now(UTC) - timedelta(minutes=2))
    page = await browser.get(f"/systems/{system}/datastreams/{ids['Speed']}?range=6h")
    assert page.status_code == 200
    assert "stale" in page.text
    assert "Client apps of this system" in page.text
    assert f"/explorer?at=Datastreams%28{ids['Speed']}%29" in page.text
    assert "/live?" in page.text
    newest = await browser.get(f"/systems/{system}/datastreams/{ids['Speed']}", **{"hx-request": "true"})
    assert "<html" not in newest.text
    assert "Newest values" in newest.text
    wrong = await browser.get(f"/systems/{system}/datastreams/{ids['Speed']}?range=custom&start=x")
    assert 'role="alert"' in wrong.text
    listed = (await browser.get(f"/api/v1/systems/{system}/things?q=speed")).json()["items"]
    assert [one["is_stale"] for one in listed[0]["datastreams"] if one["id"] == ids["Speed"]] == [True]


async def test_deleting_says_how_much_is_lost(
    agent: tuple[Browser, str], ask: Callable[..., httpx2.Response]
) -> None:
    browser, system = agent
    ids = await register(browser, system)
    fill(ask, ids["Speed"], 12, 1, datetime.now(UTC))
    page = f"/systems/{system}/datastreams/{ids['Speed']}/delete"
    assert "<strong>12</strong> stored Observations" in (await browser.get(page)).text
    (thing,) = (await browser.get(f"/api/v1/systems/{system}/things")).json()["items"]
    everything = (await browser.get(f"/systems/{system}/things/{thing['id']}/delete")).text
    assert "<strong>2</strong> Datastreams" in everything
    assert "<strong>12</strong> stored Observations" in everything
    assert (await browser.add(page)).url.path == f"/systems/{system}/things"
    assert ask("GET", f"Datastreams({ids['Speed']})").status_code == 404
    await browser.add(f"/systems/{system}/things/{thing['id']}/delete")
    assert ask("GET", f"Things({thing['id']})").status_code == 404


async def test_a_thing_that_moves_leaves_its_old_place_in_its_history(
    agent: tuple[Browser, str], ask: Callable[..., httpx2.Response]
) -> None:
    browser, system = agent
    await browser.add(
        f"/systems/{system}/things/new", name="Main", description="d", latitude="1", longitude="2"
    )
    (thing,) = (await browser.get(f"/api/v1/systems/{system}/things")).json()["items"]
    page = f"/systems/{system}/things/{thing['id']}/edit"
    for latitude in ("3", "3"):
        moved = await browser.add(page, description="moved", latitude=latitude, longitude="4")
        assert "3, 4" in moved.text
    history = ask("GET", f"Things({thing['id']})/HistoricalLocations?$count=true").json()
    assert history["@iot.count"] == 2


async def test_a_form_changes_what_a_datastream_means(agent: tuple[Browser, str]) -> None:
    browser, system = agent
    ids = await register(browser, system)
    address = f"/systems/{system}/datastreams/{ids['Speed']}"
    form = await browser.get(f"{address}/edit")
    assert 'value="GPS"' in form.text
    changed = await browser.add(
        f"{address}/edit",
        description="On the road",
        sensor="Radar",
        observed_property="Speed",
        unit="m/s",
        observation_type="OM_Measurement",
    )
    assert changed.url.path == address
    answer = (await browser.get(f"/api/v1{address}")).json()
    assert (answer["sensor"], answer["unit"], answer["description"]) == ("Radar", "m/s", "On the road")


async def test_a_viewer_reads_and_a_stranger_sees_nothing(
    agent: tuple[Browser, str], new_browser: MakeBrowser, word: Callable[[], str], site: FastAPI
) -> None:
    browser, system = agent
    ids = await register(browser, system)
    viewer, stranger = new_browser(), new_browser()
    email = await viewer.sign_up(word())
    await stranger.sign_up(word())
    await browser.add(f"/systems/{system}/members", email=email, role="viewer")
    await site.state.keeper.bring()
    things = await viewer.get(f"/systems/{system}/things")
    assert "Air Temperature" in things.text
    assert "New Thing" not in things.text
    for path in ("things/new", "instances", f"datastreams/{ids['Speed']}/delete"):
        assert (await viewer.get(f"/systems/{system}/{path}")).status_code == 403
        assert (await stranger.get(f"/systems/{system}/{path}")).status_code == 404
    refused = await by_program(viewer, "POST", f"/systems/{system}/instances?dry_run=true", FILE)
    assert refused.status_code == 403
    for path in ("things", f"datastreams/{ids['Speed']}", "instances.json"):
        assert (await viewer.get(f"/systems/{system}/{path}")).status_code == 200
        assert (await stranger.get(f"/systems/{system}/{path}")).status_code == 404


async def test_what_belongs_to_another_system_is_not_here(
    agent: tuple[Browser, str], ask: Callable[..., httpx2.Response]
) -> None:
    browser, system = agent
    company = ".".join(system.split(".")[:2])
    await browser.add("/systems/new", company=company, workcenter="Fleet", station="Car2")
    ids = await register(browser, system)
    other = f"{company}.Fleet.Car2"
    for path in (f"datastreams/{ids['Speed']}", f"datastreams/{system}.Main.Speed", "things/1"):
        assert (await browser.get(f"/api/v1/systems/{other}/{path}")).status_code == 404
    answer = await by_program(browser, "DELETE", f"/systems/{other}/datastreams/{ids['Speed']}")
    assert answer.status_code == 404
    assert ask("GET", f"Datastreams({ids['Speed']})").status_code == 200


async def test_long_lists_come_in_pages(agent: tuple[Browser, str]) -> None:
    browser, system = agent
    things = {f"t{at}": {"name": f"T{at:02}", "description": "d"} for at in range(7)}
    document = {"Things": things, "Sensors": {}, "Datastreams": {}}
    await by_program(browser, "POST", f"/systems/{system}/instances", document)
    found, token = [], ""
    for _ in range(3):
        answer = await browser.get(f"/api/v1/systems/{system}/things?page_size=3&page_token={token}")
        found += [one["name"].rpartition(".")[2] for one in answer.json()["items"]]
        token = answer.json()["next_page_token"]
    assert found == [f"T{at:02}" for at in range(7)]
    assert token is None
    wrong = await browser.get(f"/api/v1/systems/{system}/things?page_token=%C3%A4")
    assert wrong.status_code == 400


async def test_a_service_that_is_away_is_said_on_the_page(
    agent: tuple[Browser, str], site: FastAPI, settings: PlatformSettings
) -> None:
    browser, system = agent
    away = type(site.state.gateway)(replace(settings, sensorthings_url="http://127.0.0.1:9"))
    site.state.gateway, real = away, site.state.gateway
    answer = await browser.get(f"/systems/{system}/things")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    await away.close()
    site.state.gateway = real
