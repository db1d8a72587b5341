"""One benchmark: source topics that are filled once, programs that each write to a topic of their own."""

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import Message

from benchmarks.kafka_streams.program import peer_command
from benchmarks.measuring.output import Output, key_and_value, read_output
from benchmarks.measuring.programs import CommittedOffsets, Used, run_until_consumed
from benchmarks.measuring.report import Run
from benchmarks.measuring.topics import SourceRecord, create_topic, delete_topics, fill, waiting_records

_QUIET_S: Final = 1.0
Make = Callable[[int, int, Sequence[str]], Iterator[SourceRecord]]


@dataclass(frozen=True, slots=True)
class Source:
    """The filled topics `.int` of one or more systems.

    Attributes:
        systems: Their names.
        records: How many records they hold together.
        partitions: In how many partitions each.
    """

    systems: tuple[str, ...]
    records: int
    partitions: int

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the systems."""
        return tuple(f"{system}.int" for system in self.systems)


Program = Callable[[Source, str], Used]  # takes the target system, writes to its topic `.ext`


class Bench:
    """Topics of one benchmark; what a program writes is read, checked against the others, and deleted.

    Args:
        bootstrap: Kafka addresses.
        system: What the names of the source systems begin with, four levels.
        make: Makes the records of a source, from their number, the number of partitions, and the systems.
        partitions: Partitions of all topics.
        identify: What has to be equal in the outputs.
        topics: How many source topics the records are spread over.
    """

    def __init__(
        self,
        bootstrap: str,
        system: str,
        make: Make,
        partitions: int,
        identify: Callable[[Message], Hashable],
        *,
        topics: int = 1,
    ) -> None:
        self.bootstrap = bootstrap
        self._topics = topics
        self.partitions = partitions
        self._system = system
        self._make = make
        self._identify = identify
        self._mark = uuid.uuid4().hex[:8]
        self._sources: dict[int, Source] = {}
        self._seen: dict[int, tuple[str, Output]] = {}

    def source(self, records: int) -> Source:
        """The source with so many records, made when it is asked for the first time."""
        if records not in self._sources:
            name = f"{self._system}-{self._mark}-{len(self._sources)}"
            source = Source(
                tuple(f"{name}{'ab'[number]}" for number in range(self._topics)), records, self.partitions
            )
            for topic in source.topics:
                create_topic(self.bootstrap, topic, self.partitions)
            self._sources[records] = source
            fill(self.bootstrap, source.topics, self._make(records, self.partitions, source.systems))
        return self._sources[records]

    def clean(self) -> None:
        """Delete the sources."""
        delete_topics(self.bootstrap, [topic for source in self._sources.values() for topic in source.topics])

    def measure(self, name: str, records: int, program: Program, *, is_comparable: bool = True) -> Run:
        """Run a program into a new topic and check what it has written.

        Raises:
            SystemExit: the output is not that of the programs before, which read the same records.
        """
        source = self.source(records)
        system = f"at.bench.Road.T{uuid.uuid4().hex[:8]}"
        target = f"{system}.ext"
        # Kafka Streams and Quix would write the times of their input records.
        create_topic(self.bootstrap, target, self.partitions, stamped_by_broker=True)
        try:
            used = program(source, system)
            output = read_output(self.bootstrap, target, self._identify if is_comparable else key_and_value)
        finally:
            delete_topics(self.bootstrap, [target])
        if is_comparable:
            self._check(name, records, output)
        elif output.count == 0:
            raise SystemExit(f"{name} wrote nothing")
        return Run.of(records, used, output)

    def _check(self, name: str, records: int, output: Output) -> None:
        first, expected = self._seen.setdefault(records, (name, output))
        if output.count == 0 or (output.count, output.digest) != (expected.count, expected.digest):
            raise SystemExit(
                f"{name} wrote {output.count:,} records, hash {output.digest:016x}; "
                f"{first} wrote {expected.count:,}, hash {expected.digest:016x}, from the same input"
            )

    def kafka_streams(self, kind: str, limit: float, workers: int) -> Program:
        """The Kafka Streams peer, one process with one thread per worker."""

        def run(source: Source, system: str) -> Used:
            folder = Path(tempfile.mkdtemp(prefix="dtwin-bench-streams-"))
            more = (",".join(source.topics), f"{system}.ext", f"{limit:g}")
            commands = [
                peer_command(kind, self.bootstrap, system, folder / str(worker), *more)
                for worker in range(workers)
            ]
            offsets = CommittedOffsets(self.bootstrap, system, source.topics)

            def is_done() -> bool:
                return offsets.total() >= source.records and self._is_quiet(f"{system}.ext")

            try:
                return run_until_consumed(commands, is_done)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        return run

    def _is_quiet(self, topic: str) -> bool:
        """Whether nothing more is written: a join also works behind its repartition topics."""
        before = waiting_records(self.bootstrap, topic)
        time.sleep(_QUIET_S)
        return waiting_records(self.bootstrap, topic) == before


@dataclass(frozen=True, slots=True)
class Peer:
    """A program in the table.

    Attributes:
        name: What the table calls it.
        program: How to run it once.
        records: How many input records it gets.
        is_comparable: Whether its output has to be that of the others.
    """

    name: str
    program: Program
    records: int
    is_comparable: bool = True


def run_rounds(bench: Bench, peers: Mapping[str, Peer], rounds: int) -> dict[str, Sequence[Run]]:
    """Run every peer once per round, one after another; returns the runs by name."""
    runs: dict[str, list[Run]] = {peer.name: [] for peer in peers.values()}
    for number in range(rounds):
        for peer in peers.values():
            run = bench.measure(peer.name, peer.records, peer.program, is_comparable=peer.is_comparable)
            runs[peer.name].append(run)
            print(
                f"round {number + 1}  {peer.name:32} {run.rate:>10,.0f} records/s  {run.cpu:7.2f} s / 10^6",
                flush=True,
            )
    return dict(runs)


def choose_peers(peers: Mapping[str, Peer], wanted: str) -> dict[str, Peer]:
    """Choose from `all` or names with commas between.

    Raises:
        SystemExit: there is no peer of such a name.
    """
    names = list(peers) if wanted == "all" else wanted.split(",")
    unknown = [name for name in names if name not in peers]
    if unknown:
        raise SystemExit(f"no peer {unknown[0]!r}: choose from {', '.join(peers)} or all")
    return {name: peers[name] for name in names}
