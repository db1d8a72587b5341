"""`python -m benchmarks.memory --records 2000000`: resident memory of one filter and one join process.

The records come at a steady pace while the app runs: an hour at 500 records/s is 1.8 million. Warm-up ends
with the first fifth of the records; the slope is that of a straight line through what follows.
"""

import argparse
import statistics
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import psutil

from benchmarks.filter import records as filter_records
from benchmarks.join import records as join_records
from benchmarks.measuring.broker import add_broker_option, benchmark_broker
from benchmarks.measuring.programs import LONGEST_RUN_S, StreamApp
from benchmarks.measuring.topics import SourceRecord, create_topic, delete_topics, fill
from streamhub.specification import StreamAppSpecification

WARM_UP: Final = 0.2
_SAMPLE_S: Final = 0.2
_STEP: Final = 500
_MB: Final = 1024 * 1024


class Sample(NamedTuple):
    """One look at the process."""

    consumed: int
    resident_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--rate", type=float, default=50_000.0, help="[records/s]")
    parser.add_argument("--apps", default="filter,join")
    add_broker_option(parser)
    given = parser.parse_args()
    with benchmark_broker(given.bootstrap_server) as address:
        for kind in given.apps.split(","):
            _show(kind, given.records, _measure(address, kind, given.records, given.rate))


def _measure(bootstrap: str, kind: str, records: int, rate: float) -> list[Sample]:
    mark = uuid.uuid4().hex[:8]
    source, target = f"at.bench.Mill.S{mark}", f"at.bench.Road.T{mark}"
    topics = [f"{source}.int", f"{target}.ext", f"{source}.int.dlq"]
    for topic in topics:
        create_topic(bootstrap, topic)
    try:
        if kind == "filter":
            statement = f"SELECT * FROM * WHERE result < {filter_records.LIMIT}"  # noqa: S608 - not SQL
            made = filter_records.source_records(records, 1, [source])
        else:
            statement = join_records.statement([source], 1)
            made = join_records.source_records(records, 1, [source])
        specification = StreamAppSpecification(
            name="memory",
            source_system=source,
            target_system=target,
            statement=statement,
            bootstrap_servers=bootstrap,
        )
        with StreamApp(specification.to_json()) as app:
            app.wait_running()
            threading.Thread(target=fill, args=(bootstrap, topics, _paced(made, rate)), daemon=True).start()
            samples = _watch(app, records)
            app.end()
        return samples
    finally:
        delete_topics(bootstrap, topics)


def _paced(records: Iterator[SourceRecord], rate: float) -> Iterator[SourceRecord]:
    started = time.monotonic()
    for number, record in enumerate(records):
        if number % _STEP == 0:
            time.sleep(max(started + number / rate - time.monotonic(), 0.0))
        yield record


def _watch(app: StreamApp, records: int) -> list[Sample]:
    process = psutil.Process(app.processes[0].pid)
    samples: list[Sample] = []
    consumed = 0
    deadline = time.monotonic() + LONGEST_RUN_S
    while consumed < records:
        if app.processes[0].poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the app did not finish: {app.progress()}")
        consumed = sum(int(one["consumed"]) for one in app.progress())
        samples.append(Sample(consumed, process.memory_info().rss / _MB))
        time.sleep(_SAMPLE_S)
    return samples


def _show(kind: str, records: int, samples: Sequence[Sample]) -> None:
    after = [sample for sample in samples if sample.consumed >= WARM_UP * records]
    slope = 0.0
    if len({sample.consumed for sample in after}) > 1:
        slope = statistics.linear_regression(
            [sample.consumed / 1e6 for sample in after], [sample.resident_mb for sample in after]
        ).slope
    print(
        f"{kind:7} {records:,} records: {after[0].resident_mb:.0f} MB after warm-up "
        f"({after[0].consumed:,} records), {after[-1].resident_mb:.0f} MB at the end, "
        f"largest {max(sample.resident_mb for sample in samples):.0f} MB, "
        f"slope {slope:+.1f} MB per million records",
        flush=True,
    )
    for part in range(0, 11, 2):
        sample = next((each for each in samples if each.consumed >= part / 10 * records), samples[-1])
        print(f"  {part * 10:>3} %  {sample.consumed:>12,} records  {sample.resident_mb:>7.1f} MB")


if __name__ == "__main__":
    main()
