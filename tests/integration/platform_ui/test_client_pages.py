"""The pages of one client app on a real database, with topics in memory."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI

from platform_ui.client_logs.reading import Lookback, RememberingReader
from platform_ui.systems.records import TopicRecord
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser


class MemoryTopicReader:
    """Topics in memory."""

    def __init__(self) -> None:
        self.topics: dict[str, list[TopicRecord]] = {}

    def add(self, topic: str, key: str, value: object, at: datetime, **headers: str) -> None:
        records = self.topics.setdefault(topic, [])
        packed = tuple((name.replace("_", "-"), text.encode()) for name, text in headers.items())
        moment = int(at.timestamp() * 1000)
        records.append(
            TopicRecord(topic, 0, len(records), moment, key.encode(), json.dumps(value).encode(), packed)
        )

    def last(self, topic: str, most: int, /) -> Lookback:
        found = self.topics.get(topic, [])
        return Lookback(tuple(found[-most:]), is_whole=len(found) <= most)


@pytest.fixture
def reader(site: FastAPI) -> MemoryTopicReader:
    found = MemoryTopicReader()
    site.state.client_topics = RememberingReader(found)
    return found


@pytest.fixture
async def browser(new_browser: MakeBrowser, word: Callable[[], str]) -> Browser:
    browser = new_browser()
    await browser.sign_up(word())
    return browser


@pytest.fixture
async def system(browser: Browser, word: Callable[[], str]) -> str:
    enterprise = word()
    await browser.add("/companies/new", domain="cz", enterprise=enterprise)
    await browser.add("/systems/new", company=f"cz.{enterprise}", workcenter="Fleet", station="Car1")
    return f"cz.{enterprise}.Fleet.Car1"


@pytest.fixture
async def page(browser: Browser, system: str) -> str:
    answer = await browser.add(f"/systems/{system}/clients/new", name="car_1")
    assert answer.url.path == f"/systems/{system}/clients/car_1", "one lands where it is connected"
    return answer.url.path


def state(word: str, at: datetime) -> dict[str, str]:
    return {"time": at.isoformat(), "client": "car_1", "type": "state", "state": word}


async def test_without_a_broker_the_page_says_that_it_does_not_know(browser: Browser, page: str) -> None:
    assert "not known" in (await browser.get(f"{page}/standing")).text
    shown = (await browser.get(f"{page}/connection")).text
    assert "runs without a broker" in shown
    assert "<title>" in shown, "without a script it is a page"


async def test_a_client_that_fell_silent_is_told_from_one_that_never_spoke(
    browser: Browser, page: str, system: str, reader: MemoryTopicReader
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    reader.add(f"{system}.log", "car_1", state("started", long_ago), long_ago)
    await browser.add(f"/systems/{system}/clients/new", name="car_2")
    assert "standing-silent" in (await browser.get(f"{page}/standing")).text
    other = (await browser.get(f"/api/v1/systems/{system}/clients/car_2/state")).json()
    assert other["standing"] == "never heard"


async def test_a_record_of_a_registered_datastream_counts_as_its_own_and_others_do_not(
    browser: Browser, page: str, system: str, reader: MemoryTopicReader
) -> None:
    at = datetime.now(UTC)
    reader.add(f"{system}.int", f"{system}.Main.Speed", {"result": 80, "phenomenonTime": at.isoformat()}, at)
    reader.add(f"{system}.log", "car_2", {"type": "registered", "datastreams": [f"{system}.Main.Speed"]}, at)
    assert (await browser.get(f"/api/v1{page}/connection")).json()["record"] is None


async def test_a_record_of_the_clients_own_datastream_is_shown_decoded(
    browser: Browser, page: str, system: str, reader: MemoryTopicReader
) -> None:
    at = datetime.now(UTC)
    reader.add(f"{system}.log", "car_1", {"type": "registered", "datastreams": [f"{system}.Main.Speed"]}, at)
    reader.add(f"{system}.int", f"{system}.Main.Speed", {"result": 80, "phenomenonTime": at.isoformat()}, at)
    found = (await browser.get(f"/api/v1{page}/connection")).json()
    assert (found["record"]["thing"], found["record"]["datastream"]) == ("Main", "Speed")
    assert found["record"]["result"] == "80"
    assert found["checks"] == []
    assert f"{system}.Main.Speed" in found["recognised_by"]


async def test_the_first_record_of_a_device_that_says_nothing_counts_while_nobody_else_can_have_sent_it(
    browser: Browser, page: str, system: str, reader: MemoryTopicReader
) -> None:
    at = datetime.now(UTC)
    reader.add(f"{system}.int", f"{system}.Main.Speed", {"result": 80, "phenomenonTime": at.isoformat()}, at)
    part = {"HX-Request": "true"}
    assert "It has arrived" in (await browser.get(f"{page}/connection", **part)).text
    await browser.add(f"/systems/{system}/clients/new", name="car_2")
    shown = (await browser.get(f"{page}/connection", **part)).text
    assert "It has arrived" not in shown, "it may be of the other one"
    assert "1 that this or another client app has sent; the newest: Main.Speed" in shown
    assert (await browser.get(f"/api/v1{page}/connection")).json()["record"] is None


async def test_dead_letters_of_its_datastreams_are_named_with_the_reason(
    browser: Browser, page: str, system: str, reader: MemoryTopicReader
) -> None:
    key = f"{system}.car_1.Air Temperature"
    reader.add(f"{system}.int.dlq", key, {}, datetime.now(UTC), dt_error="record.no_time")
    shown = (await browser.get(f"{page}/connection", **{"HX-Request": "true"})).text
    assert "1 among the dead letters; the newest: record.no_time" in shown


async def test_the_description_can_be_changed_and_the_name_cannot(browser: Browser, page: str) -> None:
    answer = await browser.add(f"{page}/settings", description="On the roof", name="other")
    assert answer.url.path == f"{page}/settings"
    assert "On the roof" in (await browser.get(page)).text
    refused = await browser.add(f"{page}/settings", description="x" * 2000)
    assert refused.status_code == 422
    assert "At most 1024 characters" in refused.text
    assert (await browser.get(f"/api/v1{page}")).json()["name"] == "car_1"


async def test_a_filter_that_cannot_be_read_is_said_at_its_field(browser: Browser, page: str) -> None:
    shown = await browser.get(f"{page}/logs?since=yesterday")
    assert shown.status_code == 200
    assert 'id="since-error"' in shown.text
