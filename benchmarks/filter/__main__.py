"""`python -m benchmarks.filter --records 1000000 --peers all`: measure, check every output, print ratios.

Every program works exactly once with a commit each 100 ms and reads the same topic (slow ones a shorter one);
the naive Faust agent is at least once. All outputs have the number and the hash of the first one's keys and
values. Rates are between the first and the last record of the output, processor time is from the first record
on: that includes Java's just-in-time compiler, but no start-up; "with start" adds that. With several workers
the processes start together, and the first to join works alone for a moment.
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import Final

from benchmarks.filter import records
from benchmarks.kafka_streams.program import is_possible
from benchmarks.measuring.bench import Bench, Peer, Source, choose_peers, run_rounds
from benchmarks.measuring.broker import add_broker_option, benchmark_broker
from benchmarks.measuring.output import key_and_value
from benchmarks.measuring.programs import Used, run_commands, run_modules, run_stream_app
from benchmarks.measuring.report import print_ratio, print_table
from benchmarks.quix.environment import FILTER_PROGRAM, quix_python
from streamhub.contracts import ContractTerms
from streamhub.specification import StreamAppSpecification

STATEMENT: Final = f"SELECT * FROM * WHERE result < {records.LIMIT};"  # noqa: S608 - not SQL
DEFAULT_PEERS: Final = "raw,headers,ours,streams"


class FilterPrograms:
    """The programs, each as a function from source and target system to processor time."""

    def __init__(self, bootstrap: str, workers: int) -> None:
        self._bootstrap = bootstrap
        self._workers = workers

    def app(self, source: Source, system: str) -> Used:
        """Our app: the real process, ended by SIGTERM when it has read everything."""
        return self._app(source, system)

    def app_with_terms(self, source: Source, system: str) -> Used:
        """Our app, bound by a contract that lets the same records pass, judging each by key and value."""
        terms = ContractTerms(
            id="c-1",
            provider=source.systems[0],
            predicate=f"result < {records.RESULTS // 2} AND name LIKE '%.Air Temperature'",
        )
        return self._app(source, system, terms)

    def app_with_fields(self, source: Source, system: str) -> Used:
        """Our app, bound by a contract that names every attribute: what leaves is looked through."""
        fields = ("longitude", "latitude", "number")
        return self._app(source, system, ContractTerms(id="c-1", provider=source.systems[0], fields=fields))

    def _app(self, source: Source, system: str, *contracts: ContractTerms) -> Used:
        specification = StreamAppSpecification(
            name=system.rpartition(".")[2],
            source_system=source.systems[0],
            target_system=system,
            statement=STATEMENT,
            bootstrap_servers=self._bootstrap,
            contracts=contracts,
        )
        return run_stream_app(specification.to_json(), source.records, self._workers)

    def raw(self, source: Source, system: str) -> Used:
        """Run the reference loop."""
        return self._modules("benchmarks.filter.raw_loop", source, system)

    def raw_with_headers(self, source: Source, system: str) -> Used:
        """Run the reference loop with the headers that our app keeps and adds."""
        return self._modules("benchmarks.filter.raw_loop", source, system, "--headers")

    def agent(self, source: Source, system: str) -> Used:
        """Run the Faust agent."""
        more = ["--records", str(source.records)]
        return run_modules("benchmarks.filter.faust_agent", [[*self._arguments(source, system), *more]])

    def quix(self, source: Source, system: str) -> Used:
        """Run the Quix program."""
        more = ["--records", str(source.records)]
        return run_commands([[quix_python(), str(FILTER_PROGRAM), *self._arguments(source, system), *more]])

    def _modules(self, module: str, source: Source, system: str, *more: str) -> Used:
        copies = [["--copy", str(copy), *more] for copy in range(self._workers)]
        return run_modules(module, [[*self._arguments(source, system), *copy] for copy in copies])

    def _arguments(self, source: Source, system: str) -> Sequence[str]:
        return [
            *("--bootstrap-server", self._bootstrap, "--source", source.topics[0]),
            *("--target", f"{system}.ext", "--limit", str(records.LIMIT)),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filter", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--quix-records", type=int, default=200_000)
    parser.add_argument("--faust-records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument(
        "--workers", type=int, default=1, help="processes of ours, the loops and Kafka Streams"
    )
    parser.add_argument(
        "--peers",
        default=DEFAULT_PEERS,
        help="all, or some of raw,headers,ours,terms,fields,streams,quix,faust",
    )
    add_broker_option(parser)
    given = parser.parse_args()
    with benchmark_broker(given.bootstrap_server) as address:
        bench = Bench(address, records.SOURCE_SYSTEM, records.source_records, given.partitions, key_and_value)
        peers = _peers(bench, given)
        try:
            runs = run_rounds(bench, peers, given.rounds)
        finally:
            bench.clean()
    medians = print_table(runs, "raw loop")
    print(f"\n{given.partitions} partitions, {given.workers} workers, {given.rounds} rounds")
    if "raw loop" in runs and "our stream app" in runs:
        paired = zip(runs["our stream app"], runs["raw loop"], strict=True)
        ratio = statistics.median(ours.rate / raw.rate for ours, raw in paired)
        print(f"our stream app / raw loop, round by round: {ratio:.3f} x records/s; wanted: at least 0.95")
    print_ratio(medians, "our stream app", "raw loop with our headers")
    print_ratio(medians, "ours with a contract", "our stream app")
    print_ratio(medians, "ours with fields", "our stream app")
    print_ratio(medians, "our stream app", "Kafka Streams", wanted="at most 0.5 x CPU")
    print_ratio(medians, "our stream app", "Quix Streams", wanted="at least 5 x records/s")
    print_ratio(medians, "our stream app", "naive Faust agent")


def _peers(bench: Bench, given: argparse.Namespace) -> dict[str, Peer]:
    programs = FilterPrograms(bench.bootstrap, given.workers)
    peers = {
        "raw": Peer("raw loop", programs.raw, given.records),
        "headers": Peer("raw loop with our headers", programs.raw_with_headers, given.records),
        "ours": Peer("our stream app", programs.app, given.records),
        "terms": Peer("ours with a contract", programs.app_with_terms, given.records),
        "fields": Peer("ours with fields", programs.app_with_fields, given.records),
        "quix": Peer("Quix Streams", programs.quix, given.quix_records),
        # Faust parses and writes the value again: the same JSON, but not the same bytes.
        "faust": Peer("naive Faust agent", programs.agent, given.faust_records, is_comparable=False),
    }
    if is_possible():
        streams = bench.kafka_streams("filter", records.LIMIT, given.workers)
        peers["streams"] = Peer("Kafka Streams", streams, given.records)
    else:
        print("Kafka Streams is left out: there is no JDK (javac, java) on the path")
        given.peers = given.peers.replace(",streams", "")
    return choose_peers(peers, given.peers)


if __name__ == "__main__":
    main()
