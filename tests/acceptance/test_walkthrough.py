"""The first command of the README as a person lives it: watch records cross companies, stop and start an app.

The whole stack runs as `dtwin demo` starts it, in a home of its own. At the end the topics themselves are
asked whether any record is missing or doubled; the browser's rows are no proof of that.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from playwright.sync_api import Page, expect, sync_playwright

from client.messaging.topics import SystemName
from setup.local.ports import any_free_port

CLONE = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CAR1 = SystemName.parse("cz.icecars.iot4cps-wp5-CarFleet.Car1")
STATIONS = SystemName.parse("is.iceland.iot4cps-wp5-WeatherService.Stations")
COLD = 15.0
READY_TIMEOUT_S = 240.0

pytestmark = [
    pytest.mark.browser,
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt install chromium"),
]


@dataclass(frozen=True)
class Demo:
    platform: str
    kafka: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("demo") / "home"
    ports = {f"DTWIN_{part}__PORT": str(any_free_port()) for part in ("KAFKA", "SENSORTHINGS", "PLATFORM")}
    given = ("DTWIN_KAFKA__BOOTSTRAP_SERVERS", "DTWIN_POSTGRES__URL", "DTWIN_SENSORTHINGS__URL")
    environment = {name: value for name, value in os.environ.items() if name not in given} | ports
    log = home.parent / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "setup", "demo", "--no-browser", "--purge"],
            env=environment | {"DTWIN_HOME": str(home)},
            cwd=CLONE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait_until_introduced(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=90)
    assert not home.exists(), "--purge left data"


def _wait_until_introduced(process: subprocess.Popen[bytes], log: Path) -> Demo:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        said = log.read_text(encoding="utf-8", errors="replace")
        platform = re.search(r"Platform\s+(http\S+)", said)
        kafka = re.search(r"Kafka\s+(\S+:\d+)", said)
        if "The stack runs" in said and platform and kafka and "crossed from one company" in said:
            return Demo(platform[1], kafka[1])
        time.sleep(0.2)
    pytest.fail(f"the demo did not come up:\n{log.read_text(encoding='utf-8', errors='replace')}")


@pytest.fixture
def page(demo: Demo) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        context = browser.new_context(base_url=demo.platform, viewport={"width": 1280, "height": 900})
        yield context.new_page()
        browser.close()


def test_sue_watches_stops_and_starts_and_no_record_is_missing_or_doubled(page: Page, demo: Demo) -> None:
    page.goto("/")
    page.get_by_label("E-mail address").fill("sue.smith@example.com")
    page.get_by_label("Password").fill("asdf")
    page.get_by_role("button", name="Log in").click()
    for system in (CAR1, SystemName.parse(f"{CAR1.company}.iot4cps-wp5-CarFleet.Car2")):
        expect(page.get_by_role("link", name=str(system)).first).to_be_visible()

    page.get_by_role("link", name=str(CAR1)).first.click()
    rows = page.locator("[data-tail-rows] tr")
    expect(rows.filter(has_text="Air Temperature").first).to_contain_text("°C", timeout=20_000)
    page.get_by_role("tab", name="Shared with us").click()
    expect(rows.filter(has_text="weather2car1 of Stations").first).to_contain_text("°C", timeout=20_000)
    pictures = os.environ.get("DTWIN_TEST_SCREENSHOTS")
    if pictures:
        page.screenshot(path=f"{pictures}/live-records.png")

    page.get_by_role("link", name="weather2car1").first.click()
    page.get_by_role("button", name="Stop").click()
    state = page.locator("#app-state .app-bar .state")
    expect(state).to_have_text("stopped", timeout=30_000)
    stopped_at = _end_offsets(demo, CAR1.topics.external)
    source_then = _end_offsets(demo, STATIONS.topics.internal)
    _wait_for(lambda: sum(_end_offsets(demo, STATIONS.topics.internal)) > sum(source_then) + 3)
    assert _end_offsets(demo, CAR1.topics.external) == stopped_at, "records arrived while the app was stopped"
    if pictures:
        page.screenshot(path=f"{pictures}/app-stopped.png")

    page.get_by_role("button", name="Start").click()
    expect(state).to_have_text("running", timeout=60_000)
    wanted = set(_matching(demo))  # the stations go on producing, so the question is fixed first
    _wait_for(lambda: wanted <= set(_forwarded_of(demo)), timeout_s=60.0)
    origins = _forwarded_of(demo)
    assert len(origins) == len(set(origins)) >= len(wanted) > 0, "a record was doubled"
    assert set(origins) <= set(_matching(demo)), "a record arrived that the statement does not ask for"
    if pictures:
        page.screenshot(path=f"{pictures}/app-running.png")


def _wait_for(holds: Callable[[], bool], timeout_s: float = 40.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"did not happen within {timeout_s} s"
        time.sleep(0.3)


def _end_offsets(demo: Demo, topic: str) -> list[int]:
    return [high for _, high in _bounds(demo, topic)]


def _bounds(demo: Demo, topic: str) -> list[tuple[int, int]]:
    reader = _consumer(demo)
    try:
        partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
        return [
            reader.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in partitions
        ]
    finally:
        reader.close()


def _consumer(demo: Demo) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": demo.kafka,
            "group.id": "walkthrough-verifier",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )


def _read(demo: Demo, topic: str) -> list[tuple[str, str, dict[str, object], dict[str, str]]]:
    """Return all committed records of a topic: position, key, value, headers."""
    reader = _consumer(demo)
    partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
    reader.assign([TopicPartition(topic, number, 0) for number in partitions])
    records, ended = [], 0
    try:
        while ended < len(partitions):
            message = reader.poll(10)
            assert message is not None, f"{topic} could not be read to its end"
            if message.error():
                ended += 1  # the end of a partition
                continue
            headers = {
                name: value.decode()
                for name, value in dict(message.headers() or []).items()
                if isinstance(value, bytes)
            }
            position = f"{topic}/{message.partition()}/{message.offset()}"
            name = (message.key() or b"").decode()
            records.append((position, name, json.loads(message.value() or b"{}"), headers))
    finally:
        reader.close()
    return records


def _matching(demo: Demo) -> list[str]:
    """Return the positions of the stations' records that the app's statement asks for, by arithmetic."""
    return sorted(
        position
        for position, name, value, _ in _read(demo, STATIONS.topics.internal)
        if name.split(".")[4] == "Seattle" and float(str(value["result"])) < COLD
    )


def _forwarded_of(demo: Demo) -> list[str]:
    """Return where the records that the app has written come from, one entry a record."""
    return sorted(
        headers["dt-origin"]
        for _, _, _, headers in _read(demo, CAR1.topics.external)
        if headers.get("dt-app", "").endswith(".weather2car1")
    )
