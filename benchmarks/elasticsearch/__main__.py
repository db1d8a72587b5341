"""`python -m benchmarks.elasticsearch --records 1000000`: index, crash on the way, compare both sides.

Starts a broker and an Elasticsearch of its own, or uses given ones. Three parts, each on a system of its own:
the rate of the sink against `helpers.parallel_bulk` with the same documents; the time from produce to
searchable at a steady rate; and `--records` records with the sink killed and Elasticsearch restarted on the
way, whose count and hash must be those of the topic. Exit code 1 on any difference.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.elasticsearch.content import ask, count, index_content, topic_content
from benchmarks.elasticsearch.rates import raw_rate, sink_rate, steady_latency
from benchmarks.elasticsearch.site import Site
from benchmarks.measuring.broker import end_in_order_when_terminated
from setup.local.elasticsearch import LocalElasticsearch
from setup.local.kafka import LocalKafka

_START_S: Final = 120.0
_STUCK_S: Final = 120.0
_LEAST_RATE: Final = 20_000.0
_LEAST_RATIO: Final = 0.8


class ElasticsearchRun:
    """One run, from the first topic to the verdict."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given = given
        self._folder = folder
        self._kafka = LocalKafka(folder / "kafka", is_protected=False)
        self._node = LocalElasticsearch(folder / "elasticsearch", heap_mb=given.heap_mb)
        self._chance = random.Random(given.seed)

    def run(self) -> bool:
        """Do it; gives whether topics and indices are equal."""
        self._kafka.start()
        self._node.start()
        try:
            self._kafka.wait_ready(_START_S)
            self._node.wait_ready(_START_S)
            parts = self._given.parts.split(",")
            is_equal = True
            if "rate" in parts:
                is_equal = self._rate() and is_equal
            if "latency" in parts:
                self._latency()
            if "crash" in parts:
                is_equal = self._crash() and is_equal
            return is_equal
        finally:
            self._node.stop()
            self._kafka.stop()

    def _site(self, station: str, **settings: str) -> Site:
        return Site(self._kafka.bootstrap_servers, self._node.url, station, self._folder, **settings)

    def _rate(self) -> bool:
        site, number = self._site("Rate"), self._given.rate_records
        site.fill(number, repeat=0.0)
        raws = [raw_rate(site, "warm"), raw_rate(site, "first")]
        ours = sink_rate(site, number)
        raws.append(raw_rate(site, "second"))
        is_equal = self._compare(site)
        raw = sum(raws[1:]) / 2
        print(f"  {'parallel_bulk':22} {raws[1]:,.0f} and {raws[2]:,.0f} documents/s")
        print(f"  {'sink':22} {ours:,.0f} documents/s, {ours / raw:.2f} of parallel_bulk")
        is_enough = ours >= min(_LEAST_RATE, _LEAST_RATIO * raw)
        print(f"  {'aim':22} {'reached' if is_enough else 'MISSED'}: 20,000/s, or 0.8 of parallel_bulk")
        site.remove()
        return is_equal

    def _latency(self) -> None:
        site = self._site("Latency", REFRESH_INTERVAL=self._given.refresh_interval)
        latencies = steady_latency(site, self._given.rate, self._given.seconds)
        middle, late = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.95)]
        rate, refresh = self._given.rate, self._given.refresh_interval
        print(f"  {'latency':22} {len(latencies):,} records at {rate}/s, a refresh every {refresh}")
        print(f"  {'produce to searchable':22} p50 {middle:.2f} s, p95 {late:.2f} s", flush=True)
        site.remove()

    def _crash(self) -> bool:
        site, given = self._site("Crash"), self._given
        written = site.fill(given.records, repeat=0.01)
        print(
            f"  {'crash':22} {written:,} records, {written - given.records:,} of them sent twice", flush=True
        )
        events = [("kill", self._when()) for _ in range(given.kills)]
        events += [("restart", self._when()) for _ in range(given.restarts)]
        events.sort(key=lambda event: event[1])
        started = moved = time.monotonic()
        last = 0
        site.start()
        while last < given.records:
            time.sleep(0.1)
            found = count(site.url, site.alias)
            if found > last:
                last, moved = found, time.monotonic()
            if events and found >= events[0][1]:
                self._disturb(site, *events.pop(0))
            if time.monotonic() - moved > _STUCK_S:
                print(site.log())
                raise SystemExit("the sink does not move any more")
        seconds = time.monotonic() - started
        site.wait_until_committed()
        rate = written / seconds
        print(f"  {'crash':22} {seconds:.1f} s, {rate:,.0f}/s with starts and pauses")
        return self._compare(site)

    def _when(self) -> int:
        return int(self._chance.uniform(0.05, 0.9) * self._given.records)

    def _disturb(self, site: Site, event: str, _at: int) -> None:
        # Anywhere in the bulks that follow.
        time.sleep(self._chance.uniform(0.0, 0.5))
        print(f"  {event:22} after {count(site.url, site.alias):,} documents", flush=True)
        if event == "kill":
            site.kill()
            site.start()
        else:
            self._node.kill()
            time.sleep(2)
            self._node.start()
            self._node.wait_ready(_START_S)

    def _compare(self, site: Site) -> bool:
        ask(site.url, "POST", f"/{site.alias}/_refresh")
        before = topic_content(site.bootstrap, [site.topic])
        after = index_content(site.url, site.alias)
        print(f"  {'topic':22} {before.number:,} {before.digest[:32]}")
        print(f"  {'index':22} {after.number:,} {after.digest[:32]}")
        print(f"  {'verdict':22} {'equal' if before == after else 'DIFFERENT'}", flush=True)
        return before == after


def main() -> None:
    given = _parse()
    end_in_order_when_terminated()
    with tempfile.TemporaryDirectory(prefix="dtwin-elasticsearch-", ignore_cleanup_errors=True) as folder:
        os.environ.pop("DTWIN_SENSORTHINGS__URL", None)
        sys.exit(0 if ElasticsearchRun(given, Path(folder)).run() else 1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elasticsearch", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="of the part with crashes")
    parser.add_argument("--kills", type=int, default=1, help="of the sink")
    parser.add_argument("--restarts", type=int, default=1, help="of Elasticsearch")
    parser.add_argument("--rate-records", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=500, help="records per second of the latency part")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the latency part")
    parser.add_argument("--refresh-interval", default="1s")
    parser.add_argument("--heap-mb", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=20260102)
    parser.add_argument("--parts", default="rate,latency,crash")
    return parser.parse_args()


if __name__ == "__main__":
    main()
