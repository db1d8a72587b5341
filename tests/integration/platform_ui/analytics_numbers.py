"""Numbers on a test's own account: records that are sent or stored, and what pages have to tell of them.

What lives here: making records, adding them up, reading the numbers of a page. What does not: the tests
(``test_analytics``), what runs for them.
"""

import itertools
import json
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, NamedTuple

import httpx2
from confluent_kafka import Producer

from benchmarks.measuring.topics import read_committed
from client.messaging.records import new_record_id
from tests.integration.platform_ui.agreements import call
from tests.integration.platform_ui.doubles import Browser
from tests.kafka_clients import connection

BEGIN = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # a Monday, so that days and hours change on the way
END = BEGIN + timedelta(hours=26)
START = BEGIN + timedelta(hours=10, minutes=17)
AROUND = (-300, -60, -1, 0, 1, 60, 300)
"""Minutes from the start of a contract at which something is measured."""
Ask = Callable[..., httpx2.Response]


class Sent(NamedTuple):
    """A record of a topic, as the test reads it."""

    name: str
    time: datetime
    result: Any


async def register(
    browser: Browser, system: str, names: tuple[str, ...], thing: str = "Main"
) -> dict[str, int]:
    """Register Datastreams, and their placed Thing if it is named; return all their ids by full name."""
    if thing:
        body = {"name": thing, "description": "The car", "latitude": 47.8, "longitude": 13.05}
        assert (await call(browser, "POST", f"/systems/{system}/things", body)).status_code == 201
    for name in names:
        body = {
            "thing": "Main",
            "name": name,
            "description": "d",
            "sensor": "S",
            "unit": "Cel",
            "observed_property": name,
            "observation_type": "OM_Measurement",
        }
        answer = await call(browser, "POST", f"/systems/{system}/datastreams", body)
        assert answer.status_code == 201, answer.text
    things = (await browser.get(f"/api/v1/systems/{system}/things")).json()["items"]
    return {one["name"]: one["id"] for one in things[0]["datastreams"]}


def send(bootstrap: str, topic: str, ids: dict[str, int], number: int, seed: int) -> None:
    """Send results of all kinds at random times around the one that is looked at."""
    chance = random.Random(seed)
    producer = Producer({**connection(bootstrap), "log_level": 0})
    for count in range(number):
        name = chance.choice(sorted(ids))
        moment = BEGIN - timedelta(hours=1) + timedelta(seconds=chance.randrange(28 * 3600))
        result: Any = "off" if count % 50 == 7 else True if count % 50 == 9 else chance.gauss(10, 40)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        value = {"phenomenonTime": stamp, "resultTime": stamp, "result": result}
        value["Datastream"] = {"@iot.id": ids[name]}
        headers: list[tuple[str, str | bytes | None]] = [("dt-id", new_record_id().encode())]
        producer.produce(topic, json.dumps(value).encode(), name, headers=headers)
    assert producer.flush(60) == 0


def from_topics(bootstrap: str, *topics: str) -> list[Sent]:
    """Return what the topics hold of the time that is looked at."""
    found = []
    for message in itertools.chain.from_iterable(read_committed(bootstrap, topic) for topic in topics):
        value = json.loads(message.value() or b"")
        moment = datetime.fromisoformat(value["phenomenonTime"])
        found.append(Sent((message.key() or b"").decode(), moment, value["result"]))
    return [one for one in found if BEGIN <= one.time <= END]


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def told(results: list[float]) -> dict[str, Any]:
    """Sum up numbers, on the test's own account."""
    return {
        "count": len(results),
        "mean": math.fsum(results) / len(results),
        "min": min(results),
        "max": max(results),
    }


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether counts, lowest and highest are equal; a mean may differ by the order of adding up."""
    exact = all(one[key] == other[key] for key in ("count", "min", "max"))
    return exact and math.isclose(one["mean"], other["mean"], rel_tol=1e-12, abs_tol=1e-12)


def check_figures(one: dict[str, Any], sent: list[Sent]) -> None:
    """Compare what is told of a Datastream with its records."""
    newest = max(record.time for record in sent)
    assert len(sent) > 100
    assert one["count"] == len(sent)
    assert math.isclose(one["per_minute"], len(sent) / ((END - BEGIN).total_seconds() / 60), rel_tol=1e-12)
    assert datetime.fromisoformat(one["last"]["phenomenon_time"]) == newest
    assert one["last"]["result"] in [record.result for record in sent if record.time == newest]
    assert is_same(one["numbers"], told([record.result for record in sent if is_number(record.result)]))
    assert (one["place"]["latitude"], one["place"]["longitude"]) == (47.8, 13.05)


def check_details(one: dict[str, Any], sent: list[Sent], bucket_s: int) -> None:
    """Compare buckets and hours of a Datastream with its records."""
    buckets: dict[datetime, list[float]] = defaultdict(list)
    hours: dict[tuple[int, int], list[float]] = defaultdict(list)
    epoch, bucket = datetime.fromtimestamp(0, UTC), timedelta(seconds=bucket_s)
    for record in sent:
        if is_number(record.result):
            buckets[epoch + (record.time - epoch) // bucket * bucket].append(record.result)
            hours[record.time.isoweekday(), record.time.hour].append(record.result)
    assert {datetime.fromisoformat(part["start"]) for part in one["buckets"]} == set(buckets)
    for part in one["buckets"]:
        assert is_same(part, told(buckets[datetime.fromisoformat(part["start"])]))
    assert {(part["weekday"], part["hour"]) for part in one["hours"]} == set(hours)
    assert all(is_same(part, told(hours[part["weekday"], part["hour"]])) for part in one["hours"])


class Numbers(HTMLParser):
    """Reads the numbers of a page: rows of `data` by what the row belongs to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._table, self._row = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self._table = str(given.get("id") or given.get("class") or "")
        if tag == "tr":
            self._row = str(given.get("data-datastream") or given.get("data-start") or "")
        if tag == "data":
            self.rows[self._table, self._row].append(float(given["value"] or "nan"))


def measure(ask: Ask, ids: dict[str, int], names: Iterable[str]) -> dict[str, list[Sent]]:
    """Store results before, at and after ``START``; return them by Datastream."""
    stored = {}
    for place, name in enumerate(names):
        stored[name] = [
            Sent(name, START + timedelta(minutes=minutes), minutes + 1000.0 * place) for minutes in AROUND
        ]
        rows = [[one.time.strftime("%Y-%m-%dT%H:%M:%SZ"), one.result] for one in stored[name]]
        array = {
            "Datastream": {"@iot.id": ids[name]},
            "components": ["phenomenonTime", "result"],
            "dataArray": rows,
        }
        assert ask("POST", "CreateObservations", [array]).status_code == 201
    return stored


def check_told(answer: dict[str, Any], shared: dict[str, list[Sent]]) -> None:
    """Compare every number of an answer with what is shared."""
    told_of = {one["name"]: one for one in answer["datastreams"]}
    for name, sent in shared.items():
        one = told_of[name]
        newest = max((record.time for record in sent), default=None)
        assert one["count"] == len(sent)
        assert one["per_minute"] == len(sent) / ((END - BEGIN).total_seconds() / 60)
        assert (one["last"] and datetime.fromisoformat(one["last"]["phenomenon_time"])) == newest
        assert one["numbers"] == (told([record.result for record in sent]) if sent else None)
    for one in answer["shown"]:
        check_details(one, shared[one["name"]], answer["bucket_s"])
    assert {one["name"] for one in answer["shown"]} == {name for name, sent in shared.items() if sent}
