"""Analytics with real Kafka, recorder and SensorThings service: numbers are recomputed from the topics."""

import csv
import html
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from benchmarks.measuring.topics import create_topic
from platform_ui.contracts.models import ContractVersion
from platform_ui.metadata.gateway import Answer, Gateway
from platform_ui.settings import PlatformSettings
from setup.local.processes import log_tail, start_process
from tests.integration.platform_ui.agreements import agree, with_system
from tests.integration.platform_ui.analytics_numbers import (
    BEGIN,
    END,
    START,
    Ask,
    Numbers,
    check_details,
    check_figures,
    check_told,
    from_topics,
    measure,
    register,
    send,
    told,
)
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.sensorthings_service import running_service

pytestmark = pytest.mark.postgres
ADMIN_TOKEN = "analytics-" + "p" * 40
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


@pytest.fixture(scope="module")
def database(new_database: Callable[[str], str]) -> str:
    return new_database("analytics")


@pytest.fixture(scope="module")
def closed_url(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that answers only to those it knows."""
    folder: Path = tmp_path_factory.mktemp("analytics")
    with running_service(database, folder, anonymous="none", admin_token=ADMIN_TOKEN) as address:
        yield address


@pytest.fixture
def settings(settings: PlatformSettings, closed_url: str) -> PlatformSettings:
    return replace(settings, sensorthings_url=closed_url, sensorthings_token=ADMIN_TOKEN)


@pytest.fixture
def ask(closed_url: str) -> Ask:
    """A function that asks the service as its administrator."""

    def send(method: str, path: str, body: Any = None) -> httpx2.Response:  # noqa: ANN401 - JSON
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        return httpx2.request(method, f"{closed_url}/v1.1/{path}", headers=headers, json=body, timeout=60)

    return send


@pytest.fixture
def recording(
    database: str, kafka_bootstrap: str, tmp_path: Path
) -> Iterator[Callable[[str, int, Ask], None]]:
    """A function that records the topics of some systems until so many more Observations are stored."""
    running = []

    def stored(ask: Ask) -> int:
        return int(ask("GET", "Observations?$count=true&$top=0").json()["@iot.count"])

    def record(pattern: str, number: int, ask: Ask) -> None:
        before = stored(ask)  # of other tests
        log_file = tmp_path / "recorder.log"
        settings = {
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS": kafka_bootstrap,
            "DTWIN_RECORDER__DATABASE_URL": database,
            "DTWIN_RECORDER__GROUP": f"recorder.{pattern[:40]}",
            "DTWIN_RECORDER__TOPICS": f"^{pattern}\\.int$",
            "DTWIN_RECORDER__PROGRESS_FILE": str(tmp_path / "progress.json"),
        }
        process = start_process(
            [sys.executable, "-m", "adapters.observation_store", "run"],
            log_file=log_file,
            environment=os.environ | settings,
            folder=Path(__file__).parents[3],
        )
        running.append(process)
        deadline = time.monotonic() + 120
        while stored(ask) < before + number:
            assert time.monotonic() < deadline, log_tail(log_file, 20)
            time.sleep(0.1)

    yield record
    for process in running:
        process.kill()


async def test_every_number_of_the_page_and_the_api_is_what_the_topics_hold(
    *,
    new_browser: MakeBrowser,
    site: FastAPI,
    word: Callable[[], str],
    kafka_bootstrap: str,
    recording: Callable[[str, int, Ask], None],
    ask: Ask,
) -> None:
    giver, taker = new_browser(), new_browser()
    provider, system = await with_system(giver, word), await with_system(taker, word, "Car2")
    await site.state.keeper.bring()
    ids = await register(taker, system, ("Speed", "Temperature"))
    given = await register(giver, provider, ("Ice", "Secret"))
    await agree(giver, taker, provider, system, datastreams=f"{provider}.Main.Ice")
    await site.state.keeper.bring()
    topics = (f"{system}.int", f"{provider}.int")
    for topic in topics:
        create_topic(kafka_bootstrap, topic, 2)
    send(kafka_bootstrap, topics[0], ids, 1500, seed=1)
    send(kafka_bootstrap, topics[1], given, 500, seed=2)
    recording(f"({system}|{provider})", 2000, ask)

    sent = from_topics(kafka_bootstrap, *topics)
    shared = f"{provider}.Main.Ice"
    names = sorted([*ids, shared])
    chosen = {**ids, shared: given[shared]}
    time_asked = f"range=custom&start={BEGIN:%Y-%m-%dT%H:%M:%SZ}&end={END:%Y-%m-%dT%H:%M:%SZ}"
    query = f"{time_asked}&show={','.join(str(chosen[name]) for name in names)}"
    answer = (await taker.get(f"/api/v1/systems/{system}/analytics?{query}")).json()
    page = await taker.get(f"/systems/{system}/analytics?{query}")
    shown = Numbers(page.text).rows

    assert [one["name"] for one in answer["datastreams"]] == names
    assert {one["name"]: one["origin"] for one in answer["datastreams"]}[shared] == "contract"
    for one in answer["datastreams"]:
        check_figures(one, [record for record in sent if record.name == one["name"]])
        told_sums = [one["numbers"][key] for key in ("mean", "min", "max")]
        assert shown["analytics-streams", str(one["id"])] == [one["count"], one["per_minute"], *told_sums]
    assert [one["name"] for one in answer["shown"]] == names
    for one in answer["shown"]:
        check_details(one, [record for record in sent if record.name == one["name"]], answer["bucket_s"])
        for part in one["buckets"]:
            row = shown[f"buckets-{one['id']}", str(datetime.fromisoformat(part["start"]).timestamp())]
            assert row == [part[key] for key in ("count", "mean", "min", "max")]
    for table, rows in (
        ("datastreams", [one["numbers"] for one in answer["datastreams"]]),
        ("buckets", [part for one in answer["shown"] for part in one["buckets"]]),
        ("hours", [part for one in answer["shown"] for part in one["hours"]]),
    ):
        file = await taker.get(f"/systems/{system}/analytics/{table}.csv?{query}")
        assert file.headers["content-type"].startswith("text/csv")
        lines = list(csv.DictReader(io.StringIO(file.text)))
        assert [float(line["mean"]) for line in lines] == [row["mean"] for row in rows]
    assert (await giver.get(f"/api/v1/systems/{system}/analytics")).status_code == 404


async def test_what_was_measured_before_a_contract_begins_counts_in_no_number_of_its_receiver(
    new_browser: MakeBrowser, site: FastAPI, word: Callable[[], str], ask: Ask
) -> None:
    giver, taker, both = new_browser(), new_browser(), new_browser()
    provider, system = await with_system(giver, word), await with_system(taker, word, "Car2")
    email = await both.sign_up(word())
    await giver.add(f"/systems/{provider}/members", email=email, role="viewer")
    await taker.add(f"/systems/{system}/members", email=email, role="viewer")
    await site.state.keeper.bring()
    ids = await register(giver, provider, ("Ice", "Rain", "Snow"))
    ice, rain, snow = (f"{provider}.Main.{name}" for name in ("Ice", "Rain", "Snow"))
    begin = START.strftime("%Y-%m-%dT%H:%M:%SZ")
    await agree(giver, taker, provider, system, datastreams=ice, starts_at=begin)
    await agree(giver, taker, provider, system, datastreams=rain)
    await agree(giver, taker, provider, system, datastreams=snow, predicate="result > 0")
    await site.state.keeper.bring()
    stored = measure(ask, ids, (ice, rain, snow))
    from_then_on = [one for one in stored[ice] if one.time >= START]
    assert 0 < len(from_then_on) < len(stored[ice])

    query = f"range=custom&start={BEGIN:%Y-%m-%dT%H:%M:%SZ}&end={END:%Y-%m-%dT%H:%M:%SZ}"
    for browser in (taker, both):  # who sees the giving system too finds the whole there, not here
        answer = (await browser.get(f"/api/v1/systems/{system}/analytics?{query}")).json()
        check_told(answer, {ice: from_then_on, rain: stored[rain], snow: []})
        assert {one["name"]: (one["is_whole"], one["is_stored"]) for one in answer["datastreams"]} == {
            ice: (False, True),
            rain: (True, True),
            snow: (False, False),
        }
    page = await taker.get(f"/systems/{system}/analytics?{query}")
    shown = Numbers(page.text).rows
    numbers = [one.result for one in from_then_on]
    per_minute = len(numbers) / ((END - BEGIN).total_seconds() / 60)
    sums = told(numbers)
    row = [len(numbers), per_minute, sums["mean"], sums["min"], sums["max"]]
    assert shown["analytics-streams", str(ids[ice])] == row
    counts = [row[0] for (table, _), row in shown.items() if table == f"buckets-{ids[ice]}"]
    assert sum(counts) == len(numbers)
    file = await taker.get(f"/systems/{system}/analytics/datastreams.csv?{query}")
    lines = {line["datastream"]: line for line in csv.DictReader(io.StringIO(file.text))}
    assert {name: int(line["count"]) for name, line in lines.items()} == {
        ice: len(from_then_on),
        rain: len(stored[rain]),
        snow: 0,
    }
    last = START - timedelta(seconds=1)
    before = f"range=custom&start={BEGIN:%Y-%m-%dT%H:%M:%SZ}&end={last:%Y-%m-%dT%H:%M:%SZ}"
    earlier = (await taker.get(f"/api/v1/systems/{system}/analytics?{before}&q=ice")).json()
    assert [one["count"] for one in earlier["datastreams"]] == [0]
    for browser in (giver, both):
        answer = (await browser.get(f"/api/v1/systems/{provider}/analytics?{query}")).json()
        check_told(answer, stored)


@pytest.mark.extended
async def test_a_wider_contract_counts_and_one_that_is_over_brings_nothing(
    new_browser: MakeBrowser, site: FastAPI, word: Callable[[], str], ask: Ask
) -> None:
    giver, taker = new_browser(), new_browser()
    provider, system = await with_system(giver, word), await with_system(taker, word, "Car2")
    await site.state.keeper.bring()
    ids = await register(giver, provider, ("Ice",))
    (ice,) = ids
    await agree(giver, taker, provider, system, starts_at=START.strftime("%Y-%m-%dT%H:%M:%SZ"))
    wide = await agree(giver, taker, provider, system, ends_at="2999-01-01T00:00:00Z")
    await site.state.keeper.bring()
    stored = measure(ask, ids, (ice,))
    query = f"range=custom&start={BEGIN:%Y-%m-%dT%H:%M:%SZ}&end={END:%Y-%m-%dT%H:%M:%SZ}"
    address = f"/api/v1/systems/{system}/analytics?{query}"
    check_told((await taker.get(address)).json(), stored)

    async with site.state.sessions() as session:  # its end has come; the service has not been told yet
        over = update(ContractVersion).where(ContractVersion.contract_id == wide)
        await session.execute(over.values(ends_at=datetime.now(UTC) - timedelta(seconds=1)))
        await session.commit()
    check_told((await taker.get(address)).json(), {ice: [one for one in stored[ice] if one.time >= START]})


async def test_a_page_asks_the_service_as_often_for_many_datastreams_as_for_few(
    new_browser: MakeBrowser,
    site: FastAPI,
    word: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    ask: Ask,
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    await site.state.keeper.bring()
    ids = await register(browser, system, ("Speed",))
    read, asked = Gateway.read, []

    async def counted(gateway: Gateway, path: str, query: str, person: str) -> Answer:
        asked.append(path)
        return await read(gateway, path, query, person)

    async def requests() -> int:
        for iot_id in ids.values():
            ask("POST", f"Datastreams({iot_id})/Observations", {"result": 21.5})
        asked.clear()
        page = await browser.get(f"/systems/{system}/analytics?range=24h")
        assert page.status_code == 200, page.text
        assert page.text.count("data-drawn") == min(len(ids), 4)
        return len(asked)

    monkeypatch.setattr(Gateway, "read", counted)
    few = await requests()
    ids = await register(browser, system, tuple(f"S{number}" for number in range(5)), thing="")
    assert len(ids) == 6
    assert await requests() == few == 4


async def test_an_empty_page_and_a_time_without_results_say_what_to_do(
    new_browser: MakeBrowser, site: FastAPI, word: Callable[[], str], ask: Ask
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    await site.state.keeper.bring()
    page = f"/systems/{system}/analytics"
    assert "connect a client app" in (await browser.get(page)).text
    (iot_id,) = (await register(browser, system, ("Speed",))).values()
    assert "No result has arrived yet" in (await browser.get(page)).text
    old = {"phenomenonTime": "2020-05-06T07:08:09Z", "result": 7.5}
    assert ask("POST", f"Datastreams({iot_id})/Observations", old).status_code == 201
    text = (await browser.get(page)).text
    link = re.search(r'href="([^"]+)">show the time around them', text)
    assert link
    around = await browser.get(html.unescape(link[1]))
    assert "1 result of 1 Datastream from" in around.text.replace("\u202f", " ")
    assert '<data value="7.5">' in around.text
    assert "Nothing fits" in (await browser.get(f"{page}?q=nothing")).text
    assert "Main.Speed" in (await browser.get(f"{page}?q=sPeEd")).text


async def test_a_system_whose_data_is_all_new_is_shown_by_minutes_under_an_address_that_says_so(
    new_browser: MakeBrowser, site: FastAPI, word: Callable[[], str], ask: Ask
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    await site.state.keeper.bring()
    (iot_id,) = (await register(browser, system, ("Speed",))).values()
    path = f"/systems/{system}/analytics"
    assert not (await browser.get(path)).url.query, "nothing is there that could be new"
    ask("POST", f"Datastreams({iot_id})/Observations", {"result": 21.5})
    page = await browser.get(f"{path}?q=speed")
    assert dict(page.url.params) == {"range": "1h", "q": "speed"}
    assert "1 bucket of 1 min" in page.text
    assert "1 bucket of 30 min" in (await browser.get(f"{path}?range=24h")).text
    answer = (await browser.get(f"/api/v1{path}")).json()
    assert answer["bucket_s"] == 1800, "programs get the day that the reference promises"
    old = {"phenomenonTime": f"{datetime.now(UTC) - timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}", "result": 7.5}
    ask("POST", f"Datastreams({iot_id})/Observations", old)
    assert not (await browser.get(path)).url.query


async def test_what_cannot_be_shown_is_said_by_page_and_api(
    new_browser: MakeBrowser, site: FastAPI, word: Callable[[], str]
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    await site.state.keeper.bring()
    for query, said in (
        ("range=year", "Choose one of"),
        ("range=custom", "needs a start"),
        ("range=custom&start=2026-01-02T00:00&end=2026-01-01T00:00", "comes after its start"),
        ("show=1,2,3,4,5,6,7", "at most 6"),
        ("show=999999", "no such Datastream"),
    ):
        for address in (f"/systems/{system}/analytics", f"/api/v1/systems/{system}/analytics"):
            answer = await browser.get(f"{address}?{query}")
            assert answer.status_code == 422
            assert said in answer.text


async def test_over_a_long_time_hours_are_left_out_and_buckets_stay_few(
    new_browser: MakeBrowser, site: FastAPI, word: Callable[[], str], ask: Ask
) -> None:
    browser = new_browser()
    system = await with_system(browser, word)
    await site.state.keeper.bring()
    (iot_id,) = (await register(browser, system, ("Speed",))).values()
    rows = [
        [f"{year}-{month:02}-03T00:00:00Z", month] for year in range(2016, 2026) for month in range(1, 13)
    ]
    array = {"Datastream": {"@iot.id": iot_id}, "components": ["phenomenonTime", "result"], "dataArray": rows}
    assert ask("POST", "CreateObservations", [array]).status_code == 201
    query = "range=custom&start=2016-01-01T00:00:00Z&end=2026-01-01T00:00:00Z"
    answer = (await browser.get(f"/api/v1/systems/{system}/analytics?{query}")).json()
    (one,) = answer["shown"]
    assert (answer["has_hours"], one["hours"]) == (False, [])
    assert 1 < len(one["buckets"]) <= 96
    assert sum(part["count"] for part in one["buckets"]) == 120
