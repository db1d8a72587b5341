"""The demo of cars, stations and analysts, whole: cars speak MQTT, and every number is that of the topics."""

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from client.messaging.topics import SystemName
from tests.acceptance.calls import ask
from tests.acceptance.demo import Demo, read, wait_for
from tests.acceptance.starting import EXTENDED, running_demo
from tests.acceptance.test_explorer import picture
from tests.acceptance.test_trust import log_in

CAR1 = SystemName.parse("cz.icecars.iot4cps-wp5-CarFleet.Car1")
CAR2 = SystemName.parse("cz.icecars.iot4cps-wp5-CarFleet.Car2")
ANALYSTS = SystemName.parse("at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics")
LONG_S = 40

pytestmark = [*EXTENDED, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo with Elasticsearch and MQTT."""
    with running_demo(tmp_path_factory.mktemp("analytics") / "home", "--analytics", "--mqtt") as running:
        yield running


def results(demo: Demo, start: datetime, end: datetime, *topics: str) -> dict[str, list[float]]:
    """Return the results of a time by Datastream, each record once."""
    found: dict[str, list[float]] = defaultdict(list)
    seen = set()
    for topic in topics:
        for _, name, value, headers in read(demo, topic):
            is_there = start <= datetime.fromisoformat(str(value["phenomenonTime"])) <= end
            if is_there and headers["dt-id"] not in seen:
                seen.add(headers["dt-id"])
                found[name].append(float(str(value["result"])))
    return found


def told(numbers: list[float]) -> dict[str, Any]:
    """Sum them up."""
    mean = math.fsum(numbers) / len(numbers)
    return {"count": len(numbers), "mean": mean, "min": min(numbers), "max": max(numbers)}


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether counts, lowest and highest are equal; a mean may differ by the order of adding up."""
    exact = all(one[key] == other[key] for key in ("count", "min", "max"))
    return exact and math.isclose(one["mean"], other["mean"], rel_tol=1e-12, abs_tol=1e-12)


def in_elasticsearch(demo: Demo, start: datetime, end: datetime) -> dict[str, dict[str, Any]]:
    """Let Elasticsearch sum up the same time by Datastream."""
    numbers = {kind: {kind: {"field": "result"}} for kind in ("avg", "min", "max")}
    body = {
        "size": 0,
        # With all digits: Elasticsearch takes what is missing at an upper end as the end of that second.
        "query": {"range": {"@timestamp": {"gte": _exact(start), "lte": _exact(end)}}},
        "aggs": {"names": {"terms": {"field": "name", "size": 100}, "aggs": numbers}},
    }
    answer = httpx2.post(f"{demo.elasticsearch}/dtwin-{ANALYSTS}/_search".lower(), json=body, timeout=60)
    assert answer.status_code == httpx2.codes.OK, answer.text
    return {
        bucket["key"]: {
            "count": bucket["doc_count"],
            "mean": bucket["avg"]["value"],
            "min": bucket["min"]["value"],
            "max": bucket["max"]["value"],
        }
        for bucket in answer.json()["aggregations"]["names"]["buckets"]
    }


def _exact(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def test_every_number_of_the_analysts_is_what_the_topics_hold(demo: Demo, page: Page) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    end = start + timedelta(seconds=LONG_S)
    time.sleep(LONG_S + 6)  # what the cars sent until then has arrived, also where it is joined
    log_in(page, "anna.gruber")
    path = f"/systems/{ANALYSTS}/analytics"
    query = f"?range=custom&start={start:%Y-%m-%dT%H:%M:%SZ}&end={end:%Y-%m-%dT%H:%M:%SZ}"

    received = results(demo, start, end, ANALYSTS.topics.external)
    own = {name: told(found) for name, found in received.items()}
    assert len(own) >= 4, sorted(own)
    wait_for(lambda: in_elasticsearch(demo, start, end).keys() == own.keys())
    wait_for(lambda: all(is_same(one, own[name]) for name, one in in_elasticsearch(demo, start, end).items()))

    # The page shows whole Datastreams: the cars' own topics, and what was computed for the analysts.
    sent = results(demo, start, end, CAR1.topics.internal, CAR2.topics.internal)
    computed = {name: found for name, found in received.items() if name.startswith(f"{ANALYSTS}.")}
    assert computed
    whole = {name: told(found) for name, found in (sent | computed).items()}
    answer = ask(page.request, f"/api/v1{path}{query}")
    figures = {one["name"]: one for one in answer["datastreams"] if one["count"]}
    assert figures.keys() == whole.keys()
    minutes = LONG_S / 60
    for name, one in figures.items():
        assert is_same(one["numbers"], whole[name]), (name, one["numbers"], whole[name])
        assert one["count"] == whole[name]["count"]
        assert math.isclose(one["per_minute"], one["count"] / minutes)
    for shown in answer["shown"]:
        counts = sum(bucket["count"] for bucket in shown["buckets"])
        assert counts == sum(hour["count"] for hour in shown["hours"]) == whole[shown["name"]]["count"]

    page.goto(f"{path}{query}")
    for name, one in whole.items():
        row = page.locator(f'tr[data-datastream="{figures[name]["id"]}"]').first
        values = [float(cell.get_attribute("value") or "nan") for cell in row.locator("data").all()]
        assert values[0] == one["count"], name
        assert {one["min"], one["max"]} <= set(values), (name, values)
    expect(page.locator("h1")).to_have_count(1)
    picture(page, "analytics")
