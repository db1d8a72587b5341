"""`python -m benchmarks.latency --rate 2000 --seconds 30`: from produce to a read-committed consumer.

A paced producer writes the time of sending into every record; the consumer, a process of its own, subtracts
it. Our app and the raw transactional loop run one after another with the same commit interval; a committed
record has waited for half an interval on average. A pair of the join counts from its later record. The first
seconds are not counted.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import Producer

from benchmarks.filter import records as filter_records
from benchmarks.join import records as join_records
from benchmarks.measuring.broker import add_broker_option, benchmark_broker
from benchmarks.measuring.programs import StreamApp
from benchmarks.measuring.topics import create_topic, delete_topics
from streamhub.specification import StreamAppSpecification

WARM_UP_S: Final = 5.0
_TAIL_S: Final = 1.5
_END_S: Final = 20.0
_SHORTEST_SLEEP_S: Final = 0.0002
Figures = dict[str, float]


class Latency:
    """Measures one program at one commit interval.

    Args:
        bootstrap: Kafka addresses.
        kind: `filter` or `join`.
        rate: Records per second.
        seconds: How long to measure [s].
    """

    def __init__(self, bootstrap: str, kind: str, rate: float, seconds: float) -> None:
        self._bootstrap = bootstrap
        self._kind = kind
        self._rate = rate
        self._seconds = seconds

    def measure(self, program: str, commit_interval_s: float) -> Figures:
        """Run one program between two new topics."""
        mark = uuid.uuid4().hex[:8]
        source, target = f"at.bench.Mill.S{mark}", f"at.bench.Road.T{mark}"
        topics = [f"{source}.int", f"{target}.ext", f"{source}.int.dlq"]
        for topic in topics:
            create_topic(self._bootstrap, topic)
        running = self._app if program == "ours" else self._raw
        try:
            with running(source, target, commit_interval_s):
                reader = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "benchmarks.latency.reader", "--topic", topics[1]),
                        *("--bootstrap-server", self._bootstrap),
                    ],
                    stdout=subprocess.PIPE,
                )
                try:
                    self._produce(source)
                    time.sleep(_TAIL_S)
                finally:
                    reader.terminate()
                    output, _ = reader.communicate(timeout=_END_S)
        finally:
            delete_topics(self._bootstrap, topics)
        figures: Figures = json.loads(output)
        if figures["count"] < self._rate * self._seconds / 10:
            raise SystemExit(f"{program} {self._kind}: only {figures['count']:,.0f} records came out")
        return figures

    @contextlib.contextmanager
    def _app(self, source: str, target: str, commit_interval_s: float) -> Iterator[None]:
        specification = StreamAppSpecification(
            name="latency",
            source_system=source,
            target_system=target,
            statement=self._statement(source),
            bootstrap_servers=self._bootstrap,
            commit_interval_s=commit_interval_s,
        )
        with StreamApp(specification.to_json()) as app:
            app.wait_running()
            yield
            app.end()

    @contextlib.contextmanager
    def _raw(self, source: str, target: str, commit_interval_s: float) -> Iterator[None]:
        command = [
            *(sys.executable, "-m"),
            "benchmarks.filter.raw_loop" if self._kind == "filter" else "benchmarks.latency.raw_join",
            *(
                "--bootstrap-server",
                self._bootstrap,
                "--source",
                f"{source}.int",
                "--target",
                f"{target}.ext",
            ),
            *("--commit-interval", str(commit_interval_s)),
        ]
        if self._kind == "filter":
            command += ["--limit", str(filter_records.LIMIT), "--endless"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            yield
            process.terminate()
            if process.wait(_END_S) != 0:
                raise SystemExit(f"the raw loop ended with exit code {process.returncode}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _statement(self, source: str) -> str:
        if self._kind == "filter":
            return f"SELECT * FROM * WHERE result < {filter_records.LIMIT};"  # noqa: S608 - not SQL
        statement = join_records.statement([source], 1)
        return statement.replace(" FROM ", ", l.sent AS left_sent, r.sent AS right_sent FROM ", 1)

    def _produce(self, source: str) -> None:
        producer = Producer({"bootstrap.servers": self._bootstrap, "linger.ms": 0, "acks": "all"})
        make = self._filter_value if self._kind == "filter" else self._join_value
        things = "Spindle"
        keys = [f"{source}.{things}.{quantity}".encode() for quantity in join_records.QUANTITIES]
        started = time.monotonic()
        for number in range(int((WARM_UP_S + self._seconds) * self._rate)):
            ahead = started + number / self._rate - time.monotonic()
            if ahead > _SHORTEST_SLEEP_S:
                time.sleep(ahead)
            is_counted = number >= WARM_UP_S * self._rate
            sent = time.monotonic_ns() if is_counted else 0
            producer.produce(f"{source}.int", make(number, sent), keys[number % 2], 0)
            producer.poll(0)
        producer.flush(_END_S)

    @staticmethod
    def _filter_value(number: int, sent: int) -> str:
        return f'{{"phenomenonTime":"{_now()}","result":{number % filter_records.RESULTS}.5,"sent":{sent}}}'

    @staticmethod
    def _join_value(number: int, sent: int) -> str:
        return f'{{"phenomenonTime":"{_now()}","result":{number % 100}.5,"sent":{sent}}}'


def _now() -> str:
    return f"{datetime.now(UTC).isoformat(timespec='microseconds')[:26]}Z"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--rate", type=float, default=2_000.0, help="[records/s]")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--intervals", default="0.1,0.02", help="commit intervals [s]")
    parser.add_argument("--rounds", type=int, default=3, help="medians are shown")
    parser.add_argument("--apps", default="filter,join")
    add_broker_option(parser)
    given = parser.parse_args()
    header = f"{'app':7} {'commit':>8} {'program':8} {'records':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}"
    print(header, flush=True)
    with benchmark_broker(given.bootstrap_server) as address:
        for kind in given.apps.split(","):
            latency = Latency(address, kind, given.rate, given.seconds)
            for interval in map(float, given.intervals.split(",")):
                _compare(kind, interval, given.rounds, latency.measure)


def _compare(kind: str, interval: float, rounds: int, measure: Callable[[str, float], Figures]) -> None:
    runs: dict[str, list[Figures]] = {"raw": [], "ours": []}
    for number in range(rounds):
        # Neither is always the first on a broker that has just made topics.
        for program in ("raw", "ours") if number % 2 == 0 else ("ours", "raw"):
            runs[program].append(measure(program, interval))
    medians = {program: _median(each) for program, each in runs.items()}
    for program, found in medians.items():
        print(
            f"{kind:7} {interval * 1000:>5.0f} ms {program:8} {found['count']:>8,.0f} "
            f"{found['p50_ms']:>8.1f} {found['p99_ms']:>8.1f} {found['max_ms']:>8.1f}   p99 of each round "
            f"{' '.join(format(one['p99_ms'], '.1f') for one in runs[program])}"
        )
    raw, ours = medians["raw"], medians["ours"]
    print(
        f"{kind:7} {interval * 1000:>5.0f} ms ours / raw: p50 {ours['p50_ms'] / raw['p50_ms']:.2f}, "
        f"p99 {ours['p99_ms'] / raw['p99_ms']:.2f} (wanted: at most 1.5)",
        flush=True,
    )


def _median(runs: Sequence[Figures]) -> Figures:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


if __name__ == "__main__":
    main()
