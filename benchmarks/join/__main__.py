"""`python -m benchmarks.join --records 1000000`: the join from topic to topic, outputs checked, ratios.

Two quantities, |dt| <= 1 s, one output per pair of nearest neighbours, exactly once, a commit each 100 ms.
The raw loops work around the same join core as our app, but keep no state that survives them. Kafka Streams
has no such join: its closest, a windowed join by key, emits every pair within its window. The records are
such that a window of 10 ms holds the nearest neighbours and nothing else, so it does the same work here; its
output is not compared. Quix Streams has an as-of join of two topics: one output per left record, about half
as many. See `benchmarks.filter` for how rates and processor time are taken.
`python -m benchmarks.join.core` measures the join without Kafka.
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import Final

from benchmarks.join import records
from benchmarks.kafka_streams.program import is_possible
from benchmarks.measuring.bench import Bench, Peer, Source, choose_peers, run_rounds
from benchmarks.measuring.broker import add_broker_option, benchmark_broker
from benchmarks.measuring.programs import Used, run_commands, run_modules, run_stream_app
from benchmarks.measuring.report import print_ratio, print_table
from benchmarks.quix.environment import JOIN_PROGRAM, quix_python
from streamhub.specification import StreamAppSpecification

DEFAULT_PEERS: Final = "raw,headers,ours"
STREAMS_WINDOW_MS: Final = 10


class JoinPrograms:
    """The programs, each as a function from source and target system to processor time."""

    def __init__(self, bootstrap: str, workers: int) -> None:
        self._bootstrap = bootstrap
        self._workers = workers

    def app(self, source: Source, system: str) -> Used:
        """Our app: the real process, ended by SIGTERM when it has read everything."""
        specification = StreamAppSpecification(
            name=system.rpartition(".")[2],
            source_system=source.systems[0],
            target_system=system,
            statement=records.statement(source.systems, source.partitions),
            bootstrap_servers=self._bootstrap,
            spread=self._workers > 1,
        )
        return run_stream_app(specification.to_json(), source.records, self._workers)

    def raw(self, source: Source, system: str) -> Used:
        """Run the reference loop."""
        return self._loops(source, system)

    def raw_with_headers(self, source: Source, system: str) -> Used:
        """Run the reference loop, each output record with an id."""
        return self._loops(source, system, "--headers")

    def quix(self, source: Source, system: str) -> Used:
        """Run the Quix program."""
        arguments = [
            *("--bootstrap-server", self._bootstrap, "--source", ",".join(source.topics)),
            *("--target", f"{system}.ext", "--records", str(source.records)),
        ]
        return run_commands([[quix_python(), str(JOIN_PROGRAM), *arguments]])

    def _loops(self, source: Source, system: str, *more: str) -> Used:
        arguments: Sequence[str] = [
            *("--bootstrap-server", self._bootstrap, "--source", ",".join(source.topics)),
            *("--target", f"{system}.ext", "--partitions", str(source.partitions)),
            *("--copies", str(self._workers), *more),
        ]
        copies = [["--copy", str(copy)] for copy in range(self._workers)]
        return run_modules("benchmarks.join.raw_loop", [[*arguments, *copy] for copy in copies])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.join", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--streams-records", type=int, default=200_000)
    parser.add_argument("--quix-records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--topics", type=int, choices=(1, 2), default=1)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--peers",
        default=DEFAULT_PEERS,
        help="all, or some of raw,headers,ours,streams, and with two topics quix",
    )
    add_broker_option(parser)
    given = parser.parse_args()
    with benchmark_broker(given.bootstrap_server) as address:
        bench = Bench(
            address,
            records.SOURCE_SYSTEM,
            records.source_records,
            given.partitions,
            records.pair_of,
            topics=given.topics,
        )
        try:
            runs = run_rounds(bench, _peers(bench, given), given.rounds)
        finally:
            bench.clean()
    medians = print_table(runs, "raw loop")
    print(f"\n{given.topics} topics, {given.partitions} partitions, {given.workers} workers")
    if "raw loop" in runs and "our stream app" in runs:
        paired = zip(runs["our stream app"], runs["raw loop"], strict=True)
        ratio = statistics.median(ours.rate / raw.rate for ours, raw in paired)
        print(f"our stream app / raw loop, round by round: {ratio:.3f} x records/s; wanted: at least 0.9")
    print_ratio(medians, "our stream app", "raw loop with ids")
    print_ratio(medians, "our stream app", "Kafka Streams, windowed join")
    print_ratio(medians, "our stream app", "Quix Streams, as-of join")


def _peers(bench: Bench, given: argparse.Namespace) -> dict[str, Peer]:
    programs = JoinPrograms(bench.bootstrap, given.workers)
    peers = {
        "raw": Peer("raw loop", programs.raw, given.records),
        "headers": Peer("raw loop with ids", programs.raw_with_headers, given.records),
        "ours": Peer("our stream app", programs.app, given.records),
    }
    if given.topics == 2:
        peers["quix"] = Peer(
            "Quix Streams, as-of join", programs.quix, given.quix_records, is_comparable=False
        )
    if is_possible():
        streams = bench.kafka_streams("join", STREAMS_WINDOW_MS, given.workers)
        peers["streams"] = Peer(
            "Kafka Streams, windowed join", streams, given.streams_records, is_comparable=False
        )
    return choose_peers(peers, given.peers)


if __name__ == "__main__":
    main()
