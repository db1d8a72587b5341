"""How fast: the library's own bulk helper, the sink, and the way of one record to where it can be found."""

import threading
import time
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from confluent_kafka import Producer

from adapters.elasticsearch.connection import ElasticsearchAddress, connect
from adapters.elasticsearch.documents import document, document_id, document_tail
from adapters.elasticsearch.schema import Kind, Shape, index_template, read_server
from benchmarks.elasticsearch.content import ask
from benchmarks.elasticsearch.site import Site
from benchmarks.measuring.topics import read_committed
from client.messaging.records import HEADER_ID, new_record_id
from client.metadata.observations import observation_value
from client.metadata.times import format_time
from elasticsearch.helpers import parallel_bulk
from streamhub.engine.sinks.reading import read_marks, read_record

_THREADS: Final = 3
_CHUNK: Final = 5_000
_LONGEST_S: Final = 300.0
_WARM_UP: Final = 50_000


def raw_rate(site: Site, name: str) -> float:
    """Index the documents of a topic by `helpers.parallel_bulk`; gives documents per second.

    The documents are made before the clock starts.
    """
    client = connect(ElasticsearchAddress(url=site.url), connections=_THREADS, timeout_s=_LONGEST_S)
    index = f"raw-{name}"
    template = index_template(
        site.system, read_server(ask(site.url, "GET", "/")), Kind.DATED, Shape(replicas=0)
    )
    ask(site.url, "PUT", f"/{index}", {name: template["template"][name] for name in ("settings", "mappings")})
    actions = [
        {"_op_type": "create", "_index": index, "_id": identifier, "_source": fields}
        for identifier, fields in _documents(site)
    ]
    if name == "warm":
        del actions[_WARM_UP:]
    started = time.monotonic()
    done = sum(
        is_done
        for is_done, _ in parallel_bulk(
            client, iter(actions), thread_count=_THREADS, chunk_size=_CHUNK, raise_on_error=False
        )
    )
    seconds = time.monotonic() - started
    ask(site.url, "DELETE", f"/{index}")
    client.close()
    if done != len(actions):
        raise SystemExit(f"parallel_bulk indexed {done} of {len(actions)} documents")
    return done / seconds


def _documents(site: Site) -> Iterator[tuple[str, dict[str, Any]]]:
    tails: dict[str, bytes] = {}
    for message in read_committed(site.bootstrap, site.topic):
        reading = read_record(message, read_marks(message))  # type: ignore[arg-type] # it has a topic
        if reading.name not in tails:
            tails[reading.name] = document_tail(reading.name, reading.owner, site.topic, None)
        dt_id = str(reading.dt_id)
        fields = orjson.loads(document(reading, dt_id, tails[reading.name]))
        yield document_id(reading, dt_id), fields


def sink_rate(site: Site, number: int) -> float:
    """Run the sink over a topic; gives documents per second, from the first acknowledged bulk on."""
    site.start()
    first: tuple[float, int] | None = None
    deadline = time.monotonic() + _LONGEST_S
    while True:
        indexed, now = _indexed(site), time.monotonic()
        if indexed and first is None:
            first = now, indexed
        if first is not None and indexed >= number:
            site.wait_until_committed()
            return (indexed - first[1]) / (now - first[0])
        if now > deadline:
            raise SystemExit(f"{indexed} documents of {number}\n{site.log()}")
        time.sleep(0.02)


def _indexed(site: Site) -> int:
    try:
        stats = ask(site.url, "GET", f"/{site.alias}/_stats/indexing")
    except urllib.error.HTTPError:
        return 0
    return int(stats["_all"]["primaries"].get("indexing", {}).get("index_total", 0))


def steady_latency(site: Site, rate: int, seconds: float) -> list[float]:
    """Produce at a steady rate; gives the times from produce to searchable, ascending [s]."""
    site.start()
    total = int(rate * seconds)
    produced: list[float] = []
    sender = threading.Thread(target=_produce, args=(site, rate, total, produced), daemon=True)
    # The sink is up before the first record counts.
    _send(Producer({"bootstrap.servers": site.bootstrap}), site, -1).flush()
    _wait_for(site, 1)
    sender.start()
    seen: list[float] = []
    deadline = time.monotonic() + seconds + _LONGEST_S
    while len(seen) < total:
        found, now = _wait_for(site, 0), time.monotonic()
        seen += [now] * (found - 1 - len(seen))
        if now > deadline:
            raise SystemExit(f"{len(seen)} of {total} records can be found\n{site.log()}")
        time.sleep(0.02)
    sender.join()
    # Both sides in their order: the sink keeps it within a second, the figures are of all records together.
    return sorted(found - sent for sent, found in zip(produced, seen, strict=True))


def _produce(site: Site, rate: int, total: int, produced: list[float]) -> None:
    producer = Producer({"bootstrap.servers": site.bootstrap, "linger.ms": 5})
    started = time.monotonic()
    for number in range(total):
        pause = started + number / rate - time.monotonic()
        if pause > 0:
            producer.poll(pause)
        produced.append(time.monotonic())
        _send(producer, site, number)
    producer.flush()


def _send(producer: Producer, site: Site, number: int) -> Producer:
    now = format_time(datetime.now(UTC))
    value = observation_value(
        phenomenon_time=now, result_time=now, result=number, datastream_id=1, attributes={}
    )
    headers: list[tuple[str, str | bytes | None]] = [(HEADER_ID, new_record_id())]
    producer.produce(site.topic, value, f"{site.system}.Mill1.Speed", headers=headers)
    return producer


def _wait_for(site: Site, number: int) -> int:
    deadline = time.monotonic() + _LONGEST_S
    while True:
        try:
            found = int(ask(site.url, "GET", f"/{site.alias}/_count")["count"])
        except urllib.error.HTTPError:
            found = 0
        if found >= number:
            return found
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing was indexed\n{site.log()}")
        time.sleep(0.05)
